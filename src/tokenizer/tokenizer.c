/*
 * tokenizer.c - encode and decode: the conductor.
 */
#include <string.h>

#include "tokenizer/internal.h"

/* ---- encode --------------------------------------------------------------------------------- */

static rw_status encode_plain(rw_tk_run *run, rw_str section) {
    return rw_tk_split(run, 0, section);
}

/* Between the added tokens that are looked for in the text as it came. */
static rw_status encode_section(rw_tk_run *run, rw_str section) {
    rw_str text;
    run->at_start = section.data == run->text.data;
    run->continues = section.data == run->resumed;
    RW_TRY(rw_tk_normalize(run->tokenizer, &run->arena, section, run->continues, &text, run->err));
    run->section = text.data;
    return rw_tk_cut_added(run, &run->tokenizer->normalized_trie, text, encode_plain);
}

/* First byte at or after `at` that begins valid UTF-8. */
static size_t skip_invalid(rw_str text, size_t at) {
    while (at < text.size && rw_utf8_decode(text.data + at, text.size - at, NULL) == 0)
        at++;
    return at;
}

/* Runs of valid UTF-8 go through everything; runs of other bytes are pieces of their own. */
static rw_status encode_text(rw_tk_run *run, rw_str text) {
    for (size_t at = 0; at < text.size;) {
        rw_str rest = {text.data + at, text.size - at};
        size_t valid = rest.size;
        (void)rw_utf8_valid(rest, &valid);
        RW_TRY(rw_tk_cut_added(run, &run->tokenizer->raw_trie, (rw_str){rest.data, valid},
                               encode_section));
        at += valid;
        size_t end = skip_invalid(text, at);
        if (end > at)
            RW_TRY(rw_tk_bpe_encode(run, (rw_str){text.data + at, end - at}));
        at = end;
        run->resumed = text.data + at;
    }
    return RW_OK;
}

/* Long texts repeat their words; short ones are not worth a large table. */
static size_t seen_slots(size_t text_size) {
    size_t slots = 64;
    while (slots < 32768 && slots * 8 < text_size)
        slots *= 2;
    return slots;
}

static rw_status create_matches(rw_tk_run *run) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    for (size_t i = 0; i < tokenizer->stage_count; i++) {
        const pcre2_code *code = tokenizer->stages[i].code;
        if (!code)
            continue;
        run->match[i] = pcre2_match_data_create_from_pattern(code, tokenizer->pcre);
        if (!run->match[i])
            return rw_fail_memory(run->err, tokenizer->where, 0);
    }
    return RW_OK;
}

static rw_status run_begin(rw_tk_run *run) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    size_t slots = seen_slots(run->text.size);
    run->ctx = run->arena.ctx = tokenizer->ctx;
    run->seen = rw_calloc(run->ctx, slots, sizeof *run->seen);
    if (!run->seen)
        return rw_fail_memory(run->err, tokenizer->where, slots * sizeof *run->seen);
    run->seen_mask = slots - 1;
    size_t spelled = 2 * tokenizer->longest + 4; /* the alphabet's characters take 1 or 2 bytes */
    bool spells = tokenizer->bpe.ignore_merges && tokenizer->kind == TK_BYTE_LEVEL_BPE;
    if (spells && !(run->spelled = rw_alloc(run->ctx, spelled)))
        return rw_fail_memory(run->err, tokenizer->where, spelled);
    return create_matches(run);
}

static void run_end(rw_tk_run *run) {
    for (size_t i = 0; i < TK_STAGES_MAX; i++)
        pcre2_match_data_free(run->match[i]);
    rw_free(run->ctx, run->seen);
    rw_free(run->ctx, run->symbols);
    rw_free(run->ctx, run->heap);
    rw_free(run->ctx, run->spelled);
    rw_arena_free(&run->arena);
}

