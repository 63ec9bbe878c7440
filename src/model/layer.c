/*
 * layer.c - one layer over a range of tokens. Every buffer it writes is named by its caller or is
 * scratch of the session, so that the scheduler decides what is kept.
 */
#include <math.h>
#include <string.h>

#include "model/internal.h"

rw_view rw_session_scratch(const rw_session *session, rw_scratch scratch, size_t count,
                           size_t columns) {
    return rw_view_matrix(&session->scratch[scratch], RW_ELEMENT_F32, count, columns);
}

/* The table of sizes has room for every kernel there is; should one want more, it gets it. */
static rw_status widen_workspace(rw_session *session, size_t bytes, rw_error *err) {
    rw_backend *b = session->model->backend;
    rw_buffer *workspace = &session->scratch[RW_SCRATCH_WORKSPACE];
    b->ops->buffer_destroy(b, workspace);
    return b->ops->buffer_create(b, bytes, "activations", workspace, err);
}

rw_status rw_session_run(rw_session *session, const rw_op *op, rw_error *err) {
    rw_backend *b = session->model->backend;
    size_t bytes = b->ops->workspace_bytes(b, op);
    if (bytes > session->scratch[RW_SCRATCH_WORKSPACE].bytes)
        RW_TRY(widen_workspace(session, bytes, err));
    return b->ops->enqueue(b, op, &session->scratch[RW_SCRATCH_WORKSPACE], err);
}

rw_status rw_session_norm(rw_session *session, rw_view x, const rw_buffer *weight, rw_view out,
                          rw_error *err) {
    rw_op op = {.kind = RW_OP_RMS_NORM,
                .u.rms_norm = {.x = x,
                               .out = out,
                               .weight = rw_view_matrix(weight, RW_ELEMENT_F32, 1, x.shape[2]),
                               .eps = (float)session->model->arch->norm_eps}};
    return rw_session_run(session, &op, err);
}

static rw_op linear_op(rw_arithmetic arithmetic, const rw_linear *weights, const rw_buffer *bias,
                       rw_view x, rw_view out) {
    rw_op op = {.kind = RW_OP_LINEAR,
                .u.linear = {.linear = weights, .x = x, .out = out, .arithmetic = arithmetic}};
    if (bias && bias->handle)
        op.u.linear.bias = rw_view_matrix(bias, RW_ELEMENT_F32, 1, weights->rows);
    return op;
}

static rw_status linear(rw_session *session, const rw_linear *weights, const rw_buffer *bias,
                        rw_view x, rw_view out, rw_error *err) {
    rw_op op = linear_op(session->engine.arithmetic, weights, bias, x, out);
    return rw_session_run(session, &op, err);
}

static rw_status add(rw_session *session, rw_view x, rw_view y, rw_error *err) {
    rw_op op = {.kind = RW_OP_ADD, .u.add = {.x = x, .y = y}};
    return rw_session_run(session, &op, err);
}

/* ---- the cache ------------------------------------------------------------------------------- */

void rw_session_row_bytes(const rw_session *session, uint32_t index, size_t *k, size_t *v) {
    const rw_layer *layer = &session->model->arch->layers[index];
    rw_element element = rw_session_element(session);
    *k = rw_element_bytes(element, (size_t)layer->n_kv_heads * layer->qk_dim);
    *v = rw_element_bytes(element, (size_t)layer->n_kv_heads * layer->v_dim);
}

rw_status rw_session_drop_rows(rw_session *session, uint32_t index, uint64_t first, uint64_t end,
                               rw_error *err) {
    rw_backend *b = session->model->backend;
    rw_cache *cache = &session->caches[index];
    size_t drop = (size_t)(first - cache->first), rows = (size_t)(end > first ? end - first : 0);
    size_t k, v;
    rw_session_row_bytes(session, index, &k, &v);
    cache->first = first;
    if (rows == 0)
        return RW_OK;
    RW_TRY(b->ops->move(b, &cache->k, 0, drop * k, rows * k, err));
    return b->ops->move(b, &cache->v, 0, drop * v, rows * v, err);
}

/* Makes room for the span. A full layer has room for all of the capacity; a sliding layer forgets
   what has left the window of the span's first token. */
static rw_status make_room(rw_session *session, uint32_t index, const rw_span *span,
                           rw_error *err) {
    const rw_cache *cache = &session->caches[index];
    uint64_t used = span->position - cache->first;
    if (used + span->count <= cache->rows)
        return RW_OK;
    /* the window holds the token itself */
    uint64_t keep = session->model->arch->layers[index].window - 1;
    uint64_t first = span->position - (keep < used ? keep : used);
    return rw_session_drop_rows(session, index, first, span->position, err);
}

/* Rows [first, first + count) of keys or values. */
static rw_view cache_view(const rw_session *session, const rw_buffer *buffer, size_t first,
                          size_t count, uint32_t heads, uint32_t dim) {
    rw_view rows =
        rw_view_matrix(buffer, rw_session_element(session), first + count, (size_t)heads * dim);
    return rw_view_heads(rw_view_rows(rows, first, count), heads);
}

