/*
 * companion.c - what a draft is planned by. A draft that does not follow its target's extension is
 * correct and useless: the target rejects its tokens beyond the native window (vllm-project/vllm
 * #58080), and nothing says so.
 */
#include "job/companion.h"

#include <stdio.h>
#include <string.h>

typedef unsigned long long ull;

static double reach(const rw_plan_options *options, const rw_plan_result *target) {
    return options->scaling.factor * (double)target->native;
}

static uint64_t native_of(const rw_plan_options *options, const rw_source *draft) {
    uint64_t stated = options->companion_original_context;
    return stated ? stated : draft->windows.native;
}

/* Lists are per pair of one model, so a method that needs them goes by the flags alone. */
static bool can_follow(rw_rope_method method) {
    return method != RW_ROPE_NONE && method != RW_ROPE_LONGROPE && method != RW_ROPE_PER_PAIR &&
           method != RW_ROPE_PROPORTIONAL;
}

static bool is_scaled(const rw_source *draft) {
    rw_rope_set *set = rw_arena_alloc(draft->arena, sizeof *set);
    if (!set || rw_dialect_read_best(draft, set, NULL, NULL) != RW_OK || !set->count)
        return false;
    const rw_rope_group *group = rw_rope_set_find(set, RW_LAYERS_FULL);
    const rw_rope_spec *spec = group ? &group->spec : &set->group[0].spec;
    return spec->method != RW_ROPE_NONE && spec->method != RW_ROPE_BASE;
}

static void make_request(const rw_plan_options *options, const rw_plan_result *target,
                         const rw_source *draft, rw_plan_options *request) {
    uint64_t native = native_of(options, draft);
    *request = *options;
    request->path = options->companion;
    request->companion = NULL;
    request->companion_original_context = 0;
    request->devices = NULL;
    request->scaling.original_context = options->companion_original_context;
    if (native && options->scaling.factor != 0)
        request->scaling.factor = reach(options, target) / (double)native;
    bool keeps_own = options->compound && is_scaled(draft);
    if (!options->scaling.method && !keeps_own && !target->nothing_to_do &&
        can_follow(target->method))
        request->scaling.method = rw_rope_method_name(target->method);
    if (native >= options->context && !is_scaled(draft)) {
        /* long enough as it is: no guard has to hear of it */
        request->context = native;
        request->scaling = (rw_scaling_options){.struct_size = sizeof request->scaling};
        request->scaling.original_context = options->companion_original_context;
    }
}

/* "Extend it with its target" is what is being done. */
static void drop_answered(rw_diagnostics *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].code, "dialect.companion_draft") != 0)
            list->items[kept++] = list->items[i];
    list->count = kept;
}

static void note_how_it_follows(const rw_plan_options *options, const rw_plan_result *target,
                                rw_plan_result *draft) {
    const char *path = options->companion;
    if (draft->nothing_to_do) {
        rw_diagnose(&draft->diagnostics, "plan.companion_long_enough", RW_INFO, false, path,
                    "the draft's own window of %llu tokens covers %llu: it is left as it is",
                    (ull)draft->native, (ull)options->context);
        return;
    }
    if (!target->nothing_to_do && draft->method != target->method)
        rw_diagnose(&draft->diagnostics, "plan.companion_method", RW_WARNING, true, path,
                    "the draft is scaled by %s and its target by %s: they turn alike up to the "
                    "native window only, and fewer drafted tokens may be accepted beyond",
                    rw_rope_method_name(draft->method), rw_rope_method_name(target->method));
    if (!target->nothing_to_do && draft->native != target->native)
        rw_diagnose(&draft->diagnostics, "plan.companion_window", RW_INFO, true, path,
                    "the draft's native window is %llu tokens and its target's %llu, so their "
                    "factors are %g and %g (--companion-original-context overrides)",
                    (ull)draft->native, (ull)target->native, draft->factor, target->factor);
}

/* Of two checkpoints, which one is refused? */
static rw_status name_the_draft(const char *path, rw_status status, rw_error *err) {
    char message[RW_ERROR_MESSAGE_MAX];
    if (!err)
        return status;
    snprintf(message, sizeof message, "%s", err->message);
    int used = snprintf(err->message, sizeof err->message, "the draft %.200s: ", path);
    snprintf(err->message + used, sizeof err->message - (size_t)used, "%.500s", message);
    return status;
}

rw_status rw_companion_plan(const rw_plan_options *options, const rw_plan_result *target,
                            const rw_source *draft, rw_plan_options *request, rw_plan_result *out,
                            rw_error *err) {
    make_request(options, target, draft, request);
    rw_status status = rw_plan_make(draft, request, out, err);
    if (status != RW_OK)
        return name_the_draft(options->companion, status, err);
    drop_answered(&out->diagnostics);
    note_how_it_follows(options, target, out);
    return RW_OK;
}
