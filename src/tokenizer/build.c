/*
 * build.c - filling a tokenizer's tables, with the checks that both kinds of file need.
 */
#include <string.h>

#include "tokenizer/internal.h"

/* ---- hashing -------------------------------------------------------------------------------- */

uint64_t rw_tk_mix(uint64_t x) { /* the finaliser of splitmix64 (Steele et al. 2014) */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t rw_tk_hash(rw_str bytes) {
    const char *data = bytes.data;
    size_t size = bytes.size;
    uint64_t hash = 0x9e3779b97f4a7c15u ^ size;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        hash = rw_tk_mix(hash ^ word);
    }
    uint64_t rest = 0;
    if (size > 0)
        memcpy(&rest, data, size);
    return rw_tk_mix(hash ^ rest);
}

size_t rw_tk_table_size(size_t count) {
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void *pcre_alloc(size_t size, void *ctx) {
    return rw_alloc(ctx, size);
}

static void pcre_free(void *block, void *ctx) {
    rw_free(ctx, block);
}

rw_status rw_tk_begin(rw_tk_builder *builder, rw_context *ctx, const char *where) {
    rw_tokenizer *tokenizer = rw_calloc(ctx, 1, sizeof *tokenizer);
    if (!tokenizer)
        return rw_fail_memory(builder->err, where, sizeof *tokenizer);
    builder->tokenizer = tokenizer;
    builder->scratch.ctx = ctx;
    tokenizer->ctx = tokenizer->arena.ctx = ctx;
    tokenizer->kind = TK_BYTE_LEVEL_BPE;
    tokenizer->bos = tokenizer->eos = tokenizer->bpe.unknown = -1;
    for (unsigned byte = 0; byte < 256; byte++)
        tokenizer->alphabet[byte] = rw_tk_alphabet_char((uint8_t)byte);
    tokenizer->where =
        rw_arena_text(&tokenizer->arena, where ? where : "", where ? strlen(where) : 0);
    tokenizer->pcre = pcre2_general_context_create(pcre_alloc, pcre_free, ctx);
    if (tokenizer->where && tokenizer->pcre)
        return RW_OK;
    return rw_tk_end(builder, rw_fail_memory(builder->err, where, 0), NULL);
}

rw_status rw_tk_end(rw_tk_builder *builder, rw_status status, rw_tokenizer **out) {
    rw_buf_free(&builder->scratch);
    if (status == RW_OK)
        *out = builder->tokenizer;
    else
        rw_tokenizer_free(builder->tokenizer);
    builder->tokenizer = NULL;
    return status;
}

void rw_tokenizer_free(rw_tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    rw_context *ctx = tokenizer->ctx;
    for (size_t i = 0; i < tokenizer->stage_count; i++)
        pcre2_code_free(tokenizer->stages[i].code);
    pcre2_general_context_free(tokenizer->pcre);
    rw_free(ctx, tokenizer->tokens);
    rw_free(ctx, tokenizer->by_spelling);
    rw_free(ctx, tokenizer->added);
    rw_free(ctx, tokenizer->raw_trie.nodes);
    rw_free(ctx, tokenizer->normalized_trie.nodes);
    rw_free(ctx, tokenizer->bpe.merges);
    rw_free(ctx, tokenizer->bpe.joints);
    rw_arena_free(&tokenizer->arena);
    rw_free(ctx, tokenizer);
}

/* A name out of a hostile file, cut for a message. */
static int shown(rw_str name) {
    return (int)(name.size < 80 ? name.size : 80);
}

rw_status rw_tk_unsupported(const rw_tk_builder *builder, const char *part, rw_str name) {
    return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.unsupported", builder->tokenizer->where,
                   "%s \"%.*s\" isn't supported; this tokenizer can't be used yet", part,
                   shown(name), name.data ? name.data : "");
}

/* ---- tokens --------------------------------------------------------------------------------- */

