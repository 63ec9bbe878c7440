/*
 * tokenizer_json.c - reading Hugging Face's tokenizer.json (and tokenizer_config.json).
 *
 * Each part names its type; a table per kind of part says who reads it. What no table names is
 * refused, and so are members that a part is not known to have.
 */
#include <string.h>

#include "base/json.h"
#include "tokenizer/internal.h"

typedef struct loader {
    tk_builder builder;
    rw_context *ctx;
    const char *where;
    rw_error *err;
    bool byte_level;   /* the pre-tokenizer ByteLevel was seen   */
    bool has_template; /* the post-processor TemplateProcessing was */
} loader;

typedef rw_status (*part_fn)(loader *load, const rw_json *node);
typedef struct part {
    const char *type;
    part_fn read;
    const char *members[12]; /* besides "type" */
} part;

/* ---- typed reads ---------------------------------------------------------------------------- */

static rw_status type_error(const loader *load, const char *what, const char *wanted) {
    return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.type", load->where,
                   "%s must be %s; the file is damaged or of another kind", what, wanted);
}

static rw_status wanted(const loader *load, const rw_json *node, rw_json_type type,
                        const char *what) {
    static const char *const names[] = {
        [RW_JSON_NULL] = "null",       [RW_JSON_BOOL] = "true or false",
        [RW_JSON_NUMBER] = "a number", [RW_JSON_STRING] = "a string",
        [RW_JSON_ARRAY] = "an array",  [RW_JSON_OBJECT] = "an object"};
    if (!node)
        return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.missing", load->where,
                       "%s is missing; the file is damaged or of another kind", what);
    return node->type == type ? RW_OK : type_error(load, what, names[type]);
}

/* A bool that may be absent or null. */
static rw_status read_bool(const loader *load, const rw_json *node, const char *key, bool fallback,
                           bool *out) {
    const rw_json *value = rw_json_get(node, key);
    *out = rw_json_bool_or(value, fallback);
    if (rw_json_is_null(value))
        return RW_OK;
    return wanted(load, value, RW_JSON_BOOL, key);
}

static rw_status read_id(const loader *load, const rw_json *node, const char *what, uint64_t *out) {
    RW_TRY(wanted(load, node, RW_JSON_NUMBER, what));
    if (!node->is_integer || node->number < 0)
        return type_error(load, what, "a whole number from 0 on");
    *out = rw_json_u64_or(node, UINT64_MAX); /* beyond every table where it is not exact */
    return RW_OK;
}

static bool is_null_or_empty(const rw_json *node) {
    return rw_json_is_null(node) || (node->type == RW_JSON_STRING && node->string.size == 0);
}

static rw_status refuse_other_members(const loader *load, const rw_json *node,
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

/* Reads `node` with the row of `parts` that has its type. */
static rw_status read_part(loader *load, const rw_json *node, const part *parts, const char *kind) {
    RW_TRY(wanted(load, node, RW_JSON_OBJECT, kind));
    const rw_json *type = rw_json_get(node, "type");
    RW_TRY(wanted(load, type, RW_JSON_STRING, "the type of a part"));
    for (; parts->type; parts++)
        if (rw_str_is(type->string, parts->type)) {
            RW_TRY(refuse_other_members(load, node, parts->members, parts->type));
            return parts->read(load, node);
        }
    return tk_unsupported(&load->builder, kind, type->string);
}

static rw_status read_sequence(loader *load, const rw_json *node, const char *key,
                               const part *parts, const char *kind) {
    const rw_json *list = rw_json_get(node, key);
    RW_TRY(wanted(load, list, RW_JSON_ARRAY, key));
    for (const rw_json *item = list->first; item; item = item->next)
        RW_TRY(read_part(load, item, parts, kind));
    return RW_OK;
}

static rw_status nothing_to_do(loader *load, const rw_json *node) {
    (void)load, (void)node;
    return RW_OK;
}

/* ---- normalizer ----------------------------------------------------------------------------- */

static const char normalizer_kind[] = "the normalizer";

static rw_status add_form(loader *load, tk_normalizer form) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    if (tokenizer->normalizer_count == TK_STAGES_MAX)
        return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.too_large", load->where,
                       "more than %d normalizers in a row", TK_STAGES_MAX);
    tokenizer->normalizers[tokenizer->normalizer_count++] = form;
    return RW_OK;
}

