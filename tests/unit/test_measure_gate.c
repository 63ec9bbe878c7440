/*
 * The gate on made-up scores: a table of what each score does to the verdict, and every way of
 * leaving something out.
 */
#include <math.h>

#include "measure/foreign.h"
#include "measure/gate.h"
#include "support.h"

enum { NATIVE = 512, TARGET = 2048, LENGTHS = 4, DEPTHS = 5, CELLS = LENGTHS * DEPTHS };

/* Scores that pass in every dimension; tests spoil a copy. */
typedef struct made_scores {
    rw_scores scores;
    rw_gain_score gains[2];
    rw_cell_score before[CELLS], after[CELLS];
} made_scores;

static const uint64_t lengths[LENGTHS] = {256, 512, 1024, 2048};

static rw_estimate estimate(double value, double low, double high, uint64_t n) {
    return (rw_estimate){.value = value, .ci = {true, low, high}, .n = n};
}

static void make_cells(rw_cell_score *cells, uint64_t right_up_to) {
    for (size_t i = 0; i < CELLS; i++) {
        uint64_t length = lengths[i / DEPTHS];
        cells[i] = (rw_cell_score){.task = "passkey:classic",
                                   .length = length,
                                   .depth = 0.25 * (double)(i % DEPTHS),
                                   .trials = 20,
                                   .correct = length <= right_up_to ? 20 : 0};
    }
}

static void make_good(made_scores *m) {
    *m = (made_scores){0};
    m->gains[0] = (rw_gain_score){1024, estimate(0.05, 0.03, 0.07, 12)};
    m->gains[1] = (rw_gain_score){2048, estimate(0.06, 0.04, 0.08, 12)};
    make_cells(m->before, NATIVE);
    make_cells(m->after, TARGET);
    m->scores = (rw_scores){.native = NATIVE,
                            .context = TARGET,
                            .effect = {.value = 3, .n = 10000},
                            .short_cost = estimate(0.01, 0.005, 0.015, 12),
                            .short_length = NATIVE,
                            .gains = m->gains,
                            .gain_count = 2,
                            .excess = {.value = 0.02, .n = 12},
                            .bucket_length = TARGET,
                            .before = m->before,
                            .before_count = CELLS,
                            .after = m->after,
                            .after_count = CELLS,
                            .decode = {.value = 1e-5, .n = 32}};
}

static rw_judgement judged(const made_scores *m) {
    rw_judgement out;
    rw_gate_decide(&m->scores, &rw_default_thresholds, &out);
    return out;
}

static void check(const made_scores *m, const char *what, rw_dimension dimension,
                  rw_verdict expected, rw_verdict overall) {
    static rw_judgement j;
    j = judged(m);
    if (j.dims[dimension].verdict != expected || j.verdict != overall)
        fail_msg("%s: D%d is %s (%s), the whole is %s", what, (int)dimension,
                 rw_verdict_name(j.dims[dimension].verdict), j.dims[dimension].reason,
                 rw_verdict_name(j.verdict));
    if (expected != RW_VERDICT_PASS) {
        assert_true(j.dims[dimension].reason[0] != '\0');
        if (j.dims[dimension].required && j.weakest != dimension)
            fail_msg("%s: the weakest is D%d", what, (int)j.weakest);
    }
}

static void test_good(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    check(&m, "good", RW_D0_EFFECT, RW_VERDICT_PASS, RW_VERDICT_PASS);
    rw_judgement j = judged(&m);
    assert_false(j.provisional);
    assert_true(j.uses_context);
    assert_int_equal(j.task_count, 1);
    assert_int_equal(j.tasks[0].effective_length, TARGET);
}

/* ---- one score spoiled at a time ------------------------------------------------------------- */

typedef void (*spoil_fn)(made_scores *m);

typedef struct gate_row {
    const char *what;
    spoil_fn spoil;
    rw_dimension dimension;
    rw_verdict expected, overall;
} gate_row;

#define SPOIL(name, statement)                                                                     \
    static void name(made_scores *m) {                                                             \
        statement;                                                                                 \
    }

