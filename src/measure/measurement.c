/*
 * measurement.c - one measurement from options to result.
 */
#include <math.h>
#include <stdio.h>

#include "measure/journal.h"

/* Enough tokens to know the speed by, few enough to cost nothing. */
enum { WARM_UP = 32, TRIAL_READ = 512 };

/* One read of a small model is over before the machine's other work shows or passes: the fastest of
   some is what it can do. */
enum { TRIAL_READS = 5, TRIAL_SECONDS = 1 };

/* The estimate knows operations, not how well each shape runs; keep some time in hand. */
static const double budget_share = 0.85;

static rw_status copy_corpus_facts(rw_measurement *m, const rw_corpus *corpus, rw_error *err) {
    m->digest = corpus->digest;
    m->data_name = rw_arena_format(&m->arena, "%s", corpus->name ? corpus->name : "");
    m->document_count = corpus->count;
    m->lines = rw_arena_alloc(&m->arena, (corpus->count + 1) * sizeof *m->lines);
    if (!m->lines || !m->data_name)
        return rw_fail_memory(err, "measurement", corpus->count * sizeof *m->lines);
    for (size_t i = 0; i < corpus->count; i++)
        m->lines[i] = corpus->documents[i].line;
    return RW_OK;
}

static const rw_document *longest(const rw_corpus *corpus, size_t documents) {
    const rw_document *document = &corpus->documents[0];
    for (size_t i = 1; i < documents; i++)
        if (corpus->documents[i].count > document->count)
            document = &corpus->documents[i];
    return document;
}

/* Perplexity of nothing is no result: refuse when no document serves even the shortest length. */
static rw_status check_documents(const rw_measurement *m, const rw_corpus *corpus, rw_error *err) {
    const rw_scope *scope = &m->scope;
    size_t tokens = longest(corpus, scope->documents)->count;
    const rw_protocol_setting setting = {.length = scope->lengths[0], .stride = 1, .chunks = 1};
    if (!scope->perplexity || scope->protocol->windows(tokens, &setting))
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "measure.documents_short", m->data_name,
                   "the longest of the %zu documents has %zu tokens, too few for the shortest "
                   "length %zu: give longer documents or shorter --lengths",
                   scope->documents, tokens, scope->lengths[0]);
}

/* ---- the budget ------------------------------------------------------------------------------ */

/* Seconds that one unit of cost takes, from reading the beginning of the longest document; 0: not
   known. The loss is part of it, as in most of what is to come. */
static rw_status time_first_piece(rw_scorer *scorer, const rw_corpus *corpus, double *out,
                                  rw_error *err) {
    const rw_document *document = longest(corpus, corpus->count);
    size_t count = document->count > TRIAL_READ ? TRIAL_READ : document->count;
    double nll[TRIAL_READ];
    *out = 0;
    if (count <= WARM_UP)
        return RW_OK;
    const rw_outputs outputs = {.count = count - 1, .target = document->tokens + 1, .nll = nll};
    RW_TRY(rw_scorer_read(scorer, document->tokens, WARM_UP, count, NULL, err));
    double begun = rw_now(), fastest = INFINITY;
    for (int i = 0; i < TRIAL_READS && rw_now() - begun < TRIAL_SECONDS; i++) {
        double start = rw_now();
        RW_TRY(rw_scorer_read(scorer, document->tokens, count, count, &outputs, err));
        fastest = fmin(fastest, rw_now() - start);
    }
    *out = fastest / scorer->cost(scorer, count);
    return RW_OK;
}

/* `wanted_seconds` is NaN where an earlier run knew it. */
static void tell_cuts(rw_measurement *m, double wanted_seconds) {
    if (!isnan(wanted_seconds))
        rw_log(m->ctx, RW_INFO,
               "the budget is %.0f s, the whole measurement would take about %.0f s",
               m->budget_seconds, wanted_seconds);
    for (size_t i = 0; i < m->cut_count; i++) {
        rw_log(m->ctx, RW_WARNING, "to keep the budget: %s", m->cuts[i]);
        rw_diagnose(&m->diagnostics, "measure.budget_cut", RW_WARNING, false, m->cuts[i],
                    "to keep the budget: %s", m->cuts[i]);
    }
}

