/*
 * statistics.h - random numbers that are the same everywhere, and intervals for what they give.
 *
 * Pure: no I/O, no model. Intervals are 95 %.
 */
#ifndef RW_MEASURE_STATISTICS_H
#define RW_MEASURE_STATISTICS_H

#include "base/base.h"
#include "base/json.h"

/* ---- random numbers -------------------------------------------------------------------------- */

/* xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. */
typedef struct rw_random {
    uint64_t state[4];
} rw_random;

/* Streams of one seed are independent: sample i gets the same numbers however many others there
   are, so a run cut short by its budget draws the same samples as the full one. */
void rw_random_seed(rw_random *random, uint64_t seed, uint64_t stream);
uint64_t rw_random_next(rw_random *random);
/* Uniform in 0 .. bound-1, without bias; bound 0 gives 0. */
uint64_t rw_random_below(rw_random *random, uint64_t bound);

/* ---- intervals ------------------------------------------------------------------------------- */

typedef struct rw_interval {
    bool defined; /* false: too few samples to say; low and high are NaN */
    double low, high;
} rw_interval;

/* Member `key`: [low, high], or null. */
void rw_interval_write(rw_json_writer *w, const char *key, rw_interval interval);

/* Wilson's score interval of a proportion. Not defined for 0 trials. */
rw_interval rw_wilson(uint64_t correct, uint64_t trials);

/* What one document adds to a token-weighted mean. */
typedef struct rw_share {
    double sum;   /* over its tokens */
    double count; /* of tokens       */
} rw_share;

/* sum of sums / sum of counts; NaN without tokens. */
double rw_share_mean(const rw_share *shares, size_t count);

enum { RW_BOOTSTRAP_DRAWS = 2000, RW_BOOTSTRAP_DOCUMENTS_MIN = 8 };

/* Percentile bootstrap of rw_share_mean over documents (not tokens: the tokens of a document are
   correlated, and intervals that ignore it are too narrow). A paired difference is the same thing
   with the differences as sums. Fewer than 8 documents: not defined, with RW_OK. */
rw_status rw_bootstrap(rw_context *ctx, const rw_share *shares, size_t count, uint64_t seed,
                       rw_interval *out, rw_error *err);

#endif
