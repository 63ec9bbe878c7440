/*
 * describe.c - a checkpoint opened and understood without its weights.
 */
#include "job/describe.h"

#include <string.h>

rw_status rw_describe(rw_context *ctx, const char *path, rw_description *out, rw_error *err) {
    memset(out, 0, sizeof *out);
    out->arena.ctx = ctx;
    if (!path || !*path)
        return rw_fail(err, RW_ERR_USAGE, "job.no_path", "PATH",
                       "say which checkpoint: a directory, a GGUF or a config.json");
    RW_TRY(rw_checkpoint_open(ctx, path, RW_OPEN_NO_WEIGHTS, &out->checkpoint, err));
    return rw_source_read(out->checkpoint, &out->arena, &out->source, err);
}

void rw_description_close(rw_description *description) {
    rw_arena_free(&description->arena);
    rw_checkpoint_close(description->checkpoint);
    description->checkpoint = NULL;
}

void rw_result_begin(rw_context *ctx, rw_buf *text, rw_json_writer *w, const char *schema) {
    memset(text, 0, sizeof *text);
    memset(w, 0, sizeof *w);
    text->ctx = ctx;
    w->out = text;
    w->indent = 2;
    rw_json_begin_object(w);
    rw_json_member_string(w, "schema", schema);
}

rw_status rw_result_end(rw_buf *text, rw_json_writer *w, rw_status status, char **json,
                        rw_error *err) {
    if (status == RW_OK || status == RW_NO) {
        rw_json_end_object(w);
        rw_buf_char(text, '\n');
        rw_status memory = rw_buf_status(text, err);
        if (memory != RW_OK)
            status = memory;
    }
    if (status != RW_OK && status != RW_NO) {
        rw_buf_free(text);
        return status;
    }
    *json = text->data;
    return status;
}
