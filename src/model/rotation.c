/*
 * rotation.c - a session's tables and the rows of cos and sin made from them.
 */
#include <string.h>

#include "base/parallel.h"
#include "model/internal.h"

static const rw_layers group_of[RW_ROTATION_COUNT] = {RW_LAYERS_FULL, RW_LAYERS_SLIDING};

int rw_rotation_of(const rw_layer *layer) {
    return layer->kind == RW_LAYER_SLIDING ? RW_ROTATION_SLIDING : RW_ROTATION_FULL;
}

/* A head dim that one of the layers of this kind has; 0: no layer of this kind rotates. */
static uint32_t rotated_dim(const rw_arch *arch, int rotation) {
    for (uint32_t i = 0; i < arch->n_layers; i++)
        if (rw_rotation_of(&arch->layers[i]) == rotation && arch->layers[i].rotary)
            return arch->layers[i].qk_dim;
    return 0;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static rw_status check_table(const rw_rope_table *table, uint32_t dim, const char *name,
                             rw_error *err) {
    if (table->head_dim == dim && 2 * table->pairs <= dim)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "model.rope", name,
                   "the rotation is for heads of %u dimensions, the layers have %u",
                   table->head_dim, dim);
}

static rw_status choose(rw_session *session, int kind, const rw_rope_set *set, rw_error *err) {
    uint32_t dim = rotated_dim(session->model->arch, kind);
    const char *name = rw_layers_name(group_of[kind]);
    rw_rotation *rotation = &session->rotation[kind];
    *rotation = (rw_rotation){.used = dim != 0};
    if (dim == 0)
        return RW_OK;
    const rw_rope_group *group = rw_rope_set_find(set, group_of[kind]);
    if (!group)
        return rw_fail(err, RW_ERR_INPUT, "model.rope", name,
                       "no rotation is given for the layers of kind %s", name);
    rotation->spec = group->spec;
    return RW_OK;
}

static rw_status build(rw_session *session, int kind, uint64_t length, rw_rope_table *out,
                       rw_error *err) {
    RW_TRY(rw_rope_table_build(&session->rotation[kind].spec, length, out, err));
    return check_table(out, rotated_dim(session->model->arch, kind), rw_layers_name(group_of[kind]),
                       err);
}

/* Does the session have to hold raw keys, or its tokens, for this rotation? */
void rw_rotation_needs(const rw_rope_set *set, bool growing, bool *raw_keys, bool *history) {
    *raw_keys = *history = false;
    for (uint32_t i = 0; growing && i < set->count; i++) {
        const rw_rope_spec *spec = &set->group[i].spec;
        bool longrope = spec->method == RW_ROPE_LONGROPE;
        *raw_keys |= rw_rope_depends_on_length(spec) && !longrope;
        *history |= rw_rope_depends_on_length(spec) && longrope;
    }
}

rw_status rw_session_rotate_by(rw_session *session, const rw_session_options *options,
                               rw_error *err) {
    uint64_t pinned = options->length ? options->length : options->capacity;
    bool raw, history;
    rw_rotation_needs(options->rope, session->growing, &raw, &history);
    for (int kind = 0; kind < RW_ROTATION_COUNT; kind++) {
        rw_rotation *rotation = &session->rotation[kind];
        RW_TRY(choose(session, kind, options->rope, err));
        if (!rotation->used)
            continue;
        RW_TRY(build(session, kind, session->growing ? 1 : pinned, &rotation->table, err));
        rotation->raw = session->growing && rw_rope_depends_on_length(&rotation->spec) &&
                        rotation->spec.method != RW_ROPE_LONGROPE;
    }
    session->replays = history;
    return RW_OK;
}

/* The same angles and amplitude, for whatever length. */
static bool same_rotation(const rw_rope_table *a, const rw_rope_table *b) {
    return a->pairs == b->pairs && a->attention_factor == b->attention_factor &&
           a->logit_scale == b->logit_scale &&
           memcmp(a->inv_freq, b->inv_freq, a->pairs * sizeof *a->inv_freq) == 0;
}

rw_status rw_session_resolve(rw_session *session, size_t n, bool *again, rw_error *err) {
    *again = false;
    for (int kind = 0; session->growing && kind < RW_ROTATION_COUNT; kind++) {
        rw_rotation *rotation = &session->rotation[kind];
        rw_rope_table table;
        if (!rotation->used || !rw_rope_depends_on_length(&rotation->spec))
            continue;
        RW_TRY(build(session, kind, session->length + n, &table, err));
        if (same_rotation(&table, &rotation->table))
            continue;
        rotation->table = table;
        rotation->key_rows = 0;
        *again |= !rotation->raw && session->length != 0;
    }
    return RW_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

enum { TILE = 16 };

typedef struct row_job {
    const rw_session *session;
    const rw_rope_table *table;
    uint64_t first;
    size_t count;
} row_job;

static void make_tile(void *user, size_t tile, unsigned worker) {
    const row_job *job = user;
    size_t at = tile * TILE, left = job->count - at, offset = at * job->table->pairs;
    (void)worker;
    rw_rope_rows(job->table, job->first + at, left < TILE ? left : TILE,
                 job->session->rows[0] + offset, job->session->rows[1] + offset);
}

rw_view rw_session_angles(const rw_session *session, rw_scratch scratch, int rotation, size_t first,
                          size_t count) {
    const rw_buffer *buffer = &session->scratch[scratch];
    size_t pairs = session->rotation[rotation].table.pairs;
    rw_view view = rw_view_matrix(buffer, RW_ELEMENT_F32, count, pairs);
    view.offset =
        buffer->bytes / RW_ROTATION_COUNT * (size_t)rotation + first * pairs * sizeof(float);
    return view;
}

/* Rows of positions [position, position + count) to rows [at, at + count) of the two scratches. */
static rw_status make_rows(rw_session *s, int kind, const rw_scratch to[2], uint64_t position,
                           size_t count, size_t at, rw_error *err) {
    rw_backend *b = s->model->backend;
    for (size_t done = 0; done < count;) {
        size_t piece = count - done < RW_ROWS_PIECE ? count - done : RW_ROWS_PIECE;
        row_job job = {s, &s->rotation[kind].table, position + done, piece};
        rw_parallel_for(s->model->ctx, (piece + TILE - 1) / TILE, make_tile, &job);
        for (int j = 0; j < 2; j++) {
            rw_view view = rw_session_angles(s, to[j], kind, at + done, piece);
            size_t bytes = piece * view.shape[2] * sizeof(float);
            RW_TRY(b->ops->write(b, &s->scratch[to[j]], view.offset, s->rows[j], bytes, err));
        }
        done += piece;
    }
    return rw_check_cancel(s->model->ctx, err);
}

rw_status rw_session_make_rows(rw_session *session, uint64_t position, size_t count,
                               rw_error *err) {
    static const rw_scratch chunk[2] = {RW_SCRATCH_COS, RW_SCRATCH_SIN};
    static const rw_scratch keys[2] = {RW_SCRATCH_KEY_COS, RW_SCRATCH_KEY_SIN};
    for (int kind = 0; kind < RW_ROTATION_COUNT; kind++) {
        rw_rotation *rotation = &session->rotation[kind];
        if (!rotation->used)
            continue;
        RW_TRY(make_rows(session, kind, chunk, position, count, 0, err));
        if (!rotation->raw)
            continue;
        size_t known = (size_t)rotation->key_rows, wanted = (size_t)position + count;
        RW_TRY(make_rows(session, kind, keys, known, wanted - known, known, err));
        rotation->key_rows = wanted;
    }
    return RW_OK;
}
