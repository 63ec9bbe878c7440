/*
 * What the methods have in common: monotone frequencies, factor 1 as no change, length regimes,
 * stacking of pair factors; and the comparison of tables.
 */
#include <math.h>

#include "ropewalk/rope.h"
#include "support.h"

enum { DIM = 64, PAIRS = DIM / 2 };

static rw_rope_spec spec_of(rw_rope_method method, double factor) {
    rw_rope_spec spec;
    rw_rope_spec_init(&spec);
    spec.method = method;
    spec.head_dim = spec.rotary_dim = DIM;
    spec.factor = factor;
    spec.original_context = 512;
    spec.partial_rotary_factor = 1;
    spec.list_count = PAIRS;
    for (int k = 0; k < PAIRS; k++)
        spec.short_factor[k] = spec.long_factor[k] = 1;
    if (method == RW_ROPE_PER_PAIR) {
        spec.pair_factor_count = PAIRS;
        for (int k = 0; k < PAIRS; k++)
            spec.pair_factor[k] = 1;
    }
    return spec;
}

static rw_rope_table build(const rw_rope_spec *spec, uint64_t length) {
    rw_error err = {0};
    rw_rope_table table;
    assert_ok(rw_rope_table_build(spec, length, &table, &err));
    assert_int_equal(table.struct_size, sizeof table);
    assert_int_equal(table.pairs, PAIRS);
    assert_true(table.length == length);
    return table;
}

static rw_rope_table plain(void) {
    rw_rope_spec spec = spec_of(RW_ROPE_NONE, 1);
    return build(&spec, 0);
}

static void frequencies_fall(void **state) {
    (void)state;
    rw_rope_table unscaled = plain();
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = spec_of((rw_rope_method)method, 4);
        rw_rope_table table = build(&spec, 2048);
        for (int k = 0; k < PAIRS; k++) {
            assert_true(k == 0 || table.inv_freq[k] < table.inv_freq[k - 1]);
            assert_true(table.inv_freq[k] <= unscaled.inv_freq[k]);
            /* dynamic's factor is not the ratio of lengths: it goes further */
            if (method != RW_ROPE_DYNAMIC)
                assert_true(table.inv_freq[k] >= unscaled.inv_freq[k] / 4 * (1 - 1e-14));
            assert_true(k == 0 || table.ramp[k] >= table.ramp[k - 1]);
        }
    }
}

static void factor_one_changes_nothing(void **state) {
    (void)state;
    rw_rope_table unscaled = plain();
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = spec_of((rw_rope_method)method, 1);
        rw_rope_table table = build(&spec, 512);
        rw_rope_difference difference;
        rw_rope_compare(&unscaled, &table, 1 << 20, &difference);
        assert_true(difference.max_relative <= 3e-16 && difference.equivalent);
        assert_true(table.attention_factor == 1);
    }
    rw_rope_spec dynamic = spec_of(RW_ROPE_DYNAMIC, 1); /* but beyond its window even 1 does */
    rw_rope_table longer = build(&dynamic, 1024);
    assert_true(longer.inv_freq[PAIRS - 1] < unscaled.inv_freq[PAIRS - 1] / 1.9);
}

static bool same_numbers(const rw_rope_table *a, const rw_rope_table *b) {
    return memcmp(a->inv_freq, b->inv_freq, sizeof a->inv_freq) == 0 &&
           memcmp(&a->attention_factor, &b->attention_factor, sizeof(double)) == 0;
}

static void base_and_ntk_are_plain_bases(void **state) {
    (void)state;
    rw_rope_spec none = spec_of(RW_ROPE_NONE, 1), base = spec_of(RW_ROPE_BASE, 1);
    none.theta = base.theta = 5e6;
    rw_rope_table a = build(&none, 0), b = build(&base, 0);
    assert_true(same_numbers(&a, &b));
    rw_rope_spec ntk = spec_of(RW_ROPE_NTK, 4);
    none.theta = 41829.36592889949; /* 1e4 * 4^(64/62), rounded once */
    a = build(&none, 0);
    b = build(&ntk, 0);
    assert_true(same_numbers(&a, &b));
}

