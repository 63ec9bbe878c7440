/*
 * store.c - keys and values on their way into the cache.
 */
#include "backend/cpu/number.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/tiled.h"

static size_t rows_of_tile(const rw_op_store *o) {
    return rw_rows_of_tile(o->x.shape[1] * o->x.shape[2]);
}

static size_t store_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.store.x.shape[0], rows_of_tile(&op->u.store));
}

static void store_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_store *o = &op->u.store;
    size_t step = rows_of_tile(o), row = tile * step;
    size_t end = rw_min_size(row + step, o->x.shape[0]);
    for (; row < end; row++)
        for (size_t head = 0; head < o->x.shape[1]; head++)
            isa->rows->narrow(o->out.element, rw_f32(&o->x, row, head),
                              rw_row_of(&o->out, row, head), o->x.shape[2]);
}

const rw_cpu_kernel rw_cpu_tiled_store = {.tiles = store_tiles, .run = store_run};
