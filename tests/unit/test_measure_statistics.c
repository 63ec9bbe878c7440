/*
 * Random numbers and intervals against figures computed elsewhere: the generators' published
 * vectors, Wilson's interval by bisection of its defining equation, the bootstrap by numpy.
 */
#include <math.h>

#include "measure/statistics.h"
#include "support.h"

static void test_random(void **state) {
    (void)state;
    rw_random random = {{1, 2, 3, 4}};
    static const uint64_t published[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < 4; i++)
        assert_true(rw_random_next(&random) == published[i]);
    rw_random_seed(&random, 7, 3);
    assert_true(rw_random_next(&random) == 2724116607704527824u);
    assert_true(rw_random_next(&random) == 17945531394632785293u);
    assert_true(rw_random_next(&random) == 4188478245206305336u);
}

static void test_random_below(void **state) {
    (void)state;
    rw_random random;
    unsigned seen[10] = {0};
    rw_random_seed(&random, 0, 0);
    for (size_t i = 0; i < 10000; i++) {
        uint64_t x = rw_random_below(&random, 10);
        assert_true(x < 10);
        seen[x]++;
    }
    for (size_t i = 0; i < 10; i++)
        assert_in_range(seen[i], 880, 1120); /* four standard deviations */
    assert_true(rw_random_below(&random, 1) == 0);
    assert_true(rw_random_below(&random, 0) == 0);
    for (size_t i = 0; i < 100; i++)
        assert_true(rw_random_below(&random, UINT64_MAX) < UINT64_MAX);
}

static void test_streams_differ(void **state) {
    (void)state;
    rw_random a, b;
    rw_random_seed(&a, 5, 0);
    rw_random_seed(&b, 5, 1);
    assert_false(rw_random_next(&a) == rw_random_next(&b));
}

typedef struct wilson_row {
    uint64_t correct, trials;
    double low, high;
} wilson_row;

static void test_wilson(void **state) {
    (void)state;
    static const wilson_row rows[] = {
        {10, 10, 0.722467200137, 1},
        {20, 20, 0.838874841947, 1},
        {50, 50, 0.928652400867, 1},
        {45, 50, 0.786397685625, 0.956524235068},
        {90, 100, 0.825634338495, 0.944770862939},
        {46, 50, 0.811617530817, 0.968450485911},
        {88, 100, 0.801879005733, 0.930005935630},
        {172, 200, 0.805101191343, 0.901330173665},
        {37, 40, 0.801357664757, 0.974163974225},
        {1, 3, 0.061491944720, 0.792340399198},
        {0, 8, 0, 0.324407564884},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rw_interval got = rw_wilson(rows[i].correct, rows[i].trials);
        assert_true(got.defined);
        assert_true(fabs(got.low - rows[i].low) < 1e-11);
        assert_true(fabs(got.high - rows[i].high) < 1e-11);
    }
    assert_false(rw_wilson(0, 0).defined);
    assert_false(rw_wilson(3, 2).defined);
}

static const rw_share shares[] = {{3, 2},  {8, 4}, {15, 6}, {2.5, 1}, {40, 16},
                                  {21, 7}, {9, 3}, {12, 5}, {33, 12}, {7, 2}};

static void test_mean_is_token_weighted(void **state) {
    (void)state;
    assert_true(fabs(rw_share_mean(shares, 10) - 150.5 / 58) < 1e-15);
    assert_true(isnan(rw_share_mean(shares, 0)));
}

static void test_bootstrap(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = test_context();
    rw_interval got;
    assert_ok(rw_bootstrap(ctx, shares, 10, 42, &got, &err));
    assert_true(got.defined);
    assert_true(fabs(got.low - 2.365821900406504) < 1e-12);
    assert_true(fabs(got.high - 2.7875240384615383) < 1e-12);
    assert_ok(rw_bootstrap(ctx, shares, 7, 42, &got, &err));
    assert_false(got.defined);
    rw_context_free(ctx);
}

/* Documents that all differ by the same amount leave no doubt about the difference. */
static void test_paired_bootstrap_cancels_difficulty(void **state) {
    (void)state;
    rw_error err = {0};
    rw_context *ctx = test_context();
    rw_share difference[10];
    rw_interval got;
    for (size_t i = 0; i < 10; i++)
        difference[i] = (rw_share){0.25 * shares[i].count, shares[i].count};
    assert_ok(rw_bootstrap(ctx, difference, 10, 1, &got, &err));
    assert_true(fabs(got.low - 0.25) < 1e-12 && fabs(got.high - 0.25) < 1e-12);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_below),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_mean_is_token_weighted),
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_paired_bootstrap_cancels_difficulty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
