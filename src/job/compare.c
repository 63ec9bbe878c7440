/*
 * compare.c - the job `compare`: do two checkpoints rotate alike? Each is resolved by the reader
 * that speaks for it, so a directory and a GGUF can be compared. Pairing is not: a GGUF permutes
 * its weights with it.
 */
#include <string.h>

#include "job/describe.h"
#include "plan/plan.h"

typedef struct comparison {
    rw_description a, b;
    rw_rope_set *set_a, *set_b;
    uint64_t length;
    bool alike;
} comparison;

static rw_status read_side(rw_description *side, rw_rope_set **out, rw_error *err) {
    *out = rw_arena_alloc(&side->arena, sizeof **out);
    if (!*out)
        return rw_fail_memory(err, "rotation", sizeof **out);
    return rw_dialect_read_best(&side->source, *out, NULL, err);
}

static void begin_difference(rw_json_writer *w, comparison *job, const char *layers,
                             const char *what) {
    job->alike = false;
    rw_json_begin_object(w);
    rw_json_member_string(w, "layers", layers);
    rw_json_member_string(w, "what", what);
}

static void write_tables(rw_json_writer *w, comparison *job, const rw_rope_group *a,
                         const rw_rope_group *b, const rw_rope_difference *d, uint64_t length) {
    begin_difference(w, job, rw_layers_name(a->layers), d->comparable ? "rotation" : "dims");
    rw_json_member_u64(w, "length", length);
    rw_json_member_u64(w, "pair", d->worst_pair);
    rw_json_member_double(w, "max_angle", d->max_angle);
    rw_json_member_double(w, "max_relative", d->max_relative);
    rw_json_member_double(w, "amplitude", d->amplitude);
    rw_json_member_double(w, "logit", d->logit);
    rw_json_key(w, "a");
    rw_rope_group_write(w, a, length);
    rw_json_key(w, "b");
    rw_rope_group_write(w, b, length);
    rw_json_end_object(w);
}

static rw_status compare_at(rw_json_writer *w, comparison *job, const rw_rope_group *a,
                            const rw_rope_group *b, uint64_t length, bool *equal, rw_error *err) {
    rw_rope_table one, other;
    rw_rope_difference d;
    RW_TRY(rw_rope_table_build(&a->spec, length, &one, err));
    RW_TRY(rw_rope_table_build(&b->spec, length, &other, err));
    rw_rope_compare(&one, &other, length, &d);
    *equal = d.comparable && d.equivalent;
    if (!*equal)
        write_tables(w, job, a, b, &d, length);
    return RW_OK;
}

/* At the whole length, and where one of the two changes with the length also inside its original
   window. */
static rw_status compare_groups(rw_json_writer *w, comparison *job, const rw_rope_group *a,
                                const rw_rope_group *b, rw_error *err) {
    bool equal = true;
    RW_TRY(compare_at(w, job, a, b, job->length, &equal, err));
    const rw_rope_spec *specs[2] = {&a->spec, &b->spec};
    for (int i = 0; i < 2 && equal; i++)
        if (rw_rope_depends_on_length(specs[i]) && specs[i]->original_context < job->length)
            RW_TRY(compare_at(w, job, a, b, specs[i]->original_context, &equal, err));
    return RW_OK;
}

static rw_status compare_layers(rw_json_writer *w, comparison *job, rw_layers layers,
                                rw_error *err) {
    const rw_rope_group *a = rw_rope_set_find(job->set_a, layers);
    const rw_rope_group *b = rw_rope_set_find(job->set_b, layers);
    if (a && b)
        return compare_groups(w, job, a, b, err);
    if (a || b) {
        begin_difference(w, job, rw_layers_name(layers), a ? "only in a" : "only in b");
        rw_json_end_object(w);
    }
    return RW_OK;
}

static bool same_for_all(const comparison *job) {
    return rw_rope_set_find(job->set_a, RW_LAYERS_ALL) &&
           rw_rope_set_find(job->set_b, RW_LAYERS_ALL);
}

static rw_status compare_sets(rw_json_writer *w, comparison *job, rw_error *err) {
    if (same_for_all(job))
        return compare_layers(w, job, RW_LAYERS_ALL, err);
    RW_TRY(compare_layers(w, job, RW_LAYERS_FULL, err));
    return compare_layers(w, job, RW_LAYERS_SLIDING, err);
}

static uint64_t longer_window(const comparison *job) {
    uint64_t a = job->a.source.windows.advertised, b = job->b.source.windows.advertised;
    return a > b ? a : b;
}

static rw_status compare(comparison *job, rw_json_writer *w, rw_error *err) {
    RW_TRY(read_side(&job->a, &job->set_a, err));
    RW_TRY(read_side(&job->b, &job->set_b, err));
    job->alike = true;
    if (!job->length)
        job->length = longer_window(job);
    /* `alike` comes first in the text and is known last. */
    rw_buf differences = {.ctx = w->out->ctx};
    rw_json_writer inner = {.out = &differences, .indent = 0};
    rw_json_begin_array(&inner);
    rw_status status = compare_sets(&inner, job, err);
    if (status == RW_OK) {
        rw_json_end_array(&inner);
        rw_json_member_bool(w, "alike", job->alike);
        rw_json_member_u64(w, "length", job->length);
        rw_json_key(w, "differences");
        rw_json_raw(w, (rw_str){differences.data, differences.size});
        status = rw_buf_status(&differences, err);
    }
    rw_buf_free(&differences);
    if (status == RW_OK && !job->alike)
        status = RW_NO;
    return status;
}

rw_status rw_compare(rw_context *ctx, const rw_compare_options *options, char **json,
                     rw_error *err) {
    comparison job = {.length = options->length};
    rw_json_writer w;
    rw_buf text;
    *json = NULL;
    rw_result_begin(ctx, &text, &w, "ropewalk.compare/1");
    rw_status status = rw_describe(ctx, options->a, &job.a, err);
    if (status == RW_OK)
        status = rw_describe(ctx, options->b, &job.b, err);
    if (status == RW_OK)
        status = compare(&job, &w, err);
    if (status == RW_NO)
        rw_fail(err, RW_NO, "compare.not_alike", options->b,
                "the two checkpoints rotate differently");
    rw_description_close(&job.a);
    rw_description_close(&job.b);
    return rw_result_end(&text, &w, status, json, err);
}
