/*
 * memory.c - see memory.h.
 */
#include <string.h>

#include "arch/memory.h"

enum { ELEMENT_BYTES = 4 /* float32 and int32 */ };

/* ---- types of the cache ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t elements, bytes; /* of a block */
} cache_types[RW_CACHE_TYPES] = {
    [RW_CACHE_F32] = {"f32", 1, 4},
    [RW_CACHE_F16] = {"f16", 1, 2},
    [RW_CACHE_BF16] = {"bf16", 1, 2},
    [RW_CACHE_Q8_0] = {"q8_0", 32, 34},
};

const char *rw_cache_type_name(rw_cache_type type) {
    return cache_types[type].name;
}

rw_status rw_cache_type_read(const char *name, rw_cache_type *out, rw_error *err) {
    if (!name)
        return RW_OK;
    for (int i = 0; i < RW_CACHE_TYPES; i++)
        if (strcmp(name, cache_types[i].name) == 0) {
            *out = (rw_cache_type)i;
            return RW_OK;
        }
    return rw_fail(err, RW_ERR_USAGE, "arch.kv_type", "--kv-type",
                   "keys and values are not kept as \"%s\": name f32, f16, bf16 or q8_0", name);
}

rw_status rw_cache_type_check(const rw_arch *arch, rw_cache_type type, rw_error *err) {
    uint32_t block = cache_types[type].elements;
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        uint32_t odd = l->qk_dim % block ? l->qk_dim : l->v_dim;
        if (odd % block != 0)
            return rw_fail(err, RW_ERR_USAGE, "arch.kv_type", "--kv-type",
                           "%s packs %u numbers a block, and the heads of layer %u have %u "
                           "dimensions: keep keys and values as f16",
                           cache_types[type].name, block, i, odd);
    }
    return RW_OK;
}

/* ---- saturating ------------------------------------------------------------------------------ */

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

uint64_t rw_cache_bytes(rw_cache_type type, uint64_t elements) {
    if (elements == UINT64_MAX)
        return UINT64_MAX;
    return mul(elements / cache_types[type].elements, cache_types[type].bytes);
}

/* ---- scratch --------------------------------------------------------------------------------- */

/* Widest of each dimension over the layers: scratch serves them all. */
typedef struct widths {
    uint64_t heads, group, q, k, v, o, qk_dim, v_dim, ffn;
} widths;

static widths widest(const rw_arch *arch) {
    widths w = {0};
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        w.heads = larger(w.heads, l->n_heads);
        if (l->n_kv_heads != 0)
            w.group = larger(w.group, l->n_heads / l->n_kv_heads);
        w.q = larger(w.q, (uint64_t)l->n_heads * l->qk_dim);
        w.k = larger(w.k, (uint64_t)l->n_kv_heads * l->qk_dim);
        w.v = larger(w.v, (uint64_t)l->n_kv_heads * l->v_dim);
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

/* One thread's scratch for products with weights: a packed tile, 16 rows on their way there, scales
   of int8 steps, 512 rows of sums and of 64 logits (backend/cpu/weights.h). */
enum { PRODUCT_WORKSPACE = 32 * 320 + 16 * 336 + 40 * 32 * 3 / 2 + 512 * (32 + 64) };

/* What the threads share. The rows that enter a product as int8, with a scale for 32 and an offset
   for 16 (backend/cpu/quantize.c): used with int8 arithmetic only; gate and up have theirs at the
   same time, queries and keys too. What the loss knows of each
   token and slice of the vocabulary (backend/cpu/loss.c). */
static uint64_t shared_workspace(const rw_arch *arch, const widths *w, uint64_t chunk) {
    uint64_t even = ((arch->vocab + 31) / 32 + 63) / 64 * 64, slice = larger(even, 1024);
    uint64_t parts = (arch->vocab + slice - 1) / slice * 6;
    uint64_t widest_input = larger(2 * (uint64_t)arch->hidden, larger(w->o, w->ffn));
    uint64_t loss = mul(parts + (arch->hidden * 11 + 31) / 32, chunk);
    return add(larger(loss, mul((widest_input * 11 + 31) / 32, chunk)), 32);
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
    uint64_t shared = larger(shared_workspace(arch, w, chunk), decode_workspace(arch));
    return add(mul(thread, threads), shared);
}

static uint64_t chunk_of(const rw_memory_options *options) {
    uint64_t chunk = options->chunk ? options->chunk : RW_DEFAULT_CHUNK;
    return chunk < options->context ? chunk : options->context;
}

uint64_t rw_arch_scratch_elements(const rw_arch *arch, rw_scratch scratch,
                                  const rw_memory_options *options) {
    widths w = widest(arch);
    uint64_t pairs = 2 * ((w.qk_dim + 1) / 2); /* for both kinds of layers */
    const uint64_t per_token[RW_SCRATCH_COUNT] = {
        [RW_SCRATCH_TOKENS] = 5,
        [RW_SCRATCH_STREAM] = arch->hidden,
        [RW_SCRATCH_NORMED] = arch->hidden,
        [RW_SCRATCH_Q] = w.q,
        [RW_SCRATCH_K] = w.k,
        [RW_SCRATCH_V] = w.v,
        [RW_SCRATCH_ATTENTION] = w.o,
        [RW_SCRATCH_LSE] = w.heads,
        [RW_SCRATCH_GATE] = w.ffn,
        [RW_SCRATCH_UP] = w.ffn,
        [RW_SCRATCH_COS] = pairs,
        [RW_SCRATCH_SIN] = pairs,
    };
    switch (scratch) {
    case RW_SCRATCH_WORKSPACE:
        return workspace(arch, &w, chunk_of(options), options->threads ? options->threads : 1);
    case RW_SCRATCH_KEY_COS:
    case RW_SCRATCH_KEY_SIN:
        return options->raw_keys ? mul(pairs, options->context) : 0;
    case RW_SCRATCH_LOGITS:
        return arch->vocab;
    case RW_SCRATCH_HISTORY:
        return options->history ? options->context : 0;
    default:
        return mul(per_token[scratch], chunk_of(options));
    }
}

static uint64_t activations(const rw_arch *arch, const rw_memory_options *options) {
    uint64_t sum = 0;
    for (int i = 0; i < RW_SCRATCH_COUNT; i++) {
        uint64_t count = rw_arch_scratch_elements(arch, (rw_scratch)i, options);
        sum = add(sum, mul(count, ELEMENT_BYTES));
    }
    return sum;
}

/* ---- cache ----------------------------------------------------------------------------------- */

uint64_t rw_arch_cache_rows(const rw_arch *arch, uint32_t layer, uint64_t context, uint64_t chunk) {
    const rw_layer *l = &arch->layers[layer];
    if (l->kind == RW_LAYER_OTHER)
        return 0;
    uint64_t windowed = add(l->window, chunk);
    bool sliding = l->kind == RW_LAYER_SLIDING && l->window != 0;
    return sliding && windowed < context ? windowed : context;
}

static uint64_t cache(const rw_arch *arch, const rw_memory_options *options) {
    uint64_t sum = 0, chunk = chunk_of(options);
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        uint64_t rows = rw_arch_cache_rows(arch, i, options->context, chunk);
        uint64_t row = rw_cache_bytes(options->cache, rw_arch_kv_elements(arch, i, 1));
        sum = add(sum, mul(rows, row));
    }
    return sum;
}

