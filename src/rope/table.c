/* table.c - from a spec and a length to the numbers. */
#include <math.h>
#include <string.h>

#include "rope/method.h"
#include "rope/scalar.h"

void rw_rope_base_frequencies(const rw_rope_spec *spec, double theta, rw_rope_table *out) {
    rw_fixed ln_theta = rw_ln_fixed(theta);
    for (uint32_t k = 0; k < out->pairs; k++) {
        rw_fixed exponent = rw_fixed_times_ratio(ln_theta, -2 * (int64_t)k, spec->rotary_dim);
        out->inv_freq[k] = rw_exp_fixed(&exponent);
        if (spec->pair_factor_count != 0)
            out->inv_freq[k] /= spec->pair_factor[k];
    }
}

rw_status rw_rope_table_build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out,
                              rw_error *err) {
    memset(out, 0, sizeof *out);
    RW_TRY(rw_rope_spec_check(spec, err));
    if (length > RW_ROPE_LENGTH_MAX)
        return rw_fail(err, RW_ERR_INPUT, "rope.length", "length",
                       "a rotation for %llu tokens was asked for, and 2^40 is the most",
                       (unsigned long long)length);
    out->struct_size = sizeof *out;
    out->pairing = spec->pairing;
    out->head_dim = spec->head_dim;
    out->rotary_dim = spec->rotary_dim;
    out->pairs = spec->rotary_dim / 2;
    out->length = length;
    out->attention_factor = 1;
    out->logit_scale = spec->logit_scale;
    out->ramp_low = out->ramp_high = NAN;
    rw_rope_rule_of(spec->method)->build(spec, length, out);
    if (!isnan(spec->attention_factor))
        out->attention_factor = spec->attention_factor;
    return RW_OK;
}