/* The cuts of an earlier measurement are this one's too. */
static rw_status take_cuts(rw_measurement *m, const rw_measurement *like, rw_error *err) {
    m->cuts = rw_arena_alloc(&m->arena, (like->cut_count + 1) * sizeof *m->cuts);
    if (!m->cuts)
        return rw_fail_memory(err, "budget", like->cut_count * sizeof *m->cuts);
    for (; m->cut_count < like->cut_count; m->cut_count++) {
        const char *cut = rw_arena_format(&m->arena, "%s", like->cuts[m->cut_count]);
        if (!cut)
            return rw_fail_memory(err, "budget", 64);
        m->cuts[m->cut_count] = cut;
    }
    return RW_OK;
}

/* The scope that the budget leaves, and what it is expected to take. */
static rw_status cut_scope(rw_measurement *m, const rw_making *making, double *wanted_seconds,
                           rw_error *err) {
    double unit_seconds;
    rw_work wanted, left;
    RW_TRY(time_first_piece(making->scorer, making->corpus, &unit_seconds, err));
    RW_TRY(rw_work_estimate(&m->scope, making->scorer, making->corpus, &wanted, err));
    if (unit_seconds > 0)
        RW_TRY(rw_scope_cut(&m->scope, making->scorer, making->corpus,
                            budget_share * m->budget_seconds / unit_seconds, err));
    RW_TRY(rw_work_estimate(&m->scope, making->scorer, making->corpus, &left, err));
    m->predicted_seconds = left.cost * unit_seconds;
    *wanted_seconds = wanted.cost * unit_seconds;
    return RW_OK;
}

static void warn_of_pack(rw_measurement *m) {
    if (!m->scope.pack || !(m->predicted_seconds > m->budget_seconds))
        return;
    rw_log(m->ctx, RW_WARNING,
           "the pack alone takes longer than the budget: its last items will be left unread");
    rw_diagnose(&m->diagnostics, "measure.budget_pack", RW_WARNING, false, "--budget",
                "the pack alone takes longer than the budget");
}

/* A run that goes on keeps the cuts that it began with. */
static rw_status keep_budget(rw_measurement *m, const rw_making *making, rw_error *err) {
    const rw_scope asked = m->scope;
    double wanted_seconds = NAN;
    rw_journal *journal = making->journal;
    bool taken =
        journal && rw_journal_take_cut(journal, making->side, &m->scope, &m->predicted_seconds);
    if (!taken)
        RW_TRY(cut_scope(m, making, &wanted_seconds, err));
    if (journal && !taken)
        RW_TRY(rw_journal_note_cut(journal, making->side, &m->scope, m->predicted_seconds, err));
    RW_TRY(rw_scope_cuts(&m->arena, &asked, &m->scope, &m->cuts, &m->cut_count, err));
    tell_cuts(m, wanted_seconds);
    warn_of_pack(m);
    return RW_OK;
}

/* ---- the pack -------------------------------------------------------------------------------- */

static rw_pack_setting pack_setting(const rw_measurement *m, const rw_tokenizer *tokenizer,
                                    const rw_corpus *corpus) {
    return (rw_pack_setting){.native = m->scope.native,
                             .context = m->scope.context,
                             .seed = m->scope.seed,
                             .corpus = corpus,
                             .tokenizer = tokenizer};
}

/* Listed before anything is read: when the time is up, its items are unread, not forgotten. */
static rw_status begin_pack(rw_measurement *m, const rw_tokenizer *tokenizer,
                            const rw_corpus *corpus, rw_error *err) {
    const rw_pack *pack = m->scope.pack;
    if (!pack)
        return RW_OK;
    const rw_pack_setting setting = pack_setting(m, tokenizer, corpus);
    m->pack = rw_arena_alloc(&m->arena, sizeof *m->pack);
    if (!m->pack)
        return rw_fail_memory(err, "pack", sizeof *m->pack);
    for (size_t i = 0; i < pack->diagnostics.count; i++) {
        const rw_diagnostic *item = &pack->diagnostics.items[i];
        rw_diagnose(&m->diagnostics, item->code, item->severity, item->changes_numbers, item->path,
                    "%s", item->message);
    }
    return rw_pack_begin(&m->arena, pack, &setting, m->pack, err);
}

