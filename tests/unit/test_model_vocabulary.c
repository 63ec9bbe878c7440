/*
 * The tokenizer that a GGUF's own keys make: each key is heard, and what does not fit is refused.
 */
#include "checkpoint_support.h"
#include "model/model.h"

#define MARK "\xe2\x96\x81"

/* Of "▁ab" the scores join ▁ and a; the other order would be the one of the ids. */
static const struct {
    const char *text;
    uint32_t type;
    float score;
} tokens[] = {{"<unk>", RW_TOKEN_UNKNOWN, 0}, {"<s>", RW_TOKEN_CONTROL, 0},
              {MARK, RW_TOKEN_NORMAL, -10},   {"a", RW_TOKEN_NORMAL, -11},
              {"b", RW_TOKEN_NORMAL, -12},    {"ab", RW_TOKEN_NORMAL, -2},
              {MARK "a", RW_TOKEN_NORMAL, -1}};
enum { TOKENS = sizeof tokens / sizeof *tokens, ABSENT = -1 };

typedef struct file_options {
    const char *model; /* NULL: no such key */
    uint64_t scores, types;
    int add_bos, add_eos, add_prefix;
} file_options;

static const file_options usual = {"llama", TOKENS, TOKENS, ABSENT, ABSENT, ABSENT};

static void put_list(bytes *b, const char *key, uint32_t type, uint64_t count) {
    put_key(b, key, RW_GGUF_ARRAY);
    put_number(b, "element type", type, 4);
    put_number(b, "array count", count, 8);
}

static uint64_t put_flag(bytes *b, const char *key, int value) {
    if (value != ABSENT)
        put_scalar(b, key, RW_GGUF_BOOL, (uint64_t)value, 1);
    return value != ABSENT;
}

static uint64_t put_values(bytes *b, const file_options *o) {
    uint64_t count = 6;
    put_key(b, "general.architecture", RW_GGUF_STRING);
    put_text(b, "string length", "llama");
    if (o->model) {
        put_key(b, "tokenizer.ggml.model", RW_GGUF_STRING);
        put_text(b, "string length", o->model);
        count++;
    }
    put_list(b, "tokenizer.ggml.tokens", RW_GGUF_STRING, TOKENS);
    for (size_t i = 0; i < TOKENS; i++)
        put_text(b, "string length", tokens[i].text);
    put_list(b, "tokenizer.ggml.scores", RW_GGUF_F32, o->scores);
    for (size_t i = 0; i < o->scores; i++)
        put_bytes(b, &tokens[i % TOKENS].score, 4);
    put_list(b, "tokenizer.ggml.token_type", RW_GGUF_I32, o->types);
    for (size_t i = 0; i < o->types; i++)
        put_bytes(b, &tokens[i % TOKENS].type, 4);
    put_scalar(b, "tokenizer.ggml.bos_token_id", RW_GGUF_U32, 1, 4);
    put_scalar(b, "tokenizer.ggml.eos_token_id", RW_GGUF_U32, 4, 4);
    count += put_flag(b, "tokenizer.ggml.add_bos_token", o->add_bos);
    count += put_flag(b, "tokenizer.ggml.add_eos_token", o->add_eos);
    return count + put_flag(b, "tokenizer.ggml.add_space_prefix", o->add_prefix);
}

static void make_file(bytes *b, const file_options *o) {
    memset(b, 0, sizeof *b);
    put_bytes(b, "GGUF", 4);
    put_number(b, "version", 3, 4);
    put_number(b, "tensor count", 0, 8);
    size_t at = b->size;
    put_number(b, "value count", 0, 8);
    store(b->data + at, put_values(b, o), 8);
    put_padding(b, 32);
}

/* The tokenizer of such a file for a llama of `vocab` rows. */
static rw_status load(rw_context *ctx, const file_options *options, const char *family,
                      uint32_t vocab, rw_tokenizer **out, rw_error *error) {
    static bytes b;
    rw_error err = {0};
    memory_file file = memory_file_make();
    rw_checkpoint *checkpoint;
    rw_arch arch = {
        .family = rw_family_of_gguf(rw_str_of(family)), .name = "an architecture", .vocab = vocab};
    make_file(&b, options);
    memory_file_set(&file, b.data, b.size);
    assert_ok(rw_checkpoint_open(ctx, file.path, 0, &checkpoint, &err));
    rw_status status = rw_model_tokenizer(ctx, checkpoint, &arch, out, error);
    rw_checkpoint_close(checkpoint);
    close(file.fd);
    return status;
}

static void check_ids(const file_options *options, const char *text, const char *wanted) {
    rw_context *ctx = test_context();
    rw_buf list = {.ctx = ctx};
    rw_error err = {0};
    rw_tokenizer *tokenizer;
    int32_t *ids;
    size_t count;
    assert_ok(load(ctx, options, "llama", TOKENS, &tokenizer, &err));
    assert_ok(
        rw_tokenizer_encode(tokenizer, rw_str_of(text), RW_TOKENIZE_DEFAULT, &ids, &count, &err));
    for (size_t i = 0; i < count; i++)
        rw_buf_format(&list, i ? " %d" : "%d", ids[i]);
    assert_string_equal(list.data, wanted);
    rw_buf_free(&list);
    rw_free(ctx, ids);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void test_keys_are_heard(void **state) {
    (void)state;
    file_options o = usual;
    check_ids(&o, "ab", "1 6 4");
    check_ids(&o, "<s>ab", "1 1 6 4"); /* by its type */
    o.add_bos = 0;
    check_ids(&o, "ab", "6 4");
    o.add_bos = o.add_eos = 1;
    check_ids(&o, "ab", "1 6 4 4");
    o.add_eos = o.add_prefix = 0;
    check_ids(&o, "ab", "1 5");
    o.add_prefix = 1;
    check_ids(&o, "ab", "1 6 4");
}

static void check_refused(const file_options *options, const char *family, uint32_t vocab,
                          const char *code, const char *where) {
    rw_context *ctx = test_context();
    rw_error err = {0};
    rw_tokenizer *tokenizer;
    assert_int_equal(load(ctx, options, family, vocab, &tokenizer, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, code);
    assert_string_equal(err.where, where);
    assert_null(tokenizer);
    rw_context_free(ctx);
}

static void test_refusals(void **state) {
    (void)state;
    const char *code = "model.vocabulary";
    file_options o = usual;
    check_refused(&o, "llama", TOKENS - 1, code, "tokenizer");
    check_refused(&o, "mamba9", TOKENS, "model.unsupported", "an architecture");
    for (uint64_t count = TOKENS - 1; count <= TOKENS + 1; count += 2) {
        o = usual;
        o.scores = count;
        check_refused(&o, "llama", TOKENS, code, "tokenizer.ggml.scores");
        o = usual;
        o.types = count;
        check_refused(&o, "llama", TOKENS, code, "tokenizer.ggml.token_type");
    }
    o = usual;
    o.model = NULL;
    check_refused(&o, "llama", TOKENS, code, "tokenizer.ggml.model");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_heard),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
