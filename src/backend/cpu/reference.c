/*
 * reference.c - portable kernels, written to be read. They are compiled into every build and every
 * faster kernel is checked against them. Sums that could lose digits are kept in double.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/number.h"
#include "backend/cpu/unpack.h"

enum { ROW_TILE = 16 };

static size_t range_of(const rw_view *view, size_t tile, size_t *first) {
    *first = tile * ROW_TILE;
    return rw_min_size(*first + ROW_TILE, view->shape[0]);
}

/* ---- embedding ------------------------------------------------------------------------------- */

static size_t embed_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.embed.out.shape[0], ROW_TILE);
}

static const uint8_t *weights_row(const rw_linear *linear, size_t row) {
    return (const uint8_t *)linear->weights.handle +
           row * rw_element_bytes(linear->element, linear->columns);
}

static void embed_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_embed *e = &op->u.embed;
    size_t row, end = range_of(&e->out, tile, &row);
    for (; row < end; row++) {
        float *out = rw_f32(&e->out, row, 0);
        rw_widen(e->table->element, weights_row(e->table, (size_t)*rw_i32(&e->ids, row)),
                 e->table->columns, out);
        for (size_t c = 0; c < e->table->columns; c++)
            out[c] *= e->scale;
    }
}

static const rw_cpu_kernel ref_embed = {.tiles = embed_tiles, .run = embed_run};

/* ---- norm ------------------------------------------------------------------------------------ */

static size_t rms_norm_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.rms_norm.x.shape[0], ROW_TILE);
}

static void rms_norm_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_rms_norm *o = &op->u.rms_norm;
    const float *weight = rw_f32(&o->weight, 0, 0);
    size_t width = o->x.shape[2], row, end = range_of(&o->x, tile, &row);
    for (; row < end; row++) {
        const float *x = rw_f32(&o->x, row, 0);
        float *out = rw_f32(&o->out, row, 0);
        double sum = 0.0;
        for (size_t i = 0; i < width; i++)
            sum += (double)x[i] * x[i];
        float scale = (float)(1.0 / sqrt(sum / (double)width + o->eps));
        for (size_t i = 0; i < width; i++)
            out[i] = x[i] * scale * weight[i];
    }
}

static const rw_cpu_kernel ref_rms_norm = {.tiles = rms_norm_tiles, .run = rms_norm_run};

/* ---- linear ---------------------------------------------------------------------------------- */

enum { LANES = 8 };

/* Eight sums side by side: the compiler may vectorise them without reordering anything. */
static float dot(const float *a, const float *b, size_t n) {
    float sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            sum[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum[i % LANES] += a[i] * b[i];
    double total = 0.0;
    for (size_t l = 0; l < LANES; l++)
        total += sum[l];
    return (float)total;
}

enum { PIECE = 256 }; /* whole blocks of every type */

/* Row `row` of weights times rows of x; weights are widened piece by piece, each for all of them.
 */
static void products(const rw_linear *linear, size_t row, const float *x, size_t stride,
                     size_t rows, double *total /* [rows] */) {
    const uint8_t *weights = weights_row(linear, row);
    rw_block block = rw_element_block(linear->element);
    for (size_t i = 0; i < rows; i++)
        total[i] = 0.0;
    for (size_t k = 0; k < linear->columns; k += PIECE) {
        float wide[PIECE];
        size_t count = rw_min_size(PIECE, linear->columns - k);
        rw_widen(linear->element, weights + k / block.elements * block.bytes, count, wide);
        for (size_t i = 0; i < rows; i++)
            total[i] += dot(x + i * stride + k, wide, count);
    }
}

/* The same with x rounded to int8, run by run: integers within what has one scale. */
static float int8_product(const rw_linear *linear, size_t row, const float *x) {
    const uint8_t *weights = weights_row(linear, row);
    const rw_run_type *type = &rw_run_types[linear->element];
    rw_block block = rw_element_block(linear->element);
    double total = 0.0;
    for (size_t k = 0; k < linear->columns; k += RW_RUN) {
        rw_run run;
        int8_t q[RW_RUN];
        float scale;
        int32_t product[2] = {0}, sum = 0;
        type->unpack(weights + k / block.elements * block.bytes, k % block.elements / RW_RUN, &run);
        rw_quantize_run(x + k, q, &scale);
        for (int i = 0; i < RW_RUN; i++) {
            product[i / 16] += (run.codes[i] - type->zero) * q[i];
            sum += q[i];
        }
        total += (double)scale * ((double)run.scale[0] * product[0] +
                                  (double)run.scale[1] * product[1] - (double)run.minimum * sum);
    }
    return (float)total;
}

/* By one or the other; at most ROW_TILE rows. */
static void any_products(const rw_linear *linear, size_t row, const float *x, size_t stride,
                         size_t rows, rw_arithmetic arithmetic, double *total) {
    bool int8 = arithmetic == RW_ARITHMETIC_INT8 && rw_run_types[linear->element].unpack;
    if (!int8)
        products(linear, row, x, stride, rows, total);
    for (size_t i = 0; int8 && i < rows; i++)
        total[i] = int8_product(linear, row, x + i * stride);
}

enum { COLUMN_TILE = 64 };

static size_t linear_tiles(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    return rw_tiles_of(o->x.shape[0], ROW_TILE) * rw_tiles_of(o->linear->rows, COLUMN_TILE);
}

static void linear_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_linear *o = &op->u.linear;
    size_t across = rw_tiles_of(o->linear->rows, COLUMN_TILE);
    size_t row, end = range_of(&o->x, tile / across, &row);
    size_t first = tile % across * COLUMN_TILE;
    size_t last = rw_min_size(first + COLUMN_TILE, o->linear->rows);
    const float *bias = o->bias.buffer ? rw_f32(&o->bias, 0, 0) : NULL;
    double total[ROW_TILE] = {0};
    for (size_t j = first; j < last; j++) {
        any_products(o->linear, j, rw_f32(&o->x, row, 0), o->x.stride[0], end - row, o->arithmetic,
                     total);
        for (size_t i = row; i < end; i++)
            rw_f32(&o->out, i, 0)[j] = (float)total[i - row] + (bias ? bias[j] : 0.0f);
    }
}

