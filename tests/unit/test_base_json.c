/* The JSON reader and writer. */
#include "base_support.h"

#include <json-c/json.h>
#include <math.h>

#include "base/json.h"

static rw_context *ctx;

static int make_context(void **state) {
    (void)state;
    ctx = test_context();
    return 0;
}

static int free_context(void **state) {
    (void)state;
    rw_context_free(ctx);
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

static const rw_json *parse(rw_arena *arena, const char *text) {
    const rw_json *root = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(arena, rw_str_of(text), "t.json", &root, &err));
    return root;
}

static void test_values(void **state) {
    rw_arena arena = {.ctx = ctx};
    (void)state;
    const rw_json *root = parse(&arena, " { \"a\" : [1, -2.5e1, true,false , null, \"x\"],\r\n"
                                        "\t\"b\":{\"c\":{\"d\":7}}, \"e\":{}, \"f\":[] } ");
    assert_int_equal(root->type, RW_JSON_OBJECT);
    assert_int_equal(root->count, 4);
    const rw_json *a = rw_json_get(root, "a");
    assert_int_equal(a->count, 6);
    const rw_json *item = a->first;
    assert_true(item->number == 1 && item->is_integer && item->parent == a);
    item = item->next;
    assert_true(item->number == -25 && !item->is_integer);
    item = item->next;
    assert_true(item->type == RW_JSON_BOOL && item->boolean);
    item = item->next;
    assert_true(item->type == RW_JSON_BOOL && !item->boolean);
    item = item->next;
    assert_true(rw_json_is_null(item));
    item = item->next;
    assert_true(rw_str_is(item->string, "x"));
    assert_null(item->next);
    assert_true(rw_json_number_or(rw_json_path(root, "b.c.d"), 0) == 7);
    assert_null(rw_json_path(root, "b.x.d"));
    assert_null(rw_json_path(root, "a.0"));
    assert_int_equal(rw_json_get(root, "e")->count, 0);
    assert_null(rw_json_get(root, "f")->first);
    rw_arena_free(&arena);
}

static void check_range(const char *text, uint64_t begin, uint64_t end, const char *expected) {
    assert_int_equal(end - begin, strlen(expected));
    assert_memory_equal(text + begin, expected, strlen(expected));
}

/* The byte ranges are what edits are made with. */
static void test_ranges(void **state) {
    static const char text[] = "\xEF\xBB\xBF{ \"k\\u00e9y\" :  1.50 , \"o\": [ 1 ] }\n";
    rw_arena arena = {.ctx = ctx};
    (void)state;
    const rw_json *root = parse(&arena, text);
    assert_int_equal(root->begin, 3);
    assert_int_equal(root->end, strlen(text) - 1);
    const rw_json *key = rw_json_get(root, "k\xC3\xA9y");
    check_range(text, key->key_begin, key->key_end, "\"k\\u00e9y\"");
    check_range(text, key->begin, key->end, "1.50");
    const rw_json *list = rw_json_get(root, "o");
    check_range(text, list->begin, list->end, "[ 1 ]");
    rw_arena_free(&arena);
}

static void test_escapes(void **state) {
    static const char expected[] = "\"\\/\b\f\n\r\t\0\xC3\xA9\xF0\x9F\x98\x80 plain\xE2\x82\xAC";
    rw_arena arena = {.ctx = ctx};
    (void)state;
    const rw_json *root = parse(&arena, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\ud83d\\uDE00"
                                        " plain\xE2\x82\xAC\"");
    assert_int_equal(root->string.size, sizeof expected - 1);
    assert_memory_equal(root->string.data, expected, sizeof expected - 1);
    rw_arena_free(&arena);
}

