/*
 * Specs: defaults, what is refused and where, rounding, equality, names; and that no spec which
 * passes the check gives a table with anything but numbers in it.
 */
#include <math.h>

#include "ropewalk/rope.h"
#include "support.h"

static const uint32_t PAIRS = 32;

/* A good spec of any method. */
static rw_rope_spec good(rw_rope_method method) {
    rw_rope_spec spec;
    rw_rope_spec_init(&spec);
    spec.method = method;
    spec.head_dim = spec.rotary_dim = 2 * PAIRS;
    spec.factor = 4;
    spec.original_context = 512;
    spec.partial_rotary_factor = 0.25;
    spec.list_count = spec.pair_factor_count = PAIRS;
    for (uint32_t k = 0; k < PAIRS; k++) {
        spec.short_factor[k] = 1;
        spec.long_factor[k] = 1 + k;
        spec.pair_factor[k] = 1 + k / 8.0;
    }
    return spec;
}

static void refused(const rw_rope_spec *spec, const char *code, const char *where) {
    rw_error err = {0};
    rw_rope_table table;
    assert_int_equal(rw_rope_spec_check(spec, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, code);
    assert_string_equal(err.where, where);
    assert_int_equal(rw_rope_table_build(spec, 0, &table, NULL), RW_ERR_INPUT);
}

static void defaults(void **state) {
    (void)state;
    rw_rope_spec spec;
    rw_rope_spec_init(&spec);
    assert_int_equal(spec.struct_size, sizeof spec);
    assert_int_equal(spec.method, RW_ROPE_NONE);
    assert_true(spec.theta == 10000 && spec.factor == 1 && isnan(spec.attention_factor));
    assert_true(spec.beta_fast == 32 && spec.beta_slow == 1 && spec.truncate);
    assert_true(spec.low_freq_factor == 1 && spec.high_freq_factor == 4);
    assert_true(spec.logit_scale == 1 && spec.mscale == 0 && spec.original_context == 0);
    refused(&spec, "rope.dims", "rotary_dim"); /* dims have no default */
}

static void every_good_method_passes(void **state) {
    (void)state;
    rw_error err = {0};
    for (int method = 0; method <= RW_ROPE_PER_PAIR; method++) {
        rw_rope_spec spec = good((rw_rope_method)method);
        assert_ok(rw_rope_spec_check(&spec, &err));
    }
}

static void methods_have_names(void **state) {
    (void)state;
    rw_rope_method method;
    for (int i = 0; i <= RW_ROPE_PER_PAIR; i++) {
        assert_true(rw_rope_method_by_name(rw_rope_method_name((rw_rope_method)i), &method));
        assert_int_equal(method, i);
    }
    assert_false(rw_rope_method_by_name("su", &method));
    assert_false(rw_rope_method_by_name("", &method));
    assert_false(rw_rope_method_by_name(NULL, &method));
    assert_string_equal(rw_rope_method_name((rw_rope_method)99), "unknown");
    assert_string_equal(rw_pairing_name(RW_PAIRING_HALF), "half");
    assert_string_equal(rw_pairing_name(RW_PAIRING_INTERLEAVED), "interleaved");
    rw_rope_spec spec = good((rw_rope_method)99);
    refused(&spec, "rope.method", "method");
    assert_false(rw_rope_depends_on_length(&spec));
}

static void dims_are_checked(void **state) {
    (void)state;
    static const uint32_t bad[] = {0, 1, 3, 63, 1026, 66};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rw_rope_spec spec = good(RW_ROPE_LINEAR);
        spec.pair_factor_count = 0;
        spec.rotary_dim = bad[i];
        refused(&spec, "rope.dims", bad[i] == 66 ? "head_dim" : "rotary_dim");
    }
    rw_rope_spec spec = good(RW_ROPE_NTK);
    spec.pair_factor_count = 0;
    spec.rotary_dim = 2;
    refused(&spec, "rope.dims", "rotary_dim");
    spec.method = RW_ROPE_DYNAMIC;
    refused(&spec, "rope.dims", "rotary_dim");
    spec = good(RW_ROPE_PROPORTIONAL);
    spec.head_dim = 128;
    refused(&spec, "rope.dims", "rotary_dim");
    spec = good(RW_ROPE_NONE);
    spec.pairing = (rw_pairing)7;
    refused(&spec, "rope.pairing", "pairing");
    spec = good(RW_ROPE_NONE);
    spec.mrope_section[0] = 31;
    refused(&spec, "rope.mrope", "mrope_section");
}

/* One number of a good spec replaced by a bad one. */
typedef struct bad_number {
    rw_rope_method method;
    size_t offset;
    double value;
    const char *field;
} bad_number;

