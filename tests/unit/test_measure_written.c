/*
 * What greedy decoding writes: compared as text, settled from the teacher-forced pass where that
 * settles it, and really generated only where it does not.
 */
#include "measure/written.h"
#include "measure_support.h"

static void test_compare(void **state) {
    (void)state;
    static const struct {
        const char *answer, *said;
        rw_saying saying;
    } rows[] = {
        {"12345", "", RW_SAYS_OPEN},
        {"12345", "123", RW_SAYS_OPEN},
        {"12345", " \n12", RW_SAYS_OPEN},
        {"12345", "12345", RW_SAYS_OPEN},
        {"12345", "12345\n", RW_SAYS_RIGHT},
        {"12345", " 12345.", RW_SAYS_RIGHT},
        {"12345", "123456", RW_SAYS_WRONG},
        {"12345", "12346", RW_SAYS_WRONG},
        {"12345", "x12345", RW_SAYS_WRONG},
        {"12345", "1 2345", RW_SAYS_WRONG},
        {"some words", "some", RW_SAYS_OPEN},
        {" some words", "some words", RW_SAYS_RIGHT},
        {"some words", "some wordsmith", RW_SAYS_RIGHT},
        {"some words", "same", RW_SAYS_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rw_written_compare(rw_str_of(rows[i].answer), rw_str_of(rows[i].said)) !=
            rows[i].saying)
            fail_msg("row %zu: \"%s\" for \"%s\"", i, rows[i].said, rows[i].answer);
}

/* Says the tokens of a script, one after each append of one token. */
typedef struct teller {
    int32_t script[16];
    size_t count, told;
    uint64_t read; /* tokens */
} teller;

static rw_status teller_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    (void)scorer, (void)length, (void)err;
    return RW_OK;
}

static rw_status teller_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                               const rw_outputs *outputs, rw_error *err) {
    teller *self = scorer->user;
    (void)tokens, (void)err;
    self->read += count;
    if (outputs)
        outputs->argmax[0] = self->told < self->count ? self->script[self->told++] : -1;
    return RW_OK;
}

static int32_t id_of(const rw_context *ctx, const rw_tokenizer *tokenizer, const char *text) {
    rw_error err = {0};
    int32_t *ids = NULL;
    size_t count = 0;
    assert_ok(rw_tokenizer_encode(tokenizer, rw_str_of(text), 0, &ids, &count, &err));
    assert_int_equal(count, 1);
    int32_t id = ids[0];
    rw_free((rw_context *)ctx, ids);
    return id;
}

typedef struct case_row {
    const char *argmax[5]; /* before 4, 0, 7, 2 and behind; "." is EOS */
    const char *script[8]; /* what is said when it really goes on      */
    bool right, reads;
} case_row;

/* The answer is 4072 in four tokens behind a prompt of 100. */
static void test_judge(void **state) {
    (void)state;
    enum { PROMPT = 100, ANSWER = 4 };
    static const case_row rows[] = {
        {{"4", "0", "7", "2", "\n"}, {NULL}, true, false},
        {{"4", "0", "7", "2", "."}, {NULL}, true, false},
        {{"4", "0", "7", "2", "9"}, {NULL}, false, false}, /* more digits: another number */
        {{"4", "1", "7", "2", "\n"}, {NULL}, false, false},
        {{"4", "\n", "7", "2", "\n"}, {NULL}, false, false}, /* it stops too early */
        {{"4", ".", "7", "2", "\n"}, {NULL}, false, false},
        {{"\n", "0", "7", "2", "\n"}, {"4", "0", "7", "2"}, true, true},
        {{"\n", "0", "7", "2", "\n"}, {"4", "0", "7", "3"}, false, true},
        {{"\n", "0", "7", "2", "\n"}, {"4", "0", "."}, false, true},
    };
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = test_tokenizer(ctx);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        rw_error err = {0};
        int32_t tokens[PROMPT + ANSWER + 8], argmax[ANSWER + 1];
        static const char *const answer[ANSWER] = {"4", "0", "7", "2"};
        teller told = {.count = 0};
        for (size_t i = 0; i < PROMPT; i++)
            tokens[i] = 20 + (int32_t)i;
        for (size_t i = 0; i < ANSWER; i++)
            tokens[PROMPT + i] = id_of(ctx, tokenizer, answer[i]);
        for (size_t i = 0; i <= ANSWER; i++)
            argmax[i] = *rows[r].argmax[i] == '.' ? (int32_t)rw_tokenizer_eos(tokenizer)
                                                  : id_of(ctx, tokenizer, rows[r].argmax[i]);
        for (; rows[r].script[told.count]; told.count++)
            told.script[told.count] = *rows[r].script[told.count] == '.'
                                          ? (int32_t)rw_tokenizer_eos(tokenizer)
                                          : id_of(ctx, tokenizer, rows[r].script[told.count]);
        rw_scorer scorer = {.user = &told, .begin = teller_begin, .append = teller_append};
        const rw_sample sample = {.tokens = tokens, .count = PROMPT + ANSWER};
        const rw_span span = {PROMPT, ANSWER};
        bool right = !rows[r].right;
        assert_ok(rw_written_judge(ctx, &scorer, tokenizer, &sample, &span, argmax, &right, &err));
        if (right != rows[r].right || (told.read >= PROMPT) != rows[r].reads ||
            told.read > PROMPT + ANSWER)
            fail_msg("row %zu: %d, %d tokens read", r, right, (int)told.read);
    }
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
