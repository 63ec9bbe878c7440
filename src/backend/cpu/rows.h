/*
 * rows.h - what an instruction set adds for work row by row. Any counts, any alignment, and the
 * bits of the reference, but for the order of rms_norm's sum.
 */
#ifndef RW_BACKEND_CPU_ROWS_H
#define RW_BACKEND_CPU_ROWS_H

#include "backend/cpu/cpu.h"

/* `rows` rows of `n` elements, `apart` bytes from one to the next. */
typedef struct rw_packed_rows {
    rw_element element;
    const char *first;
    size_t apart, rows, n;
    size_t ahead,
        fetch; /* bytes: for rows read where they lie, how far ahead to ask for how much */
} rw_packed_rows;

typedef struct rw_cpu_rows {
    /* `n` float32 to the elements of a cache, and rows of it back: the bits of number.h */
    void (*narrow)(rw_element element, const float *x, void *out, size_t n);
    void (*widen)(const rw_packed_rows *x, float *out, size_t stride);
    /* A head's first 2 * pairs dims, in place. */
    void (*rotate)(float *x, const float *cosine, const float *sine, size_t pairs,
                   bool interleaved);
    void (*rms_norm)(const float *x, const float *weight, float eps, float *out, size_t n);
    void (*add)(float *x, const float *y, size_t n);
} rw_cpu_rows;

extern const rw_cpu_rows rw_avx2_rows; /* AVX-512 has nothing to add: the memory is the limit */

#endif
