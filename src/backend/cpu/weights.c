/*
 * weights.c - a tile of x times packed weights; weights.h says how the work is cut.
 */
#include "backend/cpu/weights.h"

#include <string.h>

#include "backend/cpu/tiled.h"
#include "backend/cpu/unpack.h"

const uint8_t *rw_weights_at(const rw_linear *linear, size_t row, size_t column) {
    return (const uint8_t *)linear->weights.handle +
           row * rw_element_bytes(linear->element, linear->columns) +
           rw_element_bytes(linear->element, column);
}

/* Columns packed at a time: even parts of whole blocks. */
static size_t depth_of(const rw_linear *linear, size_t most) {
    size_t block = rw_element_block(linear->element).elements;
    size_t unit = block < RW_CPU_LANES ? RW_CPU_LANES : block;
    size_t parts = rw_tiles_of(linear->columns, most / unit * unit);
    return rw_round_up(rw_tiles_of(linear->columns, parts), unit);
}

/* Where the sums of columns [k, k + depth) begin and go. Until they are final they stay side by
   side: rows of the output are far apart, and share cache sets where its width is a round number.
 */
typedef struct place {
    const float *from;
    float *c;
    size_t ldc;
} place;

static place place_of(const rw_weights_tile *t, size_t k, size_t depth) {
    float *partial = t->scratch + RW_WEIGHTS_PARTIAL; /* [RW_TILE_ROWS][RW_TILE_OUTPUTS] */
    bool last = k + depth == t->linear->columns;
    return (place){.from = k == 0 ? NULL : partial,
                   .c = last ? t->c : partial,
                   .ldc = last ? t->ldc : RW_TILE_OUTPUTS};
}

/* ---- float32 --------------------------------------------------------------------------------- */

/* Outputs [first, first + 16) and columns [k, k + depth) of W as columns of a panel; zeros for
   outputs that are not there. */
