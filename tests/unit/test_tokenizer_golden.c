/*
 * Ids equal to Hugging Face tokenizers': tests/data/tokenizer.json (tools/tokenizer_fixture.py),
 * and the documents of ../shared where it is there.
 */
#include "tokenizer_support.h"

/* A SentencePiece model as a GGUF has it. Its own encoder never puts BOS in front. */
static rw_tokenizer *scored_tokenizer(rw_context *ctx, const rw_json *entry) {
    const rw_json *v = rw_json_get(entry, "vocabulary");
    rw_arena arena = {.ctx = ctx};
    size_t count = rw_json_get(v, "tokens")->count, i = 0;
    rw_str *tokens = rw_arena_alloc(&arena, count * sizeof *tokens);
    int32_t *types = rw_arena_alloc(&arena, count * sizeof *types);
    float *scores = rw_arena_alloc(&arena, count * sizeof *scores);
    const rw_json *type = rw_json_get(v, "types")->first, *score = rw_json_get(v, "scores")->first;
    for (const rw_json *token = rw_json_get(v, "tokens")->first; token; token = token->next) {
        tokens[i] = token->string;
        types[i] = (int32_t)type->number;
        scores[i++] = (float)score->number;
        type = type->next;
        score = score->next;
    }
    rw_vocabulary vocabulary = {.tokens = tokens,
                                .types = types,
                                .scores = scores,
                                .count = count,
                                .model = rw_str_of("llama"),
                                .bos = -1,
                                .eos = -1,
                                .add_bos = 0,
                                .add_eos = -1,
                                .add_space_prefix = -1};
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_ok(rw_tokenizer_from_vocabulary(ctx, &vocabulary, "scores", &tokenizer, &err));
    rw_arena_free(&arena);
    return tokenizer;
}

static rw_tokenizer *entry_tokenizer(rw_context *ctx, const rw_json *entry) {
    if (rw_json_get(entry, "vocabulary"))
        return scored_tokenizer(ctx, entry);
    const rw_json *path = rw_json_get(entry, "path");
    if (!path)
        return load_json(ctx, rw_json_get(entry, "tokenizer")->string, NULL);
    char full[512];
    snprintf(full, sizeof full, RW_SOURCE_DIR "/%.*s", (int)path->string.size, path->string.data);
    return load_path(ctx, full);
}

static void check_entry(rw_context *ctx, const rw_json *entry) {
    rw_tokenizer *tokenizer = entry_tokenizer(ctx, entry);
    size_t number = 0;
    for (const rw_json *item = rw_json_get(entry, "cases")->first; item; item = item->next) {
        char what[64];
        rw_str name = rw_json_get(entry, "name")->string;
        snprintf(what, sizeof what, "%.*s, text %zu", (int)(name.size < 20 ? name.size : 20),
                 name.data, number++);
        size_t count = 0;
        unsigned flags = rw_json_get(entry, "vocabulary") ? 0 : RW_TOKENIZE_DEFAULT;
        int32_t *ids = encode(tokenizer, rw_json_get(item, "text")->string, flags, &count);
        assert_ids(what, ids, count, rw_json_get(item, "ids"), SIZE_MAX);
        rw_free(ctx, ids);
    }
    assert_true(number > 20);
    rw_tokenizer_free(tokenizer);
}

/* The embedded model's tokenizer; GPT-2, SmolLM, Llama-3 and Qwen2 in small; the forms of
   SentencePiece-style BPE; a vocabulary with scores. */
static void ids_equal_the_fixture(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_buf text = load_text(ctx, RW_SOURCE_DIR "/tests/data/tokenizer.json");
    rw_arena arena = {.ctx = ctx};
    const rw_json *root = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(&arena, (rw_str){text.data, text.size}, "fixture", &root, &err));
    size_t entries = 0;
    for (const rw_json *entry = rw_json_get(root, "entries")->first; entry; entry = entry->next) {
        check_entry(ctx, entry);
        entries++;
    }
    assert_int_equal(entries, 17);
    rw_arena_free(&arena);
    rw_buf_free(&text);
    rw_context_free(ctx);
}

/* One line of heldout.jsonl against the first ids that golden/tiny.json has of it. */
static void check_document(rw_context *ctx, const rw_tokenizer *tokenizer, rw_str line,
                           const rw_json *tokens, size_t total, size_t number) {
    rw_arena arena = {.ctx = ctx};
    const rw_json *document = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(&arena, line, "heldout.jsonl", &document, &err));
    char what[32];
    snprintf(what, sizeof what, "document %zu", number);
    size_t count = 0;
    int32_t *ids = encode(tokenizer, rw_json_get(document, "text")->string, 0, &count);
    assert_ids(what, ids, count, tokens, tokens->count);
    assert_int_equal(count, total);
    rw_free(ctx, ids);
    rw_arena_free(&arena);
}

static void check_documents(rw_context *ctx, const rw_json *golden, rw_str lines) {
    rw_tokenizer *tokenizer = load_tiny(ctx);
    const rw_json *tokens = rw_json_get(golden, "tokens")->first;
    const rw_json *facts = rw_json_get(golden, "documents")->first;
    size_t number = 0;
    for (size_t at = 0; at < lines.size && tokens; number++, tokens = tokens->next) {
        const char *end = memchr(lines.data + at, '\n', lines.size - at);
        size_t size = (end ? (size_t)(end - lines.data) : lines.size) - at;
        check_document(ctx, tokenizer, (rw_str){lines.data + at, size}, tokens,
                       (size_t)rw_json_u64_or(rw_json_get(facts, "tokens"), 0), number);
        at += size + 1;
        facts = facts->next;
    }
    assert_int_equal(number, 24);
    rw_tokenizer_free(tokenizer);
}

static void ids_equal_the_golden_documents(void **state) {
    (void)state;
    if (!rw_path_exists(RW_SHARED_DIR "/golden/tiny.json")) {
        print_message("skipped: no %s/golden/tiny.json\n", RW_SHARED_DIR);
        skip();
    }
    rw_context *ctx = test_context();
    rw_buf golden = load_text(ctx, RW_SHARED_DIR "/golden/tiny.json");
    rw_buf lines = load_text(ctx, RW_SHARED_DIR "/data/heldout.jsonl");
    rw_arena arena = {.ctx = ctx};
    const rw_json *root = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(&arena, (rw_str){golden.data, golden.size}, "golden", &root, &err));
    check_documents(ctx, root, (rw_str){lines.data, lines.size});
    rw_arena_free(&arena);
    rw_buf_free(&golden);
    rw_buf_free(&lines);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_equal_the_fixture),
                                       cmocka_unit_test(ids_equal_the_golden_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
