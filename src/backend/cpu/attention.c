/*
 * attention.c - softmax(q k^T) v over tiles of queries and keys, the query heads of a group
 * together.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/tiled.h"

enum {
    ROWS = 96, /* rows of a tile: whole blocks of the inner loops */
    KEYS = 128 /* keys of a tile */
};

/* A tile: the query heads that share a KV head, for some positions. Row i * group + h of the
   matrices below is position i, head h of the group. */
typedef struct attention_tile {
    const rw_cpu_isa *isa;
    const rw_op_attention *a;
    size_t kv_head, group;
    size_t first, positions; /* rows of the operation's q */
    size_t rows;             /* positions * group */
    size_t qk_dim, v_dim, v_width;
    float *q;         /* [rows][qk_dim], scaled      */
    float *k;         /* [KEYS / panel][qk_dim][panel] */
    float *v;         /* [KEYS][v_width]             */
    float *scores;    /* [rows][KEYS]                */
    float *o;         /* [rows][v_width]             */
    float *max, *sum; /* [rows] */
} attention_tile;

static size_t group_of(const rw_op_attention *a) {
    return a->q.shape[1] / a->k.shape[1];
}

static size_t positions_of(const rw_op_attention *a) {
    size_t positions = ROWS / group_of(a);
    return positions ? positions : 1;
}

static size_t attention_tiles(const rw_op *op) {
    const rw_op_attention *a = &op->u.attention;
    return rw_tiles_of(a->q.shape[0], positions_of(a)) * a->k.shape[1];
}

static size_t attention_scratch(const rw_op *op) {
    const rw_op_attention *a = &op->u.attention;
    size_t rows = rw_round_up(positions_of(a) * group_of(a), RW_CPU_LANES);
    size_t qk = a->q.shape[2], v = rw_round_up(a->v.shape[2], RW_CPU_LANES);
    return (rows * (qk + v + KEYS + 2) + KEYS * (qk + v)) * sizeof(float);
}

/* Longest first (the last positions see the most keys), so that threads end together. */
static attention_tile open_tile(const rw_cpu_isa *isa, const rw_op_attention *a, size_t tile,
                                float *scratch) {
    size_t step = positions_of(a), kv = a->k.shape[1];
    size_t tiles = rw_tiles_of(a->q.shape[0], step);
    attention_tile t = {.isa = isa, .a = a, .kv_head = tile % kv, .group = group_of(a)};
    t.first = (tiles - 1 - tile / kv) * step;
    t.positions = rw_min_size(step, a->q.shape[0] - t.first);
    t.rows = t.positions * t.group;
    t.qk_dim = a->q.shape[2];
    t.v_dim = a->v.shape[2];
    t.v_width = rw_round_up(t.v_dim, RW_CPU_LANES);
    size_t rows = rw_round_up(step * t.group, RW_CPU_LANES);
    t.scores = scratch;
    t.k = t.scores + rows * KEYS;
    t.v = t.k + KEYS * t.qk_dim;
    t.o = t.v + KEYS * t.v_width;
    t.max = t.o + rows * t.v_width;
    t.sum = t.max + rows;
    t.q = t.sum + rows;
    return t;
}

static void load_queries(attention_tile *t) {
    for (size_t row = 0; row < t->rows; row++) {
        const float *q =
            rw_f32(&t->a->q, t->first + row / t->group, t->kv_head * t->group + row % t->group);
        for (size_t d = 0; d < t->qk_dim; d++)
            t->q[row * t->qk_dim + d] = q[d] * t->a->scale;
        t->max[row] = -INFINITY;
        t->sum[row] = 0.0f;
    }
    memset(t->o, 0, t->rows * t->v_width * sizeof *t->o);
}

/* Turns keys [begin, begin + count) into columns; lanes beyond the last are zero. Four keys at a
   time, so that the stores are wide. */
static void load_keys(attention_tile *t, size_t begin, size_t count) {
    size_t panel = t->isa->panel, stride = t->a->k.stride[0];
    const float *from = rw_f32(&t->a->k, begin, t->kv_head);
    for (size_t j = 0; j < rw_round_up(count, RW_CPU_LANES); j += 4) {
        float *to = t->k + j / panel * t->qk_dim * panel + j % panel;
        size_t there = count > j ? rw_min_size(count - j, 4) : 0;
        if (there == 4) {
            const float *k0 = from + j * stride, *k1 = k0 + stride, *k2 = k1 + stride;
            const float *k3 = k2 + stride;
            for (size_t d = 0; d < t->qk_dim; d++) {
                to[d * panel] = k0[d];
                to[d * panel + 1] = k1[d];
                to[d * panel + 2] = k2[d];
                to[d * panel + 3] = k3[d];
            }
            continue;
        }
        for (size_t d = 0; d < t->qk_dim; d++)
            for (size_t i = 0; i < 4; i++)
                to[d * panel + i] = i < there ? from[(j + i) * stride + d] : 0.0f;
    }
}