static void length_matters_to_two(void **state) {
    (void)state;
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = spec_of((rw_rope_method)method, 4);
        spec.long_factor[3] = 2;
        rw_rope_table nothing = build(&spec, 0), at = build(&spec, 512), over = build(&spec, 513);
        bool depends = method == RW_ROPE_DYNAMIC || method == RW_ROPE_LONGROPE;
        assert_true(rw_rope_depends_on_length(&spec) == depends);
        assert_true(same_numbers(&nothing, &at)); /* strictly more than the window counts */
        assert_true(same_numbers(&at, &over) != depends);
        assert_int_equal(at.regime, 0);
        assert_int_equal(over.regime, depends);
    }
}

static void pair_factors_divide_before(void **state) {
    (void)state;
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = spec_of((rw_rope_method)method, 4);
        rw_rope_table without = build(&spec, 2048);
        spec.pair_factor_count = PAIRS;
        for (int k = 0; k < PAIRS; k++)
            spec.pair_factor[k] = k % 2 ? 2 : 1;
        rw_rope_table with = build(&spec, 2048);
        if (method == RW_ROPE_LLAMA3) /* its ramp looks at the wavelengths as they are */
            continue;
        assert_memory_equal(with.ramp, without.ramp, sizeof with.ramp);
        for (int k = 0; k < PAIRS; k++)
            assert_true(with.inv_freq[k] == without.inv_freq[k] / (k % 2 ? 2 : 1));
    }
}

/* Llama-4 has low_freq_factor = high_freq_factor; a wavelength exactly there must not divide by 0.
 */
static void llama3_factors_may_meet(void **state) {
    (void)state;
    const double wavelength = 6.283185307179586; /* of pair 0 */
    unsigned met = 0;
    for (uint64_t window = 7; window < 64; window++) {
        rw_rope_spec spec = spec_of(RW_ROPE_LLAMA3, 16);
        spec.original_context = window;
        spec.low_freq_factor = spec.high_freq_factor = (double)window / wavelength;
        met += (double)window / spec.low_freq_factor == wavelength;
        rw_rope_table table = build(&spec, 0);
        for (int k = 0; k < PAIRS; k++)
            assert_true(table.ramp[k] == 0 || table.ramp[k] == 1);
    }
    assert_true(met > 0);
}

static void attention_factor_overrides(void **state) {
    (void)state;
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = spec_of((rw_rope_method)method, 4);
        spec.attention_factor = 1.25;
        assert_true(build(&spec, 0).attention_factor == 1.25);
        spec.attention_factor = 0;
        assert_true(build(&spec, 0).attention_factor == 0);
    }
}

/* ---- comparison ---------------------------------------------------------------------------- */

static rw_rope_difference compare(const rw_rope_table *a, const rw_rope_table *b, uint64_t length) {
    rw_rope_difference difference;
    rw_rope_compare(a, b, length, &difference);
    return difference;
}

static void float32_is_equivalent(void **state) {
    (void)state;
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = spec_of((rw_rope_method)method, 3.3);
        spec.theta = 1234567.891;
        spec.truncate = false;
        rw_rope_table exact = build(&spec, 2048);
        rw_rope_spec_round(&spec);
        rw_rope_table rounded = build(&spec, 2048);
        rw_rope_difference difference = compare(&exact, &rounded, 1 << 20);
        assert_true(difference.comparable && difference.equivalent);
        assert_true(difference.max_angle <= 4e-7 * (1 << 20));
    }
}

static void differences_are_measured(void **state) {
    (void)state;
    rw_rope_table a = plain(), b = a;
    b.pairing = RW_PAIRING_INTERLEAVED;
    rw_rope_difference same = compare(&a, &b, 4096);
    assert_true(same.equivalent && same.max_angle == 0 && same.logit == 0);
    b.inv_freq[5] += 1e-6;
    rw_rope_difference one = compare(&a, &b, 4096);
    assert_int_equal(one.worst_pair, 5);
    assert_true(!one.equivalent && fabs(one.max_angle - 1e-6 * 4096) < 1e-9);
    assert_true(fabs(one.max_relative - 1e-6 / a.inv_freq[5]) < 1e-12);
    b = a;
    b.attention_factor = 1.1;
    rw_rope_difference louder = compare(&a, &b, 4096);
    assert_true(!louder.equivalent && fabs(louder.amplitude - 0.1) < 1e-12);
    assert_true(fabs(louder.logit - 0.21) < 1e-12);
    b = a;
    b.logit_scale = 1.5;
    assert_false(compare(&a, &b, 4096).equivalent);
}

