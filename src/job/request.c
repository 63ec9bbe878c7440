/*
 * request.c - what was asked for, as the receipt records it and verify repeats it. One table says
 * which member is which field.
 */
#include <string.h>

#include "job/extend.h"

typedef enum field_kind { TEXT, NUMBER, COUNT, FLAG, TRISTATE, LIST } field_kind;

typedef struct field {
    const char *key;
    field_kind kind;
    size_t offset, count_offset;
} field;

#define PLAN(name) offsetof(rw_plan_options, name)
#define SCALING(name) offsetof(rw_plan_options, scaling.name)

static const field fields[] = {
    {"context", COUNT, PLAN(context), 0},
    {"method", TEXT, SCALING(method), 0},
    {"factor", NUMBER, SCALING(factor), 0},
    {"original_context", COUNT, SCALING(original_context), 0},
    {"rope_theta", NUMBER, SCALING(rope_theta), 0},
    {"beta_fast", NUMBER, SCALING(beta_fast), 0},
    {"beta_slow", NUMBER, SCALING(beta_slow), 0},
    {"attention_factor", NUMBER, SCALING(attention_factor), 0},
    {"mscale", NUMBER, SCALING(mscale), 0},
    {"mscale_all_dim", NUMBER, SCALING(mscale_all_dim), 0},
    {"truncate", TRISTATE, SCALING(truncate), 0},
    {"low_freq_factor", NUMBER, SCALING(low_freq_factor), 0},
    {"high_freq_factor", NUMBER, SCALING(high_freq_factor), 0},
    {"short_factor", LIST, SCALING(short_factor), SCALING(short_factor_count)},
    {"long_factor", LIST, SCALING(long_factor), SCALING(long_factor_count)},
    {"pair_factors", LIST, SCALING(pair_factors), SCALING(pair_factor_count)},
    {"targets", TEXT, PLAN(targets), 0},
    {"layers", TEXT, PLAN(layers), 0},
    {"compound", FLAG, PLAN(compound), 0},
    {"replace", FLAG, PLAN(replace), 0},
    {"force", FLAG, PLAN(force), 0},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void write_list(rw_json_writer *w, const char *key, const double *list, size_t count) {
    if (count == 0)
        return;
    rw_json_key(w, key);
    rw_json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        rw_json_double(w, list[i]);
    rw_json_end_array(w);
}

/* Only what was given is written. */
static void write_field(rw_json_writer *w, const field *f, const char *base) {
    const void *at = base + f->offset;
    switch (f->kind) {
    case TEXT:
        if (*(const char *const *)at)
            rw_json_member_string(w, f->key, *(const char *const *)at);
        break;
    case NUMBER:
        if (*(const double *)at != 0.0)
            rw_json_member_double(w, f->key, *(const double *)at);
        break;
    case COUNT:
        if (*(const uint64_t *)at)
            rw_json_member_u64(w, f->key, *(const uint64_t *)at);
        break;
    case FLAG:
        if (*(const bool *)at)
            rw_json_member_bool(w, f->key, true);
        break;
    case TRISTATE:
        if (*(const int *)at)
            rw_json_member_bool(w, f->key, *(const int *)at > 0);
        break;
    case LIST:
        write_list(w, f->key, *(const double *const *)at,
                   *(const size_t *)(const void *)(base + f->count_offset));
        break;
    }
}

void rw_request_write(rw_json_writer *w, const rw_plan_options *options) {
    rw_json_begin_object(w);
    for (size_t i = 0; i < FIELDS; i++)
        write_field(w, &fields[i], (const char *)options);
    rw_json_end_object(w);
}

/* ---- reading --------------------------------------------------------------------------------- */

static rw_status read_list(rw_arena *arena, const rw_json *node, char *base, const field *f,
                           rw_error *err) {
    double *list = rw_arena_alloc(arena, (node->count + 1) * sizeof *list);
    if (!list)
        return rw_fail_memory(err, f->key, node->count * sizeof *list);
    size_t count = 0;
    for (const rw_json *item = node->first; item; item = item->next)
        list[count++] = rw_json_number_or(item, 0.0);
    memcpy(base + f->offset, &list, sizeof list);
    memcpy(base + f->count_offset, &count, sizeof count);
    return RW_OK;
}

static rw_status read_text(rw_arena *arena, rw_str text, char *at, rw_error *err) {
    char *copy = rw_arena_text(arena, text.data, text.size);
    if (!copy)
        return rw_fail_memory(err, "request", text.size);
    memcpy(at, &copy, sizeof copy);
    return RW_OK;
}

static rw_status read_field(rw_arena *arena, const rw_json *node, char *base, const field *f,
                            rw_error *err) {
    void *at = base + f->offset;
    switch (f->kind) {
    case TEXT:
        return node->type == RW_JSON_STRING ? read_text(arena, node->string, at, err) : RW_OK;
    case NUMBER:
        *(double *)at = rw_json_number_or(node, 0.0);
        return RW_OK;
    case COUNT:
        *(uint64_t *)at = rw_json_u64_or(node, 0);
        return RW_OK;
    case FLAG:
        *(bool *)at = rw_json_bool_or(node, false);
        return RW_OK;
    case TRISTATE:
        *(int *)at = node->type != RW_JSON_BOOL ? 0 : node->boolean ? 1 : -1;
        return RW_OK;
    case LIST:
        return node->type == RW_JSON_ARRAY ? read_list(arena, node, base, f, err) : RW_OK;
    }
    return RW_OK;
}

rw_status rw_request_read(rw_arena *arena, const rw_json *request, rw_plan_options *out,
                          rw_error *err) {
    *out = (rw_plan_options){.struct_size = sizeof *out};
    out->scaling.struct_size = sizeof out->scaling;
    for (size_t i = 0; i < FIELDS; i++) {
        const rw_json *node = rw_json_get(request, fields[i].key);
        if (node)
            RW_TRY(read_field(arena, node, (char *)out, &fields[i], err));
    }
    return RW_OK;
}
