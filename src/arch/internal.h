/*
 * internal.h - what the files of this room share.
 */
#ifndef RW_ARCH_INTERNAL_H
#define RW_ARCH_INTERNAL_H

#include "arch/arch.h"

/* Bounds of what a description may state: far above any model, low enough that the products of the
   size formulas fit 64 bits. */
enum {
    RW_MAX_LAYERS = 4096,
    RW_MAX_HIDDEN = 1 << 20,
    RW_MAX_HEADS = 1 << 14,
    RW_MAX_HEAD_DIM = 1 << 13,
    RW_MAX_FFN = 1 << 24,
    RW_MAX_VOCAB = 1 << 28
};

typedef struct rw_weight_name {
    rw_weight weight;
    const char *hf, *gguf; /* without the layer's prefix; NULL ends a list */
} rw_weight_name;

void rw_arch_copy_name(char out[64], rw_str name);
/* Allocates the zeroed layers; n_layers is set. */
rw_status rw_arch_make_layers(rw_arch *arch, rw_arena *arena, rw_error *err);
/* Softmax's scale, soft caps, norms and biases that the family decides, before a description is
   read on top of them. */
void rw_arch_from_family(rw_arch *arch);
/* Layer kinds, windows and layers without RoPE, from the config's keys. */
rw_status rw_arch_read_windows(const rw_json *config, rw_arch *arch, rw_error *err);
/* Do the records fit together (KV heads divide heads, ...)? Fills `parameters`. */
rw_status rw_arch_finish(rw_arch *arch, rw_error *err);

#endif
