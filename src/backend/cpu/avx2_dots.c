/*
 * avx2_dots.c - a row of packed weights times one row of x, for AVX2, FMA and F16C: how a token is
 * generated. Every byte of W is read once, so this has to keep up with the memory.
 */
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/avx2_unpack.h"

enum { LANES = 8, AHEAD = 1024 /* bytes that are asked for before they are needed */ };

RW_AVX2_INLINE float sum_of(__m256 x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* ---- block types ----------------------------------------------------------------------------- */

/* Codes times x, of the first and the second half of a run. */
typedef struct halves {
    __m256 low, high;
} halves;

RW_AVX2_INLINE halves times_run(const rw_type256 type, const rw_run256 *run, const float *x) {
    __m256 low = _mm256_mul_ps(rw_codes256(run, 0, type.zero), _mm256_loadu_ps(x));
    __m256 high = _mm256_mul_ps(rw_codes256(run, 2, type.zero), _mm256_loadu_ps(x + 16));
    low = _mm256_fmadd_ps(rw_codes256(run, 1, type.zero), _mm256_loadu_ps(x + 8), low);
    high = _mm256_fmadd_ps(rw_codes256(run, 3, type.zero), _mm256_loadu_ps(x + 24), high);
    return (halves){low, high};
}

RW_AVX2_INLINE __m256 sum_of_run(const float *x) {
    return _mm256_add_ps(_mm256_add_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)),
                         _mm256_add_ps(_mm256_loadu_ps(x + 16), _mm256_loadu_ps(x + 24)));
}

RW_AVX2_INLINE float dot_runs(const rw_type256 type, const void *packed, size_t count,
                              const float *x) {
    const uint8_t *in = packed;
    __m256 sum = _mm256_setzero_ps(), minima = sum;
    for (; count > 0; count -= type.runs * RW_RUN, in += type.bytes)
        for (size_t i = 0; i < type.runs; i++, x += RW_RUN) {
            if (i % 2 == 0)
                _mm_prefetch((const char *)in + AHEAD + i / 2 * 64, _MM_HINT_T0);
            rw_run256 run = type.unpack(in, i);
            halves p = times_run(type, &run, x);
            if (type.halves) {
                sum = _mm256_fmadd_ps(run.scale[0], p.low, sum);
                sum = _mm256_fmadd_ps(run.scale[1], p.high, sum);
            } else {
                sum = _mm256_fmadd_ps(run.scale[0], _mm256_add_ps(p.low, p.high), sum);
            }
            if (type.minimum)
                minima = _mm256_fmadd_ps(run.minimum, sum_of_run(x), minima);
        }
    return sum_of(type.minimum ? _mm256_sub_ps(sum, minima) : sum);
}

/* Eight signed bytes as float32, straight from memory. */
RW_AVX2_INLINE __m256 bytes(const uint8_t *at) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at)));
}

RW_AVX2_INLINE __m256 dot_block_q8_0(const uint8_t *block, const float *x, __m256 scale,
                                     __m256 sum) {
    __m256 low = _mm256_mul_ps(bytes(block + 2), _mm256_loadu_ps(x));
    __m256 high = _mm256_mul_ps(bytes(block + 18), _mm256_loadu_ps(x + 16));
    low = _mm256_fmadd_ps(bytes(block + 10), _mm256_loadu_ps(x + 8), low);
    high = _mm256_fmadd_ps(bytes(block + 26), _mm256_loadu_ps(x + 24), high);
    return _mm256_fmadd_ps(scale, _mm256_add_ps(low, high), sum);
}

/* The scales of eight blocks are widened at once, by way of memory: Intel's one port for shuffles,
   which every conversion of bytes needs, is what limits this loop. */
RW_AVX2 static float dot_q8_0(const void *packed, size_t count, const float *x) {
    enum { BYTES = 34, GROUP = 8 };
    const uint8_t *in = packed;
    __m256 sum = _mm256_setzero_ps(), other = sum;
    for (; count >= GROUP * RW_RUN; count -= GROUP * RW_RUN) {
        float scales[GROUP];
        rw_q8_0_scales(in, scales);
        for (int i = 0; i < GROUP; i += 2, in += 2 * BYTES, x += 2 * RW_RUN) {
            _mm_prefetch((const char *)in + AHEAD, _MM_HINT_T0);
            sum = dot_block_q8_0(in, x, _mm256_broadcast_ss(&scales[i]), sum);
            other =
                dot_block_q8_0(in + BYTES, x + RW_RUN, _mm256_broadcast_ss(&scales[i + 1]), other);
        }
    }
    for (; count > 0; count -= RW_RUN, in += BYTES, x += RW_RUN)
        sum = dot_block_q8_0(in, x, rw_half256(in), sum);
    return sum_of(_mm256_add_ps(sum, other));
}

