/*
 * ntk_by_parts.c - YaRN's schedule without its temperature (Peng et al., arXiv:2309.00071, 3.2).
 *
 *   w_k as in yarn.c      A = 1
 *
 * The paper draws the ramp over rotations; every runtime draws it over the pair index, and so does
 * this. Older code by the paper's authors mixes three bands with constants of its own; no runtime
 * has it.
 */
#include "rope/method.h"

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_build_ramp(spec, out);
}

const rw_rope_rule rw_rope_ntk_by_parts = {
    .name = "ntk_by_parts", .check = rw_rope_check_ramp, .build = build};
