/*
 * utf8.c - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.
 */
#include <string.h>

#include "base/internal.h"

static bool is_tail(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

/* Length that the first byte announces; 0 for a byte that can't be first. */
static size_t announced(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

size_t rw_utf8_decode(const char *text, size_t size, uint32_t *code_point) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    if (size == 0)
        return 0;
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = announced(bytes[0]);
    if (length == 0 || length > size)
        return 0;
    uint32_t value = bytes[0] & first_bits[length];
    for (size_t i = 1; i < length; i++) {
        if (!is_tail(bytes[i]))
            return 0;
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (value < smallest[length] || value > 0x10FFFF || surrogate)
        return 0;
    if (code_point)
        *code_point = value;
    return length;
}

size_t rw_utf8_encode(uint32_t code_point, char out[4]) {
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1;) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(marks[length] | code_point);
    return length;
}

bool rw_utf8_valid(rw_str text, size_t *first_bad) {
    size_t at = 0;
    while (at < text.size) {
        if ((unsigned char)text.data[at] < 0x80) {
            at++;
            continue;
        }
        size_t length = rw_utf8_decode(text.data + at, text.size - at, NULL);
        if (length == 0) {
            if (first_bad)
                *first_bad = at;
            return false;
        }
        at += length;
    }
    return true;
}

/* Bytes of text[0..size) without a sequence that the end cuts in half. */
static size_t whole_sequences(const char *text, size_t size) {
    size_t start = size;
    while (start > 0 && size - start < 3 && is_tail((unsigned char)text[start - 1]))
        start--;
    if (start == 0)
        return size;
    size_t length = announced((unsigned char)text[start - 1]);
    return length > size - (start - 1) ? start - 1 : size;
}

void rw_text_clean(char *text, bool cut) {
    size_t size = strlen(text);
    if (cut) {
        size = whole_sequences(text, size);
        text[size] = '\0';
    }
    for (size_t at = 0; at < size;) {
        uint32_t code_point = 0;
        size_t length = rw_utf8_decode(text + at, size - at, &code_point);
        bool control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
        if (length == 0)
            length = 1;
        if (control)
            memset(text + at, '?', length);
        at += length;
    }
}
