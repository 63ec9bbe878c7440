/*
 * evidence.c - the same weights under the old rotation and the new one, on the same text.
 */
#include <string.h>

#include "job/extend.h"

/* A budget is for both runs, half for each; the second measures what the first one's cuts left. */
static rw_measure_options measure_options(const rw_extending *job) {
    rw_measure_options options = job->measure;
    options.path = job->options->plan.path;
    options.context = job->plan->context;
    options.budget_seconds /= 2.0;
    return options;
}

static rw_status measure(rw_extending *job, const rw_rope_set *rope, bool extended,
                         rw_measurement **out, rw_error *err) {
    const rw_measure_options options = measure_options(job);
    const rw_subject subject = {.model = job->model,
                                .tokenizer = job->tokenizer,
                                .rope = rope,
                                .native = job->plan->native,
                                .context = job->plan->context,
                                .no_baseline = extended,
                                .pack = job->pack,
                                .like = extended ? job->before : NULL,
                                .engine = job->engine};
    RW_TRY(rw_measurement_run(job->ctx, &subject, &job->corpus, &options, out, err));
    return rw_check_cancel(job->ctx, err); /* a verdict on half of it would be none */
}

static rw_status write_canary(rw_extending *job, rw_error *err) {
    rw_buf text = {.ctx = job->ctx};
    rw_status status = rw_canary_make(job, &text, err);
    if (status == RW_OK)
        status =
            rw_file_write(job->ctx, job->places.canary_path, (rw_str){text.data, text.size}, err);
    rw_buf_free(&text);
    if (status != RW_OK)
        return status;
    return rw_list_add(job->ctx, &job->outputs, job->places.canary_path, job->places.canary_name,
                       "written", err);
}

/* Of the checkpoint's files, what is no text: weights dwarf the rest. */
static uint64_t model_bytes(const rw_extending *job) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->outputs.count; i++) {
        const char *dot = strrchr(job->outputs.items[i].name, '.');
        if (dot && (strcmp(dot, ".safetensors") == 0 || strcmp(dot, ".gguf") == 0))
            bytes += job->outputs.items[i].bytes;
    }
    return bytes;
}

static rw_status judge(rw_extending *job, rw_error *err) {
    const rw_gate_options options = {.thresholds = job->measure.thresholds,
                                     .allow_undefined = job->measure.allow_undefined,
                                     .suite = job->measure.suite,
                                     .model_bytes = model_bytes(job),
                                     .usd_per_call = job->measure.usd_per_call};
    return rw_gate_judge(job->ctx, job->before, job->after, &options, &job->gate, err);
}

rw_status rw_gather_evidence(rw_extending *job, rw_error *err) {
    RW_TRY(rw_model_load(job->ctx, job->patched, &job->patched_source.arch, &job->model, err));
    rw_log(job->ctx, RW_INFO, "measuring before: the weights under their old rotation");
    RW_TRY(measure(job, &job->plan->before, false, &job->before, err));
    rw_log(job->ctx, RW_INFO, "measuring after: the same weights as the patched files rotate them");
    RW_TRY(measure(job, job->rotation, true, &job->after, err));
    RW_TRY(judge(job, err));
    return write_canary(job, err);
}
