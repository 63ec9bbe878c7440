/*
 * Going on after an interruption, on a scorer without a model: stopped at any read, a measurement
 * that goes on ends in the same bytes and reads nothing twice that it knew; what was changed in the
 * file, or belongs to another measurement, is refused.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

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
    char path[64], cache[80];
    uint64_t keep_from;   /* 0: as it is */
    const char *sides[2]; /* measured one after the other; NULL: one */
    uint64_t tokens_read; /* as the measurements tell */
    unsigned warnings;
    bool save_cancelled;
    size_t row_bytes;
} world;

static void count_warnings(void *user, rw_severity severity, const char *line) {
    world *w = user;
    (void)line;
    w->warnings += severity == RW_WARNING;
}

static int set_up(void **state) {
    world *w = calloc(1, sizeof *w);
    rw_error err = {0};
    rw_context_options with = {
        .struct_size = sizeof with, .threads = 2, .user = w, .log = count_warnings};
    assert_ok(rw_context_create(&with, &w->ctx, &err));
    w->tokenizer = test_tokenizer(w->ctx);
    w->corpus = test_corpus(w->ctx, counts, DOCUMENTS);
    snprintf(w->path, sizeof w->path, "/tmp/rw-journal-%d.state", (int)getpid());
    snprintf(w->cache, sizeof w->cache, "%s.cache", w->path);
    unlink(w->path);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    world *w = *state;
    unlink(w->path);
    unlink(w->cache);
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

static bool measure_side(world *w, const char *side, rw_journal *journal, rw_buf *out) {
    rw_error err = {0};
    rw_scope scope;
    rw_measurement *m = NULL;
    rw_scorer scorer = fake_scorer(&w->fake);
    const rw_subject subject = {.native = NATIVE, .context = CONTEXT};
    assert_ok(rw_scope_make(&subject, &w->corpus, &options, &scope, &err));
    const rw_making making = {.scope = &scope,
                              .scorer = &scorer,
                              .tokenizer = w->tokenizer,
                              .corpus = &w->corpus,
                              .options = &options,
                              .journal = journal,
                              .side = side};
    assert_ok(rw_measurement_make(w->ctx, &making, &m, &err));
    rw_json_writer writer = {.out = out, .indent = 1};
    rw_json_begin_object(&writer);
    rw_measurement_write(&writer, m);
    rw_json_end_object(&writer);
    bool interrupted = rw_measurement_interrupted(m);
    w->tokens_read += m->tokens_read;
    rw_measurement_free(m);
    return interrupted;
}

/* The measurement's JSON in `out`; it is cancelled at append `stop` (0: runs to its end). */
static bool measure(world *w, bool journaled, uint64_t stop, rw_buf *out) {
    rw_error err = {0};
    rw_journal *journal = NULL;
    w->fake = (fake_model){.base = 1.1, .slope = 1e-4 / 3, .beyond = 0.25, .native = NATIVE};
    w->fake.remembers = w->fake.mixes = true;
    w->fake.cancelled_at = stop;
    w->fake.save_cancelled = w->save_cancelled;
    w->fake.row_bytes = w->row_bytes;
    w->tokens_read = 0;
    *out = (rw_buf){.ctx = w->ctx};
    if (journaled)
        assert_ok(open_journal(w, "0", &journal, &err));
    if (journaled && w->keep_from)
        rw_journal_kept(journal)->least = w->keep_from;
    bool interrupted = measure_side(w, w->sides[0], journal, out);
    if (w->sides[1] && !interrupted)
        interrupted = measure_side(w, w->sides[1], journal, out);
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

/* ---- rows that are kept ---------------------------------------------------------------------- */

enum { KEEP_FROM = 2400 };

static bool is_there(const char *path) {
    return access(path, F_OK) == 0;
}

/* Stopped at each of the first reads, and at some of the rest: only the piece that was cut, and
   those whose rows were not kept yet, are read twice. Of the end of a sequence nothing is kept. */
static void stop_anywhere(world *w, uint64_t step) {
    rw_buf whole, text;
    w->keep_from = KEEP_FROM;
    assert_false(measure(w, false, 0, &whole));
    uint64_t appends = w->fake.appends, tokens = w->fake.tokens, restored = 0;
    for (uint64_t stop = 1; stop <= appends; stop += stop < 12 ? 1 : step) {
        unlink(w->path);
        assert_true(measure(w, true, stop, &text));
        uint64_t read = w->fake.tokens;
        rw_buf_free(&text);
        bool kept = is_there(w->cache);
        assert_false(measure(w, true, 0, &text));
        assert_same(&whole, &text);
        rw_buf_free(&text);
        assert_true(kept || w->fake.restored == 0);
        assert_int_equal(w->tokens_read, tokens);
        assert_true(read + w->fake.tokens <= tokens + RW_READ_PIECE);
        assert_false(is_there(w->cache));
        restored += w->fake.restored;
    }
    assert_true(restored > 0);
    assert_int_equal(w->warnings, 0);
    rw_buf_free(&whole);
}

static void test_kept_anywhere(void **state) {
    stop_anywhere(*state, 9);
}

/* The rows of the second measurement outlive the first one, which is known by then. */
static void test_kept_of_both_sides(void **state) {
    world *w = *state;
    w->sides[0] = "before";
    w->sides[1] = "after";
    stop_anywhere(w, 29);
}

static void test_short_ones_are_not_kept(void **state) {
    world *w = *state;
    rw_buf text;
    assert_false(measure(w, true, 0, &text));
    assert_int_equal(w->fake.saved, 0);
    rw_buf_free(&text);
    unlink(w->path);
    w->keep_from = CONTEXT + 1;
    assert_false(measure(w, true, 0, &text));
    assert_int_equal(w->fake.saved, 0);
    rw_buf_free(&text);
    unlink(w->path);
    w->keep_from = CONTEXT;
    assert_false(measure(w, true, 0, &text));
    assert_true(w->fake.saved > 0 && w->fake.saved % (2 * RW_READ_PIECE) == 0);
    rw_buf_free(&text);
}

static void copy_file(world *w, const char *from, const char *to) {
    rw_error err = {0};
    rw_buf bytes = {.ctx = w->ctx};
    assert_ok(rw_file_load(w->ctx, from, 1u << 26, &bytes, &err));
    unlink(to);
    assert_ok(rw_file_write(w->ctx, to, (rw_str){bytes.data, bytes.size}, &err));
    rw_buf_free(&bytes);
}

/* What may have become of the side file, and how many positions of it are still good. */
typedef struct damage {
    const char *name;
    void (*do_to)(const char *path);
    uint64_t good, warnings;
} damage;

enum { ROWS = RW_READ_PIECE * FAKE_ROW_BYTES, SIDE_HEADER = 65 };

static void flip(const char *path, long at) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    int c = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    fputc(c ^ 4, file);
    fclose(file);
}

static void leave_alone(const char *path) {
    (void)path;
}
static void flip_first(const char *path) {
    flip(path, SIDE_HEADER + 70000);
}
static void flip_second(const char *path) {
    flip(path, SIDE_HEADER + ROWS + 70000);
}
static void flip_header(const char *path) {
    flip(path, 3);
}
static void cut_second(const char *path) {
    assert_int_equal(truncate(path, SIDE_HEADER + ROWS + 70000), 0);
}
static void cut_header(const char *path) {
    assert_int_equal(truncate(path, 9), 0);
}
static void add_bytes(const char *path) {
    FILE *file = fopen(path, "ab");
    for (int i = 0; i < 100000; i++)
        fputc(i, file);
    fclose(file);
}
static void another_folder(const char *path) {
    unlink(path);
    assert_int_equal(mkdir(path, 0777), 0);
}
/* An empty file could be ours. */
static void a_link(const char *path) {
    char target[112];
    snprintf(target, sizeof target, "%s.copy.target", path);
    FILE *file = fopen(target, "w");
    assert_non_null(file);
    fclose(file);
    unlink(path);
    assert_int_equal(symlink(target, path), 0);
}
static void remove_it(const char *path) {
    unlink(path);
}

/* It costs time, never a result; and what is not ours is not written to. */
static void test_damage(void **state) {
    static const damage rows[] = {{"none", leave_alone, 2 * RW_READ_PIECE, 0},
                                  {"more behind", add_bytes, 2 * RW_READ_PIECE, 0},
                                  {"first part", flip_first, 0, 0},
                                  {"second part", flip_second, RW_READ_PIECE, 0},
                                  {"cut", cut_second, RW_READ_PIECE, 0},
                                  {"header cut", cut_header, 0, 0},
                                  {"missing", remove_it, 0, 0},
                                  {"not ours", flip_header, 0, 1},
                                  {"a folder", another_folder, 0, 1},
                                  {"a link", a_link, 0, 1}};
    world *w = *state;
    rw_buf whole, text;
    char state_copy[96], cache_copy[96], target[112];
    snprintf(state_copy, sizeof state_copy, "%s.copy", w->path);
    snprintf(cache_copy, sizeof cache_copy, "%s.copy", w->cache);
    snprintf(target, sizeof target, "%s.target", cache_copy);
    w->keep_from = CONTEXT;
    w->row_bytes = FAKE_ROW_BYTES;
    assert_false(measure(w, false, 0, &whole));
    assert_true(measure(w, true, 3, &text)); /* the first document, in its third piece */
    rw_buf_free(&text);
    copy_file(w, w->path, state_copy);
    copy_file(w, w->cache, cache_copy);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        copy_file(w, state_copy, w->path);
        copy_file(w, cache_copy, w->cache);
        rows[i].do_to(w->cache);
        w->warnings = 0;
        assert_false(measure(w, true, 0, &text));
        assert_same(&whole, &text);
        rw_buf_free(&text);
        if (w->fake.restored != rows[i].good || w->warnings != rows[i].warnings)
            fail_msg("%s: %d positions restored, %u warnings", rows[i].name, (int)w->fake.restored,
                     w->warnings);
        assert_int_equal(is_there(w->cache), rows[i].warnings);
        if (is_there(target)) {
            struct stat info;
            assert_int_equal(stat(target, &info), 0);
            assert_int_equal(info.st_size, 0);
            unlink(target);
        }
        unlink(w->cache);
        rmdir(w->cache);
    }
    unlink(state_copy);
    unlink(cache_copy);
    rw_buf_free(&whole);
}

