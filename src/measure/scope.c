/*
 * scope.c - options to scope.
 */
#include "measure/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS_DEFAULT = 8, STRIDE_DEFAULT = 256 };

/* Longer sequences than this are a mistake, not a wish. */
static const uint64_t length_max = (uint64_t)1 << 31;

static const double default_depths[] = {0, 0.25, 0.5, 0.75, 1};

static rw_status pick_protocol(const char *name, rw_scope *out, rw_error *err) {
    out->protocol = rw_protocol_by_name(name ? name : "prefix");
    if (!out->protocol)
        return rw_fail(err, RW_ERR_USAGE, "measure.protocol", "--protocol",
                       "there is no protocol '%s': name one of %s", name, rw_protocol_names);
    return RW_OK;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static const rw_wording *find_wording(const rw_task *task, rw_str name) {
    for (size_t i = 0; i < task->wording_count; i++)
        if (name.size == 0 || rw_str_is(name, task->wordings[i].name))
            return &task->wordings[i];
    return NULL;
}

static bool find_pick(rw_str text, rw_pick *out) {
    const char *colon = memchr(text.data, ':', text.size);
    rw_str name = {text.data, colon ? (size_t)(colon - text.data) : text.size};
    rw_str wording = colon ? (rw_str){colon + 1, text.size - name.size - 1} : (rw_str){"", 0};
    for (size_t i = 0; i < rw_task_count; i++)
        if (rw_str_is(name, rw_task_table[i].name)) {
            *out = (rw_pick){&rw_task_table[i], find_wording(&rw_task_table[i], wording)};
            return out->wording != NULL;
        }
    return false;
}

static rw_status pick_task(rw_str text, rw_scope *out, rw_error *err) {
    rw_pick pick;
    if (rw_str_is(text, "perplexity")) {
        out->perplexity = true;
        return RW_OK;
    }
    if (!find_pick(text, &pick) || out->pick_count == RW_PICKS_MAX)
        return rw_fail(err, RW_ERR_USAGE, "measure.task", "--tasks",
                       "there is no task '%.*s': name perplexity, passkey, needle, key_value, "
                       "multi_key or repeat, the last five with :WORDING if you like",
                       (int)(text.size < 64 ? text.size : 64), text.data);
    for (size_t i = 0; i < out->pick_count; i++)
        if (out->picks[i].wording == pick.wording)
            return RW_OK;
    out->picks[out->pick_count++] = pick;
    return RW_OK;
}

static rw_status pick_tasks(const char *list, rw_scope *out, rw_error *err) {
    const char *at = list ? list : "perplexity,passkey";
    for (;;) {
        size_t size = strcspn(at, ",");
        RW_TRY(pick_task((rw_str){at, size}, out, err));
        if (at[size] == '\0')
            return RW_OK;
        at += size + 1;
    }
}

/* ---- lengths and depths ---------------------------------------------------------------------- */

static int compare_sizes(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_length(rw_scope *out, size_t length) {
    if (out->length_count < RW_LENGTHS_MAX)
        out->lengths[out->length_count++] = length;
}

static void sort_lengths(rw_scope *out) {
    size_t kept = 0;
    qsort(out->lengths, out->length_count, sizeof out->lengths[0], compare_sizes);
    for (size_t i = 0; i < out->length_count; i++)
        if (kept == 0 || out->lengths[i] != out->lengths[kept - 1])
            out->lengths[kept++] = out->lengths[i];
    out->length_count = kept;
}

/* Half the native window, the window, and doublings up to the context. */
static rw_status default_lengths(rw_scope *out, rw_error *err) {
    if (out->native / 2 < out->protocol->length_min)
        return rw_fail(err, RW_ERR_USAGE, "measure.length", "--lengths",
                       "the native window is not known: say which lengths to measure");
    add_length(out, out->native / 2);
    for (size_t length = out->native; length < out->context; length *= 2)
        add_length(out, length);
    add_length(out, out->context > out->native ? out->context : out->native);
    return RW_OK;
}

static rw_status pick_lengths(const rw_measure_options *options, rw_scope *out, rw_error *err) {
    if (!options->lengths || !options->length_count)
        RW_TRY(default_lengths(out, err));
    for (size_t i = 0; options->lengths && i < options->length_count; i++) {
        uint64_t length = options->lengths[i];
        if (length < out->protocol->length_min || length > length_max || i == RW_LENGTHS_MAX)
            return rw_fail(err, RW_ERR_USAGE, "measure.length", "--lengths",
                           "length %llu cannot be measured under protocol %s: give at most %d "
                           "lengths from %zu to %llu",
                           (unsigned long long)length, out->protocol->name, RW_LENGTHS_MAX,
                           out->protocol->length_min, (unsigned long long)length_max);
        add_length(out, (size_t)length);
    }
    sort_lengths(out);
    return RW_OK;
}

static rw_status pick_depths(const rw_measure_options *options, rw_scope *out, rw_error *err) {
    bool given = options->depths && options->depth_count;
    size_t count = given ? options->depth_count : sizeof default_depths / sizeof default_depths[0];
    const double *depths = given ? options->depths : default_depths;
    for (size_t i = 0; i < count; i++) {
        if (!(depths[i] >= 0 && depths[i] <= 1) || i == RW_DEPTHS_MAX)
            return rw_fail(err, RW_ERR_USAGE, "measure.depth", "--depths",
                           "a depth is a fraction from 0 to 1, and there are at most %d",
                           RW_DEPTHS_MAX);
        out->depths[i] = depths[i];
    }
    qsort(out->depths, count, sizeof out->depths[0], compare_doubles);
    for (size_t i = 0; i < count; i++)
        if (out->depth_count == 0 || out->depths[i] != out->depths[out->depth_count - 1])
            out->depths[out->depth_count++] = out->depths[i];
    return RW_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static size_t clip(uint64_t value, uint64_t fallback, uint64_t most) {
    uint64_t chosen = value ? value : fallback;
    return (size_t)(chosen < most ? chosen : most);
}

rw_status rw_scope_make(const rw_subject *subject, const rw_corpus *corpus,
                        const rw_measure_options *options, rw_scope *out, rw_error *err) {
    *out =
        (rw_scope){.seed = options->seed, .baseline = !subject->no_baseline, .pack = subject->pack};
    out->native = clip(subject->native, 0, length_max);
    out->context = clip(subject->context, 0, length_max);
    out->stride = clip(options->stride, STRIDE_DEFAULT, length_max);
    out->chunks = clip(options->chunks, 0, length_max);
    out->documents = clip(options->documents, RW_MEASURE_DOCUMENTS, corpus->count);
    out->trials = clip(options->trials, TRIALS_DEFAULT, 1u << 20);
    RW_TRY(pick_protocol(options->protocol, out, err));
    RW_TRY(pick_tasks(options->tasks, out, err));
    RW_TRY(pick_lengths(options, out, err));
    RW_TRY(pick_depths(options, out, err));
    size_t longest = out->lengths[out->length_count - 1];
    if (!out->context)
        out->context = longest;
    out->retrieval_lengths = out->length_count;
    out->decode_at = out->native && out->native < longest ? out->native : longest;
    return RW_OK;
}

size_t rw_scope_gain_lengths(const rw_scope *scope, size_t out[RW_LENGTHS_MAX]) {
    rw_scope list = {0};
    size_t longest = scope->lengths[scope->length_count - 1];
    if (!scope->native || !scope->protocol->reads_prefix || !scope->perplexity)
        return 0;
    for (size_t length = scope->native * 2; length < longest; length *= 2)
        add_length(&list, length);
    for (size_t i = scope->length_count; i-- > 0;) /* the longest must not fall off the end */
        if (scope->lengths[i] > scope->native)
            add_length(&list, scope->lengths[i]);
    sort_lengths(&list);
    memcpy(out, list.lengths, list.length_count * sizeof out[0]);
    return list.length_count;
}
