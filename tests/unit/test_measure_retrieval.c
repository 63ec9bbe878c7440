/*
 * Retrieval samples, on the embedded model's tokenizer: exact to the token at every length and
 * depth, the wording to the letter, the answer nowhere else.
 */
#include "measure/retrieval.h"
#include "measure_support.h"

typedef struct retrieval_test {
    rw_context *ctx;
    rw_tokenizer *tokenizer, *with_bos;
    rw_corpus corpus;
} retrieval_test;

static int set_up(void **state) {
    static retrieval_test test;
    static const size_t counts[] = {300, 5, 1000, 0, 77};
    test.ctx = test_context();
    test.tokenizer = test_tokenizer(test.ctx);
    test.with_bos = test_tokenizer_with_bos(test.ctx);
    test.corpus = test_corpus(test.ctx, counts, 5);
    *state = &test;
    return 0;
}

static int tear_down(void **state) {
    retrieval_test *test = *state;
    rw_corpus_free(&test->corpus);
    rw_tokenizer_free(test->tokenizer);
    rw_tokenizer_free(test->with_bos);
    rw_context_free(test->ctx);
    return 0;
}

static char *decode(const rw_tokenizer *tokenizer, rw_arena *arena, const int32_t *ids,
                    size_t count) {
    rw_error err = {0};
    rw_buf text = {.ctx = arena->ctx};
    assert_ok(rw_tokenizer_decode(tokenizer, ids, count, 0, &text, &err));
    char *copy = rw_arena_text(arena, text.size ? text.data : "", text.size);
    rw_buf_free(&text);
    return copy;
}

static size_t occurrences(const char *text, size_t size, const char *word) {
    size_t count = 0;
    for (const char *at = text; (at = memmem(at, size - (size_t)(at - text), word, strlen(word)));
         at++)
        count++;
    return count;
}

/* ---- passkey --------------------------------------------------------------------------------- */

static void check_passkey(retrieval_test *test, const rw_tokenizer *tokenizer, size_t length,
                          double depth, uint64_t trial) {
    static const char question[] = "\nWhat is the pass key? The pass key is ";
    rw_error err = {0};
    rw_arena arena = {.ctx = test->ctx};
    rw_sample sample;
    const rw_sample_request request = {
        &rw_task_table[0], &rw_task_table[0].wordings[0], 11, length, depth, trial};
    assert_ok(rw_sample_make(&arena, &test->corpus, tokenizer, &request, &sample, &err));
    assert_int_equal(sample.count, length);
    assert_int_equal(sample.span_count, 1);
    const rw_span span = sample.spans[0];
    assert_int_equal(span.first + span.count, length);
    const char *answer = decode(tokenizer, &arena, sample.tokens + span.first, span.count);
    assert_int_equal(strlen(answer), 5);
    assert_int_equal(strspn(answer, "0123456789"), 5);

    size_t bos = rw_tokenizer_adds_bos(tokenizer);
    size_t at = bos + (size_t)floor(depth * (double)sample.filler);
    char needle[128];
    snprintf(needle, sizeof needle, "\nThe pass key is %s. Remember it. %s is the pass key.\n",
             answer, answer);
    size_t needle_tokens = length - bos - sample.filler - span.count - 13; /* the question's 13 */
    const char *found = decode(tokenizer, &arena, sample.tokens + at, needle_tokens);
    assert_string_equal(found, needle);
    const char *stem = decode(tokenizer, &arena, sample.tokens + span.first - 13, 13);
    assert_string_equal(stem, question);

    rw_buf whole = {.ctx = test->ctx};
    assert_ok(rw_tokenizer_decode(tokenizer, sample.tokens, length, 0, &whole, &err));
    assert_int_equal(occurrences(whole.data, whole.size, answer), 3);
    rw_buf_free(&whole);
    rw_arena_free(&arena);
}

static void test_passkey(void **state) {
    retrieval_test *test = *state;
    static const size_t lengths[] = {48, 49, 64, 100, 255, 256, 257, 512, 1000, 2048, 5000};
    static const double depths[] = {0, 0.1, 0.25, 0.5, 0.75, 0.999, 1};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            check_passkey(test, test->tokenizer, lengths[l], depths[d], 0);
            if (lengths[l] > 48)
                check_passkey(test, test->with_bos, lengths[l], depths[d], 3);
        }
}

/* Filler is a run of the data, document after document. */
static void test_filler_is_the_data(void **state) {
    retrieval_test *test = *state;
    rw_error err = {0};
    rw_arena arena = {.ctx = test->ctx};
    rw_sample sample;
    const rw_sample_request request = {
        &rw_task_table[0], &rw_task_table[0].wordings[0], 1, 256, 1, 0};
    assert_ok(rw_sample_make(&arena, &test->corpus, test->tokenizer, &request, &sample, &err));
    size_t breaks = 0;
    for (size_t i = 1; i < sample.filler; i++)
        breaks += (sample.tokens[i] - 1) != (sample.tokens[i - 1] - 1 + 31) % 4000;
    assert_in_range(breaks, 0, 5);
    rw_arena_free(&arena);
}