static rw_status read_nfc(loader *load, const rw_json *node) {
    (void)node;
    return add_form(load, TK_NFC);
}

static rw_status read_nfd(loader *load, const rw_json *node) {
    (void)node;
    return add_form(load, TK_NFD);
}

static rw_status read_normalizers(loader *load, const rw_json *node);

static const part normalizers[] = {{"NFC", read_nfc, {0}},
                                   {"NFD", read_nfd, {0}},
                                   {"Sequence", read_normalizers, {"normalizers"}},
                                   {0}};

static rw_status read_normalizers(loader *load, const rw_json *node) {
    return read_sequence(load, node, "normalizers", normalizers, normalizer_kind);
}

/* ---- pre_tokenizer -------------------------------------------------------------------------- */

static const char pre_tokenizer_kind[] = "the pre_tokenizer";

/* ByteLevel rewrites the text into the byte alphabet, so what follows it would see that. */
static rw_status refuse_after_byte_level(const loader *load, const char *type) {
    if (!load->byte_level)
        return RW_OK;
    return tk_unsupported(&load->builder, "after ByteLevel, the pre_tokenizer", rw_str_of(type));
}

static rw_status read_byte_level(loader *load, const rw_json *node) {
    bool prefix_space = false, use_regex = true;
    RW_TRY(refuse_after_byte_level(load, "ByteLevel"));
    load->byte_level = true;
    RW_TRY(read_bool(load, node, "add_prefix_space", true, &prefix_space));
    RW_TRY(read_bool(load, node, "use_regex", true, &use_regex));
    if (prefix_space)
        RW_TRY(tk_add_prefix_space_stage(load->builder.tokenizer, load->err));
    if (use_regex)
        RW_TRY(tk_add_regex_stage(load->builder.tokenizer, rw_str_of(tk_pattern_gpt2), true,
                                  load->err));
    return RW_OK;
}

static rw_status read_digits(loader *load, const rw_json *node) {
    bool individual = false;
    RW_TRY(refuse_after_byte_level(load, "Digits"));
    RW_TRY(read_bool(load, node, "individual_digits", false, &individual));
    return tk_add_regex_stage(load->builder.tokenizer, rw_str_of(individual ? "\\p{N}" : "\\p{N}+"),
                              true, load->err);
}

/* "Isolated" cuts at matches. "Removed" with "invert" keeps the matches only; text between them
   would be lost, which is an error when it happens. Others aren't built. */
static rw_status read_behavior(const loader *load, const rw_json *node, bool *keeps_gaps) {
    const rw_json *behavior = rw_json_get(node, "behavior");
    bool invert = false;
    RW_TRY(wanted(load, behavior, RW_JSON_STRING, "behavior"));
    RW_TRY(read_bool(load, node, "invert", false, &invert));
    *keeps_gaps = rw_str_is(behavior->string, "Isolated");
    if (*keeps_gaps || (invert && rw_str_is(behavior->string, "Removed")))
        return RW_OK;
    return tk_unsupported(&load->builder, "Split with the behavior", behavior->string);
}

/* A literal as a pattern: everything that could mean something is escaped. */
static rw_status add_literal_stage(loader *load, rw_str literal, bool keeps_gaps) {
    rw_buf *pattern = &load->builder.scratch;
    pattern->size = 0;
    for (size_t i = 0; i < literal.size; i++) {
        if (strchr("\\^$.[]|()?*+{}-#", literal.data[i]) && literal.data[i] != '\0')
            rw_buf_char(pattern, '\\');
        rw_buf_char(pattern, literal.data[i]);
    }
    RW_TRY(rw_buf_status(pattern, load->err));
    return tk_add_regex_stage(load->builder.tokenizer, (rw_str){pattern->data, pattern->size},
                              keeps_gaps, load->err);
}