static void test_numbers(void **state) {
    rw_arena arena = {.ctx = ctx};
    (void)state;
    const rw_json *huge = parse(&arena, "1000000000000000019884624838656");
    assert_true(huge->is_integer && huge->number == 1e30);
    assert_int_equal(rw_json_u64_or(huge, 5), 5);
    assert_int_equal(rw_json_u64_or(parse(&arena, "4096"), 5), 4096);
    assert_int_equal(rw_json_u64_or(parse(&arena, "4096.0"), 5), 4096);
    assert_int_equal(rw_json_u64_or(parse(&arena, "4096.5"), 5), 5);
    assert_int_equal(rw_json_u64_or(parse(&arena, "-1"), 5), 5);
    assert_int_equal(rw_json_u64_or(parse(&arena, "9007199254740992"), 5), 9007199254740992u);
    assert_int_equal(rw_json_u64_or(parse(&arena, "9007199254740994"), 5), 5);
    assert_int_equal(rw_json_u64_or(parse(&arena, "\"7\""), 5), 5);
    assert_true(rw_json_number_or(NULL, 2.5) == 2.5);
    assert_true(rw_json_bool_or(parse(&arena, "1"), true));
    assert_true(rw_str_is(rw_json_string_or(NULL, "none"), "none"));
    assert_true(rw_json_is_null(NULL));
    assert_false(rw_json_is_null(parse(&arena, "0")));
    rw_arena_free(&arena);
}

typedef struct refusal {
    const char *text;
    const char *code;
    uint64_t offset;
    const char *message; /* part of it */
} refusal;

static const refusal refusals[] = {
    {"", "json.syntax", 0, "ends where a value"},
    {" \n ", "json.syntax", 3, "line 2, column 2"},
    {"{", "json.syntax", 1, "a key in double quotes"},
    {"[1", "json.syntax", 2, "',' or ']'"},
    {"[1,]", "json.syntax", 3, "behind the comma"},
    {"{\"a\":1,}", "json.syntax", 7, "behind the comma"},
    {"[,1]", "json.syntax", 1, "','"},
    {"[1 2]", "json.syntax", 3, "found '2'"},
    {"{\"a\" 1}", "json.syntax", 5, "':'"},
    {"{a:1}", "json.syntax", 1, "double quotes"},
    {"{'a':1}", "json.syntax", 1, "double quotes"},
    {"{\"a\":}", "json.syntax", 5, "a value"},
    {"[1}", "json.syntax", 2, "',' or ']'"},
    {"{\"a\":1]", "json.syntax", 6, "',' or '}'"},
    {"1 2", "json.syntax", 2, "nothing more"},
    {"]", "json.syntax", 0, "a value"},
    {"tru", "json.syntax", 0, "a value"},
    {"truex", "json.syntax", 4, "nothing more"},
    {"// c\n1", "json.syntax", 0, "a value"},
    {"NaN", "json.syntax", 0, "NaN is not JSON"},
    {"[Infinity]", "json.syntax", 1, "Infinity is not JSON"},
    {"{\"a\": -Infinity}", "json.syntax", 6, "-Infinity is not JSON"},
    {"01", "json.syntax", 1, "nothing more"},
    {"+1", "json.syntax", 0, "a value"},
    {"-", "json.syntax", 1, "a digit"},
    {"1.", "json.syntax", 2, "a digit"},
    {".5", "json.syntax", 0, "a value"},
    {"1e", "json.syntax", 2, "a digit"},
    {"[1e999]", "json.syntax", 1, "larger than a double"},
    {"\"abc", "json.syntax", 4, "closing quote"},
    {"\"a\\", "json.syntax", 3, "behind a backslash"},
    {"\"a\\x\"", "json.syntax", 3, "behind a backslash"},
    {"\"\\u12\"", "json.syntax", 5, "hexadecimal"},
    {"\"\\u12g4\"", "json.syntax", 5, "hexadecimal"},
    {"\"a\nb\"", "json.syntax", 2, "control character 0x0A"},
    {"\"\\ud800\"", "json.syntax", 1, "surrogate"},
    {"\"\\ud800x\"", "json.syntax", 1, "surrogate"},
    {"\"\\udc00\\ud800\"", "json.syntax", 1, "surrogate"},
    {"\"\\ud800\\u0041\"", "json.syntax", 1, "surrogate"},
    {"\"\\ud800\\u\"", "json.syntax", 9, "hexadecimal"},
    {"\"a\xFF\"", "json.utf8", 2, "UTF-8"},
    {"\"\xED\xA0\x80\"", "json.utf8", 1, "UTF-8"},
    {"\"\xE2\x82\"", "json.utf8", 1, "UTF-8"},
    {"\xEF\xBB\xBF\xEF\xBB\xBF 1", "json.syntax", 3, "byte 0xEF"},
    {"{\"a\":1,\n \"\xC3\xA9\":2, \"\\u0061\":3}", "json.duplicate_key", 17, "line 2, column 9"},
    {"{\"\":1,\"\":2}", "json.duplicate_key", 6, "appears twice"},
};

