/*
 * family.c - the families that we know, and what a tensor is called and shaped in each.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/internal.h"

static const char *const llama_types[] = {"llama", NULL};
static const char *const mistral_types[] = {"mistral", NULL};
static const char *const qwen2_types[] = {"qwen2", NULL};
static const char *const qwen3_types[] = {"qwen3", NULL};
static const char *const smollm3_types[] = {"smollm3", NULL};
static const char *const phi3_types[] = {"phi3", NULL};
static const char *const gemma3_types[] = {"gemma3_text", "gemma3", NULL};
static const char *const gemma2_types[] = {"gemma2", NULL};

static const rw_weight_name phi3_names[] = {
    {RW_W_Q, "self_attn.qkv_proj.weight", "attn_qkv.weight"},
    {RW_W_K, "self_attn.qkv_proj.weight", "attn_qkv.weight"},
    {RW_W_V, "self_attn.qkv_proj.weight", "attn_qkv.weight"},
    {RW_W_GATE, "mlp.gate_up_proj.weight", "ffn_up.weight"},
    {RW_W_UP, "mlp.gate_up_proj.weight", "ffn_up.weight"},
    {.hf = NULL},
};

/* The name that is usual for the norm before the feed-forward is the one behind attention here. */
static const rw_weight_name gemma_names[] = {
    {RW_W_FFN_NORM, "pre_feedforward_layernorm.weight", "ffn_norm.weight"},
    {.hf = NULL},
};

