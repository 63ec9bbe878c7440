/*
 * pack.c - an evaluation pack from JSONL: every line checked before a model is asked anything.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/pack_reader.h"
#include "measure/wordings.h"

enum {
    ANSWERS_MAX = 256,
    ANSWER_BYTES_MAX = 1 << 16,
    CHOICES_MAX = 64,
    CONTEXT_FILE_MAX = 1 << 26,
    TOKENS_MAX = 4096, /* of an answer */
    NAME_MAX_BYTES = 200
};

static const char *const type_names[RW_PACK_TYPES] = {"qa", "extract", "choice", "lm", "passkey"};
static const char *const match_names[RW_PACK_MATCHES] = {"exact", "any",    "all",
                                                         "regex", "choice", "f1"};

const char *rw_pack_type_name(rw_pack_type type) {
    return type_names[type];
}

const char *rw_pack_match_name(rw_pack_match match) {
    return match_names[match];
}

/* ---- warnings -------------------------------------------------------------------------------- */

void rw_pack_warn(rw_pack_reader *reader, rw_pack_warning warning, uint32_t line,
                  const char *what) {
    if (reader->warnings[warning].count++ == 0) {
        reader->warnings[warning].line = line;
        reader->warnings[warning].what = rw_arena_format(&reader->pack->arena, "%s", what);
    }
}

static void say_warnings(rw_pack_reader *r) {
    static const struct {
        const char *code, *text;
    } table[RW_PACK_WARNINGS] = {
        {"pack.unknown_member", "has a member that ropewalk does not know"},
        {"pack.open_book", "has no answer that stands in its context: it may not need it"},
        {"pack.evidence_edges", "has all its evidence in the first or last tenth of the context"},
        {"pack.min_tokens", "is shorter than its min_tokens, with this model's tokenizer"},
    };
    for (size_t i = 0; i < RW_PACK_WARNINGS; i++)
        if (r->warnings[i].count)
            rw_diagnose(&r->pack->diagnostics, table[i].code, RW_WARNING, false, r->pack->file,
                        "line %u (%s) %s; %llu in all", (unsigned)r->warnings[i].line,
                        r->warnings[i].what ? r->warnings[i].what : "?", table[i].text,
                        (unsigned long long)r->warnings[i].count);
}

/* ---- members --------------------------------------------------------------------------------- */

/* Text of `key`; absent: empty, unless it is required. */
static rw_status take_text(const rw_jsonl *lines, const rw_json *item, const char *key,
                           bool required, rw_str *out, rw_error *err) {
    const rw_json *node = rw_json_get(item, key);
    *out = (rw_str){"", 0};
    if (!node && !required)
        return RW_OK;
    if (!node)
        return rw_jsonl_fail(lines, item->begin, "missing", err, "an item needs \"%s\"", key);
    if (node->type != RW_JSON_STRING)
        return rw_jsonl_fail(lines, node->begin, "type", err, "\"%s\" must be a string", key);
    if (required && node->string.size == 0)
        return rw_jsonl_fail(lines, node->begin, "empty", err, "\"%s\" is empty", key);
    *out = node->string;
    return RW_OK;
}

static rw_status take_whole(const rw_jsonl *lines, const rw_json *item, const char *key,
                            double least, double most, uint64_t *out, rw_error *err) {
    const rw_json *node = rw_json_get(item, key);
    *out = 0;
    if (!node)
        return RW_OK;
    if (node->type != RW_JSON_NUMBER || node->number != floor(node->number))
        return rw_jsonl_fail(lines, node->begin, "type", err, "\"%s\" must be a whole number", key);
    if (!(node->number >= least && node->number <= most))
        return rw_jsonl_fail(lines, node->begin, "range", err, "\"%s\" must be from %.0f to %.0f",
                             key, least, most);
    *out = (uint64_t)node->number;
    return RW_OK;
}

