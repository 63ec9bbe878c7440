/*
 * The protocols on a scorer without a model: which tokens are read, which predictions count, what
 * is averaged; the budget; the gate's scores from two measurements.
 */
#include "measure/budget.h"
#include "measure/judge.h"
#include "measure_support.h"

static const size_t counts[] = {2049, 700, 2049, 2049, 2049, 2049, 2049, 2049, 2049, 512};
enum { DOCUMENTS = 10, LONG_DOCUMENTS = 8, NATIVE = 512 };

static const fake_model plain = {.base = 1, .slope = 0.001, .native = NATIVE};

typedef struct made {
    rw_context *ctx;
    rw_tokenizer *tokenizer;
    rw_corpus corpus;
    rw_measurement *measurement;
    fake_model fake;
} made;

static rw_status measure(made *m, const fake_model *fake, const rw_measure_options *options,
                         bool depends_on_length, rw_error *err) {
    rw_scope scope;
    m->fake = *fake;
    m->measurement = NULL;
    rw_scorer scorer = fake_scorer(&m->fake);
    scorer.depends_on_length = depends_on_length;
    const rw_subject subject = {.native = NATIVE, .context = options->context};
    RW_TRY(rw_scope_make(&subject, &m->corpus, options, &scope, err));
    const rw_making making = {.scope = &scope,
                              .scorer = &scorer,
                              .tokenizer = m->tokenizer,
                              .corpus = &m->corpus,
                              .options = options};
    return rw_measurement_make(m->ctx, &making, &m->measurement, err);
}

static int set_up(void **state) {
    made *m = calloc(1, sizeof *m);
    m->ctx = test_context();
    m->tokenizer = test_tokenizer(m->ctx);
    m->corpus = test_corpus(m->ctx, counts, DOCUMENTS);
    *state = m;
    return 0;
}

static int tear_down(void **state) {
    made *m = *state;
    rw_measurement_free(m->measurement);
    rw_corpus_free(&m->corpus);
    rw_tokenizer_free(m->tokenizer);
    rw_context_free(m->ctx);
    free(m);
    return 0;
}

/* What the fake says of target `i` of document `d`, `read` tokens after the window's start. */
static double fact(const made *m, size_t d, size_t i, size_t position) {
    return fake_nll(&m->fake, position, m->corpus.documents[d].tokens[i]);
}

static bool close_to(double a, double b) {
    return fabs(a - b) <= 1e-12 * fmax(1, fabs(b));
}

static const rw_row *row_at(const made *m, size_t length) {
    for (size_t i = 0; i < m->measurement->row_count; i++)
        if (m->measurement->rows[i].length == length)
            return &m->measurement->rows[i];
    fail_msg("no row of length %zu", length);
    return NULL;
}

/* ---- protocols, each against its definition spelled out ------------------------------------- */

static void test_prefix(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {2048, 256, 512};
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = lengths, .length_count = 3, .documents = 12};
    assert_ok(measure(m, &plain, &options, false, &err));
    assert_int_equal(m->measurement->row_count, 3);
    for (size_t l = 0; l < 3; l++) {
        size_t n = lengths[l], documents = 0;
        double sum = 0;
        for (size_t d = 0; d < DOCUMENTS; d++)
            for (size_t i = 1; counts[d] > n && i <= n; i++) {
                sum += fact(m, d, i, i - 1);
                documents += i == n;
            }
        const rw_row *row = row_at(m, n);
        assert_int_equal(row->document_count, documents);
        assert_true(row->total.count == (double)(n * documents));
        assert_true(close_to(row->nll, sum / (double)(n * documents)));
        assert_int_equal(row->ci.defined, documents >= 8);
    }
    /* One reading of the longest prefix each, the truncated windows, and the decode check. */
    uint64_t prefixes = 8 * 2048 + 512 + 256, truncated = 2 * 8 * 512, decode = 544;
    assert_int_equal(m->fake.tokens, prefixes + truncated + decode);
}

