/*
 * statistics.c - xoshiro256**, Wilson's interval, bootstrap over documents.
 */
#include "measure/statistics.h"

#include <math.h>
#include <stdlib.h>

static const rw_interval undefined_interval = {false, NAN, NAN};

/* splitmix64 (Steele, Lea, Flood 2014): spreads any seed, zero included, over the whole state. */
static uint64_t split_mix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rw_random_seed(rw_random *random, uint64_t seed, uint64_t stream) {
    uint64_t mixed = split_mix(&seed) ^ stream;
    for (size_t i = 0; i < 4; i++)
        random->state[i] = split_mix(&mixed);
}

static uint64_t rotate_left(uint64_t x, unsigned by) {
    return (x << by) | (x >> (64 - by));
}

uint64_t rw_random_next(rw_random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rw_random_below(rw_random *random, uint64_t bound) {
    if (bound == 0)
        return 0;
    /* 2^64 mod bound values are left out so that every remainder is equally likely. */
    uint64_t reject = (UINT64_MAX - bound + 1) % bound;
    uint64_t x = rw_random_next(random);
    while (x < reject)
        x = rw_random_next(random);
    return x % bound;
}

/* E. B. Wilson, 1927; z is the normal distribution's 97.5 % point. */
rw_interval rw_wilson(uint64_t correct, uint64_t trials) {
    if (trials == 0 || correct > trials)
        return undefined_interval;
    const double z = 1.959963984540054, n = (double)trials, p = (double)correct / n;
    double centre = p + z * z / (2 * n);
    double reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    double scale = 1 + z * z / n;
    rw_interval out = {true, (centre - reach) / scale, (centre + reach) / scale};
    if (correct == 0)
        out.low = 0; /* exact by algebra, not by arithmetic */
    if (correct == trials)
        out.high = 1;
    return out;
}

void rw_interval_write(rw_json_writer *w, const char *key, rw_interval interval) {
    rw_json_key(w, key);
    if (!interval.defined) {
        rw_json_null(w);
        return;
    }
    rw_json_begin_array(w);
    rw_json_double(w, interval.low);
    rw_json_double(w, interval.high);
    rw_json_end_array(w);
}

double rw_share_mean(const rw_share *shares, size_t count) {
    double sum = 0, tokens = 0;
    for (size_t i = 0; i < count; i++) {
        sum += shares[i].sum;
        tokens += shares[i].count;
    }
    return tokens > 0 ? sum / tokens : NAN;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between the order statistics around q * (count - 1). */
static double quantile(const double *sorted, size_t count, double q) {
    double at = q * (double)(count - 1);
    size_t below = (size_t)at;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

static double draw_mean(rw_random *random, const rw_share *shares, size_t count) {
    double sum = 0, tokens = 0;
    for (size_t i = 0; i < count; i++) {
        const rw_share *share = &shares[rw_random_below(random, count)];
        sum += share->sum;
        tokens += share->count;
    }
    return sum / tokens;
}

rw_status rw_bootstrap(rw_context *ctx, const rw_share *shares, size_t count, uint64_t seed,
                       rw_interval *out, rw_error *err) {
    *out = undefined_interval;
    if (count < RW_BOOTSTRAP_DOCUMENTS_MIN)
        return RW_OK;
    double *means = rw_calloc(ctx, RW_BOOTSTRAP_DRAWS, sizeof *means);
    if (!means)
        return rw_fail_memory(err, "bootstrap", RW_BOOTSTRAP_DRAWS * sizeof *means);
    rw_random random;
    rw_random_seed(&random, seed, 0);
    for (size_t i = 0; i < RW_BOOTSTRAP_DRAWS; i++)
        means[i] = draw_mean(&random, shares, count);
    qsort(means, RW_BOOTSTRAP_DRAWS, sizeof *means, compare_doubles);
    *out = (rw_interval){true, quantile(means, RW_BOOTSTRAP_DRAWS, 0.025),
                         quantile(means, RW_BOOTSTRAP_DRAWS, 0.975)};
    rw_free(ctx, means);
    return RW_OK;
}
