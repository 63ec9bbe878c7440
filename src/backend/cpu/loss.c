/*
 * loss.c - negative log-likelihood and arg max, streamed over the vocabulary.
 *
 * The vocabulary is cut into slices, each a tile: what packed weights cost is shared by all rows of
 * x. A second round merges what the slices know of a row, in their order.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/tiled.h"
#include "backend/cpu/weights.h"

enum {
    LOGITS = 2 * RW_TILE_OUTPUTS, /* looked at together */
    SLICE = 1024,                 /* tokens of a slice, at least */
    SLICES = 32,                  /* at most */
    MERGE_ROWS = 64
};

/* What is known of one row after some of the vocabulary. */
typedef struct loss_row {
    double sum; /* of exp(logit - max) */
    float wanted, max;
    int32_t best;
} loss_row;

static size_t slice_of(const rw_op_loss *o) {
    size_t even = rw_round_up(rw_tiles_of(o->linear->rows, SLICES), LOGITS);
    return even > SLICE ? even : SLICE;
}

static size_t slices_of(const rw_op_loss *o) {
    return rw_tiles_of(o->linear->rows, slice_of(o));
}

/* What is shared: of each slice its rows, then x as int8. */
static size_t parts_bytes(const rw_op_loss *o) {
    return rw_round_up(slices_of(o) * o->x.shape[0] * sizeof(loss_row), 64);
}

static size_t prepare_tiles(const rw_op *op) {
    const rw_op_loss *o = &op->u.loss;
    bool int8 = rw_is_int8(o->linear, o->arithmetic);
    return int8 ? rw_tiles_of(o->x.shape[0], RW_INT8_ROWS) : 0;
}

static void prepare_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                        void *shared) {
    (void)scratch;
    const rw_op_loss *o = &op->u.loss;
    rw_int8_prepare(isa->weights->int8, o->linear, &o->x, tile, (char *)shared + parts_bytes(o));
}

/* ---- a slice --------------------------------------------------------------------------------- */

static size_t slice_tiles(const rw_op *op) {
    const rw_op_loss *o = &op->u.loss;
    return rw_tiles_of(o->x.shape[0], RW_TILE_ROWS) * slices_of(o);
}

static size_t slice_scratch(const rw_op *op) {
    (void)op;
    return (RW_WEIGHTS_SCRATCH + RW_TILE_ROWS * LOGITS) * sizeof(float);
}

/* Takes in the logits of tokens [first, first + width), which it overwrites. */
static void take_logits(const rw_cpu_isa *isa, loss_row *row, float *logits, size_t first,
                        size_t width, int32_t target) {
    if (target >= 0 && (size_t)target >= first && (size_t)target < first + width)
        row->wanted = logits[(size_t)target - first];
    float max = isa->row_max(logits, width);
    if (max > row->max) {
        size_t i = 0;
        while (logits[i] != max)
            i++;
        row->best = (int32_t)(first + i);
        row->sum *= exp((double)row->max - max);
        row->max = max;
    }
    row->sum += isa->exp_sum(logits, width, row->max);
}

/* Logits [first, first + count) of rows [row, row + rows). */
static void take_rows(const rw_cpu_isa *isa, const rw_op_loss *o, size_t row, size_t rows,
                      size_t first, size_t count, loss_row *state, float *logits) {
    size_t width = rw_round_up(count, RW_CPU_LANES);
    for (size_t i = 0; i < rows; i++, logits += LOGITS) {
        if (o->softcap > 0.0f)
            isa->cap(logits, width, 1.0f / o->softcap, o->softcap);
        for (size_t j = count; j < width; j++)
            logits[j] = -INFINITY;
        int32_t target = o->target.buffer ? *rw_i32(&o->target, row + i) : -1;
        take_logits(isa, &state[i], logits, first, width, target);
    }
}

/* Logits [first, first + count) of the tile's rows. */
static void multiply(rw_weights_tile *t, size_t first, size_t count, float *logits) {
    size_t outputs = t->rows == 1 ? LOGITS : RW_TILE_OUTPUTS;
    for (size_t j = 0; j < count; j += outputs) {
        t->first = first + j;
        t->count = rw_min_size(outputs, count - j);
        t->c = logits + j;
        rw_times_weights(t);
    }
}

static void slice_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                      void *shared) {
    const rw_op_loss *o = &op->u.loss;
    size_t slices = slices_of(o), n = o->x.shape[0];
    size_t row = tile / slices * RW_TILE_ROWS, rows = rw_min_size(RW_TILE_ROWS, n - row);
    size_t first = tile % slices * slice_of(o);
    size_t end = rw_min_size(first + slice_of(o), o->linear->rows);
    loss_row *state = (loss_row *)shared + tile % slices * n + row; /* [slices][n] */
    rw_int8_rows int8;
    float *logits = (float *)scratch + RW_WEIGHTS_SCRATCH; /* [RW_TILE_ROWS][LOGITS] */
    rw_weights_tile t = {.isa = isa->weights,
                         .linear = o->linear,
                         .x = rw_f32(&o->x, row, 0),
                         .stride = o->x.stride[0],
                         .rows = rows,
                         .ldc = LOGITS,
                         .scratch = scratch};
    if (rw_is_int8(o->linear, o->arithmetic)) {
        int8 = rw_int8_rows_at(o->linear, n, row, (char *)shared + parts_bytes(o));
        t.int8 = &int8;
    }
    for (size_t i = 0; i < rows; i++)
        state[i] = (loss_row){.wanted = NAN, .max = -INFINITY};
    for (; first < end; first += LOGITS) {
        size_t count = rw_min_size(LOGITS, end - first);
        multiply(&t, first, count, logits);
        take_rows(isa, o, row, rows, first, count, state, logits);
    }
}

/* ---- all slices ------------------------------------------------------------------------------ */

static size_t merge_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.loss.x.shape[0], MERGE_ROWS);
}

static size_t loss_shared(const rw_op *op) {
    const rw_op_loss *o = &op->u.loss;
    bool int8 = rw_is_int8(o->linear, o->arithmetic);
    return parts_bytes(o) + (int8 ? rw_int8_bytes(o->linear, o->x.shape[0]) : 0);
}

/* The first of equals is the best, so an earlier slice wins. */
static void merge(loss_row *row, const loss_row *next) {
    if (next->max > row->max) {
        row->sum *= exp((double)row->max - next->max);
        row->max = next->max;
        row->best = next->best;
    }
    row->sum += next->sum * exp((double)next->max - row->max);
    if (!isnan(next->wanted))
        row->wanted = next->wanted;
}

static void merge_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                      void *shared) {
    (void)isa;
    (void)scratch;
    const rw_op_loss *o = &op->u.loss;
    size_t n = o->x.shape[0], end = rw_min_size((tile + 1) * MERGE_ROWS, n);
    const loss_row *parts = shared; /* [slices][n] */
    for (size_t i = tile * MERGE_ROWS; i < end; i++) {
        loss_row row = parts[i];
        for (size_t s = 1; s < slices_of(o); s++)
            merge(&row, &parts[s * n + i]);
        if (o->nll.buffer)
            *rw_f64(&o->nll, i) = row.max + log(row.sum) - row.wanted;
        if (o->argmax.buffer)
            *rw_i32(&o->argmax, i) = row.best;
    }
}

const rw_cpu_kernel rw_cpu_tiled_loss = {
    .scratch = slice_scratch,
    .shared = loss_shared,
    .near = true,
    .rounds = {{prepare_tiles, prepare_run}, {slice_tiles, slice_run}, {merge_tiles, merge_run}}};
