/*
 * plan.c - the job `plan`: the decision and everything it rests on. Reads no weights.
 */
#include "plan/plan.h"
#include "job/describe.h"

static rw_status plan(rw_description *description, const rw_plan_options *options,
                      rw_json_writer *w, rw_error *err) {
    rw_plan_result *result = rw_arena_alloc(&description->arena, sizeof *result);
    if (!result)
        return rw_fail_memory(err, "plan", sizeof *result);
    RW_TRY(rw_plan_make(&description->source, options, result, err));
    rw_plan_write(w, &description->source, result);
    return RW_OK;
}

rw_status rw_plan(rw_context *ctx, const rw_plan_options *options, char **json, rw_error *err) {
    rw_description description;
    rw_json_writer w;
    rw_buf text;
    *json = NULL;
    rw_result_begin(ctx, &text, &w, "ropewalk.plan/1");
    rw_status status = rw_describe(ctx, options->path, &description, err);
    if (status == RW_OK)
        status = plan(&description, options, &w, err);
    rw_description_close(&description);
    return rw_result_end(&text, &w, status, json, err);
}
