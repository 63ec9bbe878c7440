/*
 * bands.c - per pair: the wavelength it was trained with, and how far the plan interpolates it.
 */
#include "plan/internal.h"

void rw_plan_write_bands(rw_json_writer *w, const rw_rope_spec *spec, uint64_t context) {
    rw_rope_table scaled, plain;
    rw_rope_spec unscaled;
    rw_rope_spec_init(&unscaled);
    unscaled.theta = spec->theta;
    unscaled.head_dim = spec->head_dim;
    unscaled.rotary_dim = spec->rotary_dim;
    rw_json_begin_array(w);
    if (rw_rope_table_build(spec, context, &scaled, NULL) == RW_OK &&
        rw_rope_table_build(&unscaled, 0, &plain, NULL) == RW_OK) {
        for (uint32_t k = 0; k < scaled.pairs; k++) {
            rw_json_begin_object(w);
            rw_json_member_u64(w, "pair", k);
            rw_json_member_double(w, "wavelength", 2 * 3.14159265358979323846 / plain.inv_freq[k]);
            rw_json_member_double(w, "ramp", scaled.ramp[k]);
            rw_json_end_object(w);
        }
    }
    rw_json_end_array(w);
}
