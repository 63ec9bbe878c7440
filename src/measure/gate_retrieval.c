/*
 * gate_retrieval.c - D3: can it find things, at every depth, at every length up to the target?
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/gate.h"

/* The cells of one task at one length: a run of the array, by depth. */
typedef struct cell_run {
    const rw_cell_score *cells;
    size_t count;
} cell_run;

static cell_run run_at(const rw_cell_score *cells, size_t count, size_t begin) {
    size_t end = begin;
    while (end < count && strcmp(cells[end].task, cells[begin].task) == 0 &&
           cells[end].length == cells[begin].length)
        end++;
    return (cell_run){cells + begin, end - begin};
}

/* Depths that leave the middle out, or an end, say nothing about what lies there. */
static bool depths_cover(cell_run run, double gap) {
    const double slack = 1e-9;
    double last = 0;
    if (run.cells[0].depth > slack)
        return false;
    for (size_t i = 0; i < run.count; i++) {
        if (run.cells[i].depth - last > gap + slack)
            return false;
        last = run.cells[i].depth;
    }
    return last >= 1 - slack;
}

static rw_length_finding judge_run(cell_run run, const rw_thresholds *t) {
    rw_length_finding out = {
        .task = run.cells[0].task, .length = run.cells[0].length, .worst = NAN};
    uint64_t fewest = UINT64_MAX;
    for (size_t i = 0; i < run.count; i++) {
        const rw_cell_score *cell = &run.cells[i];
        double rate = cell->trials ? (double)cell->correct / (double)cell->trials : NAN;
        out.trials += cell->trials;
        out.correct += cell->correct;
        fewest = cell->trials < fewest ? cell->trials : fewest;
        if (!(rate >= out.worst)) {
            out.worst = rate;
            out.worst_depth = cell->depth;
        }
    }
    out.ci = rw_wilson(out.correct, out.trials);
    out.provisional = fewest < t->firm_trials;
    if (out.trials < t->trials || fewest < t->depth_trials || !depths_cover(run, t->depth_gap))
        return out;
    bool found = out.ci.low >= t->retrieval && out.worst >= t->retrieval;
    out.verdict = found ? RW_VERDICT_PASS : RW_VERDICT_FAIL;
    return out;
}

/* Share of right answers of the unextended model at the longest length inside its window. */
static double ability(const rw_scores *s, const char *task) {
    double out = NAN;
    for (size_t i = 0; i < s->before_count;) {
        cell_run run = run_at(s->before, s->before_count, i);
        uint64_t trials = 0, correct = 0;
        for (size_t c = 0; c < run.count; c++) {
            trials += run.cells[c].trials;
            correct += run.cells[c].correct;
        }
        bool inside = run.cells[0].length <= s->native && strcmp(run.cells[0].task, task) == 0;
        if (inside && trials)
            out = (double)correct / (double)trials;
        i += run.count;
    }
    return out;
}

static void judge_task(const rw_scores *s, const rw_thresholds *t, rw_judgement *j,
                       rw_task_finding *task) {
    bool unbroken = true, target = false, undefined = false;
    task->ability = ability(s, task->task);
    task->cannot = task->ability < t->ability;
    for (size_t i = 0; i < j->length_count; i++) {
        const rw_length_finding *length = &j->lengths[i];
        if (strcmp(length->task, task->task) != 0 || length->length > s->context)
            continue;
        undefined = undefined || length->verdict == RW_VERDICT_UNDEFINED;
        unbroken = unbroken && length->verdict == RW_VERDICT_PASS;
        target = target || length->length == s->context;
        if (unbroken)
            task->effective_length = length->length;
        if (length->verdict == RW_VERDICT_FAIL)
            task->verdict = RW_VERDICT_FAIL;
    }
    if (task->cannot || isnan(task->ability))
        task->verdict = RW_VERDICT_UNDEFINED;
    else if (task->verdict != RW_VERDICT_FAIL && target && !undefined)
        task->verdict = RW_VERDICT_PASS;
}

static void list_lengths(const rw_scores *s, const rw_thresholds *t, rw_judgement *j) {
    for (size_t i = 0; i < s->after_count && j->length_count < RW_LENGTH_FINDINGS_MAX;) {
        cell_run run = run_at(s->after, s->after_count, i);
        j->lengths[j->length_count++] = judge_run(run, t);
        i += run.count;
    }
}

