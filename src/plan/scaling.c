/*
 * scaling.c - from the flags of a scaling to specs. The same for plan, extend and measure.
 */
#include "plan/internal.h"

/* ---- what there is already ------------------------------------------------------------------- */

const rw_rope_group *rw_plan_primary(const rw_rope_set *set) {
    const rw_rope_group *group = rw_rope_set_find(set, RW_LAYERS_FULL);
    return group ? group : set->count ? &set->group[0] : NULL;
}

static bool is_scaled(const rw_rope_spec *spec) {
    if (spec->method == RW_ROPE_PROPORTIONAL)
        return spec->factor != 1;
    return spec->pair_factor_count ||
           (spec->method != RW_ROPE_NONE && spec->method != RW_ROPE_BASE);
}

rw_existing rw_plan_existing(const rw_source *source, const rw_rope_set *before) {
    const rw_rope_group *group = rw_plan_primary(before);
    rw_existing existing = {.method = RW_ROPE_NONE, .factor = 1};
    if (group && is_scaled(&group->spec)) {
        existing.scaled = true;
        existing.method = group->spec.method;
        existing.factor = group->spec.factor;
        return existing;
    }
    if (!source->receipt_plan || source->windows.native >= source->windows.advertised)
        return existing;
    char name[32];
    rw_str text = rw_json_string_or(rw_json_get(source->receipt_plan, "method"), "");
    snprintf(name, sizeof name, "%.*s", (int)(text.size < 31 ? text.size : 31),
             text.size ? text.data : "");
    existing.scaled = existing.from_receipt = rw_rope_method_by_name(name, &existing.method);
    existing.factor = rw_json_number_or(rw_json_get(source->receipt_plan, "factor"), 1);
    return existing;
}

double rw_plan_theta_before(const rw_source *source) {
    const rw_json *before = rw_json_get(source->receipt_plan, "before");
    if (!before || before->type != RW_JSON_ARRAY)
        return 0;
    return rw_json_number_or(rw_json_get(before->first, "theta"), 0);
}

/* ---- names
 * --------------------------------------------------------------------------------------- */

rw_status rw_plan_method(const rw_scaling_options *scaling, rw_rope_method usual,
                         rw_rope_method *out, rw_error *err) {
    *out = usual;
    if (!scaling->method || rw_rope_method_by_name(scaling->method, out))
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "plan.unknown_method", "--method",
                   "there is no method \"%s\": none, linear, ntk, dynamic, ntk_by_parts, yarn, "
                   "llama3, longrope, base, per_pair",
                   scaling->method);
}

typedef struct flag_use {
    const char *flag;
    bool given;
    unsigned methods; /* bit (1 << method): those that look at it */
} flag_use;

#define BIT(method) (1u << (method))

void rw_plan_note_unused(const rw_scaling_options *s, rw_rope_method method,
                         rw_diagnostics *diagnostics) {
    const unsigned ramp = BIT(RW_ROPE_YARN) | BIT(RW_ROPE_NTK_BY_PARTS);
    const unsigned any = ~0u;
    const flag_use flags[] = {
        {"--factor", s->factor != 0,
         any & ~(BIT(RW_ROPE_NONE) | BIT(RW_ROPE_BASE) | BIT(RW_ROPE_PER_PAIR))},
        {"--beta-fast", s->beta_fast != 0, ramp},
        {"--beta-slow", s->beta_slow != 0, ramp},
        {"--truncate", s->truncate != 0, ramp},
        {"--mscale", s->mscale != 0, BIT(RW_ROPE_YARN)},
        {"--mscale-all-dim", s->mscale_all_dim != 0, BIT(RW_ROPE_YARN)},
        {"--low-freq-factor", s->low_freq_factor != 0, BIT(RW_ROPE_LLAMA3)},
        {"--high-freq-factor", s->high_freq_factor != 0, BIT(RW_ROPE_LLAMA3)},
        {"--short-factor", s->short_factor_count != 0, BIT(RW_ROPE_LONGROPE)},
        {"--long-factor", s->long_factor_count != 0, BIT(RW_ROPE_LONGROPE)},
        {"--pair-factors", s->pair_factor_count != 0, BIT(RW_ROPE_PER_PAIR)},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given && !(flags[i].methods & BIT(method)))
            rw_diagnose(diagnostics, "plan.flag_without_effect", RW_WARNING, false, flags[i].flag,
                        "the method %s does not look at %s", rw_rope_method_name(method),
                        flags[i].flag);
}

/* ---- specs
 * ----------------------------------------------------------------------------------------- */

static rw_status need_list(const char *flag, size_t count, uint32_t pairs, rw_error *err) {
    if (count == pairs)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "plan.list", flag,
                   "%s needs one number for each of the %u pairs, and %zu were given", flag, pairs,
                   count);
}

static rw_status take_lists(const rw_scaling_options *s, rw_rope_spec *spec, rw_error *err) {
    uint32_t pairs = spec->rotary_dim / 2;
    if (spec->method == RW_ROPE_LONGROPE) {
        RW_TRY(need_list("--long-factor", s->long_factor_count, pairs, err));
        if (s->short_factor_count)
            RW_TRY(need_list("--short-factor", s->short_factor_count, pairs, err));
        for (uint32_t k = 0; k < pairs; k++) {
            spec->long_factor[k] = s->long_factor[k];
            spec->short_factor[k] = s->short_factor_count ? s->short_factor[k] : s->long_factor[k];
        }
        spec->list_count = pairs;
    }
    if (spec->method == RW_ROPE_PER_PAIR) {
        RW_TRY(need_list("--pair-factors", s->pair_factor_count, pairs, err));
        memcpy(spec->pair_factor, s->pair_factor_count ? s->pair_factors : spec->pair_factor,
               pairs * sizeof(double));
        spec->pair_factor_count = pairs;
    }
    return RW_OK;
}

