/*
 * What the files may say, and what is refused and how.
 */
#include <math.h>

#include "tokenizer_support.h"

/* ---- tokenizer.json in pieces --------------------------------------------------------------- */

#define HEAD "{\"version\":\"1.0\","
#define ADDED "\"added_tokens\":[{\"id\":4,\"content\":\"<s>\",\"special\":true}],"
#define PRE                                                                                        \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
#define VOCAB "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3}"
#define MODEL "\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[\"a b\"]}"
#define TEMPLATE                                                                                   \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"   \
    "\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],"            \
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[4],\"tokens\":[\"<s>\"]}}},"

typedef struct refusal {
    const char *json;
    const char *code;
    const char *named; /* stands in the message */
} refusal;

#define SPLIT(pattern)                                                                             \
    HEAD ADDED "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","  \
               "\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"Isolated\"},"               \
               "{\"type\":\"ByteLevel\",\"use_regex\":false,\"add_prefix_space\":false}]}," MODEL  \
               "}"
#define WITH_MODEL(model) HEAD PRE "\"model\":{" model "}}"
#define SP_WITH(part) HEAD part ",\"decoder\":{\"type\":\"Fuse\"}," MODEL "}"
#define METASPACE "{\"type\":\"Metaspace\",\"replacement\":\"_\"}"
#define WITH(part) HEAD ADDED PRE part MODEL "}"

