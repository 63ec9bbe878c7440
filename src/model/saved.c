/*
 * saved.c - a session's rows, out and in: the same walk over the layers for both ways.
 *
 * A part is: for each layer the first position that its cache holds (uint64); where the session
 * reads again, the part's tokens (int32); then layer by layer its keys, its values. In the byte
 * order of the machine, as the cache itself.
 */
#include <string.h>

#include "model/internal.h"

/* Large enough to cost no calls, small enough for no plan of memory. */
enum { STAGE_BYTES = 1 << 18 };

/* Positions [from, to) on their way. */
typedef struct transfer {
    rw_session *session;
    uint64_t from, to;
    bool out; /* to the sink; else from the source */
    const rw_row_sink *sink;
    const rw_row_source *source;
    unsigned char *stage; /* [STAGE_BYTES] */
} transfer;

static rw_status pass(const transfer *t, void *bytes, size_t size, rw_error *err) {
    return t->out ? t->sink->put(t->sink->user, bytes, size, err)
                  : t->source->get(t->source->user, bytes, size, err);
}

static rw_status pass_buffer(const transfer *t, rw_buffer *buffer, size_t offset, size_t bytes,
                             rw_error *err) {
    rw_backend *b = t->session->model->backend;
    for (size_t done = 0, size; done < bytes; done += size) {
        size = bytes - done < STAGE_BYTES ? bytes - done : STAGE_BYTES;
        if (t->out)
            RW_TRY(b->ops->read(b, buffer, offset + done, t->stage, size, err));
        RW_TRY(pass(t, t->stage, size, err));
        if (!t->out)
            RW_TRY(b->ops->write(b, buffer, offset + done, t->stage, size, err));
    }
    return RW_OK;
}

/* Only a session that reads again keeps its tokens. */
static rw_status pass_tokens(const transfer *t, rw_error *err) {
    rw_buffer history = t->session->scratch[RW_SCRATCH_HISTORY];
    size_t size = sizeof(int32_t), count = (size_t)(t->to - t->from);
    if (!t->session->replays)
        return RW_OK;
    return pass_buffer(t, &history, (size_t)t->from * size, count * size, err);
}

static rw_status pass_layer(const transfer *t, uint32_t index, rw_error *err) {
    rw_cache *cache = &t->session->caches[index];
    uint64_t from = cache->first > t->from ? cache->first : t->from;
    size_t at = (size_t)(from - cache->first), count = (size_t)(t->to - from), k, v;
    rw_session_row_bytes(t->session, index, &k, &v);
    RW_TRY(pass_buffer(t, &cache->k, at * k, count * k, err));
    return pass_buffer(t, &cache->v, at * v, count * v, err);
}

static rw_status pass_rows(const transfer *t, rw_error *err) {
    RW_TRY(pass_tokens(t, err));
    for (uint32_t i = 0; i < t->session->model->arch->n_layers; i++)
        RW_TRY(pass_layer(t, i, err));
    return rw_check_cancel(t->session->model->ctx, err);
}

static rw_status with_stage(transfer *t, rw_status (*run)(const transfer *t, rw_error *err),
                            rw_error *err) {
    rw_context *ctx = t->session->model->ctx;
    t->stage = rw_alloc(ctx, STAGE_BYTES);
    if (!t->stage)
        return rw_fail_memory(err, "cache", STAGE_BYTES);
    rw_status status = run(t, err);
    rw_free(ctx, t->stage);
    return status;
}

/* ---- out ------------------------------------------------------------------------------------- */

static rw_status run_save(const transfer *t, rw_error *err) {
    const rw_session *s = t->session;
    for (uint32_t i = 0; i < s->model->arch->n_layers; i++)
        RW_TRY(pass(t, &s->caches[i].first, sizeof s->caches[i].first, err));
    return pass_rows(t, err);
}

rw_status rw_session_save(rw_session *session, uint64_t from, const rw_row_sink *sink,
                          rw_error *err) {
    transfer t = {
        .session = session, .from = from, .to = session->length, .out = true, .sink = sink};
    if (from > session->length || (from && from <= session->reread))
        return rw_fail(err, RW_ERR_USAGE, "model.rows", "cache",
                       "rows from position %llu on do not continue what came before: begin at 0",
                       (unsigned long long)from);
    return with_stage(&t, run_save, err);
}

/* ---- in -------------------------------------------------------------------------------------- */

static rw_status no_part(const transfer *t, rw_error *err) {
    return rw_fail(err, RW_ERR_INPUT, "model.rows", "cache",
                   "these are no rows of positions %llu to %llu of such a session",
                   (unsigned long long)t->from, (unsigned long long)t->to);
}

/* The layer forgets what it had forgotten when the part was handed out. */
static rw_status take_first(const transfer *t, uint32_t index, rw_error *err) {
    const rw_cache *cache = &t->session->caches[index];
    bool forgets = cache->rows < t->session->capacity;
    uint64_t first;
    RW_TRY(pass(t, &first, sizeof first, err));
    if (first < cache->first || first > t->to || t->to - first > cache->rows || (first && !forgets))
        return no_part(t, err);
    return first == cache->first ? RW_OK
                                 : rw_session_drop_rows(t->session, index, first, t->from, err);
}

static rw_status run_restore(const transfer *t, rw_error *err) {
    rw_session *s = t->session;
    bool again;
    for (uint32_t i = 0; i < s->model->arch->n_layers; i++)
        RW_TRY(take_first(t, i, err));
    RW_TRY(pass_rows(t, err));
    s->length = t->to;
    /* The tables under which the part was read; nothing is read again for that. */
    return rw_session_resolve(s, 0, &again, err);
}

rw_status rw_session_restore(rw_session *session, uint64_t to, const rw_row_source *source,
                             rw_error *err) {
    transfer t = {.session = session, .from = session->length, .to = to, .source = source};
    if (to <= session->length || to > session->capacity)
        return no_part(&t, err);
    return with_stage(&t, run_restore, err);
}
