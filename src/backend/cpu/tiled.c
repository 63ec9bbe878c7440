/*
 * tiled.c - the fast kernels in place of the reference's.
 */
#include "backend/cpu/tiled.h"

void rw_cpu_tiled(rw_cpu_kernels *kernels, const rw_cpu_isa *isa) {
    kernels->isa = isa;
    kernels->of[RW_OP_EMBED] = rw_cpu_tiled_embed;
    kernels->of[RW_OP_LINEAR] = rw_cpu_tiled_linear;
    kernels->of[RW_OP_STORE] = rw_cpu_tiled_store;
    kernels->of[RW_OP_ROTATE] = rw_cpu_tiled_rotate;
    kernels->of[RW_OP_RMS_NORM] = rw_cpu_tiled_rms_norm;
    kernels->of[RW_OP_ADD] = rw_cpu_tiled_add;
    kernels->of[RW_OP_ATTENTION] = rw_cpu_tiled_attention;
    kernels->of[RW_OP_GATE] = rw_cpu_tiled_gate;
    kernels->of[RW_OP_LOSS] = rw_cpu_tiled_loss;
}
