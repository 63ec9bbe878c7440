/*
 * vector_avx512.h - vector_avx2.h's operations for AVX-512.
 */
#ifndef RW_BACKEND_CPU_VECTOR_H
#define RW_BACKEND_CPU_VECTOR_H

#include <immintrin.h>

#include "backend/cpu/number.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum {
    LANES = 16,
    BLOCK_ROWS = 8, /* x 3 vectors: 24 sums, 3 of b, 1 of a */
    PARTS = 1,      /* of a block: exponentials would compete with the multiply-adds */
    FEW_KEYS = 4    /* x 4 rows: 16 sums */
};

typedef __m512 vec;

INLINE vec v_zero(void) {
    return _mm512_setzero_ps();
}
INLINE vec v_all(float x) {
    return _mm512_set1_ps(x);
}
INLINE vec v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
INLINE void v_store(float *p, vec x) {
    _mm512_storeu_ps(p, x);
}
INLINE vec v_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
INLINE vec v_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
INLINE vec v_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
INLINE vec v_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
INLINE vec v_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
/* b where a is NaN */
INLINE vec v_max(vec a, vec b) {
    return _mm512_max_ps(a, b);
}
INLINE vec v_abs(vec x) {
    return _mm512_abs_ps(x);
}
INLINE vec v_sign_of(vec sign, vec size) {
    return _mm512_or_ps(_mm512_and_ps(_mm512_set1_ps(-0.0f), sign), size);
}
/* a > b ? x : y, lane by lane */
INLINE vec v_where_above(vec a, vec b, vec x, vec y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x);
}
INLINE bool v_any_above(vec a, vec b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0;
}
/* x where from <= at < to, else -inf */
INLINE vec v_seen(vec x, int32_t at, const int32_t *from, const int32_t *to) {
    __m512i here = _mm512_set1_epi32(at);
    __mmask16 seen = _mm512_cmp_epi32_mask(_mm512_loadu_si512(from), here, _MM_CMPINT_LE);
    seen = _mm512_mask_cmp_epi32_mask(seen, here, _mm512_loadu_si512(to), _MM_CMPINT_LT);
    return _mm512_mask_blend_ps(seen, _mm512_set1_ps(-__builtin_inff()), x);
}

/* 2^x for x <= 120, within 2 ulp; 0 below -126 (subnormal weights would only be slow), NaN for NaN.
   x = floor(x) + r; scalef takes the floor itself. The polynomial is the minimax one of degree 5 on
   [0, 1) with 2^0 = 1, in units of the last place. */
INLINE vec v_exp2(vec x) {
    vec r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vec y = v_fma(v_all(0x1.ee3828p-10f), r, v_all(0x1.260a28p-7f));
    y = v_fma(y, r, v_all(0x1.c9686cp-5f));
    y = v_fma(y, r, v_all(0x1.ebd53cp-3f));
    y = v_fma(y, r, v_all(0x1.62e4e2p-1f));
    y = v_fma(y, r, v_all(1.0f));
    __mmask16 stays = _mm512_cmp_ps_mask(x, v_all(-126.0f), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(stays, y, x);
}

/* e^x as there, down to the subnormal numbers. */
INLINE vec v_exp(vec x) {
    x = _mm512_min_ps(v_all(200.0f), _mm512_max_ps(v_all(-200.0f), x)); /* NaN stays NaN */
    vec n = _mm512_roundscale_ps(v_mul(x, v_all(0x1.715476p+0f)),
                                 _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vec r = _mm512_fnmadd_ps(n, v_all(0x1.62e4p-1f), x);
    r = _mm512_fnmadd_ps(n, v_all(0x1.7f7d1cp-20f), r);
    vec y = v_fma(v_all(1.0f / 5040.0f), r, v_all(1.0f / 720.0f));
    y = v_fma(y, r, v_all(1.0f / 120.0f));
    y = v_fma(y, r, v_all(1.0f / 24.0f));
    y = v_fma(y, r, v_all(1.0f / 6.0f));
    y = v_fma(y, r, v_all(0.5f));
    y = v_fma(y, r, v_all(1.0f));
    y = v_fma(y, r, v_all(1.0f));
    return _mm512_scalef_ps(y, n);
}

/* ---- keys and values as they lie ------------------------------------------------------------- */

INLINE vec v_load_f16(const char *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
/* One float16 in all lanes. */
INLINE vec v_all_f16(const char *p) {
    __m256i same = _mm256_set1_epi16((short)rw_u16_at(p, 0));
    return _mm512_cvtph_ps(same);
}
INLINE vec v_load_bf16(const char *p) {
    __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
INLINE vec v_load_i8(const char *p) {
    __m128i whole = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(whole));
}

/* ---- across lanes ---------------------------------------------------------------------------- */

INLINE __m256 halves(vec x) {
    return _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
}
/* Four sums begun: of a, b, c, d, in every four lanes. */
INLINE vec v_four_sums(vec a, vec b, vec c, vec d) {
    __m512d ab = _mm512_castps_pd(v_add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
    __m512d cd = _mm512_castps_pd(v_add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
    return v_add(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                 _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
}
/* What was begun FEW_KEYS times, ended and side by side. */
INLINE vec v_end_sums(vec k0, vec k1, vec k2, vec k3) {
    vec low = v_add(_mm512_shuffle_f32x4(k0, k1, 0x44), _mm512_shuffle_f32x4(k0, k1, 0xee));
    vec high = v_add(_mm512_shuffle_f32x4(k2, k3, 0x44), _mm512_shuffle_f32x4(k2, k3, 0xee));
    return v_add(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
}
/* Lanes i, i + 4, ... added, or the largest of them. */
INLINE __m128 v_add_quads(vec x) {
    __m256 half = halves(x);
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
INLINE __m128 v_max_quads(vec x) {
    __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    return _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
INLINE float v_max_lane(vec x) {
    return _mm512_reduce_max_ps(x);
}
INLINE float v_sum_lanes(vec x) {
    return _mm512_reduce_add_ps(x);
}
/* x repeated */
INLINE vec v_quads(__m128 x) {
    return _mm512_broadcast_f32x4(x);
}

#endif
