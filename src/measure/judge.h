/*
 * judge.h - a verdict with what it was reached from.
 */
#ifndef RW_MEASURE_JUDGE_H
#define RW_MEASURE_JUDGE_H

#include "measure/foreign.h"
#include "measure/gate.h"
#include "measure/measure.h"

struct rw_gate {
    rw_context *ctx;
    rw_arena arena;
    rw_scores scores;
    rw_thresholds thresholds;
    rw_judgement judgement;
    rw_foreign foreign;
};

#endif
