/*
 * vocabulary.c - a tokenizer from the tokenizer.ggml.* values of a GGUF.
 *
 * "gpt2" is byte-level BPE, "llama" SentencePiece-style BPE with scores.
 *
 * A GGUF names its byte-level pre-tokenizer instead of describing it. The table below says what a
 * name means, after the split patterns that llama.cpp uses for it; where llama.cpp leaves out a
 * normalizer that the model was trained with (Qwen2's NFC), ours follows the model.
 */
#include <string.h>

#include "tokenizer/internal.h"

typedef struct pre_tokenizer {
    const char *name;
    const char *patterns[4]; /* one after the other */
    bool ignore_merges, adds_bos, nfc;
} pre_tokenizer;

static const pre_tokenizer pre_tokenizers[] = {
    {.name = "gpt-2", .patterns = {rw_tk_pattern_gpt2}},
    {.name = "smollm", .patterns = {"\\p{N}", rw_tk_pattern_gpt2}},
    {.name = "starcoder", .patterns = {"\\p{N}", rw_tk_pattern_gpt2}},
    {.name = "llama-bpe",
     .patterns = {rw_tk_pattern_llama3},
     .ignore_merges = true,
     .adds_bos = true},
    {.name = "llama3", .patterns = {rw_tk_pattern_llama3}, .ignore_merges = true, .adds_bos = true},
    {.name = "qwen2", .patterns = {rw_tk_pattern_qwen2}, .nfc = true},
    {.name = "default",
     .patterns = {"[\\p{P}\\$\\+<=>\\^~\\|]+", rw_tk_pattern_gpt2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

static const pre_tokenizer *find_pre(rw_str name) {
    if (name.size == 0)
        name = rw_str_of("default");
    for (size_t i = 0; i < sizeof pre_tokenizers / sizeof *pre_tokenizers; i++)
        if (rw_str_is(name, pre_tokenizers[i].name))
            return &pre_tokenizers[i];
    return NULL;
}

static rw_status add_stages(rw_tk_builder *builder, const pre_tokenizer *pre) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    for (size_t i = 0; i < 4 && pre->patterns[i]; i++)
        RW_TRY(rw_tk_add_regex_stage(tokenizer, rw_str_of(pre->patterns[i]), TK_ISOLATED,
                                     builder->err));
    if (pre->nfc)
        RW_TRY(rw_tk_add_normalizer(tokenizer, (rw_tk_normalizer){.kind = TK_NFC}, builder->err));
    tokenizer->bpe.ignore_merges = pre->ignore_merges;
    return RW_OK;
}

static rw_status add_tokens(rw_tk_builder *builder, const rw_vocabulary *vocabulary) {
    RW_TRY(rw_tk_reserve_tokens(builder, vocabulary->count));
    for (size_t id = 0; id < vocabulary->count; id++) {
        rw_str spelling = vocabulary->tokens[id];
        int32_t type = vocabulary->types ? vocabulary->types[id] : RW_TOKEN_NORMAL;
        RW_TRY(rw_tk_set_token(builder, id, spelling));
        bool special = type == RW_TOKEN_CONTROL || type == RW_TOKEN_UNKNOWN;
        if (special || type == RW_TOKEN_USER_DEFINED)
            RW_TRY(rw_tk_add_token(builder, id,
                                   (rw_tk_added){.content = spelling, .special = special}));
    }
    return rw_tk_index_tokens(builder);
}

static rw_status add_merges(rw_tk_builder *builder, const rw_vocabulary *vocabulary) {
    RW_TRY(rw_tk_bpe_reserve_merges(builder->tokenizer, vocabulary->merge_count, builder->err));
    for (size_t rank = 0; rank < vocabulary->merge_count; rank++) {
        rw_str merge = vocabulary->merges[rank];
        const char *space = merge.size ? memchr(merge.data, ' ', merge.size) : NULL;
        if (!space)
            return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.merge", builder->tokenizer->where,
                           "merge %zu is not two tokens with a space between them", rank);
        size_t left = (size_t)(space - merge.data);
        RW_TRY(rw_tk_bpe_add_merge(builder, rank, (rw_str){merge.data, left},
                                   (rw_str){space + 1, merge.size - left - 1}));
    }
    return RW_OK;
}

/* bos or eos, and whether it is put around every text. */
static rw_status set_end_token(rw_tk_builder *builder, int64_t id, bool adds, const char *name,
                               int64_t *out, rw_tk_affix *affix) {
    if (id < -1 || id >= (int64_t)builder->tokenizer->count)
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.id_range", builder->tokenizer->where,
                       "the id of %s is %lld, but there are %zu tokens", name, (long long)id,
                       builder->tokenizer->count);
    if (adds && id < 0)
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.special_token",
                       builder->tokenizer->where,
                       "the file asks for %s around every text but names no such token", name);
    *out = id;
    if (adds)
        affix->ids[affix->count++] = (int32_t)id;
    return RW_OK;
}

