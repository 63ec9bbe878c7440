/*
 * proportional.c - the first pairs of the whole head rotate, the rest stand still (transformers'
 * type "proportional", Gemma-4's full-attention layers).
 *
 *   n   = floor(p * D / 2) pairs rotate, p being partial_rotary_factor
 *   w_k = b^(-2k/D) / s for k < n, 0 for n <= k < D/2      A = 1
 *
 * Unlike a partial rotation the exponent's denominator is the whole head and the pairing is over
 * the whole head too, so rotary_dim is head_dim here.
 *
 * D = 512, p = 0.25, b = 1e6: w_1 = 0.9474635256553754, w_63 = 0.033376246942920386, w_64 = 0.
 */
#include <math.h>

#include "rope/method.h"

static rw_status check(const rw_rope_spec *spec, rw_error *err) {
    if (spec->rotary_dim != spec->head_dim)
        return rw_fail(err, RW_ERR_INPUT, "rope.dims", "rotary_dim",
                       "the method proportional pairs over the whole head: rotary_dim must be "
                       "head_dim (%u), not %u",
                       spec->head_dim, spec->rotary_dim);
    return rw_rope_check_range("partial_rotary_factor", spec->partial_rotary_factor,
                               RW_ROPE_SMALL_MIN, 1, err);
}

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    uint32_t rotated = (uint32_t)floor(spec->partial_rotary_factor * spec->head_dim / 2);
    rw_rope_base_frequencies(spec, spec->theta, out);
    for (uint32_t k = 0; k < out->pairs; k++)
        out->inv_freq[k] = k < rotated ? out->inv_freq[k] / spec->factor : 0;
}

const rw_rope_rule rw_rope_proportional = {.name = "proportional", .check = check, .build = build};
