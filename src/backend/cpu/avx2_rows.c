/*
 * avx2_rows.c - rows.h for AVX2, FMA and F16C.
 */
#include "backend/cpu/rows.h"

#if defined(__x86_64__)

#include <math.h>

#include "backend/cpu/vector_avx2.h"

/* ---- elements of a cache --------------------------------------------------------------------- */

TARGET static void narrow_f16(const float *x, char *out, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm_storeu_si128((__m128i *)(void *)(out + 2 * i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    rw_to_cache(RW_ELEMENT_F16, x + i, out + 2 * i, n - i);
}

INLINE void widen_f16(const char *x, float *out, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(out + i, v_load_f16(x + 2 * i));
    for (; i < n; i++)
        out[i] = rw_of_f16(rw_u16_at(x, i));
}

INLINE void widen_bf16(const char *x, float *out, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(out + i, v_load_bf16(x + 2 * i));
    for (; i < n; i++)
        out[i] = rw_of_bf16(rw_u16_at(x, i));
}

INLINE void widen_q8_0(const char *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i += RW_Q8_0_ELEMENTS, x += RW_Q8_0_BYTES) {
        vec d = v_all(_cvtsh_ss(rw_u16_at(x, 0)));
        for (size_t j = 0; j < RW_Q8_0_ELEMENTS; j += LANES)
            v_store(out + i + j, v_mul(d, v_load_i8(x + 2 + j)));
    }
}

INLINE void widen_f32(const char *x, float *out, size_t n) {
    const float *from = (const float *)(const void *)x;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(out + i, v_load(from + i));
    for (; i < n; i++)
        out[i] = from[i];
}

/* The other conversions are number.h's own loops, built for these vectors. */
TARGET static void narrow(rw_element element, const float *x, void *out, size_t n) {
    if (element == RW_ELEMENT_F16)
        narrow_f16(x, out, n);
    else
        rw_to_cache(element, x, out, n);
}

TARGET static void widen(const rw_packed_rows *x, float *out, size_t stride) {
    const char *from = x->first;
    for (size_t i = 0; i < x->rows; i++, from += x->apart, out += stride)
        if (x->element == RW_ELEMENT_F16)
            widen_f16(from, out, x->n);
        else if (x->element == RW_ELEMENT_Q8_0)
            widen_q8_0(from, out, x->n);
        else if (x->element == RW_ELEMENT_BF16)
            widen_bf16(from, out, x->n);
        else
            widen_f32(from, out, x->n);
}

/* ---- rotation -------------------------------------------------------------------------------- */

INLINE void rotate_pair(float *first, float *second, float cosine, float sine) {
    float a = *first, b = *second;
    *first = a * cosine - b * sine;
    *second = b * cosine + a * sine;
}

INLINE void rotate_halves(float *x, const float *cosine, const float *sine, size_t pairs) {
    size_t k = 0;
    for (; k + LANES <= pairs; k += LANES) {
        vec a = v_load(x + k), b = v_load(x + k + pairs), c = v_load(cosine + k),
            s = v_load(sine + k);
        v_store(x + k, v_sub(v_mul(a, c), v_mul(b, s)));
        v_store(x + k + pairs, v_add(v_mul(b, c), v_mul(a, s)));
    }
    for (; k < pairs; k++)
        rotate_pair(x + k, x + k + pairs, cosine[k], sine[k]);
}

INLINE vec each_twice(const float *x) {
    const __m256i order = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(x)), order);
}

INLINE void rotate_neighbours(float *x, const float *cosine, const float *sine, size_t pairs) {
    size_t k = 0;
    for (; k + LANES / 2 <= pairs; k += LANES / 2) {
        vec y = v_load(x + 2 * k), swapped = _mm256_permute_ps(y, 0xb1);
        v_store(x + 2 * k, _mm256_addsub_ps(v_mul(y, each_twice(cosine + k)),
                                            v_mul(swapped, each_twice(sine + k))));
    }
    for (; k < pairs; k++)
        rotate_pair(x + 2 * k, x + 2 * k + 1, cosine[k], sine[k]);
}

TARGET static void rotate(float *x, const float *cosine, const float *sine, size_t pairs,
                          bool interleaved) {
    if (interleaved)
        rotate_neighbours(x, cosine, sine, pairs);
    else
        rotate_halves(x, cosine, sine, pairs);
}

/* ---- norm and sum ---------------------------------------------------------------------------- */

/* Squares of float32 are exact in double, and their sum is as good as exact. */
INLINE double sum_of_squares(const float *x, size_t n) {
    __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d a = _mm256_cvtps_pd(_mm_loadu_ps(x + i));
        __m256d b = _mm256_cvtps_pd(_mm_loadu_ps(x + i + LANES / 2));
        low = _mm256_fmadd_pd(a, a, low);
        high = _mm256_fmadd_pd(b, b, high);
    }
    double lanes[4], rest = 0.0;
    _mm256_storeu_pd(lanes, _mm256_add_pd(low, high));
    for (; i < n; i++)
        rest += (double)x[i] * x[i];
    return lanes[0] + lanes[1] + (lanes[2] + lanes[3]) + rest;
}

TARGET static void rms_norm(const float *x, const float *weight, float eps, float *out, size_t n) {
    float factor = (float)(1.0 / sqrt(sum_of_squares(x, n) / (double)n + (double)eps));
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(out + i, v_mul(v_mul(v_load(x + i), v_all(factor)), v_load(weight + i)));
    for (; i < n; i++)
        out[i] = x[i] * factor * weight[i];
}

TARGET static void add(float *x, const float *y, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(x + i, v_add(v_load(x + i), v_load(y + i)));
    for (; i < n; i++)
        x[i] += y[i];
}

const rw_cpu_rows rw_avx2_rows = {
    .narrow = narrow, .widen = widen, .rotate = rotate, .rms_norm = rms_norm, .add = add};

#endif
