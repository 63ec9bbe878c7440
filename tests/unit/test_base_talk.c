/*
 * The program's progress line, taken in as it is: what it says, and that its clock starts anew with
 * every pass, also with one of the same name.
 */
#include "../../cli/talk.c"
#include "support.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
