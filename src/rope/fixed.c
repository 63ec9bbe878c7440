/* fixed.c - see fixed.h. Schoolbook arithmetic on 32-bit limbs. */
#include "rope/fixed.h"

#include <math.h>
#include <string.h>

bool rw_fixed_is_zero(const rw_fixed *a) {
    uint32_t any = 0;
    for (int i = 0; i < RW_FIXED_LIMBS; i++)
        any |= a->limb[i];
    return any == 0;
}

/* Puts `bits` at `position` (of the whole number, limb 0 bit 0 being 0); what falls off is lost. */
static void place(rw_fixed *out, uint64_t bits, int position) {
    for (int i = 0; i < 64; i++) {
        int at = position + i;
        if ((bits >> i & 1) && at >= 0 && at < 32 * RW_FIXED_LIMBS)
            out->limb[at / 32] |= UINT32_C(1) << (at % 32);
    }
}

rw_fixed rw_fixed_from_double(double x) {
    rw_fixed out = {.negative = x < 0};
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent != 0)
        place(&out, mantissa | UINT64_C(1) << 52, exponent - 1075 + RW_FIXED_FRACTION);
    return out;
}

static int compare_magnitude(const rw_fixed *a, const rw_fixed *b) {
    for (int i = RW_FIXED_LIMBS - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void add_magnitude(rw_fixed *a, const rw_fixed *b) {
    uint64_t carry = 0;
    for (int i = 0; i < RW_FIXED_LIMBS; i++) {
        carry += (uint64_t)a->limb[i] + b->limb[i];
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* |a| -= |b|, for |a| >= |b|. */
static void subtract_magnitude(rw_fixed *a, const rw_fixed *b) {
    uint64_t borrow = 0;
    for (int i = 0; i < RW_FIXED_LIMBS; i++) {
        uint64_t difference = (uint64_t)a->limb[i] - b->limb[i] - borrow;
        a->limb[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

rw_fixed rw_fixed_add(rw_fixed a, rw_fixed b) {
    if (a.negative == b.negative) {
        add_magnitude(&a, &b);
        return a;
    }
    if (compare_magnitude(&a, &b) < 0) {
        subtract_magnitude(&b, &a);
        return b;
    }
    subtract_magnitude(&a, &b);
    return a;
}

rw_fixed rw_fixed_mul(const rw_fixed *a, const rw_fixed *b) {
    uint32_t wide[2 * RW_FIXED_LIMBS] = {0};
    for (int i = 0; i < RW_FIXED_LIMBS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < RW_FIXED_LIMBS; j++) {
            carry += (uint64_t)a->limb[i] * b->limb[j] + wide[i + j];
            wide[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        wide[i + RW_FIXED_LIMBS] = (uint32_t)carry;
    }
    rw_fixed out = {.negative = a->negative != b->negative};
    memcpy(out.limb, wide + RW_FIXED_FRACTION / 32, sizeof out.limb);
    return out;
}

rw_fixed rw_fixed_mul_small(rw_fixed a, uint32_t factor) {
    uint64_t carry = 0;
    for (int i = 0; i < RW_FIXED_LIMBS; i++) {
        carry += (uint64_t)a.limb[i] * factor;
        a.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

rw_fixed rw_fixed_div_small(rw_fixed a, uint32_t divisor) {
    uint64_t rest = 0;
    for (int i = RW_FIXED_LIMBS - 1; i >= 0; i--) {
        rest = rest << 32 | a.limb[i];
        a.limb[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return a;
}

rw_fixed rw_fixed_ratio(uint64_t num, uint64_t den) {
    rw_fixed out = {0};
    for (int bit = RW_FIXED_FRACTION - 1; bit >= 0; bit--) {
        num <<= 1;
        if (num >= den) {
            num -= den;
            out.limb[bit / 32] |= UINT32_C(1) << (bit % 32);
        }
    }
    return out;
}

static bool bit_at(const rw_fixed *a, int position) {
    return position >= 0 && position < 32 * RW_FIXED_LIMBS &&
           (a->limb[position / 32] >> (position % 32) & 1);
}

static int top_bit(const rw_fixed *a) {
    int position = 32 * RW_FIXED_LIMBS - 1;
    while (position >= 0 && !bit_at(a, position))
        position--;
    return position;
}

/* Adds 2^position and clears everything below `keep_from`. */
static void add_bit_and_cut(rw_fixed *a, int position, int keep_from) {
    rw_fixed one = {0};
    place(&one, 1, position);
    add_magnitude(a, &one);
    for (int i = 0; i < keep_from; i++)
        a->limb[i / 32] &= ~(UINT32_C(1) << (i % 32));
}

/* |a| / 2^drop as an integer, ties to even; `drop` may be negative or beyond the top bit. */
static uint64_t round_off(const rw_fixed *a, int drop, int top) {
    uint64_t quotient = 0;
    for (int i = top; i >= drop; i--)
        quotient = quotient << 1 | bit_at(a, i);
    bool sticky = false;
    for (int i = 0; i < drop - 1; i++)
        sticky = sticky || bit_at(a, i);
    return quotient + (bit_at(a, drop - 1) && (sticky || (quotient & 1)));
}

double rw_fixed_round(rw_fixed a, int exponent) {
    int noise = top_bit(&a) - RW_FIXED_TRUSTED;
    if (noise > 0)
        add_bit_and_cut(&a, noise - 1, noise);
    int top = top_bit(&a);
    if (top < 0)
        return 0;
    int power = top - RW_FIXED_FRACTION + exponent; /* 2^power <= |a| < 2^(power+1) */
    if (power > 1023)
        return a.negative ? -INFINITY : INFINITY;
    int hidden = power < -1022 ? -1022 - power : 0; /* bits that a subnormal has fewer */
    int drop = top - 52 + hidden;
    /* A carry out of the mantissa moves the exponent up, as it should. */
    uint64_t bits = round_off(&a, drop, top);
    if (power >= -1022)
        bits += (uint64_t)(power + 1022) << 52;
    bits |= (uint64_t)a.negative << 63;
    double out;
    memcpy(&out, &bits, sizeof out);
    return out;
}
