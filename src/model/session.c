/*
 * session.c - one sequence: its rotation, its cache, its scratch.
 */
#include <string.h>

#include "model/internal.h"

/* ---- memory ---------------------------------------------------------------------------------- */

static rw_memory_options memory_options(const rw_model *model, const rw_session_options *options) {
    rw_memory_options out = {.context = options->capacity,
                             .threads = rw_context_threads(model->ctx),
                             .cache = options->engine.cache};
    if (options->rope)
        rw_rotation_needs(options->rope, options->growing, &out.raw_keys, &out.history);
    return out;
}

void rw_session_memory(const rw_model *model, const rw_session_options *options, rw_memory *out) {
    const rw_memory_options wanted = memory_options(model, options);
    rw_arch_memory(model->arch, &wanted, out);
}

/* The weights are there already, whatever they take. */
static rw_status check_memory(const rw_model *model, const rw_session_options *options,
                              rw_error *err) {
    rw_memory_options wanted = memory_options(model, options);
    uint64_t available = rw_memory_available();
    rw_memory memory;
    rw_arch_memory(model->arch, &wanted, &memory);
    uint64_t others = memory.weights + memory.program, bytes = memory.total - others;
    if (memory.total != UINT64_MAX && bytes <= available && bytes <= PTRDIFF_MAX)
        return RW_OK;
    uint64_t limit = available > UINT64_MAX - others ? UINT64_MAX - 1 : available + others;
    uint64_t largest = rw_arch_largest_context(model->arch, &wanted, limit, options->capacity);
    return rw_fail(err, RW_ERR_MEMORY, "model.memory", "context",
                   "a context of %llu tokens would take %.2f GB with keys and values as %s, and "
                   "%.2f GB of memory are free: at most %llu tokens fit",
                   (unsigned long long)options->capacity, (double)bytes * 1e-9,
                   rw_cache_type_name(wanted.cache), (double)available * 1e-9,
                   (unsigned long long)largest);
}

static rw_status make_scratch(rw_session *s, const rw_memory_options *options, rw_error *err) {
    rw_backend *b = s->model->backend;
    size_t pairs = 0;
    for (int i = 0; i < RW_SCRATCH_COUNT; i++) {
        uint64_t count = rw_arch_scratch_elements(s->model->arch, (rw_scratch)i, options);
        RW_TRY(b->ops->buffer_create(b, (size_t)count * sizeof(float), "activations",
                                     &s->scratch[i], err));
    }
    for (int i = 0; i < RW_ROTATION_COUNT; i++)
        pairs = s->rotation[i].table.pairs > pairs ? s->rotation[i].table.pairs : pairs;
    for (int i = 0; i < 2; i++) {
        s->rows[i] = rw_calloc(s->model->ctx, RW_ROWS_PIECE * (pairs + 1), sizeof(float));
        if (!s->rows[i])
            return rw_fail_memory(err, "rotation", RW_ROWS_PIECE * pairs * sizeof(float));
    }
    return RW_OK;
}

rw_element rw_session_element(const rw_session *session) {
    static const rw_element elements[RW_CACHE_TYPES] = {[RW_CACHE_F32] = RW_ELEMENT_F32,
                                                        [RW_CACHE_F16] = RW_ELEMENT_F16,
                                                        [RW_CACHE_BF16] = RW_ELEMENT_BF16,
                                                        [RW_CACHE_Q8_0] = RW_ELEMENT_Q8_0};
    return elements[session->engine.cache];
}

