/*
 * budget.c - estimating, cutting, metering.
 */
#include "measure/budget.h"

#include <math.h>

/* ---- estimating ------------------------------------------------------------------------------ */

typedef struct counter {
    rw_scorer scorer;
    const rw_scorer *inner;
    rw_work work;
} counter;

static rw_status count_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    (void)scorer, (void)length, (void)err;
    return RW_OK;
}

static rw_status count_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                              const rw_outputs *outputs, rw_error *err) {
    counter *self = scorer->user;
    (void)tokens, (void)outputs, (void)err;
    self->work.cost += self->inner->cost(self->inner, count);
    self->work.tokens += count;
    return RW_OK;
}

static void count_reads(counter *c, size_t length, uint64_t times) {
    c->work.cost += (double)times * c->inner->cost(c->inner, length);
    c->work.tokens += times * length;
}

rw_status rw_work_estimate(const rw_scope *scope, const rw_scorer *scorer, const rw_corpus *corpus,
                           rw_work *out, rw_error *err) {
    counter c = {.inner = scorer, .scorer = *scorer};
    c.scorer.user = &c;
    c.scorer.begin = count_begin;
    c.scorer.append = count_append;
    rw_arena arena = {.ctx = corpus->ctx};
    rw_store store = {
        .arena = &arena, .corpus = corpus, .depends_on_length = scorer->depends_on_length};
    rw_status status = RW_OK;
    if (scope->perplexity)
        status = rw_perplexity_fill(scope, &store, &c.scorer, err);
    for (size_t i = 0; i < scope->retrieval_lengths; i++)
        count_reads(&c, scope->lengths[i], scope->trials * scope->depth_count * scope->pick_count);
    if (scope->decode_at)
        count_reads(&c, scope->decode_at + RW_DECODE_STEPS, 2);
    if (scope->pack)
        rw_pack_estimate(scope->pack, scope->context, scorer, &c.work.cost, &c.work.tokens);
    rw_arena_free(&arena);
    *out = c.work;
    return status;
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* A cut returns false when there is nothing (more) to cut down to `floor`. */
typedef struct cut_step {
    bool (*cut)(rw_scope *scope, size_t floor);
    size_t floor;
} cut_step;

static bool cut_documents(rw_scope *scope, size_t floor) {
    bool some = scope->documents > floor;
    if (some)
        scope->documents = floor;
    return some;
}

static bool cut_trials(rw_scope *scope, size_t floor) {
    bool some = scope->trials > floor && scope->pick_count;
    if (some)
        scope->trials = floor;
    return some;
}

static bool cut_decode(rw_scope *scope, size_t floor) {
    bool some = scope->decode_at > floor;
    if (some)
        scope->decode_at = floor;
    return some;
}

static bool cut_retrieval_length(rw_scope *scope, size_t floor) {
    bool some = scope->retrieval_lengths > floor && scope->pick_count;
    scope->retrieval_lengths -= some;
    return some;
}

static bool cut_length(rw_scope *scope, size_t floor) {
    bool some = scope->length_count > floor;
    scope->length_count -= some;
    if (scope->retrieval_lengths > scope->length_count)
        scope->retrieval_lengths = scope->length_count;
    return some;
}

/* First what only widens intervals, then what takes whole rows away. */
static const cut_step cut_steps[] = {
    {cut_trials, 8},    {cut_documents, 8}, {cut_decode, 256},  {cut_trials, 4},
    {cut_documents, 4}, {cut_trials, 2},    {cut_documents, 2}, {cut_retrieval_length, 1},
    {cut_trials, 1},    {cut_documents, 1}, {cut_length, 1},    {cut_decode, 0},
};

rw_status rw_scope_cut(rw_scope *scope, const rw_scorer *scorer, const rw_corpus *corpus,
                       double limit, rw_error *err) {
    rw_work work;
    RW_TRY(rw_work_estimate(scope, scorer, corpus, &work, err));
    for (size_t i = 0; i < sizeof cut_steps / sizeof cut_steps[0]; i++)
        while (work.cost > limit && cut_steps[i].cut(scope, cut_steps[i].floor))
            RW_TRY(rw_work_estimate(scope, scorer, corpus, &work, err));
    return RW_OK;
}

/* ---- saying what was cut --------------------------------------------------------------------- */

typedef struct cut_list {
    rw_arena *arena;
    const char **texts;
    size_t count;
    bool failed;
} cut_list;

static void say(cut_list *list, const char *what, uint64_t asked, uint64_t left) {
    if (asked == left)
        return;
    const char *text = rw_arena_format(list->arena, "%s %llu -> %llu", what,
                                       (unsigned long long)asked, (unsigned long long)left);
    list->failed = list->failed || !text;
    list->texts[list->count++] = text;
}

rw_status rw_scope_cuts(rw_arena *arena, const rw_scope *asked, const rw_scope *cut,
                        const char ***out, size_t *count, rw_error *err) {
    enum { KINDS = 5 };
    cut_list list = {.arena = arena, .texts = rw_arena_alloc(arena, KINDS * sizeof(char *))};
    if (!list.texts)
        return rw_fail_memory(err, "budget", KINDS * sizeof(char *));
    say(&list, "documents", asked->documents, cut->documents);
    say(&list, "trials per depth", asked->trials, cut->trials);
    say(&list, "longest length", asked->lengths[asked->length_count - 1],
        cut->lengths[cut->length_count - 1]);
    if (asked->pick_count)
        say(&list, "longest retrieval length", asked->lengths[asked->retrieval_lengths - 1],
            cut->lengths[cut->retrieval_lengths - 1]);
    say(&list, "position of the decode check", asked->decode_at, cut->decode_at);
    *out = list.texts;
    *count = list.count;
    return list.failed ? rw_fail_memory(err, "budget", 0) : RW_OK;
}

/* ---- metering -------------------------------------------------------------------------------- */

static rw_status meter_begin(rw_scorer *scorer, size_t length, rw_error *err) {
    rw_meter *self = scorer->user;
    RW_TRY(rw_check_cancel(self->ctx, err));
    double spent = rw_now() - self->begun;
    double rate = self->done.cost > 0 && spent > 0 ? self->done.cost / spent : 0;
    double next = rate > 0 ? self->inner->cost(self->inner, length) / rate : 0;
    if (self->seconds > 0 && spent + next > self->seconds)
        return rw_fail(err, RW_ERR_TIME, "measure.time", "--budget", "the time is up");
    self->done.cost += self->inner->cost(self->inner, length);
    self->length = length;
    self->at = 0;
    return self->inner->begin(self->inner, length, err);
}

/* The share of the work that is done, as so many of the tokens. */
static void report(const rw_meter *self) {
    double ahead =
        self->inner->cost(self->inner, self->length) - self->inner->cost(self->inner, self->at);
    double total = fmax(self->expected.cost, self->done.cost), done = self->done.cost - ahead;
    uint64_t tokens =
        self->expected.tokens > self->done.tokens ? self->expected.tokens : self->done.tokens;
    if (total > 0)
        rw_progress(self->ctx, self->task, (uint64_t)(done / total * (double)tokens), tokens,
                    "tokens");
}

static rw_status meter_append(rw_scorer *scorer, const int32_t *tokens, size_t count,
                              const rw_outputs *outputs, rw_error *err) {
    rw_meter *self = scorer->user;
    RW_TRY(self->inner->append(self->inner, tokens, count, outputs, err));
    self->done.tokens += count;
    self->at += count;
    report(self);
    return RW_OK;
}

static rw_status meter_save(rw_scorer *scorer, uint64_t from, const rw_row_sink *sink,
                            rw_error *err) {
    rw_meter *self = scorer->user;
    return self->inner->save(self->inner, from, sink, err);
}

/* Positions that are taken in count as read. */
static rw_status meter_restore(rw_scorer *scorer, uint64_t to, const rw_row_source *source,
                               rw_error *err) {
    rw_meter *self = scorer->user;
    RW_TRY(self->inner->restore(self->inner, to, source, err));
    self->done.tokens += to - self->at;
    self->at = (size_t)to;
    return RW_OK;
}

static double meter_cost(const rw_scorer *scorer, size_t n) {
    const rw_meter *self = scorer->user;
    return self->inner->cost(self->inner, n);
}

void rw_meter_init(rw_meter *out, rw_context *ctx, rw_scorer *inner, const rw_work *expected,
                   double begun, double seconds) {
    *out = (rw_meter){.scorer = *inner,
                      .inner = inner,
                      .ctx = ctx,
                      .task = "measure",
                      .expected = *expected,
                      .begun = begun,
                      .seconds = seconds};
    out->scorer.user = out;
    out->scorer.begin = meter_begin;
    out->scorer.append = meter_append;
    out->scorer.cost = meter_cost;
    out->scorer.save = inner->save ? meter_save : NULL;
    out->scorer.restore = inner->restore ? meter_restore : NULL;
}
