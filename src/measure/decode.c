/*
 * decode.c - does reading token by token through the cache give what one pass gives? Runtimes have
 * shipped scalings for which it did not.
 */
#include <math.h>

#include "measure/result.h"

/* The first document that is long enough, or -1. */
static int64_t find_document(const rw_scope *scope, const rw_corpus *corpus, size_t tokens) {
    for (size_t i = 0; i < scope->documents; i++)
        if (corpus->documents[i].count > tokens)
            return (int64_t)i;
    return -1;
}

static rw_status decode(rw_scorer *scorer, const int32_t *tokens, size_t position,
                        double *nll /* [RW_DECODE_STEPS] */, rw_error *err) {
    RW_TRY(rw_scorer_read(scorer, tokens, position, position + RW_DECODE_STEPS, NULL, err));
    for (size_t i = 0; i < RW_DECODE_STEPS; i++) {
        const int32_t *token = tokens + position + i;
        double next = NAN;
        const rw_outputs outputs = {.count = 1, .target = token + 1, .nll = &next};
        RW_TRY(scorer->append(scorer, token, 1, &outputs, err));
        nll[i] = next;
    }
    return RW_OK;
}

/* NaN anywhere counts as infinitely far. */
static double greatest_difference(const double *a, const double *b) {
    double greatest = 0;
    for (size_t i = 0; i < RW_DECODE_STEPS; i++) {
        double difference = fabs(a[i] - b[i]);
        greatest = isnan(difference) ? INFINITY : fmax(greatest, difference);
    }
    return greatest;
}

rw_status rw_decode_run(rw_measurement *m, rw_scorer *scorer, const rw_corpus *corpus,
                        rw_error *err) {
    size_t position = m->scope.decode_at, length = position + RW_DECODE_STEPS;
    int64_t document = find_document(&m->scope, corpus, length);
    m->decode = (rw_decode_check){.position = position, .steps = RW_DECODE_STEPS};
    m->decode.reason = position ? "no document is long enough" : "left out to keep the budget";
    if (!position || document < 0)
        return RW_OK;
    const rw_window window = {0, length, position, RW_DECODE_STEPS};
    double stepwise[RW_DECODE_STEPS];
    m->decode.reason = "reading was stopped before";
    RW_TRY(rw_store_fill(&m->store, scorer, (uint32_t)document, &window, length, false, err));
    RW_TRY(decode(scorer, corpus->documents[document].tokens, position, stepwise, err));
    const double *whole = rw_store_find(&m->store, (uint32_t)document, &window, length, false);
    m->decode.difference = greatest_difference(whole, stepwise);
    m->decode.measured = true;
    m->decode.reason = NULL;
    return RW_OK;
}
