/*
 * retrieval.h - samples of the retrieval tasks, exact to the token.
 *
 * A sample is BOS (if the tokenizer adds one), filler from the data with needles in it, a question
 * and its answer: exactly `length` tokens in all. It depends on seed, task, length, depth and trial
 * only, never on what else is measured.
 */
#ifndef RW_MEASURE_RETRIEVAL_H
#define RW_MEASURE_RETRIEVAL_H

#include "measure/measure.h"
#include "measure/statistics.h"
#include "measure/wordings.h"

enum { RW_SPANS_MAX = 4 };

/* Tokens [first, first + count) of the sample are to be recalled. */
typedef struct rw_span {
    size_t first, count;
} rw_span;

typedef struct rw_sample {
    int32_t *tokens; /* [count], arena memory */
    size_t count;
    rw_span spans[RW_SPANS_MAX];
    size_t span_count;
    size_t filler; /* tokens of filler */
} rw_sample;

typedef struct rw_sample_request {
    const rw_task *task;
    const rw_wording *wording;
    uint64_t seed;
    size_t length;
    double depth; /* 0 .. 1: the asked needle goes in at floor(depth * filler) */
    uint64_t trial;
} rw_sample_request;

/* RW_ERR_INPUT: measure.too_short (the length has no room for needle, question and answer) or
   measure.filler (the data has no tokens, or holds every value that was drawn). */
rw_status rw_sample_make(rw_arena *arena, const rw_corpus *corpus, const rw_tokenizer *tokenizer,
                         const rw_sample_request *request, rw_sample *out, rw_error *err);

#endif
