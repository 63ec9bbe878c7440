/*
 * tokenizer.json. Input: the file, and behind a NUL text to encode (else some text of ours). What
 * is accepted must encode without a defect, and where the file drops or rewrites nothing, decoding
 * must give the text back.
 */
#include "fuzz_support.h"
#include "tokenizer/tokenizer.h"

/* Parts that may change text: normalizers, strips, prefix spaces, unknown tokens, and tokens that
   decode to something else than they are found by. */
static bool may_rewrite(const char *json, size_t size) {
    static const char *const names[] = {"NF",        "strip",     "add_prefix_space", "unk_token",
                                        "\\u0",      "\"Split\"", "Prepend",          "Replace",
                                        "Metaspace", "Strip",     "ByteFallback"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memmem(json, size, names[i], strlen(names[i])))
            return true;
    return memmem(json, size, "\\u", 2) != NULL;
}

static void check_back(const rw_tokenizer *tokenizer, rw_str text, const int32_t *ids,
                       size_t count) {
    rw_buf back = {.ctx = fuzz_context()};
    rw_error err = {0};
    if (rw_tokenizer_decode(tokenizer, ids, count, 0, &back, &err) != RW_OK ||
        !rw_str_equal((rw_str){back.data, back.size}, text))
        abort();
    rw_buf_free(&back);
}

static void encode(const rw_tokenizer *tokenizer, rw_str text, bool exact) {
    static const unsigned flags[] = {0, RW_TOKENIZE_SPECIAL,
                                     RW_TOKENIZE_DEFAULT | RW_TOKENIZE_DROP};
    for (size_t i = 0; i < 3; i++) {
        int32_t *ids = NULL;
        size_t count = 0;
        rw_error err = {0};
        if (rw_tokenizer_encode(tokenizer, text, flags[i], &ids, &count, &err) != RW_OK)
            fuzz_refused(&err);
        else if (exact && !(flags[i] & RW_TOKENIZE_DROP))
            check_back(tokenizer, text, ids, count);
        rw_free(fuzz_context(), ids);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char sample[] =
        "Hello  world 123 <|endoftext|>\r\n\xc3\xa9 e\xcc\x81\xcc\x96 \xff";
    const char *json = (const char *)data;
    const char *end = size ? memchr(json, 0, size) : NULL;
    size_t json_size = end ? (size_t)(end - json) : size;
    rw_str text =
        end ? (rw_str){end + 1, size - json_size - 1} : (rw_str){sample, sizeof sample - 1};
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    if (rw_tokenizer_from_json(fuzz_context(), (rw_str){json, json_size}, (rw_str){NULL, 0}, "t",
                               &tokenizer, &err) != RW_OK) {
        fuzz_refused(&err);
        return 0;
    }
    encode(tokenizer, text, !may_rewrite(json, json_size));
    rw_tokenizer_free(tokenizer);
    return 0;
}
