/*
 * normalize.c - Unicode normalization forms C and D (UAX #15), over utf8proc's tables, and
 * SentencePiece's plain rewriting of spaces (at the end).
 *
 * utf8proc's own decomposition sorts combining marks by insertion, which takes quadratic time on
 * long runs of them; here they are sorted by counting, so hostile text costs no more than other.
 *
 * Checkpoints were trained behind Hugging Face tokenizers, whose normalizer knows Unicode 9. What
 * came later is left alone here too, so that ids are equal and don't change with utf8proc.
 */
#include <string.h>

#include <utf8proc.h>

#include "tokenizer/internal.h"

/* Characters after Unicode 9 that combine, compose or decompose. The marks were found by asking
   tokenizers 0.23.3 which marks of Unicode 17 it doesn't reorder; the rest are the scripts with new
   compositions (Todhri, Tulu-Tigalari, Gurung Khema, Kirat Rai, two of Dives Akuru). */
static const uint32_t late_ranges[][2] = {
    {0x07fd, 0x07fd},   {0x0897, 0x089f},   {0x08ca, 0x08d3},   {0x09fe, 0x09fe},
    {0x0c3c, 0x0c3c},   {0x0d3b, 0x0d3c},   {0x0eba, 0x0eba},   {0x1715, 0x1715},
    {0x1abf, 0x1add},   {0x1ae0, 0x1aeb},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},
    {0x105c0, 0x105f3}, {0x10d24, 0x10d27}, {0x10d69, 0x10d6d}, {0x10eab, 0x10eac},
    {0x10efa, 0x10efb}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
    {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x11380, 0x113ff}, {0x1145e, 0x1145e},
    {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e},
    {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47},
    {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97},
    {0x11f41, 0x11f42}, {0x16100, 0x1613f}, {0x16d40, 0x16d7f}, {0x16ff0, 0x16ff1},
    {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
    {0x1e4ec, 0x1e4ef}, {0x1e5ee, 0x1e5ef}, {0x1e6e3, 0x1e6e3}, {0x1e6e6, 0x1e6e6},
    {0x1e6ee, 0x1e6ef}, {0x1e6f5, 0x1e6f5}};

static bool is_late(uint32_t c) {
    size_t low = 0, high = sizeof late_ranges / sizeof *late_ranges;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > late_ranges[middle][1])
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof late_ranges / sizeof *late_ranges && c >= late_ranges[low][0];
}

typedef struct points {
    rw_context *ctx;
    utf8proc_int32_t *data;
    size_t count, capacity;
} points;

enum { EXPANSION_MAX = 16 }; /* the longest canonical decomposition has 4 */

static bool points_reserve(points *p) {
    if (p->capacity - p->count >= EXPANSION_MAX)
        return true;
    size_t grown = p->capacity * 2 + 4 * EXPANSION_MAX, bytes = 0;
    if (!rw_mul_size(grown, sizeof *p->data, &bytes))
        return false;
    void *block = p->data ? rw_grow(p->ctx, p->data, p->capacity * sizeof *p->data, bytes)
                          : rw_alloc(p->ctx, bytes);
    if (!block)
        return false;
    p->data = block;
    p->capacity = grown;
    return true;
}

static bool decompose(points *p, rw_str text) {
    int boundary = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t c = 0;
        at += rw_utf8_decode(text.data + at, text.size - at, &c);
        if (!points_reserve(p))
            return false;
        utf8proc_ssize_t written = 1;
        if (c < 0xc0 || is_late(c))
            p->data[p->count] = (utf8proc_int32_t)c;
        else
            written = utf8proc_decompose_char((utf8proc_int32_t)c, p->data + p->count,
                                              EXPANSION_MAX, UTF8PROC_DECOMPOSE, &boundary);
        if (written < 0 || written > EXPANSION_MAX)
            return false;
        p->count += (size_t)written;
    }
    return true;
}

static unsigned combining_class(utf8proc_int32_t c) {
    if (c < 0x300 || is_late((uint32_t)c))
        return 0;
    return (unsigned)utf8proc_get_property(c)->combining_class & 255;
}

/* Stable counting sort of run[0..count) by combining class into `sorted` and back. */
static void sort_marks(utf8proc_int32_t *run, size_t count, utf8proc_int32_t *sorted) {
    size_t begin[257] = {0};
    for (size_t i = 0; i < count; i++)
        begin[combining_class(run[i]) + 1]++;
    for (unsigned k = 0; k < 256; k++)
        begin[k + 1] += begin[k];
    for (size_t i = 0; i < count; i++)
        sorted[begin[combining_class(run[i])]++] = run[i];
    memcpy(run, sorted, count * sizeof *run);
}

