/*
 * avx512_int8.c - int8 products with packed weights for AVX-512 with VNNI, whose instruction adds
 * four products of bytes to 32 bits, exactly. The product keeps 6 rows x 32 columns: twelve
 * registers of integers, twelve of sums.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 16, PANEL = 32, BLOCK = 6 };

typedef struct integers {
    __m512i i0, i1;
} integers;

typedef struct sums {
    __m512 s0, s1;
} sums;

/* What a type needs; constants where this is called. */
typedef struct form {
    bool minimum, halves;
} form;

INLINE const rw_int8_offset *offset_of(const rw_int8_product *t, size_t row, size_t step) {
    return t->x.offset + row * t->x.steps + step;
}

INLINE integers begin(const form f, bool there, const rw_int8_product *t, size_t row, size_t step) {
    if (!there || f.minimum)
        return (integers){_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i offset = _mm512_set1_epi32(offset_of(t, row, step)->integer);
    return (integers){offset, offset};
}

INLINE integers add_products(bool there, integers n, const int8_t *x, __m512i w0, __m512i w1) {
    int four;
    if (!there)
        return n;
    memcpy(&four, x, sizeof four);
    __m512i q = _mm512_set1_epi32(four);
    return (integers){_mm512_dpbusd_epi32(n.i0, w0, q), _mm512_dpbusd_epi32(n.i1, w1, q)};
}

/* A step's integers become part of a row's sums. */
INLINE sums take(const form f, bool there, sums s, integers n, const rw_int8_product *t, size_t row,
                 size_t step) {
    if (!there)
        return s;
    const float *scale = t->scale + step * PANEL, *minimum = t->minimum + step * PANEL;
    __m512 x = _mm512_set1_ps(t->x.scale[row * t->x.runs + (f.halves ? step / 2 : step)]);
    __m512 s0 = _mm512_mul_ps(_mm512_loadu_ps(scale), x);
    __m512 s1 = _mm512_mul_ps(_mm512_loadu_ps(scale + LANES), x);
    s.s0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(n.i0), s0, s.s0);
    s.s1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(n.i1), s1, s.s1);
    if (f.minimum) {
        __m512 real = _mm512_set1_ps(offset_of(t, row, step)->real);
        s.s0 = _mm512_fmadd_ps(_mm512_loadu_ps(minimum), real, s.s0);
        s.s1 = _mm512_fmadd_ps(_mm512_loadu_ps(minimum + LANES), real, s.s1);
    }
    return s;
}

INLINE sums start(bool there, const rw_int8_product *t, size_t row) {
    sums s = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    if (there && t->from) {
        const float *from = t->from + row * t->from_stride;
        s.s0 = _mm512_loadu_ps(from);
        if (t->columns > LANES)
            s.s1 = _mm512_loadu_ps(from + LANES);
    }
    return s;
}

INLINE void finish(bool there, sums s, const rw_int8_product *t, size_t row) {
    if (!there)
        return;
    _mm512_storeu_ps(t->c + row * t->ldc, s.s0);
    if (t->columns > LANES)
        _mm512_storeu_ps(t->c + row * t->ldc + LANES, s.s1);
}

/* Rows `row` to row + `rows`; names instead of arrays as in avx512_linear.c. */
INLINE void block(const form f, const size_t rows, const rw_int8_product *t, size_t row) {
    const size_t groups = f.halves ? 4 : 8, stride = t->x.columns;
    const int8_t *x = t->x.q + row * stride, *x3 = x + 3 * stride;
    const uint8_t *codes = t->codes;
    sums s0 = start(rows > 0, t, row + 0), s1 = start(rows > 1, t, row + 1);
    sums s2 = start(rows > 2, t, row + 2), s3 = start(rows > 3, t, row + 3);
    sums s4 = start(rows > 4, t, row + 4), s5 = start(rows > 5, t, row + 5);
    for (size_t step = 0; step < t->steps; step++) {
        integers n0 = begin(f, rows > 0, t, row + 0, step);
        integers n1 = begin(f, rows > 1, t, row + 1, step);
        integers n2 = begin(f, rows > 2, t, row + 2, step);
        integers n3 = begin(f, rows > 3, t, row + 3, step);
        integers n4 = begin(f, rows > 4, t, row + 4, step);
        integers n5 = begin(f, rows > 5, t, row + 5, step);
#pragma GCC unroll 8
        for (size_t g = 0; g < groups; g++, codes += 4 * PANEL, x += 4, x3 += 4) {
            __m512i w0 = _mm512_loadu_si512(codes), w1 = _mm512_loadu_si512(codes + 4 * LANES);
            n0 = add_products(rows > 0, n0, x, w0, w1);
            n1 = add_products(rows > 1, n1, x + stride, w0, w1);
            n2 = add_products(rows > 2, n2, x + 2 * stride, w0, w1);
            n3 = add_products(rows > 3, n3, x3, w0, w1);
            n4 = add_products(rows > 4, n4, x3 + stride, w0, w1);
            n5 = add_products(rows > 5, n5, x3 + 2 * stride, w0, w1);
        }
        s0 = take(f, rows > 0, s0, n0, t, row + 0, step);
        s1 = take(f, rows > 1, s1, n1, t, row + 1, step);
        s2 = take(f, rows > 2, s2, n2, t, row + 2, step);
        s3 = take(f, rows > 3, s3, n3, t, row + 3, step);
        s4 = take(f, rows > 4, s4, n4, t, row + 4, step);
        s5 = take(f, rows > 5, s5, n5, t, row + 5, step);
    }
    finish(rows > 0, s0, t, row + 0), finish(rows > 1, s1, t, row + 1);
    finish(rows > 2, s2, t, row + 2), finish(rows > 3, s3, t, row + 3);
    finish(rows > 4, s4, t, row + 4), finish(rows > 5, s5, t, row + 5);
}

INLINE void multiply(const form f, const rw_int8_product *t) {
    size_t row = 0;
    for (; row + BLOCK <= t->rows; row += BLOCK)
        block(f, BLOCK, t, row);
    for (; row + 2 <= t->rows; row += 2)
        block(f, 2, t, row);
    for (; row < t->rows; row++)
        block(f, 1, t, row);
}

TARGET static void multiply_zero(const rw_int8_product *t) {
    multiply((form){false, false}, t);
}
TARGET static void multiply_minimum(const rw_int8_product *t) {
    multiply((form){true, false}, t);
}
TARGET static void multiply_halves(const rw_int8_product *t) {
    multiply((form){false, true}, t);
}

static const rw_int8_multiply_fn multiply_fns[RW_ELEMENT_COUNT] = {
    [RW_ELEMENT_Q8_0] = multiply_zero,    [RW_ELEMENT_Q4_0] = multiply_zero,
    [RW_ELEMENT_Q4_1] = multiply_minimum, [RW_ELEMENT_Q5_0] = multiply_zero,
    [RW_ELEMENT_Q5_1] = multiply_minimum, [RW_ELEMENT_Q4_K] = multiply_minimum,
    [RW_ELEMENT_Q5_K] = multiply_minimum, [RW_ELEMENT_Q6_K] = multiply_halves,
};

const rw_cpu_int8 rw_avx512_int8 = {
    .panel = PANEL,
    .turn = rw_avx512_turn,
    .quantize = rw_avx2_quantize,
    .unpack = rw_avx2_int8_unpack,
    .multiply = multiply_fns,
    .dots = rw_avx2_int8_dots,
};

#endif
