/*
 * avx2_attention.c - attention's loops for AVX2.
 */
#include "backend/cpu/attention.h"

#if defined(__x86_64__)

#include "backend/cpu/vector_avx2.h"

#include "backend/cpu/attention_loops.inc"

const rw_cpu_attention rw_avx2_attention = {.lanes = LANES,
                                            .turn = turn,
                                            .turn_back = turn_back,
                                            .score = score,
                                            .weigh = weigh,
                                            .hide = hide,
                                            .soften = soften,
                                            .gather = gather,
                                            .quad_score = quad_score,
                                            .quad_soften = quad_soften,
                                            .quad_gather = quad_gather};

#endif
