/*
 * ntk.c - NTK-aware scaling, static (the formula of jquesnelle/yarn's scaled_rope).
 *
 *   b' = b * s^(d/(d-2))      w_k = b'^(-2k/d)      A = 1
 *
 * The fastest pair stays, the slowest lands on position interpolation, w/s. b' is rounded to a
 * double before it is used, so that the table is exactly the one of a plain base change to b',
 * which is how this method is deployed.
 *
 * d = 128, b = 1e4, s = 4: w_1 = 0.8471171851512068, w_16 = 0.0703227547859181,
 * w_63 = 2.8869549617236452e-5.
 */
#include "rope/method.h"
#include "rope/scalar.h"

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    uint32_t d = spec->rotary_dim;
    double base = rw_scaled_pow(spec->theta, spec->factor, d, d - 2);
    rw_rope_base_frequencies(spec, base, out);
}

const rw_rope_rule rw_rope_ntk = {.name = "ntk", .check = rw_rope_check_ntk_dims, .build = build};
