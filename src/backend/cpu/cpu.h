/*
 * cpu.h - what the files of the CPU backend share: kernels as tables of functions.
 *
 * A kernel cuts its work into tiles whose number and shape depend on the operation alone, never on
 * the thread count; one thread does a tile from start to end.
 */
#ifndef RW_BACKEND_CPU_CPU_H
#define RW_BACKEND_CPU_CPU_H

#include "backend/backend.h"

typedef struct rw_cpu_isa rw_cpu_isa;
typedef struct rw_cpu_weights rw_cpu_weights; /* weights.h */

/* Work in rounds: the next reads what the last one left in memory that all threads share. */
typedef struct rw_cpu_round {
    size_t (*tiles)(const rw_op *op);
    void (*run)(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch, void *shared);
} rw_cpu_round;

enum { RW_CPU_ROUNDS = 3 };

typedef struct rw_cpu_kernel {
    size_t (*tiles)(const rw_op *op);
    size_t (*scratch)(const rw_op *op); /* bytes for one thread; NULL: none */
    void (*run)(const rw_cpu_isa *isa, const rw_op *op, size_t tile, void *scratch);
    size_t (*shared)(const rw_op *op); /* bytes for all; NULL: none */
    bool near; /* tiles read memory that lies side by side: rw_parallel_near */
    rw_cpu_round rounds[RW_CPU_ROUNDS]; /* in place of `tiles` and `run` where those are NULL */
} rw_cpu_kernel;

/* What an instruction set adds: the inner loops. Counts `n` of the row functions are multiples of
   RW_CPU_LANES; exp is within 2 ulp, exp(-inf) = 0. */
enum { RW_CPU_LANES = 16 };

struct rw_cpu_isa {
    const struct rw_cpu_rows *rows;           /* rows.h */
    const struct rw_cpu_attention *attention; /* attention.h */
    const rw_cpu_weights *weights;            /* products with weights */
    float (*row_max)(const float *x, size_t n);
    /* x = exp(x - max); returns the sum */
    float (*exp_sum)(float *x, size_t n, float max);
    /* x = outer * tanh(inner * x) */
    void (*cap)(float *x, size_t n, float inner, float outer);
    void (*gate)(rw_gate_kind kind, const float *gate, const float *up, float *out, size_t n);
};

/* A level of the ladder: filled with the reference, then overwritten upward. */
typedef struct rw_cpu_kernels {
    const rw_cpu_isa *isa; /* handed to the kernels; the reference has none */
    rw_cpu_kernel of[RW_OP_COUNT];
} rw_cpu_kernels;

void rw_cpu_reference(rw_cpu_kernels *kernels);
/* The tiled kernels over `isa` (tiled.c) in place of the reference's. */
void rw_cpu_tiled(rw_cpu_kernels *kernels, const rw_cpu_isa *isa);
void rw_cpu_avx2(rw_cpu_kernels *kernels);   /* nothing on other processors */
void rw_cpu_avx512(rw_cpu_kernels *kernels); /* nothing on other processors */

/* First element of row `row`, head `head`. */
static inline float *rw_f32(const rw_view *view, size_t row, size_t head) {
    return (float *)(void *)((char *)view->buffer->handle + view->offset) + row * view->stride[0] +
           head * view->stride[1];
}

static inline int32_t *rw_i32(const rw_view *view, size_t row) {
    return (int32_t *)((char *)view->buffer->handle + view->offset) + row * view->stride[0];
}

static inline double *rw_f64(const rw_view *view, size_t row) {
    return (double *)(void *)((char *)view->buffer->handle + view->offset) + row * view->stride[0];
}

static inline size_t rw_tiles_of(size_t n, size_t tile) {
    return (n + tile - 1) / tile;
}

static inline size_t rw_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The keys [*begin, *end) that row `i` of q sees. */
static inline void rw_seen_keys(const rw_op_attention *a, size_t i, size_t *begin, size_t *end) {
    int64_t count = (int64_t)a->k.shape[0], position = a->q_first + (int64_t)i - a->k_first;
    int64_t last = a->mask == RW_MASK_NONE ? count : position + 1; /* as indices of k */
    int64_t first = a->mask == RW_MASK_WINDOW ? position - a->window + 1 : 0;
    *end = (size_t)(last < 0 ? 0 : last > count ? count : last);
    *begin = (size_t)(first < 0 ? 0 : first > (int64_t)*end ? (int64_t)*end : first);
}

#endif
