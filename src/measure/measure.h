/*
 * measure.h - perplexity by length and position, retrieval by depth, and the gate.
 *
 * The stored fact is the per-token negative log-likelihood of each document; every protocol's
 * figure is derived from it. Protocols and wordings: docs/protocols.md.
 */
#ifndef RW_MEASURE_MEASURE_H
#define RW_MEASURE_MEASURE_H

#include "base/diagnostic.h"
#include "model/model.h"
#include "ropewalk/job.h"

/* ---- data ------------------------------------------------------------------------------------ */

typedef struct rw_document {
    int32_t *tokens; /* [count], BOS in front when the tokenizer's files say so */
    size_t count;
    uint32_t line; /* in the JSONL file, from 1 */
} rw_document;

typedef struct rw_corpus {
    rw_context *ctx;
    rw_document *documents;
    size_t count;
    rw_sha256 digest; /* of the file */
    char *name;       /* its base name */
} rw_corpus;

enum { RW_MEASURE_DOCUMENTS = 12 }; /* read and measured unless the caller says otherwise */

/* Reads JSONL ({"text":...} or {"tokens":[...]} a line), at most `limit` documents (0: all). Errors
   name the line: data.syntax, data.utf8, data.type, data.token_range, data.empty. */
rw_status rw_corpus_read(rw_context *ctx, const char *path, const rw_tokenizer *tokenizer,
                         uint64_t limit, rw_corpus *out, rw_error *err);
void rw_corpus_free(rw_corpus *corpus);

/* An evaluation pack (pack.h). Errors name the line: pack.syntax, pack.utf8, pack.type,
   pack.missing, pack.unknown, pack.duplicate_id, pack.empty, pack.answer, pack.choice, pack.regex,
   pack.range, pack.file, pack.sha256. */
typedef struct rw_pack rw_pack;
rw_status rw_pack_read(rw_context *ctx, const char *path, const rw_tokenizer *tokenizer,
                       rw_pack **out, rw_error *err);
void rw_pack_free(rw_pack *pack); /* NULL is fine */

/* ---- measuring ------------------------------------------------------------------------------- */

/* Everything one measurement found; memory in its arena. */
typedef struct rw_measurement rw_measurement;

/* Remembers what was read, so that a measurement that was stopped can go on (journal.h). */
typedef struct rw_journal rw_journal;

/* What sessions took while they ran. */
typedef struct rw_memory_seen {
    rw_resident most;
    uint64_t capacity; /* of the largest */
} rw_memory_seen;

typedef struct rw_subject {
    const rw_model *model;
    const rw_tokenizer *tokenizer;
    const rw_rope_set *rope;
    uint64_t native;
    uint64_t context; /* target window: what the gate wants covered; 0: the longest length */
    /* Don't read the windows cut to the native length: only the unextended model's are needed. */
    bool no_baseline;
    /* Measure exactly what this one measured, after its budget's cuts, instead of cutting anew: so
       that the gate compares like with like. NULL: by the options. */
    const rw_measurement *like;
    const rw_pack *pack; /* asked too; NULL: none */
    rw_journal *journal; /* NULL: none */
    rw_engine engine;
    rw_memory_seen *memory; /* told what sessions took; NULL: nobody asks */
} rw_subject;

/* Measures `subject` by `options` (path, scaling and data are already resolved into the other
   arguments). A run that is out of budget, or was cancelled once reading had begun, returns what it
   has, marked, with RW_OK. The result does not need `subject` or `corpus` any more. Codes:
   measure.protocol, measure.task, measure.length, measure.depth (RW_ERR_USAGE),
   measure.documents_short. */
rw_status rw_measurement_run(rw_context *ctx, const rw_subject *subject, const rw_corpus *corpus,
                             const rw_measure_options *options, rw_measurement **out,
                             rw_error *err);
void rw_measurement_free(rw_measurement *measurement);

/* What `suite` ("fast"; NULL: none) means for options that were not given, filled in. Code:
   measure.suite (RW_ERR_USAGE). */
rw_status rw_suite_apply(const char *suite, rw_measure_options *options, rw_error *err);

/* It was cancelled before everything was measured. */
bool rw_measurement_interrupted(const rw_measurement *measurement);

/* To add what the caller has to say before the measurement is written. */
rw_diagnostics *rw_measurement_diagnostics(rw_measurement *measurement);

/* Members "protocol" .. "diagnostics" of the contract, into an open object. */
void rw_measurement_write(rw_json_writer *w, const rw_measurement *measurement);
typedef struct rw_gate rw_gate;
/* The same with a verdict on it (NULL: "gate" is null). */
void rw_measurement_write_judged(rw_json_writer *w, const rw_measurement *measurement,
                                 const rw_gate *gate);

/* ---- the gate: a pure function on scores ----------------------------------------------------- */

typedef struct rw_gate_options {
    const char *thresholds;      /* "short_cost=0.05,pack=0.9"; NULL: the defaults          */
    const char *allow_undefined; /* "D3,pack": may stay undefined; NULL: none               */
    const char *suite;           /* "fast": retrieval is provisional; NULL: none            */
    uint64_t model_bytes;        /* of the checkpoint's weights; 0: not known               */
    double usd_per_call;         /* for the foreign K-score; 0: not known                   */
} rw_gate_options;

/* Before anything is measured: do the options mean something? Codes, all RW_ERR_USAGE:
   measure.threshold, measure.waiver. */
rw_status rw_gate_options_check(const rw_gate_options *options, rw_error *err);

/* Judges `after` against `before` (same corpus, same options). `options` may be NULL. */
rw_status rw_gate_judge(rw_context *ctx, const rw_measurement *before, const rw_measurement *after,
                        const rw_gate_options *options, rw_gate **out, rw_error *err);
bool rw_gate_passed(const rw_gate *gate);
void rw_gate_write(rw_json_writer *w, const rw_gate *gate); /* the "gate" object */
void rw_gate_free(rw_gate *gate);

#endif
