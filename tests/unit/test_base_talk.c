/*
 * The program's progress line, taken in as it is: what it says, and that its clock starts anew with
 * every pass, also with one of the same name. And how its text folds.
 */
#include "../../cli/fold.c"
#include "../../cli/talk.c"
#include "support.h"

/* There is no streamed text here. */
void cli_end_line(cli *c) {
    (void)c;
}

/* stderr of `calls` as text. */
static const char *said(cli *c, void (*calls)(cli *)) {
    static char text[4096];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    calls(c);
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void first_pass(cli *c) {
    cli_on_progress(c, "hash", 0, 100, "bytes");
    state.began -= 10; /* ten seconds pass */
    cli_on_progress(c, "hash", 50, 100, "bytes");
}

static void same_pass(cli *c) {
    cli_on_progress(c, "hash", 60, 100, "bytes");
}

static void second_pass(cli *c) {
    cli_on_progress(c, "hash", 10, 100, "bytes");
}

static void other_total(cli *c) {
    cli_on_progress(c, "hash", 20, 400, "bytes");
}

static void test_clock(void **test) {
    (void)test;
    cli c = {.ctx = test_context(), .stderr_terminal = true};
    const char *text = said(&c, first_pass);
    assert_non_null(strstr(text, "hash: 50 of 100 bytes (50 %), 5 bytes/s, 10 s left"));
    assert_non_null(strstr(text, "B resident"));
    assert_non_null(strstr(said(&c, same_pass), "bytes/s"));
    text = said(&c, second_pass); /* fewer are done: another file; no rate is known yet */
    assert_non_null(strstr(text, "hash: 10 of 100 bytes (10 %), "));
    assert_null(strstr(text, "bytes/s"));
    assert_null(strstr(text, " left"));
    state.began -= 10;
    assert_non_null(strstr(said(&c, same_pass), "5 bytes/s, 8 s left"));
    assert_null(strstr(said(&c, other_total), "bytes/s"));
    rw_context_free(c.ctx);
}

/* ---- folding --------------------------------------------------------------------------------- */

static void test_folding(void **test) {
    static const struct {
        const char *text;
        size_t column, indent, width;
        const char *folded;
    } rows[] = {
        {"one two three", 0, 0, 0, "one two three"},
        {"one two three four five", 0, 2, 20, "one two three four\n  five"},
        {"one two three four five", 8, 8, 20, "one two\n        three four\n        five"},
        {"two lines\nhere", 4, 4, 40, "two lines\n    here"},
        {"ends\n", 4, 4, 40, "ends\n"},
        {"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 "
         "eleven_12",
         0, 0, 20,
         "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 "
         "eleven_12"},
        {"sixteen_columns_", 18, 18, 24, "\n    sixteen_columns_"}, /* a word hangs less far */
        {"a_word_that_no_line_here_could_hold", 18, 18, 24,
         "\na_word_that_no_line_here_could_hold"}, /* and stays whole */
        {"", 4, 4, 40, ""},
    };
    (void)test;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *folded = cli_fold(rows[i].text, rows[i].column, rows[i].indent, rows[i].width);
        assert_string_equal(folded, rows[i].folded);
        free(folded);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clock),
                                       cmocka_unit_test(test_folding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