/* One of a list of names. */
static rw_status take_name(const rw_jsonl *lines, const rw_json *item, const char *key,
                           const char *const *names, size_t count, size_t *out, rw_error *err) {
    rw_str text;
    char known[128] = "";
    RW_TRY(take_text(lines, item, key, true, &text, err));
    for (size_t i = 0; i < count; i++) {
        if (rw_str_is(text, names[i])) {
            *out = i;
            return RW_OK;
        }
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
    }
    return rw_jsonl_fail(lines, rw_json_get(item, key)->begin, "unknown", err,
                         "there is no %s \"%.*s\": it is one of %s", key,
                         (int)(text.size < 40 ? text.size : 40), text.data, known);
}

/* A list of texts that are not empty. `keep`: copied into the pack. */
static rw_status take_list(const rw_jsonl *lines, const rw_json *item, const char *key, size_t most,
                           rw_str **out, size_t *count, rw_error *err) {
    rw_pack_reader *r = lines->user;
    const rw_json *list = rw_json_get(item, key);
    if (!list)
        return rw_jsonl_fail(lines, item->begin, "missing", err, "an item needs \"%s\"", key);
    if (list->type != RW_JSON_ARRAY)
        return rw_jsonl_fail(lines, list->begin, "type", err, "\"%s\" must be an array", key);
    if (list->count == 0 || list->count > most)
        return rw_jsonl_fail(lines, list->begin, "answer", err, "\"%s\" must hold 1 to %zu texts",
                             key, most);
    *out = rw_arena_alloc(&r->pack->arena, list->count * sizeof **out);
    if (!*out)
        return rw_fail_memory(err, lines->path, list->count * sizeof **out);
    for (const rw_json *node = list->first; node; node = node->next) {
        if (node->type != RW_JSON_STRING)
            return rw_jsonl_fail(lines, node->begin, "type", err, "\"%s\" must hold strings", key);
        if (node->string.size == 0 || node->string.size > ANSWER_BYTES_MAX)
            return rw_jsonl_fail(lines, node->begin, "answer", err,
                                 "a text of \"%s\" is empty, or longer than 64 KiB", key);
        const char *copy = rw_arena_text(&r->pack->arena, node->string.data, node->string.size);
        if (!copy)
            return rw_fail_memory(err, lines->path, node->string.size);
        (*out)[(*count)++] = (rw_str){copy, node->string.size};
    }
    return RW_OK;
}

/* ---- the context ----------------------------------------------------------------------------- */

/* A pack names files beside or below it, and nothing else of the machine it is run on. */
static bool path_stays(rw_str path) {
    if (path.size == 0 || path.data[0] == '/' || memchr(path.data, 0, path.size))
        return false;
    for (size_t begin = 0, end; begin <= path.size; begin = end + 1) {
        for (end = begin; end < path.size && path.data[end] != '/';)
            end++;
        if (end - begin == 2 && memcmp(path.data + begin, "..", 2) == 0)
            return false;
    }
    return true;
}

static rw_status check_file(const rw_jsonl *lines, const rw_json *item, const rw_json *node,
                            const rw_buf *bytes, rw_error *err) {
    rw_str wanted, text = {bytes->data, bytes->size};
    rw_sha256 digest;
    char hex[65];
    size_t bad = 0;
    RW_TRY(take_text(lines, item, "sha256", true, &wanted, err));
    RW_TRY(rw_sha256_bytes(lines->ctx, text, &digest, err));
    rw_sha256_hex(&digest, hex);
    if (!rw_str_is(wanted, hex))
        return rw_jsonl_fail(lines, node->begin, "sha256", err,
                             "the file \"%.*s\" has SHA-256 %s, not what the line says",
                             (int)(node->string.size < 80 ? node->string.size : 80),
                             node->string.data, hex);
    if (!rw_utf8_valid(text, &bad))
        return rw_jsonl_fail(lines, node->begin, "utf8", err,
                             "byte %zu of the context's file is not UTF-8", bad);
    if (text.size == 0)
        return rw_jsonl_fail(lines, node->begin, "empty", err, "the context's file is empty");
    return RW_OK;
}

