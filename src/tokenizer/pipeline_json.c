/*
 * pipeline_json.c - the parts of tokenizer.json that surround the model.
 *
 * Each part names its type; a table per kind of part says who reads it. What no table names is
 * refused, and so are members that a part is not known to have.
 */
#include <string.h>

#include "tokenizer/loader.h"

typedef rw_status (*part_fn)(rw_tk_loader *load, const rw_json *node);
typedef struct part {
    const char *type;
    part_fn read;
    const char *members[12]; /* besides "type" */
} part;

/* Reads `node` with the row of `parts` that has its type. */
static rw_status read_part(rw_tk_loader *load, const rw_json *node, const part *parts,
                           const char *kind) {
    RW_TRY(rw_tk_wanted(load, node, RW_JSON_OBJECT, kind));
    const rw_json *type = rw_json_get(node, "type");
    RW_TRY(rw_tk_wanted(load, type, RW_JSON_STRING, "the type of a part"));
    for (; parts->type; parts++)
        if (rw_str_is(type->string, parts->type)) {
            RW_TRY(rw_tk_refuse_members(load, node, parts->members, parts->type));
            return parts->read(load, node);
        }
    return rw_tk_unsupported(&load->builder, kind, type->string);
}

static rw_status read_sequence(rw_tk_loader *load, const rw_json *node, const char *key,
                               const part *parts, const char *kind) {
    const rw_json *list = rw_json_get(node, key);
    RW_TRY(rw_tk_wanted(load, list, RW_JSON_ARRAY, key));
    for (const rw_json *item = list->first; item; item = item->next)
        RW_TRY(read_part(load, item, parts, kind));
    return RW_OK;
}

static rw_status nothing_to_do(rw_tk_loader *load, const rw_json *node) {
    (void)load, (void)node;
    return RW_OK;
}
/* ---- normalizer ----------------------------------------------------------------------------- */

static const char normalizer_kind[] = "the normalizer";

static rw_status read_nfc(rw_tk_loader *load, const rw_json *node) {
    (void)node;
    return rw_tk_add_normalizer(load->builder.tokenizer, (rw_tk_normalizer){.kind = TK_NFC},
                                load->err);
}

static rw_status read_nfd(rw_tk_loader *load, const rw_json *node) {
    (void)node;
    return rw_tk_add_normalizer(load->builder.tokenizer, (rw_tk_normalizer){.kind = TK_NFD},
                                load->err);
}

static rw_status read_prepend(rw_tk_loader *load, const rw_json *node) {
    const rw_json *text = rw_json_get(node, "prepend");
    RW_TRY(rw_tk_wanted(load, text, RW_JSON_STRING, "prepend"));
    return rw_tk_add_normalizer(load->builder.tokenizer,
                                (rw_tk_normalizer){.kind = TK_PREPEND, .to = text->string},
                                load->err);
}

/* {"pattern": {"String": from}, "content": to} */
static rw_status read_replacement(const rw_tk_loader *load, const rw_json *node,
                                  rw_tk_normalizer *out) {
    const rw_json *pattern = rw_json_get(node, "pattern"), *to = rw_json_get(node, "content");
    RW_TRY(rw_tk_wanted(load, pattern, RW_JSON_OBJECT, "pattern"));
    RW_TRY(rw_tk_wanted(load, to, RW_JSON_STRING, "content"));
    if (rw_json_get(pattern, "Regex"))
        return rw_tk_unsupported(&load->builder, "Replace with the pattern", rw_str_of("Regex"));
    const rw_json *from = rw_json_get(pattern, "String");
    RW_TRY(rw_tk_wanted(load, from, RW_JSON_STRING, "pattern"));
    if (from->string.size == 0)
        return rw_tk_type_error(load, "the pattern of Replace", "some text");
    *out = (rw_tk_normalizer){.kind = TK_REPLACE, .from = from->string, .to = to->string};
    return RW_OK;
}

static rw_status read_replace(rw_tk_loader *load, const rw_json *node) {
    rw_tk_normalizer step = {0};
    RW_TRY(read_replacement(load, node, &step));
    return rw_tk_add_normalizer(load->builder.tokenizer, step, load->err);
}

