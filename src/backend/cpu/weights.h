/*
 * weights.h - products with packed weights: what an instruction set adds, and how the work is cut.
 *
 * Many rows of x: a piece of W, OUTPUTS rows by DEPTH columns, is widened and turned into panels
 * (columns side by side) in the thread's scratch, where up to ROWS rows of x sweep over it: packing
 * costs a few percent of the products, and W is read once. Few rows: dot products with W's rows as
 * they lie. Everything is cut by shape alone, so that results don't depend on the thread count.
 */
#ifndef RW_BACKEND_CPU_WEIGHTS_H
#define RW_BACKEND_CPU_WEIGHTS_H

#include "backend/cpu/cpu.h"

enum {
    RW_TILE_OUTPUTS = 32, /* whole panels */
    RW_TILE_DEPTH = 320,  /* at most; a panel of this stays in the L1 */
    RW_TILE_ROWS = 512,
    RW_FEW_ROWS = 8,
    RW_STAGE_ROWS = 16,                   /* rows of W turned at a time */
    RW_STAGE_STRIDE = RW_TILE_DEPTH + 16, /* not a power of two: those share cache sets */
    RW_FEW_DEPTH = 4096                   /* of a row of W, widened at a time; whole blocks */
};

/* c[rows][columns] = (accumulate ? c : 0) + a[rows][k] b[k][panel]; c is written in whole
   RW_CPU_LANES. Each element is one chain of fused multiply-adds over k. */
typedef struct rw_product {
    size_t rows, columns, k;
    const float *a;
    size_t lda;
    const float *b;
    float *c;
    size_t ldc;
    bool accumulate;
} rw_product;

/* As rw_widen. */
typedef void (*rw_widen_fn)(const void *packed, size_t count, float *out);

/* The product of `count` packed weights, whole blocks, with x; sums are float32, in a fixed order.
 */
typedef float (*rw_dot_fn)(const void *packed, size_t count, const float *x);

struct rw_cpu_weights {
    size_t panel;             /* divides RW_TILE_OUTPUTS; whole RW_CPU_LANES */
    const rw_widen_fn *widen; /* [RW_ELEMENT_COUNT] */
    /* to[j * panel + i] = from[i * RW_STAGE_STRIDE + j] for 16 rows i and `depth` columns j,
       rounded up to 16 */
    void (*turn)(const float *from, size_t depth, float *to, size_t panel);
    void (*multiply)(const rw_product *product);
    const rw_dot_fn *dot; /* [RW_ELEMENT_COUNT] */
};

extern const rw_cpu_weights rw_cpu_avx2_weights, rw_cpu_avx512_weights;
extern const rw_widen_fn rw_avx2_widen[RW_ELEMENT_COUNT];
extern const rw_dot_fn rw_avx2_dot[RW_ELEMENT_COUNT], rw_avx512_dot[RW_ELEMENT_COUNT];
float rw_dot_q4_0(const void *packed, size_t count, const float *x); /* AVX2 */
float rw_dot_q4_1(const void *packed, size_t count, const float *x);
float rw_dot_q5_0(const void *packed, size_t count, const float *x);
float rw_dot_q5_1(const void *packed, size_t count, const float *x);
float rw_dot_q4_k(const void *packed, size_t count, const float *x);
float rw_dot_q5_k(const void *packed, size_t count, const float *x);
float rw_dot_q6_k(const void *packed, size_t count, const float *x);

/* c [rows][count] = x [rows][columns] times outputs [first, first + count) of W; at most
   RW_TILE_ROWS by RW_TILE_OUTPUTS. c is written in whole RW_CPU_LANES. */
typedef struct rw_weights_tile {
    const rw_cpu_weights *isa;
    const rw_linear *linear;
    const float *x;
    size_t stride, rows;
    size_t first, count;
    float *c;
    size_t ldc;
    float *scratch; /* RW_WEIGHTS_SCRATCH floats, on a cache line */
} rw_weights_tile;

enum { RW_WEIGHTS_SCRATCH = RW_TILE_DEPTH * RW_TILE_OUTPUTS + RW_STAGE_ROWS * RW_STAGE_STRIDE };

void rw_times_weights(const rw_weights_tile *tile);

#endif
