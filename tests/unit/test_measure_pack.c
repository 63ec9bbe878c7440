/*
 * Packs: what a reader refuses and on which line, what counts as an answer, which bins items fall
 * into, and what a model's answers come to; on a scorer without a model.
 */
#include "measure/judge.h"
#include "measure/pack.h"
#include "measure_support.h"

#define SAMPLE RW_SOURCE_DIR "/tests/data/pack_sample.jsonl"

typedef struct pack_test {
    rw_context *ctx;
    rw_tokenizer *tokenizer;
    rw_corpus corpus;
    rw_arena arena;
} pack_test;

static const size_t counts[] = {2200, 2200, 2200};

static int set_up(void **state) {
    pack_test *test = calloc(1, sizeof *test);
    test->ctx = test_context();
    test->tokenizer = test_tokenizer(test->ctx);
    test->corpus = test_corpus(test->ctx, counts, 3);
    test->arena.ctx = test->ctx;
    *state = test;
    return 0;
}

static int tear_down(void **state) {
    pack_test *test = *state;
    rw_arena_free(&test->arena);
    rw_corpus_free(&test->corpus);
    rw_tokenizer_free(test->tokenizer);
    rw_context_free(test->ctx);
    remove(test_data_file("", 0));
    free(test);
    return 0;
}

static rw_status read_text(const pack_test *test, const char *text, rw_pack **out, rw_error *err) {
    return rw_pack_read(test->ctx, test_data_file(text, strlen(text)), test->tokenizer, out, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

#define GOOD                                                                                       \
    "{\"id\":\"a\",\"type\":\"qa\",\"match\":\"any\",\"context\":\"x is y\",\"answers\":[\"y\"]}"
#define ITEM(rest) "{\"id\":\"b\"," rest "}"
#define QA(rest) ITEM("\"type\":\"qa\",\"context\":\"x is y\"," rest)

typedef struct bad_row {
    const char *text, *code, *line;
} bad_row;

static const bad_row bad_rows[] = {
    {"", "pack.empty", ""},
    {"{\"pack\":\"p\"}\n", "pack.empty", ""},
    {GOOD "\n" GOOD "\n", "pack.duplicate_id", ":2"},
    {GOOD "\n{\"id\":\"c\",\n", "pack.syntax", ":2"},
    {GOOD "\n\n{\"id\":\"\xff\"}\n", "pack.utf8", ":3"},
    {"[1]\n", "pack.type", ":1"},
    {GOOD "\n{\"pack\":\"late\"}\n", "pack.type", ":2"},
    {"{\"pack\":\"p\",\"version\":2}\n", "pack.range", ":1"},
    {"{\"pack\":7}\n", "pack.type", ":1"},
    {"{\"type\":\"qa\"}\n", "pack.missing", ":1"},
    {"{\"id\":\"\",\"type\":\"qa\"}\n", "pack.empty", ":1"},
    {ITEM("\"match\":\"any\""), "pack.missing", ":1"},
    {ITEM("\"type\":\"poem\",\"match\":\"any\""), "pack.unknown", ":1"},
    {QA("\"match\":\"near\",\"answers\":[\"y\"]"), "pack.unknown", ":1"},
    {QA("\"answers\":[\"y\"]"), "pack.missing", ":1"},
    {QA("\"match\":\"choice\",\"answers\":[\"y\"]"), "pack.match", ":1"},
    {ITEM("\"type\":\"choice\",\"match\":\"any\",\"context\":\"x\",\"answers\":[\"y\"]"),
     "pack.match", ":1"},
    {ITEM("\"type\":\"lm\",\"match\":\"f1\",\"context\":\"x\",\"answers\":[\"y\"]"), "pack.match",
     ":1"},
    {QA("\"match\":\"any\""), "pack.missing", ":1"},
    {QA("\"match\":\"any\",\"answers\":\"y\""), "pack.type", ":1"},
    {QA("\"match\":\"any\",\"answers\":[]"), "pack.answer", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"\"]"), "pack.answer", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\",\" \\n\"]"), "pack.answer", ":1"},
    {QA("\"match\":\"any\",\"answers\":[7]"), "pack.type", ":1"},
    {QA("\"match\":\"regex\",\"answers\":[\"(y\"]"), "pack.regex", ":1"},
    {QA("\"match\":\"regex\",\"answers\":[\"((a{1,99}){1,99}){1,99}\"]"), "pack.regex", ":1"},
    {QA("\"match\":\"regex\",\"answers\":[\"(a*)*\\\\1\"]"), "pack.regex", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"question\":7"), "pack.type", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"max_tokens\":0"), "pack.range", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"max_tokens\":1.5"), "pack.type", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"evidence\":[[0,7]]"), "pack.range", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"evidence\":[[3,3]]"), "pack.range", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"evidence\":[3]"), "pack.range", ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"evidence\":{}"), "pack.type", ":1"},
    {ITEM("\"type\":\"qa\",\"match\":\"any\",\"answers\":[\"y\"]"), "pack.missing", ":1"},
    {ITEM("\"type\":\"qa\",\"match\":\"any\",\"answers\":[\"y\"],\"context\":\"\""), "pack.empty",
     ":1"},
    {QA("\"match\":\"any\",\"answers\":[\"y\"],\"context_file\":\"f\""), "pack.missing", ":1"},
    {ITEM("\"type\":\"qa\",\"match\":\"any\",\"answers\":[\"y\"],\"context_file\":\"/etc/hosts\""),
     "pack.file", ":1"},
    {ITEM("\"type\":\"qa\",\"match\":\"any\",\"answers\":[\"y\"],\"context_file\":\"a/../../b\""),
     "pack.file", ":1"},
    {ITEM("\"type\":\"qa\",\"match\":\"any\",\"answers\":[\"y\"],\"context_file\":\"not-there\""),
     "file.missing", ":1"},
    {ITEM("\"type\":\"choice\",\"match\":\"choice\",\"context\":\"x\",\"answers\":[\"y\"]"),
     "pack.missing", ":1"},
    {ITEM("\"type\":\"choice\",\"match\":\"choice\",\"context\":\"x\",\"answers\":[\"y\"],"
          "\"choices\":[\"y\"]"),
     "pack.choice", ":1"},
    {ITEM("\"type\":\"choice\",\"match\":\"choice\",\"context\":\"x\",\"answers\":[\"y\"],"
          "\"choices\":[\"a\",\"b\"]"),
     "pack.choice", ":1"},
    {ITEM("\"type\":\"choice\",\"match\":\"choice\",\"context\":\"x\",\"answers\":[\"y\"],"
          "\"choices\":[\"y\",\"y\"]"),
     "pack.choice", ":1"},
    {ITEM("\"type\":\"passkey\",\"depth\":0.5"), "pack.missing", ":1"},
    {ITEM("\"type\":\"passkey\",\"length\":512"), "pack.range", ":1"},
    {ITEM("\"type\":\"passkey\",\"length\":512,\"depth\":1.5"), "pack.range", ":1"},
    {ITEM("\"type\":\"passkey\",\"length\":512,\"depth\":0.5,\"match\":\"any\""), "pack.match",
     ":1"},
};

