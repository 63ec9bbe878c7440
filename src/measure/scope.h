/*
 * scope.h - what a measurement is going to do: the caller's options with every default filled in,
 * before and after the budget cut it.
 */
#ifndef RW_MEASURE_SCOPE_H
#define RW_MEASURE_SCOPE_H

#include "measure/measure.h"
#include "measure/protocol.h"
#include "measure/wordings.h"

enum { RW_LENGTHS_MAX = 64, RW_DEPTHS_MAX = 64, RW_PICKS_MAX = 8, RW_DECODE_STEPS = 32 };

/* A retrieval task under one wording. */
typedef struct rw_pick {
    const rw_task *task;
    const rw_wording *wording;
} rw_pick;

typedef struct rw_scope {
    size_t native, context;
    uint64_t seed;
    bool perplexity;
    bool baseline; /* read the truncated windows too */
    const rw_protocol *protocol;
    size_t stride, chunks;
    size_t lengths[RW_LENGTHS_MAX]; /* ascending, distinct */
    size_t length_count;
    size_t documents;
    rw_pick picks[RW_PICKS_MAX];
    size_t pick_count;
    double depths[RW_DEPTHS_MAX]; /* ascending, distinct */
    size_t depth_count;
    uint64_t trials;
    size_t retrieval_lengths; /* the first so many of `lengths` */
    size_t decode_at;         /* tokens read before decoding is checked; 0: no check */
    const rw_pack *pack;      /* NULL: none; the caller's, gone once it was measured */
} rw_scope;

/* Codes, all RW_ERR_USAGE: measure.protocol, measure.task, measure.length, measure.depth. */
rw_status rw_scope_make(const rw_subject *subject, const rw_corpus *corpus,
                        const rw_measure_options *options, rw_scope *out, rw_error *err);

/* Lengths at which the gate compares: those above the native window, and every doubling of it
   that lies below the longest. Ascending; returns their number. */
size_t rw_scope_gain_lengths(const rw_scope *scope, size_t out[RW_LENGTHS_MAX]);

#endif
