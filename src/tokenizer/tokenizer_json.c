/*
 * tokenizer_json.c - reading Hugging Face's tokenizer.json (and tokenizer_config.json).
 * The parts around the model are pipeline_json.c's.
 */
#include <string.h>

#include "tokenizer/loader.h"

/* ---- typed reads ---------------------------------------------------------------------------- */

rw_status rw_tk_type_error(const rw_tk_loader *load, const char *what, const char *wanted) {
    return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.type", load->where,
                   "%s must be %s; the file is damaged or of another kind", what, wanted);
}

rw_status rw_tk_wanted(const rw_tk_loader *load, const rw_json *node, rw_json_type type,
                       const char *what) {
    static const char *const names[] = {
        [RW_JSON_NULL] = "null",       [RW_JSON_BOOL] = "true or false",
        [RW_JSON_NUMBER] = "a number", [RW_JSON_STRING] = "a string",
        [RW_JSON_ARRAY] = "an array",  [RW_JSON_OBJECT] = "an object"};
    if (!node)
        return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.missing", load->where,
                       "%s is missing; the file is damaged or of another kind", what);
    return node->type == type ? RW_OK : rw_tk_type_error(load, what, names[type]);
}

rw_status rw_tk_read_bool(const rw_tk_loader *load, const rw_json *node, const char *key,
                          bool fallback, bool *out) {
    const rw_json *value = rw_json_get(node, key);
    *out = rw_json_bool_or(value, fallback);
    if (rw_json_is_null(value))
        return RW_OK;
    return rw_tk_wanted(load, value, RW_JSON_BOOL, key);
}

rw_status rw_tk_read_id(const rw_tk_loader *load, const rw_json *node, const char *what,
                        uint64_t *out) {
    RW_TRY(rw_tk_wanted(load, node, RW_JSON_NUMBER, what));
    if (!node->is_integer || node->number < 0)
        return rw_tk_type_error(load, what, "a whole number from 0 on");
    *out = rw_json_u64_or(node, UINT64_MAX); /* beyond every table where it is not exact */
    return RW_OK;
}

static bool is_null_or_empty(const rw_json *node) {
    return rw_json_is_null(node) || (node->type == RW_JSON_STRING && node->string.size == 0);
}

rw_status rw_tk_refuse_members(const rw_tk_loader *load, const rw_json *node,
                               const char *const *known, const char *of) {
    for (const rw_json *member = node->first; member; member = member->next) {
        bool found = rw_str_is(member->key, "type");
        for (size_t i = 0; known[i] && !found; i++)
            found = rw_str_is(member->key, known[i]);
        if (!found)
            return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.unsupported", load->where,
                           "%s has the member \"%.*s\", which isn't supported", of,
                           (int)(member->key.size < 80 ? member->key.size : 80), member->key.data);
    }
    return RW_OK;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static rw_status read_vocab(rw_tk_loader *load, const rw_json *vocab) {
    for (const rw_json *token = vocab->first; token; token = token->next) {
        uint64_t id = 0;
        RW_TRY(rw_tk_read_id(load, token, "an id of the vocabulary", &id));
        RW_TRY(rw_tk_set_token(&load->builder, id, token->key));
    }
    return RW_OK;
}

static rw_status read_added_token(rw_tk_loader *load, const rw_json *node) {
    static const char *const members[] = {"id",     "content", "single_word", "lstrip",
                                          "rstrip", "special", "normalized",  NULL};
    RW_TRY(rw_tk_wanted(load, node, RW_JSON_OBJECT, "an added token"));
    RW_TRY(rw_tk_refuse_members(load, node, members, "an added token"));
    uint64_t id = 0;
    RW_TRY(rw_tk_read_id(load, rw_json_get(node, "id"), "the id of an added token", &id));
    const rw_json *content = rw_json_get(node, "content");
    RW_TRY(rw_tk_wanted(load, content, RW_JSON_STRING, "the content of an added token"));
    rw_tk_added added = {.content = content->string};
    RW_TRY(rw_tk_read_bool(load, node, "special", false, &added.special));
    RW_TRY(rw_tk_read_bool(load, node, "single_word", false, &added.single_word));
    RW_TRY(rw_tk_read_bool(load, node, "lstrip", false, &added.lstrip));
    RW_TRY(rw_tk_read_bool(load, node, "rstrip", false, &added.rstrip));
    RW_TRY(rw_tk_read_bool(load, node, "normalized", !added.special, &added.normalized));
    return rw_tk_add_token(&load->builder, id, added);
}

