/*
 * plan.c - the decision: method, factor, specs, targets. YaRN is the default always; linear stays
 * linear when the checkpoint's own block is.
 */
#include "plan/internal.h"

typedef unsigned long long ull;

/* The user's word for the original window stands, unless the known-models table knows better. */
static rw_status native_window(const rw_source *source, const rw_scaling_options *scaling,
                               rw_plan_result *plan, rw_error *err) {
    plan->native = source->windows.native;
    bool known = strncmp(source->native_source, "known model", 11) == 0;
    uint64_t stated = scaling->original_context;
    if (stated && plan->native && stated != plan->native)
        rw_diagnose(&plan->diagnostics, "plan.original_context", RW_WARNING, true,
                    "--original-context",
                    "an original window of %llu was given, and the checkpoint's is %llu (%s): %s",
                    (ull)stated, (ull)plan->native, source->native_source,
                    known ? "the latter is taken" : "the one given is taken");
    if (stated && !known)
        plan->native = stated;
    if (plan->native)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "plan.no_window", "max_position_embeddings",
                   "the checkpoint does not say what window it was trained for: give it with "
                   "--original-context");
}

/* An existing block that does not name its origin (linear) may stand for M = L0 or for M = L0 * s.
   The smaller reading is taken where it makes sense, and nothing is guessed where it does not. */
static rw_status check_compound(const rw_source *source, const rw_existing *existing,
                                const rw_scaling_options *scaling, rw_plan_result *plan,
                                rw_error *err) {
    bool guessed = strcmp(source->native_source, "the advertised window") == 0;
    if (!guessed || scaling->original_context)
        return RW_OK;
    double factor = (double)plan->context / (double)plan->native;
    if (factor < existing->factor)
        return rw_fail(err, RW_ERR_REFUSED, "plan.unknown_origin", "--original-context",
                       "the existing %s block (factor %g) does not say what window it extends, and "
                       "%llu tokens is less than that factor from the advertised %llu: give the "
                       "window with --original-context",
                       rw_rope_method_name(existing->method), existing->factor, (ull)plan->context,
                       (ull)plan->native);
    rw_diagnose(&plan->diagnostics, "plan.assumed_origin", RW_WARNING, true, "",
                "the existing %s block does not say what window it extends; the advertised %llu is "
                "taken (--original-context overrides)",
                rw_rope_method_name(existing->method), (ull)plan->native);
    return RW_OK;
}

static rw_status compound(const rw_source *source, const rw_existing *existing,
                          const rw_scaling_options *scaling, rw_plan_result *plan,
                          rw_decision *decision, rw_error *err) {
    rw_rope_method named = existing->method;
    RW_TRY(rw_plan_method(scaling, existing->method, &named, err));
    if (named != existing->method)
        return rw_fail(err, RW_ERR_USAGE, "plan.flags", "--method",
                       "--compound keeps the existing method, which is %s and not %s: use "
                       "--replace to change it",
                       rw_rope_method_name(existing->method), rw_rope_method_name(named));
    RW_TRY(check_compound(source, existing, scaling, plan, err));
    decision->method = existing->method;
    decision->keep = !existing->from_receipt;
    decision->theta = rw_plan_theta_before(source);
    return RW_OK;
}

/* Dropping a block that was in force when the model was trained, over a window that is no original
   one, turns faster than anything it has seen. */
static void note_replaced(const rw_source *source, const rw_existing *existing,
                          const rw_plan_options *options, rw_plan_result *plan) {
    bool guessed = strcmp(source->native_source, "the advertised window") == 0;
    if (!guessed || existing->method != RW_ROPE_LINEAR || !options->replace ||
        options->scaling.original_context)
        return;
    rw_diagnose(&plan->diagnostics, "plan.assumed_origin", RW_WARNING, true, "",
                "the existing linear block (factor %g) does not say what window it extends; that "
                "the model reads %llu tokens without it is assumed. If it reads them with it, as "
                "Gemma 3 does, say what it reads without it: --original-context %.0f",
                existing->factor, (ull)plan->native, (double)plan->native / existing->factor);
}

