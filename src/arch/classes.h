/*
 * classes.h - what the files of the outline (outline.h) share.
 */
#ifndef RW_ARCH_CLASSES_H
#define RW_ARCH_CLASSES_H

#include "arch/internal.h"
#include "arch/outline.h"

/* Which layers of a model see only a window, where no list of layer types says so. */
typedef enum rw_pattern {
    RW_PATTERN_NONE,
    RW_PATTERN_ALL,     /* every layer, where a window is stated                        */
    RW_PATTERN_PERIOD,  /* all but the last of every `period`                           */
    RW_PATTERN_AFTER,   /* from max_window_layers on, where use_sliding_window says so  */
    RW_PATTERN_CHUNKED, /* as PERIOD, in chunks: at most a chunk is kept                */
    RW_PATTERN_LINEAR   /* all but the last of every `period` keep a state and no cache */
} rw_pattern;

/* What a model class adds to a config; zero: nothing that matters here. */
typedef struct rw_model_class {
    const char *type; /* model_type */
    const char *gguf; /* general.architecture; NULL: the same name, or not needed */
    uint32_t hidden, layers, heads, kv_heads, head_dim, ffn, vocab;
    rw_pattern pattern;
    uint32_t period, window;
    uint32_t mlp_matrices;   /* 0: three, gate, up and down */
    uint32_t norms;          /* a layer; 0: two             */
    bool tied;               /* default of tie_word_embeddings */
    bool biases;             /* of every matrix and norm    */
    bool moe_biases;         /* of the experts and router   */
    bool qkv_bias;           /* of q, k and v, and of no other matrix */
    bool plain_full;         /* beside sliding layers, those that see everything don't rotate */
    bool qk_norm, uncounted; /* the formula of parameters does not cover it */
} rw_model_class;

const rw_model_class *rw_model_class_of(rw_str type); /* NULL: none */
const rw_model_class *rw_model_class_of_gguf(rw_str architecture);

/* First of the keys (NULL-terminated) that holds a whole number from 1 to `max`, else `otherwise`.
 */
uint32_t rw_arch_count(const rw_json *config, const char *const *keys, uint64_t max,
                       uint32_t otherwise);

/* What the layers are, by index, as the config or its class has it. */
void rw_arch_outline_layers(const rw_json *config, const rw_model_class *model, rw_arch *out);
/* Kind and window of layer `index` by the class's own pattern. */
void rw_arch_pattern(rw_pattern pattern, uint32_t period, uint32_t window, uint32_t index,
                     rw_layer *layer);
void rw_arch_count_parameters(const rw_json *config, const rw_model_class *model, rw_arch *out);

#endif
