/*
 * layers.c - which layers of a model keep a cache, of what, and for how long.
 */
#include <stdio.h>
#include <string.h>

#include "arch/classes.h"

static uint32_t count_up_to(const rw_json *config, const char *key, uint64_t max,
                            uint32_t otherwise) {
    const char *const keys[] = {key, NULL};
    return rw_arch_count(config, keys, max, otherwise);
}

static uint32_t count(const rw_json *config, const char *key, uint32_t otherwise) {
    return count_up_to(config, key, UINT32_MAX, otherwise);
}

/* ---- recurrent layers ------------------------------------------------------------------------ */

/* The gated delta rule of Qwen3-Next: a matrix a value head, and the tail of the convolution. */
static uint64_t linear_attention_state(const rw_json *config) {
    uint64_t key_heads = count(config, "linear_num_key_heads", 0);
    uint64_t value_heads = count(config, "linear_num_value_heads", 0);
    uint64_t key = count(config, "linear_key_head_dim", 0);
    uint64_t value = count(config, "linear_value_head_dim", 0);
    uint64_t kernel = count(config, "linear_conv_kernel_dim", 4);
    if (key_heads > RW_MAX_HEADS || value_heads > RW_MAX_HEADS || key > RW_MAX_HEAD_DIM ||
        value > RW_MAX_HEAD_DIM || kernel > RW_MAX_HEAD_DIM)
        return 0;
    return value_heads * key * value + (2 * key_heads * key + value_heads * value) * kernel;
}

/* Mamba 2 keeps heads * head_dim * d_state, Mamba 1 (no heads) d_inner * d_state; both the tail of
   a convolution. Key names of Bamba, Granite 4, Falcon-H1, Jamba and Nemotron-H. */
static uint64_t mamba_state(const rw_json *config, uint32_t hidden) {
    static const char *const states[] = {"mamba_d_state", "ssm_state_size", "state_size", NULL};
    static const char *const kernels[] = {"mamba_d_conv", "conv_kernel", NULL};
    static const char *const groups[] = {"mamba_n_groups", "n_groups", NULL};
    static const char *const heads[] = {"mamba_n_heads", "mamba_num_heads", NULL};
    static const char *const dims[] = {"mamba_d_head", "mamba_head_dim", NULL};
    uint64_t state = rw_arch_count(config, states, RW_MAX_HEAD_DIM, 0);
    uint64_t kernel = rw_arch_count(config, kernels, RW_MAX_HEAD_DIM, 4);
    uint64_t n_groups = rw_arch_count(config, groups, RW_MAX_HEADS, 1);
    uint64_t n_heads = rw_arch_count(config, heads, RW_MAX_HEADS, 0);
    uint64_t dim = rw_arch_count(config, dims, RW_MAX_HEAD_DIM, 0);
    uint64_t expand = count(config, "mamba_expand", 2);
    uint64_t inner = n_heads && dim ? n_heads * dim : (expand <= 64 ? expand : 64) * hidden;
    uint64_t mixed = n_heads ? inner + 2 * n_groups * state : inner;
    return state ? inner * state + mixed * kernel : 0;
}

static uint64_t recurrent_state(const rw_json *config, uint32_t hidden) {
    uint64_t state = linear_attention_state(config);
    if (!state)
        state = mamba_state(config, hidden);
    if (!state && count(config, "conv_L_cache", 0) <= RW_MAX_HEAD_DIM)
        state = (uint64_t)hidden * count(config, "conv_L_cache", 0); /* LFM2 */
    return state;
}

/* ---- what the config says of all layers ------------------------------------------------------ */

/* Read once: a config may be large, and have many layers. */
typedef struct facts {
    const rw_json *types, *unrotated, *crossing; /* lists, by layer */
    const rw_json *attending;                    /* list of the layers that attend */
    rw_str word;                                 /* Nemotron-H: a letter a layer */
    uint32_t attention_period, attention_offset; /* Jamba */
    rw_pattern pattern;
    uint32_t period, window, chunk, window_from;
    uint32_t shared; /* layers at the end that read an earlier layer's cache */
    uint32_t global_dim, global_kv_heads;
    const rw_json *own; /* {"5": {"head_dim": 512}, ...} */
    uint64_t state;
} facts;