/* The rows of another sequence are no good, even where they are whole; and a line about them that
   makes no sense is as none. */
static void test_rows_of_something_else(void **state) {
    world *w = *state;
    rw_error err = {0};
    rw_journal *journal;
    rw_buf whole, text;
    w->keep_from = KEEP_FROM;
    assert_false(measure(w, false, 0, &whole));
    assert_true(measure(w, true, 3, &text));
    rw_buf_free(&text);
    assert_ok(open_journal(w, "0", &journal, &err));
    assert_int_equal(rw_journal_kept(journal)->count, 2);
    rw_part part = rw_journal_kept(journal)->parts[0];
    part.key[5] = part.key[5] == 'a' ? 'b' : 'a';
    assert_ok(rw_journal_add_part(journal, &part, &err)); /* from 0: a sequence of its own */
    assert_int_equal(rw_journal_kept(journal)->count, 1);
    rw_journal_close(journal);
    assert_false(measure(w, true, 0, &text));
    assert_same(&whole, &text);
    assert_int_equal(w->fake.restored, 0);
    rw_buf_free(&text);
    assert_ok(open_journal(w, "0", &journal, &err));
    static const rw_part odd[] = {{.from = 100, .to = 200, .bytes = 9},
                                  {.from = 0, .to = 0, .bytes = 9},
                                  {.from = 0, .to = 9, .bytes = UINT64_MAX},
                                  {.from = UINT64_MAX, .to = 9, .bytes = 9}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_ok(rw_kept_list(rw_journal_kept(journal), &odd[i], &err));
        assert_int_equal(rw_journal_kept(journal)->count, 0);
    }
    rw_journal_close(journal);
    rw_buf_free(&whole);
}

