/*
 * test_receipt_seal.c - an envelope opens to what went in, and notices every change.
 */
#include "support.h"

#include "receipt/receipt.h"

static const char manifest[] =
    "{\"tool\":{\"version\":\"0.1.0\"},\"plan\":{\"method\":\"yarn\",\"factor\":4.0},"
    "\"files\":[{\"name\":\"config.json\",\"sha256\":\"00ff\"}],\"gate\":null}";

static void test_round_trip(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_buf out = {.ctx = ctx};
    rw_arena arena = {.ctx = ctx};
    rw_sha256 digest;
    const rw_json *body = NULL;
    bool intact = false;
    char hex[65];
    assert_ok(rw_receipt_seal(ctx, rw_str_of(manifest), &out, &digest, &err));
    assert_ok(
        rw_receipt_open(&arena, (rw_str){out.data, out.size}, "receipt", &body, &intact, &err));
    assert_true(intact);
    assert_true(rw_json_number_or(rw_json_path(body, "plan.factor"), 0.0) == 4.0);
    /* printf '%s' CANONICAL | sha256sum */
    rw_sha256_hex(&digest, hex);
    assert_string_equal(hex, "c6aa3e574ea3e00db9f6187c33d097bf72dc0d59e86872eca1a95806342cb81f");
    assert_non_null(strstr(out.data, "\"signature\":null"));
    rw_buf_free(&out);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

/* Every single-byte change either can't be read as a receipt, or isn't intact. */
static void test_every_flip_is_noticed(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_buf out = {.ctx = ctx};
    rw_sha256 digest;
    assert_ok(rw_receipt_seal(ctx, rw_str_of(manifest), &out, &digest, &err));
    size_t harmless = 0;
    for (size_t i = 0; i < out.size; i++) {
        rw_arena arena = {.ctx = ctx};
        const rw_json *body = NULL;
        bool intact = true;
        out.data[i] ^= 1;
        rw_status status =
            rw_receipt_open(&arena, (rw_str){out.data, out.size}, "receipt", &body, &intact, NULL);
        out.data[i] ^= 1;
        if (status == RW_OK && intact)
            harmless++;
        rw_arena_free(&arena);
    }
    assert_int_equal(harmless, 0);
    rw_buf_free(&out);
    rw_context_free(ctx);
}

static void expect_code(rw_context *ctx, const char *text, const char *code) {
    rw_error err = {0};
    rw_arena arena = {.ctx = ctx};
    const rw_json *body = NULL;
    bool intact = true;
    assert_int_equal(rw_receipt_open(&arena, rw_str_of(text), "r.json", &body, &intact, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, code);
    assert_string_equal(err.where, "r.json");
    assert_null(body);
    assert_false(intact);
    rw_arena_free(&arena);
}

static void test_not_a_receipt(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"schema\":\"other/1\"}",
        "{\"schema\":\"ropewalk.receipt/1\"}",
        "{\"schema\":\"ropewalk.receipt/1\",\"manifest\":[],\"sha256\":\"\"}",
        "{\"schema\":\"ropewalk.receipt/1\",\"manifest\":{},\"sha256\":7}",
        "{\"schema\":\"ropewalk.receipt/1\",\"manifest\":{},\"manifest\":{},\"sha256\":\"\"}",
        "{\"schema\":\"ropewalk.receipt/1\",\"manifest\":{},\"sha256\":\"\",\"approved\":true}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_code(ctx, bad[i], "receipt.syntax");
    expect_code(ctx, "{\"schema\":\"ropewalk.receipt/2\",\"manifest\":{},\"sha256\":\"\"}",
                "receipt.schema");
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_flip_is_noticed),
        cmocka_unit_test(test_not_a_receipt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