/* The Canonical Ordering Algorithm: marks between two starters are ordered by class. */
static bool order_marks(points *p) {
    utf8proc_int32_t *sorted = NULL;
    for (size_t at = 0; at < p->count; at++) {
        size_t begin = at;
        while (at < p->count && combining_class(p->data[at]) != 0)
            at++;
        if (at - begin < 2)
            continue;
        if (!sorted && !(sorted = rw_alloc(p->ctx, p->count * sizeof *sorted)))
            return false;
        sort_marks(p->data + begin, at - begin, sorted);
    }
    rw_free(p->ctx, sorted);
    return true;
}

/* Composes what stands between late characters, which compose with nothing. */
static bool compose(points *p) {
    size_t written = 0;
    for (size_t at = 0; at < p->count;) {
        size_t end = at;
        while (end < p->count && !is_late((uint32_t)p->data[end]))
            end++;
        utf8proc_ssize_t count = utf8proc_normalize_utf32(
            p->data + at, (utf8proc_ssize_t)(end - at), UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        if (count < 0)
            return false;
        memmove(p->data + written, p->data + at, (size_t)count * sizeof *p->data);
        written += (size_t)count;
        for (at = end; at < p->count && is_late((uint32_t)p->data[at]); at++)
            p->data[written++] = p->data[at];
    }
    p->count = written;
    return true;
}

/* UTF-8 of `p` in `arena`. */
static bool encode(const points *p, rw_arena *arena, rw_str *out) {
    size_t size = 0;
    if (!rw_mul_size(p->count, 4, &size))
        return false;
    char *text = rw_arena_alloc(arena, size);
    if (!text)
        return false;
    size = 0;
    for (size_t i = 0; i < p->count; i++)
        size += rw_utf8_encode((uint32_t)p->data[i], text + size);
    *out = (rw_str){text, size};
    return true;
}

static bool apply(rw_tk_rewrite form, points *p, rw_arena *arena, rw_str text, rw_str *out) {
    if (!decompose(p, text) || !order_marks(p))
        return false;
    if (form == TK_NFC && !compose(p))
        return false;
    return encode(p, arena, out);
}

/* Below U+0300 nothing changes in form C, and below U+00C0 in form D. */
static bool may_change(rw_tk_rewrite form, rw_str text) {
    unsigned char first = form == TK_NFC ? 0xcc : 0xc3; /* of U+0300, U+00C0 in UTF-8 */
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= first)
            return true;
    return false;
}

/* ---- SentencePiece's rewriting --------------------------------------------------------------- */

/* Files may ask for long replacements one after the other; real ones make 3 bytes out of 1. */
enum { GROWTH_MAX = 16, AFFIX_BYTES_MAX = 64 };

static rw_status unicode_form(const rw_tokenizer *tokenizer, rw_tk_rewrite form, rw_arena *arena,
                              rw_str text, rw_str *out, rw_error *err) {
    points p = {.ctx = tokenizer->ctx};
    bool ok = apply(form, &p, arena, text, out);
    rw_free(p.ctx, p.data);
    return ok ? RW_OK : rw_fail_memory(err, tokenizer->where, text.size * 4);
}

static const char *find_text(rw_str text, size_t at, rw_str wanted) {
    return memmem(text.data + at, text.size - at, wanted.data, wanted.size);
}

static size_t count_matches(rw_str text, rw_str wanted) {
    size_t count = 0, at = 0;
    for (const char *match; at < text.size && (match = find_text(text, at, wanted)); count++)
        at = (size_t)(match - text.data) + wanted.size;
    return count;
}

static char *put(char *end, const char *bytes, size_t size) {
    if (size > 0)
        memcpy(end, bytes, size);
    return end + size;
}

static rw_status replace(const rw_tokenizer *tokenizer, const rw_tk_normalizer *step,
                         rw_arena *arena, rw_str text, rw_str *out, rw_error *err) {
    size_t matches = count_matches(text, step->from);
    if (matches == 0) {
        *out = text;
        return RW_OK;
    }
    /* a match has at least one byte, so this is at most 64 times text.size */
    size_t size = text.size - matches * step->from.size + matches * step->to.size;
    char *copy = rw_arena_alloc(arena, size + 1);
    if (!copy)
        return rw_fail_memory(err, tokenizer->where, size);
    char *end = copy;
    size_t at = 0;
    for (const char *match; at < text.size && (match = find_text(text, at, step->from));) {
        end = put(end, text.data + at, (size_t)(match - text.data) - at);
        end = put(end, step->to.data, step->to.size);
        at = (size_t)(match - text.data) + step->from.size;
    }
    put(end, text.data + at, text.size - at);
    *out = (rw_str){copy, size};
    return RW_OK;
}