static const rw_cpu_kernel ref_linear = {.tiles = linear_tiles, .run = linear_run};

/* ---- rotation -------------------------------------------------------------------------------- */

static size_t rotate_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.rotate.x.shape[0], ROW_TILE);
}

static void rotate_head(float *x, const float *cosine, const float *sine, size_t pairs,
                        bool interleaved) {
    size_t step = interleaved ? 2 : 1, apart = interleaved ? 1 : pairs;
    for (size_t k = 0; k < pairs; k++) {
        float *first = x + k * step, *second = first + apart;
        float a = *first, b = *second;
        *first = a * cosine[k] - b * sine[k];
        *second = b * cosine[k] + a * sine[k];
    }
}

static void rotate_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_rotate *o = &op->u.rotate;
    size_t row, end = range_of(&o->x, tile, &row);
    for (; row < end; row++)
        for (size_t head = 0; head < o->x.shape[1]; head++)
            rotate_head(rw_f32(&o->x, row, head), rw_f32(&o->cos, row, 0), rw_f32(&o->sin, row, 0),
                        o->cos.shape[2], o->interleaved);
}

static const rw_cpu_kernel ref_rotate = {.tiles = rotate_tiles, .run = rotate_run};

/* ---- store ----------------------------------------------------------------------------------- */

static size_t store_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.store.x.shape[0], ROW_TILE);
}

static void store_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_store *o = &op->u.store;
    size_t row, end = range_of(&o->x, tile, &row);
    for (; row < end; row++)
        for (size_t head = 0; head < o->x.shape[1]; head++)
            rw_to_cache(o->out.element, rw_f32(&o->x, row, head), rw_row_of(&o->out, row, head),
                        o->x.shape[2]);
}

static const rw_cpu_kernel ref_store = {.tiles = store_tiles, .run = store_run};

/* ---- attention ------------------------------------------------------------------------------- */

static size_t attention_tiles(const rw_op *op) {
    return op->u.attention.q.shape[0] * op->u.attention.q.shape[1];
}

/* Sums of values, then a key and a value as float32. */
static size_t attention_scratch(const rw_op *op) {
    size_t qk = op->u.attention.q.shape[2], v = op->u.attention.v.shape[2];
    return v * sizeof(double) + (qk + v) * sizeof(float);
}

static double capped(double x, double cap) {
    return cap > 0.0 ? cap * tanh(x / cap) : x;
}

static void load_key(const rw_op_attention *a, size_t row, size_t head, float *key) {
    rw_from_cache(a->k.element, rw_row_of(&a->k, row, head), key, a->k.shape[2]);
    if (a->k_cos.buffer)
        rotate_head(key, rw_f32(&a->k_cos, row, 0), rw_f32(&a->k_sin, row, 0), a->k_cos.shape[2],
                    a->interleaved);
}

/* One query head: online softmax, key by key (Milakov and Gimelshein, arXiv:1805.02867). Linear in
   memory, so it runs at any length; slow, since every key is looked at alone. */
