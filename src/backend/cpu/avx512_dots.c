/*
 * avx512_dots.c - avx2_dots.c for AVX-512, where its width tells: plain numbers and Q8_0.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/avx2_unpack.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define INLINE TARGET __attribute__((always_inline)) static inline

enum { LANES = 16, AHEAD = 1024 /* bytes that are asked for before they are needed */ };

/* Sixteen signed bytes as float32, straight from memory. */
INLINE __m512 bytes(const uint8_t *at) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)));
}

INLINE __m512 dot_block_q8_0(const uint8_t *block, const float *x, __m512 scale, __m512 sum) {
    __m512 p = _mm512_mul_ps(bytes(block + 2), _mm512_loadu_ps(x));
    p = _mm512_fmadd_ps(bytes(block + 2 + LANES), _mm512_loadu_ps(x + LANES), p);
    return _mm512_fmadd_ps(scale, p, sum);
}

/* Scales as in avx2_dots.c. */
TARGET static float dot_q8_0(const void *packed, size_t count, const float *x) {
    enum { BYTES = 34, GROUP = 8 };
    const uint8_t *in = packed;
    __m512 sum = _mm512_setzero_ps(), other = sum;
    for (; count >= GROUP * RW_RUN; count -= GROUP * RW_RUN) {
        float scales[GROUP];
        rw_q8_0_scales(in, scales);
        for (int i = 0; i < GROUP; i += 2, in += 2 * BYTES, x += 2 * RW_RUN) {
            _mm_prefetch((const char *)in + AHEAD, _MM_HINT_T0);
            sum = dot_block_q8_0(in, x, _mm512_set1_ps(scales[i]), sum);
            other = dot_block_q8_0(in + BYTES, x + RW_RUN, _mm512_set1_ps(scales[i + 1]), other);
        }
    }
    for (; count > 0; count -= RW_RUN, in += BYTES, x += RW_RUN)
        sum = dot_block_q8_0(in, x, _mm512_set1_ps(_mm256_cvtss_f32(rw_half256(in))), sum);
    return _mm512_reduce_add_ps(_mm512_add_ps(sum, other));
}

INLINE __m512 load_f32(const uint8_t *at) {
    return _mm512_loadu_ps((const float *)(const void *)at);
}

INLINE __m512 load_f16(const uint8_t *at) {
    return _mm512_cvtph_ps(rw_load256(at));
}

INLINE __m512 load_bf16(const uint8_t *at) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(rw_load256(at)), 16));
}

INLINE float dot_plain(__m512 (*load)(const uint8_t *at), rw_element element, size_t size,
                       const void *packed, size_t count, const float *x) {
    const uint8_t *in = packed;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    size_t i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES, in += 2 * LANES * size) {
        _mm_prefetch((const char *)in + AHEAD, _MM_HINT_T0);
        if (size == sizeof(float))
            _mm_prefetch((const char *)in + AHEAD + 64, _MM_HINT_T0);
        s0 = _mm512_fmadd_ps(load(in), _mm512_loadu_ps(x + i), s0);
        s1 = _mm512_fmadd_ps(load(in + LANES * size), _mm512_loadu_ps(x + i + LANES), s1);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
    float rest[2 * LANES];
    rw_widen(element, in, count - i, rest);
    for (size_t j = 0; i + j < count; j++)
        sum += rest[j] * x[i + j];
    return sum;
}

TARGET static float dot_f32(const void *packed, size_t count, const float *x) {
    return dot_plain(load_f32, RW_ELEMENT_F32, sizeof(float), packed, count, x);
}
TARGET static float dot_f16(const void *packed, size_t count, const float *x) {
    return dot_plain(load_f16, RW_ELEMENT_F16, sizeof(uint16_t), packed, count, x);
}
TARGET static float dot_bf16(const void *packed, size_t count, const float *x) {
    return dot_plain(load_bf16, RW_ELEMENT_BF16, sizeof(uint16_t), packed, count, x);
}

const rw_dot_fn rw_avx512_dot[RW_ELEMENT_COUNT] = {
    [RW_ELEMENT_F32] = dot_f32,      [RW_ELEMENT_F16] = dot_f16,
    [RW_ELEMENT_BF16] = dot_bf16,    [RW_ELEMENT_Q8_0] = dot_q8_0,
    [RW_ELEMENT_Q4_0] = rw_dot_q4_0, [RW_ELEMENT_Q4_1] = rw_dot_q4_1,
    [RW_ELEMENT_Q5_0] = rw_dot_q5_0, [RW_ELEMENT_Q5_1] = rw_dot_q5_1,
    [RW_ELEMENT_Q4_K] = rw_dot_q4_k, [RW_ELEMENT_Q5_K] = rw_dot_q5_k,
    [RW_ELEMENT_Q6_K] = rw_dot_q6_k,
};

#endif
