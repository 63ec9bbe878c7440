/*
 * test_report_page.c - the page is well-formed, loads nothing, runs nothing, and text from files
 * stays text.
 */
#include "support.h"

#include "base/file.h"
#include "report/report.h"

static char *render(const char *facts) {
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    rw_buf out = {.ctx = ctx};
    rw_error err = {0};
    const rw_json *root = NULL;
    assert_ok(rw_json_parse(&arena, rw_str_of(facts), "facts", &root, &err));
    assert_ok(rw_report_html(ctx, root, &out, &err));
    char *page = strdup(out.data);
    rw_buf_free(&out);
    rw_arena_free(&arena);
    rw_context_free(ctx);
    return page;
}

static char *sample(void) {
    rw_context *ctx = test_context();
    rw_buf text = {.ctx = ctx};
    rw_error err = {0};
    assert_ok(rw_file_load(ctx, RW_SOURCE_DIR "/tests/data/extend.json", 1 << 20, &text, &err));
    char *copy = strdup(text.data);
    rw_buf_free(&text);
    rw_context_free(ctx);
    return copy;
}

/* Every element is closed in the order it was opened; attributes hold no '<'. */
static void assert_balanced(const char *page) {
    char open[64][24];
    int depth = 0;
    for (const char *at = page; (at = strchr(at, '<')) != NULL;) {
        const char *end = strchr(at, '>');
        assert_non_null(end);
        size_t size = (size_t)(end - at);
        assert_null(memchr(at + 1, '<', size - 1));
        char name[24] = "";
        if (at[1] == '/') {
            sscanf(at + 2, "%23[a-z0-9]", name);
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (at[1] != '!' && end[-1] != '/') {
            assert_true(depth < 64);
            assert_int_equal(sscanf(at + 1, "%23[a-z0-9]", open[depth++]), 1);
        }
        at = end;
    }
    assert_int_equal(depth, 0);
}

static void test_sample_page(void **state) {
    (void)state;
    char *facts = sample(), *page = render(facts);
    assert_balanced(page);
    static const char *const wanted[] = {"No: the extension does not hold",
                                         "native window 512",
                                         "limit is 0.03",
                                         "passkey",
                                         "5/8",
                                         "Gain by length",
                                         "-0.215 to -0.022",
                                         "Memory by context",
                                         "38.4 MiB",
                                         "vllm serve",
                                         "Wavelength of each rotary pair",
                                         "receipt.json",
                                         "prefers-color-scheme:dark",
                                         "@media print",
                                         "<details>",
                                         "161.40",
                                         "YaRN"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("the page lacks \"%s\"", wanted[i]);
    free(page);
    free(facts);
}

static void test_nothing_is_loaded(void **state) {
    (void)state;
    char *facts = sample(), *page = render(facts);
    static const char *const unwanted[] = {"http:",  "https:",  "//",    "<script", "<link",
                                           "<img",   "src=",    "href=", "url(",    "@import",
                                           "onload", "<iframe", "nan",   "-nan",    ">inf"};
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        if (strstr(page, unwanted[i]))
            fail_msg("the page holds \"%s\"", unwanted[i]);
    free(page);
    free(facts);
}

static void test_text_stays_text(void **state) {
    (void)state;
    char *page = render(
        "{\"model\":{\"name\":\"<script>alert('1')</script>\",\"architecture\":\"A&B\\\"\\u0000"
        "\\u001b[31m\"},"
        "\"advice\":[\"</ul><b>\"],\"plan\":{\"method\":\"<i>\",\"native\":1e300,\"context\":null,"
        "\"targets\":{\"<t>\":{\"expressible\":true,\"why\":\"<w>\"}},\"emit\":{\"<e>\":\"<c>\"},"
        "\"diagnostics\":[{\"message\":\"<m>\",\"code\":\"<k>\",\"severity\":\"<s>\"}]},"
        "\"gate\":{\"result\":\"<r>\",\"dims\":{\"<d>\":{\"status\":\"<x>\",\"reason\":\"<y>\","
        "\"value\":1,\"unit\":\"<u>\"}}},"
        "\"after\":{\"protocol\":\"<p>\",\"perplexity\":[{\"length\":8}],"
        "\"retrieval\":[{\"task\":\"<q>\",\"length\":1,\"depth\":0,\"trials\":1,\"correct\":1}]},"
        "\"files\":[{\"name\":\"<f>\",\"change\":\"<g>\",\"sha256\":\"<h>\"}],"
        "\"receipt\":{\"path\":\"<n>\",\"sha256\":\"<o>\"},\"tool\":{\"version\":\"<v>\"}}");
    assert_balanced(page);
    for (const char *c = "itwecmkrsdxyupqfghnov"; *c; c++) {
        char raw[8] = {'<', *c, '>', 0};
        if (*c != 'p' && *c != 'i' && strstr(page, raw))
            fail_msg("%s came through", raw);
    }
    assert_null(strstr(page, "<script"));
    assert_null(strchr(page, '\x1b'));
    assert_non_null(strstr(page, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
    assert_non_null(strstr(page, "A&amp;B&quot;[31m"));
    free(page);
}

/* Right answers by length with what the controls say; two wordings of a task are two grids. */
static void test_pack_and_wordings(void **state) {
    (void)state;
    char *page = render(
        "{\"before\":{\"pack\":{\"name\":\"mine\",\"bins\":[{\"from\":0,\"to\":512,\"items\":9,"
        "\"right\":"
        "9,\"ci95\":[0.7,1],\"closed_book\":1,\"unread\":0}]}},"
        "\"after\":{\"pack\":{\"name\":\"mine\",\"too_long\":4,\"bins\":[{\"from\":0,\"to\":512,"
        "\"items\":9,"
        "\"right\":8,\"ci95\":[0.57,0.98],\"closed_book\":1,\"unread\":0},{\"from\":512,\"to\":"
        "1024,"
        "\"items\":0,\"right\":0,\"ci95\":null,\"closed_book\":0,\"unread\":3}],\"evidence\":{"
        "\"items\":9,"
        "\"gain\":1.25,\"ci95\":[0.5,2]}},"
        "\"retrieval\":[{\"task\":\"passkey\",\"wording\":\"classic\",\"length\":1,\"depth\":0,"
        "\"trials\":"
        "7,\"correct\":6,\"generated_correct\":5,\"generated_ci95\":[0.35,0.92]},{\"task\":"
        "\"passkey\",\"wording\":\"code\",\"length\":1,\"depth\":0,\"trials\":7,\"correct\":3}]}}");
    assert_balanced(page);
    static const char *const wanted[] = {
        "Your own questions", "9 of 9",   "8 of 9",        "0.57 to 0.98", "1.250", "0.50 to 2.00",
        "4 items are longer", "3 unread", "1 closed book", "6/7",          "3/7",   "5 of 7",
        "0.35 to 0.92"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("the page lacks \"%s\"", wanted[i]);
    free(page);
}

/* Facts of the wrong type or missing make a shorter page, never a broken one. */
static void test_poor_facts(void **state) {
    (void)state;
    static const char *const facts[] = {
        "{}",
        "{\"plan\":null,\"before\":null,\"after\":null,\"gate\":null}",
        "{\"plan\":{\"bands\":[{\"wavelength\":6},{\"wavelength\":-7},{\"wavelength\":8},"
        "{\"wavelength\":9}],\"rope\":[{\"inv_freq\":[-1,1,0,0.1]}]}}",
        "{\"plan\":{\"bands\":[{\"wavelength\":6},{\"wavelength\":7},{\"wavelength\":8}],"
        "\"rope\":[{\"inv_freq\":[1,-0.5,0.1]}]}}",
        "{\"plan\":{\"bands\":[{},{}],\"rope\":[{\"inv_freq\":[0,-1]}]}}",
        "{\"plan\":{\"bands\":[{\"pair\":0,\"wavelength\":6.0}],\"rope\":[{\"inv_freq\":[1,2,3]}]}"
        "}",
        "{\"after\":{\"perplexity\":[{\"length\":4,\"by_position\":[{\"from\":0,\"to\":0}]}]}}",
        "{\"after\":{\"perplexity\":[{\"length\":4,\"by_position\":[{\"from\":0,\"to\":4,"
        "\"nll\":1e9}]}]}}",
        "{\"after\":{\"perplexity\":7,\"retrieval\":\"x\"},\"gate\":[1],\"files\":{}}",
        "{\"after\":{\"retrieval\":[{\"task\":\"t\",\"length\":1,\"depth\":0.5}]}}",
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        char *page = render(facts[i]);
        assert_balanced(page);
        assert_null(strstr(page, "nan"));
        assert_null(strstr(page, "inf\""));
        free(page);
    }
    char *unmeasured = render(facts[1]);
    assert_non_null(strstr(unmeasured, "Not measured"));
    free(unmeasured);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_page),     cmocka_unit_test(test_nothing_is_loaded),
        cmocka_unit_test(test_text_stays_text), cmocka_unit_test(test_pack_and_wordings),
        cmocka_unit_test(test_poor_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
