/*
 * attention.c - softmax(q k^T) v for many queries: tiles of query rows, the heads of a group
 * together, over tiles of keys. The result of a row does not depend on the rows beside it, nor on
 * how a prompt was cut into chunks: tiles of keys begin at multiples of KEYS, and keys that a row
 * does not see leave its sums as they are.
 */
#include "backend/cpu/attention.h"

#include <float.h>
#include <string.h>

#include "backend/cpu/tiled.h"

enum {
    ROWS = 192, /* query rows of a tile: whole panels; widening a key's numbers costs 1 / ROWS */
    KEYS = 96   /* keys of a tile: scores and values of a panel stay in the first-level cache */
};

/* A tile: the query heads that share a KV head, for some positions. Row i * group + h is position
   i, head h of the group. */
typedef struct attention_tile {
    const rw_cpu_isa *isa;
    const rw_op_attention *a;
    size_t kv_head, group;
    size_t first, positions;    /* rows of the operation's q */
    size_t rows;                /* positions * group */
    size_t panel;               /* rows of a panel */
    size_t qk_dim, v_width;     /* v_width: whole blocks */
    float *q;                   /* panels [qk_dim][width]  */
    float *o;                   /* panels [v_width][width] */
    float *max, *sum;           /* [rows] */
    float *scores, *scores_sum; /* [KEYS][panel], [panel] */
    float *k;                   /* [KEYS + a block][qk_dim] */
    float *v;                   /* [KEYS][v_width] */
} attention_tile;

static size_t group_of(const rw_op_attention *a) {
    return a->q.shape[1] / a->k.shape[1];
}

static size_t positions_of(const rw_op_attention *a) {
    size_t positions = ROWS / group_of(a);
    return positions ? positions : 1;
}

static size_t rows_of(const rw_op_attention *a) {
    return rw_round_up(positions_of(a) * group_of(a), RW_PANEL_MAX);
}

static size_t attention_scratch(const rw_op *op) {
    const rw_op_attention *a = &op->u.attention;
    if (rw_is_decode(a))
        return rw_decode_scratch(a);
    size_t qk = a->q.shape[2], v = rw_round_up(a->v.shape[2], RW_KEY_BLOCK);
    size_t floats = rows_of(a) * (qk + v + 2) + (KEYS + 1) * RW_PANEL_MAX + KEYS * v +
                    (KEYS + RW_KEY_BLOCK) * qk;
    return floats * sizeof(float);
}

/* Longest first (the last positions see the most keys), so that threads end together. */
static attention_tile open_tile(const rw_cpu_isa *isa, const rw_op_attention *a, size_t tile,
                                float *scratch) {
    size_t step = positions_of(a), kv = a->k.shape[1], rows = rows_of(a);
    size_t tiles = rw_tiles_of(a->q.shape[0], step);
    attention_tile t = {.isa = isa, .a = a, .kv_head = tile % kv, .group = group_of(a)};
    t.first = (tiles - 1 - tile / kv) * step;
    t.positions = rw_min_size(step, a->q.shape[0] - t.first);
    t.rows = t.positions * t.group;
    t.panel = RW_PANEL_VECTORS * isa->attention->lanes;
    t.qk_dim = a->q.shape[2];
    t.v_width = rw_round_up(a->v.shape[2], RW_KEY_BLOCK);
    t.scores = scratch;
    t.scores_sum = t.scores + KEYS * RW_PANEL_MAX;
    t.k = t.scores_sum + RW_PANEL_MAX;
    t.v = t.k + (KEYS + RW_KEY_BLOCK) * t.qk_dim;
    t.o = t.v + KEYS * t.v_width;
    t.q = t.o + rows * t.v_width;
    t.max = t.q + rows * t.qk_dim;
    t.sum = t.max + rows;
    return t;
}

static size_t panel_rows(const attention_tile *t, size_t row) {
    return rw_min_size(t->panel, t->rows - row);
}

static rw_panel panel_at(const attention_tile *t, size_t row) {
    return (rw_panel){.width = rw_round_up(panel_rows(t, row), t->isa->attention->lanes),
                      .qk_dim = t->qk_dim,
                      .v_dim = t->v_width,
                      .q = t->q + row * t->qk_dim,
                      .scores = t->scores,
                      .o = t->o + row * t->v_width,
                      .max = t->max + row,
                      .sum = t->sum + row,
                      .tile_sum = t->scores_sum};
}

/* ---- queries --------------------------------------------------------------------------------- */

static float *row_of(const attention_tile *t, const rw_view *view, size_t row) {
    return rw_f32(view, t->first + row / t->group, t->kv_head * t->group + row % t->group);
}