static rw_status read_tokens(rw_tk_loader *load, const rw_json *root) {
    const rw_json *vocab = rw_json_path(root, "model.vocab");
    const rw_json *added = rw_json_get(root, "added_tokens");
    RW_TRY(rw_tk_wanted(load, vocab, RW_JSON_OBJECT, "model.vocab"));
    if (!rw_json_is_null(added))
        RW_TRY(rw_tk_wanted(load, added, RW_JSON_ARRAY, "added_tokens"));
    RW_TRY(rw_tk_reserve_tokens(&load->builder, vocab->count + (added ? added->count : 0)));
    RW_TRY(read_vocab(load, vocab));
    for (const rw_json *item = added ? added->first : NULL; item; item = item->next)
        RW_TRY(read_added_token(load, item));
    RW_TRY(rw_tk_index_tokens(&load->builder));
    if (load->builder.tokenizer->kind == TK_SENTENCEPIECE_BPE)
        return rw_tk_sp_index(&load->builder);
    return RW_OK;
}

/* ---- model ---------------------------------------------------------------------------------- */

/* Both spellings of a merge: "left right" and ["left", "right"]. */
static rw_status read_merge(rw_tk_loader *load, const rw_json *node, size_t rank) {
    if (node->type == RW_JSON_STRING) {
        rw_str text = node->string;
        const char *space = text.size ? memchr(text.data, ' ', text.size) : NULL;
        if (!space)
            return rw_tk_type_error(load, "a merge", "two tokens with a space between them");
        size_t left = (size_t)(space - text.data);
        return rw_tk_bpe_add_merge(&load->builder, rank, (rw_str){text.data, left},
                                   (rw_str){space + 1, text.size - left - 1});
    }
    RW_TRY(rw_tk_wanted(load, node, RW_JSON_ARRAY, "a merge"));
    if (node->count != 2 || node->first->type != RW_JSON_STRING ||
        node->first->next->type != RW_JSON_STRING)
        return rw_tk_type_error(load, "a merge", "an array of two strings");
    return rw_tk_bpe_add_merge(&load->builder, rank, node->first->string,
                               node->first->next->string);
}

static rw_status read_unknown(rw_tk_loader *load, const rw_json *model) {
    rw_tk_bpe *bpe = &load->builder.tokenizer->bpe;
    const rw_json *unknown = rw_json_get(model, "unk_token");
    RW_TRY(rw_tk_read_bool(load, model, "fuse_unk", false, &bpe->fuse_unknown));
    if (is_null_or_empty(unknown))
        return RW_OK;
    RW_TRY(rw_tk_wanted(load, unknown, RW_JSON_STRING, "unk_token"));
    bpe->unknown = rw_tk_find_model(load->builder.tokenizer, unknown->string);
    if (bpe->unknown >= 0)
        return RW_OK;
    return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.special_token", load->where,
                   "the vocabulary lacks the unk_token that the file names");
}

/* Settings of the model that neither kind has. */
static rw_status refuse_model_settings(rw_tk_loader *load, const rw_json *model) {
    const rw_json *dropout = rw_json_get(model, "dropout");
    if (!rw_json_is_null(dropout) && rw_json_number_or(dropout, 1.0) != 0.0)
        return rw_tk_unsupported(&load->builder, "random tokenization:", rw_str_of("dropout"));
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < 2; i++)
        if (!is_null_or_empty(rw_json_get(model, affixes[i])))
            return rw_tk_unsupported(&load->builder, "the model setting", rw_str_of(affixes[i]));
    return RW_OK;
}

