/*
 * test_receipt_canonical.c - RFC 8785: the RFC's own samples, and what it forbids.
 */
#include "support.h"

#include "receipt/receipt.h"

typedef struct fixture {
    rw_context *ctx;
    rw_arena arena;
    rw_buf out;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = test_context();
    f->arena.ctx = f->ctx;
    f->out.ctx = f->ctx;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    rw_buf_free(&f->out);
    rw_arena_free(&f->arena);
    rw_context_free(f->ctx);
    free(f);
    return 0;
}

static rw_status canonical(fixture *f, rw_str text, rw_error *err) {
    const rw_json *root = NULL;
    f->out.size = 0;
    rw_status status = rw_json_parse(&f->arena, text, "test", &root, err);
    return status == RW_OK ? rw_canonical_json(f->ctx, root, &f->out, err) : status;
}

static void expect(fixture *f, const char *text, const char *wanted) {
    rw_error err = {0};
    assert_ok(canonical(f, rw_str_of(text), &err));
    assert_string_equal(f->out.data, wanted);
}

/* RFC 8785 §3.2.2 */
static void test_sample_values(void **state) {
    expect(*state,
           "{\n  \"numbers\": [333333333.33333329, 1E30, 4.50,\n"
           "              2e-3, 0.000000000000000000000000001],\n"
           "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
           "  \"literals\": [null, true, false]\n}",
           "{\"literals\":[null,true,false],"
           "\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
           "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

/* RFC 8785 §3.2.3: the emoji's surrogates sort below U+FB33, its code point above. */
static void test_sample_order(void **state) {
    expect(*state,
           "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
           "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
           "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
           "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
           "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
           "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
           "\"\xe2\x82\xac\":\"Euro Sign\",\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
           "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

/* RFC 8785 appendix B */
static const struct {
    uint64_t bits;
    const char *text;
} numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"},
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"},
    {0x3d10000000000000, "1.4210854715202004e-14"}, /* 2^-46 */
    {0x3d30000000000000, "5.684341886080802e-14"},  /* 2^-44: the nearest 16 digits are others */
    {0x3ff0000000000000, "1"},
    {0x4059000000000000, "100"},
};

static void test_numbers(void **state) {
    fixture *f = *state;
    rw_error err = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        rw_json node = {.type = RW_JSON_NUMBER};
        memcpy(&node.number, &numbers[i].bits, sizeof node.number);
        f->out.size = 0;
        assert_ok(rw_canonical_json(f->ctx, &node, &f->out, &err));
        assert_string_equal(f->out.data, numbers[i].text);
    }
}

static void test_not_finite(void **state) {
    fixture *f = *state;
    rw_error err = {0};
    rw_json node = {.type = RW_JSON_NUMBER, .number = 1e308 * 10.0};
    assert_int_equal(rw_canonical_json(f->ctx, &node, &f->out, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "receipt.number");
    assert_int_equal(canonical(f, rw_str_of("[1e400]"), &err), RW_ERR_INPUT);
}

static void test_lone_surrogate(void **state) {
    fixture *f = *state;
    rw_error err = {0};
    assert_int_equal(canonical(f, rw_str_of("[\"\\ud83d\"]"), &err), RW_ERR_INPUT);
    assert_int_equal(canonical(f, rw_str_of("{\"\\udead\":1}"), &err), RW_ERR_INPUT);
    rw_json node = {.type = RW_JSON_STRING, .string = rw_str_of("a\xed\xa0\xbd")};
    assert_int_equal(rw_canonical_json(f->ctx, &node, &f->out, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "receipt.utf8");
}

static void test_escapes(void **state) {
    expect(*state, "[\"\\u0000\\b\\t\\n\\f\\r\\u001f\\u007f\\u2028\"]",
           "[\"\\u0000\\b\\t\\n\\f\\r\\u001f\x7f\xe2\x80\xa8\"]");
    expect(*state, "{}", "{}");
    expect(*state, " [ ] ", "[]");
    expect(*state, "{\"aa\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"aa\":1}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sample_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sample_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_finite, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lone_surrogate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_escapes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
