/*
 * decode.c - attention for few queries: the keys are cut into ranges, whose results are merged in
 * their order. The memory is the limit: a block of keys is read once, all heads of it, as it lies
 * there. Ranges depend on the keys alone, so results are the same for any thread count.
 */
#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/tiled.h"

enum {
    ROWS = 8,         /* queries times group at most, unless there is one query */
    RANGES = 32,      /* at most */
    RANGE_KEYS = 256, /* at least */
    BLOCK = 64,       /* keys at a time at most */
    BLOCK_LEAST = 16,
    AHEAD = 128 * 1024 /* bytes asked for ahead of their use: they must still be there then */
};

bool rw_is_decode(const rw_op_attention *a) {
    size_t n = a->q.shape[0], group = a->q.shape[1] / a->k.shape[1];
    return n == 1 || n * group <= ROWS;
}

/* How the work is cut. A KV head's query rows (row i * group + h: query i, head h) are quads. */
typedef struct plan {
    const rw_op_attention *a;
    size_t group, rows, quads; /* of a KV head */
    size_t qk_dim, v_dim;      /* whole vectors */
    size_t begin, end;         /* keys that any query sees */
    size_t step, ranges;
    size_t block; /* keys at a time */
} plan;

/* All heads of a block's keys and values are AHEAD bytes at most. */
static size_t block_of(const rw_op_attention *a) {
    size_t key = rw_element_bytes(a->k.element, a->k.shape[1] * a->k.shape[2]) +
                 rw_element_bytes(a->v.element, a->v.shape[1] * a->v.shape[2]);
    size_t keys = AHEAD / key / BLOCK_LEAST * BLOCK_LEAST;
    return keys < BLOCK_LEAST ? BLOCK_LEAST : rw_min_size(keys, BLOCK);
}

static plan plan_of(const rw_op_attention *a) {
    size_t n = a->q.shape[0], unused;
    plan p = {.a = a, .group = a->q.shape[1] / a->k.shape[1]};
    p.rows = n * p.group;
    p.quads = rw_tiles_of(p.rows, 4);
    p.qk_dim = rw_round_up(a->q.shape[2], RW_QUAD_DIMS);
    p.v_dim = rw_round_up(a->v.shape[2], RW_QUAD_DIMS);
    rw_seen_keys(a, 0, &p.begin, &unused);
    rw_seen_keys(a, n ? n - 1 : 0, &unused, &p.end);
    if (p.end < p.begin)
        p.end = p.begin;
    size_t step = rw_round_up(rw_tiles_of(p.end - p.begin, RANGES), BLOCK);
    p.step = step > RANGE_KEYS ? step : RANGE_KEYS;
    p.block = block_of(a);
    p.ranges = rw_tiles_of(p.end - p.begin, p.step);
    return p;
}

/* What a range knows of a quad. */
static size_t part_floats(const plan *p) {
    return 8 + 4 * p->v_dim;
}

static float *part_of(const plan *p, float *parts, size_t range, size_t kv_head, size_t quad) {
    return parts + ((range * p->a->k.shape[1] + kv_head) * p->quads + quad) * part_floats(p);
}

static rw_quad quad_of(const plan *p, size_t quad, float *part) {
    return (rw_quad){.rows = rw_min_size(4, p->rows - 4 * quad),
                     .qk_dim = p->qk_dim,
                     .v_dim = p->v_dim,
                     .max = part,
                     .sum = part + 4,
                     .o = part + 8};
}

size_t rw_decode_shared(const rw_op_attention *a) {
    plan p = plan_of(a);
    return p.ranges * a->k.shape[1] * p.quads * part_floats(&p) * sizeof(float);
}

/* ---- a range --------------------------------------------------------------------------------- */

/* A block of keys of one head. */
typedef struct block {
    const rw_cpu_isa *isa;
    size_t kv_head, begin;
    rw_packed_rows k, v;
    float *q, *scores; /* [4][qk_dim], [BLOCK + 4][4] */
    float *wide_k, *wide_v;
} block;

