/*
 * Going on after an interruption, on a scorer without a model: stopped at any read, a measurement
 * that goes on ends in the same bytes and reads nothing twice that it knew; what was changed in the
 * file, or belongs to another measurement, is refused.
 */
#include "measure/journal.h"
#include "measure_support.h"

static const size_t counts[] = {7000, 2500, 5000, 600};
static const uint64_t lengths[] = {300, 2500, 6000};
enum { DOCUMENTS = 4, NATIVE = 512, CONTEXT = 6000 };

static const rw_measure_options options = {.tasks = "perplexity,passkey",
                                           .lengths = lengths,
                                           .length_count = 3,
                                           .trials = 2,
                                           .no_timing = true};

typedef struct world {
    rw_context *ctx;
    rw_tokenizer *tokenizer;
    rw_corpus corpus;
    fake_model fake;
    char path[64];
} world;

static int set_up(void **state) {
    world *w = calloc(1, sizeof *w);
    w->ctx = test_context();
    w->tokenizer = test_tokenizer(w->ctx);
    w->corpus = test_corpus(w->ctx, counts, DOCUMENTS);
    snprintf(w->path, sizeof w->path, "/tmp/rw-journal-%d.state", (int)getpid());
    unlink(w->path);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    world *w = *state;
    unlink(w->path);
    rw_corpus_free(&w->corpus);
    rw_tokenizer_free(w->tokenizer);
    rw_context_free(w->ctx);
    free(w);
    return 0;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static rw_status open_journal(world *w, const char *seed, rw_journal **out, rw_error *err) {
    rw_arena arena = {.ctx = w->ctx};
    rw_facts facts = {.arena = &arena};
    const rw_subject subject = {.native = NATIVE, .context = CONTEXT};
    *out = NULL;
    assert_int_equal(rw_facts_add_measurement(&facts, &subject, &w->corpus, &options, err), RW_OK);
    rw_facts_add(&facts, "test", seed);
    rw_status status = rw_journal_open(w->ctx, w->path, &facts, out, err);
    rw_arena_free(&arena);
    return status;
}

/* The measurement's JSON in `out`; it is cancelled at append `stop` (0: runs to its end). */
static bool measure(world *w, bool journaled, uint64_t stop, rw_buf *out) {
    rw_error err = {0};
    rw_scope scope;
    rw_journal *journal = NULL;
    rw_measurement *m = NULL;
    w->fake = (fake_model){.base = 1.1, .slope = 1e-4 / 3, .beyond = 0.25, .native = NATIVE};
    w->fake.remembers = true;
    w->fake.cancelled_at = stop;
    rw_scorer scorer = fake_scorer(&w->fake);
    const rw_subject subject = {.native = NATIVE, .context = CONTEXT};
    assert_ok(rw_scope_make(&subject, &w->corpus, &options, &scope, &err));
    if (journaled)
        assert_ok(open_journal(w, "0", &journal, &err));
    const rw_making making = {.scope = &scope,
                              .scorer = &scorer,
                              .tokenizer = w->tokenizer,
                              .corpus = &w->corpus,
                              .options = &options,
                              .journal = journal};
    assert_ok(rw_measurement_make(w->ctx, &making, &m, &err));
    *out = (rw_buf){.ctx = w->ctx};
    rw_json_writer writer = {.out = out, .indent = 1};
    rw_json_begin_object(&writer);
    rw_measurement_write(&writer, m);
    rw_json_end_object(&writer);
    bool interrupted = rw_measurement_interrupted(m);
    rw_measurement_free(m);
    rw_journal_close(journal);
    return interrupted;
}

static void assert_same(const rw_buf *a, const rw_buf *b) {
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

static void load(world *w, rw_buf *out) {
    rw_error err = {0};
    assert_ok(rw_file_load(w->ctx, w->path, 1u << 26, out, &err));
}

static void save(world *w, const char *bytes, size_t size) {
    FILE *file = fopen(w->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Stopped at every read in turn. What goes on reads at most what was not scored yet, and the
   beginning of the one sequence that was cut. */
static void test_stopped_anywhere(void **state) {
    world *w = *state;
    rw_buf whole, text;
    assert_false(measure(w, false, 0, &whole));
    uint64_t appends = w->fake.appends, tokens = w->fake.tokens;
    for (uint64_t stop = 1; stop <= appends; stop++) {
        unlink(w->path);
        assert_true(measure(w, true, stop, &text));
        assert_true(strstr(text.data, "measure.interrupted") != NULL);
        assert_true(strstr(text.data, "\"interrupted\": true") != NULL);
        uint64_t read = w->fake.tokens;
        rw_buf_free(&text);
        assert_false(measure(w, true, 0, &text));
        assert_same(&whole, &text);
        rw_buf_free(&text);
        assert_true(read + w->fake.tokens <= tokens + CONTEXT);
        assert_false(measure(w, true, 0, &text)); /* everything is known now */
        assert_same(&whole, &text);
        assert_int_equal(w->fake.tokens, 0);
        rw_buf_free(&text);
    }
    rw_buf_free(&whole);
}

/* Stopped again and again, each time after a few reads more: enough to get beyond the beginning of
   the longest sequence, the decode check's. */
static void test_small_steps(void **state) {
    world *w = *state;
    rw_buf whole, text;
    assert_false(measure(w, false, 0, &whole));
    size_t runs = 1;
    while (measure(w, true, 37, &text)) {
        rw_buf_free(&text);
        assert_true(++runs < 1000);
    }
    assert_true(runs > 2);
    assert_same(&whole, &text);
    rw_buf_free(&text);
    rw_buf_free(&whole);
}

/* The first document is stopped in its third piece: the shorter lengths are there all the same. */
static void test_part_of_a_document(void **state) {
    world *w = *state;
    rw_buf text;
    rw_arena arena = {.ctx = w->ctx};
    rw_error err = {0};
    const rw_json *root = NULL;
    assert_true(measure(w, false, 3, &text));
    assert_ok(rw_json_parse(&arena, (rw_str){text.data, text.size}, "", &root, &err));
    static const uint64_t documents[] = {1, 1, 0};
    const rw_json *row = rw_json_get(root, "perplexity")->first;
    for (size_t i = 0; i < 3; i++, row = row->next)
        assert_int_equal(rw_json_u64_or(rw_json_get(row, "documents"), 9), documents[i]);
    rw_arena_free(&arena);
    rw_buf_free(&text);
}

/* The last line may end anywhere, or be damaged: it is measured again. */
static void test_broken_end(void **state) {
    world *w = *state;
    rw_buf whole, text, file;
    assert_false(measure(w, false, 0, &whole));
    assert_true(measure(w, true, 20, &text));
    rw_buf_free(&text);
    load(w, &file);
    size_t last = file.size - 1;
    while (file.data[last - 1] != '\n')
        last--;
    for (size_t size = last; size <= file.size; size += 1 + (file.size - last) / 7) {
        save(w, file.data, size);
        for (unsigned again = 0; again < 2; again++) {
            assert_false(measure(w, true, 0, &text));
            assert_same(&whole, &text);
            rw_buf_free(&text);
        }
        assert_int_equal(w->fake.tokens, 0); /* what came behind the break is whole */
    }
    file.data[last + 90] ^= 1;
    save(w, file.data, file.size);
    assert_false(measure(w, true, 0, &text));
    assert_same(&whole, &text);
    rw_buf_free(&text);
    rw_buf_free(&file);
    rw_buf_free(&whole);
}

static void refused(world *w, const char *seed, rw_status status, const char *code,
                    const char *names) {
    rw_error err = {0};
    rw_journal *journal;
    rw_buf before, after;
    load(w, &before);
    assert_int_equal(open_journal(w, seed, &journal, &err), status);
    assert_null(journal);
    assert_string_equal(err.code, code);
    if (names && !strstr(err.message, names))
        fail_msg("the message lacks %s: %s", names, err.message);
    load(w, &after);
    assert_same(&before, &after);
    rw_buf_free(&before);
    rw_buf_free(&after);
}

/* A byte that differs anywhere before the last line, and files of something else: refused, and not
   touched. */
static void test_refused(void **state) {
    world *w = *state;
    rw_buf text, file;
    assert_true(measure(w, true, 9, &text));
    rw_buf_free(&text);
    refused(w, "1", RW_ERR_REFUSED, "state.differs", "\"test\"");
    load(w, &file);
    size_t head = (size_t)((char *)memchr(file.data, '\n', file.size) - file.data);
    file.data[head + 120] ^= 1; /* in the second line */
    save(w, file.data, file.size);
    refused(w, "0", RW_ERR_INPUT, "state.damaged", "line 2");
    file.data[head / 2] ^= 1;
    save(w, file.data, file.size);
    refused(w, "0", RW_ERR_INPUT, "state.foreign", NULL);
    save(w, "{\"text\":\"mine\"}\n", 16);
    refused(w, "0", RW_ERR_INPUT, "state.foreign", NULL);
    save(w, "mine", 4);
    refused(w, "0", RW_ERR_INPUT, "state.foreign", NULL);
    rw_buf_free(&file);
}

static void test_in_use(void **state) {
    world *w = *state;
    rw_error err = {0};
    rw_journal *first, *second;
    assert_ok(open_journal(w, "0", &first, &err));
    refused(w, "0", RW_ERR_REFUSED, "state.in_use", NULL);
    rw_journal_close(first);
    assert_ok(open_journal(w, "0", &second, &err));
    rw_journal_close(second);
}

static void test_no_folder(void **state) {
    world *w = *state;
    rw_error err = {0};
    rw_journal *journal;
    snprintf(w->path, sizeof w->path, "/tmp/rw-no-such-folder-%d/state", (int)getpid());
    assert_int_equal(open_journal(w, "0", &journal, &err), RW_ERR_IO);
    assert_string_equal(err.code, "state.open");
}

/* What a budget cut away stays cut away when the run goes on. */
static void test_cuts_stay(void **state) {
    world *w = *state;
    rw_error err = {0};
    rw_journal *journal;
    rw_scope left = {.documents = 3, .trials = 1, .length_count = 2, .retrieval_lengths = 1};
    rw_scope scope = {.documents = 4, .trials = 2, .length_count = 3, .retrieval_lengths = 3};
    double seconds = 0;
    assert_ok(open_journal(w, "0", &journal, &err));
    assert_false(rw_journal_take_cut(journal, "before", &scope, &seconds));
    assert_ok(rw_journal_note_cut(journal, "before", &left, 12.5, &err));
    rw_journal_close(journal);
    assert_ok(open_journal(w, "0", &journal, &err));
    assert_false(rw_journal_take_cut(journal, "after", &scope, &seconds));
    assert_true(rw_journal_take_cut(journal, "before", &scope, &seconds));
    assert_int_equal(scope.documents, 3);
    assert_int_equal(scope.trials, 1);
    assert_int_equal(scope.length_count, 2);
    assert_int_equal(scope.retrieval_lengths, 1);
    assert_true(seconds == 12.5);
    rw_journal_close(journal);
}

/* Numbers that are none are read again rather than remembered. */
static void test_no_numbers(void **state) {
    world *w = *state;
    rw_error err = {0};
    rw_journal *journal;
    const int32_t targets[] = {5, -1};
    double nll[] = {1.5, NAN}, back[2] = {0};
    const rw_outputs outputs = {.count = 2, .target = targets, .nll = nll};
    const rw_outputs into = {.count = 2, .target = targets, .nll = back};
    const rw_sha256 one = {{1}}, two = {{2}};
    assert_ok(open_journal(w, "0", &journal, &err));
    assert_ok(rw_journal_add(journal, &one, &outputs, &err)); /* the NaN has no target */
    nll[0] = INFINITY;
    assert_ok(rw_journal_add(journal, &two, &outputs, &err));
    rw_journal_close(journal);
    assert_ok(open_journal(w, "0", &journal, &err));
    assert_false(rw_journal_find(journal, &two, &into));
    assert_true(rw_journal_find(journal, &one, &into));
    assert_true(back[0] == 1.5 && isnan(back[1]));
    assert_false(rw_journal_find(journal, &one, &into)); /* each read answers once */
    rw_journal_close(journal);
}

/* What was read at one length, or under one rotation, is no answer at another. */
static void test_keys(void **state) {
    world *w = *state;
    rw_error err = {0};
    const rw_work expected = {0};
    static const struct {
        const char *side;
        size_t length;
        bool known;
    } rows[] = {{"before", 100, false}, {"before", 200, false}, {"after", 100, false},
                {"before", 100, true},  {"before", 200, true},  {"after", 100, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rw_journal *journal;
        rw_journal_scorer scorer;
        rw_meter meter;
        double nll[8];
        const int32_t *tokens = w->corpus.documents[0].tokens;
        const rw_outputs outputs = {.count = 8, .target = tokens + 1, .nll = nll};
        w->fake = (fake_model){.base = 1};
        rw_scorer inner = fake_scorer(&w->fake);
        rw_meter_init(&meter, w->ctx, &inner, &expected, rw_now(), 0);
        assert_ok(open_journal(w, "0", &journal, &err));
        assert_ok(rw_journal_scorer_init(&scorer, journal, rows[i].side, &meter, &err));
        assert_ok(rw_scorer_read(&scorer.scorer, tokens, 9, rows[i].length, &outputs, &err));
        assert_int_equal(w->fake.tokens, rows[i].known ? 0 : 9);
        assert_true(meter.done.tokens == 9);
        rw_journal_scorer_free(&scorer);
        rw_journal_close(journal);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stopped_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_part_of_a_document, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cuts_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
