/*
 * quantize.c - x as int8 for products with packed weights: once an operation, for all tiles.
 */
#include "backend/cpu/tiled.h"
#include "backend/cpu/unpack.h"
#include "backend/cpu/weights.h"

bool rw_is_int8(const rw_linear *linear, rw_arithmetic arithmetic) {
    return arithmetic == RW_ARITHMETIC_INT8 && rw_run_types[linear->element].unpack != NULL;
}

static size_t steps_of(const rw_linear *linear) {
    return linear->columns / (rw_run_types[linear->element].halves ? RW_RUN / 2 : RW_RUN);
}

size_t rw_int8_bytes(const rw_linear *linear, size_t n) {
    size_t numbers = linear->columns / RW_RUN + steps_of(linear);
    return rw_round_up(n * (linear->columns + numbers * sizeof(float)), 64);
}

rw_int8_rows rw_int8_rows_at(const rw_linear *linear, size_t n, size_t row, void *memory) {
    rw_int8_rows rows = {.q = memory,
                         .columns = linear->columns,
                         .runs = linear->columns / RW_RUN,
                         .steps = steps_of(linear)};
    char *behind = (char *)memory + n * linear->columns; /* columns are whole runs: aligned */
    rows.scale = (const float *)(void *)behind;
    rows.offset = (const rw_int8_offset *)(const void *)(rows.scale + n * rows.runs);
    rows.q += row * rows.columns;
    rows.scale += row * rows.runs;
    rows.offset += row * rows.steps;
    return rows;
}

static void offsets_of(const rw_run_type *type, const int8_t *q, const float *scale, size_t runs,
                       rw_int8_offset *out) {
    size_t step = type->halves ? RW_RUN / 2 : RW_RUN;
    for (size_t at = 0; at < runs * RW_RUN; at += step, q += step, out++) {
        int32_t sum = 0;
        for (size_t i = 0; i < step; i++)
            sum += q[i];
        if (type->minimum)
            out->real = -scale[at / RW_RUN] * (float)sum;
        else
            out->integer = -type->zero * sum;
    }
}

void rw_int8_prepare(const rw_cpu_int8 *isa, const rw_linear *linear, const rw_view *x, size_t tile,
                     void *memory) {
    size_t n = x->shape[0], end = rw_min_size((tile + 1) * RW_INT8_ROWS, n);
    for (size_t row = tile * RW_INT8_ROWS; row < end; row++) {
        rw_int8_rows to = rw_int8_rows_at(linear, n, row, memory);
        int8_t *q = (int8_t *)to.q; /* ours to fill */
        float *scale = (float *)to.scale;
        isa->quantize(rw_f32(x, row, 0), to.runs, q, scale);
        offsets_of(&rw_run_types[linear->element], q, scale, to.runs, (rw_int8_offset *)to.offset);
    }
}
