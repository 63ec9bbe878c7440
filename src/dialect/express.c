/*
 * express.c - can a runtime be told this rotation by this format, and if not, what would do?
 *
 * For config.json the question is put to the writer and the reader themselves; for a GGUF, whose
 * copy would have to be written first, to the table of what the container and its graphs can carry.
 */
#include "dialect/internal.h"

static bool default_ramp(const rw_rope_spec *spec) {
    return spec->beta_fast == 32 && spec->beta_slow == 1 && spec->truncate;
}

static bool has_ramp(const rw_rope_spec *spec) {
    return spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS;
}

bool rw_gguf_needs_factors(const rw_rope_spec *spec) {
    if (spec->method == RW_ROPE_LLAMA3 || spec->method == RW_ROPE_PER_PAIR)
        return true;
    return spec->pair_factor_count || (has_ramp(spec) && !default_ramp(spec));
}

/* NULL: a GGUF of this architecture can say it. */
static const char *gguf_obstacle(const rw_source *source, const rw_rope_spec *spec) {
    const rw_model_type *type = rw_model_type_of(source);
    if (spec->method == RW_ROPE_DYNAMIC)
        return "llama.cpp has no dynamic NTK: freeze it at the target length with --method ntk";
    if (spec->method == RW_ROPE_PROPORTIONAL)
        return "llama.cpp's keys for proportional rotations are not known";
    if (rw_gguf_needs_factors(spec) && !type->gguf_factors)
        return "this schedule needs rope_freqs.weight, and llama.cpp's graph of this architecture "
               "does not take it: use default betas and truncation, or --method ntk";
    if (spec->method == RW_ROPE_LONGROPE && !type->gguf_factors)
        return "llama.cpp's graph of this architecture takes no LongRoPE lists: use --method yarn";
    if (spec->logit_scale != 1 && !(spec->method == RW_ROPE_YARN && spec->mscale_all_dim != 0))
        return "a logit scale can only be told with YaRN and mscale_all_dim";
    return NULL;
}

static bool gguf_expressible(rw_runtime runtime, const rw_source *source, const rw_rope_set *set,
                             const char **why) {
    if (runtime != RW_LLAMA_CPP) {
        *why = "it has no reader of its own for a GGUF's rotary keys";
        return false;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->group[i].layers == RW_LAYERS_SLIDING)
            continue;
        const char *obstacle = gguf_obstacle(source, &set->group[i].spec);
        if (obstacle) {
            *why = obstacle;
            return false;
        }
    }
    return true;
}

/* What to do instead, in the words of someone who knows why. NULL: nothing better than the
   reader's own words. */
static const char *hf_advice(rw_runtime runtime, const rw_source *source,
                             const rw_rope_spec *spec) {
    bool parameters = rw_hf_block(source->language, "rope_parameters") != NULL;
    bool early = runtime == RW_TRANSFORMERS4_EARLY;
    if (rw_model_type_of(source)->dual == RW_DUAL_FULL_ONLY && !parameters &&
        (spec->method == RW_ROPE_NTK || spec->method == RW_ROPE_BASE))
        return "this config has one theta for sliding layers too, which must keep theirs: use "
               "--method yarn, or a config spelled with rope_parameters per layer type";
    if (parameters && (early || runtime == RW_TRANSFORMERS4))
        return "it does not read rope_parameters, which is what this config has: use transformers "
               "5, or a config spelled with rope_scaling";
    if (rw_model_type_of(source)->longrope_only && (early || runtime == RW_TRANSFORMERS4) &&
        spec->method != RW_ROPE_LONGROPE)
        return "it takes LongRoPE lists for this family and no amplitude with them: use "
               "transformers "
               "5, or --method ntk";
    if (spec->method == RW_ROPE_DYNAMIC && (runtime == RW_VLLM || runtime == RW_SGLANG))
        return "it freezes dynamic NTK at one length for all inputs: --method ntk is the same "
               "everywhere";
    if (spec->method == RW_ROPE_DYNAMIC && runtime == RW_LLAMA_CPP)
        return "llama.cpp has no dynamic NTK: freeze it at the target length with --method ntk";
    if (early && has_ramp(spec))
        return "it knows neither truncate nor mscale, and takes max_position_embeddings for the "
               "ramp's origin: use transformers 4.56 or later, or --method ntk";
    if (runtime != RW_LLAMA_CPP)
        return NULL;
    if (has_ramp(spec))
        return "llama.cpp's converter keeps neither betas, truncate nor an attention factor: "
               "extend the converted GGUF instead, where they can be baked in";
    if (spec->method == RW_ROPE_LLAMA3 || spec->method == RW_ROPE_LONGROPE ||
        rw_hf_needs_lists(source, spec))
        return "llama.cpp's converter makes no frequency factors for this architecture: extend the "
               "converted GGUF instead, or use --method yarn or ntk";
    return NULL;
}

static const rw_rope_spec *primary_spec(const rw_rope_set *set) {
    const rw_rope_group *group = rw_primary_group(set);
    return group ? &group->spec : NULL;
}

bool rw_dialect_expressible(rw_runtime runtime, const rw_source *source, const rw_rope_set *set,
                            uint64_t context, const char **why) {
    *why = NULL;
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return gguf_expressible(runtime, source, set, why);
    rw_targets proven = 0;
    rw_error err = {0};
    const char *reader_says = NULL;
    rw_status status =
        rw_dialect_rehearse(source, set, context, 1u << runtime, &proven, &reader_says, &err);
    if (status == RW_OK && proven)
        return true;
    const rw_rope_spec *spec = primary_spec(set);
    *why = spec ? hf_advice(runtime, source, spec) : NULL;
    if (!*why && status != RW_OK)
        *why = rw_arena_text(source->arena, err.message, strlen(err.message));
    if (!*why)
        *why = reader_says ? reader_says : "it would rotate otherwise";
    return false;
}
