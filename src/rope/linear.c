/*
 * linear.c - position interpolation (Chen et al., arXiv:2306.15595).
 *
 *   w_k = b^(-2k/d) / s      A = 1
 *
 * d = 128, b = 1e4, s = 4: w_0 = 0.25, w_1 = 0.21649108084001634, w_63 = 2.8869549617236455e-5.
 */
#include "rope/method.h"

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_base_frequencies(spec, spec->theta, out);
    for (uint32_t k = 0; k < out->pairs; k++)
        out->inv_freq[k] /= spec->factor;
}

const rw_rope_rule rw_rope_linear = {.name = "linear", .build = build};