static void take_numbers(const rw_scaling_options *s, rw_rope_spec *spec) {
    if (s->attention_factor != 0)
        spec->attention_factor = s->attention_factor;
    if (s->beta_fast != 0)
        spec->beta_fast = s->beta_fast;
    if (s->beta_slow != 0)
        spec->beta_slow = s->beta_slow;
    if (s->truncate != 0)
        spec->truncate = s->truncate > 0;
    if (s->low_freq_factor != 0)
        spec->low_freq_factor = s->low_freq_factor;
    if (s->high_freq_factor != 0)
        spec->high_freq_factor = s->high_freq_factor;
    if (s->mscale != 0 || s->mscale_all_dim != 0) {
        spec->mscale = s->mscale;
        spec->mscale_all_dim = s->mscale_all_dim;
    }
}

/* The rotation without any scaling: dims, pairing, theta and M-RoPE sections stay. */
static void bare(const rw_rope_spec *now, double theta, rw_rope_spec *out) {
    rw_rope_spec_init(out);
    out->pairing = now->pairing;
    out->head_dim = now->head_dim;
    out->rotary_dim = now->rotary_dim;
    out->theta = theta > 0 ? theta : now->theta;
    out->partial_rotary_factor = now->partial_rotary_factor;
    memcpy(out->mrope_section, now->mrope_section, sizeof out->mrope_section);
    out->mrope_interleaved = now->mrope_interleaved;
}

/* MLA keeps the temperature in the logits with the amplitude at 1, as its family does (DeepSeek).
   Known by a logit scale that is there already. */
static void keep_parameters(const rw_rope_spec *now, double factor, rw_rope_spec *spec) {
    *spec = *now;
    double old = now->factor;
    spec->factor = factor;
    /* An amplitude or logit scale that was the old factor's own rule follows the new factor. */
    double rule = old > 1 ? 0.1 * log(old) + 1 : 1;
    if (fabs(now->attention_factor - rule) <= 1e-6 * rule)
        spec->attention_factor = NAN;
    if (now->mscale != 0 && now->mscale_all_dim != 0)
        spec->attention_factor = NAN;
    if (now->logit_scale != 1 && now->mscale_all_dim != 0) {
        double f = factor > 1 ? 0.1 * now->mscale_all_dim * log(factor) + 1 : 1;
        spec->logit_scale = f * f;
    }
}

static rw_status as_usage(rw_status status, rw_error *err) {
    if (status == RW_ERR_INPUT && err)
        err->status = RW_ERR_USAGE;
    return status == RW_ERR_INPUT ? RW_ERR_USAGE : status;
}

static rw_status scale(const rw_rope_group *group, const rw_decision *decision,
                       const rw_scaling_options *scaling, rw_rope_spec *out, rw_error *err) {
    if (group->spec.method == RW_ROPE_PROPORTIONAL &&
        (decision->method != RW_ROPE_LINEAR && decision->method != RW_ROPE_PROPORTIONAL))
        return rw_fail(err, RW_ERR_REFUSED, "plan.proportional", group->path,
                       "a proportional rotation (idle pairs over the whole head) can only be "
                       "divided by a factor: use --method linear");
    bool keep = decision->keep && is_scaled(&group->spec); /* a plain one has nothing to keep */
    if (keep || group->spec.method == RW_ROPE_PROPORTIONAL) {
        keep_parameters(&group->spec, decision->factor, out);
        return as_usage(rw_rope_spec_check(out, err), err);
    }
    /* the receipt remembers the theta of full attention only */
    double before = group->layers == RW_LAYERS_SLIDING ? 0 : decision->theta;
    double theta = scaling->rope_theta > 0 ? scaling->rope_theta : before;
    bare(&group->spec, theta, out);
    out->method = decision->method;
    bool has_factor = decision->method != RW_ROPE_NONE && decision->method != RW_ROPE_BASE &&
                      decision->method != RW_ROPE_PER_PAIR;
    out->factor = has_factor ? decision->factor : 1;
    if (decision->method != RW_ROPE_NONE)
        out->original_context = decision->original;
    take_numbers(scaling, out);
    RW_TRY(take_lists(scaling, out, err));
    return as_usage(rw_rope_spec_check(out, err), err);
}

static rw_status check_base(const rw_decision *decision, const rw_scaling_options *scaling,
                            rw_error *err) {
    if (scaling->rope_theta < 0 || isnan(scaling->rope_theta))
        return rw_fail(err, RW_ERR_USAGE, "plan.bad_flag", "--rope-theta",
                       "theta must be positive");
    if (decision->method != RW_ROPE_BASE || scaling->rope_theta > 0 || decision->keep)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "plan.no_theta", "--rope-theta",
                   "the method base changes theta and nothing else: say which with --rope-theta");
}

rw_status rw_plan_apply(const rw_rope_set *before, const rw_decision *decision,
                        const rw_scaling_options *scaling, rw_rope_set *after, rw_error *err) {
    RW_TRY(check_base(decision, scaling, err));
    *after = *before;
    for (uint32_t i = 0; i < before->count; i++) {
        if (before->group[i].layers == RW_LAYERS_SLIDING && !decision->sliding)
            continue; /* they never see distances beyond their window */
        RW_TRY(scale(&before->group[i], decision, scaling, &after->group[i].spec, err));
        rw_rope_spec_round(&after->group[i].spec);
    }
    return RW_OK;
}
