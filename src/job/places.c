/*
 * places.c - where the parts of an output lie while they are made, and how they appear at once.
 */
#include <stdlib.h>
#include <string.h>

#include "job/extend.h"

static rw_status no_memory(const rw_extending *job, rw_error *err) {
    return rw_fail_memory(err, job->options->output, strlen(job->options->output));
}

static rw_status begin_directory(rw_extending *job, const char *output, rw_error *err) {
    rw_places *p = &job->places;
    rw_arena *arena = &job->arena;
    RW_TRY(rw_output_begin_directory(job->ctx, output, &p->main, err));
    p->root = p->checkpoint_path = rw_output_path(p->main);
    p->canary_name = "canary.json";
    p->canary_path = rw_path_join(arena, p->root, "canary.json");
    p->report_path = rw_path_join(arena, p->root, "report.html");
    p->receipt_path = rw_path_join(arena, p->root, "receipt.json");
    p->final_canary = rw_path_join(arena, output, "canary.json");
    p->final_report = rw_path_join(arena, output, "report.html");
    p->final_receipt = rw_path_join(arena, output, "receipt.json");
    return p->canary_path && p->report_path && p->receipt_path && p->final_canary &&
                   p->final_report && p->final_receipt
               ? RW_OK
               : no_memory(job, err);
}

static rw_status begin_companion(rw_extending *job, const char *final, rw_output **out,
                                 const char **path, rw_error *err) {
    if (!final)
        return no_memory(job, err);
    RW_TRY(rw_output_begin_file(job->ctx, final, out, err));
    *path = rw_output_path(*out);
    return RW_OK;
}

static rw_status begin_single(rw_extending *job, const char *output, rw_error *err) {
    rw_places *p = &job->places;
    size_t size = strlen(output);
    if (size < 6 || strcmp(output + size - 5, ".gguf") != 0)
        return rw_fail(err, RW_ERR_USAGE, "extend.output_name", "--output",
                       "the input is a GGUF, so the output is one file: give it a name that ends "
                       "in .gguf");
    const char *stem = rw_arena_text(&job->arena, output, size - 5);
    if (!stem)
        return no_memory(job, err);
    p->single = true;
    p->root = rw_path_folder(&job->arena, output);
    p->final_canary = rw_arena_format(&job->arena, "%s.canary.json", stem);
    p->final_report = rw_arena_format(&job->arena, "%s.report.html", stem);
    p->final_receipt = rw_arena_format(&job->arena, "%s.receipt.json", stem);
    RW_TRY(begin_companion(job, output, &p->main, &p->checkpoint_path, err));
    if (!job->options->no_measure)
        RW_TRY(begin_companion(job, p->final_canary, &p->canary, &p->canary_path, err));
    RW_TRY(begin_companion(job, p->final_report, &p->report, &p->report_path, err));
    RW_TRY(begin_companion(job, p->final_receipt, &p->receipt, &p->receipt_path, err));
    p->canary_name = rw_path_base(p->final_canary);
    return RW_OK;
}

/* Inside the checkpoint the output would be a part of it, and of the next output made of it. */
static rw_status check_outside(rw_extending *job, const char *output, rw_error *err) {
    const char *folder = rw_path_folder(&job->arena, output);
    char *parent = folder ? realpath(folder, NULL) : NULL;
    char *input = realpath(rw_checkpoint_path(job->input), NULL);
    size_t size = input ? strlen(input) : 0;
    bool inside = parent && input && strncmp(parent, input, size) == 0 &&
                  (parent[size] == '\0' || parent[size] == '/');
    free(parent);
    free(input);
    if (!inside)
        return RW_OK;
    return rw_fail(err, RW_ERR_USAGE, "output.inside", output,
                   "the output would lie inside the checkpoint that it is made of, which is never "
                   "changed: choose a place beside it");
}

rw_status rw_places_begin(rw_extending *job, rw_error *err) {
    const char *given = job->options->output;
    size_t size = strlen(given);
    while (size > 1 && given[size - 1] == '/')
        size--;
    const char *output = rw_arena_text(&job->arena, given, size);
    if (!output)
        return no_memory(job, err);
    job->places.final = output;
    if (rw_checkpoint_format(job->input) == RW_FORMAT_GGUF)
        return begin_single(job, output, err);
    if (rw_checkpoint_format(job->input) == RW_FORMAT_HF)
        RW_TRY(check_outside(job, output, err));
    return begin_directory(job, output, err);
}

static void withdraw(rw_extending *job, size_t count) {
    const rw_places *p = &job->places;
    const char *finals[] = {p->final, p->final_canary, p->final_report, p->final_receipt};
    for (size_t i = 0; i < count; i++)
        if (p->single ? finals[i] != NULL : i == 0)
            rw_remove_tree(finals[i]);
}

void rw_places_withdraw(rw_extending *job) {
    withdraw(job, 4);
}

/* The receipt last: whoever sees it sees a whole output. What was renamed before something failed
   is taken back. */
rw_status rw_places_commit(rw_extending *job, rw_error *err) {
    rw_places *p = &job->places;
    rw_output **outputs[] = {&p->main, &p->canary, &p->report, &p->receipt};
    RW_TRY(rw_check_cancel(job->ctx, err));
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        if (!*outputs[i])
            continue;
        rw_status status = rw_output_commit(*outputs[i], err);
        *outputs[i] = NULL;
        if (status == RW_OK)
            continue;
        withdraw(job, i);
        return status;
    }
    return RW_OK;
}

void rw_places_abort(rw_places *p) {
    rw_output_abort(p->receipt);
    rw_output_abort(p->report);
    rw_output_abort(p->canary);
    rw_output_abort(p->main);
    p->main = p->canary = p->report = p->receipt = NULL;
}
