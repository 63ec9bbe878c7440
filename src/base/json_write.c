/*
 * json_write.c - JSON out: commas, indentation and quoting.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/internal.h"
#include "base/json.h"

static bool get_bit(const uint64_t *bits, unsigned index) {
    return (bits[index / 64] >> (index % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, unsigned index, bool value) {
    uint64_t mask = (uint64_t)1 << (index % 64);
    bits[index / 64] = value ? bits[index / 64] | mask : bits[index / 64] & ~mask;
}

static void new_line(rw_json_writer *w) {
    if (w->indent == 0)
        return;
    rw_buf_char(w->out, '\n');
    for (size_t i = 0; i < (size_t)w->indent * w->depth; i++)
        rw_buf_char(w->out, ' ');
}

/* The comma and line before an element or a key. */
static void begin_item(rw_json_writer *w) {
    if (w->depth == 0) {
        assert(!get_bit(w->has_items, 0) && "one value at the top");
    } else {
        if (get_bit(w->has_items, w->depth))
            rw_buf_char(w->out, ',');
        new_line(w);
    }
    set_bit(w->has_items, w->depth, true);
}

static void begin_value(rw_json_writer *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    assert((w->depth == 0 || !get_bit(w->is_object, w->depth)) && "a key must come first");
    begin_item(w);
}

static void open_container(rw_json_writer *w, bool is_object) {
    begin_value(w);
    assert(w->depth < RW_JSON_DEPTH_MAX);
    w->depth++;
    set_bit(w->has_items, w->depth, false);
    set_bit(w->is_object, w->depth, is_object);
    rw_buf_char(w->out, is_object ? '{' : '[');
}

static void close_container(rw_json_writer *w, bool is_object) {
    assert(w->depth > 0 && !w->after_key && get_bit(w->is_object, w->depth) == is_object);
    bool had_items = get_bit(w->has_items, w->depth);
    w->depth--;
    if (had_items)
        new_line(w);
    rw_buf_char(w->out, is_object ? '}' : ']');
}

void rw_json_begin_object(rw_json_writer *w) {
    open_container(w, true);
}

void rw_json_end_object(rw_json_writer *w) {
    close_container(w, true);
}

void rw_json_begin_array(rw_json_writer *w) {
    open_container(w, false);
}

void rw_json_end_array(rw_json_writer *w) {
    close_container(w, false);
}

void rw_json_key(rw_json_writer *w, const char *key) {
    assert(w->depth > 0 && get_bit(w->is_object, w->depth) && !w->after_key);
    begin_item(w);
    rw_json_quote(w->out, rw_str_of(key));
    rw_buf_text(w->out, w->indent ? ": " : ":");
    w->after_key = true;
}

void rw_json_string(rw_json_writer *w, const char *text) {
    if (text)
        rw_json_str(w, rw_str_of(text));
    else
        rw_json_null(w);
}

void rw_json_str(rw_json_writer *w, rw_str text) {
    begin_value(w);
    rw_json_quote(w->out, text);
}

void rw_json_double(rw_json_writer *w, double value) {
    char text[32];
    if (!isfinite(value)) {
        rw_json_null(w);
        return;
    }
    begin_value(w);
    rw_buf_append(w->out, text, rw_format_double(text, value, true));
}

void rw_json_u64(rw_json_writer *w, uint64_t value) {
    begin_value(w);
    rw_buf_format(w->out, "%llu", (unsigned long long)value);
}

void rw_json_i64(rw_json_writer *w, int64_t value) {
    begin_value(w);
    rw_buf_format(w->out, "%lld", (long long)value);
}

void rw_json_bool(rw_json_writer *w, bool value) {
    begin_value(w);
    rw_buf_text(w->out, value ? "true" : "false");
}

void rw_json_null(rw_json_writer *w) {
    begin_value(w);
    rw_buf_text(w->out, "null");
}

void rw_json_raw(rw_json_writer *w, rw_str json) {
    begin_value(w);
    rw_buf_append(w->out, json.data, json.size);
}

void rw_json_member_string(rw_json_writer *w, const char *key, const char *text) {
    rw_json_key(w, key);
    rw_json_string(w, text);
}

void rw_json_member_double(rw_json_writer *w, const char *key, double value) {
    rw_json_key(w, key);
    rw_json_double(w, value);
}

void rw_json_member_u64(rw_json_writer *w, const char *key, uint64_t value) {
    rw_json_key(w, key);
    rw_json_u64(w, value);
}

void rw_json_member_bool(rw_json_writer *w, const char *key, bool value) {
    rw_json_key(w, key);
    rw_json_bool(w, value);
}

void rw_json_member_null(rw_json_writer *w, const char *key) {
    rw_json_key(w, key);
    rw_json_null(w);
}

/* ---- quoting --------------------------------------------------------------------------------- */

/* The letter behind the backslash, 'u' for a numeric escape, 0 for a byte that stays. */
static char escape_letter(unsigned char byte) {
    static const char letters[128] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                      ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (byte < sizeof letters && letters[byte])
        return letters[byte];
    return byte < 0x20 ? 'u' : 0;
}

static size_t plain_run(rw_str text, size_t at) {
    size_t end = at;
    while (end < text.size) {
        unsigned char byte = (unsigned char)text.data[end];
        size_t length = byte < 0x80 ? 1 : rw_utf8_decode(text.data + end, text.size - end, NULL);
        if (length == 0 || escape_letter(byte))
            break;
        end += length;
    }
    return end - at;
}

void rw_json_quote(rw_buf *out, rw_str text) {
    rw_buf_char(out, '"');
    for (size_t at = 0; at < text.size;) {
        size_t run = plain_run(text, at);
        rw_buf_append(out, text.data + at, run);
        at += run;
        if (at == text.size)
            break;
        unsigned char byte = (unsigned char)text.data[at++];
        char letter = escape_letter(byte);
        if (letter == 'u')
            rw_buf_format(out, "\\u%04x", byte);
        else if (letter)
            rw_buf_append(out, (char[]){'\\', letter}, 2);
        else
            rw_buf_text(out, "\xEF\xBF\xBD"); /* not UTF-8 (a file name can be that): U+FFFD */
    }
    rw_buf_char(out, '"');
}
