/* spec.c - defaults, checks, rounding and equality of a spec. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "rope/method.h"

/* The single numbers of a spec that a file stores as float32. partial_rotary_factor is not among
   them: only JSON has it, and it is a count in disguise, which rounding could change by one. */
static const size_t stored_numbers[] = {
    offsetof(rw_rope_spec, theta),
    offsetof(rw_rope_spec, factor),
    offsetof(rw_rope_spec, attention_factor),
    offsetof(rw_rope_spec, mscale),
    offsetof(rw_rope_spec, mscale_all_dim),
    offsetof(rw_rope_spec, logit_scale),
    offsetof(rw_rope_spec, beta_fast),
    offsetof(rw_rope_spec, beta_slow),
    offsetof(rw_rope_spec, low_freq_factor),
    offsetof(rw_rope_spec, high_freq_factor),
};

enum { STORED_NUMBERS = sizeof stored_numbers / sizeof *stored_numbers };

void rw_rope_spec_init(rw_rope_spec *spec) {
    *spec = (rw_rope_spec){
        .struct_size = sizeof *spec,
        .method = RW_ROPE_NONE,
        .pairing = RW_PAIRING_HALF,
        .theta = 10000,
        .factor = 1,
        .attention_factor = NAN,
        .logit_scale = 1,
        .beta_fast = 32,
        .beta_slow = 1,
        .truncate = true,
        .low_freq_factor = 1,
        .high_freq_factor = 4,
    };
}

/* ---- checks -------------------------------------------------------------------------------- */

static void number_text(char out[32], double value) {
    if (isnan(value))
        snprintf(out, 32, "not a number");
    else if (isinf(value))
        snprintf(out, 32, "infinite");
    else
        rw_format_double(out, value, false);
}

rw_status rw_rope_check_range(const char *field, double value, double low, double high,
                              rw_error *err) {
    if (value >= low && value <= high) /* false for NaN */
        return RW_OK;
    char is[32], from[32], to[32];
    number_text(is, value);
    number_text(from, low);
    number_text(to, high);
    return rw_fail(err, RW_ERR_INPUT, "rope.range", field,
                   "%s is %s, and must be a number from %s to %s", field, is, from, to);
}

rw_status rw_rope_check_list(const char *field, const double *list, uint32_t count, rw_error *err) {
    for (uint32_t i = 0; i < count; i++) {
        char name[48];
        snprintf(name, sizeof name, "%s[%u]", field, i);
        RW_TRY(rw_rope_check_range(name, list[i], RW_ROPE_PAIR_FACTOR_MIN, RW_ROPE_PAIR_FACTOR_MAX,
                                   err));
    }
    return RW_OK;
}

rw_status rw_rope_check_original_context(const rw_rope_spec *spec, uint64_t least, rw_error *err) {
    if (spec->original_context >= least && spec->original_context <= RW_ROPE_LENGTH_MAX)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "rope.original_context", "original_context",
                   "the method %s needs the window the model was trained for, from %llu to 2^40 "
                   "tokens, and it is %llu: give the original context",
                   rw_rope_method_name(spec->method), (unsigned long long)least,
                   (unsigned long long)spec->original_context);
}

rw_status rw_rope_check_ntk_dims(const rw_rope_spec *spec, rw_error *err) {
    if (spec->rotary_dim > 2)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "rope.dims", "rotary_dim",
                   "the method %s raises the base by d/(d-2), which needs more than 2 rotary dims",
                   rw_rope_method_name(spec->method));
}

static rw_status check_dims(const rw_rope_spec *spec, rw_error *err) {
    uint32_t d = spec->rotary_dim;
    if (d < 2 || d % 2 != 0 || d > 2 * RW_ROPE_MAX_PAIRS)
        return rw_fail(err, RW_ERR_INPUT, "rope.dims", "rotary_dim",
                       "rotary_dim is %u, and must be an even number from 2 to %d", d,
                       2 * RW_ROPE_MAX_PAIRS);
    if (d > spec->head_dim)
        return rw_fail(err, RW_ERR_INPUT, "rope.dims", "head_dim",
                       "rotary_dim %u does not fit into head_dim %u", d, spec->head_dim);
    return RW_OK;
}

static rw_status check_mrope(const rw_rope_spec *spec, rw_error *err) {
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum += spec->mrope_section[i];
    if (sum == 0 || sum == spec->rotary_dim / 2)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "rope.mrope", "mrope_section",
                   "the M-RoPE sections have %llu pairs in all, and rotary_dim / 2 is %u",
                   (unsigned long long)sum, spec->rotary_dim / 2);
}