static const refusal refusals[] = {
    {"[]", "tokenizer.type", "an object"},
    {"{}", "tokenizer.missing", "model"},
    {HEAD PRE MODEL ",\"truncation\":null,\"magic\":1}", "tokenizer.unsupported", "magic"},
    {"{\"version\":\"2.0\"," PRE MODEL "}", "tokenizer.unsupported", "2.0"},
    /* parts that aren't built */
    {WITH_MODEL("\"type\":\"Unigram\",\"vocab\":[]"), "tokenizer.unsupported", "Unigram"},
    {WITH("\"normalizer\":{\"type\":\"Lowercase\"},"), "tokenizer.unsupported", "Lowercase"},
    {HEAD "\"pre_tokenizer\":null," MODEL "}", "tokenizer.unsupported", "SentencePiece"},
    {WITH("\"decoder\":{\"type\":\"WordPiece\"},"), "tokenizer.unsupported", "WordPiece"},
    {WITH("\"post_processor\":{\"type\":\"BertProcessing\"},"), "tokenizer.unsupported",
     "BertProcessing"},
    {WITH("\"decoder\":{\"type\":\"ByteLevel\",\"speed\":9},"), "tokenizer.unsupported", "speed"},
    /* SentencePiece-style BPE */
    {WITH("\"decoder\":{\"type\":\"Fuse\"},"), "tokenizer.unsupported", "SentencePiece"},
    {HEAD "\"decoder\":{\"type\":\"ByteLevel\"}," MODEL "}", "tokenizer.unsupported",
     "SentencePiece"},
    {SP_WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},"
             "\"content\":\"_\"}"),
     "tokenizer.unsupported", "Regex"},
    {SP_WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},"
             "\"content\":\"_\"}"),
     "tokenizer.type", "some text"},
    {SP_WITH("\"normalizer\":{\"type\":\"Precompiled\"}"), "tokenizer.unsupported", "Precompiled"},
    {SP_WITH("\"normalizer\":{\"type\":\"Prepend\",\"prepend\":7}"), "tokenizer.type", "prepend"},
    {SP_WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\"}"), "tokenizer.missing", "replacement"},
    {SP_WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"__\"}"), "tokenizer.type",
     "one character"},
    {SP_WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\","
             "\"prepend_scheme\":\"last\"}"),
     "tokenizer.unsupported", "last"},
    {SP_WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\","
             "\"prepend_scheme\":\"first\",\"add_prefix_space\":false}"),
     "tokenizer.type", "never"},
    {SP_WITH("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" METASPACE "," METASPACE
             "]}"),
     "tokenizer.unsupported", "second"},
    {HEAD "\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}," MODEL "}",
     "tokenizer.unsupported", "Strip"},
    {HEAD "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":"
          "\"ByteFallback\"}]}," MODEL "}",
     "tokenizer.unsupported", "ByteFallback"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[],\"byte_fallback\":true"),
     "tokenizer.unsupported", "byte_fallback"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[],\"dropout\":0.1"),
     "tokenizer.unsupported", "dropout"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[],\"end_of_word_suffix\":\"</w>\""),
     "tokenizer.unsupported", "end_of_word_suffix"},
    {HEAD "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
          "{\"type\":\"Digits\"}]}," MODEL "}",
     "tokenizer.unsupported", "Digits"},
    {HEAD "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":"
          "\"Contiguous\"}," MODEL "}",
     "tokenizer.unsupported", "Contiguous"},
    /* patterns */
    {SPLIT("\\\\w+"), "tokenizer.unsupported", "\\w"},
    {SPLIT("^a"), "tokenizer.unsupported", "anchor"},
    {SPLIT("[a[b]]"), "tokenizer.unsupported", "class inside"},
    {SPLIT("[a&&b]"), "tokenizer.unsupported", "intersection"},
    {SPLIT("\\\\p{Emoji}"), "tokenizer.unsupported", "property"},
    {SPLIT("a{2}+"), "tokenizer.unsupported", "possessive"},
    {SPLIT("(?<n>a)"), "tokenizer.unsupported", "group"},
    {SPLIT("a*"), "tokenizer.unsupported", "nothing"},
    {SPLIT("(a"), "tokenizer.pattern", "pattern"},
    {SPLIT("[a"), "tokenizer.unsupported", "unfinished"},
    /* ids */
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":2},\"merges\":[]"), "tokenizer.id_range",
     "2"},
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":99999999999999999999},\"merges\":[]"),
     "tokenizer.id_range", "b"},
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":-1},\"merges\":[]"), "tokenizer.type",
     "whole"},
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1.5},\"merges\":[]"), "tokenizer.type",
     "whole"},
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":\"1\"},\"merges\":[]"), "tokenizer.type",
     "number"},
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]"),
     "tokenizer.duplicate_id", "0"},
    {WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]"), "json.duplicate_key",
     ""},
    {HEAD "\"added_tokens\":[{\"id\":1,\"content\":\"a\"}]," PRE MODEL "}",
     "tokenizer.duplicate_token", "a"},
    {HEAD "\"added_tokens\":[{\"id\":1,\"content\":\"x\"}]," PRE MODEL "}",
     "tokenizer.duplicate_id", "x"},
    {HEAD "\"added_tokens\":[{\"id\":5,\"content\":\"x\"},{\"id\":5,\"content\":\"x\"}]," PRE MODEL
          "}",
     "tokenizer.duplicate_token", "x"},
    {HEAD "\"added_tokens\":[{\"id\":5,\"content\":\"x\"},{\"id\":0,\"content\":\"a\"}]," PRE MODEL
          "}",
     "tokenizer.hole", "4"},
    {HEAD "\"added_tokens\":[{\"id\":4,\"content\":\"\"}]," PRE MODEL "}",
     "tokenizer.special_token", "4"},
    {HEAD "\"added_tokens\":7," PRE MODEL "}", "tokenizer.type", "added_tokens"},
    /* merges */
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[\"a x\"]"), "tokenizer.merge", "second"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[\"b a\"]"), "tokenizer.merge", "joined"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[\"ab\"]"), "tokenizer.type", "merge"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[[\"a\"]]"), "tokenizer.type", "merge"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":{}"), "tokenizer.type", "merges"},
    {WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[],\"unk_token\":\"?\""),
     "tokenizer.special_token", "unk_token"},
    /* the template */
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
          "{\"id\":\"<t>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{}},"),
     "tokenizer.missing", "template"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
          "{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":"
          "[5]}}},"),
     "tokenizer.id_range", "5"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[]},"), "tokenizer.type",
     "single"},
};

static void bad_files_are_refused_by_name(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        rw_tokenizer *tokenizer = NULL;
        rw_error err = {0};
        rw_status status = rw_tokenizer_from_json(ctx, rw_str_of(r->json), rw_str_of(""), "t.json",
                                                  &tokenizer, &err);
        if (status != RW_ERR_INPUT || tokenizer || strcmp(err.code, r->code) != 0 ||
            !strstr(err.message, r->named) || strcmp(err.where, "t.json") != 0)
            fail_msg("%s: status %d, [%s] %s: %s", r->json, status, err.code, err.where,
                     err.message);
    }
    rw_context_free(ctx);
}

