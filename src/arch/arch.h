/*
 * arch.h - model families: what a layer is made of, how its tensors are called, how big it all is.
 *
 * arch turns a checkpoint's description (config.json, or GGUF metadata through rw_arch_lookup) into
 * one neutral record. It knows no container and no rotation: where the rotary block lives and what
 * it means is dialect's business.
 */
#ifndef RW_ARCH_ARCH_H
#define RW_ARCH_ARCH_H

#include "base/base.h"
#include "base/json.h"

typedef enum rw_activation { RW_ACT_SILU, RW_ACT_GELU, RW_ACT_GELU_TANH } rw_activation;

/* Kind of attention a layer has. */
typedef enum rw_layer_kind {
    RW_LAYER_FULL,    /* sees every earlier position     */
    RW_LAYER_SLIDING, /* sees the last `window` positions */
    RW_LAYER_OTHER    /* recurrent, linear, ...: named, not run by our engine */
} rw_layer_kind;

typedef struct rw_layer {
    rw_layer_kind kind;
    bool rotary; /* false: a layer without RoPE (SmolLM3, Llama 4) */
    uint32_t n_heads;
    uint32_t n_kv_heads; /* 0: caches nothing (reads an earlier layer's cache, or an image's) */
    uint32_t qk_dim;     /* head_dim of q and k (MLA: the whole q/k head) */
    uint32_t v_dim;      /* head_dim of v */
    uint32_t kv_latent;  /* MLA: width of the cached latent with its rope part; 0: plain K and V */
    uint32_t window;     /* SLIDING: positions seen, the own one included */
    uint32_t ffn_dim;
    uint64_t state; /* OTHER: elements kept between tokens, however many there were */
} rw_layer;

/* Which layers slide when the config has no list of layer types. */
typedef enum rw_windowing {
    RW_WINDOWS_NONE,
    RW_WINDOWS_ALL,      /* all, if there is a window                          */
    RW_WINDOWS_UPPER,    /* from max_window_layers on, if use_sliding_window   */
    RW_WINDOWS_NOPE,     /* those without RoPE, if use_sliding_window          */
    RW_WINDOWS_PERIODIC, /* all but every n-th, n the family's `window_period` */
} rw_windowing;

/* What the family's class assumes where a config is silent; 0: nothing. */
typedef struct rw_family_defaults {
    uint32_t n_heads, n_kv_heads, head_dim, vocab, window;
    double norm_eps, query_scalar, attention_softcap, final_softcap;
    rw_activation activation;
    bool tied_embeddings;
} rw_family_defaults;

/* One family: static data, shared by all of its models. */
typedef struct rw_family {
    const char *name;            /* "llama" */
    const char *const *hf_types; /* model_type values, NULL-terminated */
    const char *gguf_name;       /* general.architecture */
    bool runnable;               /* our engine has everything its layers need */
    bool gguf_interleaved;       /* its GGUF permutes q/k rows to interleaved pairs */
    bool qkv_bias;               /* biases on q, k and v, which no key of the config states */
    bool qk_norm;                /* norms of each head of q and k, before the rotation */
    bool fused;                  /* q, k, v are one tensor's rows; gate and up another's */
    bool sandwich_norms;         /* norms behind attention and feed-forward too */
    bool norm_plus_one;          /* norms are stored less 1 in HF's form, whole in a GGUF */
    bool scaled_embedding;       /* times sqrt(hidden) */
    rw_windowing windowing;
    uint32_t window_period;
    uint32_t nope_period;               /* every n-th layer has no RoPE; 0: all have */
    uint32_t gguf_window;               /* when a GGUF states none */
    uint32_t gguf_layers_of_27b;        /* this many: softmax's scale is of hidden / heads */
    const char *activation_key;         /* in config.json */
    const struct rw_weight_name *names; /* where they depart from the usual ones; or NULL */
    rw_family_defaults defaults;
} rw_family;

typedef struct rw_arch {
    const rw_family *family; /* NULL: unknown architecture, `name` still says what it is called */
    char name[64];           /* architectures[0] or general.architecture */
    char model_type[64];
    uint32_t n_layers;
    rw_layer *layers; /* [n_layers], arena memory */
    uint32_t hidden;
    uint32_t vocab;
    uint32_t head_dim; /* of the full-attention layers */
    double norm_eps;
    rw_activation activation;
    bool tied_embeddings;
    bool attention_bias, mlp_bias, qk_norm; /* attention_bias: on q, k and v */
    bool o_bias;
    double embedding_scale;                  /* 1: as it is */
    double query_scalar;                     /* softmax's scale is 1 / its root; 0: head dim */
    double attention_softcap, final_softcap; /* 0: none */
    int64_t bos, eos;                        /* -1: none */
    uint64_t parameters; /* from the size formulas; 0: the formulas do not cover it */
    uint64_t active;     /* of them, what one token is multiplied with; 0 as above  */
} rw_arch;

