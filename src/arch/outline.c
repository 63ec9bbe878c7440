/*
 * outline.c - see outline.h.
 */
#include <string.h>

#include "arch/classes.h"

static const char *const layer_keys[] = {"num_hidden_layers", "n_layer", "num_layers", "n_layers",
                                         NULL};
static const char *const hidden_keys[] = {"hidden_size", "n_embd", "d_model", "dim", NULL};
static const char *const head_keys[] = {"num_attention_heads", "n_head", "num_heads", "n_heads",
                                        NULL};
static const char *const kv_keys[] = {"num_key_value_heads", "num_kv_heads",
                                      "multi_query_group_num", NULL};
static const char *const head_dim_keys[] = {"head_dim", "attention_head_dim", "kv_channels", NULL};
static const char *const ffn_keys[] = {"intermediate_size", "n_inner", "ffn_hidden_size", NULL};
static const char *const vocab_keys[] = {"vocab_size", NULL};

uint32_t rw_arch_count(const rw_json *config, const char *const *keys, uint64_t max,
                       uint32_t otherwise) {
    for (; *keys; keys++) {
        uint64_t value = rw_json_u64_or(rw_json_get(config, *keys), 0);
        if (value != 0 && value <= max && value <= UINT32_MAX)
            return (uint32_t)value;
    }
    return otherwise;
}

static uint32_t one(const rw_json *config, const char *key, uint32_t otherwise) {
    const char *const keys[] = {key, NULL};
    return rw_arch_count(config, keys, RW_MAX_HIDDEN, otherwise);
}

/* MLA (DeepSeek): one latent row a token, its rotary part beside it; DeepSeek V3.2's indexer keeps
   a key of its own. */
static void outline_latent(const rw_json *config, rw_layer *layer) {
    uint32_t rank = one(config, "kv_lora_rank", 0), rotary = one(config, "qk_rope_head_dim", 0);
    if (!rank)
        return;
    layer->kv_latent = rank + rotary + one(config, "index_head_dim", 0);
    layer->qk_dim = one(config, "qk_nope_head_dim", 0) + rotary;
    layer->v_dim = one(config, "v_head_dim", layer->qk_dim);
}

static rw_layer common_layer(const rw_json *config, const rw_model_class *model,
                             const rw_arch *arch) {
    rw_layer layer = {.kind = RW_LAYER_FULL, .rotary = true};
    layer.n_heads = rw_arch_count(config, head_keys, RW_MAX_HEADS, model->heads);
    uint32_t kv = model->kv_heads ? model->kv_heads : layer.n_heads;
    if (rw_json_bool_or(rw_json_get(config, "multi_query"), false))
        kv = 1; /* Falcon, GPT-BigCode */
    layer.n_kv_heads = rw_arch_count(config, kv_keys, RW_MAX_HEADS, kv);
    uint32_t dim =
        model->head_dim ? model->head_dim : (layer.n_heads ? arch->hidden / layer.n_heads : 0);
    layer.qk_dim = rw_arch_count(config, head_dim_keys, RW_MAX_HEAD_DIM, dim);
    layer.v_dim = layer.qk_dim;
    layer.ffn_dim = rw_arch_count(config, ffn_keys, RW_MAX_FFN, model->ffn);
    outline_latent(config, &layer);
    return layer;
}

rw_status rw_arch_outline(const rw_json *config, rw_arena *arena, rw_arch *out, rw_error *err) {
    static const rw_model_class none = {0};
    memset(out, 0, sizeof *out);
    rw_str type = rw_json_string_or(rw_json_get(config, "model_type"), "");
    rw_arch_copy_name(out->model_type, type);
    const rw_model_class *model = rw_model_class_of(type);
    if (!model)
        model = &none;
    out->hidden = rw_arch_count(config, hidden_keys, RW_MAX_HIDDEN, model->hidden);
    out->n_layers = rw_arch_count(config, layer_keys, RW_MAX_LAYERS, model->layers);
    out->vocab = rw_arch_count(config, vocab_keys, RW_MAX_VOCAB, model->vocab);
    out->tied_embeddings = rw_json_bool_or(rw_json_get(config, "tie_word_embeddings"), model->tied);
    rw_layer layer = common_layer(config, model, out);
    RW_TRY(rw_arch_make_layers(out, arena, err));
    for (uint32_t i = 0; i < out->n_layers; i++)
        out->layers[i] = layer;
    rw_arch_outline_layers(config, model, out);
    out->head_dim = layer.qk_dim;
    if (out->n_layers)
        rw_arch_count_parameters(config, model, out);
    return RW_OK;
}

void rw_arch_window_rule(rw_str architecture, uint32_t *period, uint32_t *window) {
    const rw_model_class *model = rw_model_class_of_gguf(architecture);
    *period = *window = 0;
    if (!model || model->pattern == RW_PATTERN_NONE)
        return;
    *period = model->pattern == RW_PATTERN_ALL ? 1 : model->period;
    *window = model->pattern == RW_PATTERN_CHUNKED ? model->window : 0;
}

uint64_t rw_arch_embedding_parameters(const rw_arch *arch) {
    return (uint64_t)arch->vocab * arch->hidden * (arch->tied_embeddings ? 1 : 2);
}