rw_status rw_tk_reserve_tokens(rw_tk_builder *builder, size_t count) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    if (count > TK_COUNT_MAX)
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "there are %zu tokens; at most %d are supported", count, TK_COUNT_MAX);
    size_t size = rw_tk_table_size(count);
    tokenizer->capacity = count;
    tokenizer->tokens = rw_calloc(tokenizer->ctx, count + 1, sizeof *tokenizer->tokens);
    tokenizer->by_spelling = rw_calloc(tokenizer->ctx, size, sizeof *tokenizer->by_spelling);
    if (!tokenizer->tokens || !tokenizer->by_spelling)
        return rw_fail_memory(builder->err, tokenizer->where, count * sizeof(rw_tk_token));
    tokenizer->spelling_mask = size - 1;
    memset(tokenizer->by_spelling, 0xff, size * sizeof *tokenizer->by_spelling);
    return RW_OK;
}

/* Slot of the token with this spelling, or the free slot where it belongs. */
static int32_t *spelling_slot(const rw_tokenizer *tokenizer, rw_str spelling) {
    size_t slot = rw_tk_hash(spelling) & tokenizer->spelling_mask;
    int32_t id;
    while ((id = tokenizer->by_spelling[slot]) >= 0 &&
           !rw_str_equal(tokenizer->tokens[id].spelling, spelling))
        slot = (slot + 1) & tokenizer->spelling_mask;
    return &tokenizer->by_spelling[slot];
}

int32_t rw_tk_find(const rw_tokenizer *tokenizer, rw_str spelling) {
    return *spelling_slot(tokenizer, spelling);
}

int32_t rw_tk_find_model(const rw_tokenizer *tokenizer, rw_str spelling) {
    int32_t id = rw_tk_find(tokenizer, spelling);
    return id >= 0 && tokenizer->tokens[id].model ? id : -1;
}

/* Takes `id` for a token with this spelling, which is new. */
static rw_status claim(rw_tk_builder *builder, uint64_t id, rw_str spelling) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    rw_error *err = builder->err;
    int32_t *slot = spelling_slot(tokenizer, spelling);
    if (*slot >= 0)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.duplicate_token", tokenizer->where,
                       "the token \"%.*s\" has two ids, %d and %llu; the vocabulary is damaged",
                       shown(spelling), spelling.data, *slot, (unsigned long long)id);
    if (id >= tokenizer->capacity)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.id_range", tokenizer->where,
                       "the token \"%.*s\" has the id %llu, but the file has %zu tokens at most; "
                       "ids must count from 0 without holes",
                       shown(spelling), spelling.data, (unsigned long long)id, tokenizer->capacity);
    rw_tk_token *token = &tokenizer->tokens[id];
    if (token->present)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.duplicate_id", tokenizer->where,
                       "the tokens \"%.*s\" and \"%.*s\" both have the id %llu; the vocabulary is "
                       "damaged",
                       shown(token->spelling), token->spelling.data, shown(spelling), spelling.data,
                       (unsigned long long)id);
    char *copy = rw_arena_text(&tokenizer->arena, spelling.data, spelling.size);
    if (!copy)
        return rw_fail_memory(err, tokenizer->where, spelling.size);
    *token = (rw_tk_token){.spelling = {copy, spelling.size}, .present = true};
    token->bytes = token->spelling;
    *slot = (int32_t)id;
    tokenizer->count++;
    return RW_OK;
}

rw_status rw_tk_set_token(rw_tk_builder *builder, uint64_t id, rw_str spelling) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    RW_TRY(claim(builder, id, spelling));
    rw_tk_token *token = &tokenizer->tokens[id];
    token->model = true;
    if (tokenizer->kind == TK_SENTENCEPIECE_BPE)
        return rw_tk_sp_bytes(builder, token->spelling, &token->bytes);
    char *bytes = rw_arena_alloc(&tokenizer->arena, spelling.size + 1);
    if (!bytes)
        return rw_fail_memory(builder->err, tokenizer->where, spelling.size);
    size_t size = 0;
    /* A spelling with other characters stands for itself; BPE never gets there. */
    if (rw_tk_alphabet_bytes(spelling, bytes, &size))
        token->bytes = (rw_str){bytes, size};
    return RW_OK;
}

