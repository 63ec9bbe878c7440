/*
 * guards.c - what a plan refuses (design 2), each with its numbers and the ways on.
 */
#include "plan/internal.h"

typedef unsigned long long ull;

/* Beyond these, published results of untrained extension fall apart (field reports A6, A7). */
double rw_plan_stable_factor(rw_rope_method method) {
    return method == RW_ROPE_LINEAR || method == RW_ROPE_NTK ? 4 : 32;
}

rw_status rw_guard_context(uint64_t context, rw_error *err) {
    if (!context)
        return rw_fail(err, RW_ERR_USAGE, "plan.no_context", "--context",
                       "say how many tokens the window shall have: --context N");
    if (context <= RW_PLAN_CONTEXT_MAX)
        return RW_OK;
    return rw_fail(err, RW_ERR_REFUSED, "plan.absurd_context", "--context",
                   "a window of %llu tokens: beyond %llu the float32 positions of the runtimes "
                   "cannot tell neighbours apart, whatever the scaling",
                   (ull)context, (ull)RW_PLAN_CONTEXT_MAX);
}

rw_status rw_guard_shrink(uint64_t native, uint64_t context, rw_error *err) {
    if (context >= native)
        return RW_OK;
    return rw_fail(err, RW_ERR_REFUSED, "plan.shrink", "--context",
                   "%llu tokens is less than the native window of %llu: no scaling is needed for "
                   "that; serve the model as it is with a smaller window",
                   (ull)context, (ull)native);
}

rw_status rw_guard_existing(const rw_source *source, const rw_existing *existing, uint64_t native,
                            const rw_plan_options *options, rw_error *err) {
    if (options->compound && options->replace)
        return rw_fail(err, RW_ERR_USAGE, "plan.flags", "--compound",
                       "--compound keeps the existing scaling and --replace drops it: choose one");
    if (!existing->scaled || options->compound || options->replace)
        return RW_OK;
    bool unsure = existing->method == RW_ROPE_LINEAR && !options->scaling.original_context &&
                  strcmp(source->native_source, "the advertised window") == 0;
    return rw_fail(
        err, RW_ERR_REFUSED, "plan.already_scaled", rw_rope_method_name(existing->method),
        "the checkpoint is already scaled%s: %s, factor %g over a native window of %llu "
        "(product %.0f; it advertises %llu). --compound keeps that and sets its factor "
        "to %g; --replace drops it and plans from %llu tokens%s",
        existing->from_receipt ? ", its receipt says" : "", rw_rope_method_name(existing->method),
        existing->factor, (ull)native, existing->factor * (double)native,
        (ull)source->windows.advertised, (double)options->context / (double)native, (ull)native,
        unsure ? ". The block does not say what window it extends: add --original-context" : "");
}

rw_status rw_guard_factor(const rw_decision *decision, bool force, rw_diagnostics *diagnostics,
                          rw_error *err) {
    double limit = rw_plan_stable_factor(decision->method);
    if (decision->factor <= limit * (1 + 1e-9))
        return RW_OK;
    const char *name = rw_rope_method_name(decision->method);
    if (!force)
        return rw_fail(err, RW_ERR_REFUSED, "plan.unstable_factor", "--factor",
                       "factor %g is beyond the stable band of %s, %g%s. --force goes on all the "
                       "same",
                       decision->factor, name, limit,
                       limit < 32 && decision->factor <= 32 ? "; --method yarn bears up to 32"
                                                            : "");
    rw_diagnose(diagnostics, "plan.unstable_factor", RW_WARNING, true, "--factor",
                "factor %g is beyond the stable band of %s, %g: forced", decision->factor, name,
                limit);
    return RW_OK;
}

rw_status rw_guard_source(const rw_source *source, rw_error *err) {
    for (size_t i = 0; i < source->diagnostics.count; i++) {
        const rw_diagnostic *item = &source->diagnostics.items[i];
        if (item->severity == RW_ERROR)
            return rw_fail(err, RW_ERR_REFUSED, item->code, item->path, "%s", item->message);
    }
    return RW_OK;
}
