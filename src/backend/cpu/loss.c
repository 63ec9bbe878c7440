/*
 * loss.c - negative log-likelihood and arg max, streamed over the vocabulary.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/tiled.h"

enum {
    ROWS = 96,       /* rows of a tile: whole blocks of the inner loops */
    VOCABULARY = 256 /* logits of a tile */
};

/* What is known of one row after the vocabulary so far. */
typedef struct loss_row {
    double sum; /* of exp(logit - max) */
    double wanted;
    float max;
    int32_t best;
} loss_row;

static size_t loss_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.loss.x.shape[0], ROWS);
}

static size_t loss_scratch(const rw_op *op) {
    (void)op;
    return ROWS * (VOCABULARY * sizeof(float) + sizeof(loss_row));
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

static void loss_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    const rw_op_loss *o = &op->u.loss;
    loss_row *state = scratch;               /* [ROWS] */
    float *logits = (float *)(state + ROWS); /* [ROWS][VOCABULARY] */
    size_t row = tile * ROWS, rows = rw_min_size(ROWS, o->x.shape[0] - row);
    for (size_t i = 0; i < rows; i++)
        state[i] = (loss_row){.wanted = NAN, .max = -INFINITY};
    for (size_t first = 0; first < o->linear->rows; first += VOCABULARY) {
        size_t count = rw_min_size(VOCABULARY, o->linear->rows - first);
        size_t width = rw_round_up(count, RW_CPU_LANES);
        rw_times_weights(isa, o->linear, rw_f32(&o->x, row, 0), o->x.stride[0], rows, first, count,
                         logits, VOCABULARY);
        for (size_t i = 0; i < rows; i++) {
            if (o->softcap > 0.0f)
                rw_cap_row(logits + i * VOCABULARY, count, o->softcap);
            for (size_t j = count; j < width; j++)
                logits[i * VOCABULARY + j] = -INFINITY;
            int32_t target = o->target.buffer ? *rw_i32(&o->target, row + i) : -1;
            take_logits(isa, &state[i], logits + i * VOCABULARY, first, width, target);
        }
    }
    for (size_t i = 0; i < rows; i++) {
        if (o->nll.buffer)
            *rw_f64(&o->nll, row + i) = state[i].max + log(state[i].sum) - state[i].wanted;
        if (o->argmax.buffer)
            *rw_i32(&o->argmax, row + i) = state[i].best;
    }
}

const rw_cpu_kernel rw_cpu_tiled_loss = {loss_tiles, loss_scratch, loss_run};
