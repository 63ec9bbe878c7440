/*
 * random_support.h - repeatable random numbers for tests of kernels; a failure prints `seed_now`.
 */
#ifndef RW_TESTS_RANDOM_SUPPORT_H
#define RW_TESTS_RANDOM_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

static uint64_t seed_now, state_now;

static inline void reseed(uint64_t seed) {
    seed_now = state_now = seed;
}

static inline uint64_t next_random(void) { /* splitmix64 */
    uint64_t z = state_now += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t between(size_t low, size_t high) {
    return low + next_random() % (high - low + 1);
}

static inline float ordinary(float size) {
    return ((float)(next_random() >> 40) / 8388608.0f - 1.0f) * size;
}

/* One in eight is a number that breaks careless code. */
static inline float nasty(float size) {
    static const float odd[] = {0.0f, -0.0f, 1e-41f, -1e-45f, 0x1p-126f, 1e-30f};
    return next_random() % 8 ? ordinary(size) : odd[next_random() % 6];
}

#endif
