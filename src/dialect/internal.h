/*
 * internal.h - what the files of the dialect room share.
 *
 * All Hugging Face runtimes read the same keys, with rules that differ in a handful of points.
 * Those points are fields of rw_hf_rules, one constant per runtime in its own file; the reading
 * itself is written once (hf_block.c finds the blocks, hf_methods.c understands them).
 */
#ifndef RW_DIALECT_INTERNAL_H
#define RW_DIALECT_INTERNAL_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dialect/dialect.h"

/* What a runtime makes of keys that set YaRN's amplitude. */
typedef enum rw_amplitude_key {
    RW_AMPLITUDE_FINAL,      /* `attention_factor` is A itself; `attn_factor` is ignored    */
    RW_AMPLITUDE_MULTIPLIER, /* `attn_factor` multiplies 0.1 ln s + 1; the other is ignored */
} rw_amplitude_key;

typedef struct rw_hf_rules {
    rw_runtime runtime;
    bool reads_parameters; /* knows `rope_parameters`; else only `rope_scaling`                */
    bool parameters_win;   /* when both are there (others: `rope_scaling` replaces it)         */
    bool theta_in_scaling; /* a `rope_theta` inside `rope_scaling` counts                      */
    bool top_origin_wins;  /* the config's own original_max_position_embeddings beats a block's */
    bool origin_is_window; /* YaRN's ramp starts from M, whatever the block says               */
    bool longrope_top_origin; /* LongRoPE: L0 only from the top level, and M/L0 is the factor  */
    bool reads_truncate, truncate_when_nested;
    bool reads_mscale, mscale_zero_counts;
    rw_amplitude_key amplitude;
    bool longrope_ratio_amplitude; /* LongRoPE's A from M/L0 or the mscale keys, nothing else  */
    bool dynamic_is_static;        /* dynamic NTK frozen at M * s                              */
    bool su_needs_origin;    /* type "su" only with an original window in the block itself     */
    bool own_names_only;     /* "su" and "mrope" only where the family's class translates them  */
    bool converts;           /* splits an old block over layer types as its classes do (v5)     */
    bool strict_null;        /* "factor": null fails to load */
    bool three_keys;         /* LongRoPE-only families: type, short_factor, long_factor, no more */
    bool v2_plain_logits;    /* DeepSeek-V2's attention has no mscale                           */
    bool no_flat_parameters; /* cannot split a flat rope_parameters over OLMo-3's layer types   */
    bool has_ntk;            /* knows a type "ntk" (vLLM's own schedule)                 */
    bool unknown_is_none;    /* an unknown type is warned about and left out             */
    const char *const *theta_keys; /* NULL-terminated aliases of rope_theta, first match wins  */
} rw_hf_rules;

/* One rotation while it is being read. */
typedef struct rw_hf_read {
    const rw_hf_rules *rules;
    const rw_source *source;
    const rw_json *block; /* the object with the method's keys, or NULL: no scaling           */
    const rw_json *outer; /* the object of per-layer-type blocks it stands in, or NULL         */
    bool split;           /* an old block that the family's class puts into such an object    */
    bool ignored;         /* and in which it then finds no method                              */
    const char *path;     /* of `block` (or of theta when there is none)                       */
    rw_rope_spec *spec;   /* theta and dims are filled before the method is                    */
    rw_diagnostics *diagnostics;
    rw_error *err;
} rw_hf_read;

/* Reads every rotation of an HF checkpoint by `rules`. */
rw_status rw_hf_read_set(const rw_hf_rules *rules, const rw_source *source, rw_rope_set *out,
                         rw_diagnostics *diagnostics, rw_error *err);

/* Does transformers' function of this rope_type multiply by head_dim as the config has it? */
bool rw_hf_multiplies_head_dim(rw_str rope_type);
/* Is `word` one of the space-separated words of `list`? */
bool rw_hf_in_list(const char *list, rw_str word);
/* Fills method and parameters of read->spec from read->block. */
rw_status rw_hf_read_method(rw_hf_read *read);

extern const rw_hf_rules rw_transformers5_rules, rw_transformers4_rules,
    rw_transformers4_early_rules, rw_vllm_rules, rw_sglang_rules;

/* llama_cpp_loads.c: an error where llama.cpp would not load this GGUF for its rotation's sake. */
rw_status rw_llama_cpp_loads(const rw_source *source, rw_error *err);
/* Does its loader take rope.scaling.yarn_log_multiplier for this architecture? */
bool rw_gguf_reads_log_multiplier(const rw_source *source);
/* llama.cpp on a GGUF, and on what its converter would make of an HF checkpoint. */
rw_status rw_llama_cpp_read(const rw_source *source, rw_rope_set *out, rw_diagnostics *diagnostics,
                            rw_error *err);
rw_status rw_llama_cpp_convert(const rw_source *source, rw_rope_set *out,
                               rw_diagnostics *diagnostics, rw_error *err);

/* ---- facts about model types (model_types.c) ------------------------------------------------- */

typedef enum rw_dual { RW_DUAL_NO, RW_DUAL_GEMMA3, RW_DUAL_FULL_ONLY } rw_dual;

