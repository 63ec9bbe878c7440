/*
 * written.c - greedy answers, compared as text.
 */
#include "measure/written.h"

#include <string.h>

/* Other tokens for the same text may be more of them. */
enum { MORE_TOKENS = 8 };

/* ---- text ------------------------------------------------------------------------------------ */

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static rw_str without_space(rw_str text) {
    while (text.size && is_space(text.data[0]))
        text = (rw_str){text.data + 1, text.size - 1};
    return text;
}

rw_saying rw_written_compare(rw_str answer, rw_str said) {
    answer = without_space(answer);
    said = without_space(said);
    size_t both = answer.size < said.size ? answer.size : said.size;
    if (both && memcmp(answer.data, said.data, both) != 0)
        return RW_SAYS_WRONG;
    if (said.size < answer.size)
        return RW_SAYS_OPEN;
    if (!answer.size || !is_digit(answer.data[answer.size - 1]))
        return RW_SAYS_RIGHT;
    if (said.size == answer.size)
        return RW_SAYS_OPEN;
    return is_digit(said.data[answer.size]) ? RW_SAYS_WRONG : RW_SAYS_RIGHT;
}

/* Nothing more is said: what is open is right if it is whole. */
static bool is_right(rw_str answer, rw_str said) {
    rw_saying saying = rw_written_compare(answer, said);
    return saying == RW_SAYS_RIGHT ||
           (saying == RW_SAYS_OPEN && without_space(said).size >= without_space(answer).size);
}

/* ---- saying ---------------------------------------------------------------------------------- */

typedef struct writer {
    rw_scorer *scorer;
    const rw_tokenizer *tokenizer;
    const rw_sample *sample;
    const rw_span *span;
    rw_buf answer, said;
} writer;

static rw_str text_of(const rw_buf *text) {
    return text->size ? (rw_str){text->data, text->size} : (rw_str){"", 0};
}

static rw_status say(const writer *w, const int32_t *tokens, size_t count, rw_buf *out,
                     rw_error *err) {
    const unsigned flags = RW_DETOKENIZE_SKIP_SPECIAL | RW_DETOKENIZE_CONTINUE;
    RW_TRY(rw_tokenizer_decode(w->tokenizer, tokens, count, flags, out, err));
    return rw_buf_status(out, err);
}

/* EOS, or no token that stands for text. */
static bool is_end(const writer *w, int32_t token) {
    return token < 0 || token == rw_tokenizer_eos(w->tokenizer) ||
           (size_t)token >= rw_tokenizer_vocab_size(w->tokenizer);
}

/* Reads the prompt and the true tokens up to the first that differs, and goes on from there. */
static rw_status go_on(writer *w, size_t agreed, int32_t token, bool *right, rw_error *err) {
    size_t at = w->span->first + agreed, room = w->sample->count - at;
    size_t most = 2 * w->span->count + MORE_TOKENS;
    rw_saying saying = RW_SAYS_OPEN;
    const rw_outputs outputs = {.count = 1, .argmax = &token};
    int32_t said = token;
    RW_TRY(rw_scorer_read(w->scorer, w->sample->tokens, at, w->sample->count, NULL, err));
    for (size_t i = 0; i < room && i < most && saying == RW_SAYS_OPEN; i++) {
        RW_TRY(w->scorer->append(w->scorer, &said, 1, &outputs, err));
        if (is_end(w, token))
            break;
        said = token;
        RW_TRY(say(w, &said, 1, &w->said, err));
        saying = rw_written_compare(text_of(&w->answer), text_of(&w->said));
    }
    *right = is_right(text_of(&w->answer), text_of(&w->said));
    return RW_OK;
}

static rw_status judge(writer *w, const int32_t *argmax, bool *right, rw_error *err) {
    const rw_span *span = w->span;
    const int32_t *tokens = w->sample->tokens + span->first;
    size_t agreed = 0;
    while (agreed < span->count && argmax[agreed] == tokens[agreed])
        agreed++;
    int32_t next = argmax[agreed];
    bool ends = is_end(w, next);
    RW_TRY(say(w, tokens, span->count, &w->answer, err));
    RW_TRY(say(w, tokens, agreed, &w->said, err));
    if (!ends)
        RW_TRY(say(w, &next, 1, &w->said, err));
    rw_saying saying = rw_written_compare(text_of(&w->answer), text_of(&w->said));
    if (saying == RW_SAYS_OPEN && agreed < span->count && !ends)
        return go_on(w, agreed, next, right, err);
    *right = is_right(text_of(&w->answer), text_of(&w->said));
    return RW_OK;
}

rw_status rw_written_judge(rw_context *ctx, rw_scorer *scorer, const rw_tokenizer *tokenizer,
                           const rw_sample *sample, const rw_span *span, const int32_t *argmax,
                           bool *right, rw_error *err) {
    writer w = {.scorer = scorer,
                .tokenizer = tokenizer,
                .sample = sample,
                .span = span,
                .answer = {.ctx = ctx},
                .said = {.ctx = ctx}};
    rw_status status = judge(&w, argmax, right, err);
    rw_buf_free(&w.answer);
    rw_buf_free(&w.said);
    return status;
}