/* Reads the language part of a config.json: `config` is the object that describes the language
   model (the root, or text_config, ...: dialect finds it). Layers go to `arena`. A config whose
   family is unknown still gives name, and whatever of heads/layers/hidden it states. Codes:
   arch.missing_key, arch.bad_value (with the key in err->where). */
rw_status rw_arch_from_config(const rw_json *config, rw_arena *arena, rw_arch *out, rw_error *err);

/* GGUF metadata without knowing GGUF: keys come without the "<arch>." prefix, except those that
   begin with "general." or "tokenizer.". */
typedef struct rw_arch_lookup {
    void *user;
    bool (*number)(void *user, const char *key, double *out);
    bool (*string)(void *user, const char *key, rw_str *out);
    /* `layer`-th entry when the key holds an array, else the scalar */
    bool (*per_layer)(void *user, const char *key, uint32_t layer, double *out);
    bool (*has_tensor)(void *user, const char *name);
    /* outermost dimension of a tensor; may be NULL (then "vocab_size" must be stated) */
    bool (*tensor_rows)(void *user, const char *name, uint64_t *rows);
} rw_arch_lookup;

rw_status rw_arch_from_metadata(const rw_arch_lookup *lookup, rw_arena *arena, rw_arch *out,
                                rw_error *err);

/* ---- tensor names ---------------------------------------------------------------------------- */

typedef enum rw_weight {
    RW_W_EMBEDDING,  /* [vocab][hidden]           */
    RW_W_FINAL_NORM, /* [hidden]                 */
    RW_W_OUTPUT,     /* [vocab][hidden]; absent when tied */
    RW_W_ATTENTION_NORM,
    RW_W_Q, /* [n_heads * qk_dim][hidden]    */
    RW_W_K, /* [n_kv_heads * qk_dim][hidden] */
    RW_W_V,
    RW_W_O, /* [hidden][n_heads * v_dim]     */
    RW_W_Q_BIAS,
    RW_W_K_BIAS,
    RW_W_V_BIAS,
    RW_W_Q_NORM, /* [qk_dim] */
    RW_W_K_NORM,
    RW_W_FFN_NORM,
    RW_W_GATE, /* [ffn_dim][hidden] */
    RW_W_UP,
    RW_W_DOWN,                /* [hidden][ffn_dim] */
    RW_W_O_BIAS,              /* [hidden] */
    RW_W_GATE_BIAS,           /* [ffn_dim] */
    RW_W_UP_BIAS,             /* [ffn_dim] */
    RW_W_DOWN_BIAS,           /* [hidden] */
    RW_W_POST_ATTENTION_NORM, /* [hidden] on what the block adds to the stream */
    RW_W_POST_FFN_NORM,
    RW_W_COUNT
} rw_weight;

typedef enum rw_naming { RW_NAMING_HF, RW_NAMING_GGUF } rw_naming;

/* The family that reads this model_type (HF) or general.architecture (GGUF), or NULL. */
const rw_family *rw_family_of_model_type(rw_str model_type);
const rw_family *rw_family_of_gguf(rw_str architecture);

/* Name of a weight, "model.layers.3.self_attn.q_proj.weight" or "blk.3.attn_q.weight". */
void rw_arch_tensor_name(const rw_arch *arch, rw_naming naming, rw_weight weight, uint32_t layer,
                         char out[128]);
/* Its shape; returns the number of dims, 0 when this architecture has no such weight. */
uint32_t rw_arch_tensor_shape(const rw_arch *arch, rw_weight weight, uint32_t layer,
                              uint64_t shape[2]);
/* Row of its tensor at which a weight begins, and that tensor's rows: a fused tensor holds several
   weights one after the other. */
void rw_arch_tensor_place(const rw_arch *arch, rw_weight weight, uint32_t layer, uint64_t *first,
                          uint64_t *rows);
/* What a checkpoint of this naming stores less than the weight is: 1 for Gemma's norms, else 0. */
float rw_arch_tensor_offset(const rw_arch *arch, rw_naming naming, rw_weight weight);

/* ---- sizes ----------------------------------------------------------------------------------- */

/* Cached elements (K and V) of `layer` for `context` tokens: a sliding layer caches its window. */
uint64_t rw_arch_kv_elements(const rw_arch *arch, uint32_t layer, uint64_t context);
uint64_t rw_arch_kv_elements_all(const rw_arch *arch, uint64_t context);
/* Floating-point operations of a forward pass over n tokens from position 0, loss aside. */
double rw_arch_forward_flops(const rw_arch *arch, uint64_t n);

#endif
