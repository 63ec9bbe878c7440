/*
 * windows.c - which layers slide, how far, and which have no RoPE, from a config.json.
 *
 * The rules are those of transformers' configuration classes (5.23): a list of layer types is
 * taken as it stands; without one the family's rule makes it.
 */
#include "arch/internal.h"

static rw_status bad_list(const char *key, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", key,
                   "\"%s\" must be a list with an entry for every layer", key);
}

/* The list under `key`, as long as the model has layers; NULL: there is none. */
static rw_status find_list(const rw_json *config, const char *key, const rw_arch *arch,
                           const rw_json **out, rw_error *err) {
    const rw_json *node = rw_json_get(config, key);
    *out = NULL;
    if (rw_json_is_null(node))
        return RW_OK;
    if (node->type != RW_JSON_ARRAY || node->count < arch->n_layers)
        return bad_list(key, err);
    *out = node->first;
    return RW_OK;
}

static uint64_t count_or(const rw_json *config, const char *key, uint64_t otherwise) {
    const rw_json *node = rw_json_get(config, key);
    return rw_json_is_null(node) ? otherwise : rw_json_u64_or(node, 0);
}

/* SmolLM3: 1 stands for a layer with RoPE. */
static rw_status read_rotary(const rw_json *config, rw_arch *arch, rw_error *err) {
    const rw_json *list;
    if (arch->family->nope_period == 0)
        return RW_OK;
    RW_TRY(find_list(config, "no_rope_layers", arch, &list, err));
    uint64_t period = count_or(config, "no_rope_layer_interval", arch->family->nope_period);
    if (period == 0)
        return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", "no_rope_layer_interval",
                       "\"no_rope_layer_interval\" must be a whole number above 0");
    for (uint32_t i = 0; i < arch->n_layers; i++, list = list ? list->next : NULL) {
        if (list && list->type != RW_JSON_NUMBER)
            return bad_list("no_rope_layers", err);
        arch->layers[i].rotary = list ? list->number != 0.0 : (i + 1) % period != 0;
    }
    return RW_OK;
}

/* The window of sliding layers, *out 0: none. */
static rw_status read_window(const rw_json *config, const rw_arch *arch, uint32_t *out,
                             rw_error *err) {
    const rw_json *node = rw_json_get(config, "sliding_window");
    rw_windowing rule = arch->family->windowing;
    bool switched = rule == RW_WINDOWS_UPPER || rule == RW_WINDOWS_NOPE;
    *out = 0;
    if (rule == RW_WINDOWS_NONE ||
        (switched && !rw_json_bool_or(rw_json_get(config, "use_sliding_window"), false)))
        return RW_OK;
    if (!node)
        *out = arch->family->defaults.window;
    if (rw_json_is_null(node))
        return RW_OK;
    uint64_t window = rw_json_u64_or(node, 0);
    if (window == 0 || window > UINT32_MAX)
        return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", "sliding_window",
                       "\"sliding_window\" must be a whole number, positive and not absurd");
    *out = (uint32_t)window;
    return RW_OK;
}

static bool slides_by_rule(const rw_json *config, const rw_arch *arch, uint32_t layer) {
    switch (arch->family->windowing) {
    case RW_WINDOWS_ALL:
        return true;
    case RW_WINDOWS_UPPER:
        return layer >= count_or(config, "max_window_layers", 28);
    case RW_WINDOWS_NOPE:
        return !arch->layers[layer].rotary;
    case RW_WINDOWS_PERIODIC: {
        uint64_t period = count_or(config, "sliding_window_pattern", arch->family->window_period);
        return period == 0 || (layer + 1) % period != 0;
    }
    default:
        return false;
    }
}

static rw_layer_kind kind_of(const rw_json *type) {
    rw_str name = rw_json_string_or(type, "");
    if (rw_str_is(name, "full_attention"))
        return RW_LAYER_FULL;
    return rw_str_is(name, "sliding_attention") ? RW_LAYER_SLIDING : RW_LAYER_OTHER;
}

rw_status rw_arch_read_windows(const rw_json *config, rw_arch *arch, rw_error *err) {
    const rw_json *types = NULL;
    uint32_t window;
    rw_windowing rule = arch->family->windowing;
    /* EmbeddingGemma: not a language model any more */
    bool both_ways = rw_json_bool_or(rw_json_get(config, "use_bidirectional_attention"), false);
    RW_TRY(read_rotary(config, arch, err));
    RW_TRY(read_window(config, arch, &window, err));
    if (rule != RW_WINDOWS_NONE && rule != RW_WINDOWS_ALL)
        RW_TRY(find_list(config, "layer_types", arch, &types, err));
    for (uint32_t i = 0; i < arch->n_layers; i++, types = types ? types->next : NULL) {
        rw_layer *layer = &arch->layers[i];
        bool slides = slides_by_rule(config, arch, i);
        layer->kind = both_ways ? RW_LAYER_OTHER
                      : types   ? kind_of(types)
                      : slides  ? RW_LAYER_SLIDING
                                : RW_LAYER_FULL;
        if (layer->kind == RW_LAYER_SLIDING && window == 0)
            layer->kind = RW_LAYER_FULL;
        if (layer->kind == RW_LAYER_SLIDING)
            layer->window = window;
    }
    return RW_OK;
}
