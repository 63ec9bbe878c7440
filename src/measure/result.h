/*
 * result.h - what a measurement is made of. Arena memory throughout.
 */
#ifndef RW_MEASURE_RESULT_H
#define RW_MEASURE_RESULT_H

#include "measure/pack.h"
#include "measure/scope.h"
#include "measure/statistics.h"
#include "measure/store.h"

typedef struct rw_bucket {
    size_t from, to; /* positions in the window */
    rw_share total;
} rw_bucket;

/* Perplexity at one length. */
typedef struct rw_row {
    size_t length;
    size_t document_count;
    uint32_t *documents; /* [document_count] index into the corpus */
    rw_share *shares;    /* [document_count]                       */
    rw_share total;
    uint64_t bytes; /* of text that the scored tokens stand for */
    double nll;     /* NaN without documents */
    rw_interval ci; /* of nll                */
    size_t bucket_count;
    rw_bucket *buckets;      /* [bucket_count]                  */
    rw_share *bucket_shares; /* [document_count][bucket_count] */
} rw_row;

/* The last `stride` targets of [0, length): read whole, and read with the last native tokens. */
typedef struct rw_tail_row {
    size_t length, stride;
    size_t document_count;
    uint32_t *documents;
    rw_share *whole;     /* [document_count] */
    rw_share *truncated; /* [document_count], or NULL: not read */
} rw_tail_row;

/* One task at one length and depth. */
typedef struct rw_cell {
    const char *task, *wording;
    size_t length;
    double depth;
    bool impossible; /* the length has no room for the task */
    uint64_t trials, correct;
    uint64_t written; /* of the trials: greedy decoding writes the answer */
    rw_share answer;  /* NLL of the answer's tokens */
} rw_cell;

/* Reading whole against reading a prefix and then token by token. */
typedef struct rw_decode_check {
    bool measured;
    size_t position, steps;
    double difference;  /* greatest |nll - nll| */
    const char *reason; /* when not measured */
} rw_decode_check;

struct rw_measurement {
    rw_context *ctx;
    rw_arena arena;
    rw_scope scope; /* as it was run */
    bool depends_on_length;
    rw_sha256 digest; /* of the data */
    const char *data_name;
    uint32_t *lines; /* [scope.documents] line of each document in the data */
    size_t document_count;
    rw_store store;
    rw_row *rows; /* [row_count], by length */
    size_t row_count;
    rw_tail_row *tails; /* [tail_count], by length */
    size_t tail_count;
    rw_cell *cells; /* [cell_count], by task, length, depth */
    size_t cell_count;
    rw_decode_check decode;
    rw_pack_run *pack; /* NULL: none was given */
    rw_diagnostics diagnostics;
    /* budget and time */
    double budget_seconds, predicted_seconds, seconds;
    uint64_t tokens_read;
    bool out_of_time, interrupted;
    bool no_timing;
    const char *suite; /* NULL: none */
    const char **cuts; /* [cut_count] what the budget took away, in words */
    size_t cut_count;
};

/* perplexity.c */
/* Reads every window that `scope` wants. RW_ERR_TIME leaves what was read. */
rw_status rw_perplexity_fill(const rw_scope *scope, rw_store *store, rw_scorer *scorer,
                             rw_error *err);
/* Rows and tails from what is in the store. */
rw_status rw_perplexity_derive(rw_measurement *m, const rw_tokenizer *tokenizer, rw_error *err);

/* retrieval_run.c */
rw_status rw_retrieval_run(rw_measurement *m, rw_scorer *scorer, const rw_corpus *corpus,
                           const rw_tokenizer *tokenizer, rw_error *err);

/* decode.c */
rw_status rw_decode_run(rw_measurement *m, rw_scorer *scorer, const rw_corpus *corpus,
                        rw_error *err);

/* A whole measurement on any scorer. */
typedef struct rw_making {
    const rw_scope *scope;
    rw_scorer *scorer;
    const rw_tokenizer *tokenizer;
    const rw_corpus *corpus;
    const rw_measure_options *options;
    const rw_measurement *like; /* as in rw_subject, or NULL     */
    rw_journal *journal;        /* NULL: none                     */
    const char *side;           /* "before", "after": for the journal; NULL: "one" */
} rw_making;

rw_status rw_measurement_make(rw_context *ctx, const rw_making *making, rw_measurement **out,
                              rw_error *err);

#endif