/* ---- weights --------------------------------------------------------------------------------- */

static void add_weight(const rw_arch *arch, const rw_weight_home *home, rw_weight weight,
                       uint32_t layer, rw_memory *out) {
    uint64_t shape[2], bytes;
    uint32_t dims = rw_arch_tensor_shape(arch, weight, layer, shape);
    if (dims == 0)
        return;
    if (dims == 2 && home->is_widened && !home->is_widened(home->user, weight, layer, &bytes)) {
        out->mapped = add(out->mapped, bytes);
        return;
    }
    uint64_t elements = dims == 2 ? mul(shape[0], shape[1]) : shape[0];
    out->weights = add(out->weights, mul(elements, ELEMENT_BYTES));
}

static void add_weights(const rw_arch *arch, const rw_weight_home *home, rw_memory *out) {
    for (int weight = 0; weight < RW_W_COUNT; weight++) {
        uint32_t layers = weight <= RW_W_OUTPUT ? 1 : arch->n_layers;
        for (uint32_t i = 0; i < layers; i++)
            add_weight(arch, home, (rw_weight)weight, i, out);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* What the program takes before it has read anything, and its tokenizer for each token. Measured,
   not derived: SmolLM2's 49152 tokens take 8.2 MiB read from a GGUF and 10.6 from tokenizer.json,
   the embedded model's 4096 take 0.8. tests/cli/memory.py holds it against real runs. */
enum { PROGRAM_BYTES = 1 << 20, BYTES_PER_TOKEN = 190 };

void rw_arch_memory(const rw_arch *arch, const rw_memory_options *options, rw_memory *out) {
    memset(out, 0, sizeof *out);
    add_weights(arch, &options->home, out);
    out->kv = cache(arch, options);
    out->activations = activations(arch, options);
    out->program = PROGRAM_BYTES + options->header + (uint64_t)BYTES_PER_TOKEN * arch->vocab;
    out->total = add(add(out->weights, out->kv), add(out->activations, out->program));
}

uint64_t rw_arch_largest_context(const rw_arch *arch, const rw_memory_options *options,
                                 uint64_t limit, uint64_t most) {
    uint64_t low = 0, high = most;
    rw_memory memory;
    while (low < high) {
        rw_memory_options middle = *options;
        middle.context = low + (high - low + 1) / 2;
        rw_arch_memory(arch, &middle, &memory);
        if (memory.total <= limit)
            low = middle.context;
        else
            high = middle.context - 1;
    }
    return low;
}
