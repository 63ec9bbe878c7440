/*
 * per_pair.c - an arbitrary divisor for every pair.
 *
 *   w_k = b^(-2k/d) / pair_factor[k]      A = 1
 *
 * What ggml's rope_freqs.weight says, and what a calibration may find. The division happens in
 * rw_rope_base_frequencies for every method that carries pair factors; here they are the method,
 * so there must be one for each pair.
 */
#include "rope/method.h"

static rw_status check(const rw_rope_spec *spec, rw_error *err) {
    if (spec->pair_factor_count == spec->rotary_dim / 2)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "rope.list", "pair_factor",
                   "the method per_pair needs %u pair factors (rotary_dim / 2) and has %u",
                   spec->rotary_dim / 2, spec->pair_factor_count);
}

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_base_frequencies(spec, spec->theta, out);
}

const rw_rope_rule rw_rope_per_pair = {.name = "per_pair", .check = check, .build = build};
