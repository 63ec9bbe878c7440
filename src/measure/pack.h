/*
 * pack.h - the user's own evaluation: questions over long texts, one JSON object a line.
 *
 * docs/protocols.md has the format in words. Lengths are counted with the model's tokenizer; an
 * item that does not fit the window is never cut: it is left undefined, and named.
 */
#ifndef RW_MEASURE_PACK_H
#define RW_MEASURE_PACK_H

#include "base/diagnostic.h"
#include "measure/measure.h"
#include "measure/scorer.h"
#include "measure/statistics.h"

typedef enum rw_pack_type {
    RW_PACK_QA,
    RW_PACK_EXTRACT,
    RW_PACK_CHOICE,
    RW_PACK_LM,
    RW_PACK_PASSKEY,
    RW_PACK_TYPES
} rw_pack_type;

typedef enum rw_pack_match {
    RW_MATCH_EXACT,
    RW_MATCH_ANY,
    RW_MATCH_ALL,
    RW_MATCH_REGEX,
    RW_MATCH_CHOICE,
    RW_MATCH_F1,
    RW_PACK_MATCHES
} rw_pack_match;

const char *rw_pack_type_name(rw_pack_type type);    /* "qa", ... */
const char *rw_pack_match_name(rw_pack_match match); /* "exact", ... */

/* ---- reading: pack.c, pack_tokens.c -----------------------------------------------------------
 */

typedef struct rw_pack_tokens {
    int32_t *ids; /* [count] */
    size_t count;
} rw_pack_tokens;

typedef struct rw_pack_item {
    const char *id;
    uint32_t line;
    rw_pack_type type;
    rw_pack_match match;
    rw_str *answers; /* [answer_count] */
    size_t answer_count;
    rw_pack_tokens prompt; /* context, question, stem */
    rw_pack_tokens closed; /* the same without the context; count 0: there is no such control */
    /* The prompt without its evidence, and the first answer as it goes on from either; counts 0:
       there is no such control. */
    rw_pack_tokens removed, probe;
    /* choice: the choices; lm: the answers. Their tokens and bytes as they go on from the prompt.
     */
    rw_pack_tokens *endings; /* [ending_count] */
    size_t *ending_bytes;    /* [ending_count] */
    size_t ending_count;
    size_t right;   /* choice: index of the right one             */
    size_t reserve; /* tokens kept free for the answer            */
    size_t length;  /* prompt and answer; what counts as "length" */
    double depth;   /* of the evidence's middle in the context; NaN: not said (passkey: its own) */
} rw_pack_item;

struct rw_pack {
    rw_context *ctx;
    rw_arena arena;
    const char *file, *name, *license, *created; /* name falls back on the file's; others may be
                                                    NULL */
    uint64_t version;                            /* 0: not said */
    rw_sha256 digest;
    rw_pack_item *items; /* [count], in the order of the file */
    size_t count;
    rw_diagnostics diagnostics;
};

/* ---- matching: pack_match.c, no model ---------------------------------------------------------
 */

/* How well `said` answers, 0 .. 1: exact, any and regex are 0 or 1, all is the share of answers
   found, f1 the best answer's. */
rw_status rw_pack_score(rw_arena *arena, rw_pack_match match, const rw_str *answers, size_t count,
                        rw_str said, double *out, rw_error *err);

/* From this score on an answer is right. */
double rw_pack_right_from(rw_pack_match match);

/* Is `pattern` a POSIX extended regular expression that can be run on hostile text? `reason` is
   filled with why not. */
bool rw_pack_pattern_ok(rw_str pattern, char *reason, size_t size);

/* Letters folded (ASCII), white space collapsed; `strip`: punctuation around words taken off. */
rw_status rw_pack_normalise(rw_arena *arena, rw_str text, bool strip, rw_str *out, rw_error *err);

/* ---- running: pack_run.c ----------------------------------------------------------------------
 */

