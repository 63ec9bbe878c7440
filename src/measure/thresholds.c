/*
 * thresholds.c - what the verdict's limits are called, and what may be asked of them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/gate.h"
#include "measure/measure.h"

typedef struct threshold {
    const char *name;
    size_t offset;
    bool whole;
    double least, most;
} threshold;

#define AT(member) offsetof(rw_thresholds, member)

static const threshold table[] = {
    {"short_cost", AT(short_cost), false, 0, 100},
    {"gain", AT(gain), false, -100, 100},
    {"bucket_excess", AT(bucket_excess), false, 0, 100},
    {"retrieval", AT(retrieval), false, 0, 1},
    {"native_accuracy", AT(ability), false, 0, 1},
    {"depth_gap", AT(depth_gap), false, 0, 1},
    {"trials", AT(trials), true, 1, 1e9},
    {"trials_per_depth", AT(depth_trials), true, 1, 1e9},
    {"firm_trials_per_depth", AT(firm_trials), true, 1, 1e9},
    {"pack", AT(pack), false, 0, 1},
    {"pack_low", AT(pack_low), false, 0, 1},
    {"pack_drop", AT(pack_drop), false, 0, 1},
    {"evidence_gain", AT(evidence_gain), false, -100, 100},
    {"pack_items", AT(pack_items), true, 1, 1e9},
    {"firm_pack_items", AT(firm_items), true, 1, 1e9},
    {"decode", AT(decode), false, 0, 100},
    {"documents", AT(documents), true, RW_BOOTSTRAP_DOCUMENTS_MIN, 1e9},
};
enum { THRESHOLDS = sizeof table / sizeof *table };

static double get(const rw_thresholds *t, const threshold *row) {
    const char *at = (const char *)t + row->offset;
    if (row->whole) {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void set(rw_thresholds *t, const threshold *row, double value) {
    char *at = (char *)t + row->offset;
    uint64_t whole = (uint64_t)fmax(value, 0);
    if (row->whole)
        memcpy(at, &whole, sizeof whole);
    else
        memcpy(at, &value, sizeof value);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const threshold *find(rw_str name) {
    for (size_t i = 0; i < THRESHOLDS; i++)
        if (rw_str_is(name, table[i].name))
            return &table[i];
    return NULL;
}

static int shown(rw_str text) {
    return (int)(text.size < 48 ? text.size : 48);
}

static rw_status unknown_threshold(rw_str part, rw_error *err) {
    char names[400];
    size_t used = 0;
    for (size_t i = 0; i < THRESHOLDS; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 table[i].name);
    return rw_fail(err, RW_ERR_USAGE, "measure.threshold", "--threshold",
                   "\"%.*s\" is not NAME=VALUE of one of: %s", shown(part), part.data, names);
}

static rw_status take_threshold(rw_str part, rw_thresholds *out, bool seen[THRESHOLDS],
                                rw_error *err) {
    const char *sign = part.size ? memchr(part.data, '=', part.size) : NULL;
    size_t size = sign ? (size_t)(sign - part.data) : part.size;
    const threshold *row = sign ? find((rw_str){part.data, size}) : NULL;
    double value;
    if (!row)
        return unknown_threshold(part, err);
    if (!rw_parse_double((rw_str){sign + 1, part.size - size - 1}, &value) ||
        !(value >= row->least && value <= row->most) || (row->whole && value != floor(value)))
        return rw_fail(err, RW_ERR_USAGE, "measure.threshold", "--threshold",
                       "\"%.*s\": %s is a %snumber from %g to %g", shown(part), part.data,
                       row->name, row->whole ? "whole " : "", row->least, row->most);
    if (seen[row - table])
        return rw_fail(err, RW_ERR_USAGE, "measure.threshold", "--threshold",
                       "%s is given more than once", row->name);
    seen[row - table] = true;
    set(out, row, value);
    return RW_OK;
}

/* The text up to the next comma; `at` goes behind it, NULL at the end. */
static rw_str next_part(const char **at) {
    size_t size = strcspn(*at, ",");
    const rw_str part = {*at, size};
    *at = (*at)[size] ? *at + size + 1 : NULL;
    return part;
}

rw_status rw_thresholds_parse(const char *text, rw_thresholds *out, rw_error *err) {
    bool seen[THRESHOLDS] = {false};
    *out = rw_default_thresholds;
    if (text && !*text)
        text = NULL;
    while (text)
        RW_TRY(take_threshold(next_part(&text), out, seen, err));
    return RW_OK;
}

/* ---- waivers --------------------------------------------------------------------------------- */

static const struct {
    const char *id, *word;
} waiver_names[RW_DIMENSION_COUNT] = {{"D0", "effect"},    {"D1", "short"}, {"D2", "long"},
                                      {"D3", "retrieval"}, {"D4", "pack"},  {"D5", "decode"}};

static rw_status take_waiver(rw_str part, bool out[RW_DIMENSION_COUNT], rw_error *err) {
    for (size_t d = RW_D1_SHORT_COST; d < RW_DIMENSION_COUNT; d++)
        if (rw_str_is(part, waiver_names[d].id) || rw_str_is(part, waiver_names[d].word)) {
            out[d] = true;
            return RW_OK;
        }
    return rw_fail(err, RW_ERR_USAGE, "measure.waiver", "--allow-undefined",
                   "\"%.*s\" cannot be allowed to stay undefined: name D1 (short), D2 (long), D3 "
                   "(retrieval), D4 (pack) or D5 (decode)",
                   shown(part), part.data);
}

rw_status rw_waivers_parse(const char *text, bool out[RW_DIMENSION_COUNT], rw_error *err) {
    memset(out, 0, RW_DIMENSION_COUNT * sizeof *out);
    if (text && !*text)
        text = NULL;
    while (text)
        RW_TRY(take_waiver(next_part(&text), out, err));
    return RW_OK;
}

rw_status rw_gate_options_check(const rw_gate_options *options, rw_error *err) {
    rw_thresholds thresholds;
    bool waived[RW_DIMENSION_COUNT];
    RW_TRY(rw_thresholds_parse(options->thresholds, &thresholds, err));
    return rw_waivers_parse(options->allow_undefined, waived, err);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_all(rw_json_writer *w, const char *key, const rw_thresholds *t) {
    rw_json_key(w, key);
    rw_json_begin_object(w);
    for (size_t i = 0; i < THRESHOLDS; i++)
        if (table[i].whole)
            rw_json_member_u64(w, table[i].name, (uint64_t)get(t, &table[i]));
        else
            rw_json_member_double(w, table[i].name, get(t, &table[i]));
    rw_json_end_object(w);
}

void rw_thresholds_write(rw_json_writer *w, const rw_thresholds *thresholds) {
    write_all(w, "thresholds", thresholds);
    write_all(w, "default_thresholds", &rw_default_thresholds);
    rw_json_key(w, "changed_thresholds");
    rw_json_begin_array(w);
    for (size_t i = 0; i < THRESHOLDS; i++)
        if (get(thresholds, &table[i]) != get(&rw_default_thresholds, &table[i]))
            rw_json_string(w, table[i].name);
    rw_json_end_array(w);
}
