/*
 * base_change.c - another theta and nothing else ("ABF", adjusted base frequency).
 *
 *   w_k = b^(-2k/d)      A = 1, b being the new base
 *
 * As Code Llama (b = 1e6) and Qwen2.5-1M (b = 1e7) ship it. The numbers are those of none.c; the
 * method has a name of its own because a plan and a receipt tell "left alone" from "changed".
 */
#include "rope/method.h"

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_base_frequencies(spec, spec->theta, out);
}

const rw_rope_rule rw_rope_base = {.name = "base", .build = build};