/* The text is copied to a block of its exact size, so that a sanitizer sees one byte too far. */
static void check_refusal(const refusal *r, meter *m) {
    rw_context *strict = meter_context(m);
    rw_arena arena = {.ctx = strict};
    const rw_json *root = (const rw_json *)1;
    rw_error err = {0};
    size_t size = strlen(r->text);
    char *exact = malloc(size + (size == 0));
    memcpy(exact, r->text, size);
    rw_status status = rw_json_parse(&arena, (rw_str){exact, size}, "t.json", &root, &err);
    if (status != RW_ERR_INPUT || root || strcmp(err.code, r->code) || err.offset != r->offset ||
        !strstr(err.message, r->message) || strcmp(err.where, "t.json"))
        fail_msg("%s gave [%s] at %llu: %s", r->text, err.code, (unsigned long long)err.offset,
                 err.message);
    rw_arena_free(&arena);
    free(exact);
    rw_context_free(strict);
}

static void test_refusals(void **state) {
    meter m = {.left = -1};
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        check_refusal(&refusals[i], &m);
    assert_int_equal(m.alive, 0);
}

/* The same words where Python's are asked for: values that are no numbers, and nothing else. */
static void test_python(void **state) {
    static const char text[] = "[NaN, Infinity , -Infinity,1e999, -12e400, 1, {\"a\":NaN}]";
    static const char *const spelled[] = {"NaN", "Infinity", "-Infinity", "1e999", "-12e400"};
    static const char *const refused[] = {"-NaN",        "nan", "+Infinity", "Inf",
                                          "[Infinityx]", "- 1", "--Infinity"};
    rw_arena arena = {.ctx = ctx};
    rw_error err = {0};
    const rw_json *root;
    (void)state;
    assert_ok(rw_json_parse_python(&arena, rw_str_of(text), "t.json", &root, &err));
    const rw_json *node = root->first;
    for (size_t i = 0; i < 5; i++, node = node->next) {
        assert_int_equal(node->type, RW_JSON_NOT_FINITE);
        check_range(text, node->begin, node->end, spelled[i]);
        assert_true(rw_json_number_or(node, 7) == 7 && rw_json_u64_or(node, 7) == 7);
        assert_false(rw_json_is_null(node));
    }
    assert_true(node->type == RW_JSON_NUMBER && node->number == 1);
    assert_int_equal(rw_json_get(node->next, "a")->type, RW_JSON_NOT_FINITE);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(rw_json_parse_python(&arena, rw_str_of(refused[i]), "t.json", &root, &err),
                         RW_ERR_INPUT);
    rw_arena_free(&arena);
}

static void fill_nested(rw_buf *buf, size_t depth, const char *open, const char *close) {
    for (size_t i = 0; i < depth; i++)
        rw_buf_text(buf, open);
    rw_buf_text(buf, "1");
    for (size_t i = 0; i < depth; i++)
        rw_buf_text(buf, close);
}

static void check_depth(size_t depth, const char *open, const char *close, bool good) {
    rw_arena arena = {.ctx = ctx};
    rw_buf buf = {.ctx = ctx};
    const rw_json *root;
    rw_error err = {0};
    fill_nested(&buf, depth, open, close);
    rw_status status = rw_json_parse(&arena, (rw_str){buf.data, buf.size}, "t", &root, &err);
    assert_int_equal(status == RW_OK, good);
    if (!good) {
        assert_string_equal(err.code, "json.depth");
        assert_int_equal(err.offset, RW_JSON_DEPTH_MAX * strlen(open));
    }
    rw_buf_free(&buf);
    rw_arena_free(&arena);
}

