/*
 * linear.c - linear layers and embeddings, in tiles.
 */
#include "backend/cpu/tiled.h"
#include "backend/cpu/weights.h"

/* ---- linear ---------------------------------------------------------------------------------- */

/* With int8 arithmetic, first of all x as int8. */
static size_t prepare_tiles(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    bool int8 = rw_is_int8(o->linear, o->arithmetic);
    return int8 ? rw_tiles_of(o->x.shape[0], RW_INT8_ROWS) : 0;
}

static void prepare_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                        void *shared) {
    (void)scratch;
    rw_int8_prepare(isa->weights->int8, op->u.linear.linear, &op->u.linear.x, tile, shared);
}

static size_t linear_shared(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    return rw_is_int8(o->linear, o->arithmetic) ? rw_int8_bytes(o->linear, o->x.shape[0]) : 0;
}

/* One row of x: a tile is read in four streams, which processors follow best from a page each. */
static size_t outputs_of(const rw_op_linear *o) {
    enum { BYTES = 5 * 4096 };
    size_t row = rw_element_bytes(o->linear->element, o->linear->columns);
    if (o->x.shape[0] > 1 || row > BYTES / RW_TILE_OUTPUTS)
        return RW_TILE_OUTPUTS;
    return rw_round_up(BYTES / row, RW_TILE_OUTPUTS);
}

static size_t linear_tiles(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    return rw_tiles_of(o->x.shape[0], RW_TILE_ROWS) * rw_tiles_of(o->linear->rows, outputs_of(o));
}

static size_t linear_scratch(const rw_op *op) {
    (void)op;
    return RW_WEIGHTS_SCRATCH * sizeof(float);
}

static void add_bias(const rw_op_linear *o, const rw_weights_tile *t, float *out) {
    const float *bias = o->bias.buffer ? rw_f32(&o->bias, 0, 0) + t->first : NULL;
    if (t->c == out && !bias)
        return;
    for (size_t i = 0; i < t->rows; i++)
        for (size_t j = 0; j < t->count; j++)
            out[i * o->out.stride[0] + j] = t->c[i * t->ldc + j] + (bias ? bias[j] : 0.0f);
}

static void linear_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                       void *shared) {
    const rw_op_linear *o = &op->u.linear;
    size_t outputs = outputs_of(o), across = rw_tiles_of(o->linear->rows, outputs);
    size_t row = tile / across * RW_TILE_ROWS, first = tile % across * outputs;
    rw_weights_tile t = {.isa = isa->weights,
                         .linear = o->linear,
                         .x = rw_f32(&o->x, row, 0),
                         .stride = o->x.stride[0],
                         .rows = rw_min_size(RW_TILE_ROWS, o->x.shape[0] - row),
                         .first = first,
                         .count = rw_min_size(outputs, o->linear->rows - first),
                         .scratch = scratch};
    /* many rows: the product is made in whole vectors */
    bool whole = t.rows <= RW_FEW_ROWS || t.count % RW_CPU_LANES == 0;
    float *out = rw_f32(&o->out, row, 0) + first;
    t.c = whole ? out : t.scratch + RW_WEIGHTS_PARTIAL;
    t.ldc = whole ? o->out.stride[0] : RW_TILE_OUTPUTS;
    rw_int8_rows int8;
    if (rw_is_int8(o->linear, o->arithmetic)) {
        int8 = rw_int8_rows_at(o->linear, o->x.shape[0], row, shared);
        t.int8 = &int8;
    }
    rw_times_weights(&t);
    add_bias(o, &t, out);
}

const rw_cpu_kernel rw_cpu_tiled_linear = {
    .scratch = linear_scratch,
    .shared = linear_shared,
    .near = true,
    .rounds = {{prepare_tiles, prepare_run}, {linear_tiles, linear_run}}};

/* ---- embedding ------------------------------------------------------------------------------- */

enum { EMBED_ROWS = 16 };

static size_t embed_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.embed.out.shape[0], EMBED_ROWS);
}

static void embed_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_embed *e = &op->u.embed;
    size_t row = tile * EMBED_ROWS, end = rw_min_size(row + EMBED_ROWS, e->out.shape[0]);
    for (; row < end; row++) {
        float *out = rw_f32(&e->out, row, 0);
        const uint8_t *from = rw_weights_at(e->table, (size_t)*rw_i32(&e->ids, row), 0);
        isa->weights->widen(e->table->element, from, e->table->columns, out);
        for (size_t c = 0; c < e->table->columns; c++)
            out[c] *= e->scale;
    }
}

const rw_cpu_kernel rw_cpu_tiled_embed = {.tiles = embed_tiles, .run = embed_run};