static void test_bad(void **state) {
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        const bad_row *row = &bad_rows[i];
        rw_error err = {0};
        rw_pack *pack = NULL;
        rw_status status = read_text(*state, row->text, &pack, &err);
        if (status != RW_ERR_INPUT || strcmp(err.code, row->code) != 0 ||
            !strstr(err.where, row->line))
            fail_msg("row %zu: status %d, %s at %s: %s", i, (int)status, err.code, err.where,
                     err.message);
        assert_null(pack);
    }
}

static void test_sample(void **state) {
    const pack_test *test = *state;
    rw_error err = {0};
    rw_pack *pack = NULL;
    size_t types[RW_PACK_TYPES] = {0}, matches[RW_PACK_MATCHES] = {0};
    assert_ok(rw_pack_read(test->ctx, SAMPLE, test->tokenizer, &pack, &err));
    assert_string_equal(pack->name, "sample");
    assert_string_equal(pack->license, "PSF-2.0 AND PostgreSQL");
    assert_int_equal(pack->diagnostics.count, 0);
    for (size_t i = 0; i < pack->count; i++) {
        types[pack->items[i].type]++;
        matches[pack->items[i].match]++;
        assert_int_equal(pack->items[i].line, i + 2);
        assert_true(pack->items[i].length <= 2048);
    }
    for (size_t i = 0; i < RW_PACK_TYPES; i++)
        assert_true(types[i] > 0);
    for (size_t i = 0; i < RW_PACK_MATCHES; i++)
        assert_true(matches[i] > 0);
    rw_pack_free(pack);
}

