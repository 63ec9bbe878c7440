/*
 * rows.h - what an instruction set adds for work row by row: storing and reading keys and values,
 * rotation, norms, sums. Any counts, any alignment.
 */
#ifndef RW_BACKEND_CPU_ROWS_H
#define RW_BACKEND_CPU_ROWS_H

#include "backend/cpu/cpu.h"

typedef struct rw_cpu_rows {
    /* `n` float32 to and from the elements of a cache, the bits of number.h */
    void (*narrow)(rw_element element, const float *x, void *out, size_t n);
    void (*widen)(rw_element element, const void *x, float *out, size_t n);
} rw_cpu_rows;

extern const rw_cpu_rows rw_avx2_rows; /* AVX-512 has nothing to add: the memory is the limit */

/* Rows of a tile of such work, when a row is `width` elements: enough of them to be worth handing
   to a thread. */
static inline size_t rw_rows_of_tile(size_t width) {
    enum { ELEMENTS = 32768 };
    return width < ELEMENTS ? ELEMENTS / (width ? width : 1) : 1;
}

#endif
