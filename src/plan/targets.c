/*
 * targets.c - for which runtimes the plan is made, and whether each can be told it.
 */
#include "plan/internal.h"

static rw_status parse_targets(const char *names, rw_targets *out, rw_error *err) {
    *out = 0;
    for (const char *at = names; *at;) {
        size_t size = strcspn(at, ",");
        rw_str name = {at, size};
        rw_runtime runtime;
        if (rw_str_is(name, "transformers"))
            runtime = RW_TRANSFORMERS5;
        else if (!rw_runtime_by_name(name, &runtime))
            return rw_fail(err, RW_ERR_USAGE, "plan.unknown_runtime", "--target",
                           "there is no runtime \"%.*s\": transformers5, transformers4, "
                           "transformers4-early, vllm, sglang, llama.cpp",
                           (int)size, at);
        *out |= 1u << runtime;
        at += size + (at[size] == ',');
    }
    if (*out)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "plan.unknown_runtime", "--target", "no target is named");
}

static rw_status check_each(const rw_source *source, bool named, rw_plan_result *plan,
                            const char **obstacle, rw_error *err) {
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        const char *why = NULL;
        const char *name = rw_runtime_name((rw_runtime)i);
        if (!(plan->targets & 1u << i) ||
            rw_dialect_expressible((rw_runtime)i, source, &plan->after, plan->context, &why))
            continue;
        if (named)
            return rw_fail(err, RW_ERR_REFUSED, "plan.not_expressible", name,
                           "%s cannot be told this rotation: %s", name, why);
        plan->targets &= ~(1u << i);
        *obstacle = why;
        rw_diagnose(&plan->diagnostics, "plan.target_left_out", RW_WARNING, true, name,
                    "%s cannot be told this rotation and is no target of this plan: %s", name, why);
    }
    return RW_OK;
}

/* What each can be told alone, all must be told by one file. */
static rw_status check_together(const rw_source *source, rw_plan_result *plan, rw_error *err) {
    rw_targets proven = 0;
    const char *why = NULL;
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return RW_OK;
    RW_TRY(rw_dialect_rehearse(source, &plan->after, plan->context, plan->targets, &proven, &why,
                               err));
    if (proven == plan->targets)
        return RW_OK;
    return rw_fail(err, RW_ERR_REFUSED, "plan.not_expressible", "--target",
                   "no one config tells all of these targets the same rotation (%s): name fewer",
                   why ? why : "they part");
}

rw_status rw_plan_targets(const rw_source *source, const char *names, rw_plan_result *plan,
                          rw_error *err) {
    if (names)
        RW_TRY(parse_targets(names, &plan->targets, err));
    const char *obstacle = "none is named";
    RW_TRY(check_each(source, names != NULL, plan, &obstacle, err));
    if (plan->targets)
        return check_together(source, plan, err);
    return rw_fail(err, RW_ERR_REFUSED, "plan.not_expressible", "--method",
                   "no runtime that reads this checkpoint can be told the method %s: %s",
                   rw_rope_method_name(plan->method), obstacle);
}