/* Lengths are the model's tokens, the answer's room included; the control lacks the context. */
static void test_tokens(void **state) {
    const pack_test *test = *state;
    static const char text[] =
        QA("\"match\":\"any\",\"answers\":[\"y\"],\"question\":\"What is x?\",\"stem\":\"It is\","
           "\"max_tokens\":7,\"evidence\":[[5,6]],\"min_tokens\":100,\"colour\":1") "\n";
    rw_error err = {0};
    rw_pack *pack = NULL;
    rw_buf whole = {.ctx = test->ctx}, closed = {.ctx = test->ctx};
    assert_ok(read_text(test, text, &pack, &err));
    const rw_pack_item *item = &pack->items[0];
    assert_ok(rw_tokenizer_decode(test->tokenizer, item->prompt.ids, item->prompt.count, 0, &whole,
                                  &err));
    assert_ok(rw_tokenizer_decode(test->tokenizer, item->closed.ids, item->closed.count, 0, &closed,
                                  &err));
    assert_string_equal(whole.data, "x is y\n\nWhat is x?\nIt is");
    assert_string_equal(closed.data, "What is x?\nIt is");
    assert_int_equal(item->reserve, 7);
    assert_int_equal(item->length, item->prompt.count + 7);
    assert_true(fabs(item->depth - 5.5 / 6) < 1e-12);
    assert_int_equal(pack->diagnostics.count, 2); /* unknown member, min_tokens */
    rw_buf_free(&whole);
    rw_buf_free(&closed);
    rw_pack_free(pack);
}

/* Spans may overlap and come in any order; they are counted in characters, not bytes. */
static void test_evidence_is_removed(void **state) {
    const pack_test *test = *state;
    static const struct {
        const char *item, *removed;
    } rows[] = {
        {QA("\"match\":\"any\",\"answers\":[\"y\"],\"stem\":\"x is\",\"evidence\":[[5,6]]"),
         "x is x is"},
        {ITEM("\"type\":\"lm\",\"match\":\"exact\",\"answers\":[\"y\"],\"evidence\":[[4,6],[0,1],"
              "[5,7]],\"context\":\"\u00e9a\u00e9bcdefg\""),
         "a\u00e9bfg"},
        {QA("\"match\":\"any\",\"answers\":[\"y\"]"), NULL},
        {QA("\"match\":\"regex\",\"answers\":[\"y\"],\"evidence\":[[5,6]]"), NULL},
        {QA("\"match\":\"any\",\"answers\":[\"y\"],\"evidence\":[[0,6]]"), NULL}, /* nothing left */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rw_error err = {0};
        rw_pack *pack = NULL;
        rw_buf text = {.ctx = test->ctx};
        assert_ok(read_text(test, rows[i].item, &pack, &err));
        const rw_pack_item *item = &pack->items[0];
        assert_int_equal(item->removed.count > 0, rows[i].removed != NULL);
        assert_int_equal(item->probe.count > 0, rows[i].removed != NULL);
        assert_ok(rw_tokenizer_decode(test->tokenizer, item->removed.ids, item->removed.count, 0,
                                      &text, &err));
        if (rows[i].removed)
            assert_string_equal(text.data, rows[i].removed);
        rw_buf_free(&text);
        rw_pack_free(pack);
    }
}