/* ---- attention ------------------------------------------------------------------------------- */

static rw_status rotate(rw_session *session, const rw_layer *layer, rw_view x, uint32_t heads,
                        rw_error *err) {
    if (!layer->rotary)
        return RW_OK;
    int kind = rw_rotation_of(layer);
    size_t count = x.shape[0];
    bool interleaved = session->rotation[kind].table.pairing == RW_PAIRING_INTERLEAVED;
    rw_op op = {.kind = RW_OP_ROTATE,
                .u.rotate = {.x = rw_view_heads(x, heads),
                             .cos = rw_session_angles(session, RW_SCRATCH_COS, kind, 0, count),
                             .sin = rw_session_angles(session, RW_SCRATCH_SIN, kind, 0, count),
                             .interleaved = interleaved}};
    return rw_session_run(session, &op, err);
}

/* softmax's scale: 1 / sqrt(d), or the root of what the model states instead, times what the
 * rotation puts on top (MLA's temperature). */
static float softmax_scale(const rw_session *session, const rw_layer *layer) {
    double on_top =
        layer->rotary ? session->rotation[rw_rotation_of(layer)].table.logit_scale : 1.0;
    double scalar = session->model->arch->query_scalar;
    return (float)(on_top / sqrt(scalar > 0.0 ? scalar : (double)layer->qk_dim));
}

/* Raw keys are turned on their way into the product. */
static void turn_keys(const rw_session *session, const rw_layer *layer, const rw_cache *cache,
                      rw_op_attention *op) {
    int kind = rw_rotation_of(layer);
    const rw_rotation *rotation = &session->rotation[kind];
    if (!layer->rotary || !rotation->raw)
        return;
    size_t first = (size_t)cache->first, count = op->k.shape[0];
    op->k_cos = rw_session_angles(session, RW_SCRATCH_KEY_COS, kind, first, count);
    op->k_sin = rw_session_angles(session, RW_SCRATCH_KEY_SIN, kind, first, count);
    op->interleaved = rotation->table.pairing == RW_PAIRING_INTERLEAVED;
}

static rw_status attend(rw_session *session, uint32_t index, const rw_span *span, rw_view q,
                        const rw_layer_slots *slots, rw_error *err) {
    const rw_layer *layer = &session->model->arch->layers[index];
    const rw_cache *cache = &session->caches[index];
    uint32_t kv_heads = layer->n_kv_heads;
    size_t keys = (size_t)(span->position - cache->first) + span->count;
    bool windowed = layer->kind == RW_LAYER_SLIDING && layer->window != 0;
    rw_op op = {
        .kind = RW_OP_ATTENTION,
        .u.attention = {.q = rw_view_heads(q, layer->n_heads),
                        .k = cache_view(session, &cache->k, 0, keys, kv_heads, layer->qk_dim),
                        .v = cache_view(session, &cache->v, 0, keys, kv_heads, layer->v_dim),
                        .out = rw_view_heads(slots->attention, layer->n_heads),
                        .lse = slots->lse,
                        .q_first = (int64_t)span->position,
                        .k_first = (int64_t)cache->first,
                        .mask = windowed ? RW_MASK_WINDOW : RW_MASK_CAUSAL,
                        .window = layer->window,
                        .scale = softmax_scale(session, layer),
                        .softcap = (float)session->model->arch->attention_softcap}};
    turn_keys(session, layer, cache, &op.u.attention);
    return rw_session_run(session, &op, err);
}

/* Norms every head by itself; x is contiguous. */
static rw_status norm_heads(rw_session *session, rw_view x, uint32_t heads, const rw_buffer *weight,
                            rw_error *err) {
    if (!weight->handle)
        return RW_OK;
    rw_view rows = x;
    rows.shape[0] = x.shape[0] * heads;
    rows.shape[2] = x.shape[2] / heads;
    rows.stride[0] = rows.stride[1] = rows.shape[2];
    return rw_session_norm(session, rows, weight, rows, err);
}

/* What a block adds to the stream: normed first where the family has it so. */
static rw_status add_block(rw_session *session, rw_view stream, rw_view block,
                           const rw_buffer *post_norm, rw_error *err) {
    if (post_norm->handle)
        RW_TRY(rw_session_norm(session, block, post_norm, block, err));
    return add(session, stream, block, err);
}

static rw_status store(rw_session *session, rw_view x, rw_view out, rw_error *err) {
    rw_op op = {.kind = RW_OP_STORE, .u.store = {.x = rw_view_heads(x, out.shape[1]), .out = out}};
    return rw_session_run(session, &op, err);
}

/* Queries, keys and values at the same time: a token made alone has little of each to share out.
   Values are float32 products whatever the user chose: rounding their x is a fifth of what int8
   would cost, and they are a small part of the work where heads share them (docs/agreement.md). */
