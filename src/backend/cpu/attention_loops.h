/*
 * attention_loops.h - attention.h's loops in terms of vector_*.h, for one instruction set after the
 * other: the vectors are included first.
 */
#ifndef RW_BACKEND_CPU_ATTENTION_LOOPS_H
#define RW_BACKEND_CPU_ATTENTION_LOOPS_H

#include "backend/cpu/attention.h"

/* ---- panels ---------------------------------------------------------------------------------- */

/* A row of a panel: `vectors` is a constant wherever it is passed, the rest vanishes. */
typedef struct triple {
    vec v[RW_PANEL_VECTORS];
} triple;

INLINE triple load_row(const size_t vectors, const float *p) {
    triple t = {{v_load(p), vectors > 1 ? v_load(p + LANES) : v_zero(),
                 vectors > 2 ? v_load(p + 2 * LANES) : v_zero()}};
    return t;
}

INLINE void store_row(const size_t vectors, float *p, triple t) {
    v_store(p, t.v[0]);
    if (vectors > 1)
        v_store(p + LANES, t.v[1]);
    if (vectors > 2)
        v_store(p + 2 * LANES, t.v[2]);
}

/* Sums over a tile of keys are added to those so far: two short chains lose less than a long one.
 */
INLINE void finish(const size_t vectors, float *p, triple t, const bool accumulate) {
    triple before = load_row(vectors, p);
    for (size_t i = 0; accumulate && i < vectors; i++)
        t.v[i] = v_add(before.v[i], t.v[i]);
    store_row(vectors, p, t);
}

INLINE triple multiply_add(const size_t vectors, const float *a, triple b, triple sum) {
    vec x = v_all(*a);
    sum.v[0] = v_fma(x, b.v[0], sum.v[0]);
    if (vectors > 1)
        sum.v[1] = v_fma(x, b.v[1], sum.v[1]);
    if (vectors > 2)
        sum.v[2] = v_fma(x, b.v[2], sum.v[2]);
    return sum;
}

/* c[RW_KEY_BLOCK or half of it][width] (+)= a b; a's element (i, p) stands at a[i * row + p *
   step], b is [k][width]. All of c's block stays in registers. */
INLINE void block(const size_t vectors, size_t k, const float *a, size_t row, size_t step,
                  const float *b, float *c, const bool accumulate) {
    const size_t w = vectors * LANES;
    const bool tall = BLOCK_ROWS > 4;
    triple s0 = {{v_zero(), v_zero(), v_zero()}}, s1 = s0, s2 = s0, s3 = s0;
    triple s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    for (size_t p = 0; p < k; p++, a += step, b += w) {
        triple y = load_row(vectors, b);
        s0 = multiply_add(vectors, a, y, s0);
        s1 = multiply_add(vectors, a + row, y, s1);
        s2 = multiply_add(vectors, a + 2 * row, y, s2);
        s3 = multiply_add(vectors, a + 3 * row, y, s3);
        if (tall) {
            s4 = multiply_add(vectors, a + 4 * row, y, s4);
            s5 = multiply_add(vectors, a + 5 * row, y, s5);
            s6 = multiply_add(vectors, a + 6 * row, y, s6);
            s7 = multiply_add(vectors, a + 7 * row, y, s7);
        }
    }
    finish(vectors, c, s0, accumulate), finish(vectors, c + w, s1, accumulate);
    finish(vectors, c + 2 * w, s2, accumulate), finish(vectors, c + 3 * w, s3, accumulate);
    if (tall) {
        finish(vectors, c + 4 * w, s4, accumulate), finish(vectors, c + 5 * w, s5, accumulate);
        finish(vectors, c + 6 * w, s6, accumulate), finish(vectors, c + 7 * w, s7, accumulate);
    }
}

INLINE void score_keys(const size_t vectors, const rw_panel *p, const float *k, size_t keys) {
    for (size_t j = 0; j < keys; j += BLOCK_ROWS)
        block(vectors, p->qk_dim, k + j * p->qk_dim, p->qk_dim, 1, p->q,
              p->scores + j * vectors * LANES, false);
}

TARGET static void score(const rw_panel *panel, const float *k, size_t keys) {
    if (panel->width == 3 * LANES)
        score_keys(3, panel, k, keys);
    else if (panel->width == 2 * LANES)
        score_keys(2, panel, k, keys);
    else
        score_keys(1, panel, k, keys);
}

INLINE void gather_keys(const size_t vectors, const rw_panel *p, const float *v, size_t keys) {
    for (size_t d = 0; d < p->v_dim; d += BLOCK_ROWS)
        block(vectors, keys, v + d, 1, p->v_dim, p->scores, p->o + d * vectors * LANES, true);
}

