/*
 * fixed.h - fixed-point numbers of 256 fraction bits, in integers only.
 *
 * Why not floating point: whole numbers come out the same whatever the compiler fuses, reorders or
 * keeps in wider registers, and 256 bits leave so much room behind a double's 53 that rounding the
 * result once is correct rounding (scalar.h has the argument).
 */
#ifndef RW_ROPE_FIXED_H
#define RW_ROPE_FIXED_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RW_FIXED_LIMBS = 10,     /* 32 bits each, the lowest first   */
    RW_FIXED_FRACTION = 256, /* so 64 bits stand before the point */
    RW_FIXED_TRUSTED = 200   /* significant bits that no chain of operations here spoils */
};

typedef struct rw_fixed {
    bool negative;
    uint32_t limb[RW_FIXED_LIMBS]; /* magnitude */
} rw_fixed;

bool rw_fixed_is_zero(const rw_fixed *a);

/* Exact for |x| in {0} and [2^-200, 2^63). */
rw_fixed rw_fixed_from_double(double x);

rw_fixed rw_fixed_add(rw_fixed a, rw_fixed b);
/* Product and quotient, cut off (towards zero) after the 256th fraction bit. */
rw_fixed rw_fixed_mul(const rw_fixed *a, const rw_fixed *b);
rw_fixed rw_fixed_mul_small(rw_fixed a, uint32_t factor);
rw_fixed rw_fixed_div_small(rw_fixed a, uint32_t divisor);
/* num / den for num < den < 2^63. */
rw_fixed rw_fixed_ratio(uint64_t num, uint64_t den);

/* a * 2^exponent as the nearest double, ties to even, subnormals included. A value within 2^-200
   (relative) of a double or of the middle between two counts as exactly that: what is left of it
   is the noise of cutting off. */
double rw_fixed_round(rw_fixed a, int exponent);

#endif
