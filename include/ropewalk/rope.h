/*
 * rope.h - one neutral description of a rotation, and the numbers it means.
 *
 * A model's rotary position embedding turns pair k of a query or key head by the angle
 * position * inv_freq[k] and multiplies it by attention_factor. rw_rope_spec says how those numbers
 * are derived, in no file format's words; rw_rope_table holds them for one sequence length.
 * Readers and writers (the program's `inspect`, `extend`) translate between specs and the dialects
 * of the runtimes.
 *
 * Notation of the field: D = head_dim, d = rotary_dim, b = theta, s = factor, L0 =
 * original_context, k = 0 .. d/2-1 a pair, w_k = inv_freq[k], A = attention_factor.
 *
 * Ownership: specs and tables are plain values without pointers; copy them freely.
 * Thread-safety: every function here is pure.
 * Errors: codes "rope.*", status RW_ERR_INPUT.
 */
#ifndef ROPEWALK_ROPE_H
#define ROPEWALK_ROPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ropewalk/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RW_ROPE_MAX_PAIRS = 512, RW_ROPE_MAX_GROUPS = 4, RW_ROPE_PATH_MAX = 160 };

typedef enum rw_rope_method {
    RW_ROPE_NONE,         /* w_k = b^(-2k/d)                                                    */
    RW_ROPE_LINEAR,       /* position interpolation: w_k / s          (arXiv:2306.15595)        */
    RW_ROPE_NTK,          /* base b * s^(d/(d-2))                     (NTK-aware)               */
    RW_ROPE_DYNAMIC,      /* NTK-aware with a base that grows with the length                   */
    RW_ROPE_NTK_BY_PARTS, /* YaRN's ramp with A = 1                   (arXiv:2309.00071)        */
    RW_ROPE_YARN,         /* ramp and temperature                     (arXiv:2309.00071)        */
    RW_ROPE_LLAMA3,       /* ramp on wavelengths, as Llama 3.1 ships                            */
    RW_ROPE_LONGROPE,     /* per-pair lists, short and long           (arXiv:2402.13753)        */
    RW_ROPE_BASE,         /* another theta and nothing else; the same numbers as NONE           */
    RW_ROPE_PROPORTIONAL, /* first pairs of the whole head rotate, the rest stand still         */
    RW_ROPE_PER_PAIR      /* w_k / pair_factor[k], arbitrary                                    */
} rw_rope_method;

/* Which dims of a head form pair k. */
typedef enum rw_pairing {
    RW_PAIRING_HALF,       /* (k, k + d/2): "NeoX", nearly all Hugging Face models  */
    RW_PAIRING_INTERLEAVED /* (2k, 2k + 1): "GPT-J", GGUF of the llama architecture */
} rw_pairing;

typedef struct rw_rope_spec {
    size_t struct_size; /* set by rw_rope_spec_init */
    rw_rope_method method;
    rw_pairing pairing;
    uint32_t head_dim;
    uint32_t rotary_dim; /* even, 2 .. head_dim */
    double theta;
    double factor; /* s >= 1; 1 where the method has none */
    /* L0: the window the frequencies were trained for. For DYNAMIC the length from which the base
       grows (the M of its formula). 0: not known (fine where the formula has no L0). */
    uint64_t original_context;
    /* A as a final value, whatever the method, or NaN: the method's own rule. */
    double attention_factor;
    /* YaRN: 0 = absent. Both given: A = f(s, mscale) / f(s, mscale_all_dim). */
    double mscale, mscale_all_dim;
    /* What softmax's scale is multiplied by on top (MLA puts the temperature there). 1: nothing. */
    double logit_scale;
    double beta_fast, beta_slow; /* YaRN, NTK-by-parts: rotations over L0 at the ramp's ends */
    bool truncate;               /* round the ramp's ends outwards to whole pairs            */
    double low_freq_factor, high_freq_factor; /* Llama-3 */
    double partial_rotary_factor;             /* PROPORTIONAL: the part of the head that rotates */
    /* LONGROPE: both lists have rotary_dim/2 entries (or list_count 0). */
    uint32_t list_count;
    double short_factor[RW_ROPE_MAX_PAIRS];
    double long_factor[RW_ROPE_MAX_PAIRS];
    /* Divides w_k before any method acts, as ggml's rope_freqs.weight does (so YaRN on top of it
       stacks, its ramp computed from the undivided base). 0 entries: none. */
    uint32_t pair_factor_count;
    double pair_factor[RW_ROPE_MAX_PAIRS];
    /* M-RoPE: pairs per position axis; all zero for plain RoPE. Does not change the table. */
    uint32_t mrope_section[4];
    bool mrope_interleaved;
} rw_rope_spec;

/* Defaults: NONE, half pairing, theta 10000, factor 1, attention_factor NaN, beta 32 / 1, truncate,
   low/high 1 / 4, logit_scale 1, everything else 0. */
RW_API void rw_rope_spec_init(rw_rope_spec *spec);

/* Is every number the method needs there and in range? Names the field in err->where. Refused,
   among others: theta below 2, a factor below 1, betas of 0 or beta_fast < beta_slow (a reader maps
   0 and null to 32 / 1 before), high_freq_factor < low_freq_factor, NTK at d = 2, PROPORTIONAL with
   rotary_dim != head_dim. */
