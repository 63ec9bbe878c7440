/*
 * llama3.c - the schedule that Llama 3.1 and 3.2 ship (type "llama3").
 *
 *   lambda_k = 2 pi / base_k
 *   lambda_k < L0/hf : w_k = base_k
 *   lambda_k > L0/lf : w_k = base_k / s
 *   else             : g = (L0/lambda_k - lf) / (hf - lf), w_k = (1-g) * base_k / s + g * base_k
 *   A = 1            lf, hf: low_freq_factor, high_freq_factor
 *
 * lf = hf is real (Llama-4 Scout has 1 and 1): the blend, which would divide by zero, is then
 * reached only by a wavelength of exactly L0/lf, which counts as a slow one.
 *
 * Llama-3.1-8B, d = 128, b = 5e5, s = 8, lf = 1, hf = 4, L0 = 8192: pairs 0..28 untouched, 29..34
 * blended (w_29 = 0.002166570763503359, w_34 = 1.7850781276799638e-4), 35..63 divided by 8.
 */
#include "rope/method.h"

#include "rope/scalar.h"

static rw_status check(const rw_rope_spec *spec, rw_error *err) {
    RW_TRY(rw_rope_check_original_context(spec, 1, err));
    RW_TRY(rw_rope_check_range("low_freq_factor", spec->low_freq_factor, RW_ROPE_SMALL_MIN,
                               RW_ROPE_SMALL_MAX, err));
    return rw_rope_check_range("high_freq_factor", spec->high_freq_factor, spec->low_freq_factor,
                               RW_ROPE_SMALL_MAX, err);
}

/* How far the pair is interpolated, 1 - g. */
static double interpolation(const rw_rope_spec *spec, double base) {
    double window = (double)spec->original_context, wavelength = RW_TWO_PI / base;
    double low = spec->low_freq_factor, high = spec->high_freq_factor;
    if (wavelength < window / high)
        return 0;
    if (wavelength > window / low || low == high)
        return 1;
    double g = (window / wavelength - low) / (high - low);
    return 1 - g;
}

static void build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out) {
    (void)length;
    rw_rope_base_frequencies(spec, spec->theta, out);
    for (uint32_t k = 0; k < out->pairs; k++) {
        double base = out->inv_freq[k], ramp = interpolation(spec, base);
        out->inv_freq[k] = rw_product(ramp, base) / spec->factor + rw_product(1 - ramp, base);
        out->ramp[k] = ramp;
    }
    out->ramp_low = rw_rope_pair_of_rotations(spec, spec->high_freq_factor);
    out->ramp_high = rw_rope_pair_of_rotations(spec, spec->low_freq_factor);
}

const rw_rope_rule rw_rope_llama3 = {.name = "llama3", .check = check, .build = build};