static rw_status read_normalizers(rw_tk_loader *load, const rw_json *node);

static const part normalizers[] = {{"NFC", read_nfc, {0}},
                                   {"NFD", read_nfd, {0}},
                                   {"Prepend", read_prepend, {"prepend"}},
                                   {"Replace", read_replace, {"pattern", "content"}},
                                   {"Sequence", read_normalizers, {"normalizers"}},
                                   {0}};

static rw_status read_normalizers(rw_tk_loader *load, const rw_json *node) {
    return read_sequence(load, node, "normalizers", normalizers, normalizer_kind);
}

/* ---- pre_tokenizer -------------------------------------------------------------------------- */

static const char pre_tokenizer_kind[] = "the pre_tokenizer";

/* ByteLevel rewrites the text into the byte alphabet, so what follows it would see that. */
static rw_status refuse_after_byte_level(const rw_tk_loader *load, const char *type) {
    if (!load->byte_level)
        return RW_OK;
    return rw_tk_unsupported(&load->builder, "after ByteLevel, the pre_tokenizer", rw_str_of(type));
}

static rw_status read_byte_level(rw_tk_loader *load, const rw_json *node) {
    bool prefix_space = false, use_regex = true;
    RW_TRY(refuse_after_byte_level(load, "ByteLevel"));
    load->byte_level = true;
    RW_TRY(rw_tk_read_bool(load, node, "add_prefix_space", true, &prefix_space));
    RW_TRY(rw_tk_read_bool(load, node, "use_regex", true, &use_regex));
    if (prefix_space)
        RW_TRY(rw_tk_add_prefix_space_stage(load->builder.tokenizer, load->err));
    if (use_regex)
        RW_TRY(rw_tk_add_regex_stage(load->builder.tokenizer, rw_str_of(rw_tk_pattern_gpt2),
                                     TK_ISOLATED, load->err));
    return RW_OK;
}

static rw_status read_digits(rw_tk_loader *load, const rw_json *node) {
    bool individual = false;
    RW_TRY(refuse_after_byte_level(load, "Digits"));
    RW_TRY(rw_tk_read_bool(load, node, "individual_digits", false, &individual));
    return rw_tk_add_regex_stage(load->builder.tokenizer,
                                 rw_str_of(individual ? "\\p{N}" : "\\p{N}+"), TK_ISOLATED,
                                 load->err);
}

/* "Removed" with "invert" keeps the matches only; text between them would be lost, which is an
   error when it happens. */
static rw_status read_behavior(const rw_tk_loader *load, const rw_json *node, rw_tk_behavior *out) {
    static const struct {
        const char *name;
        bool inverts, any;
        rw_tk_behavior behavior;
    } known[] = {{"Isolated", false, true, TK_ISOLATED},
                 {"Removed", true, false, TK_MATCHES_ONLY},
                 {"MergedWithPrevious", false, false, TK_WITH_PREVIOUS},
                 {"MergedWithNext", false, false, TK_WITH_NEXT}};
    const rw_json *behavior = rw_json_get(node, "behavior");
    bool invert = false;
    RW_TRY(rw_tk_wanted(load, behavior, RW_JSON_STRING, "behavior"));
    RW_TRY(rw_tk_read_bool(load, node, "invert", false, &invert));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *out = known[i].behavior;
        if (rw_str_is(behavior->string, known[i].name) &&
            (known[i].any || known[i].inverts == invert))
            return RW_OK;
    }
    return rw_tk_unsupported(
        &load->builder, invert ? "inverted Split with the behavior" : "Split with the behavior",
        behavior->string);
}

/* A literal as a pattern: everything that could mean something is escaped. */
static rw_status add_literal_stage(rw_tk_loader *load, rw_str literal, rw_tk_behavior behavior) {
    rw_buf *pattern = &load->builder.scratch;
    pattern->size = 0;
    for (size_t i = 0; i < literal.size; i++) {
        if (strchr("\\^$.[]|()?*+{}-#", literal.data[i]) && literal.data[i] != '\0')
            rw_buf_char(pattern, '\\');
        rw_buf_char(pattern, literal.data[i]);
    }
    RW_TRY(rw_buf_status(pattern, load->err));
    return rw_tk_add_regex_stage(load->builder.tokenizer, (rw_str){pattern->data, pattern->size},
                                 behavior, load->err);
}

