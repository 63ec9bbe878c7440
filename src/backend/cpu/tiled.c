/*
 * tiled.c - the fast kernels: fixed tiles around the inner loops of an instruction set.
 *
 * Tile sizes are chosen so that one thread's tiles stay in its second-level cache; they are
 * constants, so results do not depend on the thread count.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

enum {
    ROWS = 96,        /* rows of a tile: whole blocks of the inner loops */
    COLUMNS = 128,    /* outputs of a linear tile: whole panels          */
    KEYS = 128,       /* keys of an attention tile                       */
    VOCABULARY = 256, /* logits of a loss tile                           */
    GATE_ROWS = 8
};

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

/* ---- linear ---------------------------------------------------------------------------------- */

static size_t linear_tiles(const rw_op *op) {
    const rw_op_linear *o = &op->u.linear;
    return rw_tiles_of(o->x.shape[0], ROWS) * rw_tiles_of(o->linear->rows, COLUMNS);
}

static size_t linear_scratch(const rw_op *op) {
    (void)op;
    return (size_t)ROWS * COLUMNS * sizeof(float);
}

/* x [rows][columns] times outputs [first, first + count) of the weights, into c. `first` begins a
   panel; the outputs are rounded up to whole lanes. */
static void times_weights(const rw_cpu_isa *isa, const rw_linear *linear, const float *x,
                          size_t stride, size_t rows, size_t first, size_t count, float *c,
                          size_t ldc) {
    const float *panel = (const float *)linear->prepared.handle + first * linear->columns;
    for (size_t j = 0; j < count; j += isa->panel, panel += isa->panel * linear->columns)
        isa->multiply(rows, rw_min_size(round_up(count - j, RW_CPU_LANES), isa->panel),
                      linear->columns, x, stride, panel, isa->panel, c + j, ldc, false);
}

static void linear_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    const rw_op_linear *o = &op->u.linear;
    size_t across = rw_tiles_of(o->linear->rows, COLUMNS);
    size_t row = tile / across * ROWS, first = tile % across * COLUMNS;
    size_t rows = rw_min_size(ROWS, o->x.shape[0] - row);
    size_t count = rw_min_size(COLUMNS, o->linear->rows - first);
    bool whole = count % RW_CPU_LANES == 0; /* else the product is wider than the output */
    float *out = rw_f32(&o->out, row, 0) + first;
    float *c = whole ? out : scratch;
    size_t ldc = whole ? o->out.stride[0] : COLUMNS;
    times_weights(isa, o->linear, rw_f32(&o->x, row, 0), o->x.stride[0], rows, first, count, c,
                  ldc);
    const float *bias = o->bias.buffer ? rw_f32(&o->bias, 0, 0) + first : NULL;
    if (whole && !bias)
        return;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < count; j++)
            out[i * o->out.stride[0] + j] = c[i * ldc + j] + (bias ? bias[j] : 0.0f);
}

/* ---- attention ------------------------------------------------------------------------------- */

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
    size_t rows = round_up(positions_of(a) * group_of(a), RW_CPU_LANES);
    size_t qk = a->q.shape[2], v = round_up(a->v.shape[2], RW_CPU_LANES);
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
    t.v_width = round_up(t.v_dim, RW_CPU_LANES);
    size_t rows = round_up(step * t.group, RW_CPU_LANES);
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
    for (size_t j = 0; j < round_up(count, RW_CPU_LANES); j += 4) {
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
        t->isa->multiply(t->rows, rw_min_size(round_up(count - j, RW_CPU_LANES), panel), t->qk_dim,
                         t->q, t->qk_dim, t->k + j * t->qk_dim, panel, t->scores + j, KEYS, false);
}

/* Soft-capped scores and logits (Gemma). libm's tanh: what vectors of exponentials would save is
   not worth the digits they lose near 0. */
static void cap_row(float *x, size_t n, float cap) {
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

static void cap_scores(attention_tile *t, size_t count) {
    for (size_t row = 0; row < t->rows; row++)
        cap_row(t->scores + row * KEYS, count, t->a->softcap);
}

/* -inf where a row does not see a key, and in the lanes beyond the last key. */
static void mask(attention_tile *t, size_t begin, size_t count) {
    size_t width = round_up(count, RW_CPU_LANES);
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
    size_t width = round_up(count, RW_CPU_LANES);
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

/* ---- feed-forward ---------------------------------------------------------------------------- */

static size_t gate_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.gate.out.shape[0], GATE_ROWS);
}

enum { GATE_BLOCK = 256 /* arguments at a time: whole lanes */ };

/* gelu(x) = x sigmoid(2u) is silu(2u) times x / 2u, which is finite everywhere: so the kernel of
   silu serves both. Beyond 20 gelu is x or 0 to the last digit, and u would overflow first. */
