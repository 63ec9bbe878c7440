/*
 * record.c - the same facts three times: the manifest that is hashed, the result that scripts read,
 * the page that people read.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "job/extend.h"

static void write_digest(rw_json_writer *w, const char *key, const rw_sha256 *digest) {
    char hex[65];
    rw_sha256_hex(digest, hex);
    rw_json_member_string(w, key, hex);
}

static const char *format_name(const rw_extending *job) {
    return rw_checkpoint_format(job->input) == RW_FORMAT_GGUF ? "gguf" : "hf";
}

/* ---- parts that both have -------------------------------------------------------------------- */

static void write_tool(rw_json_writer *w) {
    rw_json_key(w, "tool");
    rw_json_begin_object(w);
    rw_json_member_string(w, "name", "ropewalk");
    rw_json_member_string(w, "version", rw_version());
    rw_json_member_string(w, "commit", rw_commit());
    rw_json_end_object(w);
}

static void write_model(rw_json_writer *w, const rw_extending *job) {
    rw_json_key(w, "model");
    rw_json_begin_object(w);
    rw_json_member_string(w, "name", job->name);
    rw_json_member_string(w, "architecture", job->source.arch.name);
    rw_json_member_string(w, "format", format_name(job));
    rw_json_end_object(w);
}

static void write_plan(rw_json_writer *w, const rw_extending *job) {
    rw_json_key(w, "plan");
    rw_json_begin_object(w);
    rw_plan_write(w, &job->source, job->plan);
    rw_json_end_object(w);
}

static void write_proof(rw_json_writer *w, const rw_extending *job) {
    rw_json_key(w, "proof");
    rw_json_begin_object(w);
    rw_json_key(w, "readers");
    rw_json_raw(w, (rw_str){job->proof.data, job->proof.size});
    rw_json_member_u64(w, "tensors", job->tensor_count);
    write_digest(w, "tensors_sha256", &job->tensors);
    rw_json_end_object(w);
}

static void write_measurement(rw_json_writer *w, const char *key,
                              const rw_measurement *measurement) {
    rw_json_key(w, key);
    if (!measurement) {
        rw_json_null(w);
        return;
    }
    rw_json_begin_object(w);
    rw_measurement_write(w, measurement);
    rw_json_end_object(w);
}

static void write_evidence(rw_json_writer *w, const rw_extending *job) {
    write_measurement(w, "before", job->before);
    write_measurement(w, "after", job->after);
    rw_json_key(w, "gate");
    if (job->gate)
        rw_gate_write(w, job->gate);
    else
        rw_json_null(w);
}

/* ---- manifest -------------------------------------------------------------------------------- */

static void write_input(rw_json_writer *w, const rw_extending *job) {
    char *whole = realpath(rw_checkpoint_path(job->input), NULL);
    rw_json_key(w, "input");
    rw_json_begin_object(w);
    rw_json_member_string(w, "path", whole ? whole : rw_checkpoint_path(job->input));
    rw_json_key(w, "files");
    rw_list_write(w, &job->inputs);
    rw_json_end_object(w);
    free(whole);
}

static void write_output(rw_json_writer *w, const rw_extending *job) {
    rw_json_key(w, "output");
    rw_json_begin_object(w);
    if (job->places.single)
        rw_json_member_string(w, "checkpoint", rw_path_base(job->options->output));
    else
        rw_json_member_string(w, "checkpoint", ".");
    rw_json_key(w, "files");
    rw_list_write(w, &job->outputs);
    rw_json_end_object(w);
}

static void write_environment(rw_json_writer *w, const rw_extending *job) {
    static const char *const levels[] = {"best", "generic", "avx2", "avx512"};
    struct utsname system;
    rw_json_key(w, "environment");
    rw_json_begin_object(w);
    if (uname(&system) == 0) {
        rw_json_member_string(w, "system", system.sysname);
        rw_json_member_string(w, "machine", system.machine);
    }
    rw_json_member_string(w, "compiler", __VERSION__);
    rw_json_member_string(w, "cpu_level", levels[rw_context_cpu_level(job->ctx)]);
    rw_json_member_u64(w, "threads", rw_context_threads(job->ctx));
    if (!job->options->no_measure)
        rw_engine_write(w, &job->engine);
    rw_json_end_object(w);
}

static void write_data(rw_json_writer *w, const rw_extending *job) {
    rw_json_key(w, "data");
    if (job->options->no_measure) {
        rw_json_null(w);
        return;
    }
    rw_json_begin_object(w);
    rw_json_member_string(w, "name", job->corpus.name);
    write_digest(w, "sha256", &job->corpus.digest);
    rw_json_member_u64(w, "documents", job->corpus.count);
    rw_json_end_object(w);
}

