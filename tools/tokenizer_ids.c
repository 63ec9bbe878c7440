/*
 * tokenizer_ids.c - the ids of a text, for tools/tokenizer_check.py.
 *
 *   tokenizer_ids TOKENIZER TEXT OUT [FLAGS]
 *
 * TOKENIZER is a tokenizer.json, or the tokenizer.ggml.* values of a GGUF as JSON ({"model", "pre",
 * "tokens", "types", "merges", "scores", "bos", "eos", "add_bos", "add_eos", "add_space_prefix"}).
 * TEXT holds parts separated by NUL, each encoded by itself; OUT gets, for every part, its number
 * of ids and the ids, as little-endian int32. FLAGS is a number of RW_TOKENIZE_*. Decoding is
 * checked to give back the text. Speed goes to stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

static void check(rw_status status, const rw_error *err) {
    if (status == RW_OK)
        return;
    fprintf(stderr, "%s [%s] at %lld: %s\n", err->where, err->code, (long long)err->offset,
            err->message);
    exit(rw_status_exit_code(status));
}

static rw_str *strings(const rw_json *list) {
    rw_str *out = calloc(list->count + 1, sizeof *out);
    size_t i = 0;
    for (const rw_json *item = list->first; item; item = item->next)
        out[i++] = item->string;
    return out;
}

static float *numbers(const rw_json *list, size_t count) {
    float *out = calloc(count + 1, sizeof *out);
    size_t i = 0;
    for (const rw_json *item = list->first; item && i < count; item = item->next)
        out[i++] = (float)item->number;
    return out;
}

/* true, false or absent */
static int flag(const rw_json *root, const char *key) {
    const rw_json *value = rw_json_get(root, key);
    return rw_json_is_null(value) ? -1 : rw_json_bool_or(value, false);
}

static rw_status from_vocabulary(rw_context *ctx, const rw_json *root, const char *where,
                                 rw_tokenizer **out, rw_error *err) {
    const rw_json *tokens = rw_json_get(root, "tokens"), *types = rw_json_get(root, "types"),
                  *merges = rw_json_get(root, "merges");
    int32_t *type = calloc(tokens->count + 1, sizeof *type);
    size_t i = 0;
    for (const rw_json *item = types->first; item && i < tokens->count; item = item->next)
        type[i++] = (int32_t)item->number;
    const rw_json *scores = rw_json_get(root, "scores");
    float *score = rw_json_is_null(scores) ? NULL : numbers(scores, tokens->count);
    rw_vocabulary vocabulary = {.tokens = strings(tokens),
                                .types = type,
                                .count = tokens->count,
                                .merges = strings(merges),
                                .merge_count = merges->count,
                                .model = rw_json_string_or(rw_json_get(root, "model"), ""),
                                .pre = rw_json_string_or(rw_json_get(root, "pre"), ""),
                                .bos = (int64_t)rw_json_number_or(rw_json_get(root, "bos"), -1),
                                .eos = (int64_t)rw_json_number_or(rw_json_get(root, "eos"), -1),
                                .scores = score,
                                .add_space_prefix = flag(root, "add_space_prefix"),
                                .add_bos = flag(root, "add_bos"),
                                .add_eos = flag(root, "add_eos")};
    rw_status status = rw_tokenizer_from_vocabulary(ctx, &vocabulary, where, out, err);
    free((void *)vocabulary.tokens);
    free((void *)vocabulary.merges);
    free(score);
    free(type);
    return status;
}

static rw_tokenizer *load(rw_context *ctx, const char *path, rw_error *err) {
    rw_buf text = {.ctx = ctx};
    check(rw_file_load(ctx, path, 1u << 30, &text, err), err);
    rw_arena arena = {.ctx = ctx};
    const rw_json *root = NULL;
    rw_str json = {text.data, text.size};
    check(rw_json_parse(&arena, json, path, &root, err), err);
    rw_tokenizer *tokenizer = NULL;
    check(rw_json_get(root, "tokens")
              ? from_vocabulary(ctx, root, path, &tokenizer, err)
              : rw_tokenizer_from_json(ctx, json, (rw_str){NULL, 0}, path, &tokenizer, err),
          err);
    rw_arena_free(&arena);
    rw_buf_free(&text);
    return tokenizer;
}

/* Encodes one part and writes it; false when decoding it gives other bytes. */
static bool part(rw_context *ctx, const rw_tokenizer *tokenizer, rw_str text, unsigned flags,
                 FILE *out, double *seconds, rw_error *err) {
    int32_t *ids = NULL;
    size_t count = 0;
    clock_t begin = clock(); /* processor time: others may share the machine */
    check(rw_tokenizer_encode(tokenizer, text, flags, &ids, &count, err), err);
    *seconds += (double)(clock() - begin) / CLOCKS_PER_SEC;
    int32_t head = (int32_t)count;
    fwrite(&head, sizeof head, 1, out);
    if (count > 0)
        fwrite(ids, sizeof *ids, count, out);
    rw_buf back = {.ctx = ctx};
    check(rw_tokenizer_decode(tokenizer, ids, count, 0, &back, err), err);
    bool same = rw_str_equal((rw_str){back.data, back.size}, text);
    rw_buf_free(&back);
    rw_free(ctx, ids);
    return same;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: tokenizer_ids TOKENIZER TEXT OUT [FLAGS]\n");
        return 2;
    }
    unsigned flags =
        argc > 4 ? (unsigned)strtoul(argv[4], NULL, 0) : RW_TOKENIZE_DEFAULT | RW_TOKENIZE_DROP;
    rw_error err = {0};
    rw_context *ctx = NULL;
    check(rw_context_create(NULL, &ctx, &err), &err);
    rw_tokenizer *tokenizer = load(ctx, argv[1], &err);
    rw_buf text = {.ctx = ctx};
    check(rw_file_load(ctx, argv[2], 1u << 31, &text, &err), &err);
    FILE *out = fopen(argv[3], "wb");
    if (!out)
        return 5;
    double seconds = 0;
    size_t parts = 0, changed = 0;
    for (size_t at = 0; at <= text.size; parts++) {
        const char *end = at < text.size ? memchr(text.data + at, 0, text.size - at) : NULL;
        size_t size = end ? (size_t)(end - text.data) - at : text.size - at;
        changed +=
            !part(ctx, tokenizer, (rw_str){text.data + at, size}, flags, out, &seconds, &err);
        at += size + 1;
    }
    fprintf(stderr, "%zu parts, %zu bytes, %.1f MB/s, %zu parts not given back by decode\n", parts,
            text.size, (double)text.size / 1e6 / seconds, changed);
    rw_buf_free(&text);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
    return fclose(out) == 0 ? 0 : 5;
}
