/*
 * canonical_json - a line of JSON in, a line of canonical JSON out ("!code" where it is refused);
 * canonical_json.py compares it with another implementation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/receipt.h"

static void answer(rw_context *ctx, rw_str line) {
    rw_arena arena = {.ctx = ctx};
    rw_buf out = {.ctx = ctx};
    rw_error err = {.code = ""};
    const rw_json *root = NULL;
    rw_status status = rw_json_parse(&arena, line, "stdin", &root, &err);
    if (status == RW_OK)
        status = rw_canonical_json(ctx, root, &out, &err);
    if (status == RW_OK)
        fwrite(out.data, 1, out.size, stdout);
    else
        printf("!%s", err.code);
    putchar('\n');
    rw_buf_free(&out);
    rw_arena_free(&arena);
}

int main(void) {
    rw_context *ctx = NULL;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    if (rw_context_create(NULL, &ctx, NULL) != RW_OK)
        return 6;
    while ((size = getline(&line, &capacity, stdin)) > 0)
        answer(ctx, (rw_str){line, (size_t)size});
    free(line);
    rw_context_free(ctx);
    return 0;
}
