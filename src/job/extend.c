/*
 * extend.c - the main job: plan, patch, proof of effect, measure before and after, gate, receipt,
 * report. Nothing of the output exists under its name until all of that is done.
 */
#include <stdlib.h>
#include <string.h>

#include "job/extend.h"

static rw_status check_options(const rw_extend_options *options, rw_error *err) {
    if (!options->plan.path)
        return rw_fail(err, RW_ERR_USAGE, "extend.path", "MODEL",
                       "name the checkpoint to extend: a directory or a GGUF");
    if (!options->output || !*options->output)
        return rw_fail(err, RW_ERR_USAGE, "extend.output", "--output",
                       "say where to write with -o OUT");
    if (!options->plan.context)
        return rw_fail(err, RW_ERR_USAGE, "extend.context", "--context",
                       "say how many tokens the window shall have");
    return RW_OK;
}

/* "tiny" of models/tiny and of tiny.gguf. */
static const char *model_name(rw_arena *arena, const char *path) {
    char *whole = realpath(path, NULL);
    const char *base = rw_path_base(whole ? whole : path);
    size_t size = strlen(base);
    if (size > 5 && strcmp(base + size - 5, ".gguf") == 0)
        size -= 5;
    const char *name = rw_arena_text(arena, base, size);
    free(whole);
    return name;
}

static rw_status open_input(rw_extending *job, rw_error *err) {
    const char *path = job->options->plan.path;
    unsigned flags = job->options->no_measure ? RW_OPEN_NO_WEIGHTS : 0;
    RW_TRY(rw_checkpoint_open(job->ctx, path, flags, &job->input, err));
    RW_TRY(rw_source_read(job->input, &job->arena, &job->source, err));
    job->name = model_name(&job->arena, path);
    job->plan = rw_arena_alloc(&job->arena, sizeof *job->plan);
    if (!job->plan || !job->name)
        return rw_fail_memory(err, "plan", sizeof *job->plan);
    return RW_OK;
}

/* Guards stand before both checkpoints before anything is written. */
static rw_status read_inputs(rw_extending *job, rw_extend_options *draft, rw_error *err) {
    RW_TRY(open_input(job, err));
    RW_TRY(rw_plan_make(&job->source, &job->options->plan, job->plan, err));
    RW_TRY(rw_cache_type_check(&job->source.arch, job->engine.cache, err));
    job->plan->cache = job->engine.cache;
    if (!job->draft)
        return RW_OK;
    RW_TRY(open_input(job->draft, err));
    return rw_together_plan(job, draft, err);
}

/* Before anything is written: whatever is wrong with the data shall be said at once. */
static rw_status read_data(rw_extending *job, rw_error *err) {
    if (job->options->no_measure)
        return RW_OK;
    if (rw_checkpoint_format(job->input) == RW_FORMAT_CONFIG)
        return rw_fail(err, RW_ERR_USAGE, "extend.no_weights", job->options->plan.path,
                       "a bare config.json has no weights to measure: give the directory, or "
                       "--no-measure");
    if (!job->options->measure.data)
        return rw_fail(err, RW_ERR_USAGE, "measure.data", "--data",
                       "there is no text to measure on: give --data FILE (JSONL, one "
                       "{\"text\": ...} a line), or --no-measure");
    const rw_measure_options *measure = &job->measure;
    uint64_t most = measure->documents;
    RW_TRY(rw_model_tokenizer(job->ctx, job->input, &job->source.arch, &job->tokenizer, err));
    if (measure->pack)
        RW_TRY(rw_pack_read(job->ctx, measure->pack, job->tokenizer, &job->pack, err));
    return rw_corpus_read(job->ctx, measure->data, job->tokenizer,
                          most ? most : RW_MEASURE_DOCUMENTS, &job->corpus, err);
}

