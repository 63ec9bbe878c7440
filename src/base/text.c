/*
 * text.c - byte strings, growing buffers, and formatting that no locale changes.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/internal.h"

/* ---- formatting ------------------------------------------------------------------------------ */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void) {
    /* The C library hands out a static object for "C": nothing is allocated, nothing can fail. */
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t rw_c_locale(void) {
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale;
}

int rw_vformat(char *out, size_t capacity, const char *format, va_list arguments) {
    locale_t before = uselocale(rw_c_locale());
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): wrong when it reads several files
    int length = vsnprintf(out, capacity, format, arguments);
    uselocale(before);
    if (length < 0 && capacity > 0)
        out[0] = '\0';
    return length;
}

int rw_snformat(char *out, size_t capacity, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = rw_vformat(out, capacity, format, arguments);
    va_end(arguments);
    return length;
}

const char *rw_errno_text(int number) {
    return strerror_l(number, rw_c_locale());
}

/* ---- byte strings ---------------------------------------------------------------------------- */

rw_str rw_str_of(const char *text) {
    return (rw_str){.data = text ? text : "", .size = text ? strlen(text) : 0};
}

bool rw_str_equal(rw_str a, rw_str b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool rw_str_is(rw_str text, const char *literal) {
    return rw_str_equal(text, rw_str_of(literal));
}

/* ---- growing buffers ------------------------------------------------------------------------- */

/* Room for `more` bytes and the NUL behind them. */
static bool reserve(rw_buf *buf, size_t more) {
    size_t needed;
    if (buf->failed)
        return false;
    if (!rw_add_size(buf->size, more, &needed) || !rw_add_size(needed, 1, &needed)) {
        buf->failed = true;
        return false;
    }
    if (needed <= buf->capacity)
        return true;
    size_t doubled = buf->capacity <= SIZE_MAX / 2 ? buf->capacity * 2 : SIZE_MAX;
    size_t capacity = needed > doubled ? needed : doubled;
    if (capacity < 64)
        capacity = 64;
    char *data = rw_grow(buf->ctx, buf->data, buf->size, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void rw_buf_append(rw_buf *buf, const void *bytes, size_t size) {
    if (!reserve(buf, size))
        return;
    if (size)
        memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void rw_buf_text(rw_buf *buf, const char *text) {
    rw_str str = rw_str_of(text);
    rw_buf_append(buf, str.data, str.size);
}

void rw_buf_char(rw_buf *buf, char c) {
    rw_buf_append(buf, &c, 1);
}

void rw_buf_format(rw_buf *buf, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = rw_vformat(NULL, 0, format, arguments);
    if (length < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)length)) {
        rw_vformat(buf->data + buf->size, (size_t)length + 1, format, again);
        buf->size += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

rw_status rw_buf_status(const rw_buf *buf, rw_error *err) {
    return buf->failed ? rw_fail_memory(err, "buffer", buf->capacity) : RW_OK;
}

void rw_buf_free(rw_buf *buf) {
    rw_context *ctx = buf->ctx;
    if (buf->data)
        rw_free(ctx, buf->data);
    *buf = (rw_buf){.ctx = ctx};
}
