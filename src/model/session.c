/*
 * session.c - one sequence: its rotation, its cache, its scratch.
 *
 * The cache holds rotated keys. That is right as long as the rotation of a position never changes,
 * so a method whose table depends on the length (dynamic NTK, LongRoPE) is resolved once, at
 * options.length, and pinned: what protocol `prefix` defines, and what a runtime does that knows
 * the prompt's length. A session that re-resolved while it grows would have to cache raw keys.
 */
#include <string.h>

#include "model/internal.h"

/* ---- rotation -------------------------------------------------------------------------------- */

static const rw_layers group_of[RW_ROTATION_COUNT] = {RW_LAYERS_FULL, RW_LAYERS_SLIDING};

/* A head dim that one of the layers of this kind has; 0: no layer of this kind rotates. */
static uint32_t rotated_dim(const rw_arch *arch, int rotation) {
    rw_layer_kind kind = rotation == RW_ROTATION_SLIDING ? RW_LAYER_SLIDING : RW_LAYER_FULL;
    for (uint32_t i = 0; i < arch->n_layers; i++)
        if (arch->layers[i].kind == kind && arch->layers[i].rotary)
            return arch->layers[i].qk_dim;
    return 0;
}

static rw_status resolve(rw_session *session, int rotation, const rw_rope_set *set, uint64_t length,
                         rw_error *err) {
    uint32_t dim = rotated_dim(session->model->arch, rotation);
    session->rotates[rotation] = dim != 0;
    if (dim == 0)
        return RW_OK;
    const char *name = rw_layers_name(group_of[rotation]);
    const rw_rope_group *group = rw_rope_set_find(set, group_of[rotation]);
    if (!group)
        return rw_fail(err, RW_ERR_INPUT, "model.rope", name,
                       "no rotation is given for the layers of kind %s", name);
    rw_rope_table *table = &session->table[rotation];
    RW_TRY(rw_rope_table_build(&group->spec, length, table, err));
    if (table->head_dim != dim || 2 * table->pairs > dim)
        return rw_fail(err, RW_ERR_INPUT, "model.rope", name,
                       "the rotation is for heads of %u dimensions, the layers have %u",
                       table->head_dim, dim);
    return RW_OK;
}

static rw_status resolve_all(rw_session *session, const rw_session_options *options,
                             rw_error *err) {
    uint64_t length = options->length ? options->length : session->capacity;
    for (int i = 0; i < RW_ROTATION_COUNT; i++)
        RW_TRY(resolve(session, i, options->rope, length, err));
    return RW_OK;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static rw_status plan_memory(const rw_model *model, uint64_t capacity, size_t *out, rw_error *err) {
    rw_memory memory;
    rw_arch_memory(model->arch, capacity, 0, rw_context_threads(model->ctx), &memory);
    uint64_t total = memory.kv + memory.activations;
    if (memory.kv == UINT64_MAX || memory.activations == UINT64_MAX || total < memory.kv ||
        total > PTRDIFF_MAX)
        return rw_fail(err, RW_ERR_MEMORY, "model.memory", "context",
                       "a context of %llu tokens is beyond what can be addressed",
                       (unsigned long long)capacity);
    *out = (size_t)total;
    return RW_OK;
}

rw_status rw_session_bytes(const rw_model *model, uint64_t capacity, size_t *out, rw_error *err) {
    return plan_memory(model, capacity, out, err);
}

static rw_status make_scratch(rw_session *s, rw_error *err) {
    rw_backend *b = s->model->backend;
    unsigned threads = rw_context_threads(s->model->ctx);
    for (int i = 0; i < RW_SCRATCH_COUNT; i++) {
        uint64_t count = rw_arch_scratch_elements(s->model->arch, (rw_scratch)i, s->chunk, threads);
        RW_TRY(b->ops->buffer_create(b, (size_t)count * sizeof(float), "activations",
                                     &s->scratch[i], err));
    }
    size_t bytes = s->scratch[RW_SCRATCH_COS].bytes / RW_ROTATION_COUNT;
    for (int i = 0; i < 2; i++) {
        s->rows[i] = rw_alloc(s->model->ctx, bytes ? bytes : 1);
        if (!s->rows[i])
            return rw_fail_memory(err, "rotation", bytes);
    }
    return RW_OK;
}

static rw_status make_caches(rw_session *s, rw_error *err) {
    const rw_arch *arch = s->model->arch;
    rw_backend *b = s->model->backend;
    s->caches = rw_calloc(s->model->ctx, arch->n_layers, sizeof *s->caches);
    if (!s->caches)
        return rw_fail_memory(err, "cache", arch->n_layers * sizeof *s->caches);
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        rw_cache *cache = &s->caches[i];
        cache->rows = rw_arch_cache_rows(arch, i, s->capacity, s->chunk);
        size_t row = (size_t)cache->rows * l->n_kv_heads * sizeof(float);
        RW_TRY(b->ops->buffer_create(b, row * l->qk_dim, "cache", &cache->k, err));
        RW_TRY(b->ops->buffer_create(b, row * l->v_dim, "cache", &cache->v, err));
    }
    return RW_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static rw_status fill(rw_session *s, const rw_session_options *options, rw_error *err) {
    size_t bytes = 0;
    RW_TRY(resolve_all(s, options, err));
    RW_TRY(plan_memory(s->model, s->capacity, &bytes, err));
    RW_TRY(rw_model_check_memory(bytes, "context", err));
    RW_TRY(make_scratch(s, err));
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

rw_status rw_session_reset(rw_session *session, const rw_session_options *options, rw_error *err) {
    if (options && options->capacity > session->capacity)
        return rw_fail(err, RW_ERR_USAGE, "model.capacity", "capacity",
                       "the session has room for %llu tokens, %llu are wanted: make another one",
                       (unsigned long long)session->capacity,
                       (unsigned long long)options->capacity);
    if (options && options->rope) {
        rw_session_options wanted = *options;
        if (wanted.length == 0)
            wanted.length = wanted.capacity;
        RW_TRY(resolve_all(session, &wanted, err));
    }
    session->length = 0;
    for (uint32_t i = 0; i < session->model->arch->n_layers; i++)
        session->caches[i].first = 0;
    return RW_OK;
}

uint64_t rw_session_length(const rw_session *session) {
    return session->length;
}
