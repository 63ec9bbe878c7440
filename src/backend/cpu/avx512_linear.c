/*
 * avx512_linear.c - products with packed weights for AVX-512: 16 lanes, 32 registers. The product
 * keeps 12 rows x 32 columns in 24 registers; two hold b, one a. Widening is AVX2's.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 16, PANEL = 32 };

/* ---- product --------------------------------------------------------------------------------- */

/* A row's sums. Registers have names since gcc 12 stores an array of them to memory at every step;
   `there` and `wide` (32 columns, not 16) are constants where these are called. */
typedef struct sums {
    __m512 s0, s1;
} sums;

INLINE sums start(bool there, bool wide, const rw_product *p, size_t row) {
    sums s = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    if (there && p->from) {
        const float *from = p->from + row * p->from_stride;
        s.s0 = _mm512_loadu_ps(from);
        if (wide)
            s.s1 = _mm512_loadu_ps(from + LANES);
    }
    return s;
}

INLINE sums step(bool there, bool wide, sums s, const float *a, __m512 b0, __m512 b1) {
    if (!there)
        return s;
    __m512 x = _mm512_set1_ps(*a);
    s.s0 = _mm512_fmadd_ps(x, b0, s.s0);
    if (wide)
        s.s1 = _mm512_fmadd_ps(x, b1, s.s1);
    return s;
}

INLINE void finish(bool there, bool wide, sums s, const rw_product *p, size_t row) {
    if (!there)
        return;
    _mm512_storeu_ps(p->c + row * p->ldc, s.s0);
    if (wide)
        _mm512_storeu_ps(p->c + row * p->ldc + LANES, s.s1);
}

/* Four pointers, three rows from each: the addresses need one more register, lda. */
INLINE void block(const size_t rows, const bool wide, const rw_product *p, size_t row) {
    const size_t lda = p->lda;
    const float *a = p->a + row * lda, *a3 = a + 3 * lda, *a6 = a + 6 * lda, *a9 = a + 9 * lda;
    const float *b = p->b;
    sums s0 = start(rows > 0, wide, p, row + 0), s1 = start(rows > 1, wide, p, row + 1);
    sums s2 = start(rows > 2, wide, p, row + 2), s3 = start(rows > 3, wide, p, row + 3);
    sums s4 = start(rows > 4, wide, p, row + 4), s5 = start(rows > 5, wide, p, row + 5);
    sums s6 = start(rows > 6, wide, p, row + 6), s7 = start(rows > 7, wide, p, row + 7);
    sums s8 = start(rows > 8, wide, p, row + 8), s9 = start(rows > 9, wide, p, row + 9);
    sums s10 = start(rows > 10, wide, p, row + 10), s11 = start(rows > 11, wide, p, row + 11);
    for (size_t k = p->k; k > 0; k--, a++, a3++, a6++, a9++, b += PANEL) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = wide ? _mm512_loadu_ps(b + LANES) : b0;
        s0 = step(rows > 0, wide, s0, a, b0, b1);
        s1 = step(rows > 1, wide, s1, a + lda, b0, b1);
        s2 = step(rows > 2, wide, s2, a + 2 * lda, b0, b1);
        s3 = step(rows > 3, wide, s3, a3, b0, b1);
        s4 = step(rows > 4, wide, s4, a3 + lda, b0, b1);
        s5 = step(rows > 5, wide, s5, a3 + 2 * lda, b0, b1);
        s6 = step(rows > 6, wide, s6, a6, b0, b1);
        s7 = step(rows > 7, wide, s7, a6 + lda, b0, b1);
        s8 = step(rows > 8, wide, s8, a6 + 2 * lda, b0, b1);
        s9 = step(rows > 9, wide, s9, a9, b0, b1);
        s10 = step(rows > 10, wide, s10, a9 + lda, b0, b1);
        s11 = step(rows > 11, wide, s11, a9 + 2 * lda, b0, b1);
    }
    finish(rows > 0, wide, s0, p, row + 0), finish(rows > 1, wide, s1, p, row + 1);
    finish(rows > 2, wide, s2, p, row + 2), finish(rows > 3, wide, s3, p, row + 3);
    finish(rows > 4, wide, s4, p, row + 4), finish(rows > 5, wide, s5, p, row + 5);
    finish(rows > 6, wide, s6, p, row + 6), finish(rows > 7, wide, s7, p, row + 7);
    finish(rows > 8, wide, s8, p, row + 8), finish(rows > 9, wide, s9, p, row + 9);
    finish(rows > 10, wide, s10, p, row + 10), finish(rows > 11, wide, s11, p, row + 11);
}

