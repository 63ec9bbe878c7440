/*
 * protocol.h - the perplexity protocols: which windows of a document are read, and which of their
 * predictions count. Everything else (running, storing, averaging) is the same for all of them.
 */
#ifndef RW_MEASURE_PROTOCOL_H
#define RW_MEASURE_PROTOCOL_H

#include "base/base.h"

/* The model reads tokens [start, start + read) of a document. Position p of the window predicts
   token start + p + 1; the predictions of positions [first, first + count) are scored. */
typedef struct rw_window {
    size_t start, read, first, count;
} rw_window;

typedef struct rw_protocol_setting {
    size_t length; /* N: tokens in the window              */
    size_t stride; /* S: sliding, tail                     */
    size_t chunks; /* windows per document at most; 0: all */
} rw_protocol_setting;

typedef struct rw_protocol {
    const char *name;
    const char *means; /* what is averaged, for people */
    size_t length_min;
    /* Each window's first token is replaced by BOS, if the tokenizer adds one. */
    bool window_bos;
    /* Does the window at 0 hold every prediction that the gate's gain needs? */
    bool reads_prefix;
    /* Windows of a document of `tokens` tokens; 0: it is too short. */
    size_t (*windows)(size_t tokens, const rw_protocol_setting *setting);
    rw_window (*window)(size_t tokens, const rw_protocol_setting *setting, size_t index);
} rw_protocol;

/* NULL: there is no such protocol; rw_protocol_names then helps. */
const rw_protocol *rw_protocol_by_name(const char *name);
extern const char rw_protocol_names[]; /* "prefix, half, sliding, tail" */

/* The last S targets of the window [0, N), read by a model that sees only the last `native` tokens
   before the window's end: what the extension must beat. S is at most half of `native`. */
rw_window rw_window_tail(size_t length, size_t stride);
rw_window rw_window_truncated(size_t length, size_t stride, size_t native);
size_t rw_gain_stride(size_t stride, size_t native);

/* ---- position buckets ------------------------------------------------------------------------ */

enum { RW_BUCKETS_MAX = 64 };

/* Edges 0, 256, 384, 512, 768, ... below `length`, then `length`; `native` is always an edge when
   it lies inside. Returns the number of buckets; edges[0 .. buckets] are filled. */
size_t rw_bucket_edges(size_t length, size_t native, size_t edges[RW_BUCKETS_MAX + 1]);

#endif
