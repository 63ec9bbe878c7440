/*
 * src/rope's logarithm, exponential and power against 80-digit references rounded once
 * (tests/data/rope_math.json, made by tools/rope_vectors.py): the same bits, everywhere.
 */
#include <math.h>

#include "rope/scalar.h"
#include "rope_vectors.h"

typedef double (*point_fn)(json_object *point);

static double arg(json_object *point, size_t i) {
    return vector_number(json_object_array_get_idx(point, i));
}

static int64_t whole(json_object *point, size_t i) {
    return json_object_get_int64(json_object_array_get_idx(point, i));
}

static double ln_of(json_object *p) {
    return rw_ln(arg(p, 0));
}

static double exp_of(json_object *p) {
    return rw_exp(arg(p, 0));
}

static double pow_of(json_object *p) {
    return rw_pow(arg(p, 0), whole(p, 1), (uint32_t)whole(p, 2));
}

static double scaled_pow_of(json_object *p) {
    return rw_scaled_pow(arg(p, 0), arg(p, 1), whole(p, 2), (uint32_t)whole(p, 3));
}

static void check_all(const char *name, size_t at_least, point_fn function) {
    json_object *root = vectors_load("rope_math.json");
    json_object *points = vector_member(root, name);
    size_t count = json_object_array_length(points);
    assert_true(count >= at_least);
    for (size_t i = 0; i < count; i++) {
        json_object *point = json_object_array_get_idx(points, i);
        double want = arg(point, json_object_array_length(point) - 1), got = function(point);
        if (got != want)
            fail_msg("%s, point %zu %s: %a", name, i, json_object_to_json_string(point), got);
    }
    json_object_put(root);
}

static void ln_is_correctly_rounded(void **state) {
    (void)state;
    check_all("ln", 700, ln_of);
}

static void exp_is_correctly_rounded(void **state) {
    (void)state;
    check_all("exp", 600, exp_of);
}

static void powers_are_correctly_rounded(void **state) {
    (void)state;
    check_all("pow", 1200, pow_of);
    check_all("scaled_pow", 400, scaled_pow_of);
}

static void edges(void **state) {
    (void)state;
    assert_true(rw_ln(1) == 0 && !signbit(rw_ln(1)));
    assert_true(rw_ln(0) == -INFINITY && rw_ln(INFINITY) == INFINITY);
    assert_true(isnan(rw_ln(-1)) && isnan(rw_ln(NAN)));
    assert_true(rw_exp(0) == 1 && rw_exp(-0.0) == 1 && isnan(rw_exp(NAN)));
    assert_true(rw_exp(710) == INFINITY && rw_exp(INFINITY) == INFINITY);
    assert_true(rw_exp(-746) == 0 && rw_exp(-INFINITY) == 0);
    assert_true(rw_exp(-745) == 0x1p-1074);
    assert_true(rw_pow(10000, -32, 128) == 0.1 && rw_pow(10000, 64, 128) == 100);
    assert_true(rw_pow(1, -5, 7) == 1 && rw_pow(3, 0, 5) == 1);
    assert_true(rw_scaled_pow(10000, 4, 4, 2) == 160000);
}

/* Odd numbers of 54 bits lie exactly between two doubles: then the even one is right. An odd x*x is
   1 modulo 8, so that its lower neighbour is even; for 3*x*x it is the upper one. */
static void exact_ties_go_to_even(void **state) {
    (void)state;
    for (uint32_t i = 1; i < 4000; i += 2) {
        uint64_t x = (UINT64_C(1) << 27) - i, y = (UINT64_C(1) << 26) + i;
        uint64_t z = 94906266 + i; /* just above 2^26.5, where the logarithm's series is slowest */
        double squared = rw_pow((double)x, 2, 1), tripled = rw_scaled_pow(3, (double)y, 2, 1);
        assert_true((uint64_t)squared == x * x - 1);
        assert_true((uint64_t)tripled == 3 * y * y + 1);
        assert_true((uint64_t)rw_pow((double)z, 2, 1) == z * z - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ln_is_correctly_rounded),      cmocka_unit_test(exp_is_correctly_rounded),
        cmocka_unit_test(powers_are_correctly_rounded), cmocka_unit_test(edges),
        cmocka_unit_test(exact_ties_go_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
