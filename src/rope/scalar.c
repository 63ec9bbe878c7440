/*
 * scalar.c - see scalar.h.
 *
 * ln: x = 2^e * m with m in [1/sqrt2, sqrt2); ln m = 2 atanh(z), z = (m-1)/(m+1), |z| < 0.172, by
 *     its Taylor series: 50 terms leave less than 2^-256.
 * exp: x = n ln2 + r with 0 <= r < ln2; e^(r/2^16) by Taylor (14 terms leave less than 2^-260),
 *     squared 16 times, which multiplies the cutting errors by 2^16: 2^-235 in all.
 */
#include "rope/scalar.h"

#include <math.h>
#include <string.h>

/* ln 2, 256 bits, cut off. */
static const rw_fixed ln2 = {.limb = {0x8baafa2b, 0x8a0d175b, 0x7298b62d, 0x40f34326, 0x03f2f6af,
                                      0xc9e3b398, 0xd1cf79ab, 0xb17217f7}};
static const rw_fixed one = {.limb = {[RW_FIXED_FRACTION / 32] = 1}};

enum { LN_TERMS = 51, EXP_TERMS = 14, EXP_SQUARINGS = 16 };

/* x = mantissa * 2^(exponent - 52) with 2^52 <= mantissa < 2^53. */
static uint64_t split(double x, int *exponent) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    *exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    if (*exponent > -1023)
        return mantissa | UINT64_C(1) << 52;
    for (*exponent = -1022; mantissa < UINT64_C(1) << 52; --*exponent)
        mantissa <<= 1;
    return mantissa;
}

/* 2 atanh(z) */
static rw_fixed two_atanh(const rw_fixed *z) {
    rw_fixed square = rw_fixed_mul(z, z), power = *z, sum = *z;
    for (uint32_t i = 1; i < LN_TERMS; i++) {
        power = rw_fixed_mul(&power, &square);
        sum = rw_fixed_add(sum, rw_fixed_div_small(power, 2 * i + 1));
    }
    return rw_fixed_mul_small(sum, 2);
}

rw_fixed rw_ln_fixed(double x) {
    int exponent;
    uint64_t unit = UINT64_C(1) << 52, mantissa = split(x, &exponent);
    if (mantissa > UINT64_C(0x16a09e667f3bcc)) { /* m > sqrt2: use m/2 */
        exponent++;
        unit <<= 1;
    }
    bool below_one = mantissa < unit;
    rw_fixed z = rw_fixed_ratio(below_one ? unit - mantissa : mantissa - unit, mantissa + unit);
    z.negative = below_one;
    rw_fixed whole = rw_fixed_mul_small(ln2, (uint32_t)(exponent < 0 ? -exponent : exponent));
    whole.negative = exponent < 0;
    return rw_fixed_add(whole, two_atanh(&z));
}

rw_fixed rw_fixed_times_ratio(rw_fixed a, int64_t num, uint32_t den) {
    a = rw_fixed_mul_small(a, (uint32_t)(num < 0 ? -num : num));
    a.negative = a.negative != (num < 0);
    return rw_fixed_div_small(a, den);
}

/* x (not negative) minus the largest n with n ln2 <= x, which is returned. */
static uint32_t take_whole_ln2(rw_fixed *x) {
    uint32_t n = (uint32_t)(rw_fixed_round(*x, 0) / 0.6931471805599453);
    n = n > 0 ? n - 1 : 0; /* the quotient may have been rounded up */
    rw_fixed part = rw_fixed_mul_small(ln2, n), one_more = ln2;
    part.negative = one_more.negative = true;
    *x = rw_fixed_add(*x, part);
    for (;; n++) {
        rw_fixed rest = rw_fixed_add(*x, one_more);
        if (rest.negative)
            return n;
        *x = rest;
    }
}

/* e^r for 0 <= r <= ln2 */
static rw_fixed exp_of_part(const rw_fixed *r) {
    rw_fixed x = rw_fixed_div_small(*r, UINT32_C(1) << EXP_SQUARINGS), sum = one;
    for (uint32_t i = EXP_TERMS; i > 0; i--) { /* Horner: 1 + x/i * (...) */
        sum = rw_fixed_mul(&sum, &x);
        sum = rw_fixed_add(one, rw_fixed_div_small(sum, i));
    }
    for (int i = 0; i < EXP_SQUARINGS; i++)
        sum = rw_fixed_mul(&sum, &sum);
    return sum;
}

double rw_exp_fixed(const rw_fixed *x) {
    if (rw_fixed_is_zero(x))
        return 1;
    double size = fabs(rw_fixed_round(*x, 0));
    if (size > 800)
        return x->negative ? 0 : INFINITY;
    rw_fixed rest = *x;
    rest.negative = false;
    int n = (int)take_whole_ln2(&rest);
    if (x->negative) { /* e^-x = 2^-(n+1) * e^(ln2 - rest) */
        rest.negative = true;
        rest = rw_fixed_add(ln2, rest);
        n = -(n + 1);
    }
    return rw_fixed_round(exp_of_part(&rest), n);
}

double rw_ln(double x) {
    if (!(x > 0) || x > DBL_MAX)
        return x > 0 ? INFINITY : x == 0 ? -INFINITY : NAN;
    return rw_fixed_round(rw_ln_fixed(x), 0);
}

double rw_exp(double x) {
    if (!(fabs(x) <= 800))
        return x > 0 ? INFINITY : x < 0 ? 0 : NAN;
    if (fabs(x) < 0x1p-60)
        return 1; /* and too small for exactness in fixed point */
    rw_fixed exact = rw_fixed_from_double(x);
    return rw_exp_fixed(&exact);
}

double rw_pow(double base, int64_t num, uint32_t den) {
    rw_fixed exponent = rw_fixed_times_ratio(rw_ln_fixed(base), num, den);
    return rw_exp_fixed(&exponent);
}

double rw_scaled_pow(double scale, double base, int64_t num, uint32_t den) {
    rw_fixed exponent = rw_fixed_times_ratio(rw_ln_fixed(base), num, den);
    exponent = rw_fixed_add(exponent, rw_ln_fixed(scale));
    return rw_exp_fixed(&exponent);
}