TARGET static void gather(const rw_panel *panel, const float *v, size_t keys) {
    if (panel->width == 3 * LANES)
        gather_keys(3, panel, v, keys);
    else if (panel->width == 2 * LANES)
        gather_keys(2, panel, v, keys);
    else
        gather_keys(1, panel, v, keys);
}

/* ---- softmax --------------------------------------------------------------------------------- */

TARGET static void hide(const rw_panel *panel, size_t keys, const int32_t *from,
                        const int32_t *to) {
    for (size_t j = 0; j < keys; j++)
        for (size_t i = 0; i < panel->width; i += LANES) {
            float *x = panel->scores + j * panel->width + i;
            v_store(x, v_seen(v_load(x), (int32_t)j, from + i, to + i));
        }
}

INLINE triple column_max(const size_t vectors, const rw_panel *p, size_t keys) {
    vec none = v_all(-__builtin_inff());
    triple max = {{none, none, none}};
    for (size_t j = 0; j < keys; j++) {
        triple x = load_row(vectors, p->scores + j * vectors * LANES);
        for (size_t i = 0; i < vectors; i++)
            max.v[i] = v_max(x.v[i], max.v[i]);
    }
    return max;
}

/* Moves one vector of rows to the maximum `seen` in the lanes where it is more than 8 above the
   one they have: weights stay below 2^8, and most tiles need no rescaling. */
TARGET static void raise_max(const rw_panel *p, size_t lane, vec seen) {
    vec old = v_load(p->max + lane);
    vec max = v_where_above(seen, v_add(old, v_all(8.0f)), seen, old);
    vec shrink = v_where_above(max, old, v_exp2(v_sub(old, max)), v_all(1.0f));
    v_store(p->max + lane, max);
    v_store(p->sum + lane, v_mul(v_load(p->sum + lane), shrink));
    for (size_t d = 0; d < p->v_dim; d++) {
        float *o = p->o + d * p->width + lane;
        v_store(o, v_mul(v_load(o), shrink));
    }
}

INLINE void soften_keys(const size_t vectors, const rw_panel *p, size_t keys) {
    triple max = column_max(vectors, p, keys), sum = {{v_zero(), v_zero(), v_zero()}}, base = sum;
    for (size_t i = 0; i < vectors; i++) {
        if (v_any_above(max.v[i], v_add(v_load(p->max + i * LANES), v_all(8.0f))))
            raise_max(p, i * LANES, max.v[i]);
        /* rows that have seen nothing yet: -inf - -inf would be NaN */
        base.v[i] = v_max(v_load(p->max + i * LANES), v_all(-__FLT_MAX__));
    }
    for (size_t j = 0; j < keys; j++) {
        triple x = load_row(vectors, p->scores + j * vectors * LANES);
        for (size_t i = 0; i < vectors; i++) {
            x.v[i] = v_exp2(v_sub(x.v[i], base.v[i]));
            sum.v[i] = v_add(sum.v[i], x.v[i]);
        }
        store_row(vectors, p->scores + j * vectors * LANES, x);
    }
    finish(vectors, p->sum, sum, true);
}

TARGET static void soften(const rw_panel *panel, size_t keys) {
    if (panel->width == 3 * LANES)
        soften_keys(3, panel, keys);
    else if (panel->width == 2 * LANES)
        soften_keys(2, panel, keys);
    else
        soften_keys(1, panel, keys);
}

/* ---- quads ----------------------------------------------------------------------------------- */

/* One vector for each row of a quad; `rows` is a constant wherever it is passed. */
typedef struct four {
    vec row[4];
} four;

INLINE four no_sums(void) {
    four zero = {{v_zero(), v_zero(), v_zero(), v_zero()}};
    return zero;
}

/* What the numbers of a packed row around element `i` are multiplied by; else nothing. */
INLINE vec scale_of(const rw_element element, const char *row, size_t i) {
    return element == RW_ELEMENT_Q8_0 ? v_all_f16(row + i / RW_Q8_0_ELEMENTS * RW_Q8_0_BYTES)
                                      : v_zero();
}

/* LANES elements of a packed row from element `i`. */
INLINE vec load_packed(const rw_element element, const char *row, size_t i, vec scale) {
    if (element == RW_ELEMENT_F16)
        return v_load_f16(row + 2 * i);
    if (element == RW_ELEMENT_BF16)
        return v_load_bf16(row + 2 * i);
    if (element == RW_ELEMENT_F32)
        return v_load((const float *)(const void *)row + i);
    const char *block = row + i / RW_Q8_0_ELEMENTS * RW_Q8_0_BYTES;
    return v_mul(scale, v_load_i8(block + 2 + i % RW_Q8_0_ELEMENTS));
}