/* Rows [row, row + RW_TURNED) of q or out; beyond the last row, that one. */
static void rows_at(const attention_tile *t, const rw_view *view, size_t row, float **rows) {
    for (size_t i = 0; i < RW_TURNED; i++)
        rows[i] = row_of(t, view, rw_min_size(row + i, t->rows - 1));
}

static void load_panel(const attention_tile *t, size_t row) {
    rw_panel panel = panel_at(t, row);
    float *rows[RW_TURNED], *to = t->q + row * t->qk_dim;
    for (size_t i = 0; i < panel.width; i++) {
        panel.max[i] = -FLT_MAX; /* -inf - -inf would be NaN */
        panel.sum[i] = 0.0f;
    }
    for (size_t i = 0; i < panel.width; i += RW_TURNED) {
        rows_at(t, &t->a->q, row + i, rows);
        t->isa->attention->turn(rows, t->qk_dim, rw_query_scale(t->a), to + i, panel.width);
    }
    memset(panel.o, 0, t->v_width * panel.width * sizeof *panel.o);
}

static void close_panel(const attention_tile *t, size_t row) {
    rw_panel panel = panel_at(t, row);
    float *rows[RW_TURNED], scale[RW_TURNED];
    for (size_t i = 0; i < panel_rows(t, row); i += RW_TURNED) {
        rows_at(t, &t->a->out, row + i, rows);
        for (size_t j = 0; j < RW_TURNED; j++)
            scale[j] = rw_inverse(panel.sum[i + j]);
        t->isa->attention->turn_back(panel.o + i, panel.width, scale, rows, t->a->v.shape[2]);
    }
    for (size_t i = 0; t->a->lse.buffer && i < panel_rows(t, row); i++) {
        size_t head = t->kv_head * t->group + (row + i) % t->group;
        rw_f32(&t->a->lse, t->first + (row + i) / t->group, 0)[head] =
            rw_lse(panel.max[i], panel.sum[i]);
    }
}

/* ---- a panel against a tile of keys ---------------------------------------------------------- */

typedef struct span {
    size_t begin, end;
} span;

/* Keys that any of the rows [row, row + rows) sees (the first row sees the earliest, the last one
   the latest), and those that all of them see. */
static span seen_by_any(const attention_tile *t, size_t row, size_t rows) {
    span s;
    size_t unused;
    rw_seen_keys(t->a, t->first + row / t->group, &s.begin, &unused);
    rw_seen_keys(t->a, t->first + (row + rows - 1) / t->group, &unused, &s.end);
    return s;
}

static span seen_by_all(const attention_tile *t, size_t row, size_t rows) {
    span s;
    size_t unused;
    rw_seen_keys(t->a, t->first + (row + rows - 1) / t->group, &s.begin, &unused);
    rw_seen_keys(t->a, t->first + row / t->group, &unused, &s.end);
    return s;
}

/* A panel and a tile of keys: the tile's first key, and those that the panel looks at, counted from
   there: [begin, end) in whole blocks, [begin, whole) seen by all rows. */
typedef struct meeting {
    size_t row, first;
    size_t begin, whole, end;
    size_t keys; /* of the tile, that any row sees */
} meeting;

/* Blocks begin at multiples of RW_KEY_BLOCK, so that a row's sums do not depend on what the rows
   beside it see. */
static meeting meet(const attention_tile *t, size_t row, size_t first, size_t count) {
    size_t rows = panel_rows(t, row), last = first + count;
    span any = seen_by_any(t, row, rows), all = seen_by_all(t, row, rows);
    meeting m = {.row = row, .first = first};
    m.keys = rw_min_size(any.end, last) > first ? rw_min_size(any.end, last) - first : 0;
    m.end = rw_round_up(m.keys, RW_KEY_BLOCK);
    m.begin = any.begin > first ? (any.begin - first) / RW_KEY_BLOCK * RW_KEY_BLOCK : 0;
    m.whole = m.begin;
    if (all.begin <= first + m.begin && all.end > first + m.begin)
        m.whole = (rw_min_size(all.end, last) - first) / RW_KEY_BLOCK * RW_KEY_BLOCK;
    return m;
}

/* -inf where a row does not see a key of [key, m->end). */
static void hide_unseen(const attention_tile *t, const rw_panel *panel, const meeting *m,
                        size_t key) {
    int32_t from[RW_PANEL_MAX] = {0}, to[RW_PANEL_MAX] = {0};
    for (size_t i = 0; i < panel_rows(t, m->row); i++) {
        span seen = seen_by_any(t, m->row + i, 1);
        from[i] = (int32_t)(seen.begin > m->first ? rw_min_size(seen.begin - m->first, m->end) : 0);
        to[i] = (int32_t)(seen.end > m->first ? rw_min_size(seen.end - m->first, m->keys) : 0);
    }
    t->isa->attention->hide(panel, key, m->end, from, to);
}

