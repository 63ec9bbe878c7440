/*
 * scalar.h - logarithm, exponential and power that are the same bits everywhere.
 *
 * The C library's differ between builds by a last bit, and with them every table's identity. These
 * are correctly rounded: each is computed in integers to at least 200 significant bits (fixed.h)
 * and rounded to double once. For log and exp of a double that settles every case, since the
 * hardest ones known (Lefevre and Muller, "Worst cases for correct rounding of the elementary
 * functions in double precision", ARITH 2001) need fewer than 170 bits. A power whose exact value
 * is a double, or midway between two, is recognised; for any other the chance that 200 bits do not
 * decide is below 2^-140.
 *
 * No libm except fabs, floor, ceil and sqrt, which IEEE 754 makes exact.
 */
#ifndef RW_ROPE_SCALAR_H
#define RW_ROPE_SCALAR_H

#include <float.h>

#include "rope/fixed.h"

#if FLT_EVAL_METHOD != 0
#error "src/rope needs plain IEEE doubles (no x87 registers, no -ffast-math): build with -msse2"
#endif

/* ln x. -inf for 0, NaN for what has no logarithm. */
double rw_ln(double x);
/* e^x. */
double rw_exp(double x);
/* base^(num/den) for finite base > 0: the exponent is exact, only the result is rounded. */
double rw_pow(double base, int64_t num, uint32_t den);
/* scale * base^(num/den), likewise rounded once; scale > 0. */
double rw_scaled_pow(double scale, double base, int64_t num, uint32_t den);

/* The same before rounding, for callers who need many powers of one base. */
rw_fixed rw_ln_fixed(double x);                                       /* finite x > 0           */
rw_fixed rw_fixed_times_ratio(rw_fixed a, int64_t num, uint32_t den); /* |num| < 2^32           */
double rw_exp_fixed(const rw_fixed *x);                               /* inf and 0 far outside  */

#define RW_TWO_PI 6.283185307179586

/* a * b rounded by itself. Compilers that fuse a product with a following sum
   (-ffp-contract=fast, GCC's default outside ISO mode) would change tables by a last bit. The
   build says -ffp-contract=off; this keeps the room right in builds that are not ours. */
static inline double rw_product(double a, double b) {
    volatile double product = a * b;
    return product;
}

#endif