static void test_context_file(void **state) {
    const pack_test *test = *state;
    static const char good[] = /* SHA-256 of "x is y" */
        ITEM("\"type\":\"qa\",\"match\":\"any\",\"answers\":[\"y\"],\"context_file\":\"%s\","
             "\"sha256\":\"%s\"");
    char path[80], name[64], hex[65], text[400];
    rw_error err = {0};
    rw_pack *pack = NULL;
    rw_sha256 digest;
    snprintf(name, sizeof name, "rw-pack-context-%d", (int)getpid());
    snprintf(path, sizeof path, "/tmp/%s", name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("x is y", file);
    fclose(file);
    assert_ok(rw_sha256_bytes(test->ctx, rw_str_of("x is y"), &digest, &err));
    rw_sha256_hex(&digest, hex);
    snprintf(text, sizeof text, good, name, hex);
    assert_ok(read_text(test, text, &pack, &err));
    assert_true(pack->items[0].prompt.count > 0);
    rw_pack_free(pack);
    hex[5] = hex[5] == '0' ? '1' : '0';
    snprintf(text, sizeof text, good, name, hex);
    assert_int_equal(read_text(test, text, &pack, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "pack.sha256");
    remove(path);
}

/* ---- matching -------------------------------------------------------------------------------- */

typedef struct match_row {
    rw_pack_match match;
    const char *said, *first, *second;
    double score;
} match_row;

static void test_matches(void **state) {
    pack_test *test = *state;
    static const match_row rows[] = {
        {RW_MATCH_EXACT, "  Forty-Two.\t", "forty-two", NULL, 1},
        {RW_MATCH_EXACT, "\"A\"", "a", NULL, 1},
        {RW_MATCH_EXACT, "-5", "5", NULL, 0},
        {RW_MATCH_EXACT, "1.5", "15", NULL, 0},
        {RW_MATCH_EXACT, "forty two", "forty-two", "forty  TWO", 1},
        {RW_MATCH_EXACT, "it is forty-two", "forty-two", NULL, 0},
        {RW_MATCH_EXACT, "", "forty-two", NULL, 0},
        {RW_MATCH_ANY, "I think it is PARIS, France", "london", "paris", 1},
        {RW_MATCH_ANY, "new\n york", "New York", NULL, 1},
        {RW_MATCH_ANY, "pari", "paris", NULL, 0},
        {RW_MATCH_ANY, "", "paris", NULL, 0},
        {RW_MATCH_ALL, "one and two", "one", "two", 1},
        {RW_MATCH_ALL, "one and three", "one", "two", 0.5},
        {RW_MATCH_ALL, "", "one", "two", 0},
        {RW_MATCH_REGEX, "code 12345!", "[0-9]{5}", NULL, 1},
        {RW_MATCH_REGEX, "code 1234!", "^x$", "[0-9]{5}", 0},
        {RW_MATCH_REGEX, "Code", "code", NULL, 0},
        {RW_MATCH_F1, "the quick fox", "quick brown fox", NULL, 2.0 / 3},
        {RW_MATCH_F1, "fox fox fox", "quick fox", NULL, 0.4},
        {RW_MATCH_F1, "cat", "dog", "the cat", 2.0 / 3},
        {RW_MATCH_F1, "", "dog", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const match_row *row = &rows[i];
        const rw_str answers[] = {rw_str_of(row->first), rw_str_of(row->second)};
        rw_error err = {0};
        double score = NAN;
        assert_ok(rw_pack_score(&test->arena, row->match, answers, row->second ? 2 : 1,
                                rw_str_of(row->said), &score, &err));
        if (!(fabs(score - row->score) < 1e-12))
            fail_msg("row %zu: %s", i, row->said);
    }
}

/* ---- bins ------------------------------------------------------------------------------------ */

static void check_edges(size_t native, size_t context, const size_t *edges, size_t expected) {
    rw_pack_bin bins[RW_PACK_BINS_MAX];
    size_t count = rw_pack_bin_edges(native, context, bins);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(bins[i].from, i ? edges[i - 1] : 0);
        assert_int_equal(bins[i].to, edges[i]);
    }
}

static void test_edges(void **state) {
    (void)state;
    check_edges(512, 2048, (size_t[]){512, 1024, 2048}, 3);
    check_edges(512, 1536, (size_t[]){512, 1024, 1536}, 3);
    check_edges(512, 512, (size_t[]){512}, 1);
    check_edges(512, 300, (size_t[]){300}, 1);
    check_edges(0, 4096, (size_t[]){4096}, 1);
    check_edges(512, 513, (size_t[]){512, 513}, 2);
    rw_pack_bin bins[RW_PACK_BINS_MAX];
    size_t count = rw_pack_bin_edges(1, (size_t)1 << 60, bins);
    assert_int_equal(count, RW_PACK_BINS_MAX);
    assert_int_equal(bins[count - 1].to, (size_t)1 << 60);
}

/* A length at an edge belongs to the bin below it. */
static void test_counting(void **state) {
    (void)state;
    rw_pack_result results[] = {
        {.length = 512, .outcome = RW_PACK_RIGHT},
        {.length = 513, .outcome = RW_PACK_WRONG},
        {.length = 1024, .outcome = RW_PACK_CLOSED_BOOK},
        {.length = 1025, .outcome = RW_PACK_RIGHT},
        {.length = 2048, .outcome = RW_PACK_UNREAD},
        {.length = 2049, .outcome = RW_PACK_UNREAD},
        {.length = 2048, .outcome = RW_PACK_NO_ROOM},
        {.length = 9999, .outcome = RW_PACK_TOO_LONG},
    };
    rw_pack_run run = {.native = 512, .context = 2048, .results = results, .count = 8};
    rw_pack_count(&run);
    assert_int_equal(run.bin_count, 3);
    assert_int_equal(run.bins[0].items, 1);
    assert_int_equal(run.bins[1].items, 1);
    assert_int_equal(run.bins[1].closed_book, 1);
    assert_int_equal(run.bins[2].items, 1);
    assert_int_equal(run.bins[2].right, 1);
    assert_int_equal(run.bins[2].unread, 1);
    assert_int_equal(run.bins[2].no_room, 1);
    assert_int_equal(run.too_long, 2);
    const rw_pack_bin beyond = rw_pack_total(&run, 512, 2048);
    assert_int_equal(beyond.items, 2);
    assert_int_equal(beyond.right, 1);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Says `open` after a prompt that holds more than `context_from` tokens, else `closed`; when
   forced, likes targets that stand in `liked`. */
typedef struct script {
    const rw_tokenizer *tokenizer;
    int32_t *open, *closed;
    size_t open_count, closed_count, context_from;
    const int32_t *saying;
    size_t said, say_count;
    int32_t liked[8];
    size_t liked_count;
    bool forced_right;
    int32_t needs; /* likes nothing behind a prompt without this token; 0: it does not matter */
    bool has_needed;
    uint64_t sequences, stop_after; /* 0: never */
} script;

static rw_status script_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    script *s = scorer->user;
    (void)length;
    s->said = 0;
    s->saying = NULL;
    if (s->stop_after && s->sequences >= s->stop_after)
        return rw_fail(err, RW_ERR_TIME, "test.time", "", "as planned");
    s->sequences++;
    return RW_OK;
}

static double script_nll(const script *s, int32_t target) {
    for (size_t i = 0; i < s->liked_count; i++)
        if (s->liked[i] == target && s->has_needed)
            return 0.1;
    return 1;
}

static rw_status script_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                               const rw_outputs *outputs, rw_error *err) {
    script *s = scorer->user;
    (void)err;
    s->has_needed = !s->needs;
    for (size_t i = 0; i < count; i++)
        s->has_needed = s->has_needed || tokens[i] == s->needs;
    if (!s->saying) {
        bool open = count > s->context_from;
        s->saying = open ? s->open : s->closed;
        s->say_count = open ? s->open_count : s->closed_count;
    }
    for (size_t i = 0; outputs && i < outputs->count; i++) {
        bool forced = outputs->target != NULL;
        assert_true(outputs->first + i < count);
        if (forced && outputs->nll)
            outputs->nll[i] = script_nll(s, outputs->target[i]);
        if (forced && outputs->argmax)
            outputs->argmax[i] = outputs->target[i] + !s->forced_right;
        if (!forced)
            outputs->argmax[i] = s->said < s->say_count ? s->saying[s->said++]
                                                        : (int32_t)rw_tokenizer_eos(s->tokenizer);
    }
    return RW_OK;
}

static rw_scorer script_scorer(script *s) {
    return (rw_scorer){.user = s,
                       .begin = script_begin,
                       .append = script_append,
                       .cost = fake_cost,
                       .window_bos = -1};
}

static void write_script(const pack_test *test, script *s, const char *open, const char *closed) {
    rw_error err = {0};
    *s = (script){.tokenizer = test->tokenizer, .context_from = 25};
    assert_ok(
        rw_tokenizer_encode(test->tokenizer, rw_str_of(open), 0, &s->open, &s->open_count, &err));
    assert_ok(rw_tokenizer_encode(test->tokenizer, rw_str_of(closed), 0, &s->closed,
                                  &s->closed_count, &err));
}

static void free_script(const pack_test *test, script *s) {
    rw_free(test->ctx, s->open);
    rw_free(test->ctx, s->closed);
}

#define LONG_CONTEXT                                                                               \
    "\"context\":\"The lake lies in the hills, and the town on its shore is called Elm. It has a " \
    "church, a school, a market and a bridge that was built long ago by two brothers.\","          \
    "\"question\":\"What is it called?\",\"stem\":\"It is called\","

static rw_pack_run asked(pack_test *test, const char *text, script *s, size_t context) {
    rw_error err = {0};
    rw_pack *pack = NULL;
    rw_pack_run run;
    rw_scorer scorer = script_scorer(s);
    const rw_pack_setting setting = {
        .native = 512, .context = context, .corpus = &test->corpus, .tokenizer = test->tokenizer};
    assert_ok(read_text(test, text, &pack, &err));
    assert_ok(rw_pack_begin(&test->arena, pack, &setting, &run, &err));
    rw_status status = rw_pack_answer(&test->arena, pack, &setting, &scorer, &run, &err);
    assert_true(status == RW_OK || status == RW_ERR_TIME);
    rw_pack_count(&run);
    rw_pack_free(pack);
    return run;
}

static void check_said(pack_test *test, const char *match, const char *open, const char *closed,
                       rw_pack_outcome expected, const char *said) {
    char text[600];
    script s;
    snprintf(text, sizeof text,
             ITEM("\"type\":\"qa\"," LONG_CONTEXT "\"match\":\"%s\",\"answers\":[\"Elm\"]"), match);
    write_script(test, &s, open, closed);
    rw_pack_run run = asked(test, text, &s, 512);
    if (run.results[0].outcome != expected)
        fail_msg("%s, \"%s\": %s", match, open, rw_pack_outcome_name(run.results[0].outcome));
    assert_string_equal(run.results[0].said, said);
    assert_true(run.results[0].controlled);
    free_script(test, &s);
}

static void test_generated(void **state) {
    pack_test *test = *state;
    check_said(test, "exact", " Elm.\nand more", " Oak\n", RW_PACK_RIGHT, "Elm.");
    check_said(test, "exact", "\n\nElm\nand", " Oak", RW_PACK_RIGHT, "Elm");
    check_said(test, "exact", " the town Elm\n", " Oak", RW_PACK_WRONG, "the town Elm");
    check_said(test, "any", " the town Elm\nnow", " Oak", RW_PACK_RIGHT, " the town Elm\nnow");
    check_said(test, "regex", " Elm", " Oak", RW_PACK_RIGHT, " Elm");
    check_said(test, "f1", " town Elm\n", " Oak", RW_PACK_RIGHT, "town Elm");
    check_said(test, "all", " Oak", "", RW_PACK_WRONG, " Oak");
    check_said(test, "any", "", "", RW_PACK_WRONG, "");
    /* right without the context too: no evidence, whatever the context adds */
    check_said(test, "any", " Elm", " Elm", RW_PACK_CLOSED_BOOK, " Elm");
    check_said(test, "any", " Oak", " Elm", RW_PACK_CLOSED_BOOK, " Oak");
}

/* No more is written than there is room for. */
static void test_reserve(void **state) {
    pack_test *test = *state;
    script s;
    write_script(test, &s, " a b c d e f g h i j k l Elm", "");
    rw_pack_run run = asked(test,
                            ITEM("\"type\":\"qa\"," LONG_CONTEXT
                                 "\"match\":\"any\",\"answers\":[\"Elm\"],\"max_tokens\":3"),
                            &s, 512);
    assert_int_equal(run.results[0].outcome, RW_PACK_WRONG);
    assert_int_equal(s.said, 3);
    free_script(test, &s);
}

static void test_choice(void **state) {
    pack_test *test = *state;
    static const char text[] = ITEM("\"type\":\"choice\",\"match\":\"choice\"," LONG_CONTEXT
                                    "\"answers\":[\"Elm\"],\"choices\":[\"Oak\",\"Elm\",\"Fir\"]");
    rw_error err = {0};
    rw_pack *pack = NULL;
    script s;
    write_script(test, &s, "", "");
    assert_ok(read_text(test, text, &pack, &err));
    const rw_pack_tokens *elm = &pack->items[0].endings[1];
    assert_int_equal(pack->items[0].right, 1);
    /* a tie is no answer, whichever stands first */
    s.liked_count = 0;
    rw_pack_run run = asked(test, text, &s, 512);
    assert_true(run.results[0].outcome == RW_PACK_WRONG ||
                pack->items[0].endings[0].count != elm->count);
    /* liked with and without the context: closed book */
    for (size_t i = 0; i < elm->count && i < 8; i++)
        s.liked[s.liked_count++] = elm->ids[i];
    run = asked(test, text, &s, 512);
    assert_int_equal(run.results[0].outcome, RW_PACK_CLOSED_BOOK);
    assert_true(fabs(rw_share_mean(&run.results[0].answer, 1) - 0.1) < 1e-12);
    rw_pack_free(pack);
    free_script(test, &s);
}

/* The evidence is one token; behind a prompt with it the answer costs 0.1 nats a token, else 1. */
static void test_evidence_gain(void **state) {
    pack_test *test = *state;
    static const char line[] = "{\"id\":\"%zu\",\"type\":\"%s\",\"match\":\"%s\",\"context\":"
                               "\"one two three\",\"evidence\":[[4,7]],\"answers\":[\"four\"]%s}\n";
    static const char *const kinds[][3] = {{"qa", "any", ""},
                                           {"lm", "exact", ""},
                                           {"choice", "choice", ",\"choices\":[\"six\",\"four\"]"}};
    rw_error err = {0};
    rw_buf text = {.ctx = test->ctx};
    int32_t *ids = NULL;
    size_t count = 0;
    for (size_t i = 0; i < 9; i++)
        rw_buf_format(&text, line, i, kinds[i % 3][0], kinds[i % 3][1], kinds[i % 3][2]);
    for (int useful = 0; useful < 2; useful++) {
        script s;
        write_script(test, &s, " four\n", " four\n");
        s.forced_right = true;
        assert_ok(rw_tokenizer_encode(test->tokenizer, rw_str_of(" four"), 0, &ids, &count, &err));
        memcpy(s.liked, ids, (s.liked_count = count) * sizeof *ids);
        rw_free(test->ctx, ids);
        assert_ok(rw_tokenizer_encode(test->tokenizer, rw_str_of(" two"), 0, &ids, &count, &err));
        s.needs = useful ? ids[count - 1] : 0;
        rw_free(test->ctx, ids);
        rw_pack_run run = asked(test, text.data, &s, 512);
        for (size_t i = 0; i < 9; i++)
            assert_true(fabs(run.results[i].evidence_gain - (useful ? 0.9 : 0)) < 1e-12);
        assert_ok(rw_pack_weigh_evidence(test->ctx, &run, 0, &err));
        assert_int_equal(run.evidence.items, 9);
        assert_true(run.evidence.ci.defined);
        assert_int_equal(run.evidence.ci.low > 0.8, useful);
        assert_int_equal(run.evidence_long.items, 0); /* none is longer than 512 tokens */
        assert_true(isnan(run.evidence_long.gain));
        run.native = 3;
        assert_ok(rw_pack_weigh_evidence(test->ctx, &run, 0, &err));
        assert_int_equal(run.evidence_long.items, 9);
        free_script(test, &s);
    }
    rw_buf_free(&text);
}

/* Without question and stem there is nothing to ask without the context. */
static void test_forced(void **state) {
    pack_test *test = *state;
    static const char text[] = "{\"id\":\"1\",\"type\":\"lm\",\"match\":\"exact\",\"context\":"
                               "\"one two three\",\"answers\":[\"four\"]}\n"
                               "{\"id\":\"2\",\"type\":\"passkey\",\"length\":1024,\"depth\":0.5}\n"
                               "{\"id\":\"3\",\"type\":\"passkey\",\"length\":9,\"depth\":0.5}\n";
    script s;
    write_script(test, &s, "", "");
    for (int right = 0; right < 2; right++) {
        s.forced_right = right;
        rw_pack_run run = asked(test, text, &s, 1024);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(run.results[i].outcome, right ? RW_PACK_RIGHT : RW_PACK_WRONG);
            assert_false(run.results[i].controlled);
            assert_true(run.results[i].answer.count > 0);
        }
        assert_int_equal(run.results[2].outcome, RW_PACK_NO_ROOM);
        assert_int_equal(run.bins[1].items, 1);
    }
    free_script(test, &s);
}

