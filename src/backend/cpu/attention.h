/*
 * attention.h - what an instruction set adds for attention.
 *
 * Many queries: query rows lie side by side in panels of up to three vectors, keys and values as
 * rows of float32. Scores are then k q with k's numbers broadcast and results are v^T p with v's
 * broadcast: nothing but the queries and the results is ever turned, and the softmax, key by key
 * down the columns, needs no sums across lanes.
 *
 * Few queries: nothing is widened ahead. Each key and value is read once, in the form that the
 * cache has it in, for four query rows of its group at a time.
 */
#ifndef RW_BACKEND_CPU_ATTENTION_H
#define RW_BACKEND_CPU_ATTENTION_H

#include <math.h>

#include "backend/cpu/number.h"
#include "backend/cpu/rows.h"

enum {
    RW_PANEL_VECTORS = 3,
    RW_PANEL_MAX = 48, /* rows of a panel at most */
    RW_KEY_BLOCK = 8,  /* keys and dims are multiplied in whole blocks of this */
    RW_TURNED = 8,     /* rows that are turned into columns at once */
    RW_QUAD_DIMS = 64  /* four of the widest vectors */
};

/* Query rows side by side. Scores are in base 2: softmax weights are 2^(score - max). */
typedef struct rw_panel {
    size_t width;         /* whole vectors */
    size_t qk_dim, v_dim; /* v_dim: whole blocks */
    const float *q;       /* [qk_dim][width], scaled */
    float *scores;        /* [keys][width] */
    float *o;             /* [v_dim][width], times sum */
    float *max, *sum;     /* [width]; max is within 8 of the largest score so far */
    float *tile_sum;      /* [width]: of the weights in scores */
} rw_panel;

/* Up to four query rows against keys and values as they lie. Dims are whole RW_QUAD_DIMS. */
typedef struct rw_quad {
    size_t rows, qk_dim, v_dim;
    const float *q;   /* [rows][qk_dim], scaled */
    float *scores;    /* [keys][4], and room for 4 keys more */
    float *o;         /* [rows][v_dim], times sum */
    float *max, *sum; /* [4], as a panel's */
} rw_quad;

typedef struct rw_cpu_attention {
    size_t lanes;
    /* out[d][i] = rows[i][d] * scale; a row of out is `width` long */
    void (*turn)(float *const rows[RW_TURNED], size_t dims, float scale, float *out, size_t width);
    /* rows[i][d] = o[d][i] * scale[i], the last row first: one that stands again behind itself
       keeps the first */
    void (*turn_back)(const float *o, size_t width, const float scale[RW_TURNED],
                      float *const rows[RW_TURNED], size_t dims);
    /* Keys [key, end) of a tile, whole blocks; the tile's keys before them have weights already. */
    /* scores = k q for k [keys][qk_dim]; one chain of multiply-adds each */
    void (*score)(const rw_panel *panel, const float *k, size_t key, size_t end);
    /* -inf for key j, row i unless from[i] <= j < to[i] */
    void (*hide)(const rw_panel *panel, size_t key, size_t end, const int32_t *from,
                 const int32_t *to);
    /* Scores to weights; o, sum and the tile's weights are brought to a new max where it grew by
       more than 8. */
    void (*soften)(const rw_panel *panel, size_t key, size_t end);
    /* score and soften in one */
    void (*weigh)(const rw_panel *panel, const float *k, size_t key, size_t end);
    /* o += v^T weights for v [keys][v_dim]; sum += tile_sum */
    void (*gather)(const rw_panel *panel, const float *v, size_t keys);
    /* The same for a quad; k and v are of any element. */
    void (*quad_score)(const rw_quad *quad, const rw_packed_rows *k);
    void (*quad_soften)(const rw_quad *quad, size_t keys);
    void (*quad_gather)(const rw_quad *quad, const rw_packed_rows *v);
} rw_cpu_attention;

extern const rw_cpu_attention rw_avx2_attention, rw_avx512_attention;

/* Rows [row, row + rows) of a head. */
static inline rw_packed_rows rw_rows_of(const rw_view *view, size_t head, size_t row, size_t rows) {
    return (rw_packed_rows){.element = view->element,
                            .first = rw_row_of(view, row, head),
                            .apart = rw_element_bytes(view->element, view->stride[0]),
                            .rows = rows,
                            .n = view->shape[2]};
}

/* Keys as the product wants them: [rows][stride] of float32, turned if the cache holds raw keys. */
static inline void rw_load_keys(const rw_cpu_rows *isa, const rw_op_attention *a, size_t head,
                                size_t row, size_t rows, float *out, size_t stride) {
    rw_packed_rows packed = rw_rows_of(&a->k, head, row, rows);
    isa->widen(&packed, out, stride);
    for (size_t i = 0; a->k_cos.buffer && i < rows; i++)
        isa->rotate(out + i * stride, rw_f32(&a->k_cos, row + i, 0), rw_f32(&a->k_sin, row + i, 0),
                    a->k_cos.shape[2], a->interleaved);
}

static inline void rw_load_values(const rw_cpu_rows *isa, const rw_op_attention *a, size_t head,
                                  size_t row, size_t rows, float *out, size_t stride) {
    rw_packed_rows packed = rw_rows_of(&a->v, head, row, rows);
    isa->widen(&packed, out, stride);
}

/* Scores are in base 2; a soft cap is on the natural ones, and brings them there. */
static inline float rw_query_scale(const rw_op_attention *a) {
    const float log2e = 0x1.715476p+0f;
    return a->softcap > 0.0f ? a->scale : a->scale * log2e;
}

static inline void rw_cap_scores(const rw_cpu_isa *isa, const rw_op_attention *a, float *scores,
                                 size_t n) {
    const float log2e = 0x1.715476p+0f;
    if (a->softcap > 0.0f)
        isa->cap(scores, n, 1.0f / a->softcap, a->softcap * log2e);
}

/* ln of sum * 2^max */
static inline float rw_lse(float max, float sum) {
    const float ln2 = 0x1.62e43p-1f;
    return sum == 0.0f ? -INFINITY : max * ln2 + logf(sum);
}

/* What brings weighted sums of values to their mean. */
static inline float rw_inverse(float sum) {
    return sum > 0.0f ? 1.0f / sum : sum == 0.0f ? 0.0f : NAN;
}

/* ---- few queries (decode.c) ------------------------------------------------------------------ */

/* Are these so few queries that keys, not queries, are what threads share out? */
bool rw_is_decode(const rw_op_attention *a);
size_t rw_decode_scratch(const rw_op_attention *a);
size_t rw_decode_shared(const rw_op_attention *a);
extern const rw_cpu_round rw_decode_ranges, rw_decode_merge;

#endif
