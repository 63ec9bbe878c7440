/*
<<<<<<< Updated upstream
 * avx2.c - AVX2 and FMA: what loss and gate do with rows of numbers, and the table of the level.
=======
 * avx2.c - what AVX2, FMA and F16C adds to the kernels.
>>>>>>> Stashed changes
 */
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx2.h"

<<<<<<< Updated upstream
#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 8 };

/* ---- rows ------------------------------------------------------------------------------------ */

/* exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, and e^r by its series to r^7: the
   next term is below 6e-9. Below -87 the result is 0, above 88 that of 88. */
INLINE __m256 exponential(__m256 x) {
    const __m256 low = _mm256_set1_ps(-87.0f), high = _mm256_set1_ps(88.0f);
    __m256 vanishes = _mm256_cmp_ps(x, low, _CMP_LT_OQ);
    x = _mm256_min_ps(high, _mm256_max_ps(low, x)); /* in this order NaN stays NaN */
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(0x1.715476p+0f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.62e4p-1f), x); /* ln 2 in two parts */
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.7f7d1cp-20f), r);
    __m256 y = _mm256_set1_ps(1.0f / 5040.0f);
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.0f / 720.0f));
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.0f / 120.0f));
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.0f / 24.0f));
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.0f / 6.0f));
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(0.5f));
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.0f));
    y = _mm256_fmadd_ps(y, r, _mm256_set1_ps(1.0f));
    __m256i power =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_andnot_ps(vanishes, _mm256_mul_ps(y, _mm256_castsi256_ps(power)));
}

INLINE float sum_of(__m256 x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

TARGET static float row_max(const float *x, size_t n) {
    __m256 max = _mm256_loadu_ps(x);
    for (size_t i = LANES; i < n; i += LANES)
        max = _mm256_max_ps(max, _mm256_loadu_ps(x + i));
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

TARGET static float exp_sum(float *x, size_t n, float max) {
    __m256 sum = _mm256_setzero_ps(), shift = _mm256_set1_ps(max);
    for (size_t i = 0; i < n; i += LANES) {
        __m256 y = exponential(_mm256_sub_ps(_mm256_loadu_ps(x + i), shift));
        _mm256_storeu_ps(x + i, y);
        sum = _mm256_add_ps(sum, y);
    }
    return sum_of(sum);
}

TARGET static void scale(float *x, size_t n, float factor) {
    for (size_t i = 0; i < n; i += LANES)
        _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(factor)));
}

TARGET static void gate(const float *g, const float *up, float *out, size_t n) {
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        __m256 x = _mm256_loadu_ps(g + i);
        __m256 below = _mm256_add_ps(one, exponential(_mm256_xor_ps(x, sign)));
        __m256 y = _mm256_mul_ps(_mm256_div_ps(x, below), _mm256_loadu_ps(up + i));
        _mm256_storeu_ps(out + i, y);
    }
}
=======
#include "backend/cpu/unary_loops.h"
>>>>>>> Stashed changes

static const rw_cpu_isa avx2 = {.weights = &rw_cpu_avx2_weights,
                                .rows = &rw_avx2_rows,
                                .attention = &rw_avx2_attention,
                                .row_max = row_max,
                                .exp_sum = exp_sum,
                                .cap = cap,
                                .gate = gate};

void rw_cpu_avx2(rw_cpu_kernels *kernels) {
    rw_cpu_tiled(kernels, &avx2);
}

#else

void rw_cpu_avx2(rw_cpu_kernels *kernels) {
    (void)kernels;
}

#endif
