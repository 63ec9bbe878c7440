/*
 * model_families - the negative log-likelihoods of given tokens under a model, for
 * model_families.py: one a line, of token i + 1 given tokens 0 .. i.
 *
 * model_families [--int8] MODEL TOKEN...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"
#include "model/model.h"

enum { TOKENS_MAX = 4096 };

static rw_error err;

static void must(rw_status status) {
    if (status == RW_OK)
        return;
    fprintf(stderr, "[%s] %s: %s\n", err.code, err.where, err.message);
    exit(rw_status_exit_code(status));
}

static void score(const rw_model *model, const rw_rope_set *rope, rw_arithmetic arithmetic,
                  const int32_t *tokens, size_t n) {
    double nll[TOKENS_MAX];
    rw_session *session;
    rw_session_options options = {
        .rope = rope, .capacity = n, .engine = {.arithmetic = arithmetic}};
    rw_outputs outputs = {.count = n - 1, .target = tokens + 1, .nll = nll};
    must(rw_session_create(model, &options, &session, &err));
    must(rw_session_forward(session, tokens, n, &outputs, NULL, &err));
    for (size_t i = 0; i + 1 < n; i++)
        printf("%.9g\n", nll[i]);
    rw_session_free(session);
}

int main(int argc, char **argv) {
    rw_context_options options = {.struct_size = sizeof options, .threads = 1};
    rw_context *ctx;
    rw_checkpoint *checkpoint;
    rw_source source;
    rw_rope_set rope;
    rw_model *model;
    int32_t tokens[TOKENS_MAX];
    bool int8 = argc > 1 && strcmp(argv[1], "--int8") == 0;
    argv += int8;
    argc -= int8;
    if (argc < 4 || argc - 2 > TOKENS_MAX)
        return 2;
    for (int i = 2; i < argc; i++)
        tokens[i - 2] = (int32_t)strtol(argv[i], NULL, 10);
    must(rw_context_create(&options, &ctx, &err));
    rw_arena arena = {.ctx = ctx};
    must(rw_checkpoint_open(ctx, argv[1], 0, &checkpoint, &err));
    must(rw_source_read(checkpoint, &arena, &source, &err));
    must(rw_dialect_read_best(&source, &rope, NULL, &err));
    must(rw_model_load(ctx, checkpoint, &source.arch, &model, &err));
    score(model, &rope, int8 ? RW_ARITHMETIC_INT8 : RW_ARITHMETIC_F32, tokens, (size_t)argc - 2);
    rw_model_free(model);
    rw_checkpoint_close(checkpoint);
    rw_arena_free(&arena);
    rw_context_free(ctx);
    return 0;
}
