/*
 * corpus.c - documents from JSONL: hashed whole, parsed as far as documents are wanted.
 */
#include <math.h>

#include "measure/jsonl.h"
#include "measure/measure.h"

typedef struct reader {
    const rw_tokenizer *tokenizer;
    rw_corpus *corpus;
    size_t capacity; /* of corpus->documents */
    uint64_t limit;
} reader;

static rw_status read_text(const rw_jsonl *lines, const rw_json *text, rw_document *out,
                           rw_error *err) {
    const reader *r = lines->user;
    if (text->type != RW_JSON_STRING)
        return rw_jsonl_fail(lines, text->begin, "type", err, "\"text\" must be a string");
    rw_error cause = {0};
    rw_status status =
        rw_tokenizer_encode(r->tokenizer, text->string, RW_TOKENIZE_BOS | RW_TOKENIZE_SPECIAL,
                            &out->tokens, &out->count, &cause);
    return status == RW_OK ? RW_OK : rw_jsonl_blame(lines, text->begin, &cause, err);
}

static rw_status read_ids(const rw_jsonl *lines, const rw_json *ids, int32_t *out, rw_error *err) {
    const reader *r = lines->user;
    size_t vocab = rw_tokenizer_vocab_size(r->tokenizer);
    for (const rw_json *id = ids->first; id; id = id->next) {
        if (id->type != RW_JSON_NUMBER || id->number != floor(id->number))
            return rw_jsonl_fail(lines, id->begin, "type", err,
                                 "\"tokens\" must hold integers only");
        if (id->number < 0 || id->number >= (double)vocab)
            return rw_jsonl_fail(lines, id->begin, "token_range", err,
                                 "token id %.0f is outside the model's vocabulary (0 to %zu)",
                                 id->number, vocab - 1);
        *out++ = (int32_t)id->number;
    }
    return RW_OK;
}

/* Ids are taken as they are: a BOS is in them or it is not. */
static rw_status read_tokens(const rw_jsonl *lines, const rw_json *tokens, rw_document *out,
                             rw_error *err) {
    if (tokens->type != RW_JSON_ARRAY)
        return rw_jsonl_fail(lines, tokens->begin, "type", err, "\"tokens\" must be an array");
    int32_t *ids = rw_calloc(lines->ctx, tokens->count + 1, sizeof *ids);
    if (!ids)
        return rw_fail_memory(err, lines->path, tokens->count * sizeof *ids);
    rw_status status = read_ids(lines, tokens, ids, err);
    if (status != RW_OK) {
        rw_free(lines->ctx, ids);
        return status;
    }
    out->tokens = ids;
    out->count = tokens->count;
    return RW_OK;
}

static rw_status add_document(rw_jsonl *lines, const rw_document *document, rw_error *err) {
    reader *r = lines->user;
    rw_corpus *corpus = r->corpus;
    if (corpus->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 16, size = sizeof *corpus->documents;
        rw_document *grown =
            rw_grow(lines->ctx, corpus->documents, r->capacity * size, capacity * size);
        if (!grown)
            return rw_fail_memory(err, lines->path, capacity * size);
        corpus->documents = grown;
        r->capacity = capacity;
    }
    corpus->documents[corpus->count++] = *document;
    lines->full = r->limit && corpus->count >= r->limit;
    return RW_OK;
}

static rw_status take_document(rw_jsonl *lines, const rw_json *root, rw_error *err) {
    const rw_json *text = rw_json_get(root, "text"), *tokens = rw_json_get(root, "tokens");
    if (root->type != RW_JSON_OBJECT)
        return rw_jsonl_fail(lines, root->begin, "type", err, "a line must be a JSON object");
    if (!text == !tokens)
        return rw_jsonl_fail(lines, root->begin, "type", err,
                             text ? "a document has \"text\" or \"tokens\", not both"
                                  : "a document needs \"text\" or \"tokens\"");
    rw_document document = {.line = lines->line};
    RW_TRY(text ? read_text(lines, text, &document, err)
                : read_tokens(lines, tokens, &document, err));
    rw_status status = add_document(lines, &document, err);
    if (status != RW_OK)
        rw_free(lines->ctx, document.tokens);
    return status;
}

rw_status rw_corpus_read(rw_context *ctx, const char *path, const rw_tokenizer *tokenizer,
                         uint64_t limit, rw_corpus *out, rw_error *err) {
    *out = (rw_corpus){.ctx = ctx};
    reader r = {.tokenizer = tokenizer, .corpus = out, .limit = limit};
    rw_jsonl lines = {.ctx = ctx, .path = path, .room = "data", .user = &r, .take = take_document};
    rw_status status = rw_jsonl_read(&lines, &out->digest, err);
    if (status == RW_OK && out->count == 0)
        status = rw_fail(err, RW_ERR_INPUT, "data.empty", path,
                         "no document in the file: give one JSON object a line, "
                         "{\"text\":...} or {\"tokens\":[...]}");
    if (status == RW_OK && !(out->name = rw_jsonl_name(ctx, path)))
        status = rw_fail_memory(err, path, 0);
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
