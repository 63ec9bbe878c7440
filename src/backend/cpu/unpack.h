/*
 * unpack.h - packed weights as integers and as float32, in portable C: the reference for the
 * vectors' ways of doing it.
 */
#ifndef RW_BACKEND_CPU_UNPACK_H
#define RW_BACKEND_CPU_UNPACK_H

#include "backend/backend.h"

/* A run is 32 weights of a block type: weight i is scale[i / 16] (codes[i] - zero) - minimum, each
   operation rounded. `zero` belongs to the type, the rest to the run. */
enum { RW_RUN = 32 };

typedef struct rw_run {
    uint8_t codes[RW_RUN];
    float scale[2];
    float minimum;
} rw_run;

typedef struct rw_run_type {
    void (*unpack)(const uint8_t *block, size_t run, rw_run *out); /* NULL: no block type */
    int zero;
    int bits;     /* of a code */
    bool minimum; /* else it is 0 and not subtracted */
    bool halves;  /* the two scales differ */
} rw_run_type;

extern const rw_run_type rw_run_types[RW_ELEMENT_COUNT];

/* Can weights be of this type? */
bool rw_can_widen(rw_element element);
/* `count` elements, whole blocks, to float32. */
void rw_widen(rw_element element, const void *packed, size_t count, float *out);

float rw_float_of_half(uint16_t half);

/* 127 divided by less might overflow. */
#define RW_QUANTIZE_LEAST 0x1p-100f

/* 32 numbers as scale * q, |q| <= 127: to nearest even. What is too small for a scale is 0; with an
   infinity or a NaN among them the scale is none either, whatever q is. */
void rw_quantize_run(const float *x, int8_t *q, float *scale);

/* The six-bit scale and minimum of a run in the 12 bytes of Q4_K and Q5_K. The first four of each
   are the low six bits of bytes 0-3 and 4-7, whose upper two bits belong to the last four; the
   nibbles of bytes 8-11 are the rest of those. */
static inline void rw_k_scales(const uint8_t *packed, size_t run, int *scale, int *minimum) {
    const uint8_t *p = packed + run % 4;
    *scale = run < 4 ? p[0] & 63 : (p[8] & 15) | (p[0] >> 6) << 4;
    *minimum = run < 4 ? p[4] & 63 : p[8] >> 4 | (p[4] >> 6) << 4;
}

#endif