static void test_half(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {512};
    const rw_measure_options options = {.tasks = "perplexity",
                                        .lengths = lengths,
                                        .length_count = 1,
                                        .protocol = "half",
                                        .chunks = 3};
    assert_ok(measure(m, &plain, &options, false, &err));
    double sum = 0, tokens = 0;
    uint64_t bytes = 0;
    for (size_t d = 0; d < DOCUMENTS; d++)
        for (size_t w = 0; w < 3 && (w + 1) * 512 <= counts[d]; w++)
            for (size_t p = 256; p <= 510; p++, tokens++) {
                int32_t target = m->corpus.documents[d].tokens[w * 512 + p + 1];
                sum += fact(m, d, w * 512 + p + 1, p);
                bytes += rw_tokenizer_token_bytes(m->tokenizer, target).size;
            }
    const rw_row *row = row_at(m, 512);
    assert_true(row->total.count == tokens);
    assert_true(close_to(row->nll, sum / tokens));
    assert_true(row->bytes == bytes);
    assert_int_equal((int)row->shares[1].count, 255); /* 700 tokens: one window */
}

static void test_half_odd_length(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {7};
    const rw_measure_options options = {.tasks = "perplexity",
                                        .lengths = lengths,
                                        .length_count = 1,
                                        .protocol = "half",
                                        .chunks = 1};
    assert_ok(measure(m, &plain, &options, false, &err));
    assert_int_equal((int)row_at(m, 7)->shares[0].count, 3); /* positions 3, 4, 5 */
}

static void test_sliding(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {512};
    const rw_measure_options options = {.tasks = "perplexity",
                                        .lengths = lengths,
                                        .length_count = 1,
                                        .protocol = "sliding",
                                        .stride = 200};
    assert_ok(measure(m, &plain, &options, false, &err));
    double sum = 0, tokens = 0;
    for (size_t d = 0; d < DOCUMENTS; d++)
        for (size_t i = 1; counts[d] > 512 && i < counts[d]; i++, tokens++) {
            size_t window = i <= 512 ? 0 : (i - 512 + 199) / 200;
            sum += fact(m, d, i, i - 1 - 200 * window);
        }
    const rw_row *row = row_at(m, 512);
    assert_true(row->total.count == tokens); /* every prediction once */
    assert_true(close_to(row->nll, sum / tokens));
}

static void test_tail(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {512, 2048};
    const rw_measure_options options = {.tasks = "perplexity",
                                        .lengths = lengths,
                                        .length_count = 2,
                                        .protocol = "tail",
                                        .stride = 100};
    assert_ok(measure(m, &plain, &options, false, &err));
    double sum = 0;
    for (size_t d = 0; d < DOCUMENTS; d++)
        for (size_t i = 1949; counts[d] > 2048 && i <= 2048; i++)
            sum += fact(m, d, i, i - 1);
    assert_true(close_to(row_at(m, 2048)->nll, sum / (100.0 * LONG_DOCUMENTS)));
    assert_int_equal(row_at(m, 512)->document_count, DOCUMENTS - 1); /* one has 512 tokens */
}

/* llama-perplexity puts BOS in the place of a window's first token, if the tokenizer adds one. */
static void test_window_bos(void **state) {
    made *m = *state;
    rw_error err = {0};
    rw_arena arena = {.ctx = m->ctx};
    rw_scorer scorer = fake_scorer(&m->fake);
    rw_store store = {.arena = &arena, .corpus = &m->corpus};
    const rw_window window = {512, 511, 256, 255};
    m->fake = plain;
    assert_ok(rw_store_fill(&store, &scorer, 0, &window, 512, true, &err));
    assert_int_equal(m->fake.first, m->corpus.documents[0].tokens[512]);
    store.count = 0;
    scorer.window_bos = 7;
    assert_ok(rw_store_fill(&store, &scorer, 0, &window, 512, true, &err));
    assert_int_equal(m->fake.first, 7);
    assert_null(rw_store_find(&store, 0, &window, 512, false));
    const double *nll = rw_store_find(&store, 0, &window, 512, true);
    assert_true(close_to(nll[0], fact(m, 0, 512 + 257, 256)));
    rw_arena_free(&arena);
}

