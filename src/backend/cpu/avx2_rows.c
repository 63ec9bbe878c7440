/*
 * avx2_rows.c - rows.h for AVX2, FMA and F16C.
 */
#include "backend/cpu/number.h"
#include "backend/cpu/rows.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 8 };

/* ---- elements of a cache --------------------------------------------------------------------- */

TARGET static void narrow_f16(const float *x, char *out, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm_storeu_si128((__m128i *)(void *)(out + 2 * i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    rw_to_cache(RW_ELEMENT_F16, x + i, out + 2 * i, n - i);
}

TARGET static void widen_f16(const char *x, float *out, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(
            out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + 2 * i))));
    rw_from_cache(RW_ELEMENT_F16, x + 2 * i, out + i, n - i);
}

TARGET static void widen_q8_0(const char *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i += RW_Q8_0_ELEMENTS, x += RW_Q8_0_BYTES) {
        __m256 d = _mm256_cvtph_ps(_mm_set1_epi16((short)rw_u16_at(x, 0)));
        for (size_t j = 0; j < RW_Q8_0_ELEMENTS; j += LANES) {
            __m128i whole = _mm_loadl_epi64((const __m128i *)(const void *)(x + 2 + j));
            __m256 y = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(whole));
            _mm256_storeu_ps(out + i + j, _mm256_mul_ps(d, y));
        }
    }
}

/* The other conversions are number.h's own loops, built for these vectors. */
TARGET static void narrow(rw_element element, const float *x, void *out, size_t n) {
    if (element == RW_ELEMENT_F16)
        narrow_f16(x, out, n);
    else
        rw_to_cache(element, x, out, n);
}

TARGET static void widen(rw_element element, const void *x, float *out, size_t n) {
    if (element == RW_ELEMENT_F16)
        widen_f16(x, out, n);
    else if (element == RW_ELEMENT_Q8_0)
        widen_q8_0(x, out, n);
    else
        rw_from_cache(element, x, out, n);
}

const rw_cpu_rows rw_avx2_rows = {.narrow = narrow, .widen = widen};

#endif
