/*
 * gate.c - the feed-forward's gate.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/tiled.h"

void rw_cap_row(float *x, size_t n, float cap) {
    for (size_t i = 0; i < n; i++)
        x[i] = cap * tanhf(x[i] / cap);
}

enum { GATE_ROWS = 8 };

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

const rw_cpu_kernel rw_cpu_tiled_gate = {.tiles = gate_tiles, .run = gate_run};
