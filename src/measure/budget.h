/*
 * budget.h - how much work a scope is, and what to leave out when the time does not suffice.
 */
#ifndef RW_MEASURE_BUDGET_H
#define RW_MEASURE_BUDGET_H

#include "measure/result.h"

typedef struct rw_work {
    double cost;     /* in the scorer's unit */
    uint64_t tokens; /* read                 */
} rw_work;

/* The work of `scope` on `corpus`, found by going through it without a model. */
rw_status rw_work_estimate(const rw_scope *scope, const rw_scorer *scorer, const rw_corpus *corpus,
                           rw_work *out, rw_error *err);

/* Cuts `scope`, in the fixed order of the table in budget.c, until its cost is at most `limit` or
   there is nothing left to cut. */
rw_status rw_scope_cut(rw_scope *scope, const rw_scorer *scorer, const rw_corpus *corpus,
                       double limit, rw_error *err);

/* What `cut` lacks of `asked`, in words; arena memory. */
rw_status rw_scope_cuts(rw_arena *arena, const rw_scope *asked, const rw_scope *cut,
                        const char ***out, size_t *count, rw_error *err);

/* A scorer around another one that counts, reports progress, and refuses with RW_ERR_TIME what
   would end after the deadline.

   Progress counts a token by its work: the last ones of a long window take many times as long as
   the first, and the time that is left is told right only so. */
typedef struct rw_meter {
    rw_scorer scorer;
    rw_scorer *inner;
    rw_context *ctx;
    const char *task;
    rw_work expected;
    double begun;   /* rw_now() */
    double seconds; /* from `begun` on; 0: no deadline */
    rw_work done;
    size_t length, at; /* of the sequence: as announced, as read */
} rw_meter;

void rw_meter_init(rw_meter *out, rw_context *ctx, rw_scorer *inner, const rw_work *expected,
                   double begun, double seconds);

#endif