static rw_status read_bpe(rw_tk_loader *load, const rw_json *model) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    const rw_json *merges = rw_json_get(model, "merges");
    RW_TRY(refuse_model_settings(load, model));
    RW_TRY(rw_tk_read_bool(load, model, "ignore_merges", false, &tokenizer->bpe.ignore_merges));
    RW_TRY(rw_tk_wanted(load, merges, RW_JSON_ARRAY, "model.merges"));
    RW_TRY(rw_tk_bpe_reserve_merges(tokenizer, merges->count, load->err));
    RW_TRY(read_unknown(load, model));
    size_t rank = 0;
    for (const rw_json *merge = merges->first; merge; merge = merge->next)
        RW_TRY(read_merge(load, merge, rank++));
    return RW_OK;
}

static const char *const bpe_members[] = {"dropout",
                                          "unk_token",
                                          "continuing_subword_prefix",
                                          "end_of_word_suffix",
                                          "fuse_unk",
                                          "byte_fallback",
                                          "ignore_merges",
                                          "vocab",
                                          "merges",
                                          NULL};

/* The oldest files (GPT-2's own) leave the model's type out; merges tell it. */
static rw_status check_model(rw_tk_loader *load, const rw_json *model) {
    RW_TRY(rw_tk_wanted(load, model, RW_JSON_OBJECT, "model"));
    const rw_json *type = rw_json_get(model, "type");
    if (type || !rw_json_get(model, "merges"))
        RW_TRY(rw_tk_wanted(load, type, RW_JSON_STRING, "model.type"));
    if (type && !rw_str_is(type->string, "BPE"))
        return rw_tk_unsupported(&load->builder, "the model", type->string);
    return rw_tk_refuse_members(load, model, bpe_members, "the model");
}

/* ---- tokenizer_config.json ------------------------------------------------------------------ */

/* A token there is its text, or an object with the text under "content". */
static rw_status read_named_token(const rw_tk_loader *load, const rw_json *config, const char *key,
                                  int64_t *id) {
    const rw_json *token = rw_json_get(config, key);
    if (rw_json_is_null(token))
        return RW_OK;
    if (token->type == RW_JSON_OBJECT)
        token = rw_json_get(token, "content");
    RW_TRY(rw_tk_wanted(load, token, RW_JSON_STRING, key));
    *id = rw_tk_find(load->builder.tokenizer, token->string);
    if (*id >= 0)
        return RW_OK;
    return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.special_token", load->where,
                   "tokenizer_config.json names the %s \"%.*s\", which the vocabulary lacks", key,
                   (int)(token->string.size < 80 ? token->string.size : 80), token->string.data);
}

/* add_bos_token and add_eos_token overrule the template where they are written. */
static rw_status read_adds(const rw_tk_loader *load, const rw_json *config, const char *key,
                           int64_t id, rw_tk_affix *affix) {
    bool adds = affix->count > 0;
    RW_TRY(rw_tk_read_bool(load, config, key, adds, &adds));
    if (adds == (affix->count > 0))
        return RW_OK;
    affix->count = 0;
    if (!adds)
        return RW_OK;
    if (id < 0)
        return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.special_token", load->where,
                       "tokenizer_config.json sets %s but names no such token", key);
    affix->ids[affix->count++] = (int32_t)id;
    return RW_OK;
}