/* ---- what the files ask for ------------------------------------------------------------------ */

static void assert_encodes(const rw_tokenizer *tokenizer, rw_context *ctx, const char *text,
                           unsigned flags, const char *expected) {
    size_t count = 0;
    int32_t *ids = encode(tokenizer, rw_str_of(text), flags, &count);
    rw_buf list = {.ctx = ctx};
    for (size_t i = 0; i < count; i++)
        rw_buf_format(&list, i ? " %d" : "%d", ids[i]);
    assert_string_equal(list.data ? list.data : "", expected);
    rw_buf_free(&list);
    rw_free(ctx, ids);
}

static void bos_comes_where_the_files_say(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    static const struct {
        const char *json, *config, *ids;
        int64_t bos;
    } cases[] = {
        {WITH(""), NULL, "2", -1},
        {WITH(""), "{\"bos_token\":\"<s>\"}", "2", 4},
        {WITH(""), "{\"bos_token\":{\"content\":\"<s>\"},\"add_bos_token\":true}", "4 2", 4},
        {WITH(""), "{\"bos_token\":null,\"add_bos_token\":false}", "2", -1},
        {WITH(TEMPLATE), NULL, "4 2", 4},
        {WITH(TEMPLATE), "{\"add_bos_token\":false}", "2", 4},
        {WITH(TEMPLATE), "{\"add_bos_token\":true,\"eos_token\":\"<s>\"}", "4 2", 4},
        {WITH(TEMPLATE), "{\"eos_token\":\"<s>\",\"add_eos_token\":true}", "4 2 4", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rw_tokenizer *tokenizer = load_json(ctx, rw_str_of(cases[i].json), cases[i].config);
        assert_encodes(tokenizer, ctx, "ab", RW_TOKENIZE_DEFAULT, cases[i].ids);
        assert_encodes(tokenizer, ctx, "ab", 0, "2");
        assert_int_equal(rw_tokenizer_bos(tokenizer), cases[i].bos);
        assert_int_equal(rw_tokenizer_adds_bos(tokenizer), cases[i].ids[0] == '4');
        rw_tokenizer_free(tokenizer);
    }
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_int_equal(rw_tokenizer_from_json(ctx, rw_str_of(WITH("")),
                                            rw_str_of("{\"add_bos_token\":true}"), "", &tokenizer,
                                            &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "tokenizer.special_token");
    rw_context_free(ctx);
}

static void special_tokens_are_text_unless_asked_for(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer =
        load_json(ctx,
                  rw_str_of(HEAD "\"added_tokens\":[{\"id\":4,\"content\":\"ba\",\"special\":true},"
                                 "{\"id\":5,\"content\":\"bb\"}]," PRE MODEL "}"),
                  NULL);
    assert_encodes(tokenizer, ctx, "abab", RW_TOKENIZE_SPECIAL, "0 4 1");
    assert_encodes(tokenizer, ctx, "abab", 0, "2 2");
    assert_encodes(tokenizer, ctx, "abb", 0, "0 5");
    assert_true(rw_tokenizer_is_special(tokenizer, 4));
    assert_false(rw_tokenizer_is_special(tokenizer, 5));
    int32_t ids[] = {0, 4, 5};
    rw_buf out = {.ctx = ctx};
    rw_error err = {0};
    assert_ok(rw_tokenizer_decode(tokenizer, ids, 3, RW_DETOKENIZE_SKIP_SPECIAL, &out, &err));
    assert_string_equal(out.data, "abb");
    ids[1] = 6;
    assert_int_equal(rw_tokenizer_decode(tokenizer, ids, 3, 0, &out, &err), RW_ERR_INPUT);
    assert_string_equal(err.code, "tokenizer.id_range");
    rw_buf_free(&out);
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void missing_bytes_are_an_error_unless_dropped(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_json(ctx, rw_str_of(WITH("")), NULL);
    int32_t *ids = NULL;
    size_t count = 0;
    rw_error err = {0};
    assert_int_equal(rw_tokenizer_encode(tokenizer, rw_str_of("ab c"), 0, &ids, &count, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, "tokenizer.byte");
    assert_int_equal(err.offset, 3);
    assert_null(ids);
    assert_encodes(tokenizer, ctx, "ab c", RW_TOKENIZE_DROP, "2 3");
    rw_tokenizer_free(tokenizer);
    tokenizer = load_json(
        ctx, rw_str_of(WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[],\"unk_token\":\"ab\"")),
        NULL);
    assert_encodes(tokenizer, ctx, "acc", 0, "0 2 2");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void whole_pieces_may_be_tokens_without_merges(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_json(
        ctx,
        rw_str_of(WITH_MODEL("\"type\":\"BPE\"," VOCAB ",\"merges\":[],\"ignore_merges\":true")),
        NULL);
    assert_encodes(tokenizer, ctx, "ab aab", 0, "2 3 0 0 1");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void a_prefix_space_is_put_where_asked(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer = load_json(
        ctx, rw_str_of(HEAD "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}," MODEL "}"), NULL);
    assert_encodes(tokenizer, ctx, "ab", 0, "3 2");
    assert_encodes(tokenizer, ctx, " ab", 0, "3 2");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

/* ---- GGUF ----------------------------------------------------------------------------------- */

static rw_vocabulary small_vocabulary(void) {
    static const rw_str tokens[] = {{"a", 1},        {"b", 1},   {"ab", 2},
                                    {"\xc4\xa0", 2}, {"<s>", 3}, {"1", 1}};
    static const int32_t types[] = {1, 1, 1, 1, 3, 1};
    static const rw_str merge_lines[] = {{"a b", 3}};
    return (rw_vocabulary){.tokens = tokens,
                           .types = types,
                           .count = 6,
                           .merges = merge_lines,
                           .merge_count = 1,
                           .model = {"gpt2", 4},
                           .pre = {"llama-bpe", 9},
                           .bos = 4,
                           .eos = -1,
                           .add_bos = -1,
                           .add_eos = -1};
}

static rw_tokenizer *load_vocabulary(rw_context *ctx, const rw_vocabulary *vocabulary) {
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_ok(rw_tokenizer_from_vocabulary(ctx, vocabulary, "x.gguf", &tokenizer, &err));
    return tokenizer;
}

static void a_vocabulary_makes_a_tokenizer(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_vocabulary vocabulary = small_vocabulary();
    rw_tokenizer *tokenizer = load_vocabulary(ctx, &vocabulary);
    assert_encodes(tokenizer, ctx, "ab 1<s>", RW_TOKENIZE_DEFAULT, "4 2 3 5 4");
    assert_int_equal(rw_tokenizer_vocab_size(tokenizer), 6);
    rw_str space = rw_tokenizer_token_bytes(tokenizer, 3);
    assert_true(rw_str_is(space, " "));
    assert_int_equal(rw_tokenizer_token_bytes(tokenizer, 6).size, 0);
    assert_int_equal(rw_tokenizer_token_bytes(tokenizer, -1).size, 0);
    rw_tokenizer_free(tokenizer);
    vocabulary.add_bos = 0;
    tokenizer = load_vocabulary(ctx, &vocabulary);
    assert_encodes(tokenizer, ctx, "ab", RW_TOKENIZE_DEFAULT, "2");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

/* Digits in a row, and an e with a combining acute: what each name in a GGUF makes of them. */
static void pre_tokenizers_cut_as_they_are_named(void **state) {
    (void)state;
    static const rw_str tokens[] = {{"1", 1},        {"2", 1},        {"3", 1},    {"4", 1},
                                    {"12", 2},       {"123", 3},      {"1234", 4}, {"e", 1},
                                    {"\xc3\x8c", 2}, {"\xc4\xa3", 2},  /* bytes cc, 81 */
                                    {"\xc3\x83", 2}, {"\xc2\xa9", 2}}; /* bytes c3, a9 */
    static const rw_str merges[] = {{"1 2", 3}, {"12 3", 4}, {"123 4", 5}};
    static const struct {
        const char *name, *ids;
    } cases[] = {{"gpt-2", "6 7 8 9"},           {"smollm", "0 1 2 3 7 8 9"},
                 {"starcoder", "0 1 2 3 7 8 9"}, {"llama-bpe", "5 3 7 8 9"},
                 {"llama3", "5 3 7 8 9"},        {"qwen2", "0 1 2 3 10 11"},
                 {"default", "5 3 7 8 9"},       {"", "5 3 7 8 9"}};
    rw_context *ctx = test_context();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rw_vocabulary v = small_vocabulary();
        v.tokens = tokens;
        v.types = NULL;
        v.count = sizeof tokens / sizeof *tokens;
        v.merges = merges;
        v.merge_count = 3;
        v.pre = rw_str_of(cases[i].name);
        rw_tokenizer *tokenizer = load_vocabulary(ctx, &v);
        assert_encodes(tokenizer, ctx, "1234e\xcc\x81", 0, cases[i].ids);
        rw_tokenizer_free(tokenizer);
    }
    rw_context_free(ctx);
}

/* The later rank counts, as in Hugging Face's tokenizers: b joins c before a does b. */
static void a_merge_may_stand_twice(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_tokenizer *tokenizer =
        load_json(ctx,
                  rw_str_of(WITH_MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,"
                                       "\"ab\":3,\"bc\":4},\"merges\":[\"a b\",\"b c\",\"a b\"]")),
                  NULL);
    assert_encodes(tokenizer, ctx, "abc", 0, "0 4");
    rw_tokenizer_free(tokenizer);
    rw_context_free(ctx);
}

static void assert_refused(rw_context *ctx, rw_vocabulary vocabulary, const char *code,
                           const char *named) {
    rw_tokenizer *tokenizer = NULL;
    rw_error err = {0};
    assert_int_equal(rw_tokenizer_from_vocabulary(ctx, &vocabulary, "x.gguf", &tokenizer, &err),
                     RW_ERR_INPUT);
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.message, named));
    assert_null(tokenizer);
}

static void bad_vocabularies_are_refused(void **state) {
    (void)state;
    rw_context *ctx = test_context();
    rw_vocabulary v = small_vocabulary();
    v.model = rw_str_of("t5");
    assert_refused(ctx, v, "tokenizer.unsupported", "t5");
    v.model = rw_str_of("llama");
    assert_refused(ctx, v, "tokenizer.missing", "scores");
    v.scores = (const float[]){0, 0, 0, 0, 0, NAN};
    assert_refused(ctx, v, "tokenizer.score", "5");
    v = small_vocabulary();
    v.pre = rw_str_of("somebody-s");
    assert_refused(ctx, v, "tokenizer.unsupported", "somebody-s");
    v = small_vocabulary();
    v.bos = 6;
    assert_refused(ctx, v, "tokenizer.id_range", "6");
    v.bos = -1;
    v.add_bos = 1;
    assert_refused(ctx, v, "tokenizer.special_token", "bos");
    v = small_vocabulary();
    rw_str merge = {"ab", 2};
    v.merges = &merge;
    assert_refused(ctx, v, "tokenizer.merge", "merge 0");
    v = small_vocabulary();
    rw_str twice[] = {{"a", 1}, {"a", 1}};
    v.tokens = twice;
    v.count = 2;
    assert_refused(ctx, v, "tokenizer.duplicate_token", "a");
    rw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bad_files_are_refused_by_name),
                                       cmocka_unit_test(bos_comes_where_the_files_say),
                                       cmocka_unit_test(special_tokens_are_text_unless_asked_for),
                                       cmocka_unit_test(missing_bytes_are_an_error_unless_dropped),
                                       cmocka_unit_test(whole_pieces_may_be_tokens_without_merges),
                                       cmocka_unit_test(a_prefix_space_is_put_where_asked),
                                       cmocka_unit_test(a_vocabulary_makes_a_tokenizer),
                                       cmocka_unit_test(pre_tokenizers_cut_as_they_are_named),
                                       cmocka_unit_test(a_merge_may_stand_twice),
                                       cmocka_unit_test(bad_vocabularies_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
