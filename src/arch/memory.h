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

/* What keys and values are kept as. Q8_0 is ggml's: 32 numbers of 8 bits and a float16 scale. */
typedef enum rw_cache_type {
    RW_CACHE_F32,
    RW_CACHE_F16,
    RW_CACHE_BF16,
    RW_CACHE_Q8_0,
    RW_CACHE_TYPES
} rw_cache_type;

const char *rw_cache_type_name(rw_cache_type type); /* "f32", "f16", "bf16", "q8_0" */
/* NULL leaves *out as it is. RW_ERR_USAGE arch.kv_type names what there is. */
rw_status rw_cache_type_read(const char *name, rw_cache_type *out, rw_error *err);
/* RW_ERR_USAGE arch.kv_type when the heads of a layer are no whole blocks of the type. */
rw_status rw_cache_type_check(const rw_arch *arch, rw_cache_type type, rw_error *err);

/* How a weight is kept: false when the kernels read it where it lies in the file, as `*bytes` of
   it; else it is widened to float32 in memory of ours. */
typedef struct rw_weight_home {
    bool (*is_widened)(const void *user, rw_weight weight, uint32_t layer, uint64_t *bytes);
    const void *user;
} rw_weight_home;

/* A run, as far as memory goes. Zero is the default throughout. */
typedef struct rw_memory_options {
    uint64_t context;
    uint64_t chunk;   /* 0: RW_DEFAULT_CHUNK */
    unsigned threads; /* 0: one              */
    rw_cache_type cache;
    bool raw_keys;       /* keys are turned when they are read: there are rows for every position */
    bool history;        /* tokens are kept, to be read again */
    rw_weight_home home; /* no function: every weight is widened */
    uint64_t header;     /* bytes of the container's header, which stays in memory */
} rw_memory_options;

typedef struct rw_memory {
    uint64_t weights;     /* weights that are ours: vectors, and what is widened */
    uint64_t kv;          /* the cache                                           */
    uint64_t activations; /* what a chunk of tokens takes on its way             */
    uint64_t program;     /* the program, its tokenizer, the header; an estimate */
    uint64_t total;       /* of these: memory that only this process has         */
    uint64_t mapped;      /* weights in the file's pages, which the system shares and can drop */
} rw_memory;

/* An architecture of which too little is known gives zeros. */
void rw_arch_memory(const rw_arch *arch, const rw_memory_options *options, rw_memory *out);

/* The longest context whose run takes at most `limit` bytes, `most` at most; 0: none does. */
uint64_t rw_arch_largest_context(const rw_arch *arch, const rw_memory_options *options,
                                 uint64_t limit, uint64_t most);

/* ---- its parts, for who allocates ------------------------------------------------------------ */

/* Scratch of a session; each holds `rw_arch_scratch_elements` four-byte elements. */
typedef enum rw_scratch {
    RW_SCRATCH_TOKENS,    /* [5][chunk]: NLL (double), ids, targets, arg max (int32)      */
    RW_SCRATCH_STREAM,    /* [chunk][hidden] the residual stream                          */
    RW_SCRATCH_NORMED,    /* [chunk][hidden]                                              */
    RW_SCRATCH_Q,         /* [chunk][heads * qk_dim] of the widest layer                  */
    RW_SCRATCH_K,         /* [chunk][kv_heads * qk_dim] on their way into the cache       */
    RW_SCRATCH_V,         /* [chunk][kv_heads * v_dim]                                    */
    RW_SCRATCH_ATTENTION, /* [chunk][heads * v_dim] attention's O                         */
    RW_SCRATCH_LSE,       /* [chunk][heads]                                               */
    RW_SCRATCH_GATE,      /* [chunk][ffn_dim]                                             */
    RW_SCRATCH_UP,        /* [chunk][ffn_dim]                                             */
    RW_SCRATCH_COS,       /* [kinds of layers][chunk][qk_dim / 2]                         */
    RW_SCRATCH_SIN,
    RW_SCRATCH_KEY_COS, /* [kinds of layers][context][qk_dim / 2], with raw keys        */
    RW_SCRATCH_KEY_SIN,
    RW_SCRATCH_HISTORY,   /* [context] the tokens so far (int32)                          */
    RW_SCRATCH_LOGITS,    /* [vocab]                                                      */
    RW_SCRATCH_WORKSPACE, /* of the kernels: one slice a thread                           */
    RW_SCRATCH_COUNT
} rw_scratch;

uint64_t rw_arch_scratch_elements(const rw_arch *arch, rw_scratch scratch,
                                  const rw_memory_options *options);

/* Positions the cache of `layer` holds room for: a sliding layer keeps its window, and one chunk
   more so that rows are moved down once a chunk instead of once a token. */
uint64_t rw_arch_cache_rows(const rw_arch *arch, uint32_t layer, uint64_t context, uint64_t chunk);
/* Bytes of `elements`, which are whole blocks. */
uint64_t rw_cache_bytes(rw_cache_type type, uint64_t elements);

#endif
