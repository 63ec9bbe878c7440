/*
 * retrieval_run.c - the retrieval samples before a model, scored twice from one forward over prompt
 * and answer: teacher-forced (every answer token is the arg max behind the true ones), and by what
 * greedy decoding writes, compared as text (written.h).
 */
#include <string.h>

#include "measure/result.h"
#include "measure/retrieval.h"
#include "measure/written.h"

typedef struct run {
    rw_measurement *m;
    rw_scorer *scorer;
    const rw_corpus *corpus;
    const rw_tokenizer *tokenizer;
} run;

/* What one sample gave. */
typedef struct scored {
    bool forced, written;
    rw_share answer;
} scored;

static rw_status judge_span(const run *r, const rw_sample *sample, const rw_span *span,
                            const rw_outputs *outputs, scored *out, rw_error *err) {
    const int32_t *argmax = outputs->argmax + (span->first - 1 - outputs->first);
    const double *nll = outputs->nll + (span->first - 1 - outputs->first);
    bool written = false;
    for (size_t i = 0; i < span->count; i++) {
        out->forced = out->forced && argmax[i] == sample->tokens[span->first + i];
        out->answer.sum += nll[i];
        out->answer.count += 1;
    }
    if (out->written)
        RW_TRY(rw_written_judge(r->m->ctx, r->scorer, r->tokenizer, sample, span, argmax, &written,
                                err));
    out->written = out->written && written;
    return RW_OK;
}

/* From the position before the first answer to the last token, whose arg max tells how the last
   answer ends. */
static rw_status read_sample(const run *r, rw_arena *arena, const rw_sample *sample,
                             rw_outputs *out, rw_error *err) {
    size_t first = sample->spans[0].first - 1, count = sample->count - first;
    out->first = first;
    out->count = count;
    out->nll = rw_arena_alloc(arena, count * sizeof *out->nll);
    out->argmax = rw_arena_alloc(arena, count * sizeof *out->argmax);
    int32_t *target = rw_arena_alloc(arena, count * sizeof *target);
    if (!out->nll || !out->argmax || !target)
        return rw_fail_memory(err, "retrieval sample", count * sizeof *out->nll);
    memcpy(target, sample->tokens + first + 1, (count - 1) * sizeof *target);
    target[count - 1] = -1;
    out->target = target;
    return rw_scorer_read(r->scorer, sample->tokens, sample->count, sample->count, out, err);
}

static rw_status score_sample(const run *r, rw_arena *arena, const rw_sample *sample, rw_cell *cell,
                              rw_error *err) {
    rw_outputs outputs = {0};
    scored sum = {.forced = true, .written = true};
    RW_TRY(read_sample(r, arena, sample, &outputs, err));
    for (size_t i = 0; i < sample->span_count; i++)
        RW_TRY(judge_span(r, sample, &sample->spans[i], &outputs, &sum, err));
    cell->trials++;
    cell->correct += sum.forced;
    cell->written += sum.written;
    cell->answer.sum += sum.answer.sum;
    cell->answer.count += sum.answer.count;
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
