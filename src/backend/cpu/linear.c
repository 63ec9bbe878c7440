/*
 * linear.c - products with weights; weights.h says how they are cut.
 */
#include <string.h>

#include "backend/cpu/tiled.h"
#include "backend/cpu/weights.h"

/* ---- a tile ---------------------------------------------------------------------------------- */

static const uint8_t *weights_at(const rw_linear *linear, size_t row, size_t column) {
    return (const uint8_t *)linear->weights.handle +
           row * rw_element_bytes(linear->element, linear->columns) +
           rw_element_bytes(linear->element, column);
}

/* Outputs [first, first + 16) and columns [k, k + depth) of W as columns of a panel; zeros for
   outputs that are not there. */
static void pack_columns(const rw_weights_tile *t, size_t first, size_t k, size_t depth,
                         float *stage, float *to) {
    size_t there = rw_min_size(RW_STAGE_ROWS, t->first + t->count - first);
    for (size_t i = 0; i < there; i++)
        t->isa->widen[t->linear->element](weights_at(t->linear, first + i, k), depth,
                                          stage + i * RW_STAGE_STRIDE);
    for (size_t i = there; i < RW_STAGE_ROWS; i++)
        memset(stage + i * RW_STAGE_STRIDE, 0, depth * sizeof *stage);
    t->isa->turn(stage, depth, to, t->isa->panel);
}

/* Panels of [depth][panel], one behind the other. */
static void pack(const rw_weights_tile *t, size_t k, size_t depth, float *panels) {
    float *stage = panels + RW_TILE_DEPTH * RW_TILE_OUTPUTS;
    size_t panel = t->isa->panel;
    for (size_t j = 0; j < t->count; j += RW_STAGE_ROWS)
        pack_columns(t, t->first + j, k, depth, stage,
                     panels + j / panel * RW_TILE_DEPTH * panel + j % panel);
}

/* Columns packed at a time: even parts of whole blocks. */
static size_t depth_of(const rw_linear *linear) {
    size_t block = rw_element_block(linear->element).elements;
    size_t unit = block < RW_CPU_LANES ? RW_CPU_LANES : block;
    size_t parts = rw_tiles_of(linear->columns, RW_TILE_DEPTH / unit * unit);
    return rw_round_up(rw_tiles_of(linear->columns, parts), unit);
}

static void many_rows(const rw_weights_tile *t) {
    size_t columns = t->linear->columns, panel = t->isa->panel, step = depth_of(t->linear);
    for (size_t k = 0; k < columns; k += step) {
        size_t depth = rw_min_size(step, columns - k);
        pack(t, k, depth, t->scratch);
        for (size_t j = 0; j < t->count; j += panel)
            t->isa->multiply(&(rw_product){.rows = t->rows,
                                           .columns = rw_min_size(panel, t->count - j),
                                           .k = depth,
                                           .a = t->x + k,
                                           .lda = t->stride,
                                           .b = t->scratch + j * RW_TILE_DEPTH,
                                           .c = t->c + j,
                                           .ldc = t->ldc,
                                           .accumulate = k != 0});
    }
}

static void one_row(const rw_weights_tile *t) {
    for (size_t j = 0; j < t->count; j++)
        t->c[j] = t->isa->dot[t->linear->element](weights_at(t->linear, t->first + j, 0),
                                                  t->linear->columns, t->x);
}

/* W's rows are widened piece by piece, each for all rows of x. */
static void few_rows(const rw_weights_tile *t) {
    size_t columns = t->linear->columns;
    for (size_t j = 0; j < t->count; j++)
        for (size_t k = 0; k < columns; k += RW_FEW_DEPTH) {
            size_t depth = rw_min_size(RW_FEW_DEPTH, columns - k);
            t->isa->widen[t->linear->element](weights_at(t->linear, t->first + j, k), depth,
                                              t->scratch);
            for (size_t row = 0; row < t->rows; row++) {
                float sum =
                    t->isa->dot[RW_ELEMENT_F32](t->scratch, depth, t->x + row * t->stride + k);
                float *c = t->c + row * t->ldc + j;
                *c = k == 0 ? sum : *c + sum;
            }
        }
}

void rw_times_weights(const rw_weights_tile *tile) {
    if (tile->rows == 1)
        one_row(tile);
    else if (tile->rows <= RW_FEW_ROWS)
        few_rows(tile);
    else
        many_rows(tile);
}

/* ---- the operation --------------------------------------------------------------------------- */

static size_t linear_tiles(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    return rw_tiles_of(o->x.shape[0], RW_TILE_ROWS) * rw_tiles_of(o->linear->rows, RW_TILE_OUTPUTS);
}

static size_t linear_scratch(const rw_op *op) {
    (void)op;
    return (RW_WEIGHTS_SCRATCH + RW_TILE_ROWS * RW_TILE_OUTPUTS) * sizeof(float);
}

static void linear_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    const rw_op_linear *o = &op->u.linear;
    size_t across = rw_tiles_of(o->linear->rows, RW_TILE_OUTPUTS);
    size_t row = tile / across * RW_TILE_ROWS, first = tile % across * RW_TILE_OUTPUTS;
    size_t rows = rw_min_size(RW_TILE_ROWS, o->x.shape[0] - row);
    size_t count = rw_min_size(RW_TILE_OUTPUTS, o->linear->rows - first);
    bool whole = count % RW_CPU_LANES == 0; /* else the product is wider than the output */
    float *out = rw_f32(&o->out, row, 0) + first;
    rw_weights_tile t = {.isa = isa->weights,
                         .linear = o->linear,
                         .x = rw_f32(&o->x, row, 0),
                         .stride = o->x.stride[0],
                         .rows = rows,
                         .first = first,
                         .count = count,
                         .c = whole ? out : (float *)scratch + RW_WEIGHTS_SCRATCH,
                         .ldc = whole ? o->out.stride[0] : RW_TILE_OUTPUTS,
                         .scratch = scratch};
    rw_times_weights(&t);
    const float *bias = o->bias.buffer ? rw_f32(&o->bias, 0, 0) + first : NULL;
    if (whole && !bias)
        return;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < count; j++)
            out[i * o->out.stride[0] + j] = t.c[i * t.ldc + j] + (bias ? bias[j] : 0.0f);
}

const rw_cpu_kernel rw_cpu_tiled_linear = {
    .tiles = linear_tiles, .scratch = linear_scratch, .run = linear_run};

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
        const uint8_t *from = weights_at(e->table, (size_t)*rw_i32(&e->ids, row), 0);
        isa->weights->widen[e->table->element](from, e->table->columns, out);
        for (size_t c = 0; c < e->table->columns; c++)
            out[c] *= e->scale;
    }
}

const rw_cpu_kernel rw_cpu_tiled_embed = {.tiles = embed_tiles, .run = embed_run};
