/*
 * corpus.c - documents from JSONL. The file is read once, in pieces: hashed whole, parsed as far as
 * documents are wanted. Every error names the line.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "measure/measure.h"

/* A line is parsed as one JSON text in memory; anything longer is not a document of ours. */
enum { READ_SIZE = 1 << 20, LINE_MAX_BYTES = 1 << 28 };

typedef struct reader {
    rw_context *ctx;
    const rw_tokenizer *tokenizer;
    const char *path;
    rw_corpus *corpus;
    size_t capacity; /* of corpus->documents */
    uint64_t limit;
    uint32_t line_number;
    uint64_t line_begin; /* byte in the file */
    rw_buf line;         /* the part of the current line read so far */
} reader;

static bool corpus_is_full(const reader *r) {
    return r->limit && r->corpus->count >= r->limit;
}

static rw_status line_fail(const reader *r, uint64_t offset, const char *code, const char *message,
                           rw_error *err) {
    char where[RW_ERROR_WHERE_MAX];
    snprintf(where, sizeof where, "%s:%u", r->path, (unsigned)r->line_number);
    return rw_fail_at(err, RW_ERR_INPUT, code, where, r->line_begin + offset, "line %u: %s",
                      (unsigned)r->line_number, message);
}

/* The JSON reader's complaint in this room's words: which line of the data it is about. */
static rw_status syntax_fail(const reader *r, const rw_error *cause, rw_error *err) {
    if (cause->status != RW_ERR_INPUT) {
        if (err)
            *err = *cause;
        return cause->status;
    }
    const char *code = strcmp(cause->code, "json.utf8") == 0 ? "data.utf8" : "data.syntax";
    uint64_t offset = cause->offset == RW_NO_OFFSET ? 0 : cause->offset;
    return line_fail(r, offset, code, cause->message, err);
}

static rw_status read_text(const reader *r, const rw_json *text, rw_document *out, rw_error *err) {
    if (text->type != RW_JSON_STRING)
        return line_fail(r, text->begin, "data.type", "\"text\" must be a string", err);
    rw_error cause = {0};
    rw_status status =
        rw_tokenizer_encode(r->tokenizer, text->string, RW_TOKENIZE_BOS | RW_TOKENIZE_SPECIAL,
                            &out->tokens, &out->count, &cause);
    if (status == RW_ERR_INPUT)
        return line_fail(r, text->begin, cause.code, cause.message, err);
    if (status != RW_OK && err)
        *err = cause;
    return status;
}

static rw_status read_ids(const reader *r, const rw_json *ids, int32_t *out, rw_error *err) {
    size_t vocab = rw_tokenizer_vocab_size(r->tokenizer);
    for (const rw_json *id = ids->first; id; id = id->next) {
        if (id->type != RW_JSON_NUMBER || id->number != floor(id->number))
            return line_fail(r, id->begin, "data.type", "\"tokens\" must hold integers only", err);
        if (id->number < 0 || id->number >= (double)vocab) {
            char message[128];
            snprintf(message, sizeof message,
                     "token id %.0f is outside the model's vocabulary (0 to %zu)", id->number,
                     vocab - 1);
            return line_fail(r, id->begin, "data.token_range", message, err);
        }
        *out++ = (int32_t)id->number;
    }
    return RW_OK;
}

/* Ids are taken as they are: a BOS is in them or it is not. */
static rw_status read_tokens(const reader *r, const rw_json *tokens, rw_document *out,
                             rw_error *err) {
    if (tokens->type != RW_JSON_ARRAY)
        return line_fail(r, tokens->begin, "data.type", "\"tokens\" must be an array", err);
    int32_t *ids = rw_calloc(r->ctx, tokens->count + 1, sizeof *ids);
    if (!ids)
        return rw_fail_memory(err, r->path, tokens->count * sizeof *ids);
    rw_status status = read_ids(r, tokens, ids, err);
    if (status != RW_OK) {
        rw_free(r->ctx, ids);
        return status;
    }
    out->tokens = ids;
    out->count = tokens->count;
    return RW_OK;
}

static rw_status add_document(reader *r, const rw_document *document, rw_error *err) {
    rw_corpus *corpus = r->corpus;
    if (corpus->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 16, size = sizeof *corpus->documents;
        rw_document *grown =
            rw_grow(r->ctx, corpus->documents, r->capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, r->path, capacity * size);
        corpus->documents = grown;
        r->capacity = capacity;
    }
    corpus->documents[corpus->count++] = *document;
    return RW_OK;
}

static rw_status read_object(reader *r, const rw_json *root, rw_error *err) {
    const rw_json *text = rw_json_get(root, "text"), *tokens = rw_json_get(root, "tokens");
    if (root->type != RW_JSON_OBJECT)
        return line_fail(r, root->begin, "data.type", "a line must be a JSON object", err);
    if (!text == !tokens)
        return line_fail(r, root->begin, "data.type",
                         text ? "a document has \"text\" or \"tokens\", not both"
                              : "a document needs \"text\" or \"tokens\"",
                         err);
    rw_document document = {.line = r->line_number};
    RW_TRY(text ? read_text(r, text, &document, err) : read_tokens(r, tokens, &document, err));
    rw_status status = add_document(r, &document, err);
    if (status != RW_OK)
        rw_free(r->ctx, document.tokens);
    return status;
}