static void load_values(attention_tile *t, size_t begin, size_t count) {
    for (size_t j = 0; j < count; j++) {
        float *to = t->v + j * t->v_width;
        memcpy(to, rw_f32(&t->a->v, begin + j, t->kv_head), t->v_dim * sizeof *to);
        for (size_t d = t->v_dim; d < t->v_width; d++)
            to[d] = 0.0f;
    }
}

static void score(attention_tile *t, size_t count) {
    size_t panel = t->isa->panel;
    for (size_t j = 0; j < count; j += panel)
        t->isa->multiply(t->rows, rw_min_size(rw_round_up(count - j, RW_CPU_LANES), panel),
                         t->qk_dim, t->q, t->qk_dim, t->k + j * t->qk_dim, panel, t->scores + j,
                         KEYS, false);
}

void rw_cap_row(float *x, size_t n, float cap) {
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

static void cap_scores(attention_tile *t, size_t count) {
    for (size_t row = 0; row < t->rows; row++)
        rw_cap_row(t->scores + row * KEYS, count, t->a->softcap);
}

/* -inf where a row does not see a key, and in the lanes beyond the last key. */
static void mask(attention_tile *t, size_t begin, size_t count) {
    size_t width = rw_round_up(count, RW_CPU_LANES);
    for (size_t row = 0; row < t->rows; row++) {
        size_t from, to;
        float *scores = t->scores + row * KEYS;
        rw_seen_keys(t->a, t->first + row / t->group, &from, &to);
        from = from > begin ? rw_min_size(from - begin, count) : 0;
        to = to > begin ? rw_min_size(to - begin, count) : 0;
        for (size_t j = 0; j < from; j++)
            scores[j] = -INFINITY;
        for (size_t j = to > from ? to : from; j < width; j++)
            scores[j] = -INFINITY;
    }
}

/* Scores to weights, with the sums so far brought to the new maximum. */
static void soften(attention_tile *t, size_t count) {
    size_t width = rw_round_up(count, RW_CPU_LANES);
    for (size_t row = 0; row < t->rows; row++) {
        float *scores = t->scores + row * KEYS;
        float max = t->isa->row_max(scores, width), shrink;
        if (max <= t->max[row])
            max = t->max[row];
        if (max == -INFINITY) { /* nothing seen so far: inf - inf would be NaN */
            memset(scores, 0, width * sizeof *scores);
            continue;
        }
        shrink = expf(t->max[row] - max);
        t->max[row] = max;
        t->sum[row] = t->sum[row] * shrink + t->isa->exp_sum(scores, width, max);
        if (shrink != 1.0f)
            t->isa->scale(t->o + row * t->v_width, t->v_width, shrink);
    }
}

static void gather(attention_tile *t, size_t count) {
    size_t panel = t->isa->panel;
    for (size_t d = 0; d < t->v_width; d += panel)
        t->isa->multiply(t->rows, rw_min_size(t->v_width - d, panel), count, t->scores, KEYS,
                         t->v + d, t->v_width, t->o + d, t->v_width, true);
}

static void close_tile(const attention_tile *t) {
    for (size_t row = 0; row < t->rows; row++) {
        size_t i = t->first + row / t->group, h = t->kv_head * t->group + row % t->group;
        float *out = rw_f32(&t->a->out, i, h), sum = t->sum[row];
        const float *o = t->o + row * t->v_width;
        float scale = sum > 0.0f ? 1.0f / sum : sum == 0.0f ? 0.0f : NAN;
        for (size_t d = 0; d < t->v_dim; d++)
            out[d] = o[d] * scale;
        if (t->a->lse.buffer)
            rw_f32(&t->a->lse, i, 0)[h] = sum == 0.0f ? -INFINITY : t->max[row] + logf(sum);
    }
}

static void attention_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    attention_tile t = open_tile(isa, &op->u.attention, tile, scratch);
    size_t begin, end, from, to;
    rw_seen_keys(t.a, t.first, &begin, &to); /* the first position sees the earliest keys */
    rw_seen_keys(t.a, t.first + t.positions - 1, &from, &end); /* the last one the latest */
    load_queries(&t);
    for (size_t key = begin; key < end; key += KEYS) {
        size_t count = rw_min_size(KEYS, end - key);
        load_keys(&t, key, count);
        load_values(&t, key, count);
        score(&t, count);
        if (t.a->softcap > 0.0f)
            cap_scores(&t, count);
        /* every row sees what the first and the last position both see */
        if (key < from || key + count > to || count % RW_CPU_LANES != 0)
            mask(&t, key, count);
        soften(&t, count);
        gather(&t, count);
    }
    close_tile(&t);
}

const rw_cpu_kernel rw_cpu_tiled_attention = {
    .tiles = attention_tiles, .scratch = attention_scratch, .run = attention_run};