TARGET static void wide_12(const rw_product *p, size_t row) {
    block(12, true, p, row);
}
TARGET static void wide_6(const rw_product *p, size_t row) {
    block(6, true, p, row);
}
TARGET static void wide_3(const rw_product *p, size_t row) {
    block(3, true, p, row);
}
TARGET static void wide_1(const rw_product *p, size_t row) {
    block(1, true, p, row);
}
TARGET static void narrow_12(const rw_product *p, size_t row) {
    block(12, false, p, row);
}
TARGET static void narrow_6(const rw_product *p, size_t row) {
    block(6, false, p, row);
}
TARGET static void narrow_3(const rw_product *p, size_t row) {
    block(3, false, p, row);
}
TARGET static void narrow_1(const rw_product *p, size_t row) {
    block(1, false, p, row);
}

static void multiply(const rw_product *p) {
    typedef void (*block_fn)(const rw_product *p, size_t row);
    static const block_fn blocks[2][4] = {{narrow_12, narrow_6, narrow_3, narrow_1},
                                          {wide_12, wide_6, wide_3, wide_1}};
    static const size_t heights[] = {12, 6, 3, 1};
    size_t row = 0;
    for (int i = 0; i < 4; i++)
        for (; row + heights[i] <= p->rows; row += heights[i])
            blocks[p->columns > LANES][i](p, row);
}

/* ---- turning --------------------------------------------------------------------------------- */

/* 16 rows of 16 to columns: within four by four, then the quarters of the registers. */
INLINE void turn_16(const float *from, size_t stride, float *to, size_t apart) {
    __m512 r[16], t[16];
    for (int i = 0; i < 16; i++)
        r[i] = _mm512_loadu_ps(from + (size_t)i * stride);
    for (int i = 0; i < 16; i += 4) {
        __m512 a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        __m512 c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
        __m512 d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44); /* columns 0, 4, 8, 12 of rows i .. i + 3 */
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; i++) {
        __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        __m512 b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        __m512 d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        float *column = to + (size_t)i * apart;
        _mm512_storeu_ps(column, _mm512_shuffle_f32x4(a, c, 0x88));
        _mm512_storeu_ps(column + 4 * apart, _mm512_shuffle_f32x4(b, d, 0x88));
        _mm512_storeu_ps(column + 8 * apart, _mm512_shuffle_f32x4(a, c, 0xdd));
        _mm512_storeu_ps(column + 12 * apart, _mm512_shuffle_f32x4(b, d, 0xdd));
    }
}

TARGET void rw_avx512_turn(const float *from, size_t depth, float *to, size_t panel) {
    for (size_t k = 0; k < depth; k += LANES, from += LANES, to += LANES * panel)
        turn_16(from, RW_STAGE_STRIDE, to, panel);
}

const rw_cpu_weights rw_cpu_avx512_weights = {
    .panel = PANEL,
    .widen = rw_avx2_widen,
    .turn = rw_avx512_turn,
    .multiply = multiply,
    .dots = rw_avx512_dots,
    .int8 = &rw_avx2_int8,
};

const rw_cpu_weights rw_cpu_avx512_vnni_weights = {
    .panel = PANEL,
    .widen = rw_avx2_widen,
    .turn = rw_avx512_turn,
    .multiply = multiply,
    .dots = rw_avx512_dots,
    .int8 = &rw_avx512_int8,
};

#endif
