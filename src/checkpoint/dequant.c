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
    [RW_F32] = {"F32", 1, 4},           [RW_F16] = {"F16", 1, 2},     [RW_BF16] = {"BF16", 1, 2},
    [RW_Q8_0] = {"Q8_0", 32, 34},       [RW_Q4_0] = {"Q4_0", 32, 18}, [RW_Q4_1] = {"Q4_1", 32, 20},
    [RW_DTYPE_OTHER] = {"other", 1, 1},
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

static const widen_fn widen_fns[] = {
    [RW_F32] = widen_f32,   [RW_F16] = widen_f16,   [RW_BF16] = widen_bf16,
    [RW_Q8_0] = widen_q8_0, [RW_Q4_0] = widen_q4_0, [RW_Q4_1] = widen_q4_1,
};

void rw_dtype_to_f32(rw_dtype dtype, const void *bytes, float *out, size_t count) {
    if (dtype < RW_DTYPE_OTHER)
        widen_fns[dtype](bytes, out, count / dtype_rows[dtype].elements);
}
