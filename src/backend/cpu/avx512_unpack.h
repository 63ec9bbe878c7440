/*
 * avx512_unpack.h - runs of packed weights as float32 in registers, for AVX-512. Everything is
 * inlined into loops over one type.
 *
 * Codes of four bits index a register: a permutation looks at the low four bits of a lane alone, so
 * the table of a run's sixteen weights, scaled once, is all the arithmetic there is.
 */
#ifndef RW_BACKEND_CPU_AVX512_UNPACK_H
#define RW_BACKEND_CPU_AVX512_UNPACK_H

#include "backend/cpu/unpack.h"
#include "backend/cpu/vector_avx512.h"

/* A run's 32 weights. */
typedef struct rw_run512 {
    __m512 low, high;
} rw_run512;

/* Of sixteen blocks, or of the eight runs of one; Q6_K has a scale for each half of a run. */
typedef struct rw_scales512 {
    _Alignas(64) float scale[16], minimum[16];
} rw_scales512;

/* What a loop over a type must know; constants where it is called. */
typedef struct rw_type512 {
    rw_run512 (*unpack)(const uint8_t *block, size_t run, const float *scale, const float *minimum);
    /* NULL: plain numbers, 32 of which count as a block */
    void (*scales)(const uint8_t *blocks, size_t count, rw_scales512 *out);
    size_t runs, bytes; /* of a block */
} rw_type512;

/* Not inlined: gcc 12 would then take scales out of registers, by shuffles, instead of from memory,
   which hands them out for nothing. */
#define SEPARATE TARGET __attribute__((noinline)) static

/* ---- scales ---------------------------------------------------------------------------------- */

INLINE __m512 rw_iota512(float first) {
    const __m512 iota = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_ps(iota, _mm512_set1_ps(first));
}

INLINE __m512 rw_halves512(__m512i dwords) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(dwords));
}

/* Half d, and where there is a minimum half m behind it, at the beginning of each block. */
INLINE void rw_block_scales(const uint8_t *blocks, size_t count, int bytes, bool minimum,
                            rw_scales512 *out) {
    const __m512i each = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i heads = _mm512_mask_i32gather_epi32(
        _mm512_setzero_si512(), (__mmask16)((1u << count) - 1),
        _mm512_mullo_epi32(each, _mm512_set1_epi32(bytes)), (const int *)(const void *)blocks, 1);
    _mm512_store_ps(out->scale, rw_halves512(heads));
    if (minimum)
        _mm512_store_ps(out->minimum, rw_halves512(_mm512_srli_epi32(heads, 16)));
}

INLINE __m512 rw_half512(const uint8_t *at) {
    short half;
    memcpy(&half, at, sizeof half);
    return _mm512_cvtph_ps(_mm256_set1_epi16(half));
}

/* Half d, half dmin, then twelve bytes: all at once what rw_k_scales does. Lanes are four scales,
   four more, four minima, four more. */
SEPARATE void rw_k_scales512(const uint8_t *block, size_t count, rw_scales512 *out) {
    (void)count;
    const __m128i lower = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i upper = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
    const __m512i shift = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4);
    const __m512i stay =
        _mm512_setr_epi32(63, 63, 63, 63, 15, 15, 15, 15, 63, 63, 63, 63, 15, 15, 15, 15);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
    __m512i low = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(bytes, lower));
    __m512i high = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(bytes, upper));
    low = _mm512_and_si512(_mm512_srlv_epi32(low, shift), stay);
    high = _mm512_and_si512(_mm512_srli_epi32(high, 2), _mm512_set1_epi32(0x30));
    __m512 factor = _mm512_mask_blend_ps(0xff00, rw_half512(block), rw_half512(block + 2));
    __m512 all = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_or_si512(low, high)), factor);
    _mm256_store_ps(out->scale, _mm512_castps512_ps256(all));
    _mm256_store_ps(out->minimum, _mm512_extractf32x8_ps(all, 1));
}

SEPARATE void rw_q6_k_scales(const uint8_t *block, size_t count, rw_scales512 *out) {
    (void)count;
    __m512i scales =
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(block + 192)));
    _mm512_store_ps(out->scale, _mm512_mul_ps(_mm512_cvtepi32_ps(scales), rw_half512(block + 208)));
}

