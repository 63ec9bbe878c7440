/*
 * The merging itself: against a plain quadratic one, on long pieces, on any bytes.
 */
#include "tokenizer_support.h"

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- a small tokenizer: bytes a..d, merges by rank ------------------------------------------- */

static const char *const merges[][2] = {{"a", "b"},  {"ab", "a"}, {"b", "a"},  {"ba", "ba"},
                                        {"c", "c"},  {"cc", "c"}, {"ab", "c"}, {"aba", "cc"},
                                        {"d", "ab"}, {"ba", "b"}, {"a", "ba"}};
enum { MERGES = sizeof merges / sizeof *merges };

typedef struct table {
    rw_str tokens[256];
    size_t count;
} table;

static int find_token(const table *t, rw_str text) {
    for (size_t i = 0; i < t->count; i++)
        if (rw_str_equal(t->tokens[i], text))
            return (int)i;
    return -1;
}

static rw_tokenizer *small_tokenizer(rw_context *ctx, rw_arena *arena, table *t) {
    rw_str lines[MERGES];
    for (const char *byte = "abcd"; *byte; byte++)
        t->tokens[t->count++] = rw_str_of(rw_arena_format(arena, "%c", *byte));
    for (size_t i = 0; i < MERGES; i++) {
        rw_str joined = rw_str_of(rw_arena_format(arena, "%s%s", merges[i][0], merges[i][1]));
        lines[i] = rw_str_of(rw_arena_format(arena, "%s %s", merges[i][0], merges[i][1]));
        if (find_token(t, joined) < 0)
            t->tokens[t->count++] = joined;
    }
    rw_vocabulary vocabulary = {.tokens = t->tokens,
                                .count = t->count,
                                .merges = lines,
                                .merge_count = MERGES,
                                .model = rw_str_of("gpt2"),
                                .pre = rw_str_of("gpt-2"),
                                .bos = -1,
                                .eos = -1,
                                .add_bos = -1,
                                .add_eos = -1};
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_ok(rw_tokenizer_from_vocabulary(ctx, &vocabulary, "small", &tokenizer, &err));
    return tokenizer;
}

/* Lowest rank first, leftmost first, one merge at a time. */
static bool merge_once(const table *t, int *ids, size_t *count) {
    for (size_t rank = 0; rank < MERGES; rank++)
        for (size_t i = 0; i + 1 < *count; i++) {
            rw_str left = t->tokens[ids[i]], right = t->tokens[ids[i + 1]];
            if (!rw_str_is(left, merges[rank][0]) || !rw_str_is(right, merges[rank][1]))
                continue;
            char joined[32];
            snprintf(joined, sizeof joined, "%s%s", merges[rank][0], merges[rank][1]);
            ids[i] = find_token(t, rw_str_of(joined));
            memmove(ids + i + 1, ids + i + 2, (*count - i - 2) * sizeof *ids);
            --*count;
            return true;
        }
    return false;
}

static void check_word(rw_context *ctx, const rw_tokenizer *tokenizer, const table *t,
                       rw_str word) {
    int expected[64];
    size_t expected_count = 0;
    for (size_t i = 0; i < word.size; i++)
        expected[expected_count++] = find_token(t, (rw_str){word.data + i, 1});
    while (merge_once(t, expected, &expected_count))
        ;
    size_t count = 0;
    int32_t *ids = encode(tokenizer, word, 0, &count);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(ids[i], expected[i]);
    rw_free(ctx, ids);
}

static void merges_like_the_plain_way(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_arena arena = {.ctx = ctx};
    table t = {.count = 0};
    rw_tokenizer *tokenizer = small_tokenizer(ctx, &arena, &t);
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        char word[40];
        size_t size = 1 + next_random(&seed) % sizeof word;
        for (size_t i = 0; i < size; i++)
            word[i] = "aabbabcd"[next_random(&seed) % 8];
        check_word(ctx, tokenizer, &t, (rw_str){word, size});
    }
    rw_tokenizer_free(tokenizer);
    rw_arena_free(&arena);
    rw_context_free(ctx);
}

/* ---- the embedded model's ------------------------------------------------------------------- */

/* A quadratic way would take hours over these. */
static void long_pieces_end(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_tiny(ctx);
    enum { SIZE = 1 << 20 };
    char *text = rw_alloc(ctx, SIZE);
    uint32_t seed = 2;
    memset(text, 'a', SIZE);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    memset(text, ' ', SIZE);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + next_random(&seed) % 26);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    memset(text, 0xfe, SIZE);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    rw_free(ctx, text);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

/* Alternating classes of marks: what an insertion sort would take hours to put in order. */
static void long_runs_of_marks_end(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_buf fixture = load_text(ctx, RW_SOURCE_DIR "/tests/data/tokenizer.json");
    rw_arena arena = {.ctx = ctx};
    const rw_json *root = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(&arena, (rw_str){fixture.data, fixture.size}, "", &root, &err));
    const rw_json *entry = rw_json_get(root, "entries")->first;
    while (!rw_str_is(rw_json_get(entry, "name")->string, "qwen2"))
        entry = entry->next;
    rw_tokenizer *tokenizer = load_json(ctx, rw_json_get(entry, "tokenizer")->string, NULL);
    rw_buf text = {.ctx = ctx};
    for (size_t i = 0; i < 1u << 18; i++)
        rw_buf_text(&text, "\xcc\x81\xcc\x96"); /* U+0301, U+0316 */
    size_t count = 0;
    rw_free(ctx, encode(tokenizer, (rw_str){text.data, text.size}, 0, &count));
    assert_true(count > 0);
    rw_buf_free(&text);
    rw_tokenizer_free(tokenizer);
    rw_arena_free(&arena);
    rw_buf_free(&fixture);
    rw_context_free(ctx);
}

static void any_bytes_round_trip(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_tiny(ctx);
    static const char *const pieces[] = {
        "a",    " the", "\xff",         "\xc3",     "\xe2\x82", "\xe2\x82\xac",  "\xed\xa0\x80",
        "\r\n", "123",  "\xf4\x90\x80", "\xc0\xaf", "  ",       "<|endoftext|>", "\xf0\x9f\x98"};
    uint32_t seed = 3;
    for (int round = 0; round < 2000; round++) {
        rw_buf text = {.ctx = ctx};
        for (uint32_t n = next_random(&seed) % 12; n > 0; n--)
            if (next_random(&seed) % 3)
                rw_buf_text(&text, pieces[next_random(&seed) % (sizeof pieces / sizeof *pieces)]);
            else
                rw_buf_char(&text, (char)next_random(&seed));
        assert_round_trip(ctx, tokenizer, (rw_str){text.data, text.size});
        rw_buf_free(&text);
    }
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_like_the_plain_way), cmocka_unit_test(long_pieces_end),
        cmocka_unit_test(long_runs_of_marks_end), cmocka_unit_test(any_bytes_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
