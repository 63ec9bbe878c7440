/*
 * Ids equal to Hugging Face tokenizers': tests/data/tokenizer.json (tools/tokenizer_fixture.py),
 * and the documents of ../shared where it is there.
 */
#include "tokenizer_support.h"

static rw_tokenizer *entry_tokenizer(rw_context *ctx, const rw_json *entry) {
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
        snprintf(what, sizeof what, "%.20s, text %zu",
                 rw_str_is(rw_json_get(entry, "name")->string, "tiny") ? "tiny" : "family",
                 number++);
        size_t count = 0;
        int32_t *ids =
            encode(tokenizer, rw_json_get(item, "text")->string, RW_TOKENIZE_DEFAULT, &count);
        assert_ids(what, ids, count, rw_json_get(item, "ids"), SIZE_MAX);
        rw_free(ctx, ids);
    }
    assert_true(number > 20);
    rw_tokenizer_free(tokenizer);
}

/* The embedded model's tokenizer, and GPT-2, SmolLM, Llama-3 and Qwen2 in small. */
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
    assert_int_equal(entries, 5);
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