SPOIL(no_effect, m->scores.effect.value = 0)
SPOIL(effect_nan, m->scores.effect.value = NAN)
SPOIL(effect_unmeasured, m->scores.effect.n = 0)
SPOIL(short_dear, m->scores.short_cost = estimate(0.17, 0.15, 0.19, 12))
SPOIL(short_bound, m->scores.short_cost = estimate(0.02, 0.01, 0.0301, 12))
SPOIL(short_edge, m->scores.short_cost = estimate(0.02, 0.01, 0.03, 12))
SPOIL(short_nan, m->scores.short_cost = estimate(NAN, NAN, NAN, 12))
SPOIL(short_few, m->scores.short_cost = estimate(0.01, 0.005, 0.015, 7))
SPOIL(short_unmeasured, m->scores.short_cost = ((rw_estimate){.value = NAN}))
SPOIL(gain_lost, m->gains[1].gain = estimate(-0.2, -0.3, -0.1, 12))
SPOIL(gain_bound, m->gains[1].gain = estimate(0.01, -0.011, 0.02, 12))
SPOIL(gain_harmless, m->gains[1].gain = estimate(0.01, -0.009, 0.02, 12))
SPOIL(gain_between_lost, m->gains[0].gain = estimate(-0.2, -0.3, -0.1, 12))
SPOIL(gain_nan, m->gains[1].gain = estimate(NAN, NAN, NAN, 12))
SPOIL(gain_few, m->gains[1].gain.n = 7)
SPOIL(gain_no_target, m->scores.gain_count = 1)
SPOIL(gain_no_between, (m->scores.gains = m->gains + 1, m->scores.gain_count = 1))
SPOIL(gain_none, m->scores.gain_count = 0)
SPOIL(bucket_bad, m->scores.excess.value = 0.11)
SPOIL(bucket_nan, m->scores.excess.value = NAN)
SPOIL(bucket_short, m->scores.bucket_length = 1024)
SPOIL(bucket_none, m->scores.excess.n = 0)
SPOIL(native_unknown, m->scores.native = 0)
SPOIL(lost_in_the_middle, m->after[CELLS - 3].correct = 15)
SPOIL(lost_everywhere, make_cells(m->after, NATIVE))
SPOIL(lost_inside, m->after[2].correct = 0)
SPOIL(cannot_at_all, make_cells(m->before, 0))
SPOIL(not_measured_before, m->scores.before_count = 0)
SPOIL(not_measured_inside,
      (m->scores.before = m->before + 2 * DEPTHS, m->scores.before_count = 2 * DEPTHS))
SPOIL(not_measured_after, m->scores.after_count = 0)
SPOIL(target_left_out, m->scores.after_count = CELLS - DEPTHS)
SPOIL(last_depth_left_out, m->scores.after_count = CELLS - 1)
SPOIL(trials_few, m->after[CELLS - 1].trials = m->after[CELLS - 1].correct = 7)
SPOIL(trials_none, m->after[CELLS - 1].trials = m->after[CELLS - 1].correct = 0)
SPOIL(decode_differs, m->scores.decode.value = 2e-3)
SPOIL(decode_nan, m->scores.decode.value = NAN)
SPOIL(decode_unmeasured, m->scores.decode.n = 0)
SPOIL(decode_dynamic, (m->scores.decode.value = 1, m->scores.depends_on_length = true))

/* A pack of `long_items` beyond the native window, `top` of them in the top bin. */
static void give_pack(made_scores *m, rw_tally top, rw_tally all_long, rw_tally all_short) {
    m->scores.pack_given = m->scores.pack_reaches = true;
    m->scores.pack_from = TARGET / 2;
    m->scores.pack_top = top;
    m->scores.pack_long = all_long;
    m->scores.pack_short = all_short;
}

#define TALLY(items, right) ((rw_tally){items, right})
#define PACK(name, top, all_long, all_short)                                                       \
    static void name(made_scores *m) {                                                             \
        give_pack(m, top, all_long, all_short);                                                    \
    }

PACK(pack_empty, TALLY(0, 0), TALLY(0, 0), TALLY(0, 0))
PACK(pack_too_few, TALLY(19, 19), TALLY(19, 19), TALLY(0, 0))
PACK(pack_only_short, TALLY(0, 0), TALLY(0, 0), TALLY(200, 200))
PACK(pack_top_thin, TALLY(19, 19), TALLY(200, 200), TALLY(0, 0))
PACK(pack_good, TALLY(50, 46), TALLY(50, 46), TALLY(0, 0))
PACK(pack_bad, TALLY(50, 45), TALLY(50, 45), TALLY(0, 0))
PACK(pack_twenty, TALLY(20, 20), TALLY(20, 20), TALLY(0, 0))
PACK(pack_top_hidden, TALLY(50, 20), TALLY(400, 370), TALLY(0, 0))
PACK(pack_between_hidden, TALLY(50, 50), TALLY(100, 70), TALLY(0, 0))
PACK(pack_dropped, TALLY(200, 180), TALLY(200, 180), TALLY(200, 192))
PACK(pack_level, TALLY(200, 182), TALLY(200, 182), TALLY(200, 192))
PACK(pack_few_short, TALLY(200, 180), TALLY(200, 180), TALLY(19, 19))
#define EVIDENCE(at)                                                                               \
    (rw_estimate) {                                                                                \
        .value = (at) + 0.1, .ci = {true, at, (at) + 0.2}, .n = 9                                  \
    }