static rw_status read_split(loader *load, const rw_json *node) {
    bool keeps_gaps = true;
    RW_TRY(refuse_after_byte_level(load, "Split"));
    RW_TRY(read_behavior(load, node, &keeps_gaps));
    const rw_json *pattern = rw_json_get(node, "pattern");
    RW_TRY(wanted(load, pattern, RW_JSON_OBJECT, "pattern"));
    const rw_json *regex = rw_json_get(pattern, "Regex");
    const rw_json *text = regex ? regex : rw_json_get(pattern, "String");
    RW_TRY(wanted(load, text, RW_JSON_STRING, "pattern"));
    if (!regex)
        return add_literal_stage(load, text->string, keeps_gaps);
    return tk_add_regex_stage(load->builder.tokenizer, text->string, keeps_gaps, load->err);
}

static rw_status read_pre_tokenizers(loader *load, const rw_json *node);

static const part pre_tokenizers[] = {
    {"ByteLevel", read_byte_level, {"add_prefix_space", "trim_offsets", "use_regex"}},
    {"Digits", read_digits, {"individual_digits"}},
    {"Split", read_split, {"pattern", "behavior", "invert"}},
    {"Sequence", read_pre_tokenizers, {"pretokenizers"}},
    {0}};

static rw_status read_pre_tokenizers(loader *load, const rw_json *node) {
    return read_sequence(load, node, "pretokenizers", pre_tokenizers, pre_tokenizer_kind);
}

/* ---- decoder -------------------------------------------------------------------------------- */

static const char decoder_kind[] = "the decoder";
static rw_status read_decoders(loader *load, const rw_json *node);

static const part decoders[] = {
    {"ByteLevel", nothing_to_do, {"add_prefix_space", "trim_offsets", "use_regex"}},
    {"Sequence", read_decoders, {"decoders"}},
    {0}};

static rw_status read_decoders(loader *load, const rw_json *node) {
    return read_sequence(load, node, "decoders", decoders, decoder_kind);
}

/* ---- post_processor ------------------------------------------------------------------------- */

static const char post_processor_kind[] = "the post_processor";

static rw_status push_affix(const loader *load, tk_affix *affix, uint64_t id) {
    if (id >= load->builder.tokenizer->count)
        return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.id_range", load->where,
                       "the template names the id %llu, but there are %zu tokens",
                       (unsigned long long)id, load->builder.tokenizer->count);
    if (affix->count == TK_AFFIX_MAX)
        return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.too_large", load->where,
                       "the template puts more than %d tokens on one side", TK_AFFIX_MAX);
    affix->ids[affix->count++] = (int32_t)id;
    return RW_OK;
}

/* "<s>" of the template -> special_tokens["<s>"].ids */
static rw_status push_special(const loader *load, const rw_json *template, rw_str name,
                              tk_affix *affix) {
    const rw_json *entry = rw_json_get(template, "special_tokens");
    for (entry = entry ? entry->first : NULL; entry; entry = entry->next)
        if (rw_str_equal(entry->key, name))
            break;
    const rw_json *ids = rw_json_get(entry, "ids");
    RW_TRY(wanted(load, ids, RW_JSON_ARRAY, "the ids of a special token of the template"));
    for (const rw_json *item = ids->first; item; item = item->next) {
        uint64_t id = 0;
        RW_TRY(read_id(load, item, "an id of the template", &id));
        RW_TRY(push_affix(load, affix, id));
    }
    return RW_OK;
}