#define BAD(method, member, value)                                                                 \
    { RW_ROPE_##method, offsetof(rw_rope_spec, member), value, #member }

static void numbers_are_checked(void **state) {
    (void)state;
    const bad_number cases[] = {
        BAD(NONE, theta, 0),
        BAD(NONE, theta, -1e4),
        BAD(NONE, theta, 1),
        BAD(NONE, theta, NAN),
        BAD(NONE, theta, INFINITY),
        BAD(LINEAR, factor, 0.5),
        BAD(LINEAR, factor, NAN),
        BAD(LINEAR, factor, 1e300),
        BAD(LINEAR, attention_factor, -1),
        BAD(LINEAR, attention_factor, INFINITY),
        BAD(NONE, logit_scale, 0),
        BAD(NONE, logit_scale, NAN),
        BAD(YARN, beta_fast, 0),
        BAD(YARN, beta_slow, 0),
        BAD(YARN, beta_slow, -1),
        BAD(YARN, beta_fast, NAN),
        BAD(YARN, mscale, -1),
        BAD(YARN, mscale_all_dim, NAN),
        BAD(NTK_BY_PARTS, beta_fast, 0.5), /* below beta_slow */
        BAD(LLAMA3, low_freq_factor, 0),
        BAD(LLAMA3, high_freq_factor, 0.5), /* below low_freq_factor */
        BAD(PROPORTIONAL, partial_rotary_factor, 0),
        BAD(PROPORTIONAL, partial_rotary_factor, 1.5),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rw_rope_spec spec = good(cases[i].method);
        memcpy((char *)&spec + cases[i].offset, &cases[i].value, sizeof(double));
        refused(&spec, "rope.range", cases[i].field);
    }
}

static void lists_are_checked(void **state) {
    (void)state;
    rw_rope_spec spec = good(RW_ROPE_LONGROPE);
    spec.list_count = PAIRS - 1;
    refused(&spec, "rope.list", "long_factor");
    spec = good(RW_ROPE_LONGROPE);
    spec.short_factor[3] = 0;
    refused(&spec, "rope.range", "short_factor[3]");
    spec = good(RW_ROPE_LONGROPE);
    spec.long_factor[31] = NAN;
    refused(&spec, "rope.range", "long_factor[31]");
    spec = good(RW_ROPE_PER_PAIR);
    spec.pair_factor_count = 0;
    refused(&spec, "rope.list", "pair_factor");
    spec = good(RW_ROPE_YARN);
    spec.pair_factor_count = PAIRS + 1;
    refused(&spec, "rope.list", "pair_factor");
    spec = good(RW_ROPE_YARN);
    spec.pair_factor[0] = -1;
    refused(&spec, "rope.range", "pair_factor[0]");
}

static void windows_are_checked(void **state) {
    (void)state;
    static const rw_rope_method methods[] = {RW_ROPE_DYNAMIC, RW_ROPE_YARN, RW_ROPE_NTK_BY_PARTS,
                                             RW_ROPE_LLAMA3, RW_ROPE_LONGROPE};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        rw_rope_spec spec = good(methods[i]);
        spec.original_context = 0;
        refused(&spec, "rope.original_context", "original_context");
        spec.original_context = UINT64_MAX;
        refused(&spec, "rope.original_context", "original_context");
    }
    rw_error err = {0};
    rw_rope_table table;
    rw_rope_spec spec = good(RW_ROPE_DYNAMIC);
    assert_int_equal(rw_rope_table_build(&spec, UINT64_MAX, &table, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "rope.length");
}

static void rounding(void **state) {
    (void)state;
    rw_rope_spec spec = good(RW_ROPE_LONGROPE), once;
    spec.theta = 1234567.891;
    spec.factor = 3.3;
    spec.partial_rotary_factor = 0.7;
    spec.long_factor[5] = 1.1;
    spec.pair_factor[6] = 1.3;
    rw_rope_spec_round(&spec);
    assert_true(spec.theta == 1234567.891f && spec.factor == 3.3f);
    assert_true(spec.long_factor[5] == 1.1f && spec.pair_factor[6] == 1.3f);
    assert_true(isnan(spec.attention_factor));
    assert_true(spec.partial_rotary_factor == 0.7); /* a count in disguise */
    once = spec;
    rw_rope_spec_round(&spec);
    assert_true(rw_rope_spec_equal(&spec, &once));
    double *const stored[] = {&spec.theta,           &spec.factor,      &spec.attention_factor,
                              &spec.mscale,          &spec.beta_fast,   &spec.beta_slow,
                              &spec.mscale_all_dim,  &spec.logit_scale, &spec.low_freq_factor,
                              &spec.high_freq_factor};
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        *stored[i] = 1.1;
        assert_false(rw_rope_spec_equal(&spec, &once));
        rw_rope_spec_round(&spec);
        assert_true(*stored[i] == 1.1f);
        once = spec;
    }
    spec.list_count = spec.pair_factor_count = UINT32_MAX; /* unchecked: must not run away */
    rw_rope_spec_round(&spec);
    assert_true(rw_rope_spec_equal(&spec, &spec));
}