/* sums += q's rows times a key's numbers */
INLINE four add_products(const size_t rows, const float *q, size_t stride, vec key, four sums) {
    sums.row[0] = v_fma(v_load(q), key, sums.row[0]);
    if (rows > 1)
        sums.row[1] = v_fma(v_load(q + stride), key, sums.row[1]);
    if (rows > 2)
        sums.row[2] = v_fma(v_load(q + 2 * stride), key, sums.row[2]);
    if (rows > 3)
        sums.row[3] = v_fma(v_load(q + 3 * stride), key, sums.row[3]);
    return sums;
}

/* The same for a block of the cache's elements. */
INLINE four add_block(const rw_element element, const size_t rows, const float *q, size_t stride,
                      const char *key, size_t d, four sums) {
    vec scale = scale_of(element, key, d);
    for (size_t i = 0; i < RW_Q8_0_ELEMENTS; i += LANES)
        sums = add_products(rows, q + d + i, stride, load_packed(element, key, d + i, scale), sums);
    return sums;
}

INLINE vec sum_rows(four s) {
    return v_four_sums(s.row[0], s.row[1], s.row[2], s.row[3]);
}

/* Asks for a row that will be wanted soon: heads alternate in memory, which the processor's own
   prefetchers make little of. */
INLINE void fetch(const rw_packed_rows *rows, size_t row) {
    const char *at = rows->first + row * rows->apart + rows->ahead;
    for (size_t i = 0; i < rows->fetch; i += 64)
        _mm_prefetch(at + i, _MM_HINT_T1);
}

/* FEW_KEYS keys at a time; those beyond the last repeat it, and their scores are not looked at. */
INLINE void score_quad(const rw_element element, const size_t rows, const rw_quad *quad,
                       const rw_packed_rows *k) {
    for (size_t j = 0; j < k->rows; j += FEW_KEYS) {
        const char *k0 = k->first + j * k->apart, *last = k->first + (k->rows - 1) * k->apart;
        const char *k1 = j + 1 < k->rows ? k0 + k->apart : last;
        const char *k2 = j + 2 < k->rows ? k1 + k->apart : last;
        const char *k3 = j + 3 < k->rows ? k2 + k->apart : last;
        four s0 = no_sums(), s1 = s0, s2 = s0, s3 = s0;
        for (size_t i = 0; i < FEW_KEYS; i++)
            fetch(k, j + i);
        for (size_t d = 0; d < quad->qk_dim; d += RW_Q8_0_ELEMENTS) {
            s0 = add_block(element, rows, quad->q, quad->qk_dim, k0, d, s0);
            s1 = add_block(element, rows, quad->q, quad->qk_dim, k1, d, s1);
            if (FEW_KEYS > 2) {
                s2 = add_block(element, rows, quad->q, quad->qk_dim, k2, d, s2);
                s3 = add_block(element, rows, quad->q, quad->qk_dim, k3, d, s3);
            }
        }
        v_store(quad->scores + j * 4,
                v_end_sums(sum_rows(s0), sum_rows(s1), sum_rows(s2), sum_rows(s3)));
    }
}

INLINE void score_quad_of(const rw_element element, const rw_quad *quad, const rw_packed_rows *k) {
    if (quad->rows == 4)
        score_quad(element, 4, quad, k);
    else if (quad->rows == 3)
        score_quad(element, 3, quad, k);
    else if (quad->rows == 2)
        score_quad(element, 2, quad, k);
    else
        score_quad(element, 1, quad, k);
}

TARGET static void quad_score(const rw_quad *quad, const rw_packed_rows *k) {
    if (k->element == RW_ELEMENT_F16)
        score_quad_of(RW_ELEMENT_F16, quad, k);
    else if (k->element == RW_ELEMENT_BF16)
        score_quad_of(RW_ELEMENT_BF16, quad, k);
    else if (k->element == RW_ELEMENT_Q8_0)
        score_quad_of(RW_ELEMENT_Q8_0, quad, k);
    else
        score_quad_of(RW_ELEMENT_F32, quad, k);
}

/* As raise_max, for rows instead of lanes. */
TARGET static void raise_quad(const rw_quad *quad, __m128 seen, __m128 old) {
    float shrink[LANES];
    __m128 above = _mm_cmpgt_ps(seen, _mm_add_ps(old, _mm_set1_ps(8.0f)));
    __m128 max = _mm_blendv_ps(old, seen, above);
    v_store(shrink, v_where_above(v_quads(max), v_quads(old), v_exp2(v_quads(_mm_sub_ps(old, max))),
                                  v_all(1.0f)));
    _mm_storeu_ps(quad->max, max);
    for (size_t r = 0; r < quad->rows; r++) {
        quad->sum[r] *= shrink[r];
        for (size_t d = 0; d < quad->v_dim; d += LANES) {
            float *o = quad->o + r * quad->v_dim + d;
            v_store(o, v_mul(v_load(o), v_all(shrink[r])));
        }
    }
}

