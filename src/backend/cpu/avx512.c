/*
 * avx512.c - what AVX-512 adds to the kernels.
 */
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx512.h"

#include "backend/cpu/unary_loops.inc"

/* With instructions for int8 (VNNI), which came later. */
static const rw_cpu_isa avx512_vnni = {.weights = &rw_cpu_avx512_vnni_weights,
                                       .rows = &rw_avx2_rows,
                                       .attention = &rw_avx512_attention,
                                       .row_max = row_max,
                                       .exp_sum = exp_sum,
                                       .cap = cap,
                                       .gate = gate};

static const rw_cpu_isa avx512 = {.weights = &rw_cpu_avx512_weights,
                                  .rows = &rw_avx2_rows,
                                  .attention = &rw_avx512_attention,
                                  .row_max = row_max,
                                  .exp_sum = exp_sum,
                                  .cap = cap,
                                  .gate = gate};

void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    rw_cpu_tiled(kernels, __builtin_cpu_supports("avx512vnni") ? &avx512_vnni : &avx512);
}

#else

void rw_cpu_avx512(rw_cpu_kernels *kernels) {
    (void)kernels;
}

#endif