RW_API rw_status rw_rope_spec_check(const rw_rope_spec *spec, rw_error *err);

/* Rounds every stored number to float32, so that JSON (double) and GGUF (float32) say the same.
   theta, factor and the lists change by at most 6e-8 relative. partial_rotary_factor, which only
   JSON has, stays: it stands for a whole number of pairs. */
RW_API void rw_rope_spec_round(rw_rope_spec *spec);

/* Two specs that say the same in the same words (NaN equals NaN). */
RW_API bool rw_rope_spec_equal(const rw_rope_spec *a, const rw_rope_spec *b);

/* "yarn", "ntk_by_parts", ...: the names of the command line and of the JSON output. */
RW_API const char *rw_rope_method_name(rw_rope_method method);
RW_API bool rw_rope_method_by_name(const char *name, rw_rope_method *out);
RW_API const char *rw_pairing_name(rw_pairing pairing); /* "half", "interleaved" */

/* The numbers of a spec at one sequence length. */
typedef struct rw_rope_table {
    size_t struct_size;
    rw_pairing pairing;
    uint32_t head_dim, rotary_dim;
    uint32_t pairs;  /* rotary_dim / 2 */
    uint64_t length; /* it was resolved for */
    /* Which branch a length-dependent method took: 0 the only one or the one up to
       original_context, 1 the one beyond. */
    uint32_t regime;
    double inv_freq[RW_ROPE_MAX_PAIRS];
    double attention_factor;
    double logit_scale;
    /* Ends of the ramp as (fractional) pair indices; NaN where the method has none. */
    double ramp_low, ramp_high;
    /* How far pair k is interpolated: 0 untouched .. 1 wholly divided by s. 0 without a ramp. */
    double ramp[RW_ROPE_MAX_PAIRS];
} rw_rope_table;

/* Resolves `spec` at `length` tokens (largest position + 1; only DYNAMIC and LONGROPE care; 0 means
   their unextended window). Reproducible to the bit on any IEEE machine: log and exp are our own.
 */
RW_API rw_status rw_rope_table_build(const rw_rope_spec *spec, uint64_t length, rw_rope_table *out,
                                     rw_error *err);

/* Does the table of this spec depend on the length? */
RW_API bool rw_rope_depends_on_length(const rw_rope_spec *spec);

/* cos and sin, each times attention_factor, of `count` positions from `first` on: row-major
   [count][pairs], computed in double and rounded once. */
RW_API void rw_rope_rows(const rw_rope_table *table, uint64_t first, size_t count,
                         float *cos_rows /* [count][pairs] */,
                         float *sin_rows /* [count][pairs] */);

/* Identity: SHA-256 over "rw-table/1", regime, pairing, dims, ramp ends and the doubles, all little
   endian (the layout is in src/rope/identity.c). 64 hex digits and NUL. */
RW_API rw_status rw_rope_table_identity(const rw_rope_table *table, char out[65], rw_error *err);

/* How far two tables part when used up to `length` positions. */
typedef struct rw_rope_difference {
    bool comparable;     /* same dims, pairing aside: a permuted checkpoint may rotate alike      */
    uint32_t worst_pair; /* where |dw_k| is largest                                               */
    double max_angle;    /* max |dw_k| * length, radians                                          */
    double max_relative; /* max |dw_k| / w_k                                                      */
    double amplitude;    /* |dA|                                                                  */
    double logit;        /* |d(A^2 * logit_scale)|: what the logits see                           */
    bool equivalent;     /* within the bounds stated at rw_rope_compare                           */
} rw_rope_difference;

/* Numeric equivalence. `a` is the reference. The bounds: a frequency may be off by what storing
   theta, the factor or a list in float32 costs (4e-7 relative, hence 4e-7 * w_k * length radians),
   amplitude by 4e-7 and A^2 * logit_scale by 1.2e-6, both relative above 1. A pair that stands
   still in one table must do so in the other. `pairing` is not compared. NaN anywhere is a
   difference; tables that are not comparable have infinite ones. */
RW_API void rw_rope_compare(const rw_rope_table *a, const rw_rope_table *b, uint64_t length,
                            rw_rope_difference *out);

/* ---- one rotation per layer type ----------------------------------------------------------- */

typedef enum rw_layers { RW_LAYERS_ALL, RW_LAYERS_FULL, RW_LAYERS_SLIDING } rw_layers;

RW_API const char *rw_layers_name(rw_layers layers); /* "all", "full_attention", ... */

typedef struct rw_rope_group {
    rw_layers layers;
    char path[RW_ROPE_PATH_MAX]; /* where it stands: "text_config.rope_parameters", "llama.rope" */
    rw_rope_spec spec;
} rw_rope_group;

/* All rotations of a model; one group named ALL, or one per layer type. */
typedef struct rw_rope_set {
    uint32_t count;
    rw_rope_group group[RW_ROPE_MAX_GROUPS];
} rw_rope_set;

/* The group that rotates layers of kind `layers` (a group named ALL serves every kind), or NULL. */
RW_API const rw_rope_group *rw_rope_set_find(const rw_rope_set *set, rw_layers layers);

#ifdef __cplusplus
}
#endif
#endif