size_t rw_decode_scratch(const rw_op_attention *a) {
    plan p = plan_of(a);
    size_t floats = 4 * p.qk_dim + (BLOCK + 4) * 4 + BLOCK * (p.qk_dim + p.v_dim);
    return floats * sizeof(float);
}

static rw_packed_rows wide_rows(const float *rows, size_t count, size_t dims) {
    return (rw_packed_rows){.element = RW_ELEMENT_F32,
                            .first = (const char *)rows,
                            .apart = dims * sizeof(float),
                            .rows = count,
                            .n = dims};
}

/* Rows of a head as they lie; the block after them is asked for on the way. */
static rw_packed_rows rows_in_place(const rw_view *view, const block *b, size_t count,
                                    size_t ahead) {
    rw_packed_rows rows = rw_rows_of(view, b->kv_head, b->begin, count);
    rows.ahead = ahead * rows.apart;
    rows.fetch = rw_element_bytes(view->element, rows.n);
    return rows;
}

/* Keys that are raw, or rows that end inside a vector, take the long way: as float32 with zeros
   behind the last dim. */
static void open_keys(const plan *p, block *b, size_t count) {
    const rw_op_attention *a = p->a;
    b->k = rows_in_place(&a->k, b, count, p->block);
    if (!a->k_cos.buffer && b->k.n == p->qk_dim)
        return;
    memset(b->wide_k, 0, count * p->qk_dim * sizeof *b->wide_k);
    rw_load_keys(b->isa->rows, a, b->kv_head, b->begin, count, b->wide_k, p->qk_dim);
    b->k = wide_rows(b->wide_k, count, p->qk_dim);
}

static void open_values(const plan *p, block *b, size_t count) {
    b->v = rows_in_place(&p->a->v, b, count, p->block);
    if (b->v.n == p->v_dim)
        return;
    memset(b->wide_v, 0, count * p->v_dim * sizeof *b->wide_v);
    b->isa->rows->widen(&b->v, b->wide_v, p->v_dim);
    b->v = wide_rows(b->wide_v, count, p->v_dim);
}

static void load_queries(const plan *p, const block *b, size_t quad, size_t rows) {
    size_t dims = p->a->q.shape[2];
    float scale = rw_query_scale(p->a);
    for (size_t r = 0; r < rows; r++) {
        size_t row = 4 * quad + r;
        const float *q = rw_f32(&p->a->q, row / p->group, b->kv_head * p->group + row % p->group);
        float *to = b->q + r * p->qk_dim;
        for (size_t d = 0; d < dims; d++)
            to[d] = q[d] * scale;
        memset(to + dims, 0, (p->qk_dim - dims) * sizeof *to);
    }
}

/* -inf where a row of the quad does not see a key. */
static void hide_unseen(const plan *p, const block *b, size_t quad, const rw_quad *q) {
    for (size_t r = 0; r < q->rows; r++) {
        size_t from, to;
        rw_seen_keys(p->a, (4 * quad + r) / p->group, &from, &to);
        for (size_t j = 0; j < b->k.rows; j++)
            if (b->begin + j < from || b->begin + j >= to)
                q->scores[4 * j + r] = -INFINITY;
    }
}

static void attend(const plan *p, const block *b, size_t quad, float *part) {
    const rw_cpu_attention *isa = b->isa->attention;
    rw_quad q = quad_of(p, quad, part);
    q.q = b->q;
    q.scores = b->scores;
    load_queries(p, b, quad, q.rows);
    isa->quad_score(&q, &b->k);
    rw_cap_scores(b->isa, p->a, q.scores, rw_round_up(4 * b->k.rows, RW_CPU_LANES));
    if (p->a->q.shape[0] > 1) /* a single query sees all keys of the plan */
        hide_unseen(p, b, quad, &q);
    isa->quad_soften(&q, b->k.rows);
    isa->quad_gather(&q, &b->v);
}

