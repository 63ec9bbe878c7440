/*
 * jsonl.h - one JSON object a line, read in pieces and hashed whole. Every error names the line.
 */
#ifndef RW_MEASURE_JSONL_H
#define RW_MEASURE_JSONL_H

#include "base/hash.h"
#include "base/json.h"

typedef struct rw_jsonl rw_jsonl;
struct rw_jsonl {
    rw_context *ctx;
    const char *path;
    const char *room; /* of the error codes: "data" gives data.syntax, data.utf8 */
    void *user;
    /* Takes the value of one line; its text lives until this returns. */
    rw_status (*take)(rw_jsonl *reader, const rw_json *value, rw_error *err);
    bool full;           /* set by `take`: hash the rest, don't parse it */
    uint32_t line;       /* from 1; 0 before the first */
    uint64_t line_begin; /* byte in the file */
    rw_buf text;         /* the part of the current line read so far */
};

/* Gives every line that is not blank to `take`. The digest is the whole file's. Codes beside those
   of `take`: <room>.syntax, <room>.utf8, file.*. */
rw_status rw_jsonl_read(rw_jsonl *reader, rw_sha256 *digest, rw_error *err);

/* An input error about the current line; `offset` counts from its first byte. */
rw_status rw_jsonl_fail(const rw_jsonl *reader, uint64_t offset, const char *reason, rw_error *err,
                        const char *format, ...) RW_PRINTF(5, 6);

/* `cause` as an error about the current line, if it is one of the input; else as it is. */
rw_status rw_jsonl_blame(const rw_jsonl *reader, uint64_t offset, const rw_error *cause,
                         rw_error *err);

/* Copy of what stands behind the last slash; rw_alloc memory, NULL without any. */
char *rw_jsonl_name(rw_context *ctx, const char *path);

#endif