static rw_status load_context(const rw_jsonl *lines, const rw_json *item, const rw_json *node,
                              rw_buf *bytes, rw_error *err) {
    rw_arena arena = {.ctx = lines->ctx};
    const char *slash = strrchr(lines->path, '/');
    size_t folder = slash ? (size_t)(slash - lines->path) + 1 : 0;
    if (node->type != RW_JSON_STRING || !path_stays(node->string))
        return rw_jsonl_fail(lines, node->begin, "file", err,
                             "\"context_file\" must be a path from the pack's folder on, "
                             "without \"..\"");
    const char *path = rw_arena_format(&arena, "%.*s%.*s", (int)folder, lines->path,
                                       (int)node->string.size, node->string.data);
    rw_error cause = {0};
    rw_status status = path ? rw_file_load(lines->ctx, path, CONTEXT_FILE_MAX, bytes, &cause)
                            : rw_fail_memory(&cause, lines->path, node->string.size);
    rw_arena_free(&arena);
    if (status != RW_OK)
        return rw_jsonl_blame(lines, node->begin, &cause, err);
    return check_file(lines, item, node, bytes, err);
}

static rw_status take_context(const rw_jsonl *lines, const rw_json *item, rw_buf *bytes,
                              rw_str *out, rw_error *err) {
    const rw_json *text = rw_json_get(item, "context"), *file = rw_json_get(item, "context_file");
    if (!text == !file)
        return rw_jsonl_fail(lines, item->begin, "missing", err,
                             "an item has \"context\" or \"context_file\": one of the two");
    if (text)
        return take_text(lines, item, "context", true, out, err);
    RW_TRY(load_context(lines, item, file, bytes, err));
    *out = (rw_str){bytes->data, bytes->size};
    return RW_OK;
}

/* ---- evidence -------------------------------------------------------------------------------- */

static size_t count_characters(rw_str text) {
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80; /* all but continuation bytes */
    return count;
}

static bool read_span(const rw_json *node, size_t characters, double *begin, double *end) {
    if (node->type != RW_JSON_ARRAY || node->count != 2)
        return false;
    *begin = rw_json_number_or(node->first, NAN);
    *end = rw_json_number_or(node->first->next, NAN);
    return *begin >= 0 && *begin < *end && *end <= (double)characters && *begin == floor(*begin) &&
           *end == floor(*end);
}

static rw_status take_evidence(const rw_jsonl *lines, const rw_json *value, rw_pack_texts *texts,
                               rw_pack_item *item, rw_error *err) {
    const rw_json *list = rw_json_get(value, "evidence");
    double first = INFINITY, last = 0, begin, end;
    size_t characters = count_characters(texts->context);
    item->depth = NAN;
    if (!list)
        return RW_OK;
    if (list->type != RW_JSON_ARRAY || list->count == 0)
        return rw_jsonl_fail(lines, list->begin, "type", err,
                             "\"evidence\" must be a list of [start, end]");
    for (const rw_json *node = list->first; node; node = node->next) {
        if (!read_span(node, characters, &begin, &end))
            return rw_jsonl_fail(lines, node->begin, "range", err,
                                 "a span of evidence is [start, end) in characters of the context, "
                                 "which has %zu",
                                 characters);
        first = fmin(first, begin);
        last = fmax(last, end);
    }
    texts->evidence = list;
    item->depth = 0.5 * (first + last) / (double)characters;
    if (last <= 0.1 * (double)characters || first >= 0.9 * (double)characters)
        rw_pack_warn(lines->user, RW_WARN_EDGES, lines->line, item->id);
    return RW_OK;
}

/* ---- one item -------------------------------------------------------------------------------- */

static void warn_members(const rw_jsonl *lines, const rw_json *value) {
    static const char *const known[] = {
        "id",     "type",    "match",      "context",  "context_file", "sha256", "question",
        "stem",   "answers", "choices",    "evidence", "min_tokens",   "split",  "tags",
        "source", "license", "max_tokens", "length",   "depth"};
    for (const rw_json *node = value->first; node; node = node->next) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || rw_str_is(node->key, known[i]);
        if (!found) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)(node->key.size < 60 ? node->key.size : 60),
                     node->key.data);
            rw_pack_warn(lines->user, RW_WARN_MEMBER, lines->line, name);
        }
    }
}

/* Which types a match goes with. */
static bool goes_with(rw_pack_type type, rw_pack_match match) {
    if (type == RW_PACK_CHOICE || match == RW_MATCH_CHOICE)
        return type == RW_PACK_CHOICE && match == RW_MATCH_CHOICE;
    return (type != RW_PACK_LM && type != RW_PACK_PASSKEY) || match == RW_MATCH_EXACT;
}