SEPARATE void rw_q8_0_scales512(const uint8_t *blocks, size_t count, rw_scales512 *out) {
    rw_block_scales(blocks, count, 34, false, out);
}
SEPARATE void rw_q4_0_scales(const uint8_t *blocks, size_t count, rw_scales512 *out) {
    rw_block_scales(blocks, count, 18, false, out);
}
SEPARATE void rw_q4_1_scales(const uint8_t *blocks, size_t count, rw_scales512 *out) {
    rw_block_scales(blocks, count, 20, true, out);
}
SEPARATE void rw_q5_0_scales(const uint8_t *blocks, size_t count, rw_scales512 *out) {
    rw_block_scales(blocks, count, 22, false, out);
}
SEPARATE void rw_q5_1_scales(const uint8_t *blocks, size_t count, rw_scales512 *out) {
    rw_block_scales(blocks, count, 24, true, out);
}

/* ---- codes ----------------------------------------------------------------------------------- */

/* 16 bytes, one a lane. */
INLINE __m512i rw_bytes512(const uint8_t *at) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* Only the low bits of a lane will be looked at. */
INLINE __m512i rw_shifted512(__m512i x, size_t shift) {
    return shift ? _mm512_srlv_epi32(x, _mm512_set1_epi32((int)shift)) : x;
}

/* Four bits of `nibble`, the fifth of `fifth`. */
INLINE __m512i rw_join512(__m512i nibble, __m512i fifth) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(15), nibble, fifth, 0xca);
}

/* Weights of four bits are low[code], of five bits low[code] or high[code - 16]. */
typedef struct rw_table512 {
    __m512 low, high;
} rw_table512;

INLINE rw_table512 rw_zero_table(const float *scale, float zero) {
    __m512 d = _mm512_set1_ps(*scale);
    return (rw_table512){_mm512_mul_ps(rw_iota512(-zero), d),
                         _mm512_mul_ps(rw_iota512(16.0f - zero), d)};
}

/* d code + m, or d code - m */
INLINE rw_table512 rw_minimum_table(const float *scale, const float *minimum, bool subtract) {
    __m512 d = _mm512_set1_ps(*scale), m = _mm512_set1_ps(*minimum);
    if (subtract)
        return (rw_table512){_mm512_fmsub_ps(rw_iota512(0.0f), d, m),
                             _mm512_fmsub_ps(rw_iota512(16.0f), d, m)};
    return (rw_table512){_mm512_fmadd_ps(rw_iota512(0.0f), d, m),
                         _mm512_fmadd_ps(rw_iota512(16.0f), d, m)};
}

INLINE rw_run512 rw_look_up_4(__m512i low, __m512i high, rw_table512 table) {
    return (rw_run512){_mm512_permutexvar_ps(low, table.low),
                       _mm512_permutexvar_ps(high, table.low)};
}

INLINE rw_run512 rw_look_up_5(__m512i low, __m512i high, rw_table512 table) {
    return (rw_run512){_mm512_permutex2var_ps(table.low, low, table.high),
                       _mm512_permutex2var_ps(table.low, high, table.high)};
}

/* ---- types ----------------------------------------------------------------------------------- */

INLINE rw_run512 rw_f32_512(const uint8_t *at, size_t run, const float *scale, const float *min) {
    (void)run, (void)scale, (void)min;
    const float *from = (const float *)(const void *)at;
    return (rw_run512){_mm512_loadu_ps(from), _mm512_loadu_ps(from + LANES)};
}

INLINE rw_run512 rw_f16_512(const uint8_t *at, size_t run, const float *scale, const float *min) {
    (void)run, (void)scale, (void)min;
    return (rw_run512){v_load_f16((const char *)at), v_load_f16((const char *)at + 2 * LANES)};
}

INLINE rw_run512 rw_bf16_512(const uint8_t *at, size_t run, const float *scale, const float *min) {
    (void)run, (void)scale, (void)min;
    return (rw_run512){v_load_bf16((const char *)at), v_load_bf16((const char *)at + 2 * LANES)};
}

INLINE rw_run512 rw_q8_0_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    (void)run, (void)min;
    __m512 d = _mm512_set1_ps(*scale);
    return (rw_run512){_mm512_mul_ps(v_load_i8((const char *)block + 2), d),
                       _mm512_mul_ps(v_load_i8((const char *)block + 2 + LANES), d)};
}

INLINE rw_run512 rw_q4_0_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    (void)run, (void)min;
    __m512i both = rw_bytes512(block + 2);
    return rw_look_up_4(both, rw_shifted512(both, 4), rw_zero_table(scale, 8.0f));
}

INLINE rw_run512 rw_q4_1_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    (void)run;
    __m512i both = rw_bytes512(block + 4);
    return rw_look_up_4(both, rw_shifted512(both, 4), rw_minimum_table(scale, min, false));
}

