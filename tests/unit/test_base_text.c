/* Buffers, arenas, UTF-8, numbers. */
#include "base_support.h"

#include <float.h>
#include <locale.h>
#include <math.h>

static void test_buf(void **state) {
    rw_error err = {0};
    (void)state;
    rw_context *ctx = test_context();
    rw_buf buf = {.ctx = ctx};
    rw_buf_append(&buf, NULL, 0);
    assert_string_equal(buf.data, "");
    rw_buf_text(&buf, "abc");
    rw_buf_char(&buf, '-');
    rw_buf_format(&buf, "%05d|%s", 42, "x");
    assert_string_equal(buf.data, "abc-00042|x");
    assert_int_equal(buf.size, 11);
    for (int i = 0; i < 10000; i++)
        rw_buf_format(&buf, "%d,", i);
    assert_ok(rw_buf_status(&buf, &err));
    assert_int_equal(buf.size, 11 + 10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5);
    assert_string_equal(buf.data + buf.size - 5, "9999,");
    rw_buf_free(&buf);
    assert_null(buf.data);
    rw_buf_text(&buf, "again");
    assert_string_equal(buf.data, "again");
    rw_buf_free(&buf);
    rw_context_free(ctx);
}

static void test_buf_fails(void **state) {
    meter m = {.left = -1};
    rw_error err;
    (void)state;
    rw_context *ctx = meter_context(&m);
    rw_buf buf = {.ctx = ctx};
    rw_buf_text(&buf, "kept");
    m.left = 0;
    for (int i = 0; i < 1000; i++)
        rw_buf_text(&buf, "more than there is room for");
    m.left = -1;
    size_t size = buf.size;
    rw_buf_text(&buf, "x"); /* nothing after a failure, or there would be a hole */
    assert_int_equal(buf.size, size);
    assert_int_equal(rw_buf_status(&buf, &err), RW_ERR_MEMORY);
    rw_buf_free(&buf);
    rw_context_free(ctx);
    assert_int_equal(m.alive, 0);
}

static void test_str(void **state) {
    (void)state;
    assert_true(rw_str_is((rw_str){"abcd", 3}, "abc"));
    assert_false(rw_str_is((rw_str){"abcd", 4}, "abc"));
    assert_true(rw_str_is(rw_str_of(NULL), ""));
    assert_true(rw_str_equal((rw_str){NULL, 0}, rw_str_of("")));
}

static void test_arena(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *ctx = meter_context(&m);
    rw_arena arena = {.ctx = ctx};
    char *first = rw_arena_text(&arena, "first\0!", 7);
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 1024, 1025, 5000, 3 << 20};
    for (int round = 0; round < 200; round++) {
        size_t size = sizes[round % 10];
        unsigned char *p = rw_arena_alloc(&arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i += 13)
            assert_int_equal(p[i], 0);
        memset(p, 0xEE, size);
    }
    assert_memory_equal(first, "first\0!", 8);
    assert_string_equal(rw_arena_format(&arena, "%s.%d", "blk", 7), "blk.7");
    assert_null(rw_arena_alloc(&arena, SIZE_MAX));
    assert_null(rw_arena_alloc(&arena, SIZE_MAX - 40));
    m.left = 0;
    assert_null(rw_arena_alloc(&arena, 3 << 20));
    m.left = -1;
    rw_arena_free(&arena);
    assert_string_equal(rw_arena_text(&arena, "again", 5), "again");
    rw_arena_free(&arena);
    rw_context_free(ctx);
    assert_int_equal(m.alive, 0);
}

/* ---- UTF-8 -------------------------------------------------------------------------------- */

static void test_utf8_every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char text[4];
        uint32_t read = 0;
        size_t size = rw_utf8_encode(c, text);
        bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        if (rw_utf8_decode(text, size, &read) != (surrogate ? 0 : size) ||
            (!surrogate && read != c) || (size > 1 && rw_utf8_decode(text, size - 1, NULL) != 0))
            fail_msg("U+%04X", c);
    }
}

static void test_utf8_invalid(void **state) {
    static const char *const bad[] = {
        "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF",         "\xE2\x82",         "\xE2\x28\xA1"};
    size_t at;
    (void)state;
    assert_int_equal(rw_utf8_decode("", 0, NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "ok\xC3\xA9%s", bad[i]);
        assert_false(rw_utf8_valid(rw_str_of(text), &at));
        assert_int_equal(at, 4);
    }
    assert_true(rw_utf8_valid(rw_str_of("a\xF0\x9F\x98\x80z"), NULL));
}

/* ---- numbers ------------------------------------------------------------------------------ */

