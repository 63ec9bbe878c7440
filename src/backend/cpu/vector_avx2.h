/*
 * vector_avx2.h - the few operations on vectors that the loops of attention and rows are written
 * in, for AVX2, FMA and F16C. vector_avx512.h has the same names; a file includes one of them.
 */
#ifndef RW_BACKEND_CPU_VECTOR_H
#define RW_BACKEND_CPU_VECTOR_H

#include <immintrin.h>

#include "backend/cpu/number.h"

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum {
    LANES = 8,
    BLOCK_ROWS = 4, /* x 3 vectors: 12 sums, 3 of b, 1 of a */
    PARTS = 4,      /* of a block, exponentials between them: their additions have a unit apart */
    FEW_KEYS = 2    /* x 4 rows: 8 sums */
};

typedef __m256 vec;

INLINE vec v_zero(void) {
    return _mm256_setzero_ps();
}
INLINE vec v_all(float x) {
    return _mm256_set1_ps(x);
}
INLINE vec v_load(const float *p) {
    return _mm256_loadu_ps(p);
}
INLINE void v_store(float *p, vec x) {
    _mm256_storeu_ps(p, x);
}
INLINE vec v_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
INLINE vec v_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
INLINE vec v_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
INLINE vec v_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
INLINE vec v_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
/* b where a is NaN */
INLINE vec v_max(vec a, vec b) {
    return _mm256_max_ps(a, b);
}
INLINE vec v_abs(vec x) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
INLINE vec v_sign_of(vec sign, vec size) {
    return _mm256_or_ps(_mm256_and_ps(_mm256_set1_ps(-0.0f), sign), size);
}
/* a > b ? x : y, lane by lane */
INLINE vec v_where_above(vec a, vec b, vec x, vec y) {
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
INLINE bool v_any_above(vec a, vec b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0;
}
/* x where from <= at < to, else -inf */
INLINE vec v_seen(vec x, int32_t at, const int32_t *from, const int32_t *to) {
    __m256i here = _mm256_set1_epi32(at);
    __m256i early =
        _mm256_cmpgt_epi32(_mm256_loadu_si256((const __m256i *)(const void *)from), here);
    __m256i before =
        _mm256_cmpgt_epi32(_mm256_loadu_si256((const __m256i *)(const void *)to), here);
    __m256 seen = _mm256_castsi256_ps(_mm256_andnot_si256(early, before));
    return _mm256_blendv_ps(_mm256_set1_ps(-__builtin_inff()), x, seen);
}

/* 2^x for x <= 120, within 2 ulp; 0 from -127 down, NaN for the NaN of arithmetic. x = n + r, |r|
   <= 1/2: adding 1.5 2^23 leaves n in the low bits, which are added to the exponent (in -127 < x <
   -126 what comes out is small enough, but no power). The polynomial is the minimax one of degree 5
   with 2^0 = 1, in units of the last place. */
INLINE vec v_exp2(vec x) {
    const vec magic = v_all(0x1.8p+23f);
    x = v_max(v_all(-127.0f), x);
    vec shifted = v_add(x, magic), r = v_sub(x, v_sub(shifted, magic));
    vec y = v_fma(v_all(0x1.5ab438p-10f), r, v_all(0x1.3ceca0p-7f));
    y = v_fma(y, r, v_all(0x1.c6baa2p-5f));
    y = v_fma(y, r, v_all(0x1.ebf9b4p-3f));
    y = v_fma(y, r, v_all(0x1.62e424p-1f));
    y = v_fma(y, r, v_all(1.0f));
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y), n));
}

/* e^x within 2 ulp: 0 below -87, infinite above 88.4, NaN for NaN. x = n ln 2 + r with |r| <=
   ln 2 / 2, ln 2 in two parts, and e^r by its series to r^7: the next term is below 6e-9. */
INLINE vec v_exp(vec x) {
    const vec low = v_all(-87.0f), high = v_all(89.0f);
    vec vanishes = _mm256_cmp_ps(x, low, _CMP_LT_OQ);
    x = _mm256_min_ps(high, _mm256_max_ps(low, x)); /* in this order NaN stays NaN */
    vec n = _mm256_round_ps(v_mul(x, v_all(0x1.715476p+0f)),
                            _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vec r = _mm256_fnmadd_ps(n, v_all(0x1.62e4p-1f), x);
    r = _mm256_fnmadd_ps(n, v_all(0x1.7f7d1cp-20f), r);
    vec y = v_fma(v_all(1.0f / 5040.0f), r, v_all(1.0f / 720.0f));
    y = v_fma(y, r, v_all(1.0f / 120.0f));
    y = v_fma(y, r, v_all(1.0f / 24.0f));
    y = v_fma(y, r, v_all(1.0f / 6.0f));
    y = v_fma(y, r, v_all(0.5f));
    y = v_fma(y, r, v_all(1.0f));
    y = v_fma(y, r, v_all(1.0f));
    __m256i power = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    y = v_mul(y, _mm256_castsi256_ps(_mm256_slli_epi32(power, 23)));
    return _mm256_andnot_ps(vanishes, y);
}

/* ---- keys and values as they lie ------------------------------------------------------------- */

INLINE vec v_load_f16(const char *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
/* One float16 in all lanes. */
INLINE vec v_all_f16(const char *p) {
    __m128i same = _mm_set1_epi16((short)rw_u16_at(p, 0));
    return _mm256_cvtph_ps(same);
}
INLINE vec v_load_bf16(const char *p) {
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
INLINE vec v_load_i8(const char *p) {
    __m128i whole = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(whole));
}

/* ---- across lanes ---------------------------------------------------------------------------- */

/* Four sums begun: of a, b, c, d, in every four lanes. */
INLINE vec v_four_sums(vec a, vec b, vec c, vec d) {
    __m256d ab = _mm256_castps_pd(v_add(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)));
    __m256d cd = _mm256_castps_pd(v_add(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)));
    return v_add(_mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)),
                 _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)));
}
/* What was begun FEW_KEYS times, ended and side by side. */
INLINE vec v_end_sums(vec k0, vec k1, vec k2, vec k3) {
    (void)k2, (void)k3;
    return v_add(_mm256_permute2f128_ps(k0, k1, 0x20), _mm256_permute2f128_ps(k0, k1, 0x31));
}
/* Lanes i, i + 4, ... added, or the largest of them. */
INLINE __m128 v_add_quads(vec x) {
    return _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
}
INLINE __m128 v_max_quads(vec x) {
    return _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
}
INLINE float v_max_lane(vec x) {
    __m128 quad = v_max_quads(x);
    quad = _mm_max_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_max_ss(quad, _mm_movehdup_ps(quad)));
}
INLINE float v_sum_lanes(vec x) {
    __m128 quad = v_add_quads(x);
    quad = _mm_add_ps(quad, _mm_movehl_ps(quad, quad));
    return _mm_cvtss_f32(_mm_add_ss(quad, _mm_movehdup_ps(quad)));
}
/* x repeated */
INLINE vec v_quads(__m128 x) {
    return _mm256_set_m128(x, x);
}

#endif
