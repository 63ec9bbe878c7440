/*
 * sample.c - times: many short ones, sorted.
 */
#include <stdlib.h>
#include <time.h>

#include "bench.h"

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(bench_samples *samples) {
    qsort(samples->seconds, samples->count, sizeof *samples->seconds, by_size);
}

double bench_quantile(const bench_samples *samples, double q) {
    if (samples->count == 0)
        return 0.0;
    return samples->seconds[(size_t)(q * (double)(samples->count - 1) + 0.5)];
}

static bool processor_time;

void bench_use_processor_time(void) {
    processor_time = true;
}

static double now(void) {
    struct timespec t;
    if (!processor_time || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return rw_now();
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double time_of(bench_fn fn, void *user, size_t calls) {
    double begin = now();
    for (size_t i = 0; i < calls; i++)
        fn(user);
    return now() - begin;
}

/* Calls that take about a millisecond, found by doubling: the first ones also warm the caches. */
static size_t calls_of_a_sample(bench_fn fn, void *user) {
    size_t calls = 1;
    while (time_of(fn, user, calls) < 1e-3 && calls < 1u << 20)
        calls *= 2;
    return calls;
}

void bench_sample(bench_fn fn, void *user, size_t least, double budget, bench_samples *out) {
    double end = rw_now() + budget;
    size_t calls = budget > 0.0 && least > 2 ? calls_of_a_sample(fn, user) : 1;
    out->count = 0;
    while (out->count < BENCH_SAMPLES && (out->count < least || rw_now() < end))
        out->seconds[out->count++] = time_of(fn, user, calls) / (double)calls;
    bench_sort(out);
}