SPOIL(evidence_useless, (pack_good(m), m->scores.evidence = EVIDENCE(0)))
SPOIL(evidence_useful, (pack_good(m), m->scores.evidence = EVIDENCE(0.01)))
SPOIL(evidence_few, (pack_good(m), m->scores.evidence.n = 7))
SPOIL(evidence_of_bad, (pack_bad(m), m->scores.evidence = EVIDENCE(0)))
SPOIL(pack_unread, (pack_good(m), m->scores.pack_unread = 1))
SPOIL(pack_native, (pack_good(m), m->scores.pack_reaches = false))

/* The middle depths are not measured, the trials spent on the ends. */
static void middle_left_out(made_scores *m) {
    for (size_t i = CELLS - DEPTHS; i < CELLS; i++)
        m->after[i].depth = i < CELLS - 2 ? 0.1 * (double)(i - (CELLS - DEPTHS)) : 1;
}

static void early_depths_left_out(made_scores *m) {
    for (size_t i = CELLS - DEPTHS; i < CELLS; i++)
        m->after[i].depth = 0.5 + 0.125 * (double)(i - (CELLS - DEPTHS));
}

#define FAIL RW_VERDICT_FAIL
#define PASS RW_VERDICT_PASS
#define OPEN RW_VERDICT_UNDEFINED
#define ROW(spoil) #spoil, spoil