/* A model type that rotates. Zero or NULL: the usual (theta 10000, whole head, half pairs). */
typedef struct rw_model_type { /* NOLINT: fields in reading order */
    const char *hf;            /* model_type */
    const char *gguf;          /* general.architecture, NULL: llama.cpp has none known to us */
    double theta;              /* class default when the config states none */
    double partial;            /* class default of partial_rotary_factor    */
    uint32_t head_dim;         /* class default when neither it nor heads and width are stated */
    bool own_head_dim;         /* and when they are: the class does not divide width by heads  */
    uint64_t window;           /* class default of max_position_embeddings */
    uint64_t origin;           /* class default of the top-level original_max_position_embeddings */
    double theta5;             /* class default of theta in transformers 5, where that differs */
    const char *theta_key;     /* the only key beside a block that its class reads theta from */
    const char *block;         /* class default of the block, JSON */
    bool interleaved;          /* pairs of the HF checkpoint                */
    bool gguf_interleaved;
    bool gguf_factors;     /* its graph passes rope_freqs / rope_factors to the rotation */
    bool longrope_only;    /* its class takes no other type, and means LongRoPE by "yarn" */
    bool layer_types;      /* its rotary module has a table per layer type (and see `dual`) */
    bool wants_rope_type;  /* `type` alone fails in transformers 4 */
    bool mrope;            /* its class translates the type "mrope" */
    bool two_keys;         /* transformers 4: exactly type and factor, linear or dynamic     */
    rw_targets fails;      /* runtimes whose class takes no other type than `takes`          */
    rw_targets ignores;    /* runtimes whose class reads no block, without a word            */
    const char *takes;     /* space-separated types besides "default"; NULL: no other        */
    rw_targets null_head;  /* runtimes whose class leaves head_dim null where it is not stated:
                              yarn, dynamic and longrope then fail                           */
    bool alpha;            /* its class makes "dynamic" with an `alpha` a fixed change of base */
    bool reads_partial;    /* its class can turn a part of a head (so can those with `partial`) */
    bool reads_rotary_dim; /* and takes that part from rotary_dim */
    rw_dual dual;
} rw_model_type;

const rw_model_type *rw_model_type_hf(rw_str name);   /* NULL: unknown */
const rw_model_type *rw_model_type_gguf(rw_str name); /* NULL: unknown */
/* Can the class of `type` in `runtime` make anything of a block with this rope_type? */
bool rw_model_type_takes(const rw_model_type *type, rw_runtime runtime, rw_str rope_type);
/* The one that describes `source`; never NULL (an all-zero entry when unknown). */
const rw_model_type *rw_model_type_of(const rw_source *source);

/* ---- HF helpers (hf_block.c) ----------------------------------------------------------------- */

/* The block that stands under `key` when it says anything: a non-empty object. */
const rw_json *rw_hf_block(const rw_json *language, const char *key);
/* `rope_type`, else `type`, else "default". */
rw_str rw_hf_rope_type(const rw_json *block);
/* Does this object hold one block per layer type ("full_attention": {...}, ...)? */
bool rw_hf_is_nested(const rw_json *block);
uint64_t rw_hf_window(const rw_source *source); /* max_position_embeddings, 0: none */
/* path + "." + key in the source's arena; `key` alone for an empty path. */
const char *rw_join_path(const rw_source *source, const char *path, const char *key);

/* Must this spec be written as LongRoPE lists, because no type of its own carries it? */
bool rw_hf_needs_lists(const rw_source *source, const rw_rope_spec *spec);
/* Must it be baked into rope_freqs.weight in a GGUF? */
bool rw_gguf_needs_factors(const rw_rope_spec *spec);

/* ---- others ---------------------------------------------------------------------------------- */

/* RW_ERR_INPUT dialect.no_rope or dialect.own_rotation unless the readers here can say how the
   language model rotates (positions.c). */
rw_status rw_positions_check(const rw_source *source, rw_error *err);
/* Says which layers do not rotate. */
void rw_positions_note_layers(rw_source *source);
/* Does this object describe a language model that rotates? */
bool rw_language_rotates(const rw_json *object);

/* RW_ERR_INPUT dialect.bad_value for a key of the rotation with a value of the wrong kind
   (hf_types.c). */
rw_status rw_hf_check_types(const rw_source *source, rw_error *err);

/* Says what companion heads there are (companions.c). */
void rw_companions_note(rw_source *source);

/* Windows and where the native one comes from (windows.c). */
rw_status rw_windows_read(rw_source *source, rw_error *err);

/* A line of the known-models table (known_models.c). */
typedef struct rw_known_model {
    const char *name;
    const char *types[4]; /* model_type or general.architecture, NULL-terminated */
    double theta;
    uint64_t advertised;
    uint32_t head_dim; /* 0: any */
    double factor;     /* that it ships with or is documented with; 0: any */
    uint64_t native;
} rw_known_model;

/* The entry that `spec` and the advertised window are signs of, or NULL. */
const rw_known_model *rw_known_model_find(rw_str type, const rw_rope_spec *spec,
                                          uint64_t advertised);
/* The entry with the same type, theta and heads that was trained for the largest window below
   `advertised`, or NULL: a checkpoint that was made long without saying so looks like this. */
const rw_known_model *rw_known_model_shorter(rw_str type, const rw_rope_spec *spec,
                                             uint64_t advertised);

double rw_yarn_temperature(double factor, double mscale); /* 0.1 m ln s + 1, 1 for s <= 1 */

/* The group whose layers see the whole context (full attention). */
const rw_rope_group *rw_primary_group(const rw_rope_set *set);

/* "<arch>.key" in `out`. */
void rw_gguf_key(const rw_source *source, const char *key, char out[128]);

#endif
