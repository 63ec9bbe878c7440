/*
 * outline.h - what any config.json tells about sizes: cache and parameters, layer by layer.
 *
 * rw_arch_from_config reads what the engine needs to run a family, and refuses what it cannot make
 * out. The outline is for the question "what fits?", which is asked of every model: it knows the
 * key names, the window patterns and the class defaults of many model types, runnable or not, and
 * leaves at zero what it does not know.
 */
#ifndef RW_ARCH_OUTLINE_H
#define RW_ARCH_OUTLINE_H

#include "arch/arch.h"

/* `config` is the object that describes the language model. `out` has no family; parameters 0: the
   formula of this model's is not known. Fails only for want of memory. */
rw_status rw_arch_outline(const rw_json *config, rw_arena *arena, rw_arch *out, rw_error *err);

/* Of a GGUF's architecture, where llama.cpp's code says it and no key need: all but the last of
   every `period` layers (1: all, 0: none) see `window` tokens (0: a key must say). */
void rw_arch_window_rule(rw_str architecture, uint32_t *period, uint32_t *window);

/* Of the parameters, those of the embedding and the output matrix: quantisers leave them alone. */
uint64_t rw_arch_embedding_parameters(const rw_arch *arch);

#endif