static rw_status read_template(loader *load, const rw_json *node) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    const rw_json *single = rw_json_get(node, "single");
    if (load->has_template)
        return tk_unsupported(&load->builder, "a second", rw_str_of("TemplateProcessing"));
    load->has_template = true;
    RW_TRY(wanted(load, single, RW_JSON_ARRAY, "single"));
    bool after_text = false;
    for (const rw_json *item = single->first; item; item = item->next) {
        const rw_json *special = rw_json_get(item, "SpecialToken");
        if (!special && (after_text || !rw_json_get(item, "Sequence")))
            return type_error(load, "single", "special tokens around one sequence");
        if (!special) {
            after_text = true;
            continue;
        }
        const rw_json *name = rw_json_get(special, "id");
        RW_TRY(wanted(load, name, RW_JSON_STRING, "the id of a SpecialToken"));
        RW_TRY(push_special(load, node, name->string,
                            after_text ? &tokenizer->suffix : &tokenizer->prefix));
    }
    return after_text ? RW_OK : type_error(load, "single", "special tokens around one sequence");
}

static rw_status read_processors(loader *load, const rw_json *node);

static const part post_processors[] = {
    /* trims offsets, which nobody asks for here */
    {"ByteLevel", nothing_to_do, {"add_prefix_space", "trim_offsets", "use_regex"}},
    {"TemplateProcessing", read_template, {"single", "pair", "special_tokens"}},
    {"Sequence", read_processors, {"processors"}},
    {0}};

static rw_status read_processors(loader *load, const rw_json *node) {
    return read_sequence(load, node, "processors", post_processors, post_processor_kind);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static rw_status read_vocab(loader *load, const rw_json *vocab) {
    for (const rw_json *token = vocab->first; token; token = token->next) {
        uint64_t id = 0;
        RW_TRY(read_id(load, token, "an id of the vocabulary", &id));
        RW_TRY(tk_set_token(&load->builder, id, token->key));
    }
    return RW_OK;
}

static rw_status read_added_token(loader *load, const rw_json *node) {
    static const char *const members[] = {"id",     "content", "single_word", "lstrip",
                                          "rstrip", "special", "normalized",  NULL};
    RW_TRY(wanted(load, node, RW_JSON_OBJECT, "an added token"));
    RW_TRY(refuse_other_members(load, node, members, "an added token"));
    uint64_t id = 0;
    RW_TRY(read_id(load, rw_json_get(node, "id"), "the id of an added token", &id));
    const rw_json *content = rw_json_get(node, "content");
    RW_TRY(wanted(load, content, RW_JSON_STRING, "the content of an added token"));
    tk_added added = {.content = content->string};
    RW_TRY(read_bool(load, node, "special", false, &added.special));
    RW_TRY(read_bool(load, node, "single_word", false, &added.single_word));
    RW_TRY(read_bool(load, node, "lstrip", false, &added.lstrip));
    RW_TRY(read_bool(load, node, "rstrip", false, &added.rstrip));
    RW_TRY(read_bool(load, node, "normalized", !added.special, &added.normalized));
    return tk_add_token(&load->builder, id, added);
}

static rw_status read_tokens(loader *load, const rw_json *root) {
    const rw_json *vocab = rw_json_path(root, "model.vocab");
    const rw_json *added = rw_json_get(root, "added_tokens");
    RW_TRY(wanted(load, vocab, RW_JSON_OBJECT, "model.vocab"));
    if (!rw_json_is_null(added))
        RW_TRY(wanted(load, added, RW_JSON_ARRAY, "added_tokens"));
    RW_TRY(tk_reserve_tokens(&load->builder, vocab->count + (added ? added->count : 0)));
    RW_TRY(read_vocab(load, vocab));
    for (const rw_json *item = added ? added->first : NULL; item; item = item->next)
        RW_TRY(read_added_token(load, item));
    return tk_index_tokens(&load->builder);
}

/* ---- model ---------------------------------------------------------------------------------- */

/* Both spellings of a merge: "left right" and ["left", "right"]. */
static rw_status read_merge(loader *load, const rw_json *node, size_t rank) {
    if (node->type == RW_JSON_STRING) {
        rw_str text = node->string;
        const char *space = text.size ? memchr(text.data, ' ', text.size) : NULL;
        if (!space)
            return type_error(load, "a merge", "two tokens with a space between them");
        size_t left = (size_t)(space - text.data);
        return tk_bpe_add_merge(&load->builder, rank, (rw_str){text.data, left},
                                (rw_str){space + 1, text.size - left - 1});
    }
    RW_TRY(wanted(load, node, RW_JSON_ARRAY, "a merge"));
    if (node->count != 2 || node->first->type != RW_JSON_STRING ||
        node->first->next->type != RW_JSON_STRING)
        return type_error(load, "a merge", "an array of two strings");
    return tk_bpe_add_merge(&load->builder, rank, node->first->string, node->first->next->string);
}

static rw_status read_unknown(loader *load, const rw_json *model) {
    tk_bpe *bpe = &load->builder.tokenizer->bpe;
    const rw_json *unknown = rw_json_get(model, "unk_token");
    RW_TRY(read_bool(load, model, "fuse_unk", false, &bpe->fuse_unknown));
    if (is_null_or_empty(unknown))
        return RW_OK;
    RW_TRY(wanted(load, unknown, RW_JSON_STRING, "unk_token"));
    bpe->unknown = tk_find_model(load->builder.tokenizer, unknown->string);
    if (bpe->unknown >= 0)
        return RW_OK;
    return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.special_token", load->where,
                   "the vocabulary lacks the unk_token that the file names");
}