static void pack_columns(const rw_weights_tile *t, size_t first, size_t k, size_t depth,
                         float *stage, float *to) {
    size_t there = rw_min_size(RW_STAGE_ROWS, t->first + t->count - first);
    for (size_t i = 0; i < there; i++)
        t->isa->widen(t->linear->element, rw_weights_at(t->linear, first + i, k), depth,
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

static void many_rows(const rw_weights_tile *t) {
    size_t columns = t->linear->columns, panel = t->isa->panel;
    size_t part = depth_of(t->linear, RW_TILE_DEPTH);
    for (size_t k = 0; k < columns; k += part) {
        size_t depth = rw_min_size(part, columns - k);
        const place to = place_of(t, k, depth);
        pack(t, k, depth, t->scratch);
        for (size_t j = 0; j < t->count; j += panel)
            t->isa->multiply(&(rw_product){.rows = t->rows,
                                           .columns = rw_min_size(panel, t->count - j),
                                           .k = depth,
                                           .a = t->x + k,
                                           .lda = t->stride,
                                           .b = t->scratch + j * RW_TILE_DEPTH,
                                           .from = to.from ? to.from + j : NULL,
                                           .from_stride = RW_TILE_OUTPUTS,
                                           .c = to.c + j,
                                           .ldc = to.ldc});
    }
}

void rw_dots_rest(const rw_dots *d, size_t done) {
    float rest[RW_RUN];
    size_t count = d->columns - done;
    for (size_t i = 0; count && i < d->rows; i++) {
        const uint8_t *w = d->weights + i * d->apart + rw_element_bytes(d->element, done);
        rw_widen(d->element, w, count, rest);
        for (size_t j = 0; j < count; j++)
            d->out[i] += rest[j] * d->x[done + j];
    }
}

/* The first row of x. */
static rw_dots dots_of(const rw_weights_tile *t) {
    return (rw_dots){.element = t->linear->element,
                     .weights = rw_weights_at(t->linear, t->first, 0),
                     .apart = rw_element_bytes(t->linear->element, t->linear->columns),
                     .rows = t->count,
                     .columns = t->linear->columns,
                     .x = t->x,
                     .out = t->c};
}

/* W's rows are widened piece by piece, each for all rows of x: these are now the weights. */
static void few_rows(const rw_weights_tile *t) {
    size_t columns = t->linear->columns;
    for (size_t j = 0; j < t->count; j++)
        for (size_t k = 0; k < columns; k += RW_FEW_DEPTH) {
            float sums[RW_FEW_ROWS] = {0};
            size_t depth = rw_min_size(RW_FEW_DEPTH, columns - k);
            t->isa->widen(t->linear->element, rw_weights_at(t->linear, t->first + j, k), depth,
                          t->scratch);
            t->isa->dots(&(rw_dots){.element = RW_ELEMENT_F32,
                                    .weights = (const uint8_t *)(t->x + k),
                                    .apart = t->stride * sizeof(float),
                                    .rows = t->rows,
                                    .columns = depth,
                                    .x = t->scratch,
                                    .out = sums});
            for (size_t row = 0; row < t->rows; row++) {
                float *c = t->c + row * t->ldc + j;
                *c = k == 0 ? sums[row] : *c + sums[row];
            }
        }
}

/* ---- int8 ------------------------------------------------------------------------------------ */

/* The parts of the scratch. */
typedef struct packed_codes {
    uint8_t *codes, *high; /* panels, RW_INT8_DEPTH deep */
    uint8_t *stage;        /* 16 rows of codes */
    float *scale;          /* [OUTPUTS / panel][RW_INT8_STEPS][panel] */
    float *minimum;        /* likewise, half as many steps */
} packed_codes;

static packed_codes parts_of(float *scratch) {
    packed_codes p = {.codes = (uint8_t *)scratch,
                      .stage = (uint8_t *)(scratch + RW_WEIGHTS_PANELS)};
    p.high = p.codes + RW_INT8_DEPTH * RW_TILE_OUTPUTS;
    p.scale = scratch + RW_WEIGHTS_PANELS + RW_WEIGHTS_STAGE;
    p.minimum = p.scale + RW_INT8_STEPS * RW_TILE_OUTPUTS;
    return p;
}

static void empty_row(uint8_t *codes, size_t depth, float *scale, float *minimum, size_t apart) {
    memset(codes, 0, depth);
    for (size_t i = 0; i < RW_INT8_STEPS; i++)
        scale[i * apart] = 0.0f;
    for (size_t i = 0; i < RW_INT8_STEPS / 2; i++)
        minimum[i * apart] = 0.0f;
}

/* Outputs [t->first + j, ... + 16) and columns [k, k + depth); nothing where outputs are none. */
static void pack_code_columns(const rw_weights_tile *t, const packed_codes *p, size_t j, size_t k,
                              size_t depth) {
    size_t panel = t->isa->int8->panel, there = rw_min_size(RW_STAGE_ROWS, t->count - j);
    size_t steps = j / panel * RW_INT8_STEPS * panel + j % panel;
    size_t minima = j / panel * RW_INT8_STEPS / 2 * panel + j % panel;
    for (size_t i = 0; i < RW_STAGE_ROWS; i++) {
        uint8_t *codes = p->stage + i * RW_STAGE_STRIDE * sizeof(float);
        float *scale = p->scale + steps + i, *minimum = p->minimum + minima + i;
        if (i < there)
            t->isa->int8->unpack(
                &(rw_int8_unpacking){.element = t->linear->element,
                                     .packed = rw_weights_at(t->linear, t->first + j + i, k),
                                     .count = depth,
                                     .codes = codes,
                                     .scale = scale,
                                     .minimum = minimum,
                                     .apart = panel});
        else
            empty_row(codes, depth, scale, minimum, panel);
    }
    float *to = (float *)(void *)p->codes + j / panel * (RW_INT8_DEPTH / 4) * panel + j % panel;
    t->isa->int8->turn((const float *)(void *)p->stage, depth / 4, to, panel);
}

static rw_int8_rows rows_from(const rw_int8_rows *x, size_t k) {
    rw_int8_rows rows = *x;
    rows.q += k;
    rows.scale += k / RW_RUN;
    rows.offset += k / (x->columns / x->steps);
    return rows;
}

static void many_int8_rows(const rw_weights_tile *t) {
    const rw_cpu_int8 *isa = t->isa->int8;
    const packed_codes p = parts_of(t->scratch);
    size_t columns = t->linear->columns, panel = isa->panel;
    size_t part = depth_of(t->linear, RW_INT8_DEPTH);
    for (size_t k = 0; k < columns; k += part) {
        size_t depth = rw_min_size(part, columns - k);
        const place to = place_of(t, k, depth);
        for (size_t j = 0; j < t->count; j += RW_STAGE_ROWS)
            pack_code_columns(t, &p, j, k, depth);
        if (isa->split && rw_run_types[t->linear->element].bits > 6)
            isa->split(p.codes, RW_INT8_DEPTH * RW_TILE_OUTPUTS, p.high);
        for (size_t j = 0; j < t->count; j += panel)
            isa->multiply[t->linear->element](
                &(rw_int8_product){.rows = t->rows,
                                   .columns = rw_min_size(panel, t->count - j),
                                   .steps = depth / (t->int8->columns / t->int8->steps),
                                   .x = rows_from(t->int8, k),
                                   .codes = p.codes + j * RW_INT8_DEPTH,
                                   .high = p.high + j * RW_INT8_DEPTH,
                                   .scale = p.scale + j * RW_INT8_STEPS,
                                   .minimum = p.minimum + j * (RW_INT8_STEPS / 2),
                                   .from = to.from ? to.from + j : NULL,
                                   .from_stride = RW_TILE_OUTPUTS,
                                   .c = to.c + j,
                                   .ldc = to.ldc});
    }
}

static void few_int8_rows(const rw_weights_tile *t) {
    rw_dots dots = dots_of(t);
    for (size_t row = 0; row < t->rows; row++) {
        rw_int8_rows x = *t->int8;
        x.q += row * x.columns;
        x.scale += row * x.runs;
        x.offset += row * x.steps;
        dots.out = t->c + row * t->ldc;
        t->isa->int8->dots(&dots, &x);
    }
}

void rw_times_weights(const rw_weights_tile *tile) {
    const rw_dots dots = dots_of(tile);
    if (tile->int8 && tile->rows <= RW_FEW_ROWS)
        few_int8_rows(tile);
    else if (tile->int8)
        many_int8_rows(tile);
    else if (tile->rows == 1)
        tile->isa->dots(&dots);
    else if (tile->rows <= RW_FEW_ROWS)
        few_rows(tile);
    else
        many_rows(tile);
}