static rw_status project(rw_session *session, uint32_t index, rw_view normed, rw_view q, rw_view k,
                         rw_view v, rw_error *err) {
    const rw_model_layer *w = &session->model->layers[index];
    rw_op v_op = linear_op(RW_ARITHMETIC_F32, &w->v, &w->v_bias, normed, v);
    rw_op k_op = linear_op(session->engine.arithmetic, &w->k, &w->k_bias, normed, k);
    rw_op q_op = linear_op(session->engine.arithmetic, &w->q, &w->q_bias, normed, q);
    q_op.beside = &k_op;
    k_op.beside = &v_op;
    return rw_session_run(session, &q_op, err);
}

/* Keys and values are made in float32 and rounded once, on their way into the cache. */
static rw_status append_kv(rw_session *session, uint32_t index, const rw_span *span, rw_view k,
                           rw_view v, rw_error *err) {
    const rw_layer *layer = &session->model->arch->layers[index];
    const rw_model_layer *w = &session->model->layers[index];
    rw_cache *cache = &session->caches[index];
    uint32_t heads = layer->n_kv_heads;
    size_t count = span->count;
    RW_TRY(make_room(session, index, span, err));
    size_t at = (size_t)(span->position - cache->first);
    RW_TRY(norm_heads(session, k, heads, &w->k_norm, err));
    if (!session->rotation[rw_rotation_of(layer)].raw)
        RW_TRY(rotate(session, layer, k, heads, err));
    RW_TRY(store(session, k, cache_view(session, &cache->k, at, count, heads, layer->qk_dim), err));
    return store(session, v, cache_view(session, &cache->v, at, count, heads, layer->v_dim), err);
}

static rw_status attention_block(rw_session *session, uint32_t index, const rw_span *span,
                                 const rw_layer_slots *slots, rw_error *err) {
    const rw_layer *layer = &session->model->arch->layers[index];
    const rw_model_layer *w = &session->model->layers[index];
    size_t hidden = session->model->arch->hidden, width = (size_t)layer->n_heads * layer->qk_dim;
    rw_view normed = rw_session_scratch(session, RW_SCRATCH_NORMED, span->count, hidden);
    rw_view q = rw_session_scratch(session, RW_SCRATCH_Q, span->count, width);
    rw_view k = rw_session_scratch(session, RW_SCRATCH_K, span->count,
                                   (size_t)layer->n_kv_heads * layer->qk_dim);
    rw_view v = rw_session_scratch(session, RW_SCRATCH_V, span->count,
                                   (size_t)layer->n_kv_heads * layer->v_dim);
    RW_TRY(rw_session_norm(session, slots->stream, &w->attention_norm, normed, err));
    RW_TRY(project(session, index, normed, q, k, v, err));
    RW_TRY(append_kv(session, index, span, k, v, err));
    RW_TRY(norm_heads(session, q, layer->n_heads, &w->q_norm, err));
    RW_TRY(rotate(session, layer, q, layer->n_heads, err));
    RW_TRY(attend(session, index, span, q, slots, err));
    RW_TRY(linear(session, &w->o, &w->o_bias, slots->attention, normed, err));
    return add_block(session, slots->stream, normed, &w->post_attention_norm, err);
}

/* ---- feed-forward ---------------------------------------------------------------------------- */

static rw_status ffn_block(rw_session *session, uint32_t index, const rw_span *span,
                           const rw_layer_slots *slots, rw_error *err) {
    const rw_model_layer *w = &session->model->layers[index];
    size_t hidden = session->model->arch->hidden;
    size_t width = session->model->arch->layers[index].ffn_dim;
    rw_view normed = rw_session_scratch(session, RW_SCRATCH_NORMED, span->count, hidden);
    rw_view gate = rw_session_scratch(session, RW_SCRATCH_GATE, span->count, width);
    rw_view up = rw_session_scratch(session, RW_SCRATCH_UP, span->count, width);
    rw_op up_op = linear_op(session->engine.arithmetic, &w->up, &w->up_bias, normed, up);
    rw_op gate_op = linear_op(session->engine.arithmetic, &w->gate, &w->gate_bias, normed, gate);
    gate_op.beside = &up_op;
    bool gelu = session->model->arch->activation == RW_ACT_GELU_TANH;
    rw_op op = {
        .kind = RW_OP_GATE,
        .u.gate = {
            .kind = gelu ? RW_GATE_GELU_TANH : RW_GATE_SILU, .gate = gate, .up = up, .out = gate}};
    RW_TRY(rw_session_norm(session, slots->stream, &w->ffn_norm, normed, err));
    RW_TRY(rw_session_run(session, &gate_op, err));
    RW_TRY(rw_session_run(session, &op, err));
    RW_TRY(linear(session, &w->down, &w->down_bias, gate, normed, err));
    return add_block(session, slots->stream, normed, &w->post_ffn_norm, err);
}

rw_status rw_layer_forward(rw_session *session, uint32_t index, const rw_span *span,
                           const rw_layer_slots *slots, rw_error *err) {
    RW_TRY(attention_block(session, index, span, slots, err));
    return ffn_block(session, index, span, slots, err);
}