/* A rotation that depends on length is read anew at every length. */
static void test_depends_on_length(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {256, 512};
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = lengths, .length_count = 2, .documents = 1};
    assert_ok(measure(m, &plain, &options, true, &err));
    assert_int_equal(m->fake.tokens, 256 + 512 + 2 * 544);
}

/* ---- buckets --------------------------------------------------------------------------------- */

static void test_buckets(void **state) {
    (void)state;
    size_t edges[RW_BUCKETS_MAX + 1];
    static const size_t expected[] = {0, 256, 384, 512, 600, 768, 1000};
    assert_int_equal(rw_bucket_edges(1000, 600, edges), 6);
    for (size_t i = 0; i <= 6; i++)
        assert_int_equal(edges[i], expected[i]);
    assert_int_equal(rw_bucket_edges(100, 512, edges), 1);
    assert_int_equal(edges[1], 100);
    assert_int_equal(rw_bucket_edges(512, 512, edges), 3);
    size_t count = rw_bucket_edges((size_t)1 << 31, 8192, edges);
    assert_true(count < RW_BUCKETS_MAX);
    for (size_t i = 0; i < count; i++)
        assert_true(edges[i] < edges[i + 1]);
    assert_true(edges[count] == (size_t)1 << 31);
}

static void test_buckets_add_up(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const uint64_t lengths[] = {2000};
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = lengths, .length_count = 1};
    assert_ok(measure(m, &plain, &options, false, &err));
    const rw_row *row = row_at(m, 2000);
    double sum = 0, tokens = 0;
    for (size_t b = 0; b < row->bucket_count; b++) {
        const rw_bucket *bucket = &row->buckets[b];
        assert_true(bucket->total.count == (double)((bucket->to - bucket->from) * LONG_DOCUMENTS));
        sum += bucket->total.sum;
        tokens += bucket->total.count;
    }
    assert_true(tokens == row->total.count);
    assert_true(close_to(sum, row->total.sum));
}

/* ---- the gate's scores ----------------------------------------------------------------------- */

static rw_gate *judge_pair(const fake_model *before, const fake_model *after,
                           const rw_measure_options *options) {
    static made one, two;
    void *state = NULL;
    rw_error err = {0};
    rw_gate *gate = NULL;
    set_up(&state);
    one = *(made *)state;
    two = one;
    assert_ok(measure(&one, before, options, false, &err));
    assert_ok(measure(&two, after, options, false, &err));
    assert_ok(rw_gate_judge(one.ctx, one.measurement, two.measurement, NULL, &gate, &err));
    rw_measurement_free(one.measurement);
    rw_measurement_free(two.measurement);
    rw_corpus_free(&one.corpus);
    rw_tokenizer_free(one.tokenizer);
    free(state);
    return gate;
}

static void free_pair(rw_gate *gate) {
    rw_context *ctx = gate->ctx;
    rw_gate_free(gate);
    rw_context_free(ctx);
}

static const uint64_t gate_lengths[] = {256, 512, 2048};
static const rw_measure_options gate_options = {.tasks = "perplexity,passkey",
                                                .lengths = gate_lengths,
                                                .length_count = 3,
                                                .context = 2048,
                                                .trials = 8,
                                                .stride = 256};

/* The unextended model breaks beyond its window; the extended one pays 0.02 and gains with every
   token it reads. All scores are known by arithmetic. */
