/*
 * retrieval_run.c - the retrieval samples before a model: every answer token must be the arg max.
 *
 * Teacher-forced: one forward over prompt and answer. When each token of the answer is the most
 * likely one after the true ones before it, greedy decoding would have written the answer.
 */
#include <string.h>

#include "measure/result.h"
#include "measure/retrieval.h"

typedef struct run {
    rw_measurement *m;
    rw_scorer *scorer;
    const rw_corpus *corpus;
    const rw_tokenizer *tokenizer;
} run;

static void judge_span(const rw_sample *sample, const rw_span *span, const rw_outputs *outputs,
                       bool *right, rw_share *answer) {
    for (size_t i = span->first; i < span->first + span->count; i++) {
        size_t at = i - 1 - outputs->first; /* the position before predicts it */
        *right = *right && outputs->argmax[at] == sample->tokens[i];
        answer->sum += outputs->nll[at];
        answer->count += 1;
    }
}

static rw_status score_sample(const run *r, rw_arena *arena, const rw_sample *sample, rw_cell *cell,
                              rw_error *err) {
    size_t first = sample->spans[0].first - 1, read = sample->count - 1, count = read - first;
    double *nll = rw_arena_alloc(arena, count * sizeof *nll);
    int32_t *argmax = rw_arena_alloc(arena, count * sizeof *argmax);
    if (!nll || !argmax)
        return rw_fail_memory(err, "retrieval sample", count * sizeof *nll);
    const rw_outputs outputs = {.first = first,
                                .count = count,
                                .target = sample->tokens + first + 1,
                                .nll = nll,
                                .argmax = argmax};
    RW_TRY(rw_scorer_read(r->scorer, sample->tokens, read, sample->count, &outputs, err));
    bool right = true;
    for (size_t i = 0; i < sample->span_count; i++)
        judge_span(sample, &sample->spans[i], &outputs, &right, &cell->answer);
    cell->trials++;
    cell->correct += right;
    return RW_OK;
}

static rw_status run_trial(const run *r, const rw_pick *pick, rw_cell *cell, uint64_t trial,
                           rw_error *err) {
    const rw_sample_request request = {.task = pick->task,
                                       .wording = pick->wording,
                                       .seed = r->m->scope.seed,
                                       .length = cell->length,
                                       .depth = cell->depth,
                                       .trial = trial};
    rw_arena arena = {.ctx = r->m->ctx};
    rw_sample sample;
    rw_status status = rw_sample_make(&arena, r->corpus, r->tokenizer, &request, &sample, err);
    if (status == RW_OK)
        status = score_sample(r, &arena, &sample, cell, err);
    rw_arena_free(&arena);
    return status;
}

/* All depths get a trial before any gets the next: a run that is stopped stays even. */
static rw_status run_length(const run *r, const rw_pick *pick, rw_cell *cells, rw_error *err) {
    const rw_scope *scope = &r->m->scope;
    for (uint64_t trial = 0; trial < scope->trials; trial++)
        for (size_t d = 0; d < scope->depth_count; d++)
            RW_TRY(run_trial(r, pick, &cells[d], trial, err));
    return RW_OK;
}

/* A length without room for the task leaves its cells empty and says so. */
static rw_status run_cells(const run *r, const rw_pick *pick, rw_cell *cells, rw_error *err) {
    rw_error cause = {0};
    rw_status status = run_length(r, pick, cells, &cause);
    if (status == RW_ERR_INPUT && strcmp(cause.code, "measure.too_short") == 0) {
        for (size_t d = 0; d < r->m->scope.depth_count; d++)
            cells[d].impossible = true;
        rw_diagnose(&r->m->diagnostics, cause.code, RW_WARNING, false, pick->task->name, "%s",
                    cause.message);
        return RW_OK;
    }
    if (status != RW_OK && err)
        *err = cause;
    return status;
}

static rw_status make_cells(rw_measurement *m, rw_error *err) {
    const rw_scope *scope = &m->scope;
    size_t count = scope->pick_count * scope->retrieval_lengths * scope->depth_count;
    m->cells = rw_arena_alloc(&m->arena, (count + 1) * sizeof *m->cells);
    if (!m->cells)
        return rw_fail_memory(err, "measurement", count * sizeof *m->cells);
    for (size_t p = 0; p < scope->pick_count; p++)
        for (size_t l = 0; l < scope->retrieval_lengths; l++)
            for (size_t d = 0; d < scope->depth_count; d++)
                m->cells[m->cell_count++] = (rw_cell){.task = scope->picks[p].task->name,
                                                      .wording = scope->picks[p].wording->name,
                                                      .length = scope->lengths[l],
                                                      .depth = scope->depths[d]};
    return RW_OK;
}

rw_status rw_retrieval_run(rw_measurement *m, rw_scorer *scorer, const rw_corpus *corpus,
                           const rw_tokenizer *tokenizer, rw_error *err) {
    const run r = {m, scorer, corpus, tokenizer};
    const rw_scope *scope = &m->scope;
    RW_TRY(make_cells(m, err));
    rw_cell *cells = m->cells;
    for (size_t p = 0; p < scope->pick_count; p++)
        for (size_t l = 0; l < scope->retrieval_lengths; l++, cells += scope->depth_count)
            RW_TRY(run_cells(&r, &scope->picks[p], cells, err));
    return RW_OK;
}
