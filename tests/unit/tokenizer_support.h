/*
 * tokenizer_support.h - loading tokenizers and comparing ids, for the tokenizer room's tests.
 */
#ifndef RW_TESTS_TOKENIZER_SUPPORT_H
#define RW_TESTS_TOKENIZER_SUPPORT_H

#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

static inline rw_buf load_text(rw_context *ctx, const char *path) {
    rw_buf text = {.ctx = ctx};
    rw_error err = {0};
    assert_ok(rw_file_load(ctx, path, 1u << 28, &text, &err));
    return text;
}

static inline rw_tokenizer *load_json(rw_context *ctx, rw_str json, const char *config) {
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_ok(
        rw_tokenizer_from_json(ctx, json, rw_str_of(config), "tokenizer.json", &tokenizer, &err));
    return tokenizer;
}

static inline rw_tokenizer *load_path(rw_context *ctx, const char *path) {
    rw_buf text = load_text(ctx, path);
    rw_tokenizer *tokenizer = load_json(ctx, (rw_str){text.data, text.size}, NULL);
    rw_buf_free(&text);
    return tokenizer;
}

static inline rw_tokenizer *load_tiny(rw_context *ctx) {
    return load_path(ctx, RW_SOURCE_DIR "/models/tiny/tokenizer.json");
}

static inline int32_t *encode(const rw_tokenizer *tokenizer, rw_str text, unsigned flags,
                              size_t *count) {
    int32_t *ids = NULL;
    rw_error err = {0};
    assert_ok(rw_tokenizer_encode(tokenizer, text, flags, &ids, count, &err));
    return ids;
}

/* Fails with `what` and the place unless `ids` are the array `expected`, of which at most `limit`
   are looked at. */
static inline void assert_ids(const char *what, const int32_t *ids, size_t count,
                              const rw_json *expected, size_t limit) {
    size_t wanted = expected->count < limit ? expected->count : limit;
    const rw_json *item = expected->first;
    for (size_t i = 0; i < wanted; i++, item = item->next)
        if (i >= count || ids[i] != (int32_t)item->number)
            fail_msg("%s: id %zu of %zu is %d, not %d", what, i, wanted, i < count ? ids[i] : -1,
                     (int)item->number);
    if (limit > expected->count && count != expected->count)
        fail_msg("%s: %zu ids, not %zu", what, count, expected->count);
}

/* Encodes without flags and fails unless decoding gives the same bytes. */
static inline void assert_round_trip(rw_context *ctx, const rw_tokenizer *tokenizer, rw_str text) {
    size_t count = 0;
    int32_t *ids = encode(tokenizer, text, RW_TOKENIZE_SPECIAL, &count);
    rw_buf back = {.ctx = ctx};
    rw_error err = {0};
    assert_ok(rw_tokenizer_decode(tokenizer, ids, count, 0, &back, &err));
    assert_int_equal(back.size, text.size);
    if (text.size > 0)
        assert_memory_equal(back.data, text.data, text.size);
    rw_buf_free(&back);
    rw_free(ctx, ids);
}

#endif