/* An item that does not fit by one token is neither right nor wrong, and not read. */
static void test_too_long(void **state) {
    pack_test *test = *state;
    static const char text[] =
        ITEM("\"type\":\"qa\"," LONG_CONTEXT "\"match\":\"any\",\"answers\":[\"Elm\"]");
    script s;
    write_script(test, &s, " Elm", "");
    size_t length = asked(test, text, &s, 512).results[0].length;
    assert_int_equal(asked(test, text, &s, length).results[0].outcome, RW_PACK_RIGHT);
    uint64_t before = s.sequences;
    rw_pack_run run = asked(test, text, &s, length - 1);
    assert_int_equal(run.results[0].outcome, RW_PACK_TOO_LONG);
    assert_int_equal(run.too_long, 1);
    assert_int_equal(s.sequences, before);
    free_script(test, &s);
}

static void test_out_of_time(void **state) {
    pack_test *test = *state;
    static const char text[] = "{\"id\":\"1\",\"type\":\"passkey\",\"length\":900,\"depth\":0}\n"
                               "{\"id\":\"2\",\"type\":\"passkey\",\"length\":900,\"depth\":1}\n"
                               "{\"id\":\"3\",\"type\":\"passkey\",\"length\":900,\"depth\":1}\n";
    script s;
    write_script(test, &s, "", "");
    s.stop_after = 1;
    s.forced_right = true;
    rw_pack_run run = asked(test, text, &s, 1024);
    assert_int_equal(run.bins[1].right, 1);
    assert_int_equal(run.bins[1].unread, 2);
    free_script(test, &s);
}