static void test_table(void **state) {
    (void)state;
    static const gate_row rows[] = {
        {ROW(no_effect), RW_D0_EFFECT, FAIL, FAIL},
        {ROW(effect_nan), RW_D0_EFFECT, FAIL, FAIL},
        {ROW(effect_unmeasured), RW_D0_EFFECT, OPEN, OPEN},
        {ROW(short_dear), RW_D1_SHORT_COST, FAIL, FAIL},
        {ROW(short_bound), RW_D1_SHORT_COST, FAIL, FAIL},
        {ROW(short_edge), RW_D1_SHORT_COST, PASS, PASS},
        {ROW(short_nan), RW_D1_SHORT_COST, FAIL, FAIL},
        {ROW(short_few), RW_D1_SHORT_COST, OPEN, OPEN},
        {ROW(short_unmeasured), RW_D1_SHORT_COST, OPEN, OPEN},
        {ROW(gain_lost), RW_D2_LONG_PERPLEXITY, FAIL, FAIL},
        {ROW(gain_bound), RW_D2_LONG_PERPLEXITY, FAIL, FAIL},
        {ROW(gain_harmless), RW_D2_LONG_PERPLEXITY, PASS, PASS},
        {ROW(gain_between_lost), RW_D2_LONG_PERPLEXITY, FAIL, FAIL},
        {ROW(gain_nan), RW_D2_LONG_PERPLEXITY, FAIL, FAIL},
        {ROW(gain_few), RW_D2_LONG_PERPLEXITY, OPEN, OPEN},
        {ROW(gain_no_target), RW_D2_LONG_PERPLEXITY, OPEN, OPEN},
        {ROW(gain_no_between), RW_D2_LONG_PERPLEXITY, OPEN, OPEN},
        {ROW(gain_none), RW_D2_LONG_PERPLEXITY, OPEN, OPEN},
        {ROW(bucket_bad), RW_D2_LONG_PERPLEXITY, FAIL, FAIL},
        {ROW(bucket_nan), RW_D2_LONG_PERPLEXITY, FAIL, FAIL},
        {ROW(bucket_short), RW_D2_LONG_PERPLEXITY, OPEN, OPEN},
        {ROW(bucket_none), RW_D2_LONG_PERPLEXITY, OPEN, OPEN},
        {ROW(lost_in_the_middle), RW_D3_RETRIEVAL, FAIL, FAIL},
        {ROW(lost_everywhere), RW_D3_RETRIEVAL, FAIL, FAIL},
        {ROW(lost_inside), RW_D3_RETRIEVAL, FAIL, FAIL},
        {ROW(cannot_at_all), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(not_measured_before), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(not_measured_inside), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(not_measured_after), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(target_left_out), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(last_depth_left_out), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(middle_left_out), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(early_depths_left_out), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(trials_few), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(trials_none), RW_D3_RETRIEVAL, OPEN, OPEN},
        {ROW(decode_differs), RW_D5_DECODE, FAIL, FAIL},
        {ROW(decode_nan), RW_D5_DECODE, FAIL, FAIL},
        {ROW(decode_unmeasured), RW_D5_DECODE, OPEN, OPEN},
        {ROW(decode_dynamic), RW_D5_DECODE, PASS, PASS},
        {ROW(pack_too_few), RW_D4_PACK, OPEN, OPEN},
        {ROW(pack_empty), RW_D4_PACK, OPEN, OPEN},
        {ROW(pack_good), RW_D4_PACK, PASS, PASS},
        {ROW(pack_bad), RW_D4_PACK, FAIL, FAIL},
        {ROW(pack_only_short), RW_D4_PACK, OPEN, OPEN},
        {ROW(pack_top_thin), RW_D4_PACK, OPEN, OPEN},
        {ROW(pack_twenty), RW_D4_PACK, PASS, PASS},
        {ROW(pack_top_hidden), RW_D4_PACK, FAIL, FAIL},
        {ROW(pack_between_hidden), RW_D4_PACK, FAIL, FAIL},
        {ROW(pack_dropped), RW_D4_PACK, FAIL, FAIL},
        {ROW(pack_level), RW_D4_PACK, PASS, PASS},
        {ROW(pack_few_short), RW_D4_PACK, PASS, PASS},
        {ROW(pack_unread), RW_D4_PACK, OPEN, OPEN},
        {ROW(evidence_useless), RW_D4_PACK, OPEN, OPEN},
        {ROW(evidence_useful), RW_D4_PACK, PASS, PASS},
        {ROW(evidence_few), RW_D4_PACK, PASS, PASS},
        {ROW(evidence_of_bad), RW_D4_PACK, FAIL, FAIL},
        {ROW(pack_native), RW_D4_PACK, OPEN, OPEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        made_scores m;
        make_good(&m);
        rows[i].spoil(&m);
        check(&m, rows[i].what, rows[i].dimension, rows[i].expected, rows[i].overall);
    }
}

static void test_unknown_native_window(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    native_unknown(&m);
    assert_int_equal(judged(&m).verdict, RW_VERDICT_UNDEFINED);
}

/* ---- more than one --------------------------------------------------------------------------- */

static void test_nothing_measured(void **state) {
    (void)state;
    made_scores m = {0};
    m.scores = (rw_scores){.native = NATIVE, .context = TARGET};
    m.scores.short_cost.value = m.scores.excess.value = m.scores.decode.value = NAN;
    rw_judgement j = judged(&m);
    assert_int_equal(j.verdict, RW_VERDICT_UNDEFINED);
    for (int d = 0; d < RW_DIMENSION_COUNT; d++)
        assert_int_equal(j.dims[d].verdict, RW_VERDICT_UNDEFINED);
    assert_false(j.uses_context);
}

/* A failure is not hidden by what is missing, nor the other way round. */
static void test_failure_beats_undefined(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    short_dear(&m);
    cannot_at_all(&m);
    rw_judgement j = judged(&m);
    assert_int_equal(j.verdict, RW_VERDICT_FAIL);
    assert_int_equal(j.weakest, RW_D1_SHORT_COST);
    assert_int_equal(j.dims[RW_D3_RETRIEVAL].verdict, RW_VERDICT_UNDEFINED);
}

/* A gain that is seen to be lost stands, although the target was not reached. */
static void test_lost_gain_needs_no_target(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    gain_between_lost(&m);
    gain_no_target(&m);
    check(&m, "lost", RW_D2_LONG_PERPLEXITY, RW_VERDICT_FAIL, RW_VERDICT_FAIL);
}

static void test_weakest_is_the_worst_failure(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    m.scores.short_cost = estimate(0.03, 0.02, 0.033, 12);
    lost_everywhere(&m);
    assert_int_equal(judged(&m).weakest, RW_D3_RETRIEVAL);
    short_dear(&m);
    m.scores.short_cost.ci.high = 0.3;
    assert_int_equal(judged(&m).weakest, RW_D1_SHORT_COST);
}

static void test_few_trials_are_provisional(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    for (size_t i = 0; i < CELLS; i++)
        m.after[i].trials = m.after[i].correct = 8;
    rw_judgement j = judged(&m);
    assert_int_equal(j.verdict, RW_VERDICT_PASS);
    assert_true(j.provisional);
    make_good(&m);
    m.scores.fast = true;
    assert_true(judged(&m).dims[RW_D3_RETRIEVAL].provisional);
    make_good(&m);
    give_pack(&m, TALLY(49, 49), TALLY(49, 49), TALLY(0, 0));
    assert_true(judged(&m).dims[RW_D4_PACK].provisional);
    give_pack(&m, TALLY(50, 50), TALLY(50, 50), TALLY(0, 0));
    assert_false(judged(&m).provisional);
}

/* The number still needed, and how many to give. */
static void test_pack_asks_for_more(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    give_pack(&m, TALLY(6, 6), TALLY(6, 6), TALLY(0, 0));
    rw_judgement j = judged(&m);
    assert_int_equal(j.dims[RW_D4_PACK].need, 14);
    assert_non_null(strstr(j.dims[RW_D4_PACK].reason, "14 more"));
    assert_non_null(strstr(j.dims[RW_D4_PACK].reason, "50 to 200"));
}

/* ---- waivers and thresholds ------------------------------------------------------------------ */

/* A waiver passes what is undefined, never what failed, and the headline still names it. */
static void test_waivers(void **state) {
    (void)state;
    rw_error err = {0};
    made_scores m;
    make_good(&m);
    pack_too_few(&m);
    cannot_at_all(&m);
    assert_ok(rw_waivers_parse("pack", m.scores.waived, &err));
    assert_int_equal(judged(&m).verdict, RW_VERDICT_UNDEFINED);
    assert_ok(rw_waivers_parse("D3,pack", m.scores.waived, &err));
    rw_judgement j = judged(&m);
    assert_int_equal(j.verdict, RW_VERDICT_PASS);
    assert_int_equal(j.weakest, RW_D3_RETRIEVAL);
    assert_true(j.dims[RW_D3_RETRIEVAL].waived && j.dims[RW_D4_PACK].waived);
    pack_bad(&m);
    j = judged(&m);
    assert_int_equal(j.verdict, RW_VERDICT_FAIL);
    assert_false(j.dims[RW_D4_PACK].waived);
    /* everything else may be waived, but not that the patch does anything */
    assert_int_equal(rw_waivers_parse("D0", m.scores.waived, &err), RW_ERR_USAGE);
    assert_string_equal(err.code, "measure.waiver");
    assert_int_equal(rw_waivers_parse("D3,,D4", m.scores.waived, &err), RW_ERR_USAGE);
    made_scores empty = {.scores = {.native = NATIVE, .context = TARGET}};
    assert_ok(rw_waivers_parse("D1,D2,D3,D4,D5", empty.scores.waived, &err));
    assert_int_equal(judged(&empty).verdict, RW_VERDICT_UNDEFINED);
}

static void test_thresholds(void **state) {
    (void)state;
    static const char *const bad[] = {
        "short_cost",      "short_cost=",     "cost=1",       "short_cost=0.05,",
        "short_cost=x",    "pack=1.1",        "pack=-0.1",    "pack_items=0",
        "pack_items=20.5", "documents=1",     "trials=1e300", "pack=0.9,pack=0.8",
        "pack=nan",        "short_cost=0.1 ", "=1",           "retrieval=inf",
    };
    rw_error err = {0};
    rw_thresholds t;
    made_scores m;
    rw_judgement j;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (rw_thresholds_parse(bad[i], &t, &err) != RW_ERR_USAGE)
            fail_msg("\"%s\" is taken", bad[i]);
    make_good(&m);
    m.scores.short_cost = estimate(0.04, 0.03, 0.049, 12);
    assert_int_equal(judged(&m).verdict, RW_VERDICT_FAIL);
    assert_ok(rw_thresholds_parse("short_cost=0.05,documents=12", &t, &err));
    rw_gate_decide(&m.scores, &t, &j);
    assert_int_equal(j.verdict, RW_VERDICT_PASS);
    assert_ok(rw_thresholds_parse("short_cost=0.05,documents=13", &t, &err));
    rw_gate_decide(&m.scores, &t, &j);
    assert_int_equal(j.verdict, RW_VERDICT_UNDEFINED);
    /* a limit at the end of its range leaves no margin, and no division by zero */
    assert_ok(rw_thresholds_parse("retrieval=1,pack_low=1,short_cost=0", &t, &err));
    rw_gate_decide(&m.scores, &t, &j);
    assert_int_equal(j.verdict, RW_VERDICT_FAIL);
    for (size_t d = 0; d < RW_DIMENSION_COUNT; d++)
        assert_true(isfinite(j.dims[d].margin));
}

/* What is written: the limits that held, the usual ones, and which differ. */
static void test_thresholds_are_recorded(void **state) {
    (void)state;
    rw_error err = {0};
    rw_thresholds t;
    rw_context *ctx = test_context();
    rw_buf text = {.ctx = ctx};
    rw_json_writer w = {.out = &text};
    assert_ok(rw_thresholds_parse("pack=0.9", &t, &err));
    rw_json_begin_object(&w);
    rw_thresholds_write(&w, &t);
    rw_json_end_object(&w);
    assert_non_null(strstr(text.data, "\"thresholds\":{\"short_cost\":0.03,"));
    assert_non_null(strstr(text.data, "\"pack\":0.9,"));
    assert_non_null(strstr(text.data, "\"pack\":0.85,"));
    assert_non_null(strstr(text.data, "\"changed_thresholds\":[\"pack\"]"));
    rw_buf_free(&text);
    rw_context_free(ctx);
}

/* ---- the foreign score ----------------------------------------------------------------------- */

/* The page's own figures: 135M and 7B parameters in bf16, everything else perfect. */
static void test_foreign(void **state) {
    (void)state;
    const rw_foreign small = {1, 1, 135e6 * 2, 0.05, 0}, large = {1, 1, 7e9 * 2, 1, 0};
    assert_true(fabs(rw_kolm_k_v1(&small) - 0.860) < 1e-3);
    assert_true(fabs(rw_kolm_k_v1(&large) - 0.745) < 1e-3);
    for (size_t i = 0; i < 5; i++) {
        rw_foreign missing = small;
        ((double *)&missing)[i] = NAN;
        assert_true(isnan(rw_kolm_k_v1(&missing)));
    }
}

static void test_effective_length(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    make_cells(m.after, 1024);
    rw_judgement j = judged(&m);
    assert_int_equal(j.tasks[0].effective_length, 1024);
    assert_int_equal(j.tasks[0].verdict, RW_VERDICT_FAIL);
}

/* A task beyond the model is left aside when another one can be judged, and only then. */
static void test_second_task(void **state) {
    (void)state;
    made_scores m;
    make_good(&m);
    rw_cell_score before[2 * CELLS], after[2 * CELLS];
    memcpy(before, m.before, sizeof m.before);
    memcpy(after, m.after, sizeof m.after);
    make_cells(before + CELLS, 0);
    make_cells(after + CELLS, 0);
    for (size_t i = CELLS; i < 2 * CELLS; i++)
        before[i].task = after[i].task = "repeat:bare";
    m.scores.before = before;
    m.scores.after = after;
    m.scores.before_count = m.scores.after_count = 2 * CELLS;
    rw_judgement j = judged(&m);
    assert_int_equal(j.verdict, RW_VERDICT_PASS);
    assert_int_equal(j.task_count, 2);
    assert_true(j.tasks[1].cannot);
    for (size_t i = CELLS; i < 2 * CELLS; i++)
        before[i].correct = before[i].length <= NATIVE ? before[i].trials : 0;
    j = judged(&m);
    assert_int_equal(j.tasks[1].verdict, RW_VERDICT_FAIL);
    assert_int_equal(j.verdict, RW_VERDICT_FAIL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_unknown_native_window),
        cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_failure_beats_undefined),
        cmocka_unit_test(test_lost_gain_needs_no_target),
        cmocka_unit_test(test_weakest_is_the_worst_failure),
        cmocka_unit_test(test_few_trials_are_provisional),
        cmocka_unit_test(test_pack_asks_for_more),
        cmocka_unit_test(test_waivers),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_thresholds_are_recorded),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_effective_length),
        cmocka_unit_test(test_second_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
