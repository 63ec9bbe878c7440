/*
 * advice.c - what a plan should say though it stops nothing: the known ways in which an extension
 * goes wrong without a word (field reports, tier A).
 */
#include "plan/footprint.h"
#include "plan/internal.h"

typedef unsigned long long ull;

static void advise_ramp(const rw_rope_spec *spec, rw_diagnostics *diagnostics) {
    rw_rope_table table;
    if (rw_rope_table_build(spec, 0, &table, NULL) != RW_OK || isnan(table.ramp_high))
        return;
    if (table.ramp_high > table.pairs - 1)
        rw_diagnose(diagnostics, "plan.ramp_unfinished", RW_WARNING, true, "--beta-slow",
                    "the ramp ends at pair %g and there are %u: the slowest pair is never fully "
                    "interpolated, because theta %g is small for a window of %llu",
                    table.ramp_high, table.pairs, spec->theta, (ull)spec->original_context);
}

static void advise_method(const rw_source *source, const rw_rope_spec *spec, rw_plan_result *plan) {
    rw_diagnostics *d = &plan->diagnostics;
    bool hf = rw_checkpoint_format(source->checkpoint) != RW_FORMAT_GGUF;
    bool ramp = spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS;
    if (spec->method != RW_ROPE_DYNAMIC && spec->factor > 1)
        rw_diagnose(d, "plan.short_text_pays", RW_INFO, true, "",
                    "the scaling acts on short inputs as well: measure them, and keep the original "
                    "checkpoint for them");
    if (ramp && hf)
        rw_diagnose(d, "plan.minimum_version", RW_INFO, true, "",
                    "transformers before 4.51 takes the new max_position_embeddings for the ramp's "
                    "origin, and 4.51 to 4.55 derive the factor from it: use 4.56 or later");
    if (ramp)
        advise_ramp(spec, d);
    if (spec->method == RW_ROPE_LINEAR && hf)
        rw_diagnose(d, "plan.window_multiplied", RW_INFO, false, "max_position_embeddings",
                    "vLLM multiplies the advertised window by the factor once more: give it "
                    "--max-model-len %llu",
                    (ull)plan->context);
    if (spec->method == RW_ROPE_DYNAMIC)
        rw_diagnose(
            d, "plan.dynamic_cache", RW_WARNING, true, "--method",
            "with dynamic NTK the base grows while keys that are cached keep the old one, so "
            "results depend on how the text was fed; max_position_embeddings must stay %llu",
            (ull)spec->original_context);
    if (spec->method == RW_ROPE_LONGROPE)
        rw_diagnose(d, "plan.longrope_switch", RW_WARNING, true, "--method",
                    "runtimes switch from the short to the long list at %llu tokens in different "
                    "ways; keys that are cached keep the short one",
                    (ull)spec->original_context);
}

static void advise_amplitude(const rw_rope_spec *spec, rw_plan_result *plan) {
    bool fixed = !isnan(spec->attention_factor) && spec->mscale_all_dim == 0;
    if (fixed && plan->targets & 1u << RW_VLLM)
        rw_diagnose(&plan->diagnostics, "plan.amplitude_version", RW_INFO, true, "attention_factor",
                    "older vLLM ignores attention_factor; the newest reads it");
}

/* llama.cpp divides by rope_freqs.weight first and scales the result: its flags stack on it. */
static void advise_baked(const rw_rope_spec *before, rw_plan_result *plan) {
    if (before->method == RW_ROPE_LLAMA3 || before->pair_factor_count)
        rw_diagnose(&plan->diagnostics, "plan.baked_factors", RW_WARNING, true, "rope_freqs.weight",
                    "a GGUF of this model as it is has its schedule baked in as rope_freqs.weight, "
                    "and llama.cpp's --rope-scaling would act on top of that: give it the extended "
                    "file, no flags");
}

static void advise_tokenizer(const rw_source *source, rw_plan_result *plan) {
    uint64_t window = source->windows.tokenizer;
    if (window && window < plan->context)
        rw_diagnose(&plan->diagnostics, "plan.tokenizer_window", RW_INFO, false,
                    "tokenizer_config.json: model_max_length",
                    "the tokenizer says %llu; it is raised to %llu with the rest", (ull)window,
                    (ull)plan->context);
}

/* A size that is guessed would be believed. */
static void advise_size(const rw_source *source, rw_plan_result *plan) {
    rw_footprint *model = rw_arena_alloc(source->arena, sizeof *model);
    if (!model || rw_footprint_read(source, model, NULL) != RW_OK || rw_footprint_is_known(model))
        return;
    rw_diagnose(
        &plan->diagnostics, "plan.size_unknown", RW_INFO, false, source->arch.model_type,
        "how many parameters a model of this type has is not known from its config alone, so "
        "what fits is left open: give the directory or GGUF with its weights, whose headers "
        "say it");
}

void rw_plan_advise(const rw_source *source, rw_plan_result *plan) {
    const rw_rope_group *group = rw_plan_primary(&plan->after);
    if (!group)
        return;
    advise_method(source, &group->spec, plan);
    advise_amplitude(&group->spec, plan);
    const rw_rope_group *before = rw_plan_primary(&plan->before);
    if (before)
        advise_baked(&before->spec, plan);
    advise_tokenizer(source, plan);
    advise_size(source, plan);
}