/* Settings of the model that no byte-level tokenizer has. */
static rw_status refuse_model_settings(loader *load, const rw_json *model) {
    bool byte_fallback = false;
    const rw_json *dropout = rw_json_get(model, "dropout");
    RW_TRY(read_bool(load, model, "byte_fallback", false, &byte_fallback));
    if (byte_fallback)
        return tk_unsupported(&load->builder,
                              "SentencePiece-style BPE:", rw_str_of("byte_fallback"));
    if (!rw_json_is_null(dropout) && rw_json_number_or(dropout, 1.0) != 0.0)
        return tk_unsupported(&load->builder, "random tokenization:", rw_str_of("dropout"));
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < 2; i++)
        if (!is_null_or_empty(rw_json_get(model, affixes[i])))
            return tk_unsupported(&load->builder, "the model setting", rw_str_of(affixes[i]));
    return RW_OK;
}

static rw_status read_bpe(loader *load, const rw_json *model) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    const rw_json *merges = rw_json_get(model, "merges");
    RW_TRY(refuse_model_settings(load, model));
    RW_TRY(read_bool(load, model, "ignore_merges", false, &tokenizer->bpe.ignore_merges));
    RW_TRY(wanted(load, merges, RW_JSON_ARRAY, "model.merges"));
    RW_TRY(tk_bpe_reserve_merges(tokenizer, merges->count, load->err));
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
static rw_status check_model(loader *load, const rw_json *model) {
    RW_TRY(wanted(load, model, RW_JSON_OBJECT, "model"));
    const rw_json *type = rw_json_get(model, "type");
    if (type || !rw_json_get(model, "merges"))
        RW_TRY(wanted(load, type, RW_JSON_STRING, "model.type"));
    if (type && !rw_str_is(type->string, "BPE"))
        return tk_unsupported(&load->builder, "the model", type->string);
    return refuse_other_members(load, model, bpe_members, "the model");
}

/* ---- tokenizer_config.json ------------------------------------------------------------------ */

/* A token there is its text, or an object with the text under "content". */
static rw_status read_named_token(const loader *load, const rw_json *config, const char *key,
                                  int64_t *id) {
    const rw_json *token = rw_json_get(config, key);
    if (rw_json_is_null(token))
        return RW_OK;
    if (token->type == RW_JSON_OBJECT)
        token = rw_json_get(token, "content");
    RW_TRY(wanted(load, token, RW_JSON_STRING, key));
    *id = tk_find(load->builder.tokenizer, token->string);
    if (*id >= 0)
        return RW_OK;
    return rw_fail(load->err, RW_ERR_INPUT, "tokenizer.special_token", load->where,
                   "tokenizer_config.json names the %s \"%.*s\", which the vocabulary lacks", key,
                   (int)(token->string.size < 80 ? token->string.size : 80), token->string.data);
}