static rw_status make_caches(rw_session *s, rw_error *err) {
    const rw_arch *arch = s->model->arch;
    rw_backend *b = s->model->backend;
    rw_cache_type type = s->engine.cache;
    s->caches = rw_calloc(s->model->ctx, arch->n_layers, sizeof *s->caches);
    if (!s->caches)
        return rw_fail_memory(err, "cache", arch->n_layers * sizeof *s->caches);
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        rw_cache *cache = &s->caches[i];
        cache->rows = rw_arch_cache_rows(arch, i, s->capacity, s->chunk);
        uint64_t heads = cache->rows * l->n_kv_heads; /* checked: all of it fits in memory */
        size_t k = (size_t)rw_cache_bytes(type, heads * l->qk_dim);
        size_t v = (size_t)rw_cache_bytes(type, heads * l->v_dim);
        RW_TRY(b->ops->buffer_create(b, k, "cache", &cache->k, err));
        RW_TRY(b->ops->buffer_create(b, v, "cache", &cache->v, err));
    }
    return RW_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static rw_status fill(rw_session *s, const rw_session_options *options, rw_error *err) {
    const rw_memory_options memory = memory_options(s->model, options);
    RW_TRY(rw_cache_type_check(s->model->arch, options->engine.cache, err));
    RW_TRY(rw_session_rotate_by(s, options, err));
    RW_TRY(check_memory(s->model, options, err));
    RW_TRY(make_scratch(s, &memory, err));
    return make_caches(s, err);
}

rw_status rw_session_create(const rw_model *model, const rw_session_options *options,
                            rw_session **out, rw_error *err) {
    *out = NULL;
    if (!options->rope || options->capacity == 0 || options->capacity > INT32_MAX)
        return rw_fail(err, RW_ERR_USAGE, "model.capacity", "capacity",
                       "a session needs a rotation and room for 1 to %d tokens", INT32_MAX);
    rw_session *session = rw_calloc(model->ctx, 1, sizeof *session);
    if (!session)
        return rw_fail_memory(err, "session", sizeof *session);
    session->model = model;
    session->capacity = options->capacity;
    session->growing = options->growing;
    session->engine = options->engine;
    session->chunk =
        (size_t)(options->capacity < RW_DEFAULT_CHUNK ? options->capacity : RW_DEFAULT_CHUNK);
    rw_status status = fill(session, options, err);
    if (status != RW_OK)
        rw_session_free(session);
    else
        *out = session;
    return status;
}

void rw_session_free(rw_session *session) {
    if (!session)
        return;
    const rw_model *model = session->model;
    rw_backend *b = model->backend;
    for (uint32_t i = 0; session->caches && i < model->arch->n_layers; i++) {
        b->ops->buffer_destroy(b, &session->caches[i].k);
        b->ops->buffer_destroy(b, &session->caches[i].v);
    }
    for (int i = 0; i < RW_SCRATCH_COUNT; i++)
        b->ops->buffer_destroy(b, &session->scratch[i]);
    rw_free(model->ctx, session->rows[0]);
    rw_free(model->ctx, session->rows[1]);
    rw_free(model->ctx, session->caches);
    rw_free(model->ctx, session);
}

void rw_session_forget(rw_session *session) {
    session->length = session->reread = 0;
    for (uint32_t i = 0; i < session->model->arch->n_layers; i++)
        session->caches[i].first = 0;
    for (int i = 0; i < RW_ROTATION_COUNT; i++)
        session->rotation[i].key_rows = 0;
}

/* What a growing session keeps for its rotation was decided when it was made. */
static bool has_room_for(const rw_session *session, const rw_session_options *options) {
    bool raw, history;
    rw_rotation_needs(options->rope, session->growing, &raw, &history);
    return (!raw || session->scratch[RW_SCRATCH_KEY_COS].bytes) &&
           (!history || session->scratch[RW_SCRATCH_HISTORY].bytes);
}

rw_status rw_session_reset(rw_session *session, const rw_session_options *options, rw_error *err) {
    if (options && options->capacity > session->capacity)
        return rw_fail(err, RW_ERR_USAGE, "model.capacity", "capacity",
                       "the session has room for %llu tokens, %llu are wanted: make another one",
                       (unsigned long long)session->capacity,
                       (unsigned long long)options->capacity);
    if (options && options->rope) {
        if (!has_room_for(session, options))
            return rw_fail(err, RW_ERR_USAGE, "model.rope", "rotation",
                           "the session was made for a rotation that does not depend on the "
                           "length: make another one");
        RW_TRY(rw_session_rotate_by(session, options, err));
    }
    rw_session_forget(session);
    return RW_OK;
}

uint64_t rw_session_length(const rw_session *session) {
    return session->length;
}