static void test_scores(void **state) {
    (void)state;
    const fake_model before = {
        .base = 3, .slope = -0.0001, .beyond = 2, .native = NATIVE, .remembers = true};
    const fake_model after = {.base = 3.02, .slope = -0.0001, .native = NATIVE, .remembers = true};
    rw_gate *gate = judge_pair(&before, &after, &gate_options);
    const rw_scores *s = &gate->scores;
    assert_true(fabs(s->effect.value - 1.98) < 1e-9);
    assert_int_equal(s->effect.n, LONG_DOCUMENTS * (2048 - 512));
    assert_true(fabs(s->short_cost.value - 0.02) < 1e-9);
    assert_int_equal(s->short_length, 512);
    assert_int_equal(s->short_cost.n, DOCUMENTS - 1);
    assert_int_equal(s->gain_count, 2); /* 1024 is measured although nobody asked */
    assert_true(fabs(s->gains[0].gain.value - (0.0512 - 0.02)) < 1e-9);
    assert_true(fabs(s->gains[1].gain.value - (0.1536 - 0.02)) < 1e-9);
    assert_int_equal(s->gains[1].gain.n, LONG_DOCUMENTS);
    assert_int_equal(s->bucket_length, 2048);
    assert_int_equal(gate->judgement.verdict, RW_VERDICT_PASS);
    assert_true(gate->judgement.provisional);
    assert_true(rw_gate_passed(gate));
    free_pair(gate);
}

static void test_no_effect_is_found(void **state) {
    (void)state;
    rw_gate *gate = judge_pair(&plain, &plain, &gate_options);
    assert_int_equal(gate->judgement.dims[RW_D0_EFFECT].verdict, RW_VERDICT_FAIL);
    assert_false(rw_gate_passed(gate));
    free_pair(gate);
}

/* Protocol half reads no prefixes: the gain is undefined, and says what to do. */
static void test_half_leaves_the_gain_open(void **state) {
    (void)state;
    rw_measure_options options = gate_options;
    options.protocol = "half";
    const fake_model after = {.base = 1.01, .native = NATIVE, .remembers = true};
    rw_gate *gate = judge_pair(&plain, &after, &options);
    const rw_finding *finding = &gate->judgement.dims[RW_D2_LONG_PERPLEXITY];
    assert_int_equal(finding->verdict, RW_VERDICT_UNDEFINED);
    assert_non_null(strstr(finding->reason, "prefix"));
    free_pair(gate);
}

static void test_not_alike(void **state) {
    made *m = *state;
    rw_error err = {0};
    rw_gate *gate = NULL;
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = gate_lengths, .length_count = 2};
    assert_ok(measure(m, &plain, &options, false, &err));
    rw_measurement *first = m->measurement;
    rw_measure_options other = options;
    other.seed = 1;
    assert_ok(measure(m, &plain, &other, false, &err));
    assert_int_equal(rw_gate_judge(m->ctx, first, m->measurement, NULL, &gate, &err), RW_ERR_USAGE);
    assert_string_equal(err.code, "measure.not_alike");
    first->scope.seed = 1;
    first->digest.bytes[3] ^= 1;
    assert_int_equal(rw_gate_judge(m->ctx, first, m->measurement, NULL, &gate, &err), RW_ERR_USAGE);
    rw_measurement_free(first);
}

/* ---- budget ---------------------------------------------------------------------------------- */

