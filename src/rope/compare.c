/*
 * compare.c - how far two tables part, in numbers and not in hashes.
 *
 * Where the bounds come from: storing theta, a factor or a list in float32 moves it by 6e-8
 * relative; a frequency sees several of those at once, and a runtime that divides in float32 a few
 * roundings more. 4e-7 is above that and far below any real difference of two scalings.
 */
#include <float.h>
#include <math.h>

#include "ropewalk/rope.h"

static const double bound = 4e-7; /* relative */

/* |a - b|, with NaN (and inf against inf) as far apart as can be. */
static double distance(double a, double b) {
    double d = fabs(a - b);
    return isnan(d) ? INFINITY : d;
}

/* Distance as a part of `reference`; 0 of 0 is no difference. */
static double relative(double d, double reference) {
    return d == 0 ? 0 : d / fabs(reference);
}

static double at_least_one(double x) {
    return fabs(x) > 1 ? fabs(x) : 1;
}

static bool same_shape(const rw_rope_table *a, const rw_rope_table *b) {
    return a->pairs == b->pairs && a->rotary_dim == b->rotary_dim && a->head_dim == b->head_dim &&
           a->pairs <= RW_ROPE_MAX_PAIRS;
}

static double seen_by_logits(const rw_rope_table *table) {
    return table->attention_factor * table->attention_factor * table->logit_scale;
}

static bool within_bounds(const rw_rope_table *a, const rw_rope_difference *difference) {
    return difference->max_relative <= bound &&
           difference->amplitude <= bound * at_least_one(a->attention_factor) &&
           /* A twice and the logit scale once */
           difference->logit <= 3 * bound * at_least_one(seen_by_logits(a));
}

void rw_rope_compare(const rw_rope_table *a, const rw_rope_table *b, uint64_t length,
                     rw_rope_difference *out) {
    *out = (rw_rope_difference){.comparable = same_shape(a, b)};
    if (!out->comparable) {
        out->max_angle = out->max_relative = out->amplitude = out->logit = INFINITY;
        return;
    }
    double worst = 0;
    for (uint32_t k = 0; k < a->pairs; k++) {
        double d = distance(a->inv_freq[k], b->inv_freq[k]);
        double part = relative(d, a->inv_freq[k]); /* inf where a stands still and b does not */
        if (d > worst) {
            worst = d;
            out->worst_pair = k;
        }
        if (!(part <= out->max_relative))
            out->max_relative = isnan(part) ? INFINITY : part;
    }
    out->max_angle = isinf(worst) ? worst : worst * (double)length; /* not inf * 0 */
    out->amplitude = distance(a->attention_factor, b->attention_factor);
    out->logit = distance(seen_by_logits(a), seen_by_logits(b));
    out->equivalent = within_bounds(a, out);
}
