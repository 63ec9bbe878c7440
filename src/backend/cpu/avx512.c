/*
<<<<<<< Updated upstream
 * avx512.c - AVX-512: what loss and gate do with rows of numbers, and the table of the level.
=======
 * avx512.c - what AVX-512 adds to the kernels.
>>>>>>> Stashed changes
 */
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx512.h"

<<<<<<< Updated upstream
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 16 };

/* ---- rows ------------------------------------------------------------------------------------ */

/* As in avx2.c. */
INLINE __m512 exponential(__m512 x) {
    const __m512 low = _mm512_set1_ps(-87.0f), high = _mm512_set1_ps(88.0f);
    __mmask16 stays = _mm512_cmp_ps_mask(x, low, _CMP_NLT_UQ);
    x = _mm512_min_ps(high, _mm512_max_ps(low, x)); /* in this order NaN stays NaN */
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.715476p+0f)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62e4p-1f), x); /* ln 2 in two parts */
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.7f7d1cp-20f), r);
    __m512 y = _mm512_set1_ps(1.0f / 5040.0f);
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 720.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 120.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 24.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f / 6.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(0.5f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
    y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
    __m512i power =
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    return _mm512_maskz_mul_ps(stays, y, _mm512_castsi512_ps(power));
}

TARGET static float row_max(const float *x, size_t n) {
    __m512 max = _mm512_loadu_ps(x);
    for (size_t i = LANES; i < n; i += LANES)
        max = _mm512_max_ps(max, _mm512_loadu_ps(x + i));
    return _mm512_reduce_max_ps(max);
}

TARGET static float exp_sum(float *x, size_t n, float max) {
    __m512 sum = _mm512_setzero_ps(), shift = _mm512_set1_ps(max);
    for (size_t i = 0; i < n; i += LANES) {
        __m512 y = exponential(_mm512_sub_ps(_mm512_loadu_ps(x + i), shift));
        _mm512_storeu_ps(x + i, y);
        sum = _mm512_add_ps(sum, y);
    }
    return _mm512_reduce_add_ps(sum);
}

TARGET static void scale(float *x, size_t n, float factor) {
    for (size_t i = 0; i < n; i += LANES)
        _mm512_storeu_ps(x + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(factor)));
}

TARGET static void gate(const float *g, const float *up, float *out, size_t n) {
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        __m512 x = _mm512_loadu_ps(g + i);
        __m512 below = _mm512_add_ps(one, exponential(_mm512_xor_ps(x, sign)));
        __m512 y = _mm512_mul_ps(_mm512_div_ps(x, below), _mm512_loadu_ps(up + i));
        _mm512_storeu_ps(out + i, y);
    }
}
=======
#include "backend/cpu/unary_loops.h"
>>>>>>> Stashed changes

/* With instructions for int8 (VNNI), which came later. */
static const rw_cpu_isa avx512_vnni = {.weights = &rw_cpu_avx512_vnni_weights,
                                       .rows = &rw_avx2_rows,
                                       .attention = &rw_avx512_attention,
                                       .row_max = row_max,
                                       .exp_sum = exp_sum,
                                       .cap = cap,
                                       .gate = gate};

static const rw_cpu_isa avx512 = {.weights = &rw_cpu_avx512_weights,
                                  .rows = &rw_avx2_rows,
                                  .attention = &rw_avx512_attention,
                                  .row_max = row_max,
                                  .exp_sum = exp_sum,
                                  .cap = cap,
                                  .gate = gate};

void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    rw_cpu_tiled(kernels, __builtin_cpu_supports("avx512vnni") ? &avx512_vnni : &avx512);
}

#else

void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    (void)kernels;
}

#endif
