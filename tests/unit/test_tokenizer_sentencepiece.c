/*
 * SentencePiece-style BPE: scores against a plain quadratic way, bytes, spaces, special tokens.
 * (Ids equal to Hugging Face's and sentencepiece's: test_tokenizer_golden.c.)
 */
#include "tokenizer_support.h"

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- a small vocabulary ----------------------------------------------------------------------
   x and z are characters of tokens without being tokens. "abab" and "baba" have equal scores. */

#define MARK "\xe2\x96\x81"
static const struct {
    const char *text;
    int32_t type;
    float score;
} small[] = {{"<unk>", 2, 0},      {"<s>", 3, 0},    {"</s>", 3, 0},     {MARK, 1, -20},
             {"a", 1, -21},        {"b", 1, -22},    {"c", 1, -23},      {"<", 1, -24},
             {"s", 1, -25},        {">", 1, -26},    {"ab", 1, -3},      {"ba", 1, -2},
             {"abab", 1, -1},      {"baba", 1, -1},  {MARK "a", 1, -4},  {MARK "ab", 1, -1.5f},
             {"xa", 1, -2.5f},     {"zz", 1, -6},    {"c" MARK, 1, -7},  {"bc", 1, -2.5f},
             {"<s", 1, -8},        {"cc", 1, 3},     {"cca" MARK, 1, 9}, {"<0x78>", 6, 0},
             {"<0x7A>", 6, 0},     {"<user>", 4, 0}, {"aa", 5, -5},      {MARK MARK, 1, -9},
             {"\xc3\xa9", 1, -30}, {"<0", 1, -31},   {"<0x", 1, -32},    {"<0x7", 1, -33},
             {"<0x78", 1, -34}};
enum { SMALL = sizeof small / sizeof *small };

static rw_vocabulary small_vocabulary(rw_str tokens[SMALL], int32_t types[SMALL],
                                      float scores[SMALL]) {
    for (size_t i = 0; i < SMALL; i++) {
        tokens[i] = rw_str_of(small[i].text);
        types[i] = small[i].type;
        scores[i] = small[i].score;
    }
    return (rw_vocabulary){.tokens = tokens,
                           .types = types,
                           .scores = scores,
                           .count = SMALL,
                           .model = rw_str_of("llama"),
                           .bos = 1,
                           .eos = 2,
                           .add_bos = -1,
                           .add_eos = -1,
                           .add_space_prefix = -1};
}

static rw_tokenizer *small_tokenizer(rw_context *ctx, int add_space_prefix) {
    rw_str tokens[SMALL];
    int32_t types[SMALL];
    float scores[SMALL];
    rw_vocabulary vocabulary = small_vocabulary(tokens, types, scores);
    vocabulary.add_space_prefix = add_space_prefix;
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_ok(rw_tokenizer_from_vocabulary(ctx, &vocabulary, "small", &tokenizer, &err));
    return tokenizer;
}

static int find_small(rw_str text, bool merged) {
    for (int i = 0; i < SMALL; i++)
        if (rw_str_is(text, small[i].text))
            return merged && (small[i].type == 2 || small[i].type == 3 || small[i].type == 6) ? -1
                                                                                              : i;
    return -1;
}

/* Joins the neighbours with the highest score, leftmost first; false when none are left. */
static bool join_once(rw_str *symbols, size_t *count) {
    size_t best = SIZE_MAX;
    float score = 0;
    for (size_t i = 0; i + 1 < *count; i++) {
        int id = find_small((rw_str){symbols[i].data, symbols[i].size + symbols[i + 1].size}, true);
        if (id >= 0 && (best == SIZE_MAX || small[id].score > score)) {
            best = i;
            score = small[id].score;
        }
    }
    if (best == SIZE_MAX)
        return false;
    symbols[best].size += symbols[best + 1].size;
    memmove(symbols + best + 1, symbols + best + 2, (*count - best - 2) * sizeof *symbols);
    --*count;
    return true;
}

/* The ids of `text`, in which spaces are marks already. */
static size_t plain_ids(rw_str text, int32_t *ids) {
    rw_str symbols[128];
    size_t count = 0, made = 0;
    for (size_t at = 0; at < text.size; at += symbols[count++].size)
        symbols[count] =
            (rw_str){text.data + at, rw_utf8_decode(text.data + at, text.size - at, NULL)};
    while (join_once(symbols, &count))
        ;
    bool unknown = false;
    for (size_t i = 0; i < count; i++) {
        int id = find_small(symbols[i], true);
        char byte[8];
        snprintf(byte, sizeof byte, "<0x%02X>", (unsigned)(uint8_t)symbols[i].data[0]);
        if (id < 0 && symbols[i].size == 1)
            id = find_small(rw_str_of(byte), false);
        if (id < 0 && unknown)
            continue;
        unknown = id < 0;
        ids[made++] = id < 0 ? 0 : id;
    }
    return made;
}