static double attend(const rw_op_attention *a, size_t i, size_t h, double *sum /* [v_dim] */) {
    size_t group = a->q.shape[1] / a->k.shape[1], dims = a->v.shape[2], begin, end;
    const float *q = rw_f32(&a->q, i, h);
    float *v = (float *)(void *)(sum + dims), *k = v + dims;
    double max = -INFINITY, total = 0.0;
    memset(sum, 0, dims * sizeof *sum);
    rw_seen_keys(a, i, &begin, &end);
    for (size_t j = begin; j < end; j++) {
        load_key(a, j, h / group, k);
        rw_from_cache(a->v.element, rw_row_of(&a->v, j, h / group), v, dims);
        double score = capped((double)dot(q, k, a->q.shape[2]) * a->scale, a->softcap);
        double weight = 1.0;
        if (score > max) {
            double shrink = exp(max - score);
            for (size_t d = 0; d < dims; d++)
                sum[d] *= shrink;
            total *= shrink;
            max = score;
        } else {
            weight = exp(score - max);
        }
        total += weight;
        for (size_t d = 0; d < dims; d++)
            sum[d] += weight * v[d];
    }
    for (size_t d = 0; d < dims; d++)
        sum[d] = total > 0.0 ? sum[d] / total : 0.0;
    return total > 0.0 ? max + log(total) : -INFINITY;
}

static void attention_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    const rw_op_attention *a = &op->u.attention;
    size_t row = tile / a->q.shape[1], head = tile % a->q.shape[1];
    double *sum = scratch;
    double lse = attend(a, row, head, sum);
    float *out = rw_f32(&a->out, row, head);
    for (size_t d = 0; d < a->v.shape[2]; d++)
        out[d] = (float)sum[d];
    if (a->lse.buffer)
        rw_f32(&a->lse, row, 0)[head] = (float)lse;
}

static const rw_cpu_kernel ref_attention = {
    .tiles = attention_tiles, .scratch = attention_scratch, .run = attention_run};

/* ---- feed-forward, residual ------------------------------------------------------------------ */

static double activate(rw_gate_kind kind, double x) {
    static const double twice_root = 1.5957691216057307; /* 2 sqrt(2 / pi) */
    double u = kind == RW_GATE_GELU_TANH ? twice_root * (x + 0.044715 * x * x * x) : x;
    return x / (1.0 + exp(-u));
}

static size_t gate_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.gate.out.shape[0], ROW_TILE);
}

static void gate_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_gate *o = &op->u.gate;
    size_t row, end = range_of(&o->out, tile, &row);
    for (; row < end; row++) {
        const float *gate = rw_f32(&o->gate, row, 0), *up = rw_f32(&o->up, row, 0);
        float *out = rw_f32(&o->out, row, 0);
        for (size_t i = 0; i < o->out.shape[2]; i++)
            out[i] = (float)activate(o->kind, gate[i]) * up[i];
    }
}

static const rw_cpu_kernel ref_gate = {.tiles = gate_tiles, .run = gate_run};

static size_t add_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.add.x.shape[0], ROW_TILE);
}

static void add_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_add *o = &op->u.add;
    size_t row, end = range_of(&o->x, tile, &row);
    for (; row < end; row++) {
        float *x = rw_f32(&o->x, row, 0);
        const float *y = rw_f32(&o->y, row, 0);
        for (size_t i = 0; i < o->x.shape[2]; i++)
            x[i] += y[i];
    }
}

static const rw_cpu_kernel ref_add = {.tiles = add_tiles, .run = add_run};

/* ---- loss ------------------------------------------------------------------------------------ */

static size_t loss_tiles(const rw_op *op) {
    return op->u.loss.x.shape[0];
}

static void loss_run(const rw_cpu_isa *isa, const rw_op *op, size_t row, void *scratch) {
    (void)isa;
    (void)scratch;
    const rw_op_loss *o = &op->u.loss;
    const float *x = rw_f32(&o->x, row, 0);
    int32_t target = o->target.buffer ? *rw_i32(&o->target, row) : -1, best = 0;
    double max = -INFINITY, total = 0.0, wanted = NAN;
    for (size_t token = 0; token < o->linear->rows; token++) {
        double logit;
        any_products(o->linear, token, x, 0, 1, o->arithmetic, &logit);
        logit = capped((float)logit, o->softcap);
        if (logit > max) {
            total = total * exp(max - logit) + 1.0;
            max = logit;
            best = (int32_t)token;
        } else {
            total += exp(logit - max);
        }
        if ((int32_t)token == target)
            wanted = logit;
    }
    if (o->nll.buffer)
        *rw_f64(&o->nll, row) = max + log(total) - wanted;
    if (o->argmax.buffer)
        *rw_i32(&o->argmax, row) = best;
}

static const rw_cpu_kernel ref_loss = {.tiles = loss_tiles, .run = loss_run};

void rw_cpu_reference(rw_cpu_kernels *kernels) {
    *kernels = (rw_cpu_kernels){.of = {[RW_OP_EMBED] = ref_embed,
                                       [RW_OP_RMS_NORM] = ref_rms_norm,
                                       [RW_OP_LINEAR] = ref_linear,
                                       [RW_OP_ROTATE] = ref_rotate,
                                       [RW_OP_STORE] = ref_store,
                                       [RW_OP_ATTENTION] = ref_attention,
                                       [RW_OP_GATE] = ref_gate,
                                       [RW_OP_ADD] = ref_add,
                                       [RW_OP_LOSS] = ref_loss}};
}