static rw_status append_added(rw_tk_builder *builder, const rw_tk_added *added) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    if (tokenizer->added_count == tokenizer->added_capacity) {
        size_t grown = tokenizer->added_capacity * 2 + 16;
        size_t old_size = tokenizer->added_capacity * sizeof *added;
        void *block = tokenizer->added ? rw_grow(tokenizer->ctx, tokenizer->added, old_size,
                                                 grown * sizeof *added)
                                       : rw_alloc(tokenizer->ctx, grown * sizeof *added);
        if (!block)
            return rw_fail_memory(builder->err, tokenizer->where, grown * sizeof *added);
        tokenizer->added = block;
        tokenizer->added_capacity = grown;
    }
    tokenizer->added[tokenizer->added_count++] = *added;
    return RW_OK;
}

rw_status rw_tk_add_token(rw_tk_builder *builder, uint64_t id, rw_tk_added added) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    if (added.content.size == 0 || added.content.size > TK_ADDED_LENGTH_MAX)
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.special_token", tokenizer->where,
                       "the added token with the id %llu has %zu bytes; 1 to %d are supported",
                       (unsigned long long)id, added.content.size, TK_ADDED_LENGTH_MAX);
    int32_t known = rw_tk_find(tokenizer, added.content);
    bool in_vocabulary = known >= 0 && (uint64_t)known == id && !tokenizer->tokens[known].added;
    if (!in_vocabulary)
        RW_TRY(claim(builder, id, added.content));
    rw_tk_token *token = &tokenizer->tokens[id];
    token->bytes = token->spelling;
    if (tokenizer->kind == TK_SENTENCEPIECE_BPE)
        RW_TRY(rw_tk_sp_bytes(builder, token->spelling, &token->bytes));
    token->added = true;
    token->special = added.special;
    added.content = token->spelling;
    added.id = (int32_t)id;
    return append_added(builder, &added);
}

/* ---- tables --------------------------------------------------------------------------------- */

/* `count` distinct ids fill 0 .. count-1 unless there is a hole. */
static rw_status refuse_holes(const rw_tk_builder *builder) {
    const rw_tokenizer *tokenizer = builder->tokenizer;
    for (size_t id = 0; id < tokenizer->count; id++)
        if (!tokenizer->tokens[id].present)
            return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.hole", tokenizer->where,
                           "no token has the id %zu, though there are %zu tokens; ids must count "
                           "from 0 without holes",
                           id, tokenizer->count);
    return RW_OK;
}

static rw_status index_added(rw_tk_builder *builder) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        const rw_tk_added *added = &tokenizer->added[i];
        rw_str content = added->content;
        if (added->normalized)
            RW_TRY(rw_tk_normalize(tokenizer, &tokenizer->arena, content, false, &content,
                                   builder->err));
        RW_TRY(rw_tk_trie_insert(
            tokenizer, added->normalized ? &tokenizer->normalized_trie : &tokenizer->raw_trie,
            content, i, builder->err));
    }
    return RW_OK;
}

static void index_bytes(rw_tokenizer *tokenizer) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char character[4];
        size_t size = rw_utf8_encode(tokenizer->alphabet[byte], character);
        tokenizer->bpe.byte_id[byte] = rw_tk_find_model(tokenizer, (rw_str){character, size});
    }
}

rw_status rw_tk_index_tokens(rw_tk_builder *builder) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    RW_TRY(refuse_holes(builder));
    bool characters = tokenizer->kind == TK_SENTENCEPIECE_BPE;
    for (size_t id = 0; id < tokenizer->count; id++) {
        const rw_tk_token *token = &tokenizer->tokens[id];
        size_t size = characters ? token->spelling.size : token->bytes.size;
        if (size > tokenizer->longest)
            tokenizer->longest = size;
    }
    if (!characters)
        index_bytes(tokenizer);
    return index_added(builder);
}