/* add_bos_token and add_eos_token overrule the template where they are written. */
static rw_status read_adds(const loader *load, const rw_json *config, const char *key, int64_t id,
                           tk_affix *affix) {
    bool adds = affix->count > 0;
    RW_TRY(read_bool(load, config, key, adds, &adds));
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

static rw_status read_config(loader *load, rw_arena *arena, rw_str text) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    if (tokenizer->prefix.count == 1)
        tokenizer->bos = tokenizer->prefix.ids[0];
    if (tokenizer->suffix.count == 1)
        tokenizer->eos = tokenizer->suffix.ids[0];
    if (text.size == 0)
        return RW_OK;
    const rw_json *config = NULL;
    RW_TRY(rw_json_parse(arena, text, "tokenizer_config.json", &config, load->err));
    RW_TRY(wanted(load, config, RW_JSON_OBJECT, "tokenizer_config.json"));
    RW_TRY(read_named_token(load, config, "bos_token", &tokenizer->bos));
    RW_TRY(read_named_token(load, config, "eos_token", &tokenizer->eos));
    RW_TRY(read_adds(load, config, "add_bos_token", tokenizer->bos, &tokenizer->prefix));
    return read_adds(load, config, "add_eos_token", tokenizer->eos, &tokenizer->suffix);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* A part that may be null. */
static rw_status read_optional(loader *load, const rw_json *root, const char *key,
                               const part *parts, const char *kind) {
    const rw_json *node = rw_json_get(root, key);
    return rw_json_is_null(node) ? RW_OK : read_part(load, node, parts, kind);
}

/* truncation and padding are settings of a batch, which transformers sets anew at every call. */
static const char *const root_members[] = {
    "version",       "truncation",     "padding", "added_tokens", "normalizer",
    "pre_tokenizer", "post_processor", "decoder", "model",        NULL};

static rw_status read_root(loader *load, const rw_json *root) {
    RW_TRY(wanted(load, root, RW_JSON_OBJECT, "tokenizer.json"));
    RW_TRY(refuse_other_members(load, root, root_members, "tokenizer.json"));
    const rw_json *version = rw_json_get(root, "version");
    if (version && !rw_str_is(rw_json_string_or(version, ""), "1.0"))
        return tk_unsupported(&load->builder, "the file's version", rw_json_string_or(version, ""));
    RW_TRY(check_model(load, rw_json_get(root, "model")));
    RW_TRY(read_optional(load, root, "normalizer", normalizers, normalizer_kind));
    RW_TRY(read_optional(load, root, "pre_tokenizer", pre_tokenizers, pre_tokenizer_kind));
    if (!load->byte_level)
        return tk_unsupported(&load->builder, "a pre_tokenizer without ByteLevel",
                              rw_str_of("SentencePiece-style BPE"));
    RW_TRY(read_optional(load, root, "decoder", decoders, decoder_kind));
    RW_TRY(read_tokens(load, root));
    RW_TRY(read_bpe(load, rw_json_get(root, "model")));
    return read_optional(load, root, "post_processor", post_processors, post_processor_kind);
}

static rw_status read_files(loader *load, rw_arena *arena, rw_str tokenizer_json,
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
    loader load = {.builder = {.err = err}, .ctx = ctx, .where = where, .err = err};
    RW_TRY(tk_begin(&load.builder, ctx, where));
    rw_arena arena = {.ctx = ctx};
    rw_status status = read_files(&load, &arena, tokenizer_json, tokenizer_config_json);
    rw_arena_free(&arena);
    return tk_end(&load.builder, status, out);
}