/* ---- inside a measurement ---------------------------------------------------------------------
 */

static rw_measurement *measured(pack_test *test, rw_pack *pack, rw_scorer *scorer) {
    static const uint64_t lengths[] = {512, 2048};
    rw_error err = {0};
    rw_scope scope;
    rw_measurement *m = NULL;
    const rw_measure_options options = {
        .lengths = lengths, .length_count = 2, .no_timing = true, .tasks = "perplexity"};
    const rw_subject subject = {.native = 512, .context = 2048, .pack = pack};
    assert_ok(rw_scope_make(&subject, &test->corpus, &options, &scope, &err));
    const rw_making making = {.scope = &scope,
                              .scorer = scorer,
                              .tokenizer = test->tokenizer,
                              .corpus = &test->corpus,
                              .options = &options};
    assert_ok(rw_measurement_make(test->ctx, &making, &m, &err));
    return m;
}

static void write_both(rw_buf *text, const rw_measurement *m, const rw_gate *gate) {
    rw_json_writer w = {.out = text, .indent = 1};
    rw_json_begin_object(&w);
    rw_measurement_write(&w, m);
    rw_json_key(&w, "verdict");
    rw_gate_write(&w, gate);
    rw_json_end_object(&w);
}

/* From the file to the verdict, twice: the same bytes. Of the 22 items in the top bin the 16
   passkeys are right, the lm is too but without its context as well, the others are wrong. */