TARGET static void quad_soften(const rw_quad *quad, size_t keys) {
    float *x = quad->scores;
    vec top = v_all(-__builtin_inff()), sum = v_zero();
    v_store(x + 4 * keys, top); /* what fills the last vector weighs nothing */
    for (size_t i = 0; i < 4 * keys; i += LANES)
        top = v_max(v_load(x + i), top);
    __m128 seen = v_max_quads(top), old = _mm_loadu_ps(quad->max);
    if (_mm_movemask_ps(_mm_cmpgt_ps(seen, _mm_add_ps(old, _mm_set1_ps(8.0f)))))
        raise_quad(quad, seen, old);
    vec base = v_max(v_quads(_mm_loadu_ps(quad->max)), v_all(-__FLT_MAX__));
    for (size_t i = 0; i < 4 * keys; i += LANES) {
        vec weight = v_exp2(v_sub(v_load(x + i), base));
        v_store(x + i, weight);
        sum = v_add(sum, weight);
    }
    _mm_storeu_ps(quad->sum, _mm_add_ps(_mm_loadu_ps(quad->sum), v_add_quads(sum)));
}

/* sums += a vector of values times each row's weight */
INLINE four add_weighted(const size_t rows, const float *weights, vec value, four sums) {
    sums.row[0] = v_fma(v_all(weights[0]), value, sums.row[0]);
    if (rows > 1)
        sums.row[1] = v_fma(v_all(weights[1]), value, sums.row[1]);
    if (rows > 2)
        sums.row[2] = v_fma(v_all(weights[2]), value, sums.row[2]);
    if (rows > 3)
        sums.row[3] = v_fma(v_all(weights[3]), value, sums.row[3]);
    return sums;
}

INLINE void add_to_rows(const size_t rows, float *o, size_t stride, four sums) {
    for (size_t r = 0; r < rows; r++)
        v_store(o + r * stride, v_add(v_load(o + r * stride), sums.row[r]));
}

/* Four vectors of dims at a time, or two where sixteen registers would not do. */
INLINE void gather_quad(const rw_element element, const size_t rows, const rw_quad *quad,
                        const rw_packed_rows *v) {
    const bool wide = rows < 4 || LANES > 8;
    const size_t stride = quad->v_dim;
    for (size_t d = 0; d < quad->v_dim; d += (wide ? 4 : 2) * LANES) {
        const char *row = v->first;
        four s0 = no_sums(), s1 = s0, s2 = s0, s3 = s0;
        for (size_t j = 0; j < v->rows; j++, row += v->apart) {
            const float *weights = quad->scores + 4 * j;
            if (d == 0)
                fetch(v, j);
            vec scale = scale_of(element, row, d); /* of the first two vectors at least */
            s0 = add_weighted(rows, weights, load_packed(element, row, d, scale), s0);
            s1 = add_weighted(rows, weights, load_packed(element, row, d + LANES, scale), s1);
            if (wide) {
                size_t e = d + 2 * LANES;
                scale = LANES > 8 ? scale_of(element, row, e) : scale;
                s2 = add_weighted(rows, weights, load_packed(element, row, e, scale), s2);
                s3 = add_weighted(rows, weights, load_packed(element, row, e + LANES, scale), s3);
            }
        }
        add_to_rows(rows, quad->o + d, stride, s0);
        add_to_rows(rows, quad->o + d + LANES, stride, s1);
        if (wide) {
            add_to_rows(rows, quad->o + d + 2 * LANES, stride, s2);
            add_to_rows(rows, quad->o + d + 3 * LANES, stride, s3);
        }
    }
}

INLINE void gather_quad_of(const rw_element element, const rw_quad *quad, const rw_packed_rows *v) {
    if (quad->rows == 4)
        gather_quad(element, 4, quad, v);
    else if (quad->rows == 3)
        gather_quad(element, 3, quad, v);
    else if (quad->rows == 2)
        gather_quad(element, 2, quad, v);
    else
        gather_quad(element, 1, quad, v);
}

TARGET static void quad_gather(const rw_quad *quad, const rw_packed_rows *v) {
    if (v->element == RW_ELEMENT_F16)
        gather_quad_of(RW_ELEMENT_F16, quad, v);
    else if (v->element == RW_ELEMENT_BF16)
        gather_quad_of(RW_ELEMENT_BF16, quad, v);
    else if (v->element == RW_ELEMENT_Q8_0)
        gather_quad_of(RW_ELEMENT_Q8_0, quad, v);
    else
        gather_quad_of(RW_ELEMENT_F32, quad, v);
}

#endif
