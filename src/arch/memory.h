/*
 * memory.h - what a run takes in memory: the one table that `plan` prints from and the model room
 * allocates from. Pure arithmetic; sums saturate at UINT64_MAX instead of wrapping.
 */
#ifndef RW_ARCH_MEMORY_H
#define RW_ARCH_MEMORY_H

#include "arch/arch.h"

/* Tokens that go through the layers at once. 512 keeps the activations of small models in the
   cache and the matrix products large enough. */
enum { RW_DEFAULT_CHUNK = 512 };

/* The kernels keep the rows of a weight in panels; counts are rounded up to whole ones. */
enum { RW_WEIGHT_PANEL = 64 };

/* Scratch of a session; each holds `rw_arch_scratch_elements` four-byte elements. */
typedef enum rw_scratch {
    RW_SCRATCH_TOKENS,    /* [5][chunk]: NLL (double), ids, targets, arg max (int32)      */
    RW_SCRATCH_STREAM,    /* [chunk][hidden] the residual stream                          */
    RW_SCRATCH_NORMED,    /* [chunk][hidden]                                              */
    RW_SCRATCH_Q,         /* [chunk][heads * qk_dim] of the widest layer                  */
    RW_SCRATCH_ATTENTION, /* [chunk][heads * v_dim] attention's O                         */
    RW_SCRATCH_LSE,       /* [chunk][heads]                                               */
    RW_SCRATCH_GATE,      /* [chunk][ffn_dim]                                             */
    RW_SCRATCH_UP,        /* [chunk][ffn_dim]                                             */
    RW_SCRATCH_COS,       /* [kinds of layers][chunk][qk_dim / 2]                         */
    RW_SCRATCH_SIN,
    RW_SCRATCH_WORKSPACE, /* of the kernels: one slice a thread                           */
    RW_SCRATCH_COUNT
} rw_scratch;

uint64_t rw_arch_scratch_elements(const rw_arch *arch, rw_scratch scratch, uint64_t chunk,
                                  unsigned threads);

/* Positions the cache of `layer` holds room for: a sliding layer keeps its window, and one chunk
   more so that rows are moved down once a chunk instead of once a token. */
uint64_t rw_arch_cache_rows(const rw_arch *arch, uint32_t layer, uint64_t context, uint64_t chunk);

typedef struct rw_memory {
    uint64_t weights;     /* bytes of the prepared weights (float32) */
    uint64_t kv;          /* bytes of the cache                      */
    uint64_t activations; /* bytes of everything else                */
} rw_memory;

/* chunk 0: the default. An architecture of which too little is known gives zeros. */
void rw_arch_memory(const rw_arch *arch, uint64_t context, uint64_t chunk, unsigned threads,
                    rw_memory *out);

#endif
