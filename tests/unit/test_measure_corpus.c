/*
 * Documents from JSONL: what is read, and what is refused with which line.
 */
#include "measure_support.h"

typedef struct corpus_test {
    rw_context *ctx;
    rw_tokenizer *tokenizer;
} corpus_test;

static int set_up(void **state) {
    static corpus_test test;
    test.ctx = test_context();
    test.tokenizer = test_tokenizer(test.ctx);
    *state = &test;
    return 0;
}

static int tear_down(void **state) {
    corpus_test *test = *state;
    rw_tokenizer_free(test->tokenizer);
    rw_context_free(test->ctx);
    remove(test_data_file("", 0));
    return 0;
}

static rw_status read_bytes(const corpus_test *test, const char *bytes, size_t size, uint64_t limit,
                            rw_corpus *out, rw_error *err) {
    return rw_corpus_read(test->ctx, test_data_file(bytes, size), test->tokenizer, limit, out, err);
}

static void test_good(void **state) {
    static const char text[] = "\xef\xbb\xbf{\"text\":\"The pass key\",\"licence\":\"MIT\"}\r\n"
                               "\n  \t\n"
                               "{\"tokens\":[0, 4095, 7]}\n"
                               "{\"tokens\":[]}\n"
                               "{\"text\":\"no newline at the end\"}";
    rw_error err = {0};
    rw_corpus corpus;
    assert_ok(read_bytes(*state, text, sizeof text - 1, 0, &corpus, &err));
    assert_int_equal(corpus.count, 4);
    static const uint32_t lines[] = {1, 4, 5, 6};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(corpus.documents[i].line, lines[i]);
    assert_int_equal(corpus.documents[0].count, 3);
    assert_int_equal(corpus.documents[1].count, 3);
    assert_int_equal(corpus.documents[1].tokens[1], 4095);
    assert_int_equal(corpus.documents[2].count, 0);
    char hex[65];
    rw_sha256 whole;
    assert_ok(rw_sha256_bytes(corpus.ctx, (rw_str){text, sizeof text - 1}, &whole, &err));
    rw_sha256_hex(&whole, hex);
    assert_memory_equal(&whole, &corpus.digest, sizeof whole);
    assert_true(strncmp(corpus.name, "rw-measure-", 11) == 0);
    rw_corpus_free(&corpus);
}

/* The limit stops parsing, not hashing: two runs over the same file name the same data. */
static void test_limit(void **state) {
    static const char text[] = "{\"tokens\":[1]}\n{\"tokens\":[2]}\nnot JSON\n";
    rw_error err = {0};
    rw_corpus corpus;
    rw_sha256 whole;
    assert_ok(read_bytes(*state, text, sizeof text - 1, 2, &corpus, &err));
    assert_int_equal(corpus.count, 2);
    assert_ok(rw_sha256_bytes(corpus.ctx, (rw_str){text, sizeof text - 1}, &whole, &err));
    assert_memory_equal(&whole, &corpus.digest, sizeof whole);
    rw_corpus_free(&corpus);
}

typedef struct bad_row {
    const char *text, *code, *line;
} bad_row;