static void write_time(rw_json_writer *w, const rw_extending *job) {
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    if (job->options->measure.no_timing || !gmtime_r(&now, &parts) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return;
    rw_json_member_string(w, "created", text);
}

static rw_status write_manifest(rw_extending *job, rw_error *err) {
    rw_json_writer w = {.out = &job->manifest};
    rw_json_begin_object(&w);
    write_tool(&w);
    write_time(&w, job);
    write_model(&w, job);
    write_input(&w, job);
    write_output(&w, job);
    rw_json_key(&w, "request");
    rw_request_write(&w, &job->options->plan);
    write_plan(&w, job);
    rw_json_key(&w, "long_context");
    RW_TRY(rw_long_context_write(&w, job->plan, job->rotation, err));
    write_proof(&w, job);
    write_evidence(&w, job);
    write_data(&w, job);
    rw_json_key(&w, "wordings");
    RW_TRY(rw_wordings_write(job->ctx, &w, job->after, err));
    rw_json_member_u64(&w, "seed", job->options->measure.seed);
    write_environment(&w, job);
    rw_together_write_receipt(&w, job);
    RW_TRY(rw_buf_status(&job->manifest, err));
    RW_TRY(rw_receipt_write_parts(job->ctx, (rw_str){job->manifest.data, job->manifest.size}, &w,
                                  err));
    rw_json_end_object(&w);
    return rw_buf_status(&job->manifest, err);
}

rw_status rw_record_receipt(rw_extending *job, rw_error *err) {
    RW_TRY(write_manifest(job, err));
    RW_TRY(rw_receipt_seal(job->ctx, (rw_str){job->manifest.data, job->manifest.size},
                           &job->receipt, &job->digest, err));
    if (job->key)
        RW_TRY(rw_receipt_sign(job->ctx, job->key, &job->receipt, err));
    return rw_file_write(job->ctx, job->places.receipt_path,
                         (rw_str){job->receipt.data, job->receipt.size}, err);
}

/* ---- result and report ----------------------------------------------------------------------- */

/* The gate is JSON to the advice, so that it needs no knowledge of the judgement's insides. */
static rw_status write_advice(rw_json_writer *w, rw_extending *job, rw_error *err) {
    rw_buf text = {.ctx = job->ctx};
    const rw_json *gate = NULL;
    if (job->gate) {
        rw_json_writer inner = {.out = &text};
        rw_gate_write(&inner, job->gate);
        rw_status status = rw_buf_status(&text, err);
        if (status == RW_OK)
            status = rw_json_parse(&job->arena, (rw_str){text.data, text.size}, "gate", &gate, err);
        if (status != RW_OK) {
            rw_buf_free(&text);
            return status;
        }
    }
    rw_json_key(w, "advice");
    rw_advice_write(w, gate, job->measure.budget_seconds > 0.0);
    rw_buf_free(&text);
    return RW_OK;
}

static void write_places(rw_json_writer *w, const rw_extending *job) {
    rw_json_key(w, "receipt");
    rw_json_begin_object(w);
    rw_json_member_string(w, "path", job->places.final_receipt);
    write_digest(w, "sha256", &job->digest);
    rw_json_member_string(w, "signer", job->key ? rw_key_fingerprint(job->key) : NULL);
    rw_json_end_object(w);
    rw_json_member_string(w, "report", job->places.final_report);
    rw_json_member_string(w, "canary", job->gate ? job->places.final_canary : NULL);
}

static rw_status write_report(rw_extending *job, rw_error *err) {
    const rw_json *facts = NULL;
    RW_TRY(rw_json_parse(&job->arena, (rw_str){job->result.data, job->result.size}, "result",
                         &facts, err));
    RW_TRY(rw_report_html(job->ctx, facts, &job->report, err));
    return rw_file_write(job->ctx, job->places.report_path,
                         (rw_str){job->report.data, job->report.size}, err);
}

rw_status rw_record_result(rw_extending *job, rw_error *err) {
    rw_json_writer w = {.out = &job->result, .indent = 2};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", "ropewalk.extend/1");
    rw_json_member_bool(&w, "nothing_to_do", false);
    write_tool(&w);
    write_model(&w, job);
    rw_json_member_string(&w, "input", job->options->plan.path);
    rw_json_member_string(&w, "output", job->options->output);
    write_plan(&w, job);
    write_proof(&w, job);
    write_evidence(&w, job);
    rw_json_key(&w, "memory_by_context");
    rw_memory_steps_write(&w, job);
    RW_TRY(write_advice(&w, job, err));
    rw_json_key(&w, "files");
    rw_list_write(&w, &job->outputs);
    write_places(&w, job);
    rw_together_write_result(&w, job);
    rw_json_end_object(&w);
    rw_buf_char(&job->result, '\n');
    RW_TRY(rw_buf_status(&job->result, err));
    return write_report(job, err);
}

rw_status rw_record_nothing(rw_extending *job, rw_error *err) {
    rw_json_writer w = {.out = &job->result, .indent = 2};
    rw_json_begin_object(&w);
    rw_json_member_string(&w, "schema", "ropewalk.extend/1");
    rw_json_member_bool(&w, "nothing_to_do", true);
    write_tool(&w);
    write_model(&w, job);
    rw_json_member_string(&w, "input", job->options->plan.path);
    rw_json_member_null(&w, "output");
    write_plan(&w, job);
    static const char *const absent[] = {"before", "after", "gate", "receipt", "report", "canary"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        rw_json_member_null(&w, absent[i]);
    rw_together_write_result(&w, job);
    rw_json_end_object(&w);
    rw_buf_char(&job->result, '\n');
    return rw_buf_status(&job->result, err);
}
