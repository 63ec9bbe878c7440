/*
 * unary_loops.h - functions of single numbers, over rows of whole RW_CPU_LANES, in terms of
 * vector_*.h, which is included first.
 */
#ifndef RW_BACKEND_CPU_UNARY_LOOPS_H
#define RW_BACKEND_CPU_UNARY_LOOPS_H

#include "backend/cpu/cpu.h"

/* ---- softmax of logits ----------------------------------------------------------------------- */

TARGET static float row_max(const float *x, size_t n) {
    vec max = v_load(x);
    for (size_t i = LANES; i < n; i += LANES)
        max = v_max(v_load(x + i), max);
    return v_max_lane(max);
}

TARGET static float exp_sum(float *x, size_t n, float max) {
    vec sum = v_zero();
    for (size_t i = 0; i < n; i += LANES) {
        vec y = v_exp(v_sub(v_load(x + i), v_all(max)));
        v_store(x + i, y);
        sum = v_add(sum, y);
    }
    return v_sum_lanes(sum);
}

/* ---- soft caps ------------------------------------------------------------------------------- */

/* tanh x is x + x^3 P(x^2) up to 0.625 (minimax, 4e-9) and 1 - 2 / (e^2x + 1) above, which keeps
   the digits of small numbers. */
INLINE vec tanh_of(vec x) {
    const vec one = v_all(1.0f);
    vec size = v_abs(x), square = v_mul(x, x);
    vec near = v_fma(v_all(-0x1.75e1c4p-8f), square, v_all(0x1.52269ap-6f));
    near = v_fma(near, square, v_all(-0x1.b83c5ap-5f));
    near = v_fma(near, square, v_all(0x1.110726p-3f));
    near = v_fma(near, square, v_all(-0x1.555532p-2f));
    near = v_fma(v_mul(near, square), size, size);
    vec far = v_add(v_exp(v_add(size, size)), one);
    far = v_sub(one, v_div(v_all(2.0f), far));
    return v_sign_of(x, v_where_above(size, v_all(0.625f), far, near));
}

TARGET static void cap(float *x, size_t n, float inner, float outer) {
    for (size_t i = 0; i < n; i += LANES)
        v_store(x + i, v_mul(v_all(outer), tanh_of(v_mul(v_load(x + i), v_all(inner)))));
}

/* ---- gates ----------------------------------------------------------------------------------- */

/* x / (1 + e^-t): silu with t = x, gelu with t = 2 sqrt(2 / pi) (x + 0.044715 x^3) */
INLINE vec activate(vec x, vec t) {
    return v_div(x, v_add(v_all(1.0f), v_exp(v_sub(v_zero(), t))));
}

INLINE vec gelu_argument(vec x) {
    const vec twice_root = v_all(1.5957691216057307f);
    return v_mul(v_mul(x, twice_root), v_fma(v_all(0.044715f), v_mul(x, x), v_all(1.0f)));
}

TARGET static void gate(rw_gate_kind kind, const float *g, const float *up, float *out, size_t n) {
    for (size_t i = 0; i < n; i += LANES) {
        vec x = v_load(g + i), t = kind == RW_GATE_GELU_TANH ? gelu_argument(x) : x;
        v_store(out + i, v_mul(activate(x, t), v_load(up + i)));
    }
}

#endif