static rw_task_finding *find_task(rw_judgement *j, const char *name) {
    for (size_t i = 0; i < j->task_count; i++)
        if (strcmp(j->tasks[i].task, name) == 0)
            return &j->tasks[i];
    return NULL;
}

static void list_tasks(const rw_scores *s, const rw_thresholds *t, rw_judgement *j) {
    for (size_t i = 0; i < j->length_count; i++) {
        const char *name = j->lengths[i].task;
        if (find_task(j, name) || j->task_count == RW_GATE_TASKS_MAX)
            continue;
        rw_task_finding *task = &j->tasks[j->task_count++];
        *task = (rw_task_finding){.task = name};
        judge_task(s, t, j, task);
    }
}

/* The row that says most: of the tasks that count, the one with the smallest bound up to the
   target. */
static const rw_length_finding *weakest_length(const rw_scores *s, rw_judgement *j) {
    const rw_length_finding *weakest = NULL;
    for (size_t i = 0; i < j->length_count; i++) {
        const rw_length_finding *length = &j->lengths[i];
        const rw_task_finding *task = find_task(j, length->task);
        if (!task || task->cannot || length->length > s->context || !length->ci.defined)
            continue;
        if (!weakest || fmin(length->ci.low, length->worst) < fmin(weakest->ci.low, weakest->worst))
            weakest = length;
    }
    return weakest;
}

static void explain(const rw_scores *s, const rw_thresholds *t, const rw_judgement *j,
                    const rw_length_finding *weakest, rw_finding *out) {
    if (out->verdict == RW_VERDICT_FAIL && weakest)
        snprintf(out->reason, sizeof out->reason,
                 "%s at %llu tokens: %llu of %llu right, %.2f at depth %.2f", weakest->task,
                 (unsigned long long)weakest->length, (unsigned long long)weakest->correct,
                 (unsigned long long)weakest->trials, weakest->worst, weakest->worst_depth);
    else if (out->verdict == RW_VERDICT_UNDEFINED && j->task_count == 0)
        snprintf(out->reason, sizeof out->reason, "no retrieval task was measured");
    else if (out->verdict == RW_VERDICT_UNDEFINED && j->tasks[0].cannot)
        snprintf(out->reason, sizeof out->reason,
                 "the unextended model gets %.2f of %s right inside its own window: it cannot do "
                 "the task, so the task says nothing about the extension",
                 j->tasks[0].ability, j->tasks[0].task);
    else if (out->verdict == RW_VERDICT_UNDEFINED)
        snprintf(out->reason, sizeof out->reason,
                 "it takes the unextended model inside its window, and %llu trials a length, %llu "
                 "a depth, depths from 0 to 1 no more than %.2f apart, at every length up to %llu",
                 (unsigned long long)t->trials, (unsigned long long)t->depth_trials, t->depth_gap,
                 (unsigned long long)s->context);
}

void rw_gate_decide_retrieval(const rw_scores *scores, const rw_thresholds *thresholds,
                              rw_judgement *j) {
    rw_finding *out = &j->dims[RW_D3_RETRIEVAL];
    size_t passed = 0, able = 0;
    bool failed = false;
    *out = (rw_finding){.required = true, .value = NAN};
    list_lengths(scores, thresholds, j);
    list_tasks(scores, thresholds, j);
    for (size_t i = 0; i < j->task_count; i++) {
        able += !j->tasks[i].cannot;
        passed += j->tasks[i].verdict == RW_VERDICT_PASS;
        failed = failed || j->tasks[i].verdict == RW_VERDICT_FAIL;
    }
    if (failed)
        out->verdict = RW_VERDICT_FAIL;
    else if (able && passed == able)
        out->verdict = RW_VERDICT_PASS;
    const rw_length_finding *weakest = weakest_length(scores, j);
    if (weakest) {
        out->value = weakest->worst;
        out->ci = weakest->ci;
        out->n = weakest->trials;
        out->provisional = weakest->provisional;
        out->margin = (fmin(weakest->ci.low, weakest->worst) - thresholds->retrieval) /
                      fmax(1 - thresholds->retrieval, 1e-3);
    }
    out->provisional = out->provisional || (scores->fast && out->verdict != RW_VERDICT_UNDEFINED);
    explain(scores, thresholds, j, weakest, out);
}
