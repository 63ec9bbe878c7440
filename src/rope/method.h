/*
 * method.h - what a scaling method is to the rest of the room: one rule per file, and the helpers
 * that several rules share. To add a method: write its file, and name its rule in registry.c.
 */
#ifndef RW_ROPE_METHOD_H
#define RW_ROPE_METHOD_H

#include "base/base.h"
#include "ropewalk/rope.h"

typedef struct rw_rope_rule {
    const char *name;
    /* What this method needs beyond rw_rope_spec_check's common part. NULL: nothing. */
    rw_status (*check)(const rw_rope_spec *spec, rw_error *err);
    /* Fills inv_freq and whatever differs from: attention_factor 1, regime 0, no ramp. `spec` is
       checked; length 0 asks for the unextended window. */
    void (*build)(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out);
    bool depends_on_length;
} rw_rope_rule;

extern const rw_rope_rule rw_rope_none, rw_rope_linear, rw_rope_ntk, rw_rope_dynamic,
    rw_rope_ntk_by_parts, rw_rope_yarn, rw_rope_llama3, rw_rope_longrope, rw_rope_base,
    rw_rope_proportional, rw_rope_per_pair;

/* NULL for a value that is no method. */
const rw_rope_rule *rw_rope_rule_of(rw_rope_method method);

/* ---- checks -------------------------------------------------------------------------------- */

/* Limits far beyond any use, so that no formula here can overflow or turn into NaN. Powers of two,
   so that rounding to float32 keeps a number inside. */
#define RW_ROPE_THETA_MAX 0x1p60
#define RW_ROPE_FACTOR_MAX 0x1p30
#define RW_ROPE_PAIR_FACTOR_MIN 0x1p-30
#define RW_ROPE_PAIR_FACTOR_MAX 0x1p60
#define RW_ROPE_SMALL_MAX 0x1p20 /* mscale, amplitudes, rotations */
#define RW_ROPE_SMALL_MIN 0x1p-20
#define RW_ROPE_LENGTH_MAX (UINT64_C(1) << 40)

/* low <= value <= high, or "rope.range" with `field` as its place. */
rw_status rw_rope_check_range(const char *field, double value, double low, double high,
                              rw_error *err);
/* Every entry, each named as `field[i]`. */
rw_status rw_rope_check_list(const char *field, const double *list, uint32_t count, rw_error *err);
rw_status rw_rope_check_original_context(const rw_rope_spec *spec, uint64_t least, rw_error *err);
/* The exponent d/(d-2) of the NTK formulas has no value at d = 2. */
rw_status rw_rope_check_ntk_dims(const rw_rope_spec *spec, rw_error *err);

/* ---- shared formulas ----------------------------------------------------------------------- */

/* base_k = theta^(-2k/d) / pair_factor[k] for every pair; the power's exponent is the exact
   fraction and the power is rounded once. */
void rw_rope_base_frequencies(const rw_rope_spec *spec, double theta, rw_rope_table *out);

/* c(r) = d * ln(L0 / (2 pi r)) / (2 ln b): the fractional index of the pair that turns r times
   within the original context (yarn.c). */
double rw_rope_pair_of_rotations(const rw_rope_spec *spec, double rotations);

/* Schedule of YaRN and NTK-by-parts (yarn.c). */
void rw_rope_build_ramp(const rw_rope_spec *spec, rw_rope_table *out);
rw_status rw_rope_check_ramp(const rw_rope_spec *spec, rw_error *err);

#endif
