/*
 * job.h - whole jobs: what the program's verbs do, as calls.
 *
 * Every job takes one options struct (zero-initialise it, set struct_size; zero means "default")
 * and returns its result as JSON text of the schema "ropewalk.<verb>/1", the same bytes that
 * `ropewalk <verb> --json` prints. The caller frees it with rw_text_free. Where a job returns RW_NO
 * (the gate failed or is incomplete, verification failed, the checkpoints are not alike) the JSON
 * is there as well; on every other failure it is NULL and `err` says what, where and what to do.
 *
 * Ownership: strings and lists in options are borrowed for the call.
 * Thread-safety: as the context (context.h).
 */
#ifndef ROPEWALK_JOB_H
#define ROPEWALK_JOB_H

#include "ropewalk/context.h"
#include "ropewalk/rope.h"

#ifdef __cplusplus
extern "C" {
#endif

RW_API void rw_text_free(rw_context *ctx, char *text); /* NULL is fine */

/* The flags of a scaling, the same for plan, extend and measure. A zero (or NULL, or empty) field
   was not given. */
typedef struct rw_scaling_options {
    size_t struct_size;
    const char *method;        /* "yarn", ..., "none"; NULL: the verb's default */
    double factor;             /* NULL method and 0: context / native window    */
    uint64_t original_context; /* tokens */
    double rope_theta;
    double beta_fast, beta_slow;
    double attention_factor;
    double mscale, mscale_all_dim;
    int truncate; /* 0 not given, 1 yes, -1 no */
    double low_freq_factor, high_freq_factor;
    const double *short_factor, *long_factor, *pair_factors;
    size_t short_factor_count, long_factor_count, pair_factor_count;
} rw_scaling_options;

/* ---- inspect --------------------------------------------------------------------------------- */

typedef struct rw_inspect_options {
    size_t struct_size;
    const char *path;
    uint64_t length; /* resolve dynamic and LongRoPE here; 0: the advertised window */
} rw_inspect_options;

RW_API rw_status rw_inspect(rw_context *ctx, const rw_inspect_options *options, char **json,
                            rw_error *err);

/* ---- plan ------------------------------------------------------------------------------------ */

typedef struct rw_plan_options {
    size_t struct_size;
    const char *path;
    uint64_t context; /* target window in tokens */
    rw_scaling_options scaling;
    const char *targets; /* comma list of runtimes; NULL: those that read the spelling found */
    bool compound, replace, force;
    const char *emit;    /* a runtime whose serve-time command is wanted, or NULL */
    const char *devices; /* comma list ("h100,rtx-4090,apple-64"), or "all": does it fit there? */
    /* Which layers are scaled where sliding ones have their own: "full" (default) or "all". */
    const char *layers;
    /* A draft (Eagle, speculators, a smaller model) that is planned, and extended, for the same
       window: the method is the target's, the factor its own. NULL: none. */
    const char *companion;
    uint64_t companion_original_context; /* its native window; 0: as its config says */
    const char *kv_type; /* of our engine's cache, whose memory is counted: as for measure */
} rw_plan_options;

RW_API rw_status rw_plan(rw_context *ctx, const rw_plan_options *options, char **json,
                         rw_error *err);

/* ---- measure --------------------------------------------------------------------------------- */

typedef struct rw_measure_options {
    size_t struct_size;
    const char *path;
    rw_scaling_options scaling; /* tried in memory, nothing is written */
    uint64_t context;           /* target window for a scaling; 0: the longest length measured */
    const char *data;           /* JSONL of documents */
    const char *protocol;       /* "prefix" (default), "half", "sliding", "tail" */
    const char *tasks;          /* "perplexity,passkey" */
    const uint64_t *lengths;    /* NULL: native/2, native, then doubling to the context */
    size_t length_count;
    const double *depths; /* NULL: 0, 0.25, 0.5, 0.75, 1 */
    size_t depth_count;
    uint64_t documents; /* at most so many from the top of the file; 0: 12 */
    uint64_t chunks;    /* half: windows per document; 0: all */
    uint64_t trials;    /* passkey trials per depth and length; 0: 8 */
    uint64_t stride;    /* sliding, tail; 0: 256 */
    uint64_t seed;
    double budget_seconds; /* 0: none */
    bool no_timing;        /* leave times and dates out: same bytes on two runs */
    const char *pack;      /* JSONL of questions over long texts; NULL: none */
    const char *suite;     /* "fast": a fixed set of measurements under 5 minutes; NULL: none */
    /* Of the verdict: for extend, and for measure with `gate`. */
    const char *thresholds;      /* "short_cost=0.05,pack=0.9"; NULL: the defaults         */
    const char *allow_undefined; /* "D3,pack": dimensions that may stay undefined          */
    double usd_per_call;         /* what a call costs, for the foreign K-score; 0: unknown */
    /* For measure: what was read so far is kept in this file, and a run that was stopped or killed
       goes on from it. A file of another measurement is refused. NULL: none. */
    const char *state;
    /* With `state`: while a sequence of at least so many tokens is read, its rows in the cache are
       kept in STATE.cache, so that it goes on in the middle. 0: 16384. */
    uint64_t keep_from;
    /* The engine's choices, recorded in the result. What keys and values are kept as: "f32"
       (default, exact), "f16", "bf16" or "q8_0"; how weights are multiplied: "f32" (default) or
       "int8", which quantised weights make fast (docs/agreement.md says what it costs). */
    const char *kv_type;
    const char *arithmetic;
    /* For measure: judge the scaling that is tried against the checkpoint as it is, which is
       measured too ("before"). RW_NO: the verdict is no. */
    bool gate;
} rw_measure_options;

/* RW_ERR_CANCELLED, once it had begun to read: the JSON is there, with what was measured by then
   ("interrupted": true). */
RW_API rw_status rw_measure(rw_context *ctx, const rw_measure_options *options, char **json,
                            rw_error *err);

/* ---- extend: the main job -------------------------------------------------------------------- */

typedef struct rw_extend_options {
    size_t struct_size;
    rw_plan_options plan;
    rw_measure_options measure; /* path, scaling and context are taken from the plan */
    const char *output;         /* directory, or FILE.gguf */
    bool no_measure;            /* read no weights: gate null, no canary */
    bool link;                  /* hard-link unchanged files instead of copying */
    const char *sign;           /* PEM file of a private key; NULL: the receipt is not signed */
    /* Where the extended draft goes; NULL: beside `output`, as OUT-draft or OUT-draft.gguf. */
    const char *companion_output;
} rw_extend_options;

/* Writes OUT with its receipt and report, and the draft with its own when one is named. RW_NO:
   written, and the gate said no. Any other failure leaves nothing of either. */
RW_API rw_status rw_extend(rw_context *ctx, const rw_extend_options *options, char **json,
                           rw_error *err);

/* ---- verify, compare, generate --------------------------------------------------------------- */

typedef struct rw_verify_options {
    size_t struct_size;
    const char *receipt;
    const char *input; /* the checkpoint it was made from; NULL: where the receipt says, if there */
    const char *key;   /* PEM file of the expected signer's public key; NULL: no signer expected  */
} rw_verify_options;

RW_API rw_status rw_verify(rw_context *ctx, const rw_verify_options *options, char **json,
                           rw_error *err);

typedef struct rw_compare_options {
    size_t struct_size;
    const char *a, *b;
    uint64_t length; /* compare up to here; 0: the longer advertised window */
} rw_compare_options;

RW_API rw_status rw_compare(rw_context *ctx, const rw_compare_options *options, char **json,
                            rw_error *err);

typedef struct rw_generate_options {
    size_t struct_size;
    const char *path;
    rw_scaling_options scaling;
    uint64_t context;
    const char *prompt;
    uint64_t tokens;    /* how many to make; 0: 64 */
    double temperature; /* 0: greedy */
    uint64_t seed;
    /* Called with each piece of text as it is made; may be NULL. */
    void (*piece)(void *user, const char *text, size_t size);
    void *user;
    const char *kv_type;    /* as for measure; NULL: "f16", as runtimes serve text */
    const char *arithmetic; /* as for measure; NULL: "f32" */
} rw_generate_options;

RW_API rw_status rw_generate(rw_context *ctx, const rw_generate_options *options, char **json,
                             rw_error *err);

/* ---- keygen ---------------------------------------------------------------------------------- */

typedef struct rw_keygen_options {
    size_t struct_size;
    const char *output; /* of the private key (mode 0600); the public one goes to output.pub */
} rw_keygen_options;

/* Makes an Ed25519 key pair in PEM, for signing receipts. Existing files are refused
   (output.exists); on failure neither file is there. */
RW_API rw_status rw_keygen(rw_context *ctx, const rw_keygen_options *options, char **json,
                           rw_error *err);

#ifdef __cplusplus
}
#endif
#endif
