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

/* tanh x is x + x^3 P(x^2) up to 0.625 (minimax, 4e-9) and 1 - 2 / (e^2x + 1) above, which keeps
   the digits of small scores; beyond 10 it is 1. */
TARGET static void cap(float *x, size_t n, float outer) {
    const vec twice_log2e = v_all(0x1.715476p+1f), one = v_all(1.0f);
    for (size_t i = 0; i < n; i += LANES) {
        vec y = v_load(x + i), size = v_abs(y), square = v_mul(y, y);
        vec near = v_fma(v_all(-0x1.75e1c4p-8f), square, v_all(0x1.52269ap-6f));
        near = v_fma(near, square, v_all(-0x1.b83c5ap-5f));
        near = v_fma(near, square, v_all(0x1.110726p-3f));
        near = v_fma(near, square, v_all(-0x1.555532p-2f));
        near = v_fma(v_mul(near, square), size, size);
        vec bounded = v_where_above(size, v_all(10.0f), v_all(10.0f), size);
        vec far = v_add(v_exp2(v_mul(bounded, twice_log2e)), one);
        far = v_sub(one, v_div(v_all(2.0f), far));
        y = v_sign_of(y, v_where_above(size, v_all(0.625f), far, near));
        v_store(x + i, v_mul(v_all(outer), y));
    }
}

#endif