static void test_cut_order(void **state) {
    made *m = *state;
    rw_error err = {0};
    const rw_measure_options options = {
        .lengths = gate_lengths, .length_count = 3, .trials = 40, .context = 2048};
    const rw_subject subject = {.native = NATIVE, .context = 2048};
    rw_scope asked, cut;
    rw_work whole, least;
    rw_scorer scorer = fake_scorer(&m->fake);
    assert_ok(rw_scope_make(&subject, &m->corpus, &options, &asked, &err));
    assert_ok(rw_work_estimate(&asked, &scorer, &m->corpus, &whole, &err));
    cut = asked;
    assert_ok(rw_scope_cut(&cut, &scorer, &m->corpus, whole.cost, &err));
    assert_memory_equal(&cut, &asked, sizeof cut);
    assert_ok(rw_scope_cut(&cut, &scorer, &m->corpus, whole.cost - 1, &err));
    assert_int_equal(cut.trials, 8); /* what only widens intervals goes first */
    assert_int_equal(cut.documents, DOCUMENTS);
    assert_ok(rw_scope_cut(&cut, &scorer, &m->corpus, 0, &err));
    assert_int_equal(cut.trials, 1);
    assert_int_equal(cut.documents, 1);
    assert_int_equal(cut.length_count, 1);
    assert_int_equal(cut.decode_at, 0);
    assert_ok(rw_work_estimate(&cut, &scorer, &m->corpus, &least, &err));
    assert_true(least.cost < whole.cost / 50);

    rw_arena arena = {.ctx = m->ctx};
    const char **texts;
    size_t count;
    assert_ok(rw_scope_cuts(&arena, &asked, &cut, &texts, &count, &err));
    assert_int_equal(count, 5);
    assert_string_equal(texts[0], "documents 10 -> 1");
    assert_string_equal(texts[1], "trials per depth 40 -> 1");
    assert_string_equal(texts[2], "longest length 2048 -> 256");
    rw_arena_free(&arena);
}

/* The estimate is what is then read. */
static void test_estimate_is_exact(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const char *const protocols[] = {"prefix", "half", "sliding", "tail"};
    for (size_t p = 0; p < 4; p++) {
        const rw_measure_options options = {.tasks = "perplexity",
                                            .lengths = gate_lengths,
                                            .length_count = 3,
                                            .protocol = protocols[p]};
        const rw_subject subject = {.native = NATIVE};
        rw_scope scope;
        rw_work work;
        rw_scorer scorer = fake_scorer(&m->fake);
        assert_ok(rw_scope_make(&subject, &m->corpus, &options, &scope, &err));
        scope.decode_at = 0;
        assert_ok(rw_work_estimate(&scope, &scorer, &m->corpus, &work, &err));
        m->fake = plain;
        const rw_making making = {.scope = &scope,
                                  .scorer = &scorer,
                                  .tokenizer = m->tokenizer,
                                  .corpus = &m->corpus,
                                  .options = &options};
        assert_ok(rw_measurement_make(m->ctx, &making, &m->measurement, &err));
        assert_true(m->fake.tokens == work.tokens);
        rw_measurement_free(m->measurement);
        m->measurement = NULL;
    }
}

/* A second measurement like a first one that was cut has the same cuts, and cuts nothing more. */
static void test_like_an_earlier_one(void **state) {
    made *m = *state;
    rw_error err = {0};
    static const char *cuts[] = {"documents 10 -> 9"};
    const rw_measure_options options = {.tasks = "perplexity",
                                        .lengths = gate_lengths,
                                        .length_count = 2,
                                        .documents = 9,
                                        .budget_seconds = 1e6};
    rw_measurement *second = NULL;
    assert_ok(measure(m, &plain, &options, false, &err));
    m->measurement->cuts = cuts;
    m->measurement->cut_count = 1;
    rw_scorer scorer = fake_scorer(&m->fake);
    const rw_making making = {.scope = &m->measurement->scope,
                              .scorer = &scorer,
                              .tokenizer = m->tokenizer,
                              .corpus = &m->corpus,
                              .options = &options,
                              .like = m->measurement};
    assert_ok(rw_measurement_make(m->ctx, &making, &second, &err));
    assert_int_equal(second->cut_count, 1);
    assert_string_equal(second->cuts[0], cuts[0]);
    assert_int_equal(second->scope.documents, 9);
    rw_measurement_free(second);
}

/* Out of time in the middle: what is there is whole documents, and it is marked. */
static void test_out_of_time(void **state) {
    made *m = *state;
    rw_error err = {0};
    fake_model slow = plain;
    slow.fails_with = RW_ERR_TIME;
    slow.fails_after = 5;
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = gate_lengths, .length_count = 3};
    assert_ok(measure(m, &slow, &options, false, &err));
    assert_true(m->measurement->out_of_time);
    assert_in_range(row_at(m, 512)->document_count, 1, 3);
    assert_false(row_at(m, 512)->ci.defined);
}

