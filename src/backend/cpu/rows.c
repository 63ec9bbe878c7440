/*
 * rows.c - work row by row: keys and values into the cache, rotation, norm, sum. The memory is its
 * limit, so a tile is as many rows as are worth handing to a thread.
 */
#include "backend/cpu/rows.h"

#include "backend/cpu/number.h"
#include "backend/cpu/tiled.h"

typedef struct range {
    size_t row, end;
} range;

static size_t rows_of_tile(const rw_view *view) {
    enum { ELEMENTS = 32768 };
    size_t width = view->shape[1] * view->shape[2];
    return width < ELEMENTS ? ELEMENTS / (width ? width : 1) : 1;
}

static size_t tiles_of(const rw_view *view) {
    return rw_tiles_of(view->shape[0], rows_of_tile(view));
}

static range range_of(const rw_view *view, size_t tile) {
    size_t step = rows_of_tile(view), row = tile * step;
    return (range){row, rw_min_size(row + step, view->shape[0])};
}

/* ---- store ----------------------------------------------------------------------------------- */

static size_t store_tiles(const rw_op *op) {
    return tiles_of(&op->u.store.x);
}

static void store_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_store *o = &op->u.store;
    range r = range_of(&o->x, tile);
    for (; r.row < r.end; r.row++)
        for (size_t head = 0; head < o->x.shape[1]; head++)
            isa->rows->narrow(o->out.element, rw_f32(&o->x, r.row, head),
                              rw_row_of(&o->out, r.row, head), o->x.shape[2]);
}

const rw_cpu_kernel rw_cpu_tiled_store = {.tiles = store_tiles, .run = store_run};

/* ---- rotation -------------------------------------------------------------------------------- */

static size_t rotate_tiles(const rw_op *op) {
    return tiles_of(&op->u.rotate.x);
}

static void rotate_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_rotate *o = &op->u.rotate;
    range r = range_of(&o->x, tile);
    for (; r.row < r.end; r.row++)
        for (size_t head = 0; head < o->x.shape[1]; head++)
            isa->rows->rotate(rw_f32(&o->x, r.row, head), rw_f32(&o->cos, r.row, 0),
                              rw_f32(&o->sin, r.row, 0), o->cos.shape[2], o->interleaved);
}

const rw_cpu_kernel rw_cpu_tiled_rotate = {.tiles = rotate_tiles, .run = rotate_run};

/* ---- norm ------------------------------------------------------------------------------------ */

static size_t rms_norm_tiles(const rw_op *op) {
    return tiles_of(&op->u.rms_norm.x);
}

static void rms_norm_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_rms_norm *o = &op->u.rms_norm;
    range r = range_of(&o->x, tile);
    for (; r.row < r.end; r.row++)
        isa->rows->rms_norm(rw_f32(&o->x, r.row, 0), rw_f32(&o->weight, 0, 0), o->eps,
                            rw_f32(&o->out, r.row, 0), o->x.shape[2]);
}

const rw_cpu_kernel rw_cpu_tiled_rms_norm = {.tiles = rms_norm_tiles, .run = rms_norm_run};

/* ---- sum ------------------------------------------------------------------------------------- */

static size_t add_tiles(const rw_op *op) {
    return tiles_of(&op->u.add.x);
}

static void add_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_add *o = &op->u.add;
    range r = range_of(&o->x, tile);
    for (; r.row < r.end; r.row++)
        isa->rows->add(rw_f32(&o->x, r.row, 0), rw_f32(&o->y, r.row, 0), o->x.shape[2]);
}

const rw_cpu_kernel rw_cpu_tiled_add = {.tiles = add_tiles, .run = add_run};
