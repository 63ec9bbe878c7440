/*
 * test_job_request.c - what was asked for survives the way through a receipt: verify plans by it.
 */
#include "support.h"

#include "job/extend.h"

static const double shorts[] = {1.0, 1.25, 0.1}, longs[] = {2.0, 4.0, 8.5}, pairs[] = {1.0 / 3.0};

static const rw_plan_options full = {
    .struct_size = sizeof full,
    .context = 131072,
    .scaling = {.struct_size = sizeof full.scaling,
                .method = "yarn",
                .factor = 3.75,
                .original_context = 4096,
                .rope_theta = 1e6 / 7.0,
                .beta_fast = 24.0,
                .beta_slow = 1.5,
                .attention_factor = 1.1386294361119891,
                .mscale = 0.707,
                .mscale_all_dim = 0.5,
                .truncate = -1,
                .low_freq_factor = 1.0,
                .high_freq_factor = 4.0,
                .short_factor = shorts,
                .short_factor_count = 3,
                .long_factor = longs,
                .long_factor_count = 3,
                .pair_factors = pairs,
                .pair_factor_count = 1},
    .targets = "vllm,transformers5",
    .layers = "all",
    .compound = true,
    .replace = true,
    .force = true,
};

static void write_request(rw_context *ctx, const rw_plan_options *options, rw_buf *out) {
    rw_error err = {0};
    out->ctx = ctx;
    rw_json_writer w = {.out = out};
    rw_request_write(&w, options);
    assert_ok(rw_buf_status(out, &err));
}

static void read_request(rw_arena *arena, const rw_buf *text, rw_plan_options *out) {
    rw_error err = {0};
    const rw_json *root = NULL;
    assert_ok(rw_json_parse(arena, (rw_str){text->data, text->size}, "request", &root, &err));
    assert_ok(rw_request_read(arena, root, out, &err));
}

static void assert_round_trip(const rw_plan_options *options) {
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_buf first = {.ctx = ctx}, second = {.ctx = ctx};
    rw_plan_options read;
    write_request(ctx, options, &first);
    read_request(&arena, &first, &read);
    write_request(ctx, &read, &second);
    assert_string_equal(first.data, second.data);
    rw_buf_free(&first);
    rw_buf_free(&second);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

static void test_everything_survives(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_buf text = {.ctx = ctx};
    rw_plan_options read;
    write_request(ctx, &full, &text);
    read_request(&arena, &text, &read);
    static const char *const names[] = {"context",      "method",           "original_context",
                                        "rope_theta",   "attention_factor", "truncate",
                                        "pair_factors", "targets",          "force"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr(text.data, names[i]));
    assert_non_null(strstr(text.data, "\"force\":true"));
    assert_int_equal(read.context, 131072);
    assert_string_equal(read.scaling.method, "yarn");
    assert_string_equal(read.targets, "vllm,transformers5");
    assert_int_equal(read.scaling.truncate, -1);
    assert_true(read.compound && read.replace && read.force);
    assert_int_equal(read.scaling.original_context, 4096);
    const double wanted[] = {3.75, 1e6 / 7.0, 24.0, 1.5, 1.1386294361119891, 0.707, 0.5, 1.0, 4.0};
    const double got[] = {
        read.scaling.factor,         read.scaling.rope_theta,       read.scaling.beta_fast,
        read.scaling.beta_slow,      read.scaling.attention_factor, read.scaling.mscale,
        read.scaling.mscale_all_dim, read.scaling.low_freq_factor,  read.scaling.high_freq_factor};
    assert_memory_equal(wanted, got, sizeof wanted);
    assert_int_equal(read.scaling.short_factor_count, 3);
    assert_memory_equal(read.scaling.short_factor, shorts, sizeof shorts);
    assert_int_equal(read.scaling.long_factor_count, 3);
    assert_memory_equal(read.scaling.long_factor, longs, sizeof longs);
    assert_int_equal(read.scaling.pair_factor_count, 1);
    assert_memory_equal(read.scaling.pair_factors, pairs, sizeof pairs);
    rw_buf_free(&text);
    rw_arena_free(&arena);
    rw_context_free(ctx);
    assert_round_trip(&full);
}

static void test_nothing_given(void **state) {
    (void)state;
    const rw_plan_options none = {.struct_size = sizeof none};
    rw_context *ctx = test_context();
    rw_buf text = {.ctx = ctx};
    write_request(ctx, &none, &text);
    assert_string_equal(text.data, "{}");
    rw_buf_free(&text);
    rw_context_free(ctx);
    assert_round_trip(&none);
}

/* A receipt may be forged: members of wrong types are as good as absent. */
static void test_wrong_types(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_buf text = {.ctx = ctx};
    rw_plan_options read;
    rw_buf_text(&text, "{\"context\":-1,\"method\":7,\"factor\":\"x\",\"truncate\":null,"
                       "\"short_factor\":{},\"long_factor\":[\"a\",[]],\"compound\":\"yes\"}");
    read_request(&arena, &text, &read);
    assert_int_equal(read.context, 0);
    assert_null(read.scaling.method);
    assert_null(read.scaling.short_factor);
    assert_int_equal(read.scaling.long_factor_count, 2);
    assert_false(read.compound);
    assert_int_equal(read.scaling.truncate, 0);
    rw_buf_free(&text);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_survives),
        cmocka_unit_test(test_nothing_given),
        cmocka_unit_test(test_wrong_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
