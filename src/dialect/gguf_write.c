/*
 * gguf_write.c - puts a rotation into a GGUF's metadata and small tensors (reference page 2.16,
 * 4.2).
 *
 * attn_factor multiplies 0.1 ln s + 1 where the type is yarn, and 1 elsewhere. A ramp that
 * llama.cpp cannot be told in keys (betas, truncate) is baked: rope_freqs.weight = base_k / w_k
 * with no scaling type, the amplitude in attn_factor.
 */
#include "dialect/internal.h"

typedef struct gguf_writer {
    const rw_source *source;
    const rw_rope_spec *spec;
    uint64_t context;
    rw_gguf_edit *edit;
    rw_error *err;
} gguf_writer;

static rw_status set_f32(gguf_writer *w, const char *key, double value) {
    char full[128];
    rw_gguf_key(w->source, key, full);
    return rw_gguf_edit_set_f32(w->edit, full, (float)value, w->err);
}

static rw_status set_u32(gguf_writer *w, const char *key, uint64_t value) {
    char full[128];
    rw_gguf_key(w->source, key, full);
    if (value > UINT32_MAX)
        return rw_fail(w->err, RW_ERR_INPUT, "dialect.window", full,
                       "a GGUF stores windows in 32 bits");
    return rw_gguf_edit_set_u32(w->edit, full, (uint32_t)value, w->err);
}

static rw_status set_text(gguf_writer *w, const char *key, const char *value) {
    char full[128];
    rw_gguf_key(w->source, key, full);
    return rw_gguf_edit_set_string(w->edit, full, value, w->err);
}

static rw_status remove_key(gguf_writer *w, const char *key) {
    char full[128];
    rw_gguf_key(w->source, key, full);
    return rw_gguf_edit_remove(w->edit, full, w->err);
}