static void attend(const attention_tile *t, size_t row, size_t first, size_t count) {
    const rw_cpu_attention *isa = t->isa->attention;
    meeting m = meet(t, row, first, count);
    if (m.begin >= m.keys)
        return;
    rw_panel panel = panel_at(t, row);
    size_t key = m.begin;
    memset(panel.tile_sum, 0, panel.width * sizeof *panel.tile_sum);
    if (m.whole > key && t->a->softcap <= 0.0f) {
        isa->weigh(&panel, t->k, key, m.whole);
        key = m.whole;
    }
    if (key < m.end) {
        isa->score(&panel, t->k, key, m.end);
        rw_cap_scores(t->isa, t->a, panel.scores + key * panel.width,
                      rw_round_up((m.end - key) * panel.width, RW_CPU_LANES));
        hide_unseen(t, &panel, &m, key);
        isa->soften(&panel, key, m.end);
    }
    panel.scores += m.begin * panel.width;
    isa->gather(&panel, t->v + m.begin * t->v_width, m.keys - m.begin);
}

/* Asks for part `part` of `parts` of the keys [begin, end): they are wanted after this tile, and
   lie too far apart for the processor to see them coming. */
static void fetch(const attention_tile *t, const rw_view *view, span keys, size_t part,
                  size_t parts) {
    size_t count = keys.end > keys.begin ? keys.end - keys.begin : 0;
    size_t first = count * part / parts, end = count * (part + 1) / parts;
    rw_packed_rows rows = rw_rows_of(view, t->kv_head, keys.begin + first, end - first);
    size_t bytes = rw_element_bytes(view->element, rows.n);
    for (size_t i = 0; i < rows.rows; i++)
        for (size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(rows.first + i * rows.apart + at, 0, 2);
}

static void run_tile(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch) {
    attention_tile t = open_tile(isa, &op->u.attention, tile, scratch);
    span seen = seen_by_any(&t, 0, t.rows);
    size_t panels = rw_tiles_of(t.rows, t.panel);
    for (size_t row = 0; row < t.rows; row += t.panel)
        load_panel(&t, row);
    seen.begin -= seen.begin % RW_KEY_BLOCK;
    for (size_t key = seen.begin / KEYS * KEYS; key < seen.end; key += KEYS) {
        size_t begin = key > seen.begin ? key : seen.begin, end = rw_min_size(key + KEYS, seen.end);
        span next = {end, rw_min_size(end + KEYS, seen.end)};
        rw_load_keys(isa->rows, t.a, t.kv_head, begin, end - begin, t.k, t.qk_dim);
        rw_load_values(isa->rows, t.a, t.kv_head, begin, end - begin, t.v, t.v_width);
        for (size_t row = 0; row < t.rows; row += t.panel) {
            fetch(&t, &t.a->k, next, row / t.panel, panels);
            fetch(&t, &t.a->v, next, row / t.panel, panels);
            attend(&t, row, begin, end - begin);
        }
    }
    for (size_t row = 0; row < t.rows; row += t.panel)
        close_panel(&t, row);
}

/* ---- the kernel: few queries take two rounds, many one ----------------------------------------
 */

static size_t first_tiles(const rw_op *op) {
    const rw_op_attention *a = &op->u.attention;
    return rw_is_decode(a) ? rw_decode_ranges.tiles(op)
                           : rw_tiles_of(a->q.shape[0], positions_of(a)) * a->k.shape[1];
}

static void first_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                      void *shared) {
    if (rw_is_decode(&op->u.attention))
        rw_decode_ranges.run(isa, op, tile, scratch, shared);
    else
        run_tile(isa, op, tile, scratch);
}

static size_t second_tiles(const rw_op *op) {
    return rw_is_decode(&op->u.attention) ? rw_decode_merge.tiles(op) : 0;
}

static void second_run(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch,
                       void *shared) {
    rw_decode_merge.run(isa, op, tile, scratch, shared);
}

static size_t attention_shared(const rw_op *op) {
    return rw_is_decode(&op->u.attention) ? rw_decode_shared(&op->u.attention) : 0;
}

const rw_cpu_kernel rw_cpu_tiled_attention = {
    .scratch = attention_scratch,
    .shared = attention_shared,
    .rounds = {{first_tiles, first_run}, {second_tiles, second_run}}};