/* Defaults are those of transformers' configuration classes (5.23). */
static const rw_family families[] = {
    {.name = "llama",
     .hf_types = llama_types,
     .gguf_name = "llama",
     .runnable = true,
     .gguf_interleaved = true,
     .activation_key = "hidden_act"},
    /* Llama's layers with a window; llama.cpp calls both "llama" and forgets the window. */
    {.name = "mistral",
     .hf_types = mistral_types,
     .gguf_name = "llama",
     .runnable = true,
     .gguf_interleaved = true,
     .windowing = RW_WINDOWS_ALL,
     .activation_key = "hidden_act",
     .defaults = {.window = 4096}},
    {.name = "qwen2", /* and 2.5 */
     .hf_types = qwen2_types,
     .gguf_name = "qwen2",
     .runnable = true,
     .qkv_bias = true,
     .windowing = RW_WINDOWS_UPPER,
     .activation_key = "hidden_act",
     .defaults = {.window = 4096}},
    {.name = "qwen3",
     .hf_types = qwen3_types,
     .gguf_name = "qwen3",
     .runnable = true,
     .qk_norm = true,
     .windowing = RW_WINDOWS_UPPER,
     .activation_key = "hidden_act",
     .defaults = {.window = 4096, .head_dim = 128}},
    {.name = "smollm3",
     .hf_types = smollm3_types,
     .gguf_name = "smollm3",
     .runnable = true,
     .gguf_interleaved = true,
     .windowing = RW_WINDOWS_NOPE,
     .nope_period = 4,
     .activation_key = "hidden_act",
     .defaults = {.tied_embeddings = true}},
    {.name = "phi3", /* and Phi-4-mini */
     .hf_types = phi3_types,
     .gguf_name = "phi3",
     .runnable = true,
     .fused = true,
     .windowing = RW_WINDOWS_ALL,
     .activation_key = "hidden_act",
     .names = phi3_names,
     .defaults = {.norm_eps = 1e-5}},
    {.name = "gemma3",
     .hf_types = gemma3_types,
     .gguf_name = "gemma3",
     .runnable = true,
     .qk_norm = true,
     .sandwich_norms = true,
     .norm_plus_one = true,
     .scaled_embedding = true,
     .windowing = RW_WINDOWS_PERIODIC,
     .window_period = 6,
     .gguf_layers_of_27b = 62,
     .activation_key = "hidden_activation",
     .names = gemma_names,
     .defaults = {.n_heads = 8,
                  .n_kv_heads = 4,
                  .head_dim = 256,
                  .vocab = 262208,
                  .window = 4096,
                  .query_scalar = 256,
                  .activation = RW_ACT_GELU_TANH,
                  .tied_embeddings = true}},
    {.name = "gemma2",
     .hf_types = gemma2_types,
     .gguf_name = "gemma2",
     .runnable = true,
     .sandwich_norms = true,
     .norm_plus_one = true,
     .scaled_embedding = true,
     .windowing = RW_WINDOWS_PERIODIC,
     .window_period = 2,
     .gguf_window = 4096,
     .gguf_layers_of_27b = 46,
     .activation_key = "hidden_activation",
     .names = gemma_names,
     .defaults = {.head_dim = 256,
                  .window = 4096,
                  .query_scalar = 256,
                  .attention_softcap = 50,
                  .final_softcap = 30,
                  .activation = RW_ACT_GELU_TANH,
                  .tied_embeddings = true}},
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

void rw_arch_from_family(rw_arch *arch) {
    const rw_family *family = arch->family;
    arch->embedding_scale = 1.0;
    if (!family)
        return;
    if (family->scaled_embedding)
        arch->embedding_scale = sqrt((double)arch->hidden);
    arch->qk_norm = family->qk_norm;
    arch->query_scalar = family->defaults.query_scalar;
    arch->attention_softcap = family->defaults.attention_softcap;
    arch->final_softcap = family->defaults.final_softcap;
    arch->activation = family->defaults.activation;
    arch->tied_embeddings = family->defaults.tied_embeddings;
    arch->norm_eps = family->defaults.norm_eps > 0.0 ? family->defaults.norm_eps : 1e-6;
}

/* ---- names ----------------------------------------------------------------------------------- */

typedef struct usual_name {
    const char *hf, *gguf; /* without the layer's prefix */
    bool per_layer;
} usual_name;

static const usual_name weight_names[RW_W_COUNT] = {
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
    [RW_W_O_BIAS] = {"self_attn.o_proj.bias", "attn_output.bias", true},
    [RW_W_GATE_BIAS] = {"mlp.gate_proj.bias", "ffn_gate.bias", true},
    [RW_W_UP_BIAS] = {"mlp.up_proj.bias", "ffn_up.bias", true},
    [RW_W_DOWN_BIAS] = {"mlp.down_proj.bias", "ffn_down.bias", true},
    [RW_W_POST_ATTENTION_NORM] = {"post_attention_layernorm.weight", "post_attention_norm.weight",
                                  true},
    [RW_W_POST_FFN_NORM] = {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", true},
};

static const char *name_of(const rw_arch *arch, rw_naming naming, rw_weight weight) {
    const rw_weight_name *own = arch->family ? arch->family->names : NULL;
    for (; own && own->hf; own++)
        if (own->weight == weight)
            return naming == RW_NAMING_HF ? own->hf : own->gguf;
    return naming == RW_NAMING_HF ? weight_names[weight].hf : weight_names[weight].gguf;
}

void rw_arch_tensor_name(const rw_arch *arch, rw_naming naming, rw_weight weight, uint32_t layer,
                         char out[128]) {
    const char *text = name_of(arch, naming, weight);
    const char *prefix = naming == RW_NAMING_HF ? "model.layers" : "blk";
    if (weight_names[weight].per_layer)
        snprintf(out, 128, "%s.%" PRIu32 ".%s", prefix, layer, text);
    else
        snprintf(out, 128, "%s", text);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

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
    case RW_W_POST_ATTENTION_NORM:
    case RW_W_POST_FFN_NORM:
        return arch->family && arch->family->sandwich_norms ? vector(shape, arch->hidden) : 0;
    case RW_W_O_BIAS:
        return arch->o_bias ? vector(shape, arch->hidden) : 0;
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
    case RW_W_GATE_BIAS:
    case RW_W_UP_BIAS:
        return arch->mlp_bias ? vector(shape, l->ffn_dim) : 0;
    case RW_W_DOWN_BIAS:
        return arch->mlp_bias ? vector(shape, arch->hidden) : 0;
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

/* Weights that lie in one tensor when the family fuses them, in the order of their rows. */
static const rw_weight fused_qkv[] = {RW_W_Q, RW_W_K, RW_W_V, RW_W_COUNT};
static const rw_weight fused_gate_up[] = {RW_W_GATE, RW_W_UP, RW_W_COUNT};

static const rw_weight *fused_with(const rw_arch *arch, rw_weight weight) {
    if (!arch->family || !arch->family->fused)
        return NULL;
    if (weight == RW_W_Q || weight == RW_W_K || weight == RW_W_V)
        return fused_qkv;
    return weight == RW_W_GATE || weight == RW_W_UP ? fused_gate_up : NULL;
}

void rw_arch_tensor_place(const rw_arch *arch, rw_weight weight, uint32_t layer, uint64_t *first,
                          uint64_t *rows) {
    uint64_t shape[2];
    const rw_weight *list = fused_with(arch, weight);
    rw_arch_tensor_shape(arch, weight, layer, shape);
    *first = 0;
    *rows = shape[0];
    if (!list)
        return;
    for (*rows = 0; *list != RW_W_COUNT; list++) {
        if (*list == weight)
            *first = *rows;
        rw_arch_tensor_shape(arch, *list, layer, shape);
        *rows += shape[0];
    }
}

float rw_arch_tensor_offset(const rw_arch *arch, rw_naming naming, rw_weight weight) {
    static const rw_weight norms[] = {RW_W_FINAL_NORM,   RW_W_ATTENTION_NORM,      RW_W_Q_NORM,
                                      RW_W_K_NORM,       RW_W_POST_ATTENTION_NORM, RW_W_FFN_NORM,
                                      RW_W_POST_FFN_NORM};
    if (naming != RW_NAMING_HF || !arch->family || !arch->family->norm_plus_one)
        return 0.0f;
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++)
        if (norms[i] == weight)
            return 1.0f;
    return 0.0f;
}
