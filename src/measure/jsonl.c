/*
 * jsonl.c - lines of a file as JSON values.
 */
#include "measure/jsonl.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

/* A line is parsed as one JSON text in memory; anything longer is not an object of ours. */
enum { READ_SIZE = 1 << 20, LINE_MAX_BYTES = 1 << 28 };

static rw_status line_fail(const rw_jsonl *r, uint64_t offset, const char *code,
                           const char *message, rw_error *err) {
    char where[RW_ERROR_WHERE_MAX];
    snprintf(where, sizeof where, "%s:%u", r->path, (unsigned)r->line);
    return rw_fail_at(err, RW_ERR_INPUT, code, where, r->line_begin + offset, "line %u: %s",
                      (unsigned)r->line, message);
}

rw_status rw_jsonl_fail(const rw_jsonl *reader, uint64_t offset, const char *reason, rw_error *err,
                        const char *format, ...) {
    char code[RW_ERROR_CODE_MAX], message[RW_ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(code, sizeof code, "%s.%s", reader->room, reason);
    return line_fail(reader, offset, code, message, err);
}

rw_status rw_jsonl_blame(const rw_jsonl *reader, uint64_t offset, const rw_error *cause,
                         rw_error *err) {
    if (cause->status == RW_ERR_INPUT)
        return line_fail(reader, offset, cause->code, cause->message, err);
    if (err)
        *err = *cause;
    return cause->status;
}

/* The JSON reader's complaint in this room's words: which line of the file it is about. */
static rw_status syntax_fail(const rw_jsonl *r, const rw_error *cause, rw_error *err) {
    if (cause->status != RW_ERR_INPUT)
        return rw_jsonl_blame(r, 0, cause, err);
    const char *reason = strcmp(cause->code, "json.utf8") == 0 ? "utf8" : "syntax";
    uint64_t offset = cause->offset == RW_NO_OFFSET ? 0 : cause->offset;
    return rw_jsonl_fail(r, offset, reason, err, "%s", cause->message);
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

static rw_status read_line(rw_jsonl *r, rw_error *err) {
    rw_str line = {r->text.data, r->text.size};
    if (line_is_blank(line))
        return RW_OK;
    rw_arena arena = {.ctx = r->ctx};
    const rw_json *root = NULL;
    rw_error cause = {0};
    rw_status status = rw_json_parse(&arena, line, r->path, &root, &cause);
    status = status == RW_OK ? r->take(r, root, err) : syntax_fail(r, &cause, err);
    rw_arena_free(&arena);
    return status;
}

static rw_status end_line(rw_jsonl *r, rw_error *err) {
    r->line++;
    RW_TRY(rw_buf_status(&r->text, err));
    RW_TRY(read_line(r, err));
    r->line_begin += r->text.size + 1;
    r->text.size = 0;
    return RW_OK;
}

static rw_status append_part(rw_jsonl *r, const char *part, size_t size, rw_error *err) {
    if (size > LINE_MAX_BYTES - r->text.size) {
        r->line++;
        return rw_jsonl_fail(r, 0, "syntax", err, "the line is longer than 256 MiB");
    }
    rw_buf_append(&r->text, part, size);
    return RW_OK;
}

/* Cuts a piece of the file into lines; the last one may go on in the next piece. */
static rw_status read_piece(rw_jsonl *r, const char *piece, size_t size, rw_error *err) {
    const char *end = piece + size;
    while (piece < end && !r->full) {
        const char *newline = memchr(piece, '\n', (size_t)(end - piece));
        RW_TRY(append_part(r, piece, (size_t)((newline ? newline : end) - piece), err));
        if (!newline)
            break;
        RW_TRY(end_line(r, err));
        piece = newline + 1;
    }
    return RW_OK;
}

static rw_status read_pieces(rw_jsonl *r, const rw_file *file, rw_hasher *hasher, char *piece,
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
    return r->text.size && !r->full ? end_line(r, err) : RW_OK;
}

static rw_status read_file(rw_jsonl *r, const rw_file *file, rw_sha256 *digest, rw_error *err) {
    rw_hasher *hasher = NULL;
    RW_TRY(rw_hasher_create(r->ctx, &hasher, err));
    char *piece = rw_alloc(r->ctx, READ_SIZE);
    rw_status status =
        piece ? read_pieces(r, file, hasher, piece, err) : rw_fail_memory(err, r->path, READ_SIZE);
    rw_free(r->ctx, piece);
    if (status == RW_OK)
        return rw_hasher_finish(hasher, digest, err);
    rw_hasher_free(hasher);
    return status;
}

rw_status rw_jsonl_read(rw_jsonl *reader, rw_sha256 *digest, rw_error *err) {
    rw_file file;
    RW_TRY(rw_file_open(reader->ctx, reader->path, &file, err));
    reader->text = (rw_buf){.ctx = reader->ctx};
    rw_status status = read_file(reader, &file, digest, err);
    rw_buf_free(&reader->text);
    rw_file_close(&file);
    return status;
}

char *rw_jsonl_name(rw_context *ctx, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *copy = rw_alloc(ctx, strlen(name) + 1);
    if (copy)
        memcpy(copy, name, strlen(name) + 1);
    return copy;
}
