/*
 * none.c - the rotation as trained (RoFormer, arXiv:2104.09864).
 *
 *   w_k = b^(-2k/d)      A = 1
 *
 * d = 128, b = 1e4: w_1 = 0.8659643233600653, w_16 = 0.1, w_63 = 1.1547819846894582e-4.
 */
#include "rope/method.h"

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_base_frequencies(spec, spec->theta, out);
}

const rw_rope_rule rw_rope_none = {.name = "none", .build = build};