static void check_format(double value, bool always_float, const char *expected) {
    char text[32];
    size_t size = rw_format_double(text, value, always_float);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

/* Python's repr of the same doubles. */
static void test_format_double(void **state) {
    (void)state;
    check_format(0.0, true, "0.0");
    check_format(-0.0, true, "-0.0");
    check_format(0.0, false, "0");
    check_format(10000, true, "10000.0");
    check_format(10000, false, "10000");
    check_format(0.1, true, "0.1");
    check_format(1.0 / 3.0, true, "0.3333333333333333");
    check_format(0.1 + 0.2, true, "0.30000000000000004");
    check_format(-1.1386294361119893, true, "-1.1386294361119893");
    check_format(1e-4, true, "0.0001");
    check_format(1e-5, true, "1e-05");
    check_format(1.5e-7, true, "1.5e-07");
    check_format(123456789012345.0, true, "123456789012345.0");
    check_format(9007199254740993.0, true, "9007199254740992.0");
    check_format(1e15, true, "1000000000000000.0");
    check_format(1e16, true, "1e+16");
    check_format(1e16, false, "1e+16");
    check_format(1e22, true, "1e+22");
    check_format(DBL_MAX, true, "1.7976931348623157e+308");
    check_format(DBL_MIN, true, "2.2250738585072014e-308");
    check_format(5e-324, true, "5e-324");
    check_format(1.5e-323, true, "1.5e-323");
    /* the nearest 16 digits of these powers of two read back as their lower neighbour */
    check_format(0x1p-44, true, "5.684341886080802e-14");
    check_format(0x1p-1022 * 4, true, "8.900295434028806e-308");
}

static void test_parse_double(void **state) {
    static const char *const bad[] = {"",    "-",     "+",     ".",   "e5",   "1e",
                                      "1e+", "1 ",    " 1",    "1,5", "0x1",  "inf",
                                      "nan", "1.2.3", "1e5.0", "--1", "1e999"};
    double value = 7;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (rw_parse_double(rw_str_of(bad[i]), &value))
            fail_msg("'%s' is no number", bad[i]);
    assert_true(value == 7);
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1e4", 1e4},
                {"-0", -0.0},
                {"+.5", 0.5},
                {"5.", 5},
                {"1000000000000000019884624838656", 1000000000000000019884624838656.0},
                {"9007199254740993", 9007199254740992.0},
                {"9007199254740993.00000000000000000000001", 9007199254740994.0},
                {"2.2250738585072011e-308", 2.2250738585072011e-308},
                {"4.9e-324", 5e-324},
                {"1e-400", 0},
                {"0e999999999999999999999", 0},
                {"0.000000000000000000000000000000000000000001e42", 1},
                {"179769313486231570000e288", 1.7976931348623157e308}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!rw_parse_double(rw_str_of(good[i].text), &value) || value != good[i].value)
            fail_msg("%s read as %.17g", good[i].text, value);
        assert_int_equal(signbit(value) != 0, good[i].text[0] == '-');
    }
    assert_true(rw_parse_double((rw_str){"12345", 3}, &value) && value == 123);
}

/* 1 + 2^-53 lies half-way to the next double; one digit 1000 places behind decides. */
static void test_parse_double_long(void **state) {
    static const char half_way[] = "1.00000000000000011102230246251565404236316680908203125";
    char text[1200];
    double value;
    (void)state;
    memset(text, '0', sizeof text);
    memcpy(text, half_way, sizeof half_way - 1);
    assert_true(rw_parse_double((rw_str){text, sizeof text}, &value));
    assert_true(value == 1.0);
    text[sizeof text - 1] = '1';
    assert_true(rw_parse_double((rw_str){text, sizeof text}, &value));
    assert_true(value == 1.0 + DBL_EPSILON);
}

/* Random bit patterns: the text reads back (by the C library too), and no shorter one does. */
static void check_round_trip(double value) {
    char text[32], shorter[40];
    double read;
    rw_format_double(text, value, true);
    if (!rw_parse_double(rw_str_of(text), &read) || read != value || strtod(text, NULL) != value)
        fail_msg("%a became %s", value, text);
    int digits = 0;
    for (const char *c = text + strspn(text, "-0."); *c && *c != 'e'; c++)
        digits += *c != '.';
    if (!strchr(text, 'e') && digits > 1 && strstr(text, ".0") == text + strlen(text) - 2)
        return;
    if (digits > 1) {
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
        if (strtod(shorter, NULL) == value)
            fail_msg("%s is longer than %s", text, shorter);
    }
}

static void test_numbers_round_trip(void **state) {
    uint64_t bits = 88172645463325252u;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double value;
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            check_round_trip(value);
    }
    for (int exponent = -1074; exponent < 1024; exponent++)
        check_round_trip(ldexp(1.0, exponent));
}

static void test_parse_u64(void **state) {
    uint64_t value = 7;
    (void)state;
    static const char *const bad[] = {
        "", "-1", "+1", "1.0", "1e3", " 1", "18446744073709551616", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rw_parse_u64(rw_str_of(bad[i]), &value));
    assert_int_equal(value, 7);
    assert_true(rw_parse_u64(rw_str_of("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
}

/* With a locale whose decimal point is a comma: one that is installed, or one made here. */
static bool set_comma_locale(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    char command[700];
    for (int i = 0; i < 4; i++)
        if (setlocale(LC_ALL, names[i]))
            return true;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s >/dev/null 2>&1",
             scratch_path("de_DE.UTF-8"));
    return system(command) == 0 && setenv("LOCPATH", scratch, 1) == 0 &&
           setlocale(LC_ALL, "de_DE.UTF-8");
}

static void test_no_locale(void **state) {
    char text[32], printed[32];
    double value = 0;
    (void)state;
    if (!set_comma_locale()) {
        print_message("skipped: no locale with a decimal comma, and none can be made\n");
        skip();
    }
    snprintf(printed, sizeof printed, "%.1f", 1.5);
    rw_context *ctx = test_context();
    rw_buf buf = {.ctx = ctx};
    rw_buf_format(&buf, "%.2f", 1.5);
    rw_format_double(text, 1.2345678901234567, true);
    bool parsed = rw_parse_double(rw_str_of("1.2345678901234567"), &value);
    setlocale(LC_ALL, "C");
    assert_string_equal(printed, "1,5"); /* or this test would show nothing */
    assert_string_equal(buf.data, "1.50");
    assert_string_equal(text, "1.2345678901234567");
    assert_true(parsed && value == 1.2345678901234567);
    rw_buf_free(&buf);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_buf_fails),
        cmocka_unit_test(test_str),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_utf8_every_code_point),
        cmocka_unit_test(test_utf8_invalid),
        cmocka_unit_test(test_format_double),
        cmocka_unit_test(test_parse_double),
        cmocka_unit_test(test_parse_double_long),
        cmocka_unit_test(test_numbers_round_trip),
        cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_no_locale),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