typedef enum rw_pack_outcome {
    RW_PACK_UNREAD,   /* the time was up               */
    RW_PACK_TOO_LONG, /* for the window: undefined     */
    RW_PACK_NO_ROOM,  /* a passkey that its own length does not hold: undefined */
    RW_PACK_WRONG,
    RW_PACK_RIGHT,
    RW_PACK_CLOSED_BOOK, /* right without the context too: no evidence of reading it */
    RW_PACK_OUTCOMES
} rw_pack_outcome;

const char *rw_pack_outcome_name(rw_pack_outcome outcome);

typedef struct rw_pack_result {
    const char *id; /* arena of the run */
    uint32_t line;
    rw_pack_type type;
    rw_pack_match match;
    size_t length;
    double depth;
    rw_pack_outcome outcome;
    bool controlled;      /* the question was asked without the context too */
    double evidence_gain; /* nats a token of the answer that the evidence brings; NaN: not asked */
    double score;         /* 0 .. 1; NaN: not scored */
    rw_share answer;      /* NLL of the answer's tokens, where it is teacher-forced */
    const char *said;     /* what was generated; NULL: nothing was */
    double seconds;       /* for the answer, the control aside */
} rw_pack_result;

/* Items whose length lies in (from, to]. */
typedef struct rw_pack_bin {
    size_t from, to;
    uint64_t items, right; /* that count: right or wrong */
    uint64_t closed_book, unread, no_room;
} rw_pack_bin;

enum { RW_PACK_BINS_MAX = 40 };

/* What taking the evidence out costs the answers, over the items that count. */
typedef struct rw_pack_evidence {
    uint64_t items;
    double gain; /* mean over items; NaN: none */
    rw_interval ci;
} rw_pack_evidence;

/* A pack as one model answered it. */
typedef struct rw_pack_run {
    const char *file, *name, *license, *created;
    uint64_t version;
    rw_sha256 digest;
    size_t native, context;
    rw_pack_result *results; /* [count] */
    size_t count;
    rw_pack_bin bins[RW_PACK_BINS_MAX]; /* by length, the last one ends at the context */
    size_t bin_count;
    uint64_t too_long;                        /* in no bin */
    rw_pack_evidence evidence, evidence_long; /* of all, and of those beyond the native window */
} rw_pack_run;

typedef struct rw_pack_setting {
    size_t native, context; /* bins; longer than `context` is too long */
    uint64_t seed;
    const rw_corpus *corpus; /* filler of passkey items */
    const rw_tokenizer *tokenizer;
} rw_pack_setting;

/* Every item unread, with memory of `arena`; `pack` is not needed afterwards to read the result. */
rw_status rw_pack_begin(rw_arena *arena, const rw_pack *pack, const rw_pack_setting *setting,
                        rw_pack_run *out, rw_error *err);
/* Asks item after item. RW_ERR_TIME leaves the rest unread. */
rw_status rw_pack_answer(rw_arena *arena, const rw_pack *pack, const rw_pack_setting *setting,
                         rw_scorer *scorer, rw_pack_run *run, rw_error *err);
/* Fills the bins from the results. */
void rw_pack_count(rw_pack_run *run);

/* Fills `evidence` and `evidence_long`: means over items, with intervals from 8 on. */
rw_status rw_pack_weigh_evidence(rw_context *ctx, rw_pack_run *run, uint64_t seed, rw_error *err);

/* What answering takes, in the scorer's unit of cost, and in tokens. */
void rw_pack_estimate(const rw_pack *pack, size_t context, const rw_scorer *scorer, double *cost,
                      uint64_t *tokens);

/* Edges (0, L0], (L0, 2 L0], ... up to the context. */
size_t rw_pack_bin_edges(size_t native, size_t context, rw_pack_bin out[RW_PACK_BINS_MAX]);

/* The bins that lie in (beyond, up_to], as one. */
rw_pack_bin rw_pack_total(const rw_pack_run *run, size_t beyond, size_t up_to);

/* The "pack" object (pack_write.c). */
void rw_pack_write(rw_json_writer *w, const rw_pack_run *run);

#endif