static void gelu(const rw_cpu_isa *isa, const float *gate, const float *up, float *out, size_t n) {
    const float twice_root = 1.5957691216057307f; /* 2 sqrt(2 / pi) */
    float g[GATE_BLOCK], u[GATE_BLOCK];
    for (size_t first = 0; first < n; first += GATE_BLOCK) {
        size_t count = rw_min_size(n - first, GATE_BLOCK);
        for (size_t i = 0; i < count; i++) {
            float x = gate[first + i];
            bool inside = x >= -20.0f && x <= 20.0f;
            float slope = inside ? twice_root * (1.0f + 0.044715f * x * x) : 1.0f;
            g[i] = x < -20.0f ? -1000.0f : x * slope;
            u[i] = up[first + i] / slope;
        }
        isa->gate(g, u, out + first, count);
    }
}

static void gate_row(const rw_cpu_isa *isa, rw_gate_kind kind, const float *gate, const float *up,
                     float *out, size_t n) {
    if (kind == RW_GATE_GELU_TANH)
        gelu(isa, gate, up, out, n);
    else
        isa->gate(gate, up, out, n);
}

static void gate_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    (void)scratch;
    const rw_op_gate *o = &op->u.gate;
    size_t row = tile * GATE_ROWS, end = rw_min_size(row + GATE_ROWS, o->out.shape[0]);
    size_t width = o->out.shape[2], whole = width / RW_CPU_LANES * RW_CPU_LANES;
    size_t rest = (width - whole) * sizeof(float);
    for (; row < end; row++) {
        const float *gate = rw_f32(&o->gate, row, 0), *up = rw_f32(&o->up, row, 0);
        float *out = rw_f32(&o->out, row, 0);
        float tail[2][RW_CPU_LANES] = {{0}};
        gate_row(isa, o->kind, gate, up, out, whole);
        if (rest == 0)
            continue;
        memcpy(tail[0], gate + whole, rest);
        memcpy(tail[1], up + whole, rest);
        gate_row(isa, o->kind, tail[0], tail[1], tail[0], RW_CPU_LANES);
        memcpy(out + whole, tail[0], rest);
    }
}

/* ---- loss ------------------------------------------------------------------------------------ */

/* What is known of one row after the vocabulary so far. */
typedef struct loss_row {
    double sum; /* of exp(logit - max) */
    double wanted;
    float max;
    int32_t best;
} loss_row;

static size_t loss_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.loss.x.shape[0], ROWS);
}

static size_t loss_scratch(const rw_op *op) {
    (void)op;
    return ROWS * (VOCABULARY * sizeof(float) + sizeof(loss_row));
}

/* Takes in the logits of tokens [first, first + width), which it overwrites. */
static void take_logits(const rw_cpu_isa *isa, loss_row *row, float *logits, size_t first,
                        size_t width, int32_t target) {
    if (target >= 0 && (size_t)target >= first && (size_t)target < first + width)
        row->wanted = logits[(size_t)target - first];
    float max = isa->row_max(logits, width);
    if (max > row->max) {
        size_t i = 0;
        while (logits[i] != max)
            i++;
        row->best = (int32_t)(first + i);
        row->sum *= exp((double)row->max - max);
        row->max = max;
    }
    row->sum += isa->exp_sum(logits, width, row->max);
}

static void loss_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    const rw_op_loss *o = &op->u.loss;
    loss_row *state = scratch;               /* [ROWS] */
    float *logits = (float *)(state + ROWS); /* [ROWS][VOCABULARY] */
    size_t row = tile * ROWS, rows = rw_min_size(ROWS, o->x.shape[0] - row);
    for (size_t i = 0; i < rows; i++)
        state[i] = (loss_row){.wanted = NAN, .max = -INFINITY};
    for (size_t first = 0; first < o->linear->rows; first += VOCABULARY) {
        size_t count = rw_min_size(VOCABULARY, o->linear->rows - first);
        size_t width = round_up(count, RW_CPU_LANES);
        times_weights(isa, o->linear, rw_f32(&o->x, row, 0), o->x.stride[0], rows, first, count,
                      logits, VOCABULARY);
        for (size_t i = 0; i < rows; i++) {
            if (o->softcap > 0.0f)
                cap_row(logits + i * VOCABULARY, count, o->softcap);
            for (size_t j = count; j < width; j++)
                logits[i * VOCABULARY + j] = -INFINITY;
            int32_t target = o->target.buffer ? *rw_i32(&o->target, row + i) : -1;
            take_logits(isa, &state[i], logits + i * VOCABULARY, first, width, target);
        }
    }
    for (size_t i = 0; i < rows; i++) {
        if (o->nll.buffer)
            *rw_f64(&o->nll, row + i) = state[i].max + log(state[i].sum) - state[i].wanted;
        if (o->argmax.buffer)
            *rw_i32(&o->argmax, row + i) = state[i].best;
    }
}

void rw_cpu_tiled(rw_cpu_kernels *kernels, const rw_cpu_isa *isa) {
    kernels->isa = isa;
    kernels->panel = isa->panel;
    kernels->of[RW_OP_LINEAR] = (rw_cpu_kernel){linear_tiles, linear_scratch, linear_run};
    kernels->of[RW_OP_ATTENTION] =
        (rw_cpu_kernel){attention_tiles, attention_scratch, attention_run};
    kernels->of[RW_OP_GATE] = (rw_cpu_kernel){gate_tiles, NULL, gate_run};
    kernels->of[RW_OP_LOSS] = (rw_cpu_kernel){loss_tiles, loss_scratch, loss_run};
}