static rw_status take_kind(const rw_jsonl *lines, const rw_json *value, rw_pack_item *item,
                           rw_error *err) {
    size_t type = 0, match = RW_MATCH_EXACT;
    RW_TRY(take_name(lines, value, "type", type_names, RW_PACK_TYPES, &type, err));
    if (type != RW_PACK_PASSKEY || rw_json_get(value, "match"))
        RW_TRY(take_name(lines, value, "match", match_names, RW_PACK_MATCHES, &match, err));
    item->type = (rw_pack_type)type;
    item->match = (rw_pack_match)match;
    if (!goes_with(item->type, item->match))
        return rw_jsonl_fail(lines, value->begin, "match", err,
                             "match \"%s\" does not go with type \"%s\"", match_names[match],
                             type_names[type]);
    return RW_OK;
}

/* The right answer must be one of the choices, which must differ. */
static rw_status take_choices(const rw_jsonl *lines, const rw_json *value, rw_pack_texts *texts,
                              rw_pack_item *item, rw_error *err) {
    RW_TRY(take_list(lines, value, "choices", CHOICES_MAX, &texts->choices, &texts->choice_count,
                     err));
    item->right = texts->choice_count;
    for (size_t i = 0; i < texts->choice_count; i++) {
        if (rw_str_equal(texts->choices[i], item->answers[0]))
            item->right = i;
        for (size_t k = 0; k < i; k++)
            if (rw_str_equal(texts->choices[i], texts->choices[k]))
                return rw_jsonl_fail(lines, value->begin, "choice", err,
                                     "two of the choices are the same");
    }
    if (texts->choice_count < 2 || item->answer_count != 1 || item->right == texts->choice_count)
        return rw_jsonl_fail(lines, value->begin, "choice", err,
                             "a choice needs at least two \"choices\", and \"answers\" with one "
                             "of them");
    return RW_OK;
}

static rw_status check_answers(const rw_jsonl *lines, const rw_json *value,
                               const rw_pack_item *item, rw_error *err) {
    char reason[160];
    for (size_t i = 0; i < item->answer_count; i++) {
        bool blank = true;
        for (size_t b = 0; b < item->answers[i].size; b++)
            blank = blank && strchr(" \t\r\n\v\f", item->answers[i].data[b]) != NULL &&
                    item->answers[i].data[b];
        if (blank)
            return rw_jsonl_fail(lines, value->begin, "answer", err, "an answer is empty");
        if (item->match == RW_MATCH_REGEX &&
            !rw_pack_pattern_ok(item->answers[i], reason, sizeof reason))
            return rw_jsonl_fail(lines, value->begin, "regex", err,
                                 "the regular expression of answer %zu does not work: %s", i + 1,
                                 reason);
    }
    return RW_OK;
}

/* An answer that does not stand in the context can't be read there. */
static rw_status check_open_book(const rw_jsonl *lines, const rw_pack_item *item, rw_str context,
                                 rw_error *err) {
    bool found = false;
    if ((item->type != RW_PACK_QA && item->type != RW_PACK_EXTRACT) ||
        item->match == RW_MATCH_REGEX)
        return RW_OK;
    rw_arena arena = {.ctx = lines->ctx};
    rw_str text, answer;
    rw_status status = rw_pack_normalise(&arena, context, false, &text, err);
    for (size_t i = 0; status == RW_OK && i < item->answer_count && !found; i++) {
        status = rw_pack_normalise(&arena, item->answers[i], false, &answer, err);
        found = status == RW_OK && memmem(text.data, text.size, answer.data, answer.size);
    }
    rw_arena_free(&arena);
    if (status == RW_OK && !found)
        rw_pack_warn(lines->user, RW_WARN_OPEN_BOOK, lines->line, item->id);
    return status;
}