/* What the verdict is asked for, before any work is done for it. */
static rw_status read_measure_options(rw_extending *job, rw_error *err) {
    job->measure = job->options->measure;
    const rw_gate_options gate = {.thresholds = job->measure.thresholds,
                                  .allow_undefined = job->measure.allow_undefined};
    RW_TRY(rw_gate_options_check(&gate, err));
    RW_TRY(rw_engine_read(job->measure.kv_type, job->measure.arithmetic, &job->engine, err));
    return rw_suite_apply(job->measure.suite, &job->measure, err);
}

static bool has_work(const rw_extending *job) {
    return job && !job->plan->nothing_to_do;
}

/* A draft alone can't be measured: what it drafts is judged by its target. */
static rw_status extend_draft(rw_extending *draft, rw_error *err) {
    draft->key = draft->target->key;
    RW_TRY(rw_places_begin(draft, err));
    RW_TRY(rw_patch_and_prove(draft, err));
    RW_TRY(rw_record_receipt(draft, err));
    return rw_record_result(draft, err);
}

static rw_status extend_model(rw_extending *job, rw_error *err) {
    RW_TRY(rw_patch_and_prove(job, err));
    if (!job->options->no_measure)
        RW_TRY(rw_gather_evidence(job, err));
    RW_TRY(rw_record_receipt(job, err));
    return rw_record_result(job, err);
}

static rw_status run(rw_extending *job, rw_extend_options *draft, rw_error *err) {
    RW_TRY(read_measure_options(job, err));
    if (job->options->sign)
        RW_TRY(rw_key_load_private(job->ctx, job->options->sign, &job->key, err));
    RW_TRY(read_inputs(job, draft, err));
    if (has_work(job)) {
        RW_TRY(read_data(job, err));
        RW_TRY(rw_places_begin(job, err));
    }
    if (has_work(job->draft))
        RW_TRY(extend_draft(job->draft, err));
    RW_TRY(has_work(job) ? extend_model(job, err) : rw_record_nothing(job, err));
    RW_TRY(rw_together_commit(job, err));
    return job->gate && !rw_gate_passed(job->gate) ? RW_NO : RW_OK;
}

static void begin(rw_extending *job, rw_context *ctx, const rw_extend_options *options) {
    *job = (rw_extending){.ctx = ctx, .options = options, .arena = {.ctx = ctx}};
    job->corpus.ctx = ctx;
    job->inputs.arena = job->outputs.arena = &job->arena;
    job->proof.ctx = job->manifest.ctx = job->receipt.ctx = ctx;
    job->result.ctx = job->report.ctx = ctx;
}

static void release(rw_extending *job) {
    rw_gate_free(job->gate);
    rw_measurement_free(job->after);
    rw_measurement_free(job->before);
    rw_model_free(job->model);
    rw_pack_free(job->pack);
    rw_corpus_free(&job->corpus);
    rw_tokenizer_free(job->tokenizer);
    rw_checkpoint_close(job->patched);
    rw_checkpoint_close(job->input);
    rw_places_abort(&job->places);
    rw_key_free(job->key);
    rw_buf_free(&job->proof);
    rw_buf_free(&job->manifest);
    rw_buf_free(&job->receipt);
    rw_buf_free(&job->result);
    rw_buf_free(&job->report);
    rw_arena_free(&job->arena);
}

rw_status rw_extend(rw_context *ctx, const rw_extend_options *options, char **json, rw_error *err) {
    *json = NULL;
    RW_TRY(check_options(options, err));
    rw_extending job, draft;
    rw_extend_options draft_options = rw_together_options(options);
    begin(&job, ctx, options);
    begin(&draft, ctx, &draft_options);
    if (options->plan.companion) {
        job.draft = &draft;
        draft.target = &job;
    }
    rw_status status = run(&job, &draft_options, err);
    if (status == RW_OK || status == RW_NO) {
        *json = job.result.data;
        job.result = (rw_buf){.ctx = ctx};
    }
    draft.key = NULL; /* its target's */
    release(&draft);
    release(&job);
    return status;
}
