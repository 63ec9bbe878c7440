/*
 * llama_cpp_convert.c - what llama.cpp would rotate by after its own converter has made a GGUF of
 * an HF checkpoint (conversion/base.py, llama.py, deepseek.py, phi.py; reference page 2.7, 3.3,
 * 4.1).
 *
 * The keys are found as elsewhere, except that rope_parameters beats rope_scaling; what the
 * container cannot carry is then taken away, and said: YaRN's betas and truncate, an explicit
 * amplitude, dynamic NTK, llama3 factors outside the llama family or with another origin than the
 * config's top level states.
 */
#include "dialect/internal.h"

static const char *const theta_keys[] = {"global_rope_theta", "rope_global_theta",
                                         "rope_theta_global", "rope_theta",
                                         "rotary_emb_base",   NULL};

static const rw_hf_rules rules = {
    .runtime = RW_LLAMA_CPP,
    .reads_parameters = true,
    .parameters_win = true,
    .theta_in_scaling = true,
    .reads_mscale = true,
    .amplitude = RW_AMPLITUDE_FINAL,
    .unknown_is_none = true,
    .theta_keys = theta_keys,
};

static void plain(rw_rope_spec *spec) {
    spec->method = RW_ROPE_NONE;
    spec->factor = 1;
    spec->original_context = 0;
    spec->list_count = 0;
    spec->attention_factor = NAN;
}

static void left_out(rw_diagnostics *diagnostics, const rw_rope_group *group, const char *why) {
    rw_diagnose(diagnostics, "dialect.conversion_drops", RW_WARNING, true, group->path,
                "llama.cpp's converter leaves this scaling out: %s", why);
}

/* Only deepseek2 (and mistral3) files carry a log multiplier; everywhere else the amplitude is the
   default one. */
static void convert_amplitude(const rw_source *source, rw_rope_group *group,
                              rw_diagnostics *diagnostics) {
    rw_rope_spec *spec = &group->spec;
    const rw_model_type *type = rw_model_type_of(source);
    bool multiplier = type->gguf && (strcmp(type->gguf, "deepseek2") == 0 ||
                                     strncmp(type->gguf, "mistral", 7) == 0);
    if (multiplier && spec->mscale_all_dim != 0)
        return;
    double usual = rw_yarn_temperature(spec->factor, 1);
    if (!isnan(spec->attention_factor) && fabs(spec->attention_factor - usual) > 1e-6 * usual)
        rw_diagnose(diagnostics, "dialect.amplitude_lost", RW_WARNING, true, group->path,
                    "the attention factor %g is lost in conversion: llama.cpp takes %g",
                    spec->attention_factor, usual);
    spec->attention_factor = NAN;
    spec->mscale = spec->mscale_all_dim = 0;
}

static void convert_yarn(const rw_source *source, rw_rope_group *group,
                         rw_diagnostics *diagnostics) {
    rw_rope_spec *spec = &group->spec;
    if (spec->beta_fast != 32 || spec->beta_slow != 1) {
        rw_diagnose(diagnostics, "dialect.betas_lost", RW_WARNING, true, group->path,
                    "llama.cpp does not take beta_fast %g and beta_slow %g from the file: it uses "
                    "32 and 1",
                    spec->beta_fast, spec->beta_slow);
        spec->beta_fast = 32;
        spec->beta_slow = 1;
    }
    convert_amplitude(source, group, diagnostics);
}

/* The factors' origin comes from the top level of the config, default 8192, not from the block. */
static void convert_llama3(const rw_source *source, rw_rope_group *group,
                           rw_diagnostics *diagnostics) {
    rw_rope_spec *spec = &group->spec;
    if (!rw_model_type_of(source)->gguf_factors) {
        left_out(diagnostics, group, "this architecture's graph takes no frequency factors");
        plain(spec);
        return;
    }
    uint64_t top =
        rw_json_u64_or(rw_json_get(source->language, "original_max_position_embeddings"), 8192);
    if (top != spec->original_context)
        rw_diagnose(diagnostics, "dialect.origin_top_level", RW_WARNING, true, group->path,
                    "llama.cpp's converter takes the original window from the top level of the "
                    "config (here %llu), not from the block (%llu)",
                    (unsigned long long)top, (unsigned long long)spec->original_context);
    spec->original_context = top;
}

static void convert_longrope(const rw_source *source, rw_rope_group *group,
                             rw_diagnostics *diagnostics) {
    rw_rope_spec *spec = &group->spec;
    const rw_model_type *type = rw_model_type_of(source);
    if (!type->gguf || strcmp(type->gguf, "phi3") != 0) {
        left_out(diagnostics, group, "only phi3 takes LongRoPE's lists");
        plain(spec);
        return;
    }
    double original = (double)spec->original_context;
    double ratio = (double)rw_hf_window(source) / original;
    spec->attention_factor = ratio > 1 ? sqrt(1 + log(ratio) / log(original)) : 1;
}

static rw_status convert_group(const rw_source *source, rw_rope_group *group,
                               rw_diagnostics *diagnostics, rw_error *err) {
    rw_rope_spec *spec = &group->spec;
    const rw_model_type *type = rw_model_type_of(source);
    if (type->gguf && strcmp(type->gguf, "llama") == 0 && spec->rotary_dim != spec->head_dim)
        return rw_fail(err, RW_ERR_INPUT, "dialect.unreadable", group->path,
                       "llama.cpp's llama architecture rotates whole heads only");
    spec->pairing = type->gguf_interleaved ? RW_PAIRING_INTERLEAVED : RW_PAIRING_HALF;
    if (spec->method == RW_ROPE_YARN) {
        convert_yarn(source, group, diagnostics);
    } else if (spec->method == RW_ROPE_LLAMA3) {
        convert_llama3(source, group, diagnostics);
    } else if (spec->method == RW_ROPE_LONGROPE) {
        convert_longrope(source, group, diagnostics);
    } else if (spec->method == RW_ROPE_DYNAMIC) {
        left_out(diagnostics, group, "it has no dynamic NTK");
        plain(spec);
    }
    rw_rope_spec_round(spec); /* metadata are float32 */
    return RW_OK;
}

rw_status rw_llama_cpp_convert(const rw_source *source, rw_rope_set *out,
                               rw_diagnostics *diagnostics, rw_error *err) {
    if (!rw_model_type_of(source)->gguf)
        return rw_fail(
            err, RW_ERR_INPUT, "dialect.not_known", "model_type",
            "whether llama.cpp's converter takes the model type \"%s\", and what it makes "
            "of it, is not known here",
            source->arch.model_type);
    RW_TRY(rw_hf_read_set(&rules, source, out, diagnostics, err));
    for (uint32_t i = 0; i < out->count; i++)
        RW_TRY(convert_group(source, &out->group[i], diagnostics, err));
    return RW_OK;
}
