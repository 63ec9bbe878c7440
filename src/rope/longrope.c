/*
 * longrope.c - LongRoPE (Ding et al., arXiv:2402.13753; types "longrope" and "su").
 *
 *   e_k = long_factor[k] if L > L0 (strictly), else short_factor[k]
 *   w_k = b^(-2k/d) / e_k
 *   A   = sqrt(1 + ln F / ln L0), 1 for F <= 1; the same in both regimes. F is `factor`
 *
 * Phi-3-mini-128k, L0 = 4096, F = 32: A = 1.1902380714238083.
 */
#include <math.h>

#include "rope/method.h"
#include "rope/scalar.h"

static rw_status check(const rw_rope_spec *spec, rw_error *err) {
    RW_TRY(rw_rope_check_original_context(spec, 2, err)); /* ln L0 divides */
    if (spec->list_count != spec->rotary_dim / 2)
        return rw_fail(err, RW_ERR_INPUT, "rope.list", "long_factor",
                       "longrope needs short and long lists of %u factors (rotary_dim / 2), and "
                       "they have %u",
                       spec->rotary_dim / 2, spec->list_count);
    RW_TRY(rw_rope_check_list("short_factor", spec->short_factor, spec->list_count, err));
    return rw_rope_check_list("long_factor", spec->long_factor, spec->list_count, err);
}

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    out->regime = length > spec->original_context;
    const double *factors = out->regime ? spec->long_factor : spec->short_factor;
    rw_rope_base_frequencies(spec, spec->theta, out);
    for (uint32_t k = 0; k < out->pairs; k++)
        out->inv_freq[k] /= factors[k];
    double window = (double)spec->original_context;
    out->attention_factor = sqrt(1 + rw_ln(spec->factor) / rw_ln(window));
}

const rw_rope_rule rw_rope_longrope = {
    .name = "longrope", .check = check, .build = build, .depends_on_length = true};
