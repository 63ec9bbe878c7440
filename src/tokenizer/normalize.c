/*
 * normalize.c - Unicode normalization forms (UAX #15), over utf8proc's tables.
 *
 * utf8proc's own decomposition sorts combining marks by insertion, which takes quadratic time on
 * long runs of them; here they are sorted by counting, so hostile text costs no more than other.
 */
#include <string.h>

#include <utf8proc.h>

#include "tokenizer/internal.h"

static const struct form {
    utf8proc_option_t decompose, compose;
} forms[] = {
    [TK_NFC] = {UTF8PROC_DECOMPOSE, UTF8PROC_COMPOSE},
    [TK_NFD] = {UTF8PROC_DECOMPOSE, 0},
    [TK_NFKC] = {UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, UTF8PROC_COMPOSE},
    [TK_NFKD] = {UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, 0},
};

typedef struct points {
    rw_context *ctx;
    utf8proc_int32_t *data;
    size_t count, capacity;
} points;

enum { EXPANSION_MAX = 32 }; /* the longest compatibility decomposition has 18 */

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

static bool decompose(points *p, rw_str text, utf8proc_option_t options) {
    int boundary = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t c = 0;
        at += rw_utf8_decode(text.data + at, text.size - at, &c);
        if (!points_reserve(p))
            return false;
        utf8proc_ssize_t written = utf8proc_decompose_char((utf8proc_int32_t)c, p->data + p->count,
                                                           EXPANSION_MAX, options, &boundary);
        if (written < 0 || written > EXPANSION_MAX)
            return false;
        p->count += (size_t)written;
    }
    return true;
}

static unsigned combining_class(utf8proc_int32_t c) {
    return c < 0x300 ? 0 : (unsigned)utf8proc_get_property(c)->combining_class & 255;
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

/* UTF-8 of `p` in `arena`. */
static bool encode(const points *p, rw_arena *arena, rw_str *out) {
    char *text = rw_arena_alloc(arena, p->count * 4);
    if (!text)
        return false;
    size_t size = 0;
    for (size_t i = 0; i < p->count; i++)
        size += rw_utf8_encode((uint32_t)p->data[i], text + size);
    *out = (rw_str){text, size};
    return true;
}

static bool apply(const struct form *form, points *p, rw_arena *arena, rw_str text, rw_str *out) {
    if (!decompose(p, text, form->decompose) || !order_marks(p))
        return false;
    if (form->compose) {
        utf8proc_ssize_t count = utf8proc_normalize_utf32(p->data, (utf8proc_ssize_t)p->count,
                                                          form->compose | UTF8PROC_STABLE);
        if (count < 0)
            return false;
        p->count = (size_t)count;
    }
    return encode(p, arena, out);
}

/* Below U+0300 no character combines, and below U+0080 none changes in any form. */
static bool is_ascii(rw_str text) {
    unsigned char all = 0;
    for (size_t i = 0; i < text.size; i++)
        all |= (unsigned char)text.data[i];
    return all < 0x80;
}

rw_status tk_normalize(const rw_tokenizer *tokenizer, rw_arena *arena, rw_str text, rw_str *out,
                       rw_error *err) {
    *out = text;
    for (size_t i = 0; i < tokenizer->normalizer_count && !is_ascii(*out); i++) {
        points p = {.ctx = tokenizer->ctx};
        bool ok = apply(&forms[tokenizer->normalizers[i]], &p, arena, *out, out);
        rw_free(p.ctx, p.data);
        if (!ok)
            return rw_fail_memory(err, tokenizer->where, text.size * 4);
    }
    return RW_OK;
}
