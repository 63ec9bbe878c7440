/*
 * inspect.c - the job `inspect`: where the rotation lives, the windows, and what each runtime would
 * rotate by. Reads headers only.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "job/describe.h"
#include "plan/plan.h"

typedef struct reading {
    bool readable;
    rw_rope_set set;
    rw_diagnostics diagnostics;
    rw_error error;
} reading;

typedef struct inspection {
    const rw_source *source;
    uint64_t length;
    reading *readings; /* [RW_RUNTIME_COUNT] */
    rw_diagnostics all;
} inspection;

/* ---- reading
 * ------------------------------------------------------------------------------------- */

static void merge(rw_diagnostics *into, const rw_diagnostics *from) {
    for (size_t i = 0; i < from->count; i++) {
        const rw_diagnostic *d = &from->items[i];
        rw_diagnose(into, d->code, d->severity, d->changes_numbers, d->path, "%s", d->message);
    }
}

static rw_status read_all(inspection *job, rw_error *err) {
    rw_runtime home = rw_dialect_home(job->source);
    bool any = false;
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        reading *r = &job->readings[i];
        r->diagnostics.arena = job->source->arena;
        rw_status status =
            rw_dialect_read((rw_runtime)i, job->source, &r->set, &r->diagnostics, &r->error);
        r->readable = status == RW_OK;
        any |= r->readable;
        if (status != RW_OK && status != RW_ERR_INPUT) {
            if (err)
                *err = r->error;
            return status;
        }
    }
    if (!any) {
        if (err)
            *err = job->readings[home].error;
        return RW_ERR_INPUT;
    }
    merge(&job->all, &job->source->diagnostics);
    merge(&job->all, &job->readings[home].diagnostics);
    if (!job->readings[home].readable)
        rw_diagnose(&job->all, "dialect.unreadable", RW_ERROR, true,
                    job->readings[home].error.where, "%s", job->readings[home].error.message);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++)
        if (job->readings[i].readable)
            merge(&job->all, &job->readings[i].diagnostics);
    return RW_OK;
}

/* ---- where readers part
 * ---------------------------------------------------------------------------- */

static void note_difference(inspection *job, rw_runtime runtime, const rw_rope_group *home,
                            const rw_rope_group *other) {
    rw_rope_table a, b;
    rw_rope_difference d;
    if (rw_rope_table_build(&home->spec, job->length, &a, NULL) != RW_OK ||
        rw_rope_table_build(&other->spec, job->length, &b, NULL) != RW_OK)
        return;
    rw_rope_compare(&a, &b, job->length, &d);
    if (d.equivalent)
        return;
    const char *layers = home->layers == RW_LAYERS_ALL ? "" : rw_layers_name(home->layers);
    rw_diagnose(&job->all, "inspect.readers_part", RW_WARNING, true, rw_runtime_name(runtime),
                d.comparable ? "%s rotates otherwise than %s%s%s: pair %u by up to %.3g radians at "
                               "%llu tokens, amplitude by %.3g"
                             : "%s rotates other dims than %s%s%s",
                rw_runtime_name(runtime), rw_runtime_name(rw_dialect_home(job->source)),
                *layers ? " in " : "", layers, d.worst_pair, d.max_angle,
                (unsigned long long)job->length, d.amplitude);
}

static void note_differences(inspection *job) {
    rw_runtime home = rw_dialect_home(job->source);
    const rw_rope_set *set = &job->readings[home].set;
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        if (i == home || !job->readings[i].readable)
            continue;
        for (uint32_t g = 0; g < set->count; g++) {
            const rw_rope_group *other =
                rw_rope_set_find(&job->readings[i].set, set->group[g].layers);
            if (other)
                note_difference(job, (rw_runtime)i, &set->group[g], other);
        }
    }
}

/* ---- writing
 * --------------------------------------------------------------------------------------- */

static void write_window(rw_json_writer *w, const char *key, uint64_t value) {
    if (value)
        rw_json_member_u64(w, key, value);
    else
        rw_json_member_null(w, key);
}

static void write_context(rw_json_writer *w, const rw_source *source) {
    rw_json_key(w, "context");
    rw_json_begin_object(w);
    write_window(w, "native", source->windows.native);
    write_window(w, "advertised", source->windows.advertised);
    write_window(w, "ramp_origin", source->windows.ramp_origin);
    write_window(w, "tokenizer", source->windows.tokenizer);
    rw_json_member_string(w, "native_source", source->native_source);
    rw_json_end_object(w);
}

static void write_groups(rw_json_writer *w, const rw_rope_set *set, uint64_t length) {
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < set->count; i++)
        rw_rope_group_write(w, &set->group[i], length);
    rw_json_end_array(w);
}

/* A runtime that cannot load this: {"diagnostics":[D]} in the place of its list. */
static void write_unreadable(rw_json_writer *w, reading *r) {
    rw_diagnostics why = {.arena = r->diagnostics.arena};
    merge(&why, &r->diagnostics);
    rw_diagnose(&why, "dialect.unreadable", RW_ERROR, true, r->error.where, "%s", r->error.message);
    rw_json_begin_object(w);
    rw_json_key(w, "diagnostics");
    rw_diagnostics_write(w, &why);
    rw_json_end_object(w);
}

static void write_readers(rw_json_writer *w, inspection *job) {
    rw_json_key(w, "readers");
    rw_json_begin_object(w);
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        rw_json_key(w, rw_runtime_name((rw_runtime)i));
        if (job->readings[i].readable)
            write_groups(w, &job->readings[i].set, job->length);
        else
            write_unreadable(w, &job->readings[i]);
    }
    rw_json_end_object(w);
}

static void write_inspection(rw_json_writer *w, inspection *job) {
    const rw_source *source = job->source;
    bool gguf = rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF;
    rw_json_member_string(w, "format", gguf ? "gguf" : "hf");
    rw_json_member_string(w, "architecture", source->arch.name);
    rw_json_member_u64(w, "length", job->length);
    write_context(w, source);
    rw_json_key(w, "rope");
    write_groups(w, &job->readings[rw_dialect_home(source)].set, job->length);
    write_readers(w, job);
    rw_json_key(w, "diagnostics");
    rw_diagnostics_write(w, &job->all);
}

static rw_status inspect(rw_description *description, uint64_t length, rw_json_writer *w,
                         rw_error *err) {
    const rw_source *source = &description->source;
    inspection job = {.source = source, .all = {.arena = &description->arena}};
    job.length = length ? length : source->windows.advertised;
    size_t bytes = RW_RUNTIME_COUNT * sizeof *job.readings;
    job.readings = rw_arena_alloc(&description->arena, bytes);
    if (!job.readings)
        return rw_fail_memory(err, "readers", bytes);
    RW_TRY(read_all(&job, err));
    note_differences(&job);
    write_inspection(w, &job);
    return RW_OK;
}

rw_status rw_inspect(rw_context *ctx, const rw_inspect_options *options, char **json,
                     rw_error *err) {
    rw_description description;
    rw_json_writer w;
    rw_buf text;
    *json = NULL;
    rw_result_begin(ctx, &text, &w, "ropewalk.inspect/1");
    rw_status status = rw_describe(ctx, options->path, &description, err);
    if (status == RW_OK)
        status = inspect(&description, options->length, &w, err);
    rw_description_close(&description);
    return rw_result_end(&text, &w, status, json, err);
}
