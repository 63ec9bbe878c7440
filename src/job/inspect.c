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

/* ---- where readers part ---------------------------------------------------------------------- */

/* How two runtimes part in one kind of layer. */
typedef struct parting {
    rw_runtime a, b;
    rw_layers layers;
    bool comparable;
    uint32_t pair; /* where the frequencies part most, relative to a's */
    double relative, angle, amplitude, logit;
} parting;

/* |a - b| / a, 0 for two pairs that stand still. */
static double relative_at(const rw_rope_table *a, const rw_rope_table *b, uint32_t k) {
    double off = fabs(a->inv_freq[k] - b->inv_freq[k]);
    return off == 0 ? 0 : off / a->inv_freq[k];
}

/* false: the two rotate alike (or one cannot be resolved at this length, which its reader says). */
static bool part(const rw_rope_group *a, const rw_rope_group *b, uint64_t length, parting *out) {
    rw_rope_table one, other;
    rw_rope_difference d;
    if (rw_rope_table_build(&a->spec, length, &one, NULL) != RW_OK ||
        rw_rope_table_build(&b->spec, length, &other, NULL) != RW_OK)
        return false;
    rw_rope_compare(&one, &other, length, &d);
    out->comparable = d.comparable;
    out->angle = d.max_angle;
    out->amplitude = d.amplitude;
    out->logit = d.logit;
    for (uint32_t k = 0; d.comparable && k < one.pairs; k++) {
        double relative = relative_at(&one, &other, k);
        if (k == 0 || relative > out->relative) {
            out->relative = relative;
            out->pair = k;
        }
    }
    return !d.equivalent;
}

static void diagnose_parting(inspection *job, const parting *p) {
    char layers[32] = "", pair[96] = "";
    if (p->layers != RW_LAYERS_ALL)
        snprintf(layers, sizeof layers, " in %s", rw_layers_name(p->layers));
    if (p->relative > 0)
        snprintf(pair, sizeof pair, "pair %u by %.3g of its frequency, up to %.3g radians; ",
                 p->pair, p->relative, p->angle);
    if (p->comparable)
        rw_diagnose(&job->all, "inspect.readers_part", RW_WARNING, true, rw_runtime_name(p->b),
                    "%s rotates otherwise than %s%s: %samplitude by %.3g, at %llu tokens",
                    rw_runtime_name(p->b), rw_runtime_name(p->a), layers, pair, p->amplitude,
                    (unsigned long long)job->length);
    else
        rw_diagnose(&job->all, "inspect.readers_part", RW_WARNING, true, rw_runtime_name(p->b),
                    "%s rotates other dims than %s%s", rw_runtime_name(p->b), rw_runtime_name(p->a),
                    layers);
}

static void write_parting(rw_json_writer *w, const parting *p) {
    rw_json_begin_object(w);
    rw_json_member_string(w, "a", rw_runtime_name(p->a));
    rw_json_member_string(w, "b", rw_runtime_name(p->b));
    rw_json_member_string(w, "layers", rw_layers_name(p->layers));
    rw_json_member_bool(w, "comparable", p->comparable);
    rw_json_key(w, "pair");
    if (p->relative > 0)
        rw_json_u64(w, p->pair);
    else
        rw_json_null(w); /* the frequencies are the same, or not to be compared */
    rw_json_member_double(w, "relative", p->relative);
    rw_json_member_double(w, "angle", p->angle);
    rw_json_member_double(w, "amplitude", p->amplitude);
    rw_json_member_double(w, "logit", p->logit);
    rw_json_end_object(w);
}

/* One kind of layer in two runtimes; a group for all layers serves every kind. */
static void compare_layers(inspection *job, rw_runtime a, rw_runtime b, rw_layers layers,
                           rw_json_writer *w) {
    const rw_rope_group *one = rw_rope_set_find(&job->readings[a].set, layers);
    const rw_rope_group *other = rw_rope_set_find(&job->readings[b].set, layers);
    parting p = {.a = a, .b = b, .layers = layers};
    if (!one || !other || !part(one, other, job->length, &p))
        return;
    write_parting(w, &p);
    if (a == rw_dialect_home(job->source))
        diagnose_parting(job, &p);
}

static bool alike_in_all_layers(const rw_rope_set *set) {
    return set->count == 1 && set->group[0].layers == RW_LAYERS_ALL;
}

static void compare_readers(inspection *job, rw_runtime a, rw_runtime b, rw_json_writer *w) {
    if (alike_in_all_layers(&job->readings[a].set) && alike_in_all_layers(&job->readings[b].set)) {
        compare_layers(job, a, b, RW_LAYERS_ALL, w);
        return;
    }
    compare_layers(job, a, b, RW_LAYERS_FULL, w);
    compare_layers(job, a, b, RW_LAYERS_SLIDING, w);
}

/* Every two runtimes that part, the one that speaks for the checkpoint first. */
static void write_differences(rw_json_writer *w, inspection *job) {
    rw_json_key(w, "differences");
    rw_json_begin_array(w);
    for (unsigned a = 0; a < RW_RUNTIME_COUNT; a++)
        for (unsigned b = a + 1; b < RW_RUNTIME_COUNT; b++)
            if (job->readings[a].readable && job->readings[b].readable)
                compare_readers(job, (rw_runtime)a, (rw_runtime)b, w);
    rw_json_end_array(w);
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

/* The same with what this runtime would serve by itself. */
static void write_reading(rw_json_writer *w, inspection *job, rw_runtime runtime) {
    const rw_rope_set *set = &job->readings[runtime].set;
    rw_effective_window window = rw_dialect_effective_window(runtime, job->source, set);
    rw_json_begin_array(w);
    for (uint32_t i = 0; i < set->count; i++) {
        rw_json_begin_object(w);
        rw_rope_group_members(w, &set->group[i], job->length);
        write_window(w, "effective_window", window.tokens);
        rw_json_member_string(w, "window_rule", window.rule);
        rw_json_end_object(w);
    }
    rw_json_end_array(w);
}

/* A runtime that cannot load this, or of which that is not known: {"diagnostics":[D]} in the place
   of its list. */
static void write_unreadable(rw_json_writer *w, reading *r) {
    rw_diagnostics why = {.arena = r->diagnostics.arena};
    merge(&why, &r->diagnostics);
    bool known = strcmp(r->error.code, "dialect.not_known") != 0;
    rw_diagnose(&why, known ? "dialect.unreadable" : "dialect.not_known",
                known ? RW_ERROR : RW_WARNING, true, r->error.where, "%s", r->error.message);
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
            write_reading(w, job, (rw_runtime)i);
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
    write_differences(w, job);
    rw_json_key(w, "companions");
    rw_companions_write(w, source, NULL);
    rw_json_member_bool(w, "draft", rw_companion_is_draft(source));
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