static rw_status read_split(rw_tk_loader *load, const rw_json *node) {
    rw_tk_behavior behavior = TK_ISOLATED;
    RW_TRY(refuse_after_byte_level(load, "Split"));
    RW_TRY(read_behavior(load, node, &behavior));
    const rw_json *pattern = rw_json_get(node, "pattern");
    RW_TRY(rw_tk_wanted(load, pattern, RW_JSON_OBJECT, "pattern"));
    const rw_json *regex = rw_json_get(pattern, "Regex");
    const rw_json *text = regex ? regex : rw_json_get(pattern, "String");
    RW_TRY(rw_tk_wanted(load, text, RW_JSON_STRING, "pattern"));
    if (!regex)
        return add_literal_stage(load, text->string, behavior);
    return rw_tk_add_regex_stage(load->builder.tokenizer, text->string, behavior, load->err);
}

/* add_prefix_space is the older spelling of prepend_scheme. */
static rw_status read_prepend_scheme(const rw_tk_loader *load, const rw_json *node,
                                     rw_tk_prepend *out) {
    static const char *const names[] = {
        [TK_PREPEND_ALWAYS] = "always", [TK_PREPEND_FIRST] = "first", [TK_PREPEND_NEVER] = "never"};
    const rw_json *scheme = rw_json_get(node, "prepend_scheme");
    bool prefix = true;
    RW_TRY(rw_tk_read_bool(load, node, "add_prefix_space", true, &prefix));
    *out = prefix ? TK_PREPEND_ALWAYS : TK_PREPEND_NEVER;
    if (!scheme)
        return RW_OK;
    RW_TRY(rw_tk_wanted(load, scheme, RW_JSON_STRING, "prepend_scheme"));
    for (int i = TK_PREPEND_ALWAYS; i <= TK_PREPEND_NEVER; i++)
        if (rw_str_is(scheme->string, names[i])) {
            *out = (rw_tk_prepend)i;
            return prefix || i == TK_PREPEND_NEVER
                       ? RW_OK
                       : rw_tk_type_error(load, "prepend_scheme",
                                          "\"never\" where add_prefix_space is false");
        }
    return rw_tk_unsupported(&load->builder, "prepend_scheme", scheme->string);
}

/* Metaspace's members: the character that stands for a space, and where it goes before text. */
static rw_status read_space(const rw_tk_loader *load, const rw_json *node, rw_str *space,
                            rw_tk_prepend *prepend) {
    const rw_json *text = rw_json_get(node, "replacement");
    RW_TRY(rw_tk_wanted(load, text, RW_JSON_STRING, "replacement"));
    *space = text->string;
    if (space->size == 0 || rw_utf8_decode(space->data, space->size, NULL) != space->size)
        return rw_tk_type_error(load, "replacement", "one character");
    return read_prepend_scheme(load, node, prepend);
}

static rw_status read_metaspace(rw_tk_loader *load, const rw_json *node) {
    rw_str space;
    rw_tk_prepend prepend = TK_PREPEND_NEVER;
    bool split = true;
    RW_TRY(refuse_after_byte_level(load, "Metaspace"));
    if (load->has_metaspace)
        return rw_tk_unsupported(&load->builder, "a second", rw_str_of("Metaspace"));
    load->has_metaspace = true;
    RW_TRY(read_space(load, node, &space, &prepend));
    RW_TRY(rw_tk_read_bool(load, node, "split", true, &split));
    RW_TRY(rw_tk_add_metaspace_stage(load->builder.tokenizer, space, prepend, load->err));
    return split ? add_literal_stage(load, space, TK_WITH_NEXT) : RW_OK;
}

static rw_status read_pre_tokenizers(rw_tk_loader *load, const rw_json *node);