static rw_status choose_method(const rw_source *source, const rw_plan_options *options,
                               const rw_existing *existing, rw_plan_result *plan,
                               rw_decision *decision, rw_error *err) {
    const rw_scaling_options *scaling = &options->scaling;
    decision->original = plan->native;
    if (existing->scaled && options->compound)
        return compound(source, existing, scaling, plan, decision, err);
    note_replaced(source, existing, options, plan);
    bool linear = existing->scaled && existing->method == RW_ROPE_LINEAR;
    if (existing->scaled)
        decision->theta = existing->from_receipt ? rw_plan_theta_before(source) : 0;
    return rw_plan_method(scaling, linear ? RW_ROPE_LINEAR : RW_ROPE_YARN, &decision->method, err);
}

static rw_status choose_factor(const rw_scaling_options *scaling, rw_plan_result *plan,
                               rw_decision *decision, rw_error *err) {
    double needed = (double)plan->context / (double)plan->native;
    decision->factor = scaling->factor != 0 ? scaling->factor : needed;
    if (!(decision->factor >= 1) || isinf(decision->factor))
        return rw_fail(err, RW_ERR_USAGE, "plan.bad_flag", "--factor",
                       "a factor must be a number of at least 1");
    if (decision->factor < needed * (1 - 1e-6))
        rw_diagnose(&plan->diagnostics, "plan.factor_too_small", RW_WARNING, true, "--factor",
                    "factor %g takes %llu tokens to %.0f, short of %llu; the smallest sufficient "
                    "one is %g",
                    decision->factor, (ull)plan->native, decision->factor * (double)plan->native,
                    (ull)plan->context, needed);
    return RW_OK;
}

static bool nothing_asked(const rw_plan_options *options, const rw_plan_result *plan,
                          const rw_existing *existing) {
    const rw_scaling_options *s = &options->scaling;
    if (s->method && strcmp(s->method, "none") == 0)
        return !options->replace;
    bool same = plan->context == plan->native && s->factor <= 1 && s->rope_theta == 0;
    return same && !(existing->scaled && (options->replace || options->compound));
}

static rw_status nothing_to_do(rw_plan_result *plan) {
    plan->nothing_to_do = true;
    plan->after = plan->before;
    const rw_rope_group *group = rw_plan_primary(&plan->before);
    plan->method = group ? group->spec.method : RW_ROPE_NONE;
    plan->factor = group ? group->spec.factor : 1;
    rw_diagnose(&plan->diagnostics, "plan.nothing_to_do", RW_INFO, false, "--context",
                "the model's native window is %llu tokens: there is nothing to do for %llu",
                (ull)plan->native, (ull)plan->context);
    return RW_OK;
}

static void copy_diagnostics(const rw_diagnostics *from, rw_diagnostics *to) {
    for (size_t i = 0; i < from->count; i++) {
        const rw_diagnostic *d = &from->items[i];
        rw_diagnose(to, d->code, d->severity, d->changes_numbers, d->path, "%s", d->message);
    }
}

static rw_status check_emit(const rw_plan_options *options, rw_error *err) {
    rw_runtime runtime;
    if (!options->emit || rw_runtime_by_name(rw_str_of(options->emit), &runtime) ||
        strcmp(options->emit, "transformers") == 0)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "plan.unknown_runtime", "--emit",
                   "there is no runtime \"%s\" to emit for: transformers, vllm, sglang, llama.cpp",
                   options->emit);
}

static void note_scaled_sliding(rw_plan_result *plan) {
    for (uint32_t i = 0; i < plan->before.count; i++)
        if (plan->before.group[i].layers == RW_LAYERS_SLIDING &&
            plan->before.group[i].spec.factor != 1)
            rw_diagnose(&plan->diagnostics, "plan.sliding_scaled", RW_WARNING, true,
                        plan->before.group[i].path,
                        "the sliding layers are scaled already, by %s, factor %g, and stay so: "
                        "--layers all has them follow this plan",
                        rw_rope_method_name(plan->before.group[i].spec.method),
                        plan->before.group[i].spec.factor);
}

