/*
 * Every method against the inverse frequencies and attention factors that Hugging Face
 * transformers computes (tests/data/rope_golden.json, made by tools/golden_rope.py).
 *
 * transformers works in float32, with a float32 power: 4e-6 relative is what that can cost. Where a
 * blended frequency is much smaller than what it is blended from, the rounding of the ramp counts
 * against the unscaled frequency, which is the largest there is in that place.
 */
#include <math.h>

#include "rope_vectors.h"

static double unscaled(const rw_rope_table *table, const rw_rope_spec *spec, uint32_t k) {
    return pow(spec->theta, -2.0 * k / table->rotary_dim);
}

static void check_case(json_object *node) {
    rw_rope_table table;
    rw_rope_spec spec;
    const char *name = vector_table(node, &table);
    vector_spec(vector_member(node, "spec"), &spec);
    json_object *list = vector_member(node, "inv_freq");
    assert_int_equal(json_object_array_length(list), table.pairs);
    for (uint32_t k = 0; k < table.pairs; k++) {
        double theirs = vector_number(json_object_array_get_idx(list, k));
        bool blended = table.ramp[k] > 0 && table.ramp[k] < 1;
        double allowed = blended ? 4e-7 * unscaled(&table, &spec, k) : 0;
        if (!(fabs(table.inv_freq[k] - theirs) <= fmax(4e-6 * theirs, allowed)))
            fail_msg("%s: pair %u is %.17g, transformers says %.17g", name, k, table.inv_freq[k],
                     theirs);
    }
    double amplitude = vector_number(vector_member(node, "attention_factor"));
    if (!(fabs(table.attention_factor - amplitude) <= 1e-15 * fmax(1, amplitude)))
        fail_msg("%s: attention factor %.17g, transformers says %.17g", name,
                 table.attention_factor, amplitude);
}

static void agrees_with_transformers(void **state) {
    (void)state;
    json_object *root = vectors_load("rope_golden.json");
    json_object *cases = vector_member(root, "cases");
    size_t count = json_object_array_length(cases);
    assert_true(count >= 60);
    for (size_t i = 0; i < count; i++)
        check_case(json_object_array_get_idx(cases, i));
    json_object_put(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