static const part pre_tokenizers[] = {
    {"ByteLevel", read_byte_level, {"add_prefix_space", "trim_offsets", "use_regex"}},
    {"Digits", read_digits, {"individual_digits"}},
    {"Metaspace",
     read_metaspace,
     {"replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"}},
    {"Split", read_split, {"pattern", "behavior", "invert"}},
    {"Sequence", read_pre_tokenizers, {"pretokenizers"}},
    {0}};

static rw_status read_pre_tokenizers(rw_tk_loader *load, const rw_json *node) {
    return read_sequence(load, node, "pretokenizers", pre_tokenizers, pre_tokenizer_kind);
}

/* ---- decoder -------------------------------------------------------------------------------- */

static const char decoder_kind[] = "the decoder";
/* Decoders of SentencePiece-style BPE stand in this order: Replace and ByteFallback, which see one
   token, Fuse, and Strip, which sees the text. */
static rw_status see_token(rw_tk_loader *load, const char *type) {
    load->decodes_characters = true;
    if (!load->fuses)
        return RW_OK;
    return rw_tk_unsupported(&load->builder, "after Fuse, the decoder", rw_str_of(type));
}

static rw_status read_decoder_byte_level(rw_tk_loader *load, const rw_json *node) {
    (void)node;
    load->decodes_byte_level = true;
    return RW_OK;
}

static rw_status read_decoder_replace(rw_tk_loader *load, const rw_json *node) {
    rw_tk_normalizer step = {0};
    RW_TRY(see_token(load, "Replace"));
    RW_TRY(read_replacement(load, node, &step));
    return rw_tk_add_decoder_replace(load->builder.tokenizer, step, load->err);
}

static rw_status read_decoder_bytes(rw_tk_loader *load, const rw_json *node) {
    (void)node;
    load->builder.tokenizer->decoder.bytes = true;
    return see_token(load, "ByteFallback");
}

static rw_status read_decoder_fuse(rw_tk_loader *load, const rw_json *node) {
    (void)node;
    load->decodes_characters = load->fuses = true;
    return RW_OK;
}

static rw_status read_decoder_strip(rw_tk_loader *load, const rw_json *node) {
    const rw_json *content = rw_json_get(node, "content");
    uint64_t start = 0, stop = 0;
    RW_TRY(rw_tk_wanted(load, content, RW_JSON_STRING, "content"));
    RW_TRY(rw_tk_read_id(load, rw_json_get(node, "start"), "start", &start));
    RW_TRY(rw_tk_read_id(load, rw_json_get(node, "stop"), "stop", &stop));
    if (!load->fuses || stop != 0 || start > 1 || !rw_str_is(content->string, " "))
        return rw_tk_unsupported(&load->builder,
                                 "other than for one space before the text, the decoder",
                                 rw_str_of("Strip"));
    load->builder.tokenizer->decoder.strips = (size_t)start;
    return RW_OK;
}

/* Hugging Face's takes every mark from the first token; one of them was put there. */
static rw_status read_decoder_metaspace(rw_tk_loader *load, const rw_json *node) {
    rw_tk_normalizer step = {.kind = TK_REPLACE, .to = {" ", 1}};
    rw_tk_prepend prepend = TK_PREPEND_NEVER;
    RW_TRY(see_token(load, "Metaspace"));
    RW_TRY(read_space(load, node, &step.from, &prepend));
    load->builder.tokenizer->decoder.strips = prepend != TK_PREPEND_NEVER;
    return rw_tk_add_decoder_replace(load->builder.tokenizer, step, load->err);
}

static rw_status read_decoders(rw_tk_loader *load, const rw_json *node);

static const part decoders[] = {
    {"ByteLevel", read_decoder_byte_level, {"add_prefix_space", "trim_offsets", "use_regex"}},
    {"Replace", read_decoder_replace, {"pattern", "content"}},
    {"ByteFallback", read_decoder_bytes, {0}},
    {"Fuse", read_decoder_fuse, {0}},
    {"Strip", read_decoder_strip, {"content", "start", "stop"}},
    {"Metaspace",
     read_decoder_metaspace,
     {"replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"}},
    {"Sequence", read_decoders, {"decoders"}},
    {0}};

