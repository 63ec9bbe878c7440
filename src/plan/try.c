/*
 * try.c - a scaling tried in memory: what `measure` and `generate` run. No guard refuses here; what
 * one would have said becomes a warning.
 */
#include "plan/internal.h"

typedef unsigned long long ull;

static void warn_of_guards(const rw_source *source, const rw_rope_set *before,
                           const rw_decision *decision, uint64_t context,
                           rw_diagnostics *diagnostics) {
    rw_existing existing = rw_plan_existing(source, before);
    if (existing.scaled)
        rw_diagnose(diagnostics, "plan.already_scaled", RW_WARNING, true, "--method",
                    "the checkpoint is already scaled by %s, factor %g; the trial replaces that",
                    rw_rope_method_name(existing.method), existing.factor);
    if (context && context < decision->original)
        rw_diagnose(diagnostics, "plan.shrink", RW_WARNING, false, "--context",
                    "%llu tokens is less than the native window of %llu", (ull)context,
                    (ull)decision->original);
    rw_guard_factor(decision, true, diagnostics, NULL);
}

rw_status rw_plan_try(const rw_source *source, const rw_scaling_options *scaling, uint64_t context,
                      rw_rope_set *out, rw_diagnostics *diagnostics, rw_error *err) {
    rw_decision decision = {.method = RW_ROPE_NONE};
    RW_TRY(rw_plan_method(scaling, RW_ROPE_NONE, &decision.method, err));
    RW_TRY(rw_dialect_read_best(source, out, diagnostics, err));
    if (decision.method == RW_ROPE_NONE)
        return RW_OK;
    decision.original =
        scaling->original_context ? scaling->original_context : source->windows.native;
    if (!decision.original)
        return rw_fail(err, RW_ERR_INPUT, "plan.no_window", "max_position_embeddings",
                       "the checkpoint does not say what window it was trained for: give it with "
                       "--original-context");
    double needed = (double)context / (double)decision.original;
    decision.factor = scaling->factor != 0 ? scaling->factor : needed > 1 ? needed : 1;
    decision.theta = rw_plan_theta_before(source);
    rw_plan_note_unused(scaling, decision.method, diagnostics);
    warn_of_guards(source, out, &decision, context, diagnostics);
    rw_rope_set *before = rw_arena_alloc(source->arena, sizeof *before);
    if (!before)
        return rw_fail_memory(err, "rotation", sizeof *before);
    *before = *out;
    return rw_plan_apply(before, &decision, scaling, out, err);
}
