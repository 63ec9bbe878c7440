/*
 * yarn.c - YaRN (Peng et al., arXiv:2309.00071), as Hugging Face transformers deploys it.
 *
 *   c(r) = d * ln(L0 / (2 pi r)) / (2 ln b)      the pair that turns r times within L0
 *   lo   = c(beta_fast), hi = c(beta_slow); with truncate lo = floor(lo), hi = ceil(hi)
 *   lo   = max(lo, 0), hi = min(hi, d-1), and hi += 0.001 where they meet
 *   g_k  = clamp((k - lo) / (hi - lo), 0, 1)
 *   w_k  = base_k * (1 - g_k) + (base_k / s) * g_k
 *   A    = f(s, mscale) / f(s, mscale_all_dim) when both are given, else f(s, 1)
 *   f(s, m) = 0.1 * m * ln(s) + 1, and 1 for s <= 1
 *
 * hi is held against d-1 although the last pair is d/2-1: so does the deployed code, and so the
 * slowest pairs of a small base may never be interpolated wholly. Should lo lie beyond d-1 (a
 * window that even the slowest pair turns in more than beta_fast times) the clamps cross and the
 * deployed formula interpolates every pair; it is followed there too.
 *
 * Qwen2.5, d = 128, b = 1e6, s = 4, L0 = 32768: lo = 23, hi = 40, w_24 = 0.005375321490790102,
 * w_31 = 8.029597275452302e-4, w_40 = 4.445698525097307e-5, A = 1.138629436111989.
 */
#include <math.h>

#include "rope/method.h"
#include "rope/scalar.h"

rw_status rw_rope_check_ramp(const rw_rope_spec *spec, rw_error *err) {
    RW_TRY(rw_rope_check_original_context(spec, 1, err));
    RW_TRY(rw_rope_check_range("beta_slow", spec->beta_slow, RW_ROPE_SMALL_MIN, RW_ROPE_SMALL_MAX,
                               err));
    return rw_rope_check_range("beta_fast", spec->beta_fast, spec->beta_slow, RW_ROPE_SMALL_MAX,
                               err);
}

double rw_rope_pair_of_rotations(const rw_rope_spec *spec, double rotations) {
    double window = (double)spec->original_context;
    return spec->rotary_dim * rw_ln(window / (rotations * RW_TWO_PI)) / (2 * rw_ln(spec->theta));
}

static void find_ramp_ends(const rw_rope_spec *spec, double *low, double *high) {
    *low = rw_rope_pair_of_rotations(spec, spec->beta_fast);
    *high = rw_rope_pair_of_rotations(spec, spec->beta_slow);
    if (spec->truncate) {
        *low = floor(*low);
        *high = ceil(*high);
    }
    *low = *low > 0 ? *low : 0;
    *high = *high < spec->rotary_dim - 1 ? *high : spec->rotary_dim - 1;
    if (*low == *high)
        *high += 0.001;
}

static double clamp01(double x) {
    return x > 0 ? (x < 1 ? x : 1) : 0;
}

void rw_rope_build_ramp(const rw_rope_spec *spec, rw_rope_table *out) {
    double low, high;
    find_ramp_ends(spec, &low, &high);
    rw_rope_base_frequencies(spec, spec->theta, out);
    for (uint32_t k = 0; k < out->pairs; k++) {
        double kept = out->inv_freq[k], g = clamp01((k - low) / (high - low));
        out->inv_freq[k] = rw_product(kept, 1 - g) + rw_product(kept / spec->factor, g);
        out->ramp[k] = g;
    }
    out->ramp_low = low;
    out->ramp_high = high;
}

/* f(s, m); s >= 1, where ln 1 = 0 gives the 1 of the formula's other branch. */
static double temperature(double factor, double mscale) {
    return rw_product(0.1 * mscale, rw_ln(factor)) + 1;
}

static double amplitude(const rw_rope_spec *spec) {
    if (spec->mscale != 0 && spec->mscale_all_dim != 0)
        return temperature(spec->factor, spec->mscale) /
               temperature(spec->factor, spec->mscale_all_dim);
    return temperature(spec->factor, 1);
}

static rw_status check(const rw_rope_spec *spec, rw_error *err) {
    RW_TRY(rw_rope_check_ramp(spec, err));
    RW_TRY(rw_rope_check_range("mscale", spec->mscale, 0, RW_ROPE_SMALL_MAX, err));
    return rw_rope_check_range("mscale_all_dim", spec->mscale_all_dim, 0, RW_ROPE_SMALL_MAX, err);
}

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_build_ramp(spec, out);
    out->attention_factor = amplitude(spec);
}

const rw_rope_rule rw_rope_yarn = {.name = "yarn", .check = check, .build = build};
