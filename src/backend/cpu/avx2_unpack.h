/*
 * avx2_unpack.h - runs of packed weights in registers: unpack.c for AVX2. For the files that
 * multiply; everything is inlined into loops over one type.
 */
#ifndef RW_BACKEND_CPU_AVX2_UNPACK_H
#define RW_BACKEND_CPU_AVX2_UNPACK_H

#include <immintrin.h>
#include <string.h>

#include "backend/cpu/unpack.h"

#define RW_AVX2 __attribute__((target("avx2,fma,f16c")))
#define RW_AVX2_INLINE RW_AVX2 __attribute__((always_inline)) static inline

/* As rw_run. */
typedef struct rw_run256 {
    __m256i codes;            /* uint8 [32] */
    __m256 scale[2], minimum; /* eight times the same */
} rw_run256;

/* Eight times the half at `at`. */
RW_AVX2_INLINE __m256 rw_half256(const uint8_t *at) {
    short half;
    memcpy(&half, at, sizeof half);
    return _mm256_cvtph_ps(_mm_set1_epi16(half));
}

RW_AVX2_INLINE __m256 rw_negative256(__m256 x) {
    return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
}

RW_AVX2_INLINE __m256i rw_load256(const uint8_t *at) {
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

/* 16 bytes to 32 nibbles: the low ones first. */
RW_AVX2_INLINE __m256i rw_nibbles256(const uint8_t *at) {
    __m128i both = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m256i apart =
        _mm256_inserti128_si256(_mm256_castsi128_si256(both), _mm_srli_epi16(both, 4), 1);
    return _mm256_and_si256(apart, _mm256_set1_epi8(15));
}

/* Bit i of four bytes to 16 in byte i. */
RW_AVX2_INLINE __m256i rw_fifths256(const uint8_t *at) {
    int bits;
    memcpy(&bits, at, sizeof bits);
    const __m256i spread =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
    return _mm256_and_si256(set, _mm256_set1_epi8(16));
}

RW_AVX2_INLINE rw_run256 rw_q8_0_256(const uint8_t *block, size_t run) {
    (void)run;
    __m256 scale = rw_half256(block);
    __m256i codes = _mm256_xor_si256(rw_load256(block + 2), _mm256_set1_epi8(-128));
    return (rw_run256){codes, {scale, scale}, _mm256_setzero_ps()};
}

RW_AVX2_INLINE rw_run256 rw_q4_0_256(const uint8_t *block, size_t run) {
    (void)run;
    __m256 scale = rw_half256(block);
    return (rw_run256){rw_nibbles256(block + 2), {scale, scale}, _mm256_setzero_ps()};
}

RW_AVX2_INLINE rw_run256 rw_q4_1_256(const uint8_t *block, size_t run) {
    (void)run;
    __m256 scale = rw_half256(block);
    return (rw_run256){
        rw_nibbles256(block + 4), {scale, scale}, rw_negative256(rw_half256(block + 2))};
}

RW_AVX2_INLINE rw_run256 rw_q5_0_256(const uint8_t *block, size_t run) {
    (void)run;
    __m256 scale = rw_half256(block);
    __m256i codes = _mm256_or_si256(rw_nibbles256(block + 6), rw_fifths256(block + 2));
    return (rw_run256){codes, {scale, scale}, _mm256_setzero_ps()};
}

RW_AVX2_INLINE rw_run256 rw_q5_1_256(const uint8_t *block, size_t run) {
    (void)run;
    __m256 scale = rw_half256(block);
    __m256i codes = _mm256_or_si256(rw_nibbles256(block + 8), rw_fifths256(block + 4));
    return (rw_run256){codes, {scale, scale}, rw_negative256(rw_half256(block + 2))};
}

/* 32 bytes, each shifted right; what came from the neighbour has to be masked. */
RW_AVX2_INLINE __m256i rw_shifted256(const uint8_t *at, size_t shift) {
    return _mm256_srl_epi16(rw_load256(at), _mm_cvtsi32_si128((int)shift));
}

RW_AVX2_INLINE rw_run256 rw_k_256(const uint8_t *block, const uint8_t *nibbles, size_t run) {
    int scale, minimum;
    rw_k_scales(block + 4, run, &scale, &minimum);
    __m256 step = _mm256_mul_ps(rw_half256(block), _mm256_set1_ps((float)scale));
    __m256 lowest = _mm256_mul_ps(rw_half256(block + 2), _mm256_set1_ps((float)minimum));
    __m256i codes =
        _mm256_and_si256(rw_shifted256(nibbles + run / 2 * 32, run % 2 * 4), _mm256_set1_epi8(15));
    return (rw_run256){codes, {step, step}, lowest};
}

RW_AVX2_INLINE rw_run256 rw_q4_k_256(const uint8_t *block, size_t run) {
    return rw_k_256(block, block + 16, run);
}

RW_AVX2_INLINE rw_run256 rw_q5_k_256(const uint8_t *block, size_t run) {
    rw_run256 out = rw_k_256(block, block + 48, run);
    __m256i fifth = _mm256_and_si256(rw_shifted256(block + 16, run), _mm256_set1_epi8(1));
    out.codes = _mm256_or_si256(out.codes, _mm256_slli_epi16(fifth, 4));
    return out;
}

RW_AVX2_INLINE rw_run256 rw_q6_k_256(const uint8_t *block, size_t run) {
    const __m256 d = rw_half256(block + 208);
    const int8_t *scales = (const int8_t *)block + 192 + 2 * run;
    __m256i low = rw_shifted256(block + run / 4 * 64 + run % 2 * 32, run / 2 % 2 * 4);
    __m256i high = rw_shifted256(block + 128 + run / 4 * 32, run % 4 * 2);
    low = _mm256_and_si256(low, _mm256_set1_epi8(15));
    high = _mm256_slli_epi16(_mm256_and_si256(high, _mm256_set1_epi8(3)), 4);
    return (rw_run256){_mm256_or_si256(low, high),
                       {_mm256_mul_ps(d, _mm256_set1_ps((float)scales[0])),
                        _mm256_mul_ps(d, _mm256_set1_ps((float)scales[1]))},
                       _mm256_setzero_ps()};
}

/* What a loop over a type must know; constants where it is called. */
typedef struct rw_type256 {
    rw_run256 (*unpack)(const uint8_t *block, size_t run);
    size_t runs, bytes; /* of a block */
    int zero;
    bool minimum; /* of rw_run */
    bool halves;  /* the two scales differ */
} rw_type256;

static const rw_type256 rw_q8_0 = {rw_q8_0_256, 1, 34, 128, false, false};
static const rw_type256 rw_q4_0 = {rw_q4_0_256, 1, 18, 8, false, false};
static const rw_type256 rw_q4_1 = {rw_q4_1_256, 1, 20, 0, true, false};
static const rw_type256 rw_q5_0 = {rw_q5_0_256, 1, 22, 16, false, false};
static const rw_type256 rw_q5_1 = {rw_q5_1_256, 1, 24, 0, true, false};
static const rw_type256 rw_q4_k = {rw_q4_k_256, 8, 144, 0, true, false};
static const rw_type256 rw_q5_k = {rw_q5_k_256, 8, 176, 0, true, false};
static const rw_type256 rw_q6_k = {rw_q6_k_256, 8, 210, 32, false, true};

/* Calls `loop` with a block type that is a constant in it. */
RW_AVX2_INLINE void rw_with_type256(rw_element element,
                                    void (*loop)(const rw_type256 type, void *user), void *user) {
    switch (element) {
    case RW_ELEMENT_Q8_0:
        loop(rw_q8_0, user);
        break;
    case RW_ELEMENT_Q4_0:
        loop(rw_q4_0, user);
        break;
    case RW_ELEMENT_Q4_1:
        loop(rw_q4_1, user);
        break;
    case RW_ELEMENT_Q5_0:
        loop(rw_q5_0, user);
        break;
    case RW_ELEMENT_Q5_1:
        loop(rw_q5_1, user);
        break;
    case RW_ELEMENT_Q4_K:
        loop(rw_q4_k, user);
        break;
    case RW_ELEMENT_Q5_K:
        loop(rw_q5_k, user);
        break;
    case RW_ELEMENT_Q6_K:
        loop(rw_q6_k, user);
        break;
    default:
        break;
    }
}

/* Codes without their zero, on the way to float32: memory hands out any eight of them without a
   shuffle, which Intel has one unit for. */
RW_AVX2_INLINE void rw_store_codes256(__m256i codes, int zero, int8_t *out /* [32] */) {
    if (zero == 128) /* the same, and compilers see that bits are turned over twice */
        codes = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
    else if (zero)
        codes = _mm256_sub_epi8(codes, _mm256_set1_epi8((char)zero));
    _mm256_storeu_si256((__m256i *)(void *)out, codes);
}

#endif