static rw_status encode_all(rw_tk_run *run) {
    const rw_tokenizer *tokenizer = run->tokenizer;
    RW_TRY(run_begin(run));
    if (run->flags & RW_TOKENIZE_BOS)
        RW_TRY(rw_tk_emit(run, tokenizer->prefix.ids, tokenizer->prefix.count));
    RW_TRY(encode_text(run, run->text));
    if (run->flags & RW_TOKENIZE_EOS)
        RW_TRY(rw_tk_emit(run, tokenizer->suffix.ids, tokenizer->suffix.count));
    return RW_OK;
}

rw_status rw_tokenizer_encode(const rw_tokenizer *tokenizer, rw_str text, unsigned flags,
                              int32_t **ids, size_t *count, rw_error *err) {
    *ids = NULL;
    *count = 0;
    if (text.size > INT32_MAX)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "the text has %zu bytes; encode it in parts below 2 GiB", text.size);
    rw_tk_run run = {.tokenizer = tokenizer, .text = text, .flags = flags, .err = err};
    rw_status status = encode_all(&run);
    run_end(&run);
    if (status != RW_OK) {
        rw_free(run.ctx, run.ids);
        return status;
    }
    *ids = run.ids;
    *count = run.count;
    return RW_OK;
}

/* ---- decode --------------------------------------------------------------------------------- */

static const rw_tk_token *token_at(const rw_tokenizer *tokenizer, int64_t id) {
    return id >= 0 && (uint64_t)id < tokenizer->count ? &tokenizer->tokens[id] : NULL;
}

/* Bytes of `token` less the spaces that still go from the begin of the text. */
static void append_token(const rw_tk_token *token, size_t *strips, rw_buf *out) {
    rw_str bytes = token->bytes;
    for (; *strips > 0 && bytes.size > 0 && bytes.data[0] == ' '; --*strips)
        bytes = (rw_str){bytes.data + 1, bytes.size - 1};
    if (bytes.size > 0)
        *strips = 0;
    rw_buf_append(out, bytes.data, bytes.size);
}

rw_status rw_tokenizer_decode(const rw_tokenizer *tokenizer, const int32_t *ids, size_t count,
                              unsigned flags, rw_buf *out, rw_error *err) {
    size_t strips = flags & RW_DETOKENIZE_CONTINUE ? 0 : tokenizer->decoder.strips;
    for (size_t i = 0; i < count; i++) {
        const rw_tk_token *token = token_at(tokenizer, ids[i]);
        if (!token)
            return rw_fail(err, RW_ERR_INPUT, "tokenizer.id_range", tokenizer->where,
                           "id %d at place %zu is outside the vocabulary of %zu tokens", ids[i], i,
                           tokenizer->count);
        if (!token->special || !(flags & RW_DETOKENIZE_SKIP_SPECIAL))
            append_token(token, &strips, out);
    }
    return rw_buf_status(out, err);
}

/* ---- questions ------------------------------------------------------------------------------ */

size_t rw_tokenizer_vocab_size(const rw_tokenizer *tokenizer) {
    return tokenizer->count;
}

rw_str rw_tokenizer_token_bytes(const rw_tokenizer *tokenizer, int64_t id) {
    const rw_tk_token *token = token_at(tokenizer, id);
    return token ? token->bytes : (rw_str){NULL, 0};
}

bool rw_tokenizer_is_special(const rw_tokenizer *tokenizer, int64_t id) {
    const rw_tk_token *token = token_at(tokenizer, id);
    return token && token->special;
}

int64_t rw_tokenizer_bos(const rw_tokenizer *tokenizer) {
    return tokenizer->bos;
}

int64_t rw_tokenizer_eos(const rw_tokenizer *tokenizer) {
    return tokenizer->eos;
}

bool rw_tokenizer_adds_bos(const rw_tokenizer *tokenizer) {
    return tokenizer->prefix.count > 0;
}

bool rw_tokenizer_adds_eos(const rw_tokenizer *tokenizer) {
    return tokenizer->suffix.count > 0;
}
