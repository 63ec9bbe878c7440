/*
 * family.c - the families that we know, and what a tensor is called and shaped in each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/internal.h"

/* Mistral's layers are Llama's with a window; llama.cpp calls both "llama". */
static const char *const llama_types[] = {"llama", "mistral", NULL};

static const rw_family families[] = {
    {.name = "llama",
     .hf_types = llama_types,
     .gguf_name = "llama",
     .runnable = true,
     .gguf_interleaved = true},
};

enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

const rw_family *rw_family_of_model_type(rw_str model_type) {
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        for (const char *const *type = families[i].hf_types; *type; type++)
            if (rw_str_is(model_type, *type))
                return &families[i];
    return NULL;
}

const rw_family *rw_family_of_gguf(rw_str architecture) {
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        if (rw_str_is(architecture, families[i].gguf_name))
            return &families[i];
    return NULL;
}

/* ---- names ------------------------------------------------------------------------------------
 */

typedef struct weight_name {
    const char *hf, *gguf; /* without the layer's prefix */
    bool per_layer;
} weight_name;

static const weight_name weight_names[RW_W_COUNT] = {
    [RW_W_EMBEDDING] = {"model.embed_tokens.weight", "token_embd.weight", false},
    [RW_W_FINAL_NORM] = {"model.norm.weight", "output_norm.weight", false},
    [RW_W_OUTPUT] = {"lm_head.weight", "output.weight", false},
    [RW_W_ATTENTION_NORM] = {"input_layernorm.weight", "attn_norm.weight", true},
    [RW_W_Q] = {"self_attn.q_proj.weight", "attn_q.weight", true},
    [RW_W_K] = {"self_attn.k_proj.weight", "attn_k.weight", true},
    [RW_W_V] = {"self_attn.v_proj.weight", "attn_v.weight", true},
    [RW_W_O] = {"self_attn.o_proj.weight", "attn_output.weight", true},
    [RW_W_Q_BIAS] = {"self_attn.q_proj.bias", "attn_q.bias", true},
    [RW_W_K_BIAS] = {"self_attn.k_proj.bias", "attn_k.bias", true},
    [RW_W_V_BIAS] = {"self_attn.v_proj.bias", "attn_v.bias", true},
    [RW_W_Q_NORM] = {"self_attn.q_norm.weight", "attn_q_norm.weight", true},
    [RW_W_K_NORM] = {"self_attn.k_norm.weight", "attn_k_norm.weight", true},
    [RW_W_FFN_NORM] = {"post_attention_layernorm.weight", "ffn_norm.weight", true},
    [RW_W_GATE] = {"mlp.gate_proj.weight", "ffn_gate.weight", true},
    [RW_W_UP] = {"mlp.up_proj.weight", "ffn_up.weight", true},
    [RW_W_DOWN] = {"mlp.down_proj.weight", "ffn_down.weight", true},
};

void rw_arch_tensor_name(const rw_arch *arch, rw_naming naming, rw_weight weight, uint32_t layer,
                         char out[128]) {
    (void)arch; /* every family so far spells them alike */
    const weight_name *name = &weight_names[weight];
    const char *text = naming == RW_NAMING_HF ? name->hf : name->gguf;
    const char *prefix = naming == RW_NAMING_HF ? "model.layers" : "blk";
    if (name->per_layer)
        snprintf(out, 128, "%s.%" PRIu32 ".%s", prefix, layer, text);
    else
        snprintf(out, 128, "%s", text);
}

/* ---- shapes -----------------------------------------------------------------------------------
 */

static uint32_t vector(uint64_t shape[2], uint64_t size) {
    shape[0] = size;
    shape[1] = 1;
    return 1;
}

static uint32_t matrix(uint64_t shape[2], uint64_t rows, uint64_t columns) {
    shape[0] = rows;
    shape[1] = columns;
    return 2;
}

static uint32_t model_shape(const rw_arch *arch, rw_weight weight, uint64_t shape[2]) {
    if (weight == RW_W_FINAL_NORM)
        return vector(shape, arch->hidden);
    if (weight == RW_W_OUTPUT && arch->tied_embeddings)
        return 0;
    return matrix(shape, arch->vocab, arch->hidden);
}

static uint32_t layer_shape(const rw_arch *arch, rw_weight weight, const rw_layer *l,
                            uint64_t shape[2]) {
    uint64_t q = (uint64_t)l->n_heads * l->qk_dim, k = (uint64_t)l->n_kv_heads * l->qk_dim;
    uint64_t v = (uint64_t)l->n_kv_heads * l->v_dim, o = (uint64_t)l->n_heads * l->v_dim;
    switch (weight) {
    case RW_W_ATTENTION_NORM:
    case RW_W_FFN_NORM:
        return vector(shape, arch->hidden);
    case RW_W_Q:
        return matrix(shape, q, arch->hidden);
    case RW_W_K:
        return matrix(shape, k, arch->hidden);
    case RW_W_V:
        return matrix(shape, v, arch->hidden);
    case RW_W_O:
        return matrix(shape, arch->hidden, o);
    case RW_W_Q_BIAS:
        return arch->attention_bias ? vector(shape, q) : 0;
    case RW_W_K_BIAS:
        return arch->attention_bias ? vector(shape, k) : 0;
    case RW_W_V_BIAS:
        return arch->attention_bias ? vector(shape, v) : 0;
    case RW_W_Q_NORM:
    case RW_W_K_NORM:
        return arch->qk_norm ? vector(shape, l->qk_dim) : 0;
    case RW_W_GATE:
    case RW_W_UP:
        return matrix(shape, l->ffn_dim, arch->hidden);
    case RW_W_DOWN:
        return matrix(shape, arch->hidden, l->ffn_dim);
    default:
        return 0;
    }
}

uint32_t rw_arch_tensor_shape(const rw_arch *arch, rw_weight weight, uint32_t layer,
                              uint64_t shape[2]) {
    shape[0] = shape[1] = 0;
    if (!weight_names[weight].per_layer)
        return model_shape(arch, weight, shape);
    if (layer >= arch->n_layers || !arch->layers)
        return 0;
    return layer_shape(arch, weight, &arch->layers[layer], shape);
}