static void test_depth(void **state) {
    (void)state;
    check_depth(RW_JSON_DEPTH_MAX, "[", "]", true);
    check_depth(RW_JSON_DEPTH_MAX + 1, "[", "]", false);
    check_depth(10000, "[", "]", false);
    check_depth(RW_JSON_DEPTH_MAX, "{\"a\":", "}", true);
}

/* The size of a large tokenizer.json: were the search for repeated keys quadratic, this would run
   for minutes. Every key is found again, and a repeat is found wherever it stands. */
static void fill_object(rw_buf *buf, int keys, int repeated) {
    rw_json_writer w = {.out = buf, .indent = 1};
    rw_json_begin_object(&w);
    for (int i = 0; i < keys; i++) {
        char key[32];
        snprintf(key, sizeof key, "token %d", i);
        rw_json_member_u64(&w, key, (uint64_t)i);
    }
    if (repeated >= 0) {
        char key[32];
        snprintf(key, sizeof key, "token %d", repeated);
        rw_json_member_null(&w, key);
    }
    rw_json_end_object(&w);
}

static void check_large(int keys, int repeated) {
    rw_arena arena = {.ctx = ctx};
    rw_buf buf = {.ctx = ctx};
    const rw_json *root;
    rw_error err = {0};
    fill_object(&buf, keys, repeated);
    rw_status status = rw_json_parse(&arena, (rw_str){buf.data, buf.size}, "t", &root, &err);
    if (repeated < 0) {
        assert_ok(status);
        assert_int_equal(root->count, keys);
    } else {
        char key[32];
        snprintf(key, sizeof key, "\"token %d\"", repeated);
        assert_int_equal(status, RW_ERR_INPUT);
        assert_string_equal(err.code, "json.duplicate_key");
        assert_memory_equal(buf.data + err.offset, key, strlen(key));
        assert_true(buf.size - err.offset < 40); /* the second one is named */
    }
    rw_buf_free(&buf);
    rw_arena_free(&arena);
}

static void test_large(void **state) {
    static const int sizes[] = {15, 16, 17, 31, 32, 33, 64, 1000};
    (void)state;
    for (int i = 0; i < 8; i++)
        for (int repeated = -1; repeated<sizes[i]; repeated += sizes[i]> 100 ? 83 : 1)
            check_large(sizes[i], repeated);
    check_large(150000, -1);
    check_large(150000, 0);
    check_large(150000, 149999);
}

/* Memory runs out at every point in turn; nothing is lost, nothing crashes. */
static void test_out_of_memory(void **state) {
    meter m = {.left = -1};
    (void)state;
    rw_context *poor = meter_context(&m);
    rw_buf buf = {.ctx = ctx};
    rw_buf_text(&buf, "[\"an\\nescape\", ");
    fill_object(&buf, 200, -1);
    rw_buf_text(&buf, "]");
    rw_status status = RW_ERR_MEMORY;
    for (long granted = 0; status != RW_OK; granted++) {
        rw_arena arena = {.ctx = poor};
        const rw_json *root;
        rw_error err = {0};
        m.left = granted;
        status = rw_json_parse(&arena, (rw_str){buf.data, buf.size}, "t", &root, &err);
        assert_true(status == RW_OK || status == RW_ERR_MEMORY);
        assert_true(granted < 100);
        rw_arena_free(&arena);
    }
    m.left = -1;
    rw_buf_free(&buf);
    rw_context_free(poor);
    assert_int_equal(m.alive, 0);
}

/* ---- writing ------------------------------------------------------------------------------ */

