/*
 * plan.c - the job `plan`: the decision and everything it rests on. Reads no weights.
 */
#include "plan/plan.h"
#include "job/companion.h"
#include "job/describe.h"

static void write_serve(rw_json_writer *w, rw_arena *arena, uint64_t context) {
    rw_json_key(w, "serve");
    rw_json_begin_object(w);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        const char *text = rw_companion_serve((rw_runtime)i, arena, context);
        if (text)
            rw_json_member_string(w, rw_runtime_name((rw_runtime)i), text);
    }
    rw_json_end_object(w);
}

/* The draft by the same wishes; null when none is named. */
static rw_status plan_companion(rw_context *ctx, const rw_plan_options *options,
                                const rw_plan_result *target, rw_json_writer *w, rw_error *err) {
    rw_description draft;
    rw_plan_options request;
    rw_json_key(w, "companion");
    if (!options->companion) {
        rw_json_null(w);
        return RW_OK;
    }
    rw_status status = rw_describe(ctx, options->companion, &draft, err);
    rw_plan_result *result = status == RW_OK ? rw_arena_alloc(&draft.arena, sizeof *result) : NULL;
    if (status == RW_OK && !result)
        status = rw_fail_memory(err, "plan", sizeof *result);
    if (status == RW_OK)
        status = rw_companion_plan(options, target, &draft.source, &request, result, err);
    if (status == RW_OK) {
        rw_json_begin_object(w);
        rw_json_member_string(w, "path", options->companion);
        rw_plan_write(w, &draft.source, result);
        write_serve(w, &draft.arena, result->context);
        rw_json_end_object(w);
    }
    rw_description_close(&draft);
    return status;
}

static rw_status plan(rw_context *ctx, rw_description *description, const rw_plan_options *options,
                      rw_json_writer *w, rw_error *err) {
    rw_plan_result *result = rw_arena_alloc(&description->arena, sizeof *result);
    if (!result)
        return rw_fail_memory(err, "plan", sizeof *result);
    RW_TRY(rw_plan_make(&description->source, options, result, err));
    rw_plan_write(w, &description->source, result);
    return plan_companion(ctx, options, result, w, err);
}

rw_status rw_plan(rw_context *ctx, const rw_plan_options *options, char **json, rw_error *err) {
    rw_description description;
    rw_json_writer w;
    rw_buf text;
    *json = NULL;
    rw_result_begin(ctx, &text, &w, "ropewalk.plan/1");
    rw_status status = rw_describe(ctx, options->path, &description, err);
    if (status == RW_OK)
        status = plan(ctx, &description, options, &w, err);
    rw_description_close(&description);
    return rw_result_end(&text, &w, status, json, err);
}