static void test_verdict(void **state) {
    pack_test *test = *state;
    rw_error err = {0};
    rw_pack *pack = NULL;
    rw_buf texts[2] = {{.ctx = test->ctx}, {.ctx = test->ctx}};
    const rw_gate_options options = {.usd_per_call = 0.001, .model_bytes = 1 << 20};
    assert_ok(rw_pack_read(test->ctx, SAMPLE, test->tokenizer, &pack, &err));
    for (size_t run = 0; run < 2; run++) {
        script s;
        write_script(test, &s, " nothing\n", " nothing\n");
        s.forced_right = true;
        rw_scorer scorer = script_scorer(&s);
        rw_measurement *m = measured(test, pack, &scorer);
        rw_gate *gate = NULL;
        assert_ok(rw_gate_judge(test->ctx, m, m, &options, &gate, &err));
        const rw_finding *finding = &gate->judgement.dims[RW_D4_PACK];
        assert_true(finding->required);
        assert_true(gate->scores.pack_reaches);
        assert_int_equal(gate->scores.pack_from, 1024);
        assert_int_equal(gate->scores.pack_top.items, 21);
        assert_int_equal(gate->scores.pack_top.right, 16);
        assert_int_equal(gate->scores.pack_short.items, 5);
        assert_int_equal(finding->verdict, RW_VERDICT_FAIL);
        /* the latency is not told under no_timing, so neither is the score */
        assert_true(isnan(rw_kolm_k_v1(&gate->foreign)));
        write_both(&texts[run], m, gate);
        rw_gate_free(gate);
        rw_measurement_free(m);
        free_script(test, &s);
    }
    assert_int_equal(texts[0].size, texts[1].size);
    assert_memory_equal(texts[0].data, texts[1].data, texts[0].size);
    assert_non_null(strstr(texts[0].data, "\"pack\": {"));
    rw_buf_free(&texts[0]);
    rw_buf_free(&texts[1]);
    rw_pack_free(pack);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_context_file),
        cmocka_unit_test(test_evidence_is_removed),
        cmocka_unit_test(test_evidence_gain),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_generated),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_out_of_time),
        cmocka_unit_test(test_verdict),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