static void test_too_short(void **state) {
    retrieval_test *test = *state;
    rw_error err = {0};
    rw_arena arena = {.ctx = test->ctx};
    rw_sample sample;
    for (size_t t = 0; t < rw_task_count; t++)
        for (size_t length = 1; length < 16; length++) {
            const rw_sample_request request = {
                &rw_task_table[t], &rw_task_table[t].wordings[0], 1, length, 0.5, 0};
            assert_int_equal(
                rw_sample_make(&arena, &test->corpus, test->tokenizer, &request, &sample, &err),
                RW_ERR_INPUT);
            assert_string_equal(err.code, "measure.too_short");
        }
    rw_arena_free(&arena);
}

static void test_no_filler(void **state) {
    retrieval_test *test = *state;
    static const size_t counts[] = {0, 0};
    rw_corpus empty = test_corpus(test->ctx, counts, 2);
    rw_error err = {0};
    rw_arena arena = {.ctx = test->ctx};
    rw_sample sample;
    const rw_sample_request request = {
        &rw_task_table[0], &rw_task_table[0].wordings[0], 1, 256, 0.5, 0};
    assert_int_equal(rw_sample_make(&arena, &empty, test->tokenizer, &request, &sample, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "measure.filler");
    rw_corpus_free(&empty);
    rw_arena_free(&arena);
}

/* Data full of digits: some of the values that are drawn are in it, and are drawn again. */
static void test_answer_is_not_in_the_filler(void **state) {
    retrieval_test *test = *state;
    static const size_t counts[] = {9000};
    rw_error err = {0};
    rw_corpus digits = test_corpus(test->ctx, counts, 1);
    rw_random random;
    int32_t *ids;
    size_t count;
    assert_ok(rw_tokenizer_encode(test->tokenizer, rw_str_of("0123456789"), 0, &ids, &count, &err));
    assert_int_equal(count, 10);
    rw_random_seed(&random, 0, 0);
    for (size_t i = 0; i < counts[0]; i++)
        digits.documents[0].tokens[i] = ids[rw_random_below(&random, 10)];
    for (uint64_t trial = 0; trial < 100; trial++) {
        rw_arena arena = {.ctx = test->ctx};
        rw_buf text = {.ctx = test->ctx};
        rw_sample sample;
        const rw_sample_request request = {
            &rw_task_table[0], &rw_task_table[0].wordings[0], 1, 5000, 0.5, trial};
        assert_ok(rw_sample_make(&arena, &digits, test->tokenizer, &request, &sample, &err));
        assert_ok(rw_tokenizer_decode(test->tokenizer, sample.tokens, 5000, 0, &text, &err));
        char answer[6] = {0};
        memcpy(answer, text.data + text.size - 5, 5);
        assert_int_equal(occurrences(text.data, text.size, answer), 3);
        rw_buf_free(&text);
        rw_arena_free(&arena);
    }
    rw_free(test->ctx, ids);
    rw_corpus_free(&digits);
}

/* ---- every task ------------------------------------------------------------------------------ */

static void make(retrieval_test *test, rw_arena *arena, const rw_sample_request *request,
                 rw_sample *sample) {
    rw_error err = {0};
    assert_ok(rw_sample_make(arena, &test->corpus, test->tokenizer, request, sample, &err));
    assert_int_equal(sample->count, request->length);
    const rw_span *last = &sample->spans[sample->span_count - 1];
    assert_int_equal(last->first + last->count, request->length);
}

/* Each answer of a keyed task stands behind its key in the haystack, at the depth asked for. */
static void check_needles(retrieval_test *test, rw_arena *arena, const rw_sample_request *request,
                          const rw_sample *sample) {
    size_t before = 0;
    for (size_t s = 0; s < sample->span_count; s++) {
        const rw_span *span = &sample->spans[s];
        const char *answer =
            decode(test->tokenizer, arena, sample->tokens + span->first, span->count);
        rw_buf haystack = {.ctx = test->ctx};
        rw_error err = {0};
        assert_ok(
            rw_tokenizer_decode(test->tokenizer, sample->tokens, span->first, 0, &haystack, &err));
        const char *at = memmem(haystack.data, haystack.size, answer, strlen(answer));
        assert_non_null(at);
        if (s == 0)
            before = (size_t)(at - haystack.data);
        double share = (double)before / (double)haystack.size;
        if (request->length >= 1000 &&
            (share < request->depth - 0.2 || share > request->depth + 0.2))
            fail_msg("%s at depth %.2f stands at %.2f", request->task->name, request->depth, share);
        rw_buf_free(&haystack);
    }
}

static void test_every_task(void **state) {
    retrieval_test *test = *state;
    static const size_t lengths[] = {256, 300, 1024};
    static const double depths[] = {0, 0.5, 1};
    for (size_t t = 0; t < rw_task_count; t++)
        for (size_t w = 0; w < rw_task_table[t].wording_count; w++)
            for (size_t i = 0; i < 9; i++) {
                rw_arena arena = {.ctx = test->ctx};
                rw_sample sample;
                const rw_task *task = &rw_task_table[t];
                const rw_sample_request request = {task,           &task->wordings[w], 5,
                                                   lengths[i / 3], depths[i % 3],      i};
                make(test, &arena, &request, &sample);
                assert_int_equal(sample.span_count, task->copied ? 1 : task->asked);
                if (!task->copied)
                    check_needles(test, &arena, &request, &sample);
                rw_arena_free(&arena);
            }
}

/* repeat: the end says again what stood at the depth. */
static void test_repeat(void **state) {
    retrieval_test *test = *state;
    const rw_task *task = &rw_task_table[4];
    assert_string_equal(task->name, "repeat");
    rw_arena arena = {.ctx = test->ctx};
    rw_sample sample;
    const rw_sample_request request = {task, &task->wordings[0], 5, 512, 0.25, 0};
    make(test, &arena, &request, &sample);
    size_t at = (size_t)floor(0.25 * (double)(sample.filler - task->copied));
    assert_memory_equal(sample.tokens + 512 - task->copied, sample.tokens + at,
                        task->copied * sizeof(int32_t));
    assert_int_equal(sample.spans[0].count, task->copied / 2);
    rw_arena_free(&arena);
}

/* key_value: the haystack is full of pairs, the rest is less than one of them. */
static void test_key_value_is_full(void **state) {
    retrieval_test *test = *state;
    const rw_task *task = &rw_task_table[2];
    assert_string_equal(task->name, "key_value");
    rw_arena arena = {.ctx = test->ctx};
    rw_sample sample;
    const rw_sample_request request = {task, &task->wordings[0], 5, 1024, 0.5, 0};
    make(test, &arena, &request, &sample);
    assert_true(sample.filler < 32);
    rw_arena_free(&arena);
}

/* A sample does not depend on what else is measured, only on what it is. */
static void test_reproducible(void **state) {
    retrieval_test *test = *state;
    for (size_t t = 0; t < rw_task_count; t++) {
        const rw_task *task = &rw_task_table[t];
        rw_arena arena = {.ctx = test->ctx};
        rw_sample a, b, c, d;
        rw_sample_request request = {task, &task->wordings[0], 9, 400, 0.25, 6};
        make(test, &arena, &request, &a);
        make(test, &arena, &request, &b);
        assert_memory_equal(a.tokens, b.tokens, 400 * sizeof(int32_t));
        request.trial = 7;
        make(test, &arena, &request, &c);
        request.trial = 6;
        request.seed = 10;
        make(test, &arena, &request, &d);
        assert_memory_not_equal(a.tokens, c.tokens, 400 * sizeof(int32_t));
        assert_memory_not_equal(a.tokens, d.tokens, 400 * sizeof(int32_t));
        rw_arena_free(&arena);
    }
}

/* What is to be recalled is drawn: among seeds, and among trials, it is hardly ever the same. */
static void test_values_differ(void **state) {
    retrieval_test *test = *state;
    enum { SAMPLES = 12 };
    for (size_t t = 0; t < rw_task_count; t++) {
        const rw_task *task = &rw_task_table[t];
        rw_arena arena = {.ctx = test->ctx};
        char *values[2 * SAMPLES];
        size_t same = 0;
        for (size_t i = 0; i < 2 * SAMPLES; i++) {
            rw_sample sample;
            const rw_sample_request request = {
                task, &task->wordings[0],       i < SAMPLES ? i : 7, 400,
                0.25, i < SAMPLES ? 3 : 100 + i};
            make(test, &arena, &request, &sample);
            const rw_span span = sample.spans[0];
            values[i] = decode(test->tokenizer, &arena, sample.tokens + span.first, span.count);
            for (size_t k = 0; k < i; k++)
                same += strcmp(values[i], values[k]) == 0;
        }
        if (same > (task->copied ? 27 : 1))
            fail_msg("%s: %zu pairs are the same", task->name, same);
        rw_arena_free(&arena);
    }
}

/* ---- the wordings file ----------------------------------------------------------------------- */

static void test_wordings(void **state) {
    (void)state;
    for (size_t t = 0; t < rw_task_count; t++) {
        const rw_task *task = &rw_task_table[t];
        assert_true(task->wording_count >= 2);
        assert_true(task->asked <= RW_SPANS_MAX);
        for (size_t w = 0; w < task->wording_count; w++) {
            const rw_wording *wording = &task->wordings[w];
            assert_true(task->copied || strstr(wording->needle, "{value}"));
            assert_null(strstr(wording->question, "{value}"));
            assert_true(task->asked <= 1 || wording->next);
        }
    }
    const rw_wording *classic = &rw_task_table[0].wordings[0];
    assert_string_equal(classic->needle,
                        "\nThe pass key is {value}. Remember it. {value} is the pass key.\n");
    assert_string_equal(classic->question, "\nWhat is the pass key? The pass key is ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passkey),
        cmocka_unit_test(test_filler_is_the_data),
        cmocka_unit_test(test_too_short),
        cmocka_unit_test(test_no_filler),
        cmocka_unit_test(test_answer_is_not_in_the_filler),
        cmocka_unit_test(test_every_task),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_key_value_is_full),
        cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_values_differ),
        cmocka_unit_test(test_wordings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