/* Stopped in the middle: the same, marked otherwise. Any other failure gives nothing. */
static void test_interrupted(void **state) {
    made *m = *state;
    rw_error err = {0};
    fake_model broken = plain;
    broken.fails_with = RW_ERR_CANCELLED;
    broken.fails_after = 5;
    const rw_measure_options options = {
        .tasks = "perplexity", .lengths = gate_lengths, .length_count = 3};
    assert_ok(measure(m, &broken, &options, false, &err));
    assert_true(rw_measurement_interrupted(m->measurement));
    assert_false(m->measurement->out_of_time);
    assert_in_range(row_at(m, 512)->document_count, 1, 3);
    rw_measurement_free(m->measurement);
    broken.fails_with = RW_ERR_IO;
    assert_int_equal(measure(m, &broken, &options, false, &err), RW_ERR_IO);
    assert_null(m->measurement);
}

/* ---- options --------------------------------------------------------------------------------- */

typedef struct option_row {
    rw_measure_options options;
    const char *code;
} option_row;

static void test_bad_options(void **state) {
    made *m = *state;
    static const uint64_t zero[] = {0}, huge[] = {UINT64_MAX}, too_long[] = {100000};
    static const double beyond[] = {1.5}, nan_depth[] = {NAN}, negative[] = {-0.1};
    const option_row rows[] = {
        {{.protocol = "perplexity"}, "measure.protocol"},
        {{.tasks = "passkeys"}, "measure.task"},
        {{.tasks = ""}, "measure.task"},
        {{.tasks = "perplexity,"}, "measure.task"},
        {{.tasks = "passkey:nosuch"}, "measure.task"},
        {{.lengths = zero, .length_count = 1}, "measure.length"},
        {{.lengths = huge, .length_count = 1}, "measure.length"},
        {{.depths = beyond, .depth_count = 1}, "measure.depth"},
        {{.depths = nan_depth, .depth_count = 1}, "measure.depth"},
        {{.depths = negative, .depth_count = 1}, "measure.depth"},
        {{.lengths = too_long, .length_count = 1}, "measure.documents_short"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rw_error err = {0};
        rw_status status = measure(m, &plain, &rows[i].options, false, &err);
        if ((status != RW_ERR_USAGE && status != RW_ERR_INPUT) ||
            strcmp(err.code, rows[i].code) != 0)
            fail_msg("row %zu: %d %s %s", i, (int)status, err.code, err.message);
    }
}

static void test_defaults(void **state) {
    made *m = *state;
    rw_error err = {0};
    rw_scope scope;
    const rw_measure_options options = {0};
    const rw_subject subject = {.native = NATIVE, .context = 3000};
    assert_ok(rw_scope_make(&subject, &m->corpus, &options, &scope, &err));
    static const size_t expected[] = {256, 512, 1024, 2048, 3000};
    assert_int_equal(scope.length_count, 5);
    assert_memory_equal(scope.lengths, expected, sizeof expected);
    assert_string_equal(scope.protocol->name, "prefix");
    assert_true(scope.perplexity);
    assert_int_equal(scope.pick_count, 1);
    assert_string_equal(scope.picks[0].wording->name, "classic");
    assert_int_equal(scope.depth_count, 5);
    assert_int_equal(scope.trials, 8);
    assert_int_equal(scope.documents, DOCUMENTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_odd_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sliding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window_bos, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depends_on_length, set_up, tear_down),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test_setup_teardown(test_buckets_add_up, set_up, tear_down),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_no_effect_is_found),
        cmocka_unit_test(test_half_leaves_the_gain_open),
        cmocka_unit_test_setup_teardown(test_not_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_estimate_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_like_an_earlier_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