static rw_status read_decoders(rw_tk_loader *load, const rw_json *node) {
    return read_sequence(load, node, "decoders", decoders, decoder_kind);
}

/* ---- post_processor ------------------------------------------------------------------------- */

static const char post_processor_kind[] = "the post_processor";

static rw_status push_affix(const rw_tk_loader *load, rw_tk_affix *affix, uint64_t id) {
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
static rw_status push_special(const rw_tk_loader *load, const rw_json *template, rw_str name,
                              rw_tk_affix *affix) {
    const rw_json *entry = rw_json_get(template, "special_tokens");
    for (entry = entry ? entry->first : NULL; entry; entry = entry->next)
        if (rw_str_equal(entry->key, name))
            break;
    const rw_json *ids = rw_json_get(entry, "ids");
    RW_TRY(rw_tk_wanted(load, ids, RW_JSON_ARRAY, "the ids of a special token of the template"));
    for (const rw_json *item = ids->first; item; item = item->next) {
        uint64_t id = 0;
        RW_TRY(rw_tk_read_id(load, item, "an id of the template", &id));
        RW_TRY(push_affix(load, affix, id));
    }
    return RW_OK;
}

static rw_status read_template(rw_tk_loader *load, const rw_json *node) {
    rw_tokenizer *tokenizer = load->builder.tokenizer;
    const rw_json *single = rw_json_get(node, "single");
    if (load->has_template)
        return rw_tk_unsupported(&load->builder, "a second", rw_str_of("TemplateProcessing"));
    load->has_template = true;
    RW_TRY(rw_tk_wanted(load, single, RW_JSON_ARRAY, "single"));
    bool after_text = false;
    for (const rw_json *item = single->first; item; item = item->next) {
        const rw_json *special = rw_json_get(item, "SpecialToken");
        if (!special && (after_text || !rw_json_get(item, "Sequence")))
            return rw_tk_type_error(load, "single", "special tokens around one sequence");
        if (!special) {
            after_text = true;
            continue;
        }
        const rw_json *name = rw_json_get(special, "id");
        RW_TRY(rw_tk_wanted(load, name, RW_JSON_STRING, "the id of a SpecialToken"));
        RW_TRY(push_special(load, node, name->string,
                            after_text ? &tokenizer->suffix : &tokenizer->prefix));
    }
    return after_text ? RW_OK
                      : rw_tk_type_error(load, "single", "special tokens around one sequence");
}

static rw_status read_processors(rw_tk_loader *load, const rw_json *node);

static const part post_processors[] = {
    /* trims offsets, which nobody asks for here */
    {"ByteLevel", nothing_to_do, {"add_prefix_space", "trim_offsets", "use_regex"}},
    {"TemplateProcessing", read_template, {"single", "pair", "special_tokens"}},
    {"Sequence", read_processors, {"processors"}},
    {0}};

static rw_status read_processors(rw_tk_loader *load, const rw_json *node) {
    return read_sequence(load, node, "processors", post_processors, post_processor_kind);
}

/* ---- the four ------------------------------------------------------------------------------- */

/* A part that may be null. */
static rw_status read_optional(rw_tk_loader *load, const rw_json *root, const char *key,
                               const part *parts, const char *kind) {
    const rw_json *node = rw_json_get(root, key);
    return rw_json_is_null(node) ? RW_OK : read_part(load, node, parts, kind);
}

rw_status rw_tk_read_normalizer(rw_tk_loader *load, const rw_json *root) {
    return read_optional(load, root, "normalizer", normalizers, normalizer_kind);
}

rw_status rw_tk_read_pre_tokenizer(rw_tk_loader *load, const rw_json *root) {
    return read_optional(load, root, "pre_tokenizer", pre_tokenizers, pre_tokenizer_kind);
}

rw_status rw_tk_read_decoder(rw_tk_loader *load, const rw_json *root) {
    return read_optional(load, root, "decoder", decoders, decoder_kind);
}

rw_status rw_tk_read_post_processor(rw_tk_loader *load, const rw_json *root) {
    return read_optional(load, root, "post_processor", post_processors, post_processor_kind);
}
