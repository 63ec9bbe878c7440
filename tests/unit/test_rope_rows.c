/*
 * Tables and rows of every method against 80-digit arithmetic that knows the formulas only
 * (tests/data/rope_rows.json, made by tools/rope_vectors.py), at positions 0 to 1 048 575.
 */
#include <math.h>

#include "rope_vectors.h"

/* src/rope/rows.c: half a float32 unit of the amplitude, and what the angle may be off by. */
static double row_bound(const rw_rope_table *table, uint64_t position) {
    return (0x1p-24 + 8e-16 * (double)position) * table->attention_factor;
}

static void check_frequencies(json_object *node, const rw_rope_table *table, const char *name) {
    json_object *list = vector_member(node, "inv_freq");
    assert_int_equal(json_object_array_length(list), table->pairs);
    for (uint32_t k = 0; k < table->pairs; k++) {
        double want = vector_number(json_object_array_get_idx(list, k));
        if (!(fabs(table->inv_freq[k] - want) <= 2e-14 * want))
            fail_msg("%s: pair %u is %.17g, not %.17g", name, k, table->inv_freq[k], want);
    }
    double amplitude = vector_number(vector_member(node, "attention_factor"));
    assert_true(fabs(table->attention_factor - amplitude) <= 1e-15 * amplitude);
}

static void check_row(json_object *row, json_object *pairs, const rw_rope_table *table,
                      const char *name) {
    static float cosines[3 * RW_ROPE_MAX_PAIRS], sines[3 * RW_ROPE_MAX_PAIRS];
    uint64_t position = (uint64_t)json_object_get_int64(vector_member(row, "position"));
    rw_rope_rows(table, position, 1, cosines, sines);
    for (size_t i = 0; i < json_object_array_length(pairs); i++) {
        uint32_t k = (uint32_t)json_object_get_int(json_object_array_get_idx(pairs, i));
        double c = vector_number(json_object_array_get_idx(vector_member(row, "cos"), i));
        double s = vector_number(json_object_array_get_idx(vector_member(row, "sin"), i));
        double allowed = row_bound(table, position);
        if (!(fabs(cosines[k] - c) <= allowed) || !(fabs(sines[k] - s) <= allowed))
            fail_msg("%s: pair %u at %llu is (%.9g, %.9g), not (%.17g, %.17g)", name, k,
                     (unsigned long long)position, cosines[k], sines[k], c, s);
    }
}

static void agree_with_exact_arithmetic(void **state) {
    (void)state;
    json_object *root = vectors_load("rope_rows.json");
    json_object *cases = vector_member(root, "cases");
    assert_true(json_object_array_length(cases) >= 18);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        json_object *node = json_object_array_get_idx(cases, i);
        json_object *rows = vector_member(node, "rows");
        rw_rope_table table;
        const char *name = vector_table(node, &table);
        check_frequencies(node, &table, name);
        for (size_t r = 0; r < json_object_array_length(rows); r++)
            check_row(json_object_array_get_idx(rows, r), vector_member(node, "pairs"), &table,
                      name);
    }
    json_object_put(root);
}

static void a_run_is_its_positions(void **state) {
    (void)state;
    enum { PAIRS = 32, COUNT = 5 };
    static float cosines[COUNT * PAIRS], sines[COUNT * PAIRS], one_cos[PAIRS], one_sin[PAIRS];
    rw_error err = {0};
    rw_rope_spec spec;
    rw_rope_table table;
    rw_rope_spec_init(&spec);
    spec.head_dim = spec.rotary_dim = 2 * PAIRS;
    assert_ok(rw_rope_table_build(&spec, 0, &table, &err));
    rw_rope_rows(&table, 1048573, COUNT, cosines, sines);
    for (size_t i = 0; i < COUNT; i++) {
        rw_rope_rows(&table, 1048573 + i, 1, one_cos, one_sin);
        assert_memory_equal(one_cos, cosines + i * PAIRS, sizeof one_cos);
        assert_memory_equal(one_sin, sines + i * PAIRS, sizeof one_sin);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_exact_arithmetic),
        cmocka_unit_test(a_run_is_its_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
