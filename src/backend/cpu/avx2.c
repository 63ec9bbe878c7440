/*
 * avx2.c - what AVX2, FMA and F16C add to the kernels.
 */
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/rows.h"
#include "backend/cpu/weights.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx2.h"

#include "backend/cpu/unary_loops.inc"

static const rw_cpu_isa avx2 = {.weights = &rw_cpu_avx2_weights,
                                .rows = &rw_avx2_rows,
                                .attention = &rw_avx2_attention,
                                .row_max = row_max,
                                .exp_sum = exp_sum,
                                .cap = cap,
                                .gate = gate};

void rw_cpu_avx2(rw_cpu_kernels *kernels) {
    rw_cpu_tiled(kernels, &avx2);
}

#else

void rw_cpu_avx2(rw_cpu_kernels *kernels) {
    (void)kernels;
}

#endif
