/*
 * forward.c - the scheduler of inference: chunk by chunk, each through all layers, so that the
 * activations of one chunk are all that lives beside the cache.
 */
#include <math.h>
#include <string.h>

#include "model/internal.h"

/* One call's work. */
typedef struct run {
    rw_session *session;
    const int32_t *tokens; /* [n] */
    size_t n;
    const rw_outputs *outputs; /* NULL: none */
} run;

static rw_status check(const run *r, rw_error *err) {
    const rw_session *s = r->session;
    if (r->n > s->capacity - s->length)
        return rw_fail(err, RW_ERR_USAGE, "model.capacity", "tokens",
                       "%zu tokens do not fit behind the %llu of a session for %llu", r->n,
                       (unsigned long long)s->length, (unsigned long long)s->capacity);
    uint32_t vocab = s->model->arch->vocab;
    for (size_t i = 0; i < r->n; i++)
        if (r->tokens[i] < 0 || (uint32_t)r->tokens[i] >= vocab)
            return rw_fail(err, RW_ERR_INPUT, "model.token_range", "tokens",
                           "token %d at position %zu is outside the vocabulary of %u", r->tokens[i],
                           i, vocab);
    const rw_outputs *o = r->outputs;
    if (!o)
        return RW_OK;
    if (o->first > r->n || o->count > r->n - o->first || (o->nll && !o->target))
        return rw_fail(err, RW_ERR_USAGE, "model.outputs", "outputs",
                       "results are wanted for tokens that are not given, or without targets");
    for (size_t i = 0; o->target && i < o->count; i++)
        if (o->target[i] >= 0 && (uint32_t)o->target[i] >= vocab)
            return rw_fail(err, RW_ERR_INPUT, "model.token_range", "target",
                           "target %d is outside the vocabulary of %u", o->target[i], vocab);
    return RW_OK;
}

/* ---- into the layers ------------------------------------------------------------------------- */

/* The tokens' scratch: NLL in front, since doubles are aligned to 8 bytes. */
enum { TOKENS_IDS = 2, TOKENS_TARGET, TOKENS_ARGMAX };

static rw_view token_view(const rw_session *s, int slot, size_t count) {
    rw_view view = rw_view_matrix(&s->scratch[RW_SCRATCH_TOKENS], RW_ELEMENT_I32, count, 1);
    view.offset = (size_t)slot * s->chunk * sizeof(int32_t);
    return view;
}

static rw_status embed(rw_session *s, const int32_t *tokens, size_t count, rw_view stream,
                       rw_error *err) {
    rw_backend *b = s->model->backend;
    rw_op op = {.kind = RW_OP_EMBED,
                .u.embed = {.ids = token_view(s, TOKENS_IDS, count),
                            .table = &s->model->embedding,
                            .out = stream,
                            .scale = (float)s->model->arch->embedding_scale}};
    RW_TRY(b->ops->write(b, &s->scratch[RW_SCRATCH_TOKENS], op.u.embed.ids.offset, tokens,
                         count * sizeof *tokens, err));
    return rw_session_run(s, &op, err);
}

static rw_status run_layers(rw_session *s, const rw_span *span, rw_view stream, rw_error *err) {
    const rw_arch *arch = s->model->arch;
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        rw_layer_slots slots = {
            .stream = stream,
            .attention = rw_session_scratch(s, RW_SCRATCH_ATTENTION, span->count,
                                            (size_t)l->n_heads * l->v_dim),
            .lse = rw_session_scratch(s, RW_SCRATCH_LSE, span->count, l->n_heads)};
        RW_TRY(rw_check_cancel(s->model->ctx, err)); /* a layer of a long sequence takes a second */
        RW_TRY(rw_layer_forward(s, i, span, &slots, err));
    }
    return RW_OK;
}

/* ---- out of them ----------------------------------------------------------------------------- */

/* Logits are float32 products whatever the user chose: rounding their x is the largest part of what
   int8 would cost (docs/agreement.md). */
static const rw_arithmetic logits_by = RW_ARITHMETIC_F32;

/* NLL and arg max of `count` rows of x; `at` is their index in the outputs. */
static rw_status score(run *r, rw_view x, size_t at, size_t count, rw_error *err) {
    const rw_outputs *o = r->outputs;
    rw_session *s = r->session;
    rw_backend *b = s->model->backend;
    rw_buffer *buffer = &s->scratch[RW_SCRATCH_TOKENS];
    rw_op op = {.kind = RW_OP_LOSS,
                .u.loss = {.linear = rw_model_head(s->model),
                           .x = x,
                           .arithmetic = logits_by,
                           .softcap = (float)s->model->arch->final_softcap}};
    if (o->nll) {
        op.u.loss.target = token_view(s, TOKENS_TARGET, count);
        op.u.loss.nll = rw_view_matrix(buffer, RW_ELEMENT_F64, count, 1);
        RW_TRY(b->ops->write(b, buffer, op.u.loss.target.offset, o->target + at,
                             count * sizeof *o->target, err));
    }
    if (o->argmax)
        op.u.loss.argmax = token_view(s, TOKENS_ARGMAX, count);
    RW_TRY(rw_session_run(s, &op, err));
    if (o->nll)
        RW_TRY(b->ops->read(b, buffer, 0, o->nll + at, count * sizeof *o->nll, err));
    if (o->argmax)
        RW_TRY(b->ops->read(b, buffer, op.u.loss.argmax.offset, o->argmax + at,
                            count * sizeof *o->argmax, err));
    return RW_OK;
}