static const rw_json *list_of(const rw_json *config, const char *key) {
    const rw_json *node = rw_json_get(config, key);
    return node && node->type == RW_JSON_ARRAY ? node : NULL;
}

/* A window that is null is none; absent is the class's own, where it has one. */
static uint32_t window_of(const rw_json *config, const char *key, uint32_t otherwise) {
    const rw_json *node = rw_json_get(config, key);
    return node && rw_json_is_null(node) ? 0 : count(config, key, otherwise);
}

static facts read_facts(const rw_json *config, const rw_model_class *model, const rw_arch *arch) {
    static const char *const periods[] = {"sliding_window_pattern", "_sliding_window_pattern",
                                          "full_attention_interval", "no_rope_layer_interval",
                                          NULL};
    bool chunked = model->pattern == RW_PATTERN_CHUNKED;
    facts f = {.types = list_of(config, "layer_types"),
               .unrotated = list_of(config, "no_rope_layers"),
               .crossing = list_of(config, "cross_attention_layers"),
               .attending = list_of(config, "attn_layer_indices"),
               .word = rw_json_string_or(rw_json_get(config, "hybrid_override_pattern"), ""),
               .attention_period = count(config, "attn_layer_period", 0),
               .attention_offset = count(config, "attn_layer_offset", 0),
               .pattern = model->pattern,
               .period = rw_arch_count(config, periods, RW_MAX_LAYERS, model->period),
               .window = window_of(config, "sliding_window", chunked ? 0 : model->window),
               .chunk = window_of(config, "attention_chunk_size", chunked ? model->window : 0),
               .window_from = count(config, "max_window_layers", 28),
               .shared = count(config, "num_kv_shared_layers", 0),
               .global_dim = count(config, "global_head_dim", 0),
               .global_kv_heads = count(config, "num_global_key_value_heads", 0),
               .own = rw_json_get(config, "per_layer_config"),
               .state = recurrent_state(config, arch->hidden)};
    if (f.own && f.own->count > RW_MAX_LAYERS)
        f.own = NULL; /* no model, and a search in it for every layer */
    if (!f.types)
        f.types = list_of(config, "layers_block_type");
    if (!f.attending)
        f.attending = list_of(config, "full_attn_idxs");
    if (f.pattern == RW_PATTERN_AFTER &&
        !rw_json_bool_or(rw_json_get(config, "use_sliding_window"), false))
        f.window = 0;
    return f;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static void make_recurrent(const facts *f, rw_layer *layer) {
    layer->kind = RW_LAYER_OTHER;
    layer->window = 0;
    layer->state = f->state;
}

static void make_sliding(uint32_t window, rw_layer *layer) {
    if (!window)
        return;
    layer->kind = RW_LAYER_SLIDING;
    layer->window = window;
}

void rw_arch_pattern(rw_pattern pattern, uint32_t period, uint32_t window, uint32_t index,
                     rw_layer *layer) {
    bool last = period && (index + 1) % period == 0;
    if (pattern == RW_PATTERN_ALL ||
        (!last && (pattern == RW_PATTERN_PERIOD || pattern == RW_PATTERN_CHUNKED)))
        make_sliding(window, layer);
}

static void by_class(const facts *f, uint32_t index, rw_layer *layer) {
    if (f->pattern == RW_PATTERN_AFTER && index >= f->window_from)
        make_sliding(f->window, layer);
    else if (f->pattern == RW_PATTERN_LINEAR && (index + 1) % f->period != 0)
        make_recurrent(f, layer);
    else
        rw_arch_pattern(f->pattern, f->period,
                        f->pattern == RW_PATTERN_CHUNKED ? f->chunk : f->window, index, layer);
}

static void by_type(const facts *f, rw_str type, rw_layer *layer) {
    if (rw_str_is(type, "full_attention") || rw_str_is(type, "attention"))
        return;
    if (rw_str_is(type, "sliding_attention"))
        make_sliding(f->window, layer);
    else if (rw_str_is(type, "chunked_attention"))
        make_sliding(f->chunk, layer);
    else
        make_recurrent(f, layer);
}

static bool is_listed(const rw_json *list, uint32_t index) {
    const rw_json *node = list ? list->first : NULL;
    for (uint32_t i = 0; node && i < RW_MAX_LAYERS; i++, node = node->next)
        if (rw_json_u64_or(node, UINT64_MAX) == index)
            return true;
    return false;
}

/* Hybrids that say where their attention is by a word of letters, a list, or a period. False when
   the config says it in none of these ways. */
static bool by_place(const facts *f, uint32_t index, rw_layer *layer) {
    bool attends;
    char letter = index < f->word.size ? f->word.data[index] : '-';
    if (f->word.size)
        attends = letter == '*';
    else if (f->attending)
        attends = is_listed(f->attending, index);
    else if (f->attention_period)
        attends = index % f->attention_period == f->attention_offset;
    else
        return false;
    if (!attends)
        make_recurrent(f, layer);
    if (f->word.size && letter != 'M')
        layer->state = 0; /* a layer of its own for attention, or for the feed-forward part */
    return true;
}

/* ---- one layer ------------------------------------------------------------------------------- */

/* Gemma 4: the layers that see everything have heads of their own. */
static void widen_global(const facts *f, rw_layer *layer) {
    if (layer->kind != RW_LAYER_FULL)
        return;
    if (f->global_dim && f->global_dim <= RW_MAX_HEAD_DIM)
        layer->qk_dim = layer->v_dim = f->global_dim;
    if (f->global_kv_heads && f->global_kv_heads <= RW_MAX_HEADS)
        layer->n_kv_heads = f->global_kv_heads;
}

/* The spelling since transformers 5.2x, for any model whose layers differ. */
static void take_own(const facts *f, uint32_t index, rw_layer *layer) {
    char name[16];
    snprintf(name, sizeof name, "%u", index);
    const rw_json *own = rw_json_get(f->own, name);
    if (!own)
        return;
    layer->qk_dim = count_up_to(own, "head_dim", RW_MAX_HEAD_DIM, layer->qk_dim);
    layer->v_dim = count_up_to(own, "head_dim", RW_MAX_HEAD_DIM, layer->v_dim);
    layer->n_heads = count_up_to(own, "num_attention_heads", RW_MAX_HEADS, layer->n_heads);
    layer->n_kv_heads = count_up_to(own, "num_key_value_heads", RW_MAX_HEADS, layer->n_kv_heads);
    layer->ffn_dim = count_up_to(own, "intermediate_size", RW_MAX_FFN, layer->ffn_dim);
}

static void outline_layer(const facts *f, const rw_json *type, uint32_t index, bool shares,
                          rw_layer *layer) {
    if (type)
        by_type(f, rw_json_string_or(type, ""), layer);
    else if (!by_place(f, index, layer))
        by_class(f, index, layer);
    widen_global(f, layer);
    take_own(f, index, layer);
    if (is_listed(f->crossing, index)) {
        layer->n_kv_heads = 0; /* the keys and values of an image, whatever the text's length */
        layer->rotary = false;
    }
    if (shares)
        layer->n_kv_heads = 0;
}

/* Where no list says it: Cohere 2 and others turn only the layers that slide, Llama 4 only those
   that see a chunk. */
static bool rotates_by_class(const facts *f, const rw_model_class *model, const rw_layer *layer) {
    bool plain = (model->plain_full && f->window) || (f->pattern == RW_PATTERN_CHUNKED && f->chunk);
    return !plain || layer->kind != RW_LAYER_FULL;
}

void rw_arch_outline_layers(const rw_json *config, const rw_model_class *model, rw_arch *out) {
    facts f = read_facts(config, model, out);
    const rw_json *type = f.types ? f.types->first : NULL;
    const rw_json *rotates = f.unrotated ? f.unrotated->first : NULL;
    for (uint32_t i = 0; i < out->n_layers; i++) {
        rw_layer *layer = &out->layers[i];
        outline_layer(&f, type, i, f.shared < out->n_layers && i >= out->n_layers - f.shared,
                      layer);
        if (rotates) /* 0 in no_rope_layers: a layer without rotation */
            layer->rotary = rw_json_u64_or(rotates, 1) != 0;
        else if (!rotates_by_class(&f, model, layer))
            layer->rotary = false;
        type = type ? type->next : NULL;
        rotates = rotates ? rotates->next : NULL;
    }
}