static void equality(void **state) {
    (void)state;
    rw_rope_spec a = good(RW_ROPE_YARN), b = good(RW_ROPE_YARN);
    assert_true(rw_rope_spec_equal(&a, &b));
    b.long_factor[PAIRS] = 9; /* beyond the count */
    assert_true(rw_rope_spec_equal(&a, &b));
    b.attention_factor = 1;
    assert_false(rw_rope_spec_equal(&a, &b));
    b = a;
    b.truncate = false;
    assert_false(rw_rope_spec_equal(&a, &b));
    b = a;
    b.pair_factor[PAIRS - 1] += 1;
    assert_false(rw_rope_spec_equal(&a, &b));
    b = a;
    b.mrope_section[3] = 1;
    assert_false(rw_rope_spec_equal(&a, &b));
    b = a;
    b.partial_rotary_factor = 0.5;
    assert_false(rw_rope_spec_equal(&a, &b));
    b = a;
    b.original_context = 513;
    assert_false(rw_rope_spec_equal(&a, &b));
}

static void groups_are_found(void **state) {
    (void)state;
    static rw_rope_set set;
    assert_null(rw_rope_set_find(&set, RW_LAYERS_ALL));
    set.count = 2;
    set.group[0].layers = RW_LAYERS_FULL;
    set.group[1].layers = RW_LAYERS_SLIDING;
    assert_ptr_equal(rw_rope_set_find(&set, RW_LAYERS_SLIDING), &set.group[1]);
    assert_null(rw_rope_set_find(&set, RW_LAYERS_ALL));
    set.group[0].layers = RW_LAYERS_ALL;
    assert_ptr_equal(rw_rope_set_find(&set, RW_LAYERS_FULL), &set.group[0]);
    assert_ptr_equal(rw_rope_set_find(&set, RW_LAYERS_SLIDING), &set.group[1]);
    assert_string_equal(rw_layers_name(RW_LAYERS_FULL), "full_attention");
    assert_string_equal(rw_layers_name((rw_layers)9), "unknown");
}

/* ---- random specs -------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double pick(const double *choices, size_t count) {
    return choices[next_random() % count];
}

static double nasty(void) {
    static const double choices[] = {0,       1,      2,      4,        32,     1e4, 0.5,
                                     -1,      NAN,    1e-300, 1e300,    0x1p60, 5e5, 1.0001,
                                     0x1p-20, 0x1p30, 0x1p20, INFINITY, -0.0,   40,  1e6};
    return pick(choices, sizeof choices / sizeof *choices);
}

static double extreme_but_good(void) {
    static const double choices[] = {0x1p-20, 1, 2, 3.7, 32, 1e4, 0x1p20};
    return pick(choices, sizeof choices / sizeof *choices);
}

static void spoil(rw_rope_spec *spec) {
    double *const numbers[] = {&spec->theta,     &spec->factor,          &spec->attention_factor,
                               &spec->mscale,    &spec->mscale_all_dim,  &spec->beta_fast,
                               &spec->beta_slow, &spec->low_freq_factor, &spec->high_freq_factor};
    static const uint32_t dims[] = {2, 4, 6, 16, 64};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (next_random() % 4 == 0)
            *numbers[i] = next_random() % 2 ? nasty() : extreme_but_good();
    spec->original_context = next_random() >> (next_random() % 64);
    spec->truncate = next_random() % 2;
    spec->rotary_dim = dims[next_random() % 5];
    spec->list_count = spec->rotary_dim / 2;
    spec->pair_factor_count = next_random() % 2 ? spec->rotary_dim / 2 : 0;
    for (uint32_t k = 0; k < spec->rotary_dim / 2; k++)
        spec->pair_factor[k] = spec->long_factor[k] = fabs(nasty());
}

static bool all_numbers(const rw_rope_table *table) {
    bool good_numbers = isfinite(table->attention_factor) && table->attention_factor >= 0 &&
                        isinf(table->ramp_low) == 0 && isinf(table->ramp_high) == 0;
    for (uint32_t k = 0; k < table->pairs; k++)
        good_numbers = good_numbers && isfinite(table->inv_freq[k]) && table->inv_freq[k] >= 0 &&
                       table->ramp[k] >= 0 && table->ramp[k] <= 1;
    return good_numbers;
}

static void random_specs_give_numbers_or_refusals(void **state) {
    (void)state;
    unsigned built = 0, refusals = 0;
    for (int i = 0; i < 6000; i++) {
        rw_rope_spec spec = good((rw_rope_method)(next_random() % (RW_ROPE_PER_PAIR + 1)));
        rw_rope_table table;
        spoil(&spec);
        if (rw_rope_table_build(&spec, next_random() >> (24 + next_random() % 40), &table, NULL)) {
            refusals++;
            continue;
        }
        built++;
        if (!all_numbers(&table))
            fail_msg("%s gives no numbers (round %d)", rw_rope_method_name(spec.method), i);
    }
    assert_true(built > 300 && refusals > 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_good_method_passes),
        cmocka_unit_test(methods_have_names),
        cmocka_unit_test(dims_are_checked),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(lists_are_checked),
        cmocka_unit_test(windows_are_checked),
        cmocka_unit_test(rounding),
        cmocka_unit_test(equality),
        cmocka_unit_test(groups_are_found),
        cmocka_unit_test(random_specs_give_numbers_or_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
