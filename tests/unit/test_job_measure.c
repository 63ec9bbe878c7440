/*
 * rw_measure from a path to JSON: the contract's members, the same bytes on two runs, and what bad
 * input ends in.
 */
#include <json-c/json.h>

#include "ropewalk/job.h"
#include "support.h"

#define TINY RW_SOURCE_DIR "/models/tiny"

static const uint64_t lengths[] = {64, 600};
static const double depths[] = {0.5};

static rw_measure_options small_options(void) {
    return (rw_measure_options){.struct_size = sizeof(rw_measure_options),
                                .path = TINY,
                                .data = TINY "/heldout.jsonl",
                                .lengths = lengths,
                                .length_count = 2,
                                .depths = depths,
                                .depth_count = 1,
                                .documents = 2,
                                .trials = 1,
                                .no_timing = true};
}

static char *measured(rw_context *ctx, const rw_measure_options *options) {
    rw_error err = {0};
    char *json = NULL;
    assert_ok(rw_measure(ctx, options, &json, &err));
    assert_non_null(json);
    return json;
}

static json_object *member(json_object *object, const char *key, json_type type) {
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value) || json_object_get_type(value) != type)
        fail_msg("\"%s\" is missing or of another type", key);
    return value;
}

static void test_contract(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_measure_options options = small_options();
    options.no_timing = false;
    char *json = measured(ctx, &options);
    json_object *root = json_tokener_parse(json);
    assert_string_equal(json_object_get_string(member(root, "schema", json_type_string)),
                        "ropewalk.measure/1");
    assert_string_equal(json_object_get_string(member(root, "protocol", json_type_string)),
                        "prefix");
    member(root, "pack", json_type_null);
    member(root, "gate", json_type_null);
    member(root, "timing", json_type_object);
    member(root, "rope", json_type_array);
    assert_true(json_object_array_length(member(root, "diagnostics", json_type_array)) > 0);
    json_object *rows = member(root, "perplexity", json_type_array);
    assert_int_equal(json_object_array_length(rows), 2);
    json_object *row = json_object_array_get_idx(rows, 1);
    assert_int_equal(json_object_get_int(member(row, "length", json_type_int)), 600);
    assert_int_equal(json_object_get_int(member(row, "documents", json_type_int)), 2);
    assert_int_equal(json_object_get_int(member(row, "tokens", json_type_int)), 1200);
    member(row, "nll", json_type_double);
    member(row, "ppl", json_type_double);
    member(row, "ci95", json_type_null); /* two documents give no interval */
    json_object *bucket = json_object_array_get_idx(member(row, "by_position", json_type_array), 0);
    assert_int_equal(json_object_get_int(member(bucket, "from", json_type_int)), 0);
    assert_int_equal(json_object_get_int(member(bucket, "to", json_type_int)), 256);
    member(bucket, "nll", json_type_double);
    json_object *cells = member(root, "retrieval", json_type_array);
    assert_int_equal(json_object_array_length(cells), 2);
    json_object *cell = json_object_array_get_idx(cells, 0);
    assert_string_equal(json_object_get_string(member(cell, "task", json_type_string)), "passkey");
    assert_int_equal(json_object_get_int(member(cell, "trials", json_type_int)), 1);
    assert_int_equal(json_object_get_int(member(cell, "correct", json_type_int)), 1);
    assert_string_equal(json_object_get_string(member(cell, "wording", json_type_string)),
                        "classic");
    json_object_put(root);
    rw_text_free(ctx, json);
    rw_context_free(ctx);
}

static void test_same_bytes(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_measure_options options = small_options();
    char *first = measured(ctx, &options), *second = measured(ctx, &options);
    assert_string_equal(first, second);
    options.seed = 1;
    char *other = measured(ctx, &options);
    assert_string_not_equal(first, other);
    rw_text_free(ctx, first);
    rw_text_free(ctx, second);
    rw_text_free(ctx, other);
    rw_context_free(ctx);
}

typedef struct bad_row {
    const char *path, *data, *method, *code;
    rw_status status;
} bad_row;

static void test_bad_input(void **state) {
    (void)state;
    static const bad_row rows[] = {
        {NULL, TINY "/heldout.jsonl", NULL, "measure.path", RW_ERR_USAGE},
        {TINY, NULL, NULL, "measure.data", RW_ERR_USAGE},
        {TINY, "/nowhere.jsonl", NULL, "file.missing", RW_ERR_INPUT},
        {TINY, TINY "/model.safetensors", NULL, NULL, RW_ERR_INPUT},
        {"/nowhere", TINY "/heldout.jsonl", NULL, NULL, RW_ERR_INPUT},
        {TINY, TINY "/heldout.jsonl", "yarm", NULL, RW_ERR_USAGE},
    };
    rw_context *ctx = test_context();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rw_measure_options options = small_options();
        rw_error err = {0};
        char *json = NULL;
        options.path = rows[i].path;
        options.data = rows[i].data;
        options.scaling.method = rows[i].method;
        rw_status status = rw_measure(ctx, &options, &json, &err);
        assert_null(json);
        if (status != rows[i].status || (rows[i].code && strcmp(err.code, rows[i].code) != 0))
            fail_msg("row %zu: %s [%s] %s", i, rw_status_name(status), err.code, err.message);
        assert_true(err.message[0] != '\0');
    }
    rw_context_free(ctx);
}

/* A factor makes the target window: lengths up to it are measured without being named. */
static void test_context_from_factor(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_measure_options options = small_options();
    options.lengths = NULL;
    options.tasks = "perplexity";
    options.documents = 1;
    options.scaling.method = "yarn";
    options.scaling.factor = 2;
    char *json = measured(ctx, &options);
    json_object *root = json_tokener_parse(json);
    assert_int_equal(json_object_get_int(member(root, "context", json_type_int)), 1024);
    assert_int_equal(json_object_array_length(member(root, "perplexity", json_type_array)), 3);
    json_object_put(root);
    rw_text_free(ctx, json);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_context_from_factor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
