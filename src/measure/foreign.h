/*
 * foreign.h - other people's figures from our measurements. No part of the verdict.
 */
#ifndef RW_MEASURE_FOREIGN_H
#define RW_MEASURE_FOREIGN_H

#include "base/json.h"

/* NaN: not known. */
typedef struct rw_foreign {
    double accuracy;     /* share of the pack's items that are right                */
    double coverage;     /* share of the declared items that could be asked         */
    double bytes;        /* of the model                                            */
    double seconds;      /* median for an item                                      */
    double usd_per_call; /* the caller's word                                       */
} rw_foreign;

/* 0.40 accuracy + 0.15 (size, latency, cost, coverage), each clamped to 0 .. 1, four digits; from
   0.85 on its authors ship. Has no term for length. NaN unless every input is known: where the
   original takes what is missing for nearly perfect, this one says nothing. */
double rw_kolm_k_v1(const rw_foreign *inputs);

/* Member "foreign". */
void rw_foreign_write(rw_json_writer *w, const rw_foreign *inputs);

#endif