static void write_sample(rw_json_writer *w) {
    rw_json_begin_object(w);
    rw_json_member_string(w, "s", "q\" \\ \n \x01 \xC3\xA9 \x7f /");
    rw_json_member_string(w, "n", NULL);
    rw_json_member_double(w, "d", 0.1);
    rw_json_member_double(w, "whole", 3);
    rw_json_member_double(w, "inf", INFINITY);
    rw_json_member_u64(w, "u", UINT64_MAX);
    rw_json_member_bool(w, "b", true);
    rw_json_member_null(w, "z");
    rw_json_key(w, "list");
    rw_json_begin_array(w);
    rw_json_i64(w, INT64_MIN);
    rw_json_begin_array(w);
    rw_json_end_array(w);
    rw_json_begin_object(w);
    rw_json_end_object(w);
    rw_json_raw(w, rw_str_of("[1, 2]"));
    rw_json_bool(w, false);
    rw_json_end_array(w);
    rw_json_end_object(w);
}

static void test_write(void **state) {
    rw_buf line = {.ctx = ctx}, lines = {.ctx = ctx};
    (void)state;
    write_sample(&(rw_json_writer){.out = &line});
    assert_string_equal(line.data,
                        "{\"s\":\"q\\\" \\\\ \\n \\u0001 \xC3\xA9 \x7f /\",\"n\":null,\"d\":0.1,"
                        "\"whole\":3.0,\"inf\":null,\"u\":18446744073709551615,\"b\":true,"
                        "\"z\":null,\"list\":[-9223372036854775808,[],{},[1, 2],false]}");
    write_sample(&(rw_json_writer){.out = &lines, .indent = 2});
    assert_non_null(strstr(lines.data, "{\n  \"s\": \"q"));
    assert_non_null(strstr(lines.data,
                           "  \"list\": [\n    -9223372036854775808,\n    [],\n    {},\n"
                           "    [1, 2],\n    false\n  ]\n}"));
    /* another reader agrees */
    json_object *other = json_tokener_parse(lines.data), *member;
    assert_non_null(other);
    assert_true(json_object_object_get_ex(other, "list", &member));
    assert_int_equal(json_object_array_length(member), 5);
    json_object_put(other);
    rw_buf_free(&line);
    rw_buf_free(&lines);
}

static void test_quote_repairs(void **state) {
    rw_buf buf = {.ctx = ctx};
    (void)state;
    rw_json_quote(&buf, (rw_str){"a\xFFz\0\xE2\x82", 6});
    assert_string_equal(buf.data, "\"a\xEF\xBF\xBDz\\u0000\xEF\xBF\xBD\xEF\xBF\xBD\"");
    rw_buf_free(&buf);
}

static void test_write_deep(void **state) {
    rw_buf buf = {.ctx = ctx};
    rw_arena arena = {.ctx = ctx};
    rw_json_writer w = {.out = &buf};
    (void)state;
    for (int i = 0; i < RW_JSON_DEPTH_MAX; i++)
        rw_json_begin_array(&w);
    for (int i = 0; i < RW_JSON_DEPTH_MAX; i++)
        rw_json_end_array(&w);
    parse(&arena, buf.data);
    rw_arena_free(&arena);
    rw_buf_free(&buf);
}

/* What is written is read again, to the last bit. */
static void test_round_trip(void **state) {
    rw_buf buf = {.ctx = ctx};
    rw_arena arena = {.ctx = ctx};
    rw_json_writer w = {.out = &buf, .indent = 2};
    uint64_t bits = 1;
    (void)state;
    rw_json_begin_array(&w);
    for (int i = 0; i < 1000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        rw_json_double(&w, (double)bits * 0x1p-70);
    }
    rw_json_end_array(&w);
    const rw_json *item = parse(&arena, buf.data)->first;
    bits = 1;
    for (int i = 0; i < 1000; i++, item = item->next) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        assert_true(item->number == (double)bits * 0x1p-70);
        assert_false(item->is_integer);
    }
    assert_null(item);
    rw_arena_free(&arena);
    rw_buf_free(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_escapes),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_python),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_large),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_write),
        cmocka_unit_test(test_quote_repairs), cmocka_unit_test(test_write_deep),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, make_context, free_context);
}
