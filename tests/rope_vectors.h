/*
 * rope_vectors.h - reads the committed vectors of the rope room (tests/data/rope_*.json) with
 * json-c. A spec there has the field names of rw_rope_spec; what is left out is the default.
 */
#ifndef RW_TESTS_ROPE_VECTORS_H
#define RW_TESTS_ROPE_VECTORS_H

#include <json-c/json.h>

#include "ropewalk/rope.h"
#include "support.h"

/* A number, or a string that strtod reads ("0x1.8p+1", "nan"). */
static inline double vector_number(json_object *node) {
    if (json_object_is_type(node, json_type_string))
        return strtod(json_object_get_string(node), NULL);
    return json_object_get_double(node);
}

static inline json_object *vector_member(json_object *object, const char *key) {
    json_object *node = NULL;
    if (!json_object_object_get_ex(object, key, &node))
        fail_msg("the vectors have no \"%s\" where one must be", key);
    return node;
}

/* `name` is relative to tests/data. Free with json_object_put. */
static inline json_object *vectors_load(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/data/%s", RW_SOURCE_DIR, name);
    json_object *root = json_object_from_file(path);
    if (!root)
        fail_msg("%s: %s", path, json_util_get_last_err());
    return root;
}

static inline uint32_t vector_list(json_object *list, double out[RW_ROPE_MAX_PAIRS]) {
    size_t count = json_object_array_length(list);
    assert_in_range(count, 0, RW_ROPE_MAX_PAIRS);
    for (size_t i = 0; i < count; i++)
        out[i] = vector_number(json_object_array_get_idx(list, i));
    return (uint32_t)count;
}

/* Single doubles of a spec by name. */
static inline bool vector_set_double(rw_rope_spec *spec, const char *key, json_object *value) {
    const struct {
        const char *key;
        double *place;
    } fields[] = {
        {"theta", &spec->theta},
        {"factor", &spec->factor},
        {"attention_factor", &spec->attention_factor},
        {"mscale", &spec->mscale},
        {"mscale_all_dim", &spec->mscale_all_dim},
        {"logit_scale", &spec->logit_scale},
        {"beta_fast", &spec->beta_fast},
        {"beta_slow", &spec->beta_slow},
        {"low_freq_factor", &spec->low_freq_factor},
        {"high_freq_factor", &spec->high_freq_factor},
        {"partial_rotary_factor", &spec->partial_rotary_factor},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(key, fields[i].key) == 0) {
            *fields[i].place = vector_number(value);
            return true;
        }
    }
    return false;
}

static inline void vector_set(rw_rope_spec *spec, const char *key, json_object *value) {
    if (vector_set_double(spec, key, value))
        return;
    if (strcmp(key, "method") == 0)
        assert_true(rw_rope_method_by_name(json_object_get_string(value), &spec->method));
    else if (strcmp(key, "pairing") == 0)
        spec->pairing = strcmp(json_object_get_string(value), "interleaved") == 0;
    else if (strcmp(key, "head_dim") == 0)
        spec->head_dim = (uint32_t)json_object_get_int(value);
    else if (strcmp(key, "rotary_dim") == 0)
        spec->rotary_dim = (uint32_t)json_object_get_int(value);
    else if (strcmp(key, "original_context") == 0)
        spec->original_context = (uint64_t)json_object_get_int64(value);
    else if (strcmp(key, "truncate") == 0)
        spec->truncate = json_object_get_boolean(value);
    else if (strcmp(key, "short_factor") == 0)
        spec->list_count = vector_list(value, spec->short_factor);
    else if (strcmp(key, "long_factor") == 0)
        spec->list_count = vector_list(value, spec->long_factor);
    else if (strcmp(key, "pair_factor") == 0)
        spec->pair_factor_count = vector_list(value, spec->pair_factor);
    else
        fail_msg("the vectors name a spec field \"%s\" that this test does not know", key);
}

static inline void vector_spec(json_object *node, rw_rope_spec *spec) {
    rw_rope_spec_init(spec);
    json_object_object_foreach(node, key, value) {
        vector_set(spec, key, value);
    }
}

/* Builds the table of {"name", "spec", "length"}; returns the name. */
static inline const char *vector_table(json_object *node, rw_rope_table *table) {
    rw_rope_spec spec;
    rw_error err = {0};
    const char *name = json_object_get_string(vector_member(node, "name"));
    vector_spec(vector_member(node, "spec"), &spec);
    uint64_t length = (uint64_t)json_object_get_int64(vector_member(node, "length"));
    if (rw_rope_table_build(&spec, length, table, &err) != RW_OK)
        fail_msg("%s: [%s] %s", name, err.code, err.message);
    return name;
}

#endif
