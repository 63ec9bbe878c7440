/*
 * number.h - float32 from and to the elements of a cache: F16, BF16, Q8_0.
 *
 * Portable and exact to the bit; what the instruction sets do must be the same bits. Inline, so
 * that a file built for wider vectors gets them from the same source. Packed numbers stand at any
 * byte.
 */
#ifndef RW_BACKEND_CPU_NUMBER_H
#define RW_BACKEND_CPU_NUMBER_H

#include <string.h>

#include "backend/backend.h"

enum { RW_Q8_0_ELEMENTS = 32, RW_Q8_0_BYTES = 34 };

static inline uint32_t rw_bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float rw_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* NaN stays NaN (quiet, with the payload's upper bits), what is too large becomes infinite. */
static inline uint16_t rw_f16_of(float x) {
    uint32_t bits = rw_bits_of(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (size >> 13 & 0x3ffu));
    if (size >= 0x47800000u) /* 65536 */
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u) { /* below 2^-14: adding 0.5 leaves multiples of 2^-24, rounded */
        float scaled = rw_of_bits(size) + 0.5f;
        return (uint16_t)(sign | (rw_bits_of(scaled) - 0x3f000000u));
    }
    size += 0xfffu + (size >> 13 & 1u); /* nearest even; a carry moves on to the exponent */
    return (uint16_t)(sign | ((size - 0x38000000u) >> 13));
}

static inline float rw_of_f16(uint16_t half) {
    uint32_t sign = (half & 0x8000u) << 16, size = half & 0x7fffu;
    if (size >= 0x7c00u) /* a signalling NaN becomes quiet, as processors have it */
        return rw_of_bits(sign | 0x7f800000u | size << 13 | (size > 0x7c00u ? 0x400000u : 0u));
    /* the exponents' biases differ by 112; subnormals become normal by the product */
    return rw_of_bits(sign | rw_bits_of(rw_of_bits(size << 13) * 0x1p+112f));
}

static inline uint16_t rw_bf16_of(float x) {
    uint32_t bits = rw_bits_of(x), rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    return (uint16_t)((nan ? bits | 0x400000u : rounded) >> 16);
}

static inline float rw_of_bf16(uint16_t half) {
    return rw_of_bits((uint32_t)half << 16);
}

/* To the nearest whole number, halves away from 0; |x| <= 2^22. The largest float below 0.5 is
   added: 0.5 itself would carry 0.49999997 to 1. */
static inline float rw_round_away(float x) {
    return (float)(int32_t)(x + (x < 0.0f ? -0x1.fffffep-2f : 0x1.fffffep-2f));
}

/* ggml's rule, bit by bit: d = max |x| / 127, stored as F16; numbers are round(x * (1 / d)) by the
   unrounded d. A block with a NaN or an infinity is NaN when it is read again. */
static inline void rw_q8_0_of(const float *x /* [32] */, uint8_t *block /* [34] */) {
    uint32_t largest = 0;
    int8_t whole[RW_Q8_0_ELEMENTS];
    for (int i = 0; i < RW_Q8_0_ELEMENTS; i++) { /* magnitudes order as their bits do */
        uint32_t size = rw_bits_of(x[i]) & 0x7fffffffu;
        largest = size > largest ? size : largest;
    }
    bool finite = largest < 0x7f800000u;
    float d = finite ? rw_of_bits(largest) / 127.0f : 0.0f;
    float inverse = d > 0.0f ? 1.0f / d : 0.0f;
    if (inverse > 0x1.fffffep+127f) /* d is so small that F16 has only 0 for it */
        inverse = 0.0f;
    uint16_t stored = finite ? rw_f16_of(d) : 0x7e00u;
    for (int i = 0; i < RW_Q8_0_ELEMENTS; i++)
        whole[i] = (int8_t)rw_round_away(finite ? x[i] * inverse : 0.0f);
    memcpy(block, &stored, sizeof stored);
    memcpy(block + sizeof stored, whole, sizeof whole);
}

static inline void rw_of_q8_0(const uint8_t *block /* [34] */, float *x /* [32] */) {
    uint16_t stored;
    int8_t whole[RW_Q8_0_ELEMENTS];
    memcpy(&stored, block, sizeof stored);
    memcpy(whole, block + sizeof stored, sizeof whole);
    float d = rw_of_f16(stored);
    for (int i = 0; i < RW_Q8_0_ELEMENTS; i++)
        x[i] = d * (float)whole[i];
}

/* ---- rows ------------------------------------------------------------------------------------ */

static inline bool rw_is_cache_element(rw_element element) {
    return element == RW_ELEMENT_F32 || element == RW_ELEMENT_F16 || element == RW_ELEMENT_BF16 ||
           element == RW_ELEMENT_Q8_0;
}

/* `n` float32 as another element; whole blocks. */
static inline void rw_to_cache(rw_element element, const float *x, void *out, size_t n) {
    char *to = out;
    if (element == RW_ELEMENT_F32)
        memcpy(to, x, n * sizeof *x);
    for (size_t i = 0; element == RW_ELEMENT_F16 && i < n; i++)
        memcpy(to + 2 * i, &(uint16_t){rw_f16_of(x[i])}, 2);
    for (size_t i = 0; element == RW_ELEMENT_BF16 && i < n; i++)
        memcpy(to + 2 * i, &(uint16_t){rw_bf16_of(x[i])}, 2);
    for (size_t i = 0; element == RW_ELEMENT_Q8_0 && i < n / RW_Q8_0_ELEMENTS; i++)
        rw_q8_0_of(x + i * RW_Q8_0_ELEMENTS, (uint8_t *)to + i * RW_Q8_0_BYTES);
}

static inline uint16_t rw_u16_at(const char *from, size_t i) {
    uint16_t x;
    memcpy(&x, from + 2 * i, sizeof x);
    return x;
}

/* The other way. */
static inline void rw_from_cache(rw_element element, const void *x, float *out, size_t n) {
    const char *from = x;
    if (element == RW_ELEMENT_F32)
        memcpy(out, from, n * sizeof *out);
    for (size_t i = 0; element == RW_ELEMENT_F16 && i < n; i++)
        out[i] = rw_of_f16(rw_u16_at(from, i));
    for (size_t i = 0; element == RW_ELEMENT_BF16 && i < n; i++)
        out[i] = rw_of_bf16(rw_u16_at(from, i));
    for (size_t i = 0; element == RW_ELEMENT_Q8_0 && i < n / RW_Q8_0_ELEMENTS; i++)
        rw_of_q8_0((const uint8_t *)from + i * RW_Q8_0_BYTES, out + i * RW_Q8_0_ELEMENTS);
}

/* Row `row`, head `head` of a view of any element. */
static inline void *rw_row_of(const rw_view *view, size_t row, size_t head) {
    size_t elements = row * view->stride[0] + head * view->stride[1];
    return (char *)view->buffer->handle + view->offset + rw_element_bytes(view->element, elements);
}

#endif