/* Bit i of four bytes becomes the fifth of code i: turned to where it belongs. */
INLINE rw_run512 rw_q5_512(const uint8_t *fifths, const uint8_t *nibbles, rw_table512 table) {
    const __m512i turn =
        _mm512_setr_epi32(4, 3, 2, 1, 0, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21);
    int bits;
    memcpy(&bits, fifths, sizeof bits);
    __m512i all = _mm512_set1_epi32(bits), both = rw_bytes512(nibbles);
    __m512i low = _mm512_rolv_epi32(all, turn);
    __m512i high = _mm512_rolv_epi32(all, _mm512_add_epi32(turn, _mm512_set1_epi32(16)));
    return rw_look_up_5(rw_join512(both, low), rw_join512(rw_shifted512(both, 4), high), table);
}

INLINE rw_run512 rw_q5_0_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    (void)run, (void)min;
    return rw_q5_512(block + 2, block + 6, rw_zero_table(scale, 16.0f));
}

INLINE rw_run512 rw_q5_1_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    (void)run;
    return rw_q5_512(block + 4, block + 8, rw_minimum_table(scale, min, false));
}

INLINE rw_run512 rw_q4_k_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    const uint8_t *nibbles = block + 16 + run / 2 * 32;
    __m512i low = rw_shifted512(rw_bytes512(nibbles), run % 2 * 4);
    __m512i high = rw_shifted512(rw_bytes512(nibbles + LANES), run % 2 * 4);
    return rw_look_up_4(low, high, rw_minimum_table(scale + run, min + run, true));
}

/* Bit `run` of a lane becomes its fifth. */
INLINE __m512i rw_k_fifth(const uint8_t *at, size_t run) {
    __m512i bits = rw_bytes512(at);
    return run < 4 ? _mm512_sllv_epi32(bits, _mm512_set1_epi32(4 - (int)run))
                   : rw_shifted512(bits, run - 4);
}

INLINE rw_run512 rw_q5_k_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    const uint8_t *nibbles = block + 48 + run / 2 * 32;
    __m512i low = rw_shifted512(rw_bytes512(nibbles), run % 2 * 4);
    __m512i high = rw_shifted512(rw_bytes512(nibbles + LANES), run % 2 * 4);
    return rw_look_up_5(rw_join512(low, rw_k_fifth(block + 16, run)),
                        rw_join512(high, rw_k_fifth(block + 16 + LANES, run)),
                        rw_minimum_table(scale + run, min + run, true));
}

/* Four bits and two, each looked up; the two carry the zero, 32. */
INLINE __m512 rw_q6_k_half(const uint8_t *low, const uint8_t *high, size_t run, float scale) {
    const __m512 upper =
        _mm512_broadcast_f32x4(_mm_setr_ps(-32.0f, -16.0f, 0.0f, 16.0f)); /* repeated */
    __m512i four = rw_shifted512(rw_bytes512(low), run / 2 % 2 * 4);
    __m512i two = rw_shifted512(rw_bytes512(high), run % 4 * 2);
    __m512 code = _mm512_add_ps(_mm512_permutexvar_ps(four, rw_iota512(0.0f)),
                                _mm512_permutexvar_ps(two, upper));
    return _mm512_mul_ps(code, _mm512_set1_ps(scale));
}

INLINE rw_run512 rw_q6_k_512(const uint8_t *block, size_t run, const float *scale,
                             const float *min) {
    (void)min;
    const uint8_t *low = block + run / 4 * 64 + run % 2 * 32, *high = block + 128 + run / 4 * 32;
    return (rw_run512){rw_q6_k_half(low, high, run, scale[2 * run]),
                       rw_q6_k_half(low + LANES, high + LANES, run, scale[2 * run + 1])};
}

static const rw_type512 rw_f32_type = {rw_f32_512, NULL, 1, 128};
static const rw_type512 rw_f16_type = {rw_f16_512, NULL, 1, 64};
static const rw_type512 rw_bf16_type = {rw_bf16_512, NULL, 1, 64};
static const rw_type512 rw_q8_0_type = {rw_q8_0_512, rw_q8_0_scales512, 1, 34};
static const rw_type512 rw_q4_0_type = {rw_q4_0_512, rw_q4_0_scales, 1, 18};
static const rw_type512 rw_q4_1_type = {rw_q4_1_512, rw_q4_1_scales, 1, 20};
static const rw_type512 rw_q5_0_type = {rw_q5_0_512, rw_q5_0_scales, 1, 22};
static const rw_type512 rw_q5_1_type = {rw_q5_1_512, rw_q5_1_scales, 1, 24};
static const rw_type512 rw_q4_k_type = {rw_q4_k_512, rw_k_scales512, 8, 144};
static const rw_type512 rw_q5_k_type = {rw_q5_k_512, rw_k_scales512, 8, 176};
static const rw_type512 rw_q6_k_type = {rw_q6_k_512, rw_q6_k_scales, 8, 210};

#endif