/* What the pack says less about than it seems to. */
static rw_status finish_pack(rw_measurement *m, rw_error *err) {
    if (!m->pack)
        return RW_OK;
    rw_pack_count(m->pack);
    RW_TRY(rw_pack_weigh_evidence(m->ctx, m->pack, m->scope.seed, err));
    const rw_pack_evidence *evidence = &m->pack->evidence;
    if (evidence->ci.defined && !(evidence->ci.low > 0))
        rw_diagnose(&m->diagnostics, "pack.evidence", RW_WARNING, false, m->pack->file,
                    "taking the evidence out of %llu items costs their answers %.3f nats a token "
                    "(at least %.3f): they do not show that the text was read",
                    (unsigned long long)evidence->items, evidence->gain, evidence->ci.low);
    const rw_pack_bin *top = &m->pack->bins[m->pack->bin_count - 1];
    if (m->pack->too_long)
        rw_diagnose(&m->diagnostics, "pack.too_long", RW_WARNING, false, m->pack->file,
                    "%llu items are longer than the window of %zu tokens: they are left "
                    "undefined, not cut",
                    (unsigned long long)m->pack->too_long, m->pack->context);
    if (top->items == 0)
        rw_diagnose(&m->diagnostics, "pack.top_empty", RW_WARNING, false, m->pack->file,
                    "no item that counts has more than %zu tokens and at most %zu: give 50 to 200",
                    top->from, top->to);
    return RW_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static rw_status run_parts(rw_measurement *m, rw_scorer *scorer, const char **task,
                           const rw_making *making, rw_error *err) {
    const rw_corpus *corpus = making->corpus;
    if (m->scope.perplexity) {
        *task = "perplexity";
        RW_TRY(rw_perplexity_fill(&m->scope, &m->store, scorer, err));
        RW_TRY(rw_decode_run(m, scorer, corpus, err));
    }
    if (m->scope.pack) { /* the asker's own questions before ours, should the time run out */
        const rw_pack_setting setting = pack_setting(m, making->tokenizer, corpus);
        *task = "pack";
        RW_TRY(rw_pack_answer(&m->arena, m->scope.pack, &setting, scorer, m->pack, err));
    }
    *task = "retrieval";
    return rw_retrieval_run(m, scorer, corpus, making->tokenizer, err);
}

/* The parts, with what the journal knows (where there is one) coming from there. */
static rw_status run_metered(rw_measurement *m, rw_meter *meter, const rw_making *making,
                             rw_error *err) {
    rw_journal_scorer scorer;
    if (!making->journal)
        return run_parts(m, &meter->scorer, &meter->task, making, err);
    RW_TRY(rw_journal_scorer_init(&scorer, making->journal, making->side, meter, err));
    rw_status status = run_parts(m, &scorer.scorer, &meter->task, making, err);
    rw_journal_scorer_free(&scorer);
    return status;
}

static void diagnose_rows(rw_measurement *m) {
    for (size_t i = 0; i < m->row_count; i++) {
        const rw_row *row = &m->rows[i];
        char path[32];
        snprintf(path, sizeof path, "length %zu", row->length);
        if (row->document_count == 0)
            rw_diagnose(&m->diagnostics, "measure.no_documents", RW_WARNING, false, path,
                        "no document was long enough, or read in time, for length %zu",
                        row->length);
        else if (!isfinite(row->nll))
            rw_diagnose(&m->diagnostics, "measure.not_finite", RW_ERROR, false, path,
                        "the model's likelihoods are no numbers at length %zu", row->length);
        else if (row->document_count < RW_BOOTSTRAP_DOCUMENTS_MIN)
            rw_diagnose(&m->diagnostics, "measure.few_documents", RW_WARNING, false, path,
                        "only %zu documents at length %zu: no interval (it takes %d)",
                        row->document_count, row->length, RW_BOOTSTRAP_DOCUMENTS_MIN);
    }
    if (m->interrupted)
        rw_diagnose(&m->diagnostics, "measure.interrupted", RW_WARNING, true, "",
                    "it was stopped before everything was measured: this is what there was by "
                    "then");
    if (m->out_of_time)
        rw_diagnose(&m->diagnostics, "measure.out_of_time", RW_WARNING, false, "",
                    "the budget was used up before everything was measured");
}

/* What ends reading but leaves a result. */
static rw_status take_end(rw_measurement *m, rw_status status) {
    m->out_of_time = status == RW_ERR_TIME;
    m->interrupted = status == RW_ERR_CANCELLED;
    return m->out_of_time || m->interrupted ? RW_OK : status;
}

static rw_status run_all(rw_measurement *m, const rw_making *making, rw_error *err) {
    double begun = rw_now() - (making->journal ? rw_journal_seconds(making->journal) : 0);
    rw_work expected;
    RW_TRY(copy_corpus_facts(m, making->corpus, err));
    RW_TRY(check_documents(m, making->corpus, err));
    if (making->like)
        RW_TRY(take_cuts(m, making->like, err));
    else if (m->budget_seconds > 0)
        RW_TRY(keep_budget(m, making, err));
    RW_TRY(rw_work_estimate(&m->scope, making->scorer, making->corpus, &expected, err));
    rw_meter meter;
    rw_meter_init(&meter, m->ctx, making->scorer, &expected, begun, m->budget_seconds);
    RW_TRY(begin_pack(m, making->tokenizer, making->corpus, err));
    RW_TRY(take_end(m, run_metered(m, &meter, making, err)));
    RW_TRY(finish_pack(m, err));
    m->tokens_read = meter.done.tokens;
    RW_TRY(rw_perplexity_derive(m, making->tokenizer, err));
    m->seconds = rw_now() - begun;
    diagnose_rows(m);
    return RW_OK;
}

static void begin_measurement(rw_measurement *m, rw_context *ctx, const rw_making *making) {
    const rw_measure_options *options = making->options;
    bool depends = making->scorer->depends_on_length;
    m->ctx = ctx;
    m->arena.ctx = ctx;
    m->scope = *making->scope;
    m->depends_on_length = depends;
    m->store =
        (rw_store){.arena = &m->arena, .corpus = making->corpus, .depends_on_length = depends};
    m->diagnostics.arena = &m->arena;
    m->decode.reason = "perplexity was not asked for";
    m->budget_seconds = options->budget_seconds;
    m->no_timing = options->no_timing;
    m->suite = options->suite ? rw_arena_format(&m->arena, "%s", options->suite) : NULL;
}

rw_status rw_measurement_make(rw_context *ctx, const rw_making *making, rw_measurement **out,
                              rw_error *err) {
    *out = NULL;
    rw_measurement *m = rw_calloc(ctx, 1, sizeof *m);
    if (!m)
        return rw_fail_memory(err, "measurement", sizeof *m);
    begin_measurement(m, ctx, making);
    rw_making named = *making;
    named.side = making->side ? making->side : "one";
    rw_status status = run_all(m, &named, err);
    m->store.corpus = NULL; /* the caller's */
    m->scope.pack = NULL;
    if (status != RW_OK) {
        rw_measurement_free(m);
        return status;
    }
    *out = m;
    return RW_OK;
}

rw_status rw_measurement_run(rw_context *ctx, const rw_subject *subject, const rw_corpus *corpus,
                             const rw_measure_options *options, rw_measurement **out,
                             rw_error *err) {
    rw_scope scope;
    rw_model_scorer scorer;
    *out = NULL;
    RW_TRY(rw_scope_make(subject, corpus, options, &scope, err));
    if (subject->like) {
        scope = subject->like->scope;
        scope.baseline = !subject->no_baseline;
        scope.pack = subject->pack;
    }
    rw_model_scorer_init(&scorer, subject);
    const rw_making making = {.scope = &scope,
                              .scorer = &scorer.scorer,
                              .tokenizer = subject->tokenizer,
                              .corpus = corpus,
                              .options = options,
                              .like = subject->like,
                              .journal = subject->journal,
                              .side = subject->like ? "after" : "before"};
    rw_status status = rw_measurement_make(ctx, &making, out, err);
    rw_model_scorer_free(&scorer);
    return status;
}

void rw_measurement_free(rw_measurement *measurement) {
    if (!measurement)
        return;
    rw_context *ctx = measurement->ctx;
    rw_arena_free(&measurement->arena);
    rw_free(ctx, measurement);
}

bool rw_measurement_interrupted(const rw_measurement *measurement) {
    return measurement->interrupted;
}

rw_diagnostics *rw_measurement_diagnostics(rw_measurement *measurement) {
    return &measurement->diagnostics;
}