static void cap_logits(float *logits, size_t n, float cap) {
    for (size_t i = 0; cap > 0.0f && i < n; i++)
        logits[i] = cap * tanhf(logits[i] / cap);
}

/* Logits are made row by row: they are asked for at few positions. */
static rw_status copy_logits(run *r, rw_view x, size_t at, size_t count, rw_error *err) {
    rw_session *s = r->session;
    rw_backend *b = s->model->backend;
    rw_buffer *row = &s->scratch[RW_SCRATCH_LOGITS];
    size_t vocab = s->model->arch->vocab;
    for (size_t i = 0; i < count; i++) {
        rw_op op = {.kind = RW_OP_LINEAR,
                    .u.linear = {.linear = rw_model_head(s->model),
                                 .x = rw_view_rows(x, i, 1),
                                 .out = rw_view_matrix(row, RW_ELEMENT_F32, 1, vocab),
                                 .arithmetic = logits_by}};
        RW_TRY(rw_session_run(s, &op, err));
        float *logits = r->outputs->logits + (at + i) * vocab;
        RW_TRY(b->ops->read(b, row, 0, logits, vocab * sizeof(float), err));
        cap_logits(logits, vocab, (float)s->model->arch->final_softcap);
    }
    return RW_OK;
}

/* What the outputs want of the tokens [begin, begin + count) of this call. */
static rw_status finish(run *r, size_t begin, size_t count, rw_view stream, rw_error *err) {
    const rw_outputs *o = r->outputs;
    if (!o || begin + count <= o->first || o->first + o->count <= begin)
        return RW_OK;
    size_t from = o->first > begin ? o->first : begin;
    size_t end = o->first + o->count < begin + count ? o->first + o->count : begin + count;
    rw_session *s = r->session;
    rw_view x = rw_view_rows(stream, from - begin, end - from);
    rw_view normed = rw_session_scratch(s, RW_SCRATCH_NORMED, end - from, s->model->arch->hidden);
    RW_TRY(rw_session_norm(s, x, &s->model->final_norm, normed, err));
    if (o->nll || o->argmax)
        RW_TRY(score(r, normed, from - o->first, end - from, err));
    if (o->logits)
        RW_TRY(copy_logits(r, normed, from - o->first, end - from, err));
    return RW_OK;
}

/* ---- chunk by chunk -------------------------------------------------------------------------- */

/* Kept where a change of the rotation reads them again. */
static rw_status remember(rw_session *s, const int32_t *tokens, size_t count, rw_error *err) {
    rw_backend *b = s->model->backend;
    size_t at = (size_t)s->length * sizeof *tokens;
    if (!s->replays)
        return RW_OK;
    return b->ops->write(b, &s->scratch[RW_SCRATCH_HISTORY], at, tokens, count * sizeof *tokens,
                         err);
}

static rw_status run_chunk(run *r, size_t begin, size_t count, rw_error *err) {
    rw_session *s = r->session;
    rw_span span = {.position = s->length, .count = count};
    rw_view stream = rw_session_scratch(s, RW_SCRATCH_STREAM, count, s->model->arch->hidden);
    RW_TRY(remember(s, r->tokens + begin, count, err));
    RW_TRY(rw_session_make_rows(s, span.position, count, err));
    RW_TRY(embed(s, r->tokens + begin, count, stream, err));
    RW_TRY(run_layers(s, &span, stream, err));
    RW_TRY(finish(r, begin, count, stream, err));
    s->length += count;
    return RW_OK;
}

static rw_status run_all(run *r, const char *task, rw_error *err) {
    rw_session *s = r->session;
    for (size_t begin = 0; begin < r->n;) {
        size_t count = r->n - begin < s->chunk ? r->n - begin : s->chunk;
        RW_TRY(rw_check_cancel(s->model->ctx, err));
        RW_TRY(run_chunk(r, begin, count, err));
        begin += count;
        if (task)
            rw_progress(s->model->ctx, task, begin, r->n, "tokens");
    }
    return RW_OK;
}

/* Reads what was read before again, under the tables as they are now. */
static rw_status read_again(rw_session *s, const char *task, rw_error *err) {
    size_t n = (size_t)s->length, bytes = n * sizeof(int32_t);
    rw_backend *b = s->model->backend;
    int32_t *tokens = rw_alloc(s->model->ctx, bytes);
    if (!tokens)
        return rw_fail_memory(err, "tokens", bytes);
    run r = {.session = s, .tokens = tokens, .n = n};
    rw_status status = b->ops->read(b, &s->scratch[RW_SCRATCH_HISTORY], 0, tokens, bytes, err);
    if (status == RW_OK) {
        rw_session_forget(s);
        s->reread = n;
        status = run_all(&r, task, err);
    }
    rw_free(s->model->ctx, tokens);
    return status;
}

rw_status rw_session_forward(rw_session *session, const int32_t *tokens, size_t n,
                             const rw_outputs *outputs, const char *task, rw_error *err) {
    run r = {.session = session, .tokens = tokens, .n = n, .outputs = outputs};
    bool again;
    RW_TRY(check(&r, err));
    RW_TRY(rw_session_resolve(session, n, &again, err));
    if (again)
        RW_TRY(read_again(session, task, err));
    return run_all(&r, task, err);
}