static bool line_is_blank(rw_str line) {
    static const char bom[] = "\xef\xbb\xbf";
    if (line.size >= 3 && memcmp(line.data, bom, 3) == 0)
        line = (rw_str){line.data + 3, line.size - 3};
    for (size_t i = 0; i < line.size; i++)
        if (!strchr(" \t\r", line.data[i]) || line.data[i] == '\0')
            return false;
    return true;
}

static rw_status read_line(reader *r, rw_error *err) {
    rw_str line = {r->line.data, r->line.size};
    if (line_is_blank(line))
        return RW_OK;
    rw_arena arena = {.ctx = r->ctx};
    const rw_json *root = NULL;
    rw_error cause = {0};
    rw_status status = rw_json_parse(&arena, line, r->path, &root, &cause);
    status = status == RW_OK ? read_object(r, root, err) : syntax_fail(r, &cause, err);
    rw_arena_free(&arena);
    return status;
}

static rw_status end_line(reader *r, rw_error *err) {
    r->line_number++;
    RW_TRY(rw_buf_status(&r->line, err));
    RW_TRY(read_line(r, err));
    r->line_begin += r->line.size + 1;
    r->line.size = 0;
    return RW_OK;
}

static rw_status append_part(reader *r, const char *part, size_t size, rw_error *err) {
    if (size > LINE_MAX_BYTES - r->line.size) {
        r->line_number++;
        return line_fail(r, 0, "data.syntax", "the line is longer than 256 MiB", err);
    }
    rw_buf_append(&r->line, part, size);
    return RW_OK;
}

/* Cuts a piece of the file into lines; the last one may go on in the next piece. */
static rw_status read_piece(reader *r, const char *piece, size_t size, rw_error *err) {
    const char *end = piece + size;
    while (piece < end && !corpus_is_full(r)) {
        const char *newline = memchr(piece, '\n', (size_t)(end - piece));
        RW_TRY(append_part(r, piece, (size_t)((newline ? newline : end) - piece), err));
        if (!newline)
            break;
        RW_TRY(end_line(r, err));
        piece = newline + 1;
    }
    return RW_OK;
}

static rw_status read_pieces(reader *r, const rw_file *file, rw_hasher *hasher, char *piece,
                             rw_error *err) {
    for (uint64_t at = 0; at < file->size;) {
        uint64_t left = file->size - at;
        size_t size = left < READ_SIZE ? (size_t)left : READ_SIZE;
        RW_TRY(rw_check_cancel(r->ctx, err));
        RW_TRY(rw_file_read(file, at, piece, size, err));
        rw_hasher_update(hasher, piece, size);
        RW_TRY(read_piece(r, piece, size, err));
        at += size;
    }
    if (r->line.size && !corpus_is_full(r))
        RW_TRY(end_line(r, err));
    if (r->corpus->count == 0)
        return rw_fail(err, RW_ERR_INPUT, "data.empty", r->path,
                       "no document in the file: give one JSON object a line, "
                       "{\"text\":...} or {\"tokens\":[...]}");
    return RW_OK;
}

static rw_status read_file(reader *r, const rw_file *file, rw_error *err) {
    rw_hasher *hasher = NULL;
    RW_TRY(rw_hasher_create(r->ctx, &hasher, err));
    char *piece = rw_alloc(r->ctx, READ_SIZE);
    rw_status status =
        piece ? read_pieces(r, file, hasher, piece, err) : rw_fail_memory(err, r->path, READ_SIZE);
    rw_free(r->ctx, piece);
    if (status == RW_OK)
        return rw_hasher_finish(hasher, &r->corpus->digest, err);
    rw_hasher_free(hasher);
    return status;
}

static char *base_name(rw_context *ctx, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *copy = rw_alloc(ctx, strlen(name) + 1);
    if (copy)
        memcpy(copy, name, strlen(name) + 1);
    return copy;
}

rw_status rw_corpus_read(rw_context *ctx, const char *path, const rw_tokenizer *tokenizer,
                         uint64_t limit, rw_corpus *out, rw_error *err) {
    *out = (rw_corpus){.ctx = ctx};
    reader r = {.ctx = ctx,
                .tokenizer = tokenizer,
                .path = path,
                .corpus = out,
                .limit = limit,
                .line = {.ctx = ctx}};
    rw_file file;
    RW_TRY(rw_file_open(ctx, path, &file, err));
    rw_status status = read_file(&r, &file, err);
    if (status == RW_OK && !(out->name = base_name(ctx, path)))
        status = rw_fail_memory(err, path, strlen(path));
    rw_buf_free(&r.line);
    rw_file_close(&file);
    if (status != RW_OK)
        rw_corpus_free(out);
    return status;
}

void rw_corpus_free(rw_corpus *corpus) {
    if (!corpus->ctx)
        return;
    for (size_t i = 0; i < corpus->count; i++)
        rw_free(corpus->ctx, corpus->documents[i].tokens);
    rw_free(corpus->ctx, corpus->documents);
    rw_free(corpus->ctx, corpus->name);
    *corpus = (rw_corpus){0};
}
