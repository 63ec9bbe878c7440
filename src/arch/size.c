/*
 * size.c - how big it all is.
 */
#include <string.h>

#include "arch/internal.h"

void rw_arch_copy_name(char out[64], rw_str name) {
    size_t size = name.size < 63 ? name.size : 63;
    while (size < name.size && size > 0 && ((unsigned char)name.data[size] & 0xc0) == 0x80)
        size--; /* not in the middle of a character */
    if (size)
        memcpy(out, name.data, size);
    out[size] = '\0';
}

rw_status rw_arch_make_layers(rw_arch *arch, rw_arena *arena, rw_error *err) {
    if (arch->n_layers == 0)
        return RW_OK;
    size_t bytes = arch->n_layers * sizeof *arch->layers;
    arch->layers = rw_arena_alloc(arena, bytes);
    return arch->layers ? RW_OK : rw_fail_memory(err, "layers", bytes);
}

static uint64_t count_elements(const rw_arch *arch) {
    uint64_t sum = 0, shape[2];
    for (int weight = 0; weight < RW_W_COUNT; weight++) {
        uint32_t layers = weight <= RW_W_OUTPUT ? 1 : arch->n_layers;
        for (uint32_t i = 0; i < layers; i++)
            if (rw_arch_tensor_shape(arch, (rw_weight)weight, i, shape) != 0)
                sum += shape[0] * shape[1];
    }
    return sum;
}

rw_status rw_arch_finish(rw_arch *arch, rw_error *err) {
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *layer = &arch->layers[i];
        if (layer->n_heads % layer->n_kv_heads != 0)
            return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", "num_key_value_heads",
                           "%u key/value heads do not divide the %u heads of layer %u",
                           layer->n_kv_heads, layer->n_heads, i);
    }
    arch->parameters = count_elements(arch);
    return RW_OK;
}

uint64_t rw_arch_kv_elements(const rw_arch *arch, uint32_t layer, uint64_t context) {
    const rw_layer *l = &arch->layers[layer];
    if (l->kind == RW_LAYER_OTHER)
        return 0;
    if (l->kind == RW_LAYER_SLIDING && l->window && l->window < context)
        context = l->window;
    if (l->kv_latent)
        return context * l->kv_latent;
    return context * l->n_kv_heads * ((uint64_t)l->qk_dim + l->v_dim);
}

uint64_t rw_arch_kv_elements_all(const rw_arch *arch, uint64_t context) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < arch->n_layers; i++)
        sum += rw_arch_kv_elements(arch, i, context);
    return sum;
}

/* Pairs of a query and a key that it sees, n positions, `window` 0: all before it. */
static double attended_pairs(double n, double window) {
    if (window == 0.0 || window >= n)
        return n * (n + 1.0) / 2.0;
    return window * (window + 1.0) / 2.0 + (n - window) * window;
}

double rw_arch_forward_flops(const rw_arch *arch, uint64_t n) {
    double sum = 0.0;
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        double heads = l->n_heads, kv = l->n_kv_heads, hidden = arch->hidden;
        double weights = hidden * (heads * l->qk_dim + kv * l->qk_dim + kv * l->v_dim) +
                         hidden * heads * l->v_dim + 3.0 * hidden * l->ffn_dim;
        double window = l->kind == RW_LAYER_SLIDING ? l->window : 0.0;
        sum += 2.0 * weights * (double)n;
        sum += 2.0 * heads * (l->qk_dim + (double)l->v_dim) * attended_pairs((double)n, window);
    }
    return sum;
}