static rw_status prepend(const rw_tokenizer *tokenizer, const rw_tk_normalizer *step,
                         rw_arena *arena, rw_str text, rw_str *out, rw_error *err) {
    size_t size = step->to.size + text.size;
    char *copy = rw_arena_alloc(arena, size + 1);
    if (!copy)
        return rw_fail_memory(err, tokenizer->where, size);
    put(put(copy, step->to.data, step->to.size), text.data, text.size);
    *out = (rw_str){copy, size};
    return RW_OK;
}

static rw_status take_step(const rw_tokenizer *tokenizer, const rw_tk_normalizer *step,
                           rw_arena *arena, rw_str text, rw_str *out, rw_error *err) {
    if (step->kind == TK_REPLACE)
        return replace(tokenizer, step, arena, text, out, err);
    if (step->kind == TK_PREPEND && text.size > 0)
        return prepend(tokenizer, step, arena, text, out, err);
    if (step->kind != TK_PREPEND && may_change(step->kind, text))
        return unicode_form(tokenizer, step->kind, arena, text, out, err);
    *out = text;
    return RW_OK;
}

static rw_status run_steps(const rw_tokenizer *tokenizer, const rw_tk_normalizer *steps,
                           size_t count, rw_arena *arena, rw_str text, bool continues, rw_str *out,
                           rw_error *err) {
    size_t limit = text.size < SIZE_MAX / 2 / GROWTH_MAX ? text.size * GROWTH_MAX + 4096 : SIZE_MAX;
    *out = text;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == TK_PREPEND && continues)
            continue;
        RW_TRY(take_step(tokenizer, &steps[i], arena, *out, out, err));
        if (out->size > limit)
            return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                           "the normalizers make more than %d bytes out of each of the text's",
                           GROWTH_MAX);
    }
    return RW_OK;
}

rw_status rw_tk_rewrite_text(const rw_tokenizer *tokenizer, const rw_tk_normalizer *steps,
                             size_t count, rw_arena *arena, rw_str text, rw_str *out,
                             rw_error *err) {
    return run_steps(tokenizer, steps, count, arena, text, false, out, err);
}

rw_status rw_tk_normalize(const rw_tokenizer *tokenizer, rw_arena *arena, rw_str text,
                          bool continues, rw_str *out, rw_error *err) {
    return run_steps(tokenizer, tokenizer->normalizers, tokenizer->normalizer_count, arena, text,
                     continues, out, err);
}

static rw_status add_step(rw_tokenizer *tokenizer, rw_tk_normalizer step, rw_tk_normalizer *steps,
                          size_t *count, rw_error *err) {
    if (*count == TK_STAGES_MAX)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "more than %d normalizers, or replacements of the decoder, in a row",
                       TK_STAGES_MAX);
    if (step.from.size > AFFIX_BYTES_MAX || step.to.size > AFFIX_BYTES_MAX)
        return rw_fail(err, RW_ERR_INPUT, "tokenizer.too_large", tokenizer->where,
                       "a normalizer or decoder replaces or prepends more than %d bytes",
                       AFFIX_BYTES_MAX);
    rw_str *texts[] = {&step.from, &step.to};
    for (size_t i = 0; i < 2; i++) {
        texts[i]->data =
            rw_arena_text(&tokenizer->arena, texts[i]->data ? texts[i]->data : "", texts[i]->size);
        if (!texts[i]->data)
            return rw_fail_memory(err, tokenizer->where, texts[i]->size);
    }
    steps[(*count)++] = step;
    return RW_OK;
}

rw_status rw_tk_add_normalizer(rw_tokenizer *tokenizer, rw_tk_normalizer step, rw_error *err) {
    return add_step(tokenizer, step, tokenizer->normalizers, &tokenizer->normalizer_count, err);
}

rw_status rw_tk_add_decoder_replace(rw_tokenizer *tokenizer, rw_tk_normalizer step, rw_error *err) {
    return add_step(tokenizer, step, tokenizer->decoder.replace, &tokenizer->decoder.replace_count,
                    err);
}
