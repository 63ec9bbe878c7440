/*
 * text.c - results as text that the caller owns.
 */
#include "base/base.h"
#include "ropewalk/job.h"

void rw_text_free(rw_context *ctx, char *text) {
    rw_free(ctx, text);
}
