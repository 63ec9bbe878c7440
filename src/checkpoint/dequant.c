/*
 * dequant.c - stored numbers to float32, in portable C.
 *
 * The reference for every faster kernel: one rounding per operation, in the order in which ggml's
 * own dequantize functions (ggml-quants.c) have them, so that results are equal bit for bit.
 */
#include <string.h>

#include "checkpoint/internal.h"

typedef struct dtype_row {
    const char *name;
    uint32_t elements, bytes; /* of a block */
} dtype_row;

static const dtype_row dtype_rows[] = {
    [RW_F32] = {"F32", 1, 4},       [RW_F16] = {"F16", 1, 2},
    [RW_BF16] = {"BF16", 1, 2},     [RW_Q8_0] = {"Q8_0", 32, 34},
    [RW_Q4_0] = {"Q4_0", 32, 18},   [RW_Q4_1] = {"Q4_1", 32, 20},
    [RW_Q5_0] = {"Q5_0", 32, 22},   [RW_Q5_1] = {"Q5_1", 32, 24},
    [RW_Q2_K] = {"Q2_K", 256, 84},  [RW_Q3_K] = {"Q3_K", 256, 110},
    [RW_Q4_K] = {"Q4_K", 256, 144}, [RW_Q5_K] = {"Q5_K", 256, 176},
    [RW_Q6_K] = {"Q6_K", 256, 210}, [RW_DTYPE_OTHER] = {"other", 1, 1},
};

const char *rw_dtype_name(rw_dtype dtype) {
    return dtype_rows[dtype].name;
}

void rw_dtype_block(rw_dtype dtype, uint32_t *elements, uint32_t *bytes) {
    *elements = dtype_rows[dtype].elements;
    *bytes = dtype_rows[dtype].bytes;
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16. A subnormal is (its fraction) x 2^-24, which float32 holds exactly. */
static float float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
    if (exponent == 0x1fu)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

typedef void (*widen_fn)(const uint8_t *in, float *out, size_t blocks);

static void widen_f32(const uint8_t *in, float *out, size_t blocks) {
    for (size_t i = 0; i < blocks; i++)
        out[i] = float_of_bits(rw_load_u32(in + 4 * i));
}

static void widen_f16(const uint8_t *in, float *out, size_t blocks) {
    for (size_t i = 0; i < blocks; i++)
        out[i] = float_of_half(rw_load_u16(in + 2 * i));
}

static void widen_bf16(const uint8_t *in, float *out, size_t blocks) {
    for (size_t i = 0; i < blocks; i++)
        out[i] = float_of_bits((uint32_t)rw_load_u16(in + 2 * i) << 16);
}

/* Block: half d; int8 q[32]. Value: d q. */
static void widen_q8_0(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 34, out += 32) {
        float d = float_of_half(rw_load_u16(in));
        for (int i = 0; i < 32; i++)
            out[i] = d * (float)(int8_t)in[2 + i];
    }
}

/* Block: half d; 16 bytes, low nibbles elements 0-15, high nibbles 16-31. Value: d (q - 8). */
static void widen_q4_0(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 18, out += 32) {
        float d = float_of_half(rw_load_u16(in));
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)((in[2 + i] & 15) - 8);
            out[i + 16] = d * (float)((in[2 + i] >> 4) - 8);
        }
    }
}

/* Block: half d, m; nibbles as above. Value: d q + m, rounded twice (no fused multiply-add). */
static void widen_q4_1(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 20, out += 32) {
        float d = float_of_half(rw_load_u16(in)), m = float_of_half(rw_load_u16(in + 2));
        for (int i = 0; i < 16; i++) {
            float low = d * (float)(in[4 + i] & 15), high = d * (float)(in[4 + i] >> 4);
            out[i] = low + m;
            out[i + 16] = high + m;
        }
    }
}

/* The fifth bits of a block lie in 32 bits of their own: bit i belongs to element i. */
static int fifth_bit(uint32_t bits, int i) {
    return (int)(bits >> i & 1) << 4;
}

/* Block: half d; fifth bits; nibbles as in Q4_0. Value: d (q - 16). */
static void widen_q5_0(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 22, out += 32) {
        float d = float_of_half(rw_load_u16(in));
        uint32_t bits = rw_load_u32(in + 2);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(((in[6 + i] & 15) | fifth_bit(bits, i)) - 16);
            out[i + 16] = d * (float)((in[6 + i] >> 4 | fifth_bit(bits, i + 16)) - 16);
        }
    }
}

/* Block: half d, m; fifth bits; nibbles. Value: d q + m. */
static void widen_q5_1(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 24, out += 32) {
        float d = float_of_half(rw_load_u16(in)), m = float_of_half(rw_load_u16(in + 2));
        uint32_t bits = rw_load_u32(in + 4);
        for (int i = 0; i < 16; i++) {
            float low = d * (float)((in[8 + i] & 15) | fifth_bit(bits, i));
            float high = d * (float)(in[8 + i] >> 4 | fifth_bit(bits, i + 16));
            out[i] = low + m;
            out[i + 16] = high + m;
        }
    }
}

/* ---- K-quants: 256 elements, a half's scale times small integer scales of 16 or 32 elements -- */

/* Block: 16 bytes, scale in the low nibble, minimum in the high one, for 16 elements each; 64 bytes
   of 2-bit q, a byte's pairs of bits 32 elements apart; half d, dmin. Value: d scale q - dmin min.
 */