static void scores_like_the_plain_way(void **state) {
    (void)state;
    static const char *const letters[] = {"a", "b", "a",  "b", "c", "x",        "z",
                                          " ", "a", "cc", "<", "s", "\xc3\xa9", "\xc3\xb6"};
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = small_tokenizer(ctx, -1);
    uint32_t seed = 4;
    for (int round = 0; round < 5000; round++) {
        char text[128] = "", marked[256] = MARK;
        for (uint32_t n = 1 + next_random(&seed) % 30; n > 0; n--) {
            const char *letter = letters[next_random(&seed) % (sizeof letters / sizeof *letters)];
            strcat(text, letter);
            strcat(marked, *letter == ' ' ? MARK : letter);
        }
        int32_t expected[128];
        size_t count = 0, wanted = plain_ids(rw_str_of(marked), expected);
        int32_t *ids = encode(tokenizer, rw_str_of(text), 0, &count);
        if (count != wanted || memcmp(ids, expected, count * sizeof *ids) != 0)
            fail_msg("round %d: \"%s\" has other ids", round, text);
        rw_free(ctx, ids);
    }
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void assert_encodes(rw_context *ctx, const rw_tokenizer *tokenizer, const char *text,
                           unsigned flags, const char *expected) {
    size_t count = 0;
    int32_t *ids = encode(tokenizer, rw_str_of(text), flags, &count);
    rw_buf list = {.ctx = ctx};
    for (size_t i = 0; i < count; i++)
        rw_buf_format(&list, "%s ", small[ids[i]].text);
    assert_string_equal(list.data ? list.data : "", expected);
    rw_buf_free(&list);
    rw_free(ctx, ids);
}

/* A space before the text and behind every added token; special tokens only when asked for. */
static void added_tokens_and_prefixes(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = small_tokenizer(ctx, -1);
    assert_true(rw_tokenizer_adds_bos(tokenizer));
    assert_false(rw_tokenizer_adds_eos(tokenizer));
    assert_encodes(ctx, tokenizer, "", RW_TOKENIZE_DEFAULT, "<s> ");
    assert_encodes(ctx, tokenizer, "ab<s>ab", RW_TOKENIZE_DEFAULT,
                   "<s> " MARK "ab <s> " MARK "ab ");
    assert_encodes(ctx, tokenizer, "<s>", 0, MARK " <s > ");       /* text never becomes BOS */
    assert_encodes(ctx, tokenizer, "<0x78>", 0, MARK " <0x78 > "); /* nor a byte */
    assert_encodes(ctx, tokenizer, "<user>ab", 0, "<user> " MARK "ab ");
    assert_encodes(ctx, tokenizer, "\xc3\xb6\xc3\xb6z x\xc3\xb6", 0,
                   MARK " <unk> <0x7A> " MARK " <0x78> <unk> ");
    rw_tokenizer_free(tokenizer);
    tokenizer = small_tokenizer(ctx, 0);
    assert_encodes(ctx, tokenizer, "ab<s> ab", RW_TOKENIZE_DEFAULT, "<s> ab <s> " MARK "ab ");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void assert_decodes(rw_context *ctx, const rw_tokenizer *tokenizer, const int32_t *ids,
                           size_t count, unsigned flags, const char *expected) {
    rw_buf out = {.ctx = ctx};
    rw_error err = {0};
    assert_ok(rw_tokenizer_decode(tokenizer, ids, count, flags, &out, &err));
    assert_string_equal(out.data, expected);
    rw_buf_free(&out);
}

/* One space goes from the begin of a text, unless the ids go on behind others. */
static void the_prefix_is_taken_away_again(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = small_tokenizer(ctx, -1);
    static const int32_t ids[] = {1, 15, 14, 23}, spaces[] = {27, 14};
    assert_decodes(ctx, tokenizer, ids, 4, 0, "<s> ab ax");
    assert_decodes(ctx, tokenizer, ids, 4, RW_DETOKENIZE_SKIP_SPECIAL, "ab ax");
    assert_decodes(ctx, tokenizer, ids, 4, RW_DETOKENIZE_SKIP_SPECIAL | RW_DETOKENIZE_CONTINUE,
                   " ab ax");
    assert_decodes(ctx, tokenizer, spaces, 2, 0, "  a");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

/* ignore_merges: the piece "ab" is a token that no merge makes; "aba" is none. */
static void whole_pieces_may_be_tokens_without_merges(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_json(
        ctx,
        rw_str_of("{\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"ignore_merges\":"
                  "true,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[]}}"),
        NULL);
    size_t count = 0;
    int32_t *ids = encode(tokenizer, rw_str_of("ab"), 0, &count);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 2);
    rw_free(ctx, ids);
    rw_free(ctx, encode(tokenizer, rw_str_of("aba"), 0, &count));
    assert_int_equal(count, 3);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

/* A Metaspace that always puts a space puts none behind bytes that are no text. */
static void no_space_behind_bytes(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_json(
        ctx,
        rw_str_of("{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" MARK "\","
                  "\"prepend_scheme\":\"always\"},\"decoder\":{\"type\":\"Fuse\"},\"model\":{"
                  "\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"a\":0,\"" MARK "\":1,\"" MARK
                  "a\":2,\"?\":3},\"merges\":[\"" MARK " a\"]}}"),
        NULL);
    static const int32_t wanted[] = {2, 3, 0};
    size_t count = 0;
    int32_t *ids = encode(tokenizer,
                          rw_str_of("a\xff"
                                    "a"),
                          0, &count);
    assert_int_equal(count, 3);
    assert_memory_equal(ids, wanted, sizeof wanted);
    rw_free(ctx, ids);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

/* ---- the forms of the fixture ---------------------------------------------------------------- */

typedef void (*check_fn)(rw_context *ctx, const rw_tokenizer *tokenizer);

static void for_forms(const char *const *names, size_t count, check_fn check) {
    rw_context *ctx = test_context();
    rw_buf fixture = load_text(ctx, RW_SOURCE_DIR "/tests/data/tokenizer.json");
    rw_arena arena = {.ctx = ctx};
    const rw_json *root = NULL;
    rw_error err = {0};
    assert_ok(rw_json_parse(&arena, (rw_str){fixture.data, fixture.size}, "", &root, &err));
    for (size_t i = 0; i < count; i++) {
        const rw_json *entry = rw_json_get(root, "entries")->first;
        while (!rw_str_is(rw_json_get(entry, "name")->string, names[i]))
            entry = entry->next;
        rw_tokenizer *tokenizer = load_json(ctx, rw_json_get(entry, "tokenizer")->string, NULL);
        check(ctx, tokenizer);
        rw_tokenizer_free(tokenizer);
    }
    rw_arena_free(&arena);
    rw_buf_free(&fixture);
    rw_context_free(ctx);
}

static void check_round_trips(rw_context *ctx, const rw_tokenizer *tokenizer) {
    static const char *const pieces[] = {
        "a",    " the", "\xff",         "\xc3",     "\xe2\x82", "\xe2\x82\xac", "\xed\xa0\x80",
        "\r\n", "123",  "\xf4\x90\x80", "\xc0\xaf", "  ",       "\xe2\x96",     "\xf0\x9f\x98"};
    uint32_t seed = 3;
    for (int round = 0; round < 1000; round++) {
        rw_buf text = {.ctx = ctx};
        for (uint32_t n = next_random(&seed) % 12; n > 0; n--)
            if (next_random(&seed) % 3)
                rw_buf_text(&text, pieces[next_random(&seed) % (sizeof pieces / sizeof *pieces)]);
            else
                rw_buf_char(&text, (char)next_random(&seed));
        if (!text.size || !memmem(text.data, text.size, MARK, 3))
            assert_round_trip(ctx, tokenizer, (rw_str){text.data, text.size});
        rw_buf_free(&text);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        assert_round_trip(ctx, tokenizer, (rw_str){&one, 1});
    }
}

static void any_bytes_round_trip(void **state) {
    (void)state;
    static const char *const names[] = {"llama2", "phi3", "gemma2", "gemma3", "never"};
    for_forms(names, sizeof names / sizeof *names, check_round_trips);
}

static void check_long_pieces(rw_context *ctx, const rw_tokenizer *tokenizer) {
    enum { SIZE = 1 << 20 };
    char *text = rw_alloc(ctx, SIZE);
    uint32_t seed = 2;
    memset(text, 'e', SIZE);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    memset(text, ' ', SIZE);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + next_random(&seed) % 26);
    assert_round_trip(ctx, tokenizer, (rw_str){text, SIZE});
    rw_free(ctx, text);
}

/* A quadratic way would take hours over these. */
static void long_pieces_end(void **state) {
    (void)state;
    static const char *const names[] = {"gemma3"};
    for_forms(names, 1, check_long_pieces);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scores_like_the_plain_way),
                                       cmocka_unit_test(added_tokens_and_prefixes),
                                       cmocka_unit_test(the_prefix_is_taken_away_again),
                                       cmocka_unit_test(whole_pieces_may_be_tokens_without_merges),
                                       cmocka_unit_test(no_space_behind_bytes),
                                       cmocka_unit_test(any_bytes_round_trip),
                                       cmocka_unit_test(long_pieces_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