/* Everything that an earlier scaling may have left and the new one does not say. */
static rw_status clear(gguf_writer *w) {
    static const char *const keys[] = {"rope.scale_linear",
                                       "rope.scaling.type",
                                       "rope.scaling.factor",
                                       "rope.scaling.original_context_length",
                                       "rope.scaling.attn_factor",
                                       "rope.scaling.alpha",
                                       "rope.scaling.yarn_log_multiplier",
                                       "rope.scaling.yarn_ext_factor",
                                       "rope.scaling.yarn_attn_factor",
                                       "rope.scaling.yarn_beta_fast",
                                       "rope.scaling.yarn_beta_slow"};
    static const char *const tensors[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                          "rope_factors_short.weight"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        RW_TRY(remove_key(w, keys[i]));
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (rw_checkpoint_tensor(w->source->checkpoint, tensors[i]))
            RW_TRY(rw_gguf_edit_drop_tensor(w->edit, tensors[i], w->err));
    return RW_OK;
}

static rw_status set_list(gguf_writer *w, const char *name, const double *list) {
    float values[RW_ROPE_MAX_PAIRS];
    uint32_t pairs = w->spec->rotary_dim / 2;
    for (uint32_t k = 0; k < pairs; k++)
        values[k] = (float)list[k];
    return rw_gguf_edit_set_tensor(w->edit, name, values, pairs, w->err);
}

/* Any schedule that does not depend on the length, as divisors of the plain one. */
static rw_status bake(gguf_writer *w) {
    rw_rope_table table, plain;
    rw_rope_spec unscaled;
    double factors[RW_ROPE_MAX_PAIRS] = {0};
    rw_rope_spec_init(&unscaled);
    unscaled.theta = w->spec->theta;
    unscaled.head_dim = w->spec->head_dim;
    unscaled.rotary_dim = w->spec->rotary_dim;
    RW_TRY(rw_rope_table_build(&unscaled, 0, &plain, w->err));
    RW_TRY(rw_rope_table_build(w->spec, w->context, &table, w->err));
    for (uint32_t k = 0; k < table.pairs; k++)
        factors[k] = plain.inv_freq[k] / table.inv_freq[k];
    RW_TRY(set_list(w, "rope_freqs.weight", factors));
    /* Said outright: a missing type would mean linear with whatever factor is left. */
    RW_TRY(set_text(w, "rope.scaling.type", "none"));
    if (table.attention_factor != 1)
        RW_TRY(set_f32(w, "rope.scaling.attn_factor", table.attention_factor));
    return RW_OK;
}

static rw_status write_log_multiplier(gguf_writer *w) {
    bool deepseek = strcmp(w->source->arch.name, "deepseek2") == 0;
    double all = w->spec->mscale_all_dim;
    return set_f32(w, "rope.scaling.yarn_log_multiplier", deepseek ? 0.1 * all : all);
}

static rw_status write_yarn(gguf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    double usual = rw_yarn_temperature(spec->factor, 1);
    double amplitude = spec->method == RW_ROPE_NTK_BY_PARTS ? 1 : usual;
    if (!isnan(spec->attention_factor))
        amplitude = spec->attention_factor;
    RW_TRY(set_text(w, "rope.scaling.type", "yarn"));
    RW_TRY(set_f32(w, "rope.scaling.factor", spec->factor));
    RW_TRY(set_u32(w, "rope.scaling.original_context_length", spec->original_context));
    if (spec->logit_scale != 1 && spec->mscale_all_dim != 0)
        return write_log_multiplier(w);
    if (spec->mscale != 0 && spec->mscale_all_dim != 0 && isnan(spec->attention_factor))
        amplitude = rw_yarn_temperature(spec->factor, spec->mscale) /
                    rw_yarn_temperature(spec->factor, spec->mscale_all_dim);
    if (fabs(amplitude - usual) > 1e-9)
        RW_TRY(set_f32(w, "rope.scaling.attn_factor", amplitude / usual));
    return RW_OK;
}

static rw_status write_longrope(gguf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    rw_rope_table table;
    RW_TRY(rw_rope_table_build(spec, w->context, &table, w->err));
    RW_TRY(set_list(w, "rope_factors_long.weight", spec->long_factor));
    RW_TRY(set_list(w, "rope_factors_short.weight", spec->short_factor));
    RW_TRY(set_text(w, "rope.scaling.type", "longrope"));
    RW_TRY(set_u32(w, "rope.scaling.original_context_length", spec->original_context));
    return set_f32(w, "rope.scaling.attn_factor", table.attention_factor);
}

static rw_status write_linear(gguf_writer *w) {
    RW_TRY(set_text(w, "rope.scaling.type", "linear"));
    return set_f32(w, "rope.scaling.factor", w->spec->factor);
}

static rw_status write_theta(gguf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    double theta = spec->theta, now = 10000;
    char full[128];
    if (spec->method == RW_ROPE_NTK) {
        double d = spec->rotary_dim;
        theta *= pow(spec->factor, d / (d - 2));
    }
    rw_gguf_key(w->source, "rope.freq_base", full);
    rw_gguf_double(rw_checkpoint_gguf(w->source->checkpoint), full, &now);
    return (float)theta == (float)now ? RW_OK : set_f32(w, "rope.freq_base", theta);
}

static rw_status write_method(gguf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    if (rw_gguf_needs_factors(spec))
        return bake(w);
    switch (spec->method) {
    case RW_ROPE_LINEAR:
        RW_TRY(write_linear(w));
        break;
    case RW_ROPE_YARN:
    case RW_ROPE_NTK_BY_PARTS:
        return write_yarn(w);
    case RW_ROPE_LONGROPE:
        return write_longrope(w);
    default:
        break; /* theta says it all */
    }
    bool amplitude = !isnan(spec->attention_factor) && spec->attention_factor != 1;
    return amplitude ? set_f32(w, "rope.scaling.attn_factor", spec->attention_factor) : RW_OK;
}

rw_status rw_dialect_write_gguf(const rw_source *source, const rw_rope_set *set, uint64_t context,
                                rw_gguf_edit *edit, rw_error *err) {
    const rw_rope_group *group = rw_primary_group(set);
    const char *why = NULL;
    if (!group || !rw_dialect_expressible(RW_LLAMA_CPP, source, set, context, &why))
        return rw_fail(err, RW_ERR_REFUSED, "plan.not_expressible", "llama.cpp", "%s",
                       why ? why : "there is no rotation to write");
    gguf_writer w = {source, &group->spec, context, edit, err};
    RW_TRY(clear(&w));
    RW_TRY(write_theta(&w));
    RW_TRY(write_method(&w));
    return set_u32(&w, "context_length", context);
}
