/*
 * memory.c - see memory.h.
 */
#include <string.h>

#include "arch/memory.h"

enum { ELEMENT_BYTES = 4 /* float32 and int32 */ };

static uint64_t mul(uint64_t a, uint64_t b) {
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t add(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Widest of each dimension over the layers: scratch serves them all. */
typedef struct widths {
    uint64_t heads, group, q, o, qk_dim, v_dim, ffn;
} widths;

static widths widest(const rw_arch *arch) {
    widths w = {0};
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        w.heads = larger(w.heads, l->n_heads);
        if (l->n_kv_heads != 0)
            w.group = larger(w.group, l->n_heads / l->n_kv_heads);
        w.q = larger(w.q, (uint64_t)l->n_heads * l->qk_dim);
        w.o = larger(w.o, (uint64_t)l->n_heads * l->v_dim);
        w.qk_dim = larger(w.qk_dim, l->qk_dim);
        w.v_dim = larger(w.v_dim, l->v_dim);
        w.ffn = larger(w.ffn, l->ffn_dim);
    }
    return w;
}

/* One thread's scratch for attention: 192 query rows (or one group of heads, in panels of 48) with
   their results, and 96 keys with their values and scores (backend/cpu/attention.c). */
static uint64_t attention_workspace(const widths *w) {
    uint64_t rows = larger(192, (w->group + 47) / 48 * 48), v = (w->v_dim + 7) / 8 * 8;
    return rows * (w->qk_dim + v + 2) + 96 * (48 + v) + (96 + 8) * w->qk_dim;
}

/* One thread's scratch for products with weights: a packed tile, 16 widened rows on their way there
   and 512 rows of 64 logits (backend/cpu/weights.h). */
enum { PRODUCT_WORKSPACE = 32 * 320 + 16 * 336 + 512 * 64 };

/* What the threads share: what the loss knows of each token and slice of the vocabulary
   (backend/cpu/loss.c). */
static uint64_t shared_workspace(uint64_t vocab, uint64_t chunk) {
    uint64_t even = ((vocab + 31) / 32 + 63) / 64 * 64, slice = larger(even, 1024);
    return mul((vocab + slice - 1) / slice * 6, chunk);
}

/* The same for attention of few queries: 32 ranges of keys with the results of up to four rows of a
   KV head's group, or of two quads of them (backend/cpu/decode.c). */
static uint64_t decode_workspace(const rw_arch *arch) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        uint64_t group = l->n_kv_heads ? l->n_heads / l->n_kv_heads : 0;
        uint64_t quads = l->n_kv_heads * larger(2, (group + 3) / 4);
        most = larger(most, 32 * quads * (8 + 4 * (((uint64_t)l->v_dim + 63) / 64 * 64)));
    }
    return most;
}

/* The kernels' own demand is checked against it before they run. */
static uint64_t workspace(const rw_arch *arch, const widths *w, uint64_t chunk, unsigned threads) {
    uint64_t thread = larger(attention_workspace(w), PRODUCT_WORKSPACE);
    uint64_t shared = larger(shared_workspace(arch->vocab, chunk), decode_workspace(arch));
    return add(mul(thread, threads), shared);
}

uint64_t rw_arch_scratch_elements(const rw_arch *arch, rw_scratch scratch, uint64_t chunk,
                                  unsigned threads) {
    widths w = widest(arch);
    uint64_t per_token[RW_SCRATCH_COUNT] = {
        [RW_SCRATCH_TOKENS] = 5,
        [RW_SCRATCH_STREAM] = arch->hidden,
        [RW_SCRATCH_NORMED] = arch->hidden,
        [RW_SCRATCH_Q] = w.q,
        [RW_SCRATCH_ATTENTION] = w.o,
        [RW_SCRATCH_LSE] = w.heads,
        [RW_SCRATCH_GATE] = w.ffn,
        [RW_SCRATCH_UP] = w.ffn,
        [RW_SCRATCH_COS] = 2 * ((w.qk_dim + 1) / 2),
        [RW_SCRATCH_SIN] = 2 * ((w.qk_dim + 1) / 2),
    };
    if (scratch == RW_SCRATCH_WORKSPACE)
        return workspace(arch, &w, chunk, threads);
    return mul(per_token[scratch], chunk);
}

uint64_t rw_arch_cache_rows(const rw_arch *arch, uint32_t layer, uint64_t context, uint64_t chunk) {
    const rw_layer *l = &arch->layers[layer];
    if (l->kind == RW_LAYER_OTHER)
        return 0;
    uint64_t windowed = add(l->window, chunk);
    bool sliding = l->kind == RW_LAYER_SLIDING && l->window != 0;
    return sliding && windowed < context ? windowed : context;
}

/* Elements of a weight as the kernels keep it. */
static uint64_t prepared_elements(const rw_arch *arch, rw_weight weight, uint32_t layer) {
    uint64_t shape[2];
    uint32_t dims = rw_arch_tensor_shape(arch, weight, layer, shape);
    if (dims == 2)
        shape[0] = (shape[0] + RW_WEIGHT_PANEL - 1) / RW_WEIGHT_PANEL * RW_WEIGHT_PANEL;
    return dims ? mul(shape[0], shape[1]) : 0;
}

static uint64_t prepared_weights(const rw_arch *arch) {
    uint64_t sum = 0;
    for (int weight = 0; weight < RW_W_COUNT; weight++) {
        uint32_t layers = weight <= RW_W_OUTPUT ? 1 : arch->n_layers;
        for (uint32_t i = 0; i < layers; i++)
            sum = add(sum, prepared_elements(arch, (rw_weight)weight, i));
    }
    return sum;
}

void rw_arch_memory(const rw_arch *arch, uint64_t context, uint64_t chunk, unsigned threads,
                    rw_memory *out) {
    memset(out, 0, sizeof *out);
    if (chunk == 0)
        chunk = RW_DEFAULT_CHUNK;
    if (chunk > context)
        chunk = context;
    out->weights = mul(prepared_weights(arch), ELEMENT_BYTES);
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        uint64_t rows = rw_arch_cache_rows(arch, i, context, chunk);
        uint64_t row = rw_arch_kv_elements(arch, i, 1);
        out->kv = add(out->kv, mul(mul(rows, row), ELEMENT_BYTES));
    }
    for (int i = 0; i < RW_SCRATCH_COUNT; i++) {
        uint64_t count = rw_arch_scratch_elements(arch, (rw_scratch)i, chunk, threads);
        out->activations = add(out->activations, mul(count, ELEMENT_BYTES));
    }
}
