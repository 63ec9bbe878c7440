/*
 * gate.c - the feed-forward's gate.
 */
#include <string.h>

#include "backend/cpu/tiled.h"

enum { GATE_ROWS = 8 };

static size_t gate_tiles(const rw_op *op) {
    return rw_tiles_of(op->u.gate.out.shape[0], GATE_ROWS);
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
        isa->gate(o->kind, gate, up, out, whole);
        if (rest == 0)
            continue;
        memcpy(tail[0], gate + whole, rest);
        memcpy(tail[1], up + whole, rest);
        isa->gate(o->kind, tail[0], tail[1], tail[0], RW_CPU_LANES);
        memcpy(out + whole, tail[0], rest);
    }
}

const rw_cpu_kernel rw_cpu_tiled_gate = {.tiles = gate_tiles, .run = gate_run};