static void widen_q2_k(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 84) {
        float d = float_of_half(rw_load_u16(in + 80)), dmin = float_of_half(rw_load_u16(in + 82));
        for (int run = 0; run < 16; run++, out += 16) {
            const uint8_t *q = in + 16 + run / 8 * 32 + run % 2 * 16;
            int shift = run / 2 % 4 * 2;
            float scale = d * (float)(in[run] & 15), minimum = dmin * (float)(in[run] >> 4);
            for (int i = 0; i < 16; i++) {
                float product = scale * (float)(q[i] >> shift & 3);
                out[i] = product - minimum;
            }
        }
    }
}

/* The scale of 16 elements in Q3_K: low four bits in the nibbles of 8 bytes, high two in the 4
   behind them; 32 is zero. */
static int q3_k_scale(const uint8_t *packed, int run) {
    int low = run < 8 ? packed[run] & 15 : packed[run - 8] >> 4;
    int high = packed[8 + run % 4] >> run / 4 * 2 & 3;
    return (low | high << 4) - 32;
}

/* Block: 32 bytes of third bits, bit j of byte i for element 32 j + i; 64 bytes of 2-bit q as in
   Q2_K; 12 bytes of scales; half d. Value: d scale (q - 4), with the third bit counted in q. */
static void widen_q3_k(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 110) {
        float d = float_of_half(rw_load_u16(in + 108));
        for (int run = 0; run < 16; run++, out += 16) {
            const uint8_t *q = in + 32 + run / 8 * 32 + run % 2 * 16, *high = in + run % 2 * 16;
            int shift = run / 2 % 4 * 2;
            float scale = d * (float)q3_k_scale(in + 96, run);
            for (int i = 0; i < 16; i++)
                out[i] = scale * (float)((q[i] >> shift & 3) + (high[i] >> run / 2 & 1) * 4 - 4);
        }
    }
}

/* Six-bit scales and minima of the eight runs of 32 elements in Q4_K and Q5_K. The first four of
   each are the low six bits of bytes 0-3 and 4-7, whose upper two bits belong to the last four;
   the nibbles of bytes 8-11 are the rest of those. */
static void scale_and_minimum(const uint8_t *packed, int run, int *scale, int *minimum) {
    const uint8_t *p = packed + run % 4;
    if (run < 4) {
        *scale = p[0] & 63;
        *minimum = p[4] & 63;
    } else {
        *scale = (p[8] & 15) | (p[0] >> 6) << 4;
        *minimum = p[8] >> 4 | (p[4] >> 6) << 4;
    }
}

/* Block: half d, dmin; 12 bytes of scales and minima; in Q5_K 32 bytes of fifth bits, bit j of byte
   i for element 32 j + i; 128 bytes, in each 32 of them the low nibbles are one run and the high
   ones the next. Value: d scale q - dmin minimum. `fifths` is NULL for Q4_K. */
static void widen_k_block(const uint8_t *in, const uint8_t *fifths, const uint8_t *nibbles,
                          float *out) {
    float d = float_of_half(rw_load_u16(in)), dmin = float_of_half(rw_load_u16(in + 2));
    for (int run = 0; run < 8; run++, out += 32) {
        const uint8_t *q = nibbles + run / 2 * 32;
        int scale, minimum, shift = run % 2 * 4;
        scale_and_minimum(in + 4, run, &scale, &minimum);
        float step = d * (float)scale, lowest = dmin * (float)minimum;
        for (int i = 0; i < 32; i++) {
            int fifth = fifths ? (fifths[i] >> run & 1) << 4 : 0;
            float product = step * (float)((q[i] >> shift & 15) | fifth);
            out[i] = product - lowest;
        }
    }
}

static void widen_q4_k(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 144, out += 256)
        widen_k_block(in, NULL, in + 16, out);
}

static void widen_q5_k(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 176, out += 256)
        widen_k_block(in, in + 16, in + 48, out);
}

/* Block: 128 bytes of low four bits, in each 64 of them the low nibbles come first; 64 bytes of
   high two bits, as q in Q2_K; 16 int8 scales of 16 elements; half d. Value: d scale (q - 32). */
static void widen_q6_k(const uint8_t *in, float *out, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, in += 210) {
        float d = float_of_half(rw_load_u16(in + 208));
        for (int run = 0; run < 16; run++, out += 16) {
            const uint8_t *low = in + run / 8 * 64 + run % 4 * 16;
            const uint8_t *high = in + 128 + run / 8 * 32 + run % 2 * 16;
            int low_shift = run / 4 % 2 * 4, high_shift = run / 2 % 4 * 2;
            float scale = d * (float)(int8_t)in[192 + run];
            for (int i = 0; i < 16; i++) {
                int q = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
                out[i] = scale * (float)(q - 32);
            }
        }
    }
}

static const widen_fn widen_fns[] = {
    [RW_F32] = widen_f32,   [RW_F16] = widen_f16,   [RW_BF16] = widen_bf16, [RW_Q8_0] = widen_q8_0,
    [RW_Q4_0] = widen_q4_0, [RW_Q4_1] = widen_q4_1, [RW_Q5_0] = widen_q5_0, [RW_Q5_1] = widen_q5_1,
    [RW_Q2_K] = widen_q2_k, [RW_Q3_K] = widen_q3_k, [RW_Q4_K] = widen_q4_k, [RW_Q5_K] = widen_q5_k,
    [RW_Q6_K] = widen_q6_k,
};

void rw_dtype_to_f32(rw_dtype dtype, const void *bytes, float *out, size_t count) {
    if (dtype < RW_DTYPE_OTHER)
        widen_fns[dtype](bytes, out, count / dtype_rows[dtype].elements);
}
