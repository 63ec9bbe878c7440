/*
 * cpu.h - what the files of the CPU backend share: kernels as tables of functions.
 *
 * A kernel cuts its work into tiles whose number and shape depend on the operation alone, never on
 * the thread count; one thread does a tile from start to end.
 */
#ifndef RW_BACKEND_CPU_CPU_H
#define RW_BACKEND_CPU_CPU_H

#include "backend/backend.h"

typedef struct rw_cpu_kernel {
    size_t (*tiles)(const rw_op *op);
    size_t (*scratch)(const rw_op *op); /* bytes for one thread; NULL: none */
    void (*run)(const rw_op *op, size_t tile, void *scratch);
} rw_cpu_kernel;

/* A level of the ladder: filled with the reference, then overwritten upward. */
typedef struct rw_cpu_kernels {
    size_t panel; /* form of linear weights */
    rw_cpu_kernel of[RW_OP_COUNT];
} rw_cpu_kernels;

void rw_cpu_reference(rw_cpu_kernels *kernels);
void rw_cpu_avx2(rw_cpu_kernels *kernels);   /* nothing on other processors */
void rw_cpu_avx512(rw_cpu_kernels *kernels); /* nothing on other processors */

/* First element of row `row`, head `head`. */
static inline float *rw_f32(const rw_view *view, size_t row, size_t head) {
    return (float *)((char *)view->buffer->handle + view->offset) + row * view->stride[0] +
           head * view->stride[1];
}

static inline int32_t *rw_i32(const rw_view *view, size_t row) {
    return (int32_t *)((char *)view->buffer->handle + view->offset) + row * view->stride[0];
}

static inline double *rw_f64(const rw_view *view, size_t row) {
    return (double *)((char *)view->buffer->handle + view->offset) + row * view->stride[0];
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
