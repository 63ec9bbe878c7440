/*
 * pack_tokens.c - an item's texts as the tokens that the model reads.
 *
 * Context, question and stem are put together and tokenized as one text. Where neither side of a
 * seam brings white space, there is an empty line before the question and a line break before the
 * stem; and a space before an answer that goes on from the prompt.
 */
#include <string.h>

#include "measure/pack_reader.h"

enum { ANSWER_TOKENS_MIN = 16, ANSWER_TOKENS_MAX = 512, PATTERN_TOKENS = 32 };

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void join(rw_buf *text, const char *seam, rw_str part) {
    if (!part.size)
        return;
    if (text->size && !is_space(text->data[text->size - 1]) && !is_space(part.data[0]))
        rw_buf_text(text, seam);
    rw_buf_append(text, part.data, part.size);
}

static rw_status encode(const rw_jsonl *lines, const rw_json *value, rw_str text, unsigned flags,
                        rw_pack_tokens *out, rw_error *err) {
    rw_pack_reader *r = lines->user;
    rw_error cause = {0};
    int32_t *ids = NULL;
    rw_status status = rw_tokenizer_encode(r->tokenizer, text, flags, &ids, &out->count, &cause);
    if (status != RW_OK)
        return rw_jsonl_blame(lines, value->begin, &cause, err);
    out->ids = rw_arena_alloc(&r->pack->arena, (out->count + 1) * sizeof *ids);
    if (out->ids && out->count)
        memcpy(out->ids, ids, out->count * sizeof *ids);
    rw_free(lines->ctx, ids);
    return out->ids ? RW_OK : rw_fail_memory(err, lines->path, out->count * sizeof *ids);
}

/* With `context` empty it is the control's prompt; `space` says how it ends. */
static rw_status encode_prompt(const rw_jsonl *lines, const rw_json *value, rw_str context,
                               const rw_pack_texts *texts, rw_pack_tokens *out, bool *space,
                               rw_error *err) {
    rw_buf text = {.ctx = lines->ctx};
    join(&text, "", context);
    join(&text, "\n\n", texts->question);
    join(&text, "\n", texts->stem);
    *space = text.size && is_space(text.data[text.size - 1]);
    rw_status status = rw_buf_status(&text, err);
    if (status == RW_OK && text.size)
        status = encode(lines, value, (rw_str){text.data, text.size},
                        RW_TOKENIZE_BOS | RW_TOKENIZE_SPECIAL, out, err);
    rw_buf_free(&text);
    return status;
}

static rw_status encode_ending(const rw_jsonl *lines, const rw_json *value, rw_str ending,
                               bool space, rw_pack_tokens *out, size_t *bytes, rw_error *err) {
    rw_buf text = {.ctx = lines->ctx};
    if (!space && !is_space(ending.data[0]))
        rw_buf_char(&text, ' ');
    rw_buf_append(&text, ending.data, ending.size);
    rw_status status = rw_buf_status(&text, err);
    if (status == RW_OK)
        status = encode(lines, value, (rw_str){text.data, text.size}, 0, out, err);
    *bytes = text.size;
    rw_buf_free(&text);
    if (status == RW_OK && out->count == 0)
        return rw_jsonl_fail(lines, value->begin, "answer", err, "an answer has no tokens");
    return status;
}

static rw_status encode_endings(const rw_jsonl *lines, const rw_json *value, const rw_str *texts,
                                size_t count, bool space, rw_pack_item *item, rw_error *err) {
    rw_pack_reader *r = lines->user;
    item->endings = rw_arena_alloc(&r->pack->arena, count * sizeof *item->endings);
    item->ending_bytes = rw_arena_alloc(&r->pack->arena, count * sizeof *item->ending_bytes);
    if (!item->endings || !item->ending_bytes)
        return rw_fail_memory(err, lines->path, count * sizeof *item->endings);
    for (; item->ending_count < count; item->ending_count++) {
        size_t i = item->ending_count;
        RW_TRY(encode_ending(lines, value, texts[i], space, &item->endings[i],
                             &item->ending_bytes[i], err));
        if (item->endings[i].count > item->reserve)
            item->reserve = item->endings[i].count;
    }
    return RW_OK;
}