static void test_bad(void **state) {
    static const bad_row rows[] = {
        {"", "data.empty", ""},
        {"\n\n  \n", "data.empty", ""},
        {"\xef\xbb\xbf\n", "data.empty", ""},
        {"{\"tokens\":[1]}\n{\"text\":\"a\"\n", "data.syntax", ":2"},
        {"{\"text\":\"a\"} {\"text\":\"b\"}\n", "data.syntax", ":1"},
        {"{\"text\":\"a\",\"text\":\"b\"}\n", "data.syntax", ":1"},
        {"\n\n{\"text\":\"\xff\"}\n", "data.utf8", ":3"},
        {"[1,2]\n", "data.type", ":1"},
        {"\"text\"\n", "data.type", ":1"},
        {"{\"text\":7}\n", "data.type", ":1"},
        {"{\"tokens\":\"1 2\"}\n", "data.type", ":1"},
        {"{\"tokens\":[1,\"2\"]}\n", "data.type", ":1"},
        {"{\"tokens\":[1.5]}\n", "data.type", ":1"},
        {"{\"tokens\":[null]}\n", "data.type", ":1"},
        {"{\"words\":\"a\"}\n", "data.type", ":1"},
        {"{\"text\":\"a\",\"tokens\":[1]}\n", "data.type", ":1"},
        {"{\"tokens\":[1]}\n{\"tokens\":[4096]}\n", "data.token_range", ":2"},
        {"{\"tokens\":[-1]}\n", "data.token_range", ":1"},
        {"{\"tokens\":[1e300]}\n", "data.token_range", ":1"},
        {"{\"tokens\":[1]}\n\r\n{\"text\":\"cut", "data.syntax", ":3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rw_error err = {0};
        rw_corpus corpus;
        rw_status status = read_bytes(*state, rows[i].text, strlen(rows[i].text), 0, &corpus, &err);
        if (status != RW_ERR_INPUT || strcmp(err.code, rows[i].code) != 0 ||
            !strstr(err.where, rows[i].line))
            fail_msg("row %zu: status %d, %s at %s: %s", i, (int)status, err.code, err.where,
                     err.message);
        assert_null(corpus.documents);
    }
}

static void test_zero_byte(void **state) {
    static const char text[] = "{\"tokens\":[1]}\n\0\n";
    rw_error err = {0};
    rw_corpus corpus;
    assert_int_equal(read_bytes(*state, text, sizeof text - 1, 0, &corpus, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "data.syntax");
}

static void test_offset(void **state) {
    static const char text[] = "{\"tokens\":[1]}\n{\"tokens\":[1, 9999]}\n";
    rw_error err = {0};
    rw_corpus corpus;
    assert_int_equal(read_bytes(*state, text, sizeof text - 1, 0, &corpus, &err), RW_ERR_INPUT);
    assert_int_equal(err.offset, strstr(text, "9999") - text);
}

/* A line that spans several pieces of the reader. */
static void test_long_line(void **state) {
    const corpus_test *test = *state;
    rw_error err = {0};
    rw_corpus corpus;
    rw_buf text = {.ctx = test->ctx};
    rw_buf_text(&text, "{\"tokens\":[1");
    for (size_t i = 0; i < 1500000; i++)
        rw_buf_text(&text, ",2");
    rw_buf_text(&text, "]}\n{\"tokens\":[3]}\n");
    assert_ok(read_bytes(test, text.data, text.size, 0, &corpus, &err));
    assert_int_equal(corpus.count, 2);
    assert_int_equal(corpus.documents[0].count, 1500001);
    assert_int_equal(corpus.documents[1].tokens[0], 3);
    rw_corpus_free(&corpus);
    rw_buf_free(&text);
}

static void test_missing(void **state) {
    const corpus_test *test = *state;
    rw_error err = {0};
    rw_corpus corpus;
    assert_int_equal(
        rw_corpus_read(test->ctx, "/nowhere/at.jsonl", test->tokenizer, 0, &corpus, &err),
        RW_ERR_INPUT);
    assert_string_equal(err.code, "file.missing");
    assert_int_equal(rw_corpus_read(test->ctx, "/tmp", test->tokenizer, 0, &corpus, &err),
                     RW_ERR_INPUT);
}

static void test_bos_in_front(void **state) {
    const corpus_test *test = *state;
    const corpus_test with_bos = {test->ctx, test_tokenizer_with_bos(test->ctx)};
    rw_error err = {0};
    rw_corpus corpus;
    const char *text = "{\"text\":\"The\"}\n{\"tokens\":[9]}\n";
    assert_ok(read_bytes(&with_bos, text, strlen(text), 0, &corpus, &err));
    assert_int_equal(corpus.documents[0].count, 2);
    assert_int_equal(corpus.documents[0].tokens[0], rw_tokenizer_bos(with_bos.tokenizer));
    assert_int_equal(corpus.documents[1].count, 1); /* tokens are taken as they are */
    rw_corpus_free(&corpus);
    rw_tokenizer_free(with_bos.tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_limit),
        cmocka_unit_test(test_bad),     cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_offset),  cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_bos_in_front),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