static rw_status check_pair_factors(const rw_rope_spec *spec, rw_error *err) {
    uint32_t count = spec->pair_factor_count;
    if (count != 0 && count != spec->rotary_dim / 2)
        return rw_fail(err, RW_ERR_INPUT, "rope.list", "pair_factor",
                       "there are %u pair factors for %u pairs (rotary_dim / 2): give one for "
                       "each, or none",
                       count, spec->rotary_dim / 2);
    return rw_rope_check_list("pair_factor", spec->pair_factor, count, err);
}

rw_status rw_rope_spec_check(const rw_rope_spec *spec, rw_error *err) {
    const rw_rope_rule *rule = rw_rope_rule_of(spec->method);
    if (!rule)
        return rw_fail(err, RW_ERR_INPUT, "rope.method", "method", "%d is no scaling method",
                       (int)spec->method);
    if ((unsigned)spec->pairing > RW_PAIRING_INTERLEAVED)
        return rw_fail(err, RW_ERR_INPUT, "rope.pairing", "pairing", "%d is no pairing",
                       (int)spec->pairing);
    RW_TRY(check_dims(spec, err));
    RW_TRY(rw_rope_check_range("theta", spec->theta, 2, RW_ROPE_THETA_MAX, err));
    RW_TRY(rw_rope_check_range("factor", spec->factor, 1, RW_ROPE_FACTOR_MAX, err));
    if (!isnan(spec->attention_factor))
        RW_TRY(rw_rope_check_range("attention_factor", spec->attention_factor, 0, RW_ROPE_SMALL_MAX,
                                   err));
    RW_TRY(rw_rope_check_range("logit_scale", spec->logit_scale, RW_ROPE_SMALL_MIN,
                               RW_ROPE_SMALL_MAX, err));
    RW_TRY(check_pair_factors(spec, err));
    RW_TRY(check_mrope(spec, err));
    return rule->check ? rule->check(spec, err) : RW_OK;
}

/* ---- rounding and equality ----------------------------------------------------------------- */

/* Counts of a spec that was never checked may be anything. */
static uint32_t bounded(uint32_t count) {
    return count < RW_ROPE_MAX_PAIRS ? count : RW_ROPE_MAX_PAIRS;
}

static double stored(const rw_rope_spec *spec, int i) {
    double number;
    memcpy(&number, (const char *)spec + stored_numbers[i], sizeof number);
    return number;
}

static void round_list(double *list, uint32_t count) {
    for (uint32_t i = 0; i < bounded(count); i++)
        list[i] = (float)list[i];
}

void rw_rope_spec_round(rw_rope_spec *spec) {
    for (int i = 0; i < STORED_NUMBERS; i++) {
        double rounded = (float)stored(spec, i);
        memcpy((char *)spec + stored_numbers[i], &rounded, sizeof rounded);
    }
    round_list(spec->short_factor, spec->list_count);
    round_list(spec->long_factor, spec->list_count);
    round_list(spec->pair_factor, spec->pair_factor_count);
}

static bool same_number(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static bool same_list(const double *a, const double *b, uint32_t count) {
    for (uint32_t i = 0; i < bounded(count); i++)
        if (!same_number(a[i], b[i]))
            return false;
    return true;
}

static bool same_words(const rw_rope_spec *a, const rw_rope_spec *b) {
    for (int i = 0; i < 4; i++)
        if (a->mrope_section[i] != b->mrope_section[i])
            return false;
    return a->method == b->method && a->pairing == b->pairing && a->head_dim == b->head_dim &&
           a->rotary_dim == b->rotary_dim && a->original_context == b->original_context &&
           a->truncate == b->truncate && a->list_count == b->list_count &&
           a->pair_factor_count == b->pair_factor_count &&
           a->mrope_interleaved == b->mrope_interleaved;
}

bool rw_rope_spec_equal(const rw_rope_spec *a, const rw_rope_spec *b) {
    for (int i = 0; i < STORED_NUMBERS; i++)
        if (!same_number(stored(a, i), stored(b, i)))
            return false;
    return same_words(a, b) && same_number(a->partial_rotary_factor, b->partial_rotary_factor) &&
           same_list(a->short_factor, b->short_factor, a->list_count) &&
           same_list(a->long_factor, b->long_factor, a->list_count) &&
           same_list(a->pair_factor, b->pair_factor, a->pair_factor_count);
}
