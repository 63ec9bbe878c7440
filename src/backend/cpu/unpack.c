/*
 * unpack.c - see unpack.h. The formats are ggml's (ggml-common.h); all are little-endian.
 */
#include "backend/cpu/unpack.h"

#include <float.h>
#include <math.h>
#include <string.h>

static uint16_t load_u16(const uint8_t *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t load_u32(const uint8_t *at) {
    return (uint32_t)load_u16(at) | (uint32_t)load_u16(at + 2) << 16;
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16. A subnormal is (its fraction) x 2^-24, which float32 holds exactly. */
float rw_float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
    if (exponent == 0x1fu)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

static float half_at(const uint8_t *at) {
    return rw_float_of_half(load_u16(at));
}

/* ---- blocks of one run ----------------------------------------------------------------------- */

static void one_scale(rw_run *out, float scale, float minimum) {
    out->scale[0] = out->scale[1] = scale;
    out->minimum = minimum;
}

/* 16 bytes: low nibbles are weights 0-15, high ones 16-31; bit i of `fifths` is weight i's. */
static void join(const uint8_t *nibbles, uint32_t fifths, uint8_t *codes) {
    for (int i = 0; i < 16; i++) {
        codes[i] = (uint8_t)((nibbles[i] & 15) | (fifths >> i & 1) << 4);
        codes[i + 16] = (uint8_t)(nibbles[i] >> 4 | (fifths >> (i + 16) & 1) << 4);
    }
}

/* Half d; int8 q[32]: d q. */
static void unpack_q8_0(const uint8_t *block, size_t run, rw_run *out) {
    (void)run;
    for (int i = 0; i < RW_RUN; i++)
        out->codes[i] = block[2 + i] ^ 0x80;
    one_scale(out, half_at(block), 0.0f);
}

/* Half d; nibbles: d (q - 8). */
static void unpack_q4_0(const uint8_t *block, size_t run, rw_run *out) {
    (void)run;
    join(block + 2, 0, out->codes);
    one_scale(out, half_at(block), 0.0f);
}

/* Half d, m; nibbles: d q + m. */
static void unpack_q4_1(const uint8_t *block, size_t run, rw_run *out) {
    (void)run;
    join(block + 4, 0, out->codes);
    one_scale(out, half_at(block), -half_at(block + 2));
}

/* Half d; fifth bits; nibbles: d (q - 16). */
static void unpack_q5_0(const uint8_t *block, size_t run, rw_run *out) {
    (void)run;
    join(block + 6, load_u32(block + 2), out->codes);
    one_scale(out, half_at(block), 0.0f);
}

/* Half d, m; fifth bits; nibbles: d q + m. */
static void unpack_q5_1(const uint8_t *block, size_t run, rw_run *out) {
    (void)run;
    join(block + 8, load_u32(block + 4), out->codes);
    one_scale(out, half_at(block), -half_at(block + 2));
}

/* ---- K-quants: eight runs in a block --------------------------------------------------------- */

/* Half d, dmin; 12 bytes of scales and minima; then `fifths` (or NULL): bit j of byte i is weight
   i's of run j; 128 bytes, in each 32 of which the low nibbles are one run and the high ones the
   next: d scale q - dmin minimum. */
static void unpack_k(const uint8_t *block, const uint8_t *fifths, const uint8_t *nibbles,
                     size_t run, rw_run *out) {
    int scale, minimum;
    rw_k_scales(block + 4, run, &scale, &minimum);
    for (int i = 0; i < RW_RUN; i++) {
        int fifth = fifths ? (fifths[i] >> run & 1) << 4 : 0;
        out->codes[i] = (uint8_t)((nibbles[run / 2 * 32 + i] >> run % 2 * 4 & 15) | fifth);
    }
    one_scale(out, half_at(block) * (float)scale, half_at(block + 2) * (float)minimum);
}

static void unpack_q4_k(const uint8_t *block, size_t run, rw_run *out) {
    unpack_k(block, NULL, block + 16, run, out);
}

static void unpack_q5_k(const uint8_t *block, size_t run, rw_run *out) {
    unpack_k(block, block + 16, block + 48, run, out);
}

/* 128 bytes of low four bits, in each 64 of which the low nibbles come first; 64 bytes of high two
   bits, a byte's pairs 32 weights apart; 16 int8 scales of 16 weights; half d: d scale (q - 32). */
static void unpack_q6_k(const uint8_t *block, size_t run, rw_run *out) {
    const uint8_t *low = block + run / 4 * 64 + run % 2 * 32, *high = block + 128 + run / 4 * 32;
    for (int i = 0; i < RW_RUN; i++)
        out->codes[i] =
            (uint8_t)((low[i] >> run / 2 % 2 * 4 & 15) | (high[i] >> run % 4 * 2 & 3) << 4);
    for (int half = 0; half < 2; half++)
        out->scale[half] =
            half_at(block + 208) * (float)(int8_t)block[192 + 2 * run + (size_t)half];
    out->minimum = 0.0f;
}

const rw_run_type rw_run_types[RW_ELEMENT_COUNT] = {
    [RW_ELEMENT_Q8_0] = {unpack_q8_0, 128, 8, false, false},
    [RW_ELEMENT_Q4_0] = {unpack_q4_0, 8, 4, false, false},
    [RW_ELEMENT_Q4_1] = {unpack_q4_1, 0, 4, true, false},
    [RW_ELEMENT_Q5_0] = {unpack_q5_0, 16, 5, false, false},
    [RW_ELEMENT_Q5_1] = {unpack_q5_1, 0, 5, true, false},
    [RW_ELEMENT_Q4_K] = {unpack_q4_k, 0, 4, true, false},
    [RW_ELEMENT_Q5_K] = {unpack_q5_k, 0, 5, true, false},
    [RW_ELEMENT_Q6_K] = {unpack_q6_k, 32, 6, false, true},
};

/* ---- to float32 ------------------------------------------------------------------------------ */

static void widen_run(const rw_run_type *type, const rw_run *run, float *out) {
    for (int i = 0; i < RW_RUN; i++) {
        out[i] = run->scale[i / 16] * (float)(run->codes[i] - type->zero);
        if (type->minimum)
            out[i] -= run->minimum;
    }
}

static void widen_blocks(rw_element element, const uint8_t *in, size_t count, float *out) {
    const rw_run_type *type = &rw_run_types[element];
    rw_block block = rw_element_block(element);
    rw_run run;
    for (size_t at = 0; at < count; at += RW_RUN) {
        type->unpack(in + at / block.elements * block.bytes, at % block.elements / RW_RUN, &run);
        widen_run(type, &run, out + at);
    }
}

bool rw_can_widen(rw_element element) {
    return element == RW_ELEMENT_F32 || element == RW_ELEMENT_F16 || element == RW_ELEMENT_BF16 ||
           rw_run_types[element].unpack != NULL;
}

void rw_widen(rw_element element, const void *packed, size_t count, float *out) {
    const uint8_t *in = packed;
    if (rw_run_types[element].unpack)
        widen_blocks(element, in, count, out);
    else if (element == RW_ELEMENT_F16)
        for (size_t i = 0; i < count; i++)
            out[i] = half_at(in + 2 * i);
    else if (element == RW_ELEMENT_BF16)
        for (size_t i = 0; i < count; i++)
            out[i] = float_of_bits((uint32_t)load_u16(in + 2 * i) << 16);
    else
        memcpy(out, in, count * sizeof *out);
}

/* ---- x as int8 ------------------------------------------------------------------------------- */

/* As bits, magnitudes have the order of integers, and a NaN is the largest. */
static float largest_of(const float *x) {
    uint32_t largest = 0;
    for (int i = 0; i < RW_RUN; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
    }
    return float_of_bits(largest);
}

void rw_quantize_run(const float *x, int8_t *q, float *scale) {
    float largest = largest_of(x);
    if (!(largest >= RW_QUANTIZE_LEAST && largest <= FLT_MAX)) {
        memset(q, 0, RW_RUN);
        *scale = largest < RW_QUANTIZE_LEAST ? 0.0f : NAN;
        return;
    }
    float inverse = 127.0f / largest;
    *scale = largest / 127.0f;
    for (int i = 0; i < RW_RUN; i++)
        q[i] = (int8_t)lrintf(x[i] * inverse);
}