static rw_status read_texts(const rw_jsonl *lines, const rw_json *value, rw_buf *file,
                            rw_pack_item *item, rw_error *err) {
    rw_pack_texts texts = {0};
    uint64_t least;
    RW_TRY(take_context(lines, value, file, &texts.context, err));
    RW_TRY(take_text(lines, value, "question", false, &texts.question, err));
    RW_TRY(take_text(lines, value, "stem", false, &texts.stem, err));
    RW_TRY(take_whole(lines, value, "max_tokens", 1, TOKENS_MAX, &texts.max_tokens, err));
    RW_TRY(take_whole(lines, value, "min_tokens", 0, 1e15, &least, err));
    RW_TRY(
        take_list(lines, value, "answers", ANSWERS_MAX, &item->answers, &item->answer_count, err));
    RW_TRY(check_answers(lines, value, item, err));
    if (item->type == RW_PACK_CHOICE)
        RW_TRY(take_choices(lines, value, &texts, item, err));
    RW_TRY(take_evidence(lines, value, &texts, item, err));
    RW_TRY(check_open_book(lines, item, texts.context, err));
    RW_TRY(rw_pack_tokenize(lines, value, &texts, item, err));
    if (item->length < least)
        rw_pack_warn(lines->user, RW_WARN_SHORT, lines->line, item->id);
    return RW_OK;
}

/* Generated from its parameters when it is asked: text of the data, one needle, one question. */
static rw_status read_passkey(const rw_jsonl *lines, const rw_json *value, rw_pack_item *item,
                              rw_error *err) {
    const rw_json *depth = rw_json_get(value, "depth");
    uint64_t length;
    RW_TRY(take_whole(lines, value, "length", 2, 2147483648.0, &length, err));
    item->length = (size_t)length;
    item->depth = rw_json_number_or(depth, NAN);
    if (!length)
        return rw_jsonl_fail(lines, value->begin, "missing", err, "a passkey needs \"length\"");
    if (!(item->depth >= 0 && item->depth <= 1))
        return rw_jsonl_fail(lines, depth ? depth->begin : value->begin, "range", err,
                             "a passkey needs \"depth\" from 0 to 1");
    return RW_OK;
}

