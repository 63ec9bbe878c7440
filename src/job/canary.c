/*
 * canary.c - token ids and the logits that they must give at positions inside and beyond the native
 * window: whoever serves the checkpoint can see whether the runtime really rotates as planned. A
 * scaling that is silently ignored parts beyond the window, and inside where the method acts too.
 */
#include <math.h>
#include <string.h>

#include "job/extend.h"

enum { BEYOND = 64, TOP = 8, SAMPLE = 16, POSITIONS = 6 };

typedef struct canary {
    rw_extending *job;
    rw_session *session;
    const int32_t *tokens; /* [count] */
    size_t count, position_count;
    size_t positions[POSITIONS];
    float *logits; /* [vocab] */
    uint32_t vocab;
} canary;

/* The document that reaches furthest, cut a little beyond the native window. */
static rw_status choose_tokens(canary *c, rw_error *err) {
    const rw_corpus *corpus = &c->job->corpus;
    const rw_plan_result *plan = c->job->plan;
    const rw_document *longest = NULL;
    for (size_t i = 0; i < corpus->count; i++)
        if (!longest || corpus->documents[i].count > longest->count)
            longest = &corpus->documents[i];
    if (!longest || longest->count == 0)
        return rw_fail(err, RW_ERR_INPUT, "data.empty", corpus->name, "there are no documents");
    uint64_t wanted = plan->native + BEYOND < plan->context ? plan->native + BEYOND : plan->context;
    c->tokens = longest->tokens;
    c->count = longest->count < wanted ? longest->count : (size_t)wanted;
    return RW_OK;
}

static void choose_positions(canary *c) {
    size_t native = (size_t)c->job->plan->native;
    const size_t wanted[POSITIONS] = {0,      native / 2,          native - 1,
                                      native, native + BEYOND / 2, c->count - 1};
    for (size_t i = 0; i < POSITIONS; i++)
        if (wanted[i] < c->count &&
            (c->position_count == 0 || wanted[i] > c->positions[c->position_count - 1]))
            c->positions[c->position_count++] = wanted[i];
}

/* ---- one position ---------------------------------------------------------------------------- */

static void write_pair(rw_json_writer *w, size_t token, double logit) {
    rw_json_begin_array(w);
    rw_json_u64(w, token);
    rw_json_double(w, logit);
    rw_json_end_array(w);
}

/* The largest logits, largest first; of equal ones the lower id. */
static void write_top(rw_json_writer *w, const canary *c) {
    size_t chosen[TOP], count = 0;
    for (size_t token = 0; token < c->vocab; token++) {
        size_t at = count;
        while (at > 0 && c->logits[token] > c->logits[chosen[at - 1]])
            at--;
        if (at == TOP)
            continue;
        if (count < TOP)
            count++;
        for (size_t i = count - 1; i > at; i--)
            chosen[i] = chosen[i - 1];
        chosen[at] = token;
    }
    rw_json_key(w, "top");
    rw_json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        write_pair(w, chosen[i], (double)c->logits[chosen[i]]);
    rw_json_end_array(w);
}

/* Tokens spread over the vocabulary: most of it is not at the top. */
static void write_sample(rw_json_writer *w, const canary *c) {
    size_t count = c->vocab < SAMPLE ? c->vocab : SAMPLE;
    rw_json_key(w, "sample");
    rw_json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        write_pair(w, i * c->vocab / count, (double)c->logits[i * c->vocab / count]);
    rw_json_end_array(w);
}

static double log_sum_exp(const float *logits, size_t count) {
    double most = (double)logits[0];
    for (size_t i = 1; i < count; i++)
        most = fmax(most, (double)logits[i]);
    double sum = exp((double)logits[0] - most);
    for (size_t i = 1; i < count; i++)
        sum += exp((double)logits[i] - most);
    return most + log(sum);
}

static void write_position(rw_json_writer *w, const canary *c, size_t position) {
    rw_json_begin_object(w);
    rw_json_member_u64(w, "position", position);
    rw_json_member_bool(w, "beyond_native", position >= c->job->plan->native);
    rw_json_member_double(w, "logsumexp", log_sum_exp(c->logits, c->vocab));
    write_top(w, c);
    write_sample(w, c);
    rw_json_end_object(w);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static rw_status write_positions(rw_json_writer *w, canary *c, rw_error *err) {
    size_t done = 0;
    for (size_t i = 0; i < c->position_count; i++) {
        size_t size = c->positions[i] + 1 - done;
        const rw_outputs outputs = {.first = size - 1, .count = 1, .logits = c->logits};
        RW_TRY(rw_session_forward(c->session, c->tokens + done, size, &outputs, "canary", err));
        write_position(w, c, c->positions[i]);
        done += size;
    }
    return RW_OK;
}

static void write_head(rw_json_writer *w, const canary *c) {
    const rw_plan_result *plan = c->job->plan;
    rw_json_member_string(w, "schema", "ropewalk.canary/1");
    rw_json_member_string(w, "use",
                          "Feed the tokens to a runtime from an empty cache and compare the logits "
                          "behind each position (tools/canary.py does). Logits that part mean that "
                          "it does not rotate as planned: an ignored scaling parts beyond the "
                          "native window, and inside it where the method acts there too.");
    rw_json_member_u64(w, "native", plan->native);
    rw_json_member_u64(w, "context", plan->context);
    rw_json_member_u64(w, "resolved_at", plan->context);
    rw_json_member_string(w, "arithmetic", "float32 over the weights as stored");
    rw_json_key(w, "tokens");
    rw_json_begin_array(w);
    for (size_t i = 0; i < c->count; i++)
        rw_json_i64(w, c->tokens[i]);
    rw_json_end_array(w);
}

static rw_status write_all(canary *c, rw_buf *out, rw_error *err) {
    rw_json_writer w = {.out = out};
    rw_json_begin_object(&w);
    write_head(&w, c);
    rw_json_key(&w, "positions");
    rw_json_begin_array(&w);
    RW_TRY(write_positions(&w, c, err));
    rw_json_end_array(&w);
    rw_json_end_object(&w);
    rw_buf_char(out, '\n');
    return rw_buf_status(out, err);
}

rw_status rw_canary_make(rw_extending *job, rw_buf *out, rw_error *err) {
    canary c = {.job = job, .vocab = rw_model_arch(job->model)->vocab};
    RW_TRY(choose_tokens(&c, err));
    choose_positions(&c);
    const rw_session_options options = {
        .rope = job->rotation, .capacity = c.count, .length = job->plan->context};
    c.logits = rw_calloc(job->ctx, c.vocab, sizeof *c.logits);
    if (!c.logits)
        return rw_fail_memory(err, "canary", c.vocab * sizeof *c.logits);
    rw_status status = rw_session_create(job->model, &options, &c.session, err);
    if (status == RW_OK)
        status = write_all(&c, out, err);
    rw_session_free(c.session);
    rw_free(job->ctx, c.logits);
    return status;
}
