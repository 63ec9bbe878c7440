/*
 * scores.c - the merges of a SentencePiece model, which has scores instead of a list.
 *
 * SentencePiece joins the two neighbours whose joined token has the highest score, the leftmost
 * where scores are equal (sentencepiece, bpe_model.cc). So every way to put a token together from
 * two symbols is a merge, and its rank is the place of the token's score among all scores. A
 * symbol is a token or a single character, which need not be one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"

enum { SPLIT_LENGTH_MAX = 1024 }; /* bytes of a token: all its halves are looked up */

/* Highest first. */
static int compare_scores(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Distinct scores, highest first, into `sorted`. */
static size_t sort_scores(const float *scores, size_t count, float *sorted) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        sorted[i] = scores[i];
    qsort(sorted, count, sizeof *sorted, compare_scores);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || sorted[i] != sorted[kept - 1])
            sorted[kept++] = sorted[i];
    return kept;
}

/* The symbol that is spelled so; -1: none. */
static int32_t find_symbol(const rw_tokenizer *tokenizer, rw_str spelling) {
    uint32_t c = 0;
    int32_t id = rw_tk_find_model(tokenizer, spelling);
    if (id >= 0)
        return id;
    size_t step = rw_utf8_decode(spelling.data, spelling.size, &c);
    return step == spelling.size ? TK_LACKING + (int32_t)c : -1;
}

/* Appends to `merges` the ways to put the token `id` together. */
static void append_splits(rw_tokenizer *tokenizer, int32_t id, uint32_t rank, rw_buf *merges) {
    rw_str spelling = tokenizer->tokens[id].spelling;
    uint32_t before = 0, behind = 0;
    size_t at = rw_utf8_decode(spelling.data, spelling.size, &before);
    while (at < spelling.size) {
        size_t step = rw_utf8_decode(spelling.data + at, spelling.size - at, &behind);
        int32_t left = find_symbol(tokenizer, (rw_str){spelling.data, at});
        int32_t right = -1;
        if (left >= 0)
            right = find_symbol(tokenizer, (rw_str){spelling.data + at, spelling.size - at});
        if (right >= 0) {
            rw_tk_merge merge = {.pair = rw_tk_bpe_pair(left, right), .rank = rank, .id = id};
            rw_buf_append(merges, &merge, sizeof merge);
            rw_tk_sp_add_joint(&tokenizer->bpe, before, behind);
        }
        before = behind;
        at += step;
    }
}

static rw_status check_token(const rw_tk_builder *builder, size_t id, float score) {
    const rw_tokenizer *tokenizer = builder->tokenizer;
    if (isnan(score))
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.score", tokenizer->where,
                       "the score of token %zu is not a number; the vocabulary is damaged", id);
    if (tokenizer->tokens[id].model && tokenizer->tokens[id].spelling.size > SPLIT_LENGTH_MAX)
        return rw_fail(builder->err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "token %zu has %zu bytes; at most %d are supported", id,
                       tokenizer->tokens[id].spelling.size, SPLIT_LENGTH_MAX);
    return RW_OK;
}

static rw_status collect(rw_tk_builder *builder, const float *scores, const float *sorted,
                         size_t distinct, rw_buf *merges) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    for (size_t id = 0; id < tokenizer->count; id++) {
        const rw_tk_token *token = &tokenizer->tokens[id];
        if (!token->model || !rw_utf8_valid(token->spelling, NULL))
            continue; /* no text is ever spelled so */
        const float *place = bsearch(&scores[id], sorted, distinct, sizeof *sorted, compare_scores);
        append_splits(tokenizer, (int32_t)id, (uint32_t)(place - sorted), merges);
    }
    return rw_buf_status(merges, builder->err);
}

static rw_status put_merges(rw_tk_builder *builder, const rw_buf *merges) {
    size_t count = merges->size / sizeof(rw_tk_merge);
    RW_TRY(rw_tk_bpe_reserve_merges(builder->tokenizer, count, builder->err));
    for (size_t i = 0; i < count; i++) {
        rw_tk_merge merge;
        memcpy(&merge, merges->data + i * sizeof merge, sizeof merge);
        rw_tk_bpe_put_merge(&builder->tokenizer->bpe, merge);
    }
    return RW_OK;
}

rw_status rw_tk_sp_add_scores(rw_tk_builder *builder, const float *scores) {
    rw_tokenizer *tokenizer = builder->tokenizer;
    rw_context *ctx = tokenizer->ctx;
    size_t count = tokenizer->count;
    for (size_t id = 0; id < count; id++)
        RW_TRY(check_token(builder, id, scores[id]));
    float *sorted = rw_alloc(ctx, (count + 1) * sizeof *sorted);
    if (!sorted)
        return rw_fail_memory(builder->err, tokenizer->where, count * sizeof *sorted);
    rw_buf merges = {.ctx = ctx};
    size_t distinct = sort_scores(scores, count, sorted);
    rw_status status = collect(builder, scores, sorted, distinct, &merges);
    if (status == RW_OK)
        status = put_merges(builder, &merges);
    rw_buf_free(&merges);
    rw_free(ctx, sorted);
    return status;
}