static rw_status add_ends(rw_tk_builder *builder, const rw_vocabulary *vocabulary, bool adds_bos) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    if (vocabulary->add_bos >= 0)
        adds_bos = vocabulary->add_bos != 0;
    RW_TRY(set_end_token(builder, vocabulary->bos, adds_bos, "bos", &tokenizer->bos,
                         &tokenizer->prefix));
    return set_end_token(builder, vocabulary->eos, vocabulary->add_eos > 0, "eos", &tokenizer->eos,
                         &tokenizer->suffix);
}

static rw_status build_byte_level(rw_tk_builder *builder, const rw_vocabulary *vocabulary) {
    const pre_tokenizer *pre = find_pre(vocabulary->pre);
    if (!pre)
        return rw_tk_unsupported(builder, "tokenizer.ggml.pre", vocabulary->pre);
    RW_TRY(add_stages(builder, pre));
    RW_TRY(add_tokens(builder, vocabulary));
    RW_TRY(add_merges(builder, vocabulary));
    return add_ends(builder, vocabulary, pre->adds_bos);
}

/* ---- SentencePiece -------------------------------------------------------------------------- */

/* Spaces become U+2581, and one goes before every text and behind every added token, as
   llama.cpp has it (SentencePiece itself puts none behind added tokens). */
static rw_status add_space_marks(rw_tk_builder *builder, bool prefix) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    rw_tk_normalizer put = {.kind = TK_PREPEND, .to = rw_tk_space_mark};
    rw_tk_normalizer mark = {.kind = TK_REPLACE, .from = {" ", 1}, .to = rw_tk_space_mark};
    rw_tk_normalizer unmark = {.kind = TK_REPLACE, .from = rw_tk_space_mark, .to = {" ", 1}};
    if (prefix)
        RW_TRY(rw_tk_add_normalizer(tokenizer, put, builder->err));
    RW_TRY(rw_tk_add_normalizer(tokenizer, mark, builder->err));
    tokenizer->decoder.bytes = true;
    tokenizer->decoder.strips = prefix;
    return rw_tk_add_decoder_replace(tokenizer, unmark, builder->err);
}

/* Text never becomes a control, unknown or byte token by merging, even when it is spelled like one.
   The unknown token is for characters whose bytes are no tokens either. */
static void set_kinds(rw_tokenizer *tokenizer, const rw_vocabulary *vocabulary) {
    for (size_t id = 0; id < vocabulary->count; id++) {
        int32_t type = vocabulary->types ? vocabulary->types[id] : RW_TOKEN_NORMAL;
        if (type == RW_TOKEN_CONTROL || type == RW_TOKEN_UNKNOWN || type == RW_TOKEN_BYTE)
            tokenizer->tokens[id].model = false;
        if (type == RW_TOKEN_UNKNOWN && tokenizer->bpe.unknown < 0)
            tokenizer->bpe.unknown = (int32_t)id;
    }
}

static rw_status build_sentencepiece(rw_tk_builder *builder, const rw_vocabulary *vocabulary) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    if (!vocabulary->scores)
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.missing", tokenizer->where,
                       "tokenizer.ggml.model is \"llama\", but tokenizer.ggml.scores is missing");
    tokenizer->kind = TK_SENTENCEPIECE_BPE;
    tokenizer->bpe.byte_fallback = tokenizer->bpe.late_fallback = true;
    tokenizer->bpe.fuse_unknown = true;
    RW_TRY(add_space_marks(builder, vocabulary->add_space_prefix != 0));
    RW_TRY(add_tokens(builder, vocabulary));
    set_kinds(tokenizer, vocabulary);
    RW_TRY(rw_tk_sp_index(builder));
    RW_TRY(rw_tk_sp_add_scores(builder, vocabulary->scores));
    return add_ends(builder, vocabulary, true);
}

static rw_status build(rw_tk_builder *builder, const rw_vocabulary *vocabulary) {
    if (rw_str_is(vocabulary->model, "gpt2"))
        return build_byte_level(builder, vocabulary);
    if (rw_str_is(vocabulary->model, "llama"))
        return build_sentencepiece(builder, vocabulary);
    return rw_tk_unsupported(builder, "tokenizer.ggml.model", vocabulary->model);
}

rw_status rw_tokenizer_from_vocabulary(rw_context *ctx, const rw_vocabulary *vocabulary,
                                       const char *where, rw_tokenizer **out, rw_error *err) {
    *out = NULL;
    rw_tk_builder builder = {.err = err};
    RW_TRY(rw_tk_begin(&builder, ctx, where));
    return rw_tk_end(&builder, build(&builder, vocabulary), out);
}
