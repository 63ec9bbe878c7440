/*
 * describe.h - what the jobs that read no weights share: a checkpoint opened and understood, and
 * the beginning and end of a result.
 */
#ifndef RW_JOB_DESCRIBE_H
#define RW_JOB_DESCRIBE_H

#include "dialect/dialect.h"

typedef struct rw_description {
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_source source;
} rw_description;

/* Opens `path` without weights and reads its source. Close it also after a failure. */
rw_status rw_describe(rw_context *ctx, const char *path, rw_description *out, rw_error *err);
void rw_description_close(rw_description *description);

/* {"schema": "ropewalk.<verb>/1", */
void rw_result_begin(rw_context *ctx, rw_buf *text, rw_json_writer *w, const char *schema);
/* } and a line end; hands the text to the caller, or frees it when `status` is a failure (RW_NO is
   none). Returns the status. */
rw_status rw_result_end(rw_buf *text, rw_json_writer *w, rw_status status, char **json,
                        rw_error *err);

#endif