RW_AVX2 float rw_dot_q4_0(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q4_0, packed, count, x);
}
RW_AVX2 float rw_dot_q4_1(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q4_1, packed, count, x);
}
RW_AVX2 float rw_dot_q5_0(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q5_0, packed, count, x);
}
RW_AVX2 float rw_dot_q5_1(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q5_1, packed, count, x);
}
RW_AVX2 float rw_dot_q4_k(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q4_k, packed, count, x);
}
RW_AVX2 float rw_dot_q5_k(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q5_k, packed, count, x);
}
RW_AVX2 float rw_dot_q6_k(const void *packed, size_t count, const float *x) {
    return dot_runs(rw_q6_k, packed, count, x);
}

/* ---- plain numbers --------------------------------------------------------------------------- */

RW_AVX2_INLINE __m256 load_f32(const uint8_t *at) {
    return _mm256_loadu_ps((const float *)(const void *)at);
}

RW_AVX2_INLINE __m256 load_f16(const uint8_t *at) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
}

RW_AVX2_INLINE __m256 load_bf16(const uint8_t *at) {
    __m128i top = _mm_loadu_si128((const __m128i *)(const void *)at);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(top), 16));
}

/* Four sums side by side hide the multiply-add's latency. */
RW_AVX2_INLINE float dot_plain(__m256 (*load)(const uint8_t *at), rw_element element, size_t size,
                               const void *packed, size_t count, const float *x) {
    const uint8_t *in = packed;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES, in += 4 * LANES * size) {
        _mm_prefetch((const char *)in + AHEAD, _MM_HINT_T0);
        if (size == sizeof(float))
            _mm_prefetch((const char *)in + AHEAD + 64, _MM_HINT_T0);
        s0 = _mm256_fmadd_ps(load(in), _mm256_loadu_ps(x + i), s0);
        s1 = _mm256_fmadd_ps(load(in + LANES * size), _mm256_loadu_ps(x + i + 8), s1);
        s2 = _mm256_fmadd_ps(load(in + 2 * LANES * size), _mm256_loadu_ps(x + i + 16), s2);
        s3 = _mm256_fmadd_ps(load(in + 3 * LANES * size), _mm256_loadu_ps(x + i + 24), s3);
    }
    float sum = sum_of(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
    float rest[4 * LANES];
    rw_widen(element, in, count - i, rest);
    for (size_t j = 0; i + j < count; j++)
        sum += rest[j] * x[i + j];
    return sum;
}

RW_AVX2 static float dot_f32(const void *packed, size_t count, const float *x) {
    return dot_plain(load_f32, RW_ELEMENT_F32, sizeof(float), packed, count, x);
}
RW_AVX2 static float dot_f16(const void *packed, size_t count, const float *x) {
    return dot_plain(load_f16, RW_ELEMENT_F16, sizeof(uint16_t), packed, count, x);
}
RW_AVX2 static float dot_bf16(const void *packed, size_t count, const float *x) {
    return dot_plain(load_bf16, RW_ELEMENT_BF16, sizeof(uint16_t), packed, count, x);
}

const rw_dot_fn rw_avx2_dot[RW_ELEMENT_COUNT] = {
    [RW_ELEMENT_F32] = dot_f32,      [RW_ELEMENT_F16] = dot_f16,
    [RW_ELEMENT_BF16] = dot_bf16,    [RW_ELEMENT_Q8_0] = dot_q8_0,
    [RW_ELEMENT_Q4_0] = rw_dot_q4_0, [RW_ELEMENT_Q4_1] = rw_dot_q4_1,
    [RW_ELEMENT_Q5_0] = rw_dot_q5_0, [RW_ELEMENT_Q5_1] = rw_dot_q5_1,
    [RW_ELEMENT_Q4_K] = rw_dot_q4_k, [RW_ELEMENT_Q5_K] = rw_dot_q5_k,
    [RW_ELEMENT_Q6_K] = rw_dot_q6_k,
};

#endif