static rw_status read_config(rw_tk_loader *load, rw_arena *arena, rw_str text) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    if (tokenizer->prefix.count == 1)
        tokenizer->bos = tokenizer->prefix.ids[0];
    if (tokenizer->suffix.count == 1)
        tokenizer->eos = tokenizer->suffix.ids[0];
    if (text.size == 0)
        return RW_OK;
    const rw_json *config = NULL;
    RW_TRY(rw_json_parse_python(arena, text, "tokenizer_config.json", &config, load->err));
    RW_TRY(rw_tk_wanted(load, config, RW_JSON_OBJECT, "tokenizer_config.json"));
    RW_TRY(read_named_token(load, config, "bos_token", &tokenizer->bos));
    RW_TRY(read_named_token(load, config, "eos_token", &tokenizer->eos));
    RW_TRY(read_adds(load, config, "add_bos_token", tokenizer->bos, &tokenizer->prefix));
    return read_adds(load, config, "add_eos_token", tokenizer->eos, &tokenizer->suffix);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* truncation and padding are settings of a batch, which transformers sets anew at every call. */
static const char *const root_members[] = {
    "version",       "truncation",     "padding", "added_tokens", "normalizer",
    "pre_tokenizer", "post_processor", "decoder", "model",        NULL};

/* A pre-tokenizer ByteLevel makes the byte-level kind; the decoder must be of the same. */
static rw_status choose_kind(rw_tk_loader *load, const rw_json *model) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    RW_TRY(rw_tk_read_bool(load, model, "byte_fallback", false, &tokenizer->bpe.byte_fallback));
    if (load->byte_level && tokenizer->bpe.byte_fallback)
        return rw_tk_unsupported(&load->builder, "with ByteLevel,", rw_str_of("byte_fallback"));
    if (load->byte_level && load->decodes_characters)
        return rw_tk_unsupported(&load->builder, "with the pre_tokenizer ByteLevel, the decoder of",
                                 rw_str_of("SentencePiece-style BPE"));
    if (load->byte_level)
        return RW_OK;
    if (load->decodes_byte_level || !load->decodes_characters)
        return rw_tk_unsupported(&load->builder,
                                 "without ByteLevel, and without a decoder of its kind,",
                                 rw_str_of("SentencePiece-style BPE"));
    tokenizer->kind = TK_SENTENCEPIECE_BPE;
    return RW_OK;
}

static rw_status read_root(rw_tk_loader *load, const rw_json *root) {
    RW_TRY(rw_tk_wanted(load, root, RW_JSON_OBJECT, "tokenizer.json"));
    RW_TRY(rw_tk_refuse_members(load, root, root_members, "tokenizer.json"));
    const rw_json *version = rw_json_get(root, "version");
    if (version && !rw_str_is(rw_json_string_or(version, ""), "1.0"))
        return rw_tk_unsupported(&load->builder, "the file's version",
                                 rw_json_string_or(version, ""));
    RW_TRY(check_model(load, rw_json_get(root, "model")));
    RW_TRY(rw_tk_read_normalizer(load, root));
    RW_TRY(rw_tk_read_pre_tokenizer(load, root));
    RW_TRY(rw_tk_read_decoder(load, root));
    RW_TRY(choose_kind(load, rw_json_get(root, "model")));
    RW_TRY(read_tokens(load, root));
    RW_TRY(read_bpe(load, rw_json_get(root, "model")));
    return rw_tk_read_post_processor(load, root);
}

static rw_status read_files(rw_tk_loader *load, rw_arena *arena, rw_str tokenizer_json,
                            rw_str tokenizer_config_json) {
    const rw_json *root = NULL;
    RW_TRY(rw_json_parse(arena, tokenizer_json, load->where, &root, load->err));
    RW_TRY(read_root(load, root));
    return read_config(load, arena, tokenizer_config_json);
}

rw_status rw_tokenizer_from_json(rw_context *ctx, rw_str tokenizer_json,
                                 rw_str tokenizer_config_json, const char *where,
                                 rw_tokenizer **out, rw_error *err) {
    *out = NULL;
    rw_tk_loader load = {.builder = {.err = err}, .ctx = ctx, .where = where, .err = err};
    RW_TRY(rw_tk_begin(&load.builder, ctx, where));
    rw_arena arena = {.ctx = ctx};
    rw_status status = read_files(&load, &arena, tokenizer_json, tokenizer_config_json);
    rw_arena_free(&arena);
    return rw_tk_end(&load.builder, status, out);
}
