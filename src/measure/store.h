/*
 * store.h - per-token negative log-likelihoods, the stored fact of a measurement. What is there is
 * not computed again, so one window of the greatest length serves all shorter ones.
 */
#ifndef RW_MEASURE_STORE_H
#define RW_MEASURE_STORE_H

#include "measure/protocol.h"
#include "measure/scorer.h"

typedef struct rw_record {
    uint32_t document;
    size_t regime; /* length the rotation was resolved at; 0: it does not depend on it */
    bool bos;      /* the window's first token was replaced */
    rw_window window;
    double *nll; /* [window.count] nats */
} rw_record;

typedef struct rw_store {
    rw_arena *arena;
    const rw_corpus *corpus;
    bool depends_on_length;
    rw_record *records;
    size_t count, capacity;
} rw_store;

/* The stored NLLs [window.count] of `window`, or NULL. */
const double *rw_store_find(const rw_store *store, uint32_t document, const rw_window *window,
                            size_t length, bool bos);

/* Makes sure that they are there, reading the window if they are not. A window at 0 is stored
   whole, for the shorter lengths to come. What was read before a failure is stored too. */
rw_status rw_store_fill(rw_store *store, rw_scorer *scorer, uint32_t document,
                        const rw_window *window, size_t length, bool bos, rw_error *err);

#endif
