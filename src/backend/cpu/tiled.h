/*
 * tiled.h - what the tiled kernels share.
 *
 * Tile sizes are chosen so that one thread's tiles stay in its second-level cache; they are
 * constants, so results do not depend on the thread count.
 */
#ifndef RW_BACKEND_CPU_TILED_H
#define RW_BACKEND_CPU_TILED_H

#include "backend/cpu/cpu.h"

extern const rw_cpu_kernel rw_cpu_tiled_linear, rw_cpu_tiled_attention, rw_cpu_tiled_gate,
    rw_cpu_tiled_loss, rw_cpu_tiled_embed, rw_cpu_tiled_store, rw_cpu_tiled_rotate,
    rw_cpu_tiled_rms_norm, rw_cpu_tiled_add;

static inline size_t rw_round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

#endif