/* Room for an answer in other words than the pack's: twice its tokens and some. */
static rw_status reserve_answer(const rw_jsonl *lines, const rw_json *value,
                                const rw_pack_texts *texts, rw_pack_item *item, rw_error *err) {
    size_t longest = 0, sum = 0;
    item->reserve = texts->max_tokens ? (size_t)texts->max_tokens : PATTERN_TOKENS;
    if (texts->max_tokens || item->match == RW_MATCH_REGEX)
        return RW_OK;
    for (size_t i = 0; i < item->answer_count; i++) {
        rw_pack_tokens answer = {0};
        RW_TRY(encode(lines, value, item->answers[i], 0, &answer, err));
        longest = answer.count > longest ? answer.count : longest;
        sum += answer.count;
    }
    item->reserve = 2 * (item->match == RW_MATCH_ALL ? sum : longest) + 8;
    if (item->reserve < ANSWER_TOKENS_MIN)
        item->reserve = ANSWER_TOKENS_MIN;
    if (item->reserve > ANSWER_TOKENS_MAX)
        item->reserve = ANSWER_TOKENS_MAX;
    return RW_OK;
}

/* ---- the control without evidence ------------------------------------------------------------ */

static bool begins_character(char c) {
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Adds what no span covers; `covered` [characters + 1] is what the spans add up to where they begin
   and end. */
static void copy_uncovered(rw_buf *out, rw_str context, const int32_t *covered) {
    size_t character = 0;
    int64_t spans = 0;
    for (size_t i = 0; i < context.size; i++) {
        if (begins_character(context.data[i]))
            spans += covered[character++];
        if (spans == 0)
            rw_buf_char(out, context.data[i]);
    }
}

static rw_status remove_evidence(rw_buf *out, const rw_pack_texts *texts, rw_error *err) {
    rw_context *ctx = out->ctx;
    int32_t *covered = rw_calloc(ctx, texts->context.size + 1, sizeof *covered);
    if (!covered)
        return rw_fail_memory(err, "pack", texts->context.size * sizeof *covered);
    for (const rw_json *span = texts->evidence->first; span; span = span->next) {
        covered[(size_t)span->first->number]++;
        covered[(size_t)span->first->next->number]--;
    }
    copy_uncovered(out, texts->context, covered);
    rw_free(ctx, covered);
    return rw_buf_status(out, err);
}

/* A pattern is no text whose likelihood could be compared. */
static rw_status encode_control(const rw_jsonl *lines, const rw_json *value,
                                const rw_pack_texts *texts, bool space, rw_pack_item *item,
                                rw_error *err) {
    rw_buf text = {.ctx = lines->ctx};
    size_t bytes;
    bool same_space;
    if (!texts->evidence || item->match == RW_MATCH_REGEX)
        return RW_OK;
    rw_status status = remove_evidence(&text, texts, err);
    const rw_str context = text.size ? (rw_str){text.data, text.size} : (rw_str){"", 0};
    if (status == RW_OK)
        status = encode_prompt(lines, value, context, texts, &item->removed, &same_space, err);
    rw_buf_free(&text);
    if (status == RW_OK && item->removed.count)
        status = encode_ending(lines, value, item->answers[0], space, &item->probe, &bytes, err);
    return status;
}

rw_status rw_pack_tokenize(const rw_jsonl *lines, const rw_json *value, const rw_pack_texts *texts,
                           rw_pack_item *item, rw_error *err) {
    const rw_str none = {"", 0};
    bool space, closed_space;
    RW_TRY(encode_prompt(lines, value, texts->context, texts, &item->prompt, &space, err));
    RW_TRY(encode_prompt(lines, value, none, texts, &item->closed, &closed_space, err));
    if (item->type == RW_PACK_CHOICE)
        RW_TRY(encode_endings(lines, value, texts->choices, texts->choice_count, space, item, err));
    else if (item->type == RW_PACK_LM)
        RW_TRY(encode_endings(lines, value, item->answers, item->answer_count, space, item, err));
    else
        RW_TRY(reserve_answer(lines, value, texts, item, err));
    item->length = item->prompt.count + item->reserve;
    return encode_control(lines, value, texts, space, item, err);
}