static rw_status read_item(const rw_jsonl *lines, const rw_json *value, rw_pack_item *item,
                           rw_error *err) {
    rw_pack_reader *r = lines->user;
    rw_buf file = {.ctx = lines->ctx};
    rw_str id;
    RW_TRY(take_text(lines, value, "id", true, &id, err));
    if (id.size > NAME_MAX_BYTES || memchr(id.data, 0, id.size))
        return rw_jsonl_fail(lines, value->begin, "range", err,
                             "\"id\" is longer than %d bytes, or holds a NUL", NAME_MAX_BYTES);
    *item = (rw_pack_item){.line = lines->line};
    item->id = rw_arena_text(&r->pack->arena, id.data, id.size);
    if (!item->id)
        return rw_fail_memory(err, lines->path, id.size);
    RW_TRY(take_kind(lines, value, item, err));
    warn_members(lines, value);
    if (item->type == RW_PACK_PASSKEY)
        return read_passkey(lines, value, item, err);
    rw_status status = read_texts(lines, value, &file, item, err);
    rw_buf_free(&file);
    return status;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static rw_status take_label(const rw_jsonl *lines, const rw_json *value, const char *key,
                            const char **out, rw_error *err) {
    rw_pack_reader *r = lines->user;
    rw_str text;
    RW_TRY(take_text(lines, value, key, false, &text, err));
    if (text.size == 0)
        return RW_OK;
    *out = rw_arena_text(&r->pack->arena, text.data,
                         text.size < NAME_MAX_BYTES ? text.size : NAME_MAX_BYTES);
    return *out ? RW_OK : rw_fail_memory(err, lines->path, text.size);
}

static rw_status take_header(const rw_jsonl *lines, const rw_json *value, rw_error *err) {
    rw_pack *pack = ((rw_pack_reader *)lines->user)->pack;
    if (pack->count || pack->name)
        return rw_jsonl_fail(lines, value->begin, "type", err,
                             "the pack's own line must be the first");
    RW_TRY(take_label(lines, value, "pack", &pack->name, err));
    RW_TRY(take_label(lines, value, "license", &pack->license, err));
    RW_TRY(take_label(lines, value, "created", &pack->created, err));
    RW_TRY(take_whole(lines, value, "version", 1, 1, &pack->version, err));
    if (!pack->name)
        return rw_jsonl_fail(lines, value->begin, "empty", err, "\"pack\" is empty");
    return RW_OK;
}

static rw_status take_line(rw_jsonl *lines, const rw_json *value, rw_error *err) {
    rw_pack_reader *r = lines->user;
    rw_pack *pack = r->pack;
    if (value->type != RW_JSON_OBJECT)
        return rw_jsonl_fail(lines, value->begin, "type", err, "a line must be a JSON object");
    if (rw_json_get(value, "pack"))
        return take_header(lines, value, err);
    if (pack->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 64, size = sizeof *pack->items;
        rw_pack_item *grown = rw_grow(lines->ctx, pack->items, r->capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, lines->path, capacity * size);
        pack->items = grown;
        r->capacity = capacity;
    }
    RW_TRY(read_item(lines, value, &pack->items[pack->count], err));
    pack->count++;
    return RW_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

typedef struct id_line {
    const char *id;
    uint32_t line;
} id_line;

static int compare_ids(const void *a, const void *b) {
    const id_line *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Names the first line that repeats an id. */
static rw_status check_ids(rw_jsonl *lines, const rw_pack *pack, rw_error *err) {
    id_line *sorted = rw_calloc(pack->ctx, pack->count, sizeof *sorted), twice = {0}, before = {0};
    if (!sorted)
        return rw_fail_memory(err, lines->path, pack->count * sizeof *sorted);
    for (size_t i = 0; i < pack->count; i++)
        sorted[i] = (id_line){pack->items[i].id, pack->items[i].line};
    qsort(sorted, pack->count, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < pack->count; i++)
        if (strcmp(sorted[i].id, sorted[i - 1].id) == 0 &&
            (!twice.id || sorted[i].line < twice.line)) {
            twice = sorted[i];
            before = sorted[i - 1];
        }
    rw_free(pack->ctx, sorted);
    if (!twice.id)
        return RW_OK;
    lines->line = twice.line;
    lines->line_begin = 0;
    return rw_jsonl_fail(lines, 0, "duplicate_id", err, "id \"%s\" is also on line %u", twice.id,
                         (unsigned)before.line);
}

static rw_status read_pack(rw_jsonl *lines, rw_error *err) {
    rw_pack_reader *r = lines->user;
    rw_pack *pack = r->pack;
    char *name = rw_jsonl_name(pack->ctx, lines->path);
    pack->file = name ? rw_arena_format(&pack->arena, "%s", name) : NULL;
    rw_free(pack->ctx, name);
    if (!pack->file)
        return rw_fail_memory(err, lines->path, 0);
    RW_TRY(rw_jsonl_read(lines, &pack->digest, err));
    if (pack->count == 0)
        return rw_fail(err, RW_ERR_INPUT, "pack.empty", lines->path,
                       "no item in the pack: give one JSON object a line, with \"id\", \"type\", "
                       "\"context\", \"answers\" and \"match\"");
    RW_TRY(check_ids(lines, pack, err));
    if (!pack->name)
        pack->name = pack->file;
    say_warnings(r);
    return RW_OK;
}

rw_status rw_pack_read(rw_context *ctx, const char *path, const rw_tokenizer *tokenizer,
                       rw_pack **out, rw_error *err) {
    *out = NULL;
    rw_pack *pack = rw_calloc(ctx, 1, sizeof *pack);
    if (!pack)
        return rw_fail_memory(err, path, sizeof *pack);
    pack->ctx = ctx;
    pack->arena.ctx = ctx;
    pack->diagnostics.arena = &pack->arena;
    rw_pack_reader r = {.tokenizer = tokenizer, .pack = pack};
    rw_jsonl lines = {.ctx = ctx, .path = path, .room = "pack", .user = &r, .take = take_line};
    rw_status status = read_pack(&lines, err);
    if (status != RW_OK) {
        rw_pack_free(pack);
        return status;
    }
    *out = pack;
    return RW_OK;
}

void rw_pack_free(rw_pack *pack) {
    if (!pack)
        return;
    rw_context *ctx = pack->ctx;
    rw_free(ctx, pack->items);
    rw_arena_free(&pack->arena);
    rw_free(ctx, pack);
}
