/*
 * linear.c - products with weights.
 */
#include <string.h>

#include "backend/cpu/tiled.h"

enum {
    ROWS = 96,    /* rows of a tile: whole blocks of the inner loops */
    COLUMNS = 128 /* outputs of a tile: whole panels */
};

static size_t linear_tiles(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    return rw_tiles_of(o->x.shape[0], ROWS) * rw_tiles_of(o->linear->rows, COLUMNS);
}

static size_t linear_scratch(const rw_op *op) {
    (void)op;
    return (size_t)ROWS * COLUMNS * sizeof(float);
}

void rw_times_weights(const rw_cpu_isa *isa, const rw_linear *linear, const float *x, size_t stride,
                      size_t rows, size_t first, size_t count, float *c, size_t ldc) {
    const float *panel = (const float *)linear->prepared.handle + first * linear->columns;
    for (size_t j = 0; j < count; j += isa->panel, panel += isa->panel * linear->columns)
        isa->multiply(rows, rw_min_size(rw_round_up(count - j, RW_CPU_LANES), isa->panel),
                      linear->columns, x, stride, panel, isa->panel, c + j, ldc, false);
}

static void linear_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    const rw_op_linear *o = &op->u.linear;
    size_t across = rw_tiles_of(o->linear->rows, COLUMNS);
    size_t row = tile / across * ROWS, first = tile % across * COLUMNS;
    size_t rows = rw_min_size(ROWS, o->x.shape[0] - row);
    size_t count = rw_min_size(COLUMNS, o->linear->rows - first);
    bool whole = count % RW_CPU_LANES == 0; /* else the product is wider than the output */
    float *out = rw_f32(&o->out, row, 0) + first;
    float *c = whole ? out : scratch;
    size_t ldc = whole ? o->out.stride[0] : COLUMNS;
    rw_times_weights(isa, o->linear, rw_f32(&o->x, row, 0), o->x.stride[0], rows, first, count, c,
                     ldc);
    const float *bias = o->bias.buffer ? rw_f32(&o->bias, 0, 0) + first : NULL;
    if (whole && !bias)
        return;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < count; j++)
            out[i * o->out.stride[0] + j] = c[i * ldc + j] + (bias ? bias[j] : 0.0f);
}

const rw_cpu_kernel rw_cpu_tiled_linear = {linear_tiles, linear_scratch, linear_run};