/* The disk is full: said once, and the measurement goes on to the same end. */
static void test_no_room(void **state) {
    world *w = *state;
    struct rlimit old, small;
    rw_buf whole, text;
    w->keep_from = KEEP_FROM;
    w->row_bytes = FAKE_ROW_BYTES; /* so that the journal is much smaller */
    assert_false(measure(w, false, 0, &whole));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = ROWS + 900000; /* the first part fits */
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool interrupted = measure(w, true, 0, &text);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, before);
    assert_false(interrupted);
    assert_same(&whole, &text);
    assert_int_equal(w->warnings, 1);
    assert_int_equal(w->fake.saved, RW_READ_PIECE);
    assert_false(is_there(w->cache)); /* its room is given back */
    rw_buf_free(&text);
    rw_buf_free(&whole);
}

/* Stopped while rows are being written. */
static void test_stopped_while_writing(void **state) {
    world *w = *state;
    rw_buf whole, text;
    w->keep_from = KEEP_FROM;
    assert_false(measure(w, false, 0, &whole));
    w->save_cancelled = true;
    assert_true(measure(w, true, 0, &text));
    rw_buf_free(&text);
    w->save_cancelled = false;
    assert_false(measure(w, true, 0, &text));
    assert_same(&whole, &text);
    rw_buf_free(&text);
    rw_buf_free(&whole);
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
        cmocka_unit_test_setup_teardown(test_kept_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kept_of_both_sides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_ones_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_of_something_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopped_while_writing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
