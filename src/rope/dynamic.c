/*
 * dynamic.c - NTK-aware scaling whose base grows with the length (Hugging Face transformers' type
 * "dynamic").
 *
 *   L' = max(L, M)      b' = b * (s*L'/M - (s-1))^(d/(d-2))      w_k = b'^(-2k/d)      A = 1
 *
 * M is the trained window (original_context here; runtimes read it from max_position_embeddings).
 * The bracket is computed as 1 + s*(L'-M)/M: the same number, and exactly 1 up to M, where the
 * rotation is as trained. Beyond M even s = 1 changes it, to b * (L/M)^(d/(d-2)).
 *
 * d = 128, b = 1e4, s = 2, M = 4096, L = 8192: b' = 30527.7367488067, w_1 = 0.8509942913412162,
 * w_63 = 3.849273282298194e-5.
 */
#include "rope/method.h"
#include "rope/scalar.h"

static rw_status check(const rw_rope_spec *spec, rw_error *err) {
    RW_TRY(rw_rope_check_original_context(spec, 1, err));
    return rw_rope_check_ntk_dims(spec, err);
}

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    uint32_t d = spec->rotary_dim;
    uint64_t window = spec->original_context;
    uint64_t beyond = length > window ? length - window : 0;
    double growth = 1 + rw_product(spec->factor, (double)beyond) / (double)window;
    out->regime = beyond > 0;
    rw_rope_base_frequencies(spec, rw_scaled_pow(spec->theta, growth, d, d - 2), out);
}

const rw_rope_rule rw_rope_dynamic = {
    .name = "dynamic", .check = check, .build = build, .depends_on_length = true};