static void open_parts(const plan *p, float *parts, size_t range) {
    for (size_t head = 0; head < p->a->k.shape[1]; head++)
        for (size_t quad = 0; quad < p->quads; quad++) {
            float *part = part_of(p, parts, range, head, quad);
            memset(part, 0, part_floats(p) * sizeof *part);
            for (size_t r = 0; r < 4; r++)
                part[r] = -INFINITY;
        }
}

static size_t range_tiles(const rw_op *op) {
    return plan_of(&op->u.attention).ranges;
}

static void range_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                      void *shared) {
    plan p = plan_of(&op->u.attention);
    size_t key = p.begin + tile * p.step, end = rw_min_size(key + p.step, p.end);
    block b = {.isa = isa, .q = scratch};
    b.scores = b.q + 4 * p.qk_dim;
    b.wide_k = b.scores + (BLOCK + 4) * 4;
    b.wide_v = b.wide_k + BLOCK * p.qk_dim;
    open_parts(&p, shared, tile);
    for (; key < end; key += p.block)
        for (b.kv_head = 0; b.kv_head < p.a->k.shape[1]; b.kv_head++) {
            b.begin = key;
            open_keys(&p, &b, rw_min_size(p.block, end - key));
            open_values(&p, &b, rw_min_size(p.block, end - key));
            for (size_t quad = 0; quad < p.quads; quad++, b.k.fetch = b.v.fetch = 0)
                attend(&p, &b, quad, part_of(&p, shared, tile, b.kv_head, quad));
        }
}

const rw_cpu_round rw_decode_ranges = {range_tiles, range_run};

/* ---- the ranges together --------------------------------------------------------------------- */

static size_t rows_of_tile(const plan *p) {
    enum { WORK = 65536 };
    size_t row = p->ranges * p->v_dim;
    return row < WORK ? WORK / (row ? row : 1) : 1;
}

static size_t merge_tiles(const rw_op *op) {
    plan p = plan_of(&op->u.attention);
    return rw_tiles_of(p.a->q.shape[1] * p.a->q.shape[0], rows_of_tile(&p));
}

/* Query `i`, head `h`. */
static void merge_row(const plan *p, float *parts, size_t i, size_t h) {
    size_t row = i * p->group + h % p->group, lane = row % 4, dims = p->a->v.shape[2];
    float *out = rw_f32(&p->a->out, i, h), max = -INFINITY, sum = 0.0f;
    memset(out, 0, dims * sizeof *out);
    for (size_t range = 0; range < p->ranges; range++)
        max = fmaxf(max, part_of(p, parts, range, h / p->group, row / 4)[lane]);
    for (size_t range = 0; range < p->ranges && max > -INFINITY; range++) {
        const float *part = part_of(p, parts, range, h / p->group, row / 4);
        const float *o = part + 8 + lane * p->v_dim, weight = exp2f(part[lane] - max);
        sum += weight * part[4 + lane];
        for (size_t d = 0; d < dims; d++)
            out[d] += weight * o[d];
    }
    for (size_t d = 0; d < dims; d++)
        out[d] *= rw_inverse(sum);
    if (p->a->lse.buffer)
        rw_f32(&p->a->lse, i, 0)[h] = rw_lse(max, sum);
}

static void merge_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                      void *shared) {
    (void)isa;
    (void)scratch;
    plan p = plan_of(&op->u.attention);
    size_t heads = p.a->q.shape[1], row = tile * rows_of_tile(&p);
    size_t end = rw_min_size(row + rows_of_tile(&p), heads * p.a->q.shape[0]);
    for (; row < end; row++)
        merge_row(&p, shared, row / heads, row % heads);
}

const rw_cpu_round rw_decode_merge = {merge_tiles, merge_run};