/* Just inside and just outside of each bound. */
static void bounds_are_where_they_are_said(void **state) {
    (void)state;
    rw_rope_table a = plain(), b = a;
    b.inv_freq[9] = a.inv_freq[9] * (1 + 3.9e-7);
    assert_true(compare(&a, &b, 4096).equivalent);
    b.inv_freq[9] = a.inv_freq[9] * (1 - 4.1e-7);
    assert_false(compare(&a, &b, 4096).equivalent);
    b = a;
    b.attention_factor = 1 + 3.9e-7;
    assert_true(compare(&a, &b, 4096).equivalent);
    b.attention_factor = 1 - 4.1e-7;
    assert_false(compare(&a, &b, 4096).equivalent);
    b = a;
    b.logit_scale = 1 + 1.1e-6;
    assert_true(compare(&a, &b, 4096).equivalent);
    b.logit_scale = 1 - 1.3e-6;
    assert_false(compare(&a, &b, 4096).equivalent);
}

static void idle_pairs_compare(void **state) {
    (void)state;
    rw_rope_spec spec = spec_of(RW_ROPE_PROPORTIONAL, 1);
    spec.partial_rotary_factor = 0.5;
    rw_rope_table a = build(&spec, 0), b = a;
    assert_true(a.inv_freq[PAIRS / 2] == 0 && a.inv_freq[PAIRS / 2 - 1] > 0);
    assert_true(compare(&a, &b, 1 << 20).equivalent);
    b.inv_freq[PAIRS - 1] = 1e-30; /* no bound allows a pair that stands still to move */
    assert_false(compare(&a, &b, 1 << 20).equivalent);
    assert_false(compare(&b, &a, 1 << 20).equivalent);
}

static void nothing_nan_is_equivalent(void **state) {
    (void)state;
    rw_rope_table a = plain(), b = a;
    b.inv_freq[7] = NAN;
    rw_rope_difference difference = compare(&a, &b, 0);
    assert_true(!difference.equivalent && difference.worst_pair == 7);
    assert_true(isinf(difference.max_relative) && !isnan(difference.max_angle));
    assert_false(compare(&b, &a, 10).equivalent);
    assert_false(compare(&b, &b, 10).equivalent);
    b = a;
    b.attention_factor = NAN;
    assert_false(compare(&a, &b, 10).equivalent);
    assert_false(compare(&b, &a, 10).equivalent);
    a = b;
    assert_false(compare(&a, &b, 10).equivalent);
}

static void other_shapes_do_not_compare(void **state) {
    (void)state;
    rw_rope_table a = plain(), b = a;
    b.pairs = 16;
    rw_rope_difference difference = compare(&a, &b, 4096);
    assert_true(!difference.comparable && !difference.equivalent);
    assert_true(isinf(difference.max_angle));
    b = a;
    b.head_dim = 128;
    assert_false(compare(&a, &b, 4096).comparable);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequencies_fall),
        cmocka_unit_test(factor_one_changes_nothing),
        cmocka_unit_test(base_and_ntk_are_plain_bases),
        cmocka_unit_test(length_matters_to_two),
        cmocka_unit_test(pair_factors_divide_before),
        cmocka_unit_test(llama3_factors_may_meet),
        cmocka_unit_test(attention_factor_overrides),
        cmocka_unit_test(float32_is_equivalent),
        cmocka_unit_test(differences_are_measured),
        cmocka_unit_test(bounds_are_where_they_are_said),
        cmocka_unit_test(idle_pairs_compare),
        cmocka_unit_test(nothing_nan_is_equivalent),
        cmocka_unit_test(other_shapes_do_not_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