static rw_status check_layers(const rw_source *source, const rw_plan_options *options,
                              rw_plan_result *plan, rw_error *err) {
    if (!options->layers || strcmp(options->layers, "full") == 0) {
        note_scaled_sliding(plan);
        return RW_OK;
    }
    if (strcmp(options->layers, "all") != 0)
        return rw_fail(err, RW_ERR_USAGE, "plan.bad_flag", "--layers",
                       "--layers is full or all, not \"%s\"", options->layers);
    bool sliding = false;
    for (uint32_t i = 0; i < plan->before.count; i++)
        sliding |= plan->before.group[i].layers == RW_LAYERS_SLIDING;
    if (sliding && rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return rw_fail(err, RW_ERR_REFUSED, "plan.not_expressible", "--layers",
                       "a GGUF has no scaling keys for sliding layers: extend the Hugging Face "
                       "directory, or leave them as they are with --layers full");
    rw_diagnose(&plan->diagnostics, "plan.sliding_layers", sliding ? RW_WARNING : RW_INFO, sliding,
                "--layers",
                sliding ? "sliding layers are scaled too, though they never see distances beyond "
                          "their window: what they compute changes at every length"
                        : "all layers of this model rotate alike: there is nothing to choose");
    return RW_OK;
}

static rw_status decide(const rw_source *source, const rw_plan_options *options,
                        const rw_existing *existing, rw_plan_result *plan, rw_error *err) {
    rw_decision decision = {.sliding = options->layers && strcmp(options->layers, "all") == 0};
    RW_TRY(choose_method(source, options, existing, plan, &decision, err));
    RW_TRY(choose_factor(&options->scaling, plan, &decision, err));
    RW_TRY(rw_guard_factor(&decision, options->force, &plan->diagnostics, err));
    RW_TRY(rw_plan_apply(&plan->before, &decision, &options->scaling, &plan->after, err));
    rw_plan_note_unused(&options->scaling, decision.method, &plan->diagnostics);
    plan->method = decision.method;
    plan->factor = rw_plan_primary(&plan->after)->spec.factor;
    return rw_plan_targets(source, options->targets, plan, err);
}

rw_status rw_plan_make(const rw_source *source, const rw_plan_options *options, rw_plan_result *out,
                       rw_error *err) {
    memset(out, 0, sizeof *out);
    out->diagnostics.arena = source->arena;
    out->context = options->context;
    out->emit = options->emit;
    out->companion = options->companion;
    RW_TRY(check_emit(options, err));
    RW_TRY(rw_cache_type_read(options->kv_type, &out->cache, err));
    RW_TRY(rw_cache_type_check(&source->arch, out->cache, err));
    RW_TRY(rw_guard_context(options->context, err));
    RW_TRY(rw_guard_source(source, err));
    copy_diagnostics(&source->diagnostics, &out->diagnostics);
    RW_TRY(rw_dialect_read_best(source, &out->before, &out->diagnostics, err));
    out->targets = rw_dialect_default_targets(source);
    RW_TRY(native_window(source, &options->scaling, out, err));
    RW_TRY(rw_guard_shrink(out->native, out->context, err));
    RW_TRY(rw_plan_check_devices(source, options->devices, out, err));
    rw_existing existing = rw_plan_existing(source, &out->before);
    if (nothing_asked(options, out, &existing))
        return nothing_to_do(out);
    RW_TRY(rw_guard_existing(source, &existing, out->native, options, err));
    RW_TRY(check_layers(source, options, out, err));
    RW_TRY(decide(source, options, &existing, out, err));
    rw_plan_advise(source, out);
    return RW_OK;
}
