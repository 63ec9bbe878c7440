/*
 * json_scan.c - the tokens of JSON, each checked where it stands.
 */
#include "base/json_scan.h"

#include <stdio.h>
#include <string.h>

#include "base/internal.h"

/* ---- errors ---------------------------------------------------------------------------------- */

/* Columns count characters from 1, as editors do. */
static void line_and_column(const rw_json_scan *scan, size_t *line, size_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < scan->at && i < scan->text.size; i++) {
        unsigned char byte = (unsigned char)scan->text.data[i];
        if (byte == '\n') {
            ++*line;
            *column = 1;
        } else if ((byte & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

rw_status rw_json_scan_fail(const rw_json_scan *scan, const char *code, rw_error *err,
                            const char *format, ...) {
    char what[RW_ERROR_MESSAGE_MAX];
    size_t line, column;
    va_list arguments;
    va_start(arguments, format);
    rw_vformat(what, sizeof what, format, arguments);
    va_end(arguments);
    line_and_column(scan, &line, &column);
    return rw_fail_at(err, RW_ERR_INPUT, code, scan->where, scan->at, "line %zu, column %zu: %s",
                      line, column, what);
}

rw_status rw_json_scan_expected(const rw_json_scan *scan, const char *what, rw_error *err) {
    int next = rw_json_scan_peek(scan);
    if (next < 0)
        return rw_json_scan_fail(scan, "json.syntax", err,
                                 "the text ends where %s was expected (is the file complete?)",
                                 what);
    char found[16];
    rw_snformat(found, sizeof found, next > 0x20 && next < 0x7F ? "'%c'" : "byte 0x%02X",
                (unsigned)next);
    return rw_json_scan_fail(scan, "json.syntax", err, "%s was expected, found %s", what, found);
}

static rw_status fail_utf8(const rw_json_scan *scan, rw_error *err) {
    return rw_json_scan_fail(scan, "json.utf8", err,
                             "this is not valid UTF-8; save the file as UTF-8");
}

/* ---- space ----------------------------------------------------------------------------------- */

int rw_json_scan_peek(const rw_json_scan *scan) {
    return scan->at < scan->text.size ? (unsigned char)scan->text.data[scan->at] : -1;
}

void rw_json_scan_space(rw_json_scan *scan) {
    for (;; scan->at++) {
        int next = rw_json_scan_peek(scan);
        if (next != ' ' && next != '\n' && next != '\r' && next != '\t')
            return;
    }
}

/* ---- strings --------------------------------------------------------------------------------- */

/* Moves over bytes that stand for themselves. */
static rw_status skip_plain(rw_json_scan *scan, rw_error *err) {
    const char *data = scan->text.data;
    size_t size = scan->text.size;
    while (scan->at < size) {
        unsigned char byte = (unsigned char)data[scan->at];
        if (byte == '"' || byte == '\\')
            return RW_OK;
        if (byte < 0x20)
            return rw_json_scan_fail(
                scan, "json.syntax", err,
                "control character 0x%02X inside a string; write it as \\u%04x", byte, byte);
        size_t length = byte < 0x80 ? 1 : rw_utf8_decode(data + scan->at, size - scan->at, NULL);
        if (length == 0)
            return fail_utf8(scan, err);
        scan->at += length;
    }
    return rw_json_scan_expected(scan, "the closing quote of a string", err);
}

static int hex_digit(int c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* XXXX of \uXXXX. */
static rw_status read_hex4(rw_json_scan *scan, uint32_t *out, rw_error *err) {
    *out = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        int next = rw_json_scan_peek(scan);
        int digit = next < 0 ? -1 : hex_digit(next);
        if (digit < 0)
            return rw_json_scan_expected(scan, "four hexadecimal digits behind \\u", err);
        *out = *out << 4 | (uint32_t)digit;
    }
    return RW_OK;
}

static bool next_is(const rw_json_scan *scan, const char *literal) {
    size_t size = strlen(literal);
    return scan->text.size - scan->at >= size &&
           memcmp(scan->text.data + scan->at, literal, size) == 0;
}

/* \uXXXX, or two of them that make one character beyond U+FFFF. `scan->at` is behind the u. */
static rw_status read_unicode(rw_json_scan *scan, uint32_t *out, rw_error *err) {
    rw_json_scan start = *scan;
    start.at -= 2;
    uint32_t low = 0;
    RW_TRY(read_hex4(scan, out, err));
    if (*out < 0xD800 || *out > 0xDFFF)
        return RW_OK;
    bool pair = *out < 0xDC00 && next_is(scan, "\\u");
    if (pair) {
        scan->at += 2;
        RW_TRY(read_hex4(scan, &low, err));
    }
    if (low < 0xDC00 || low > 0xDFFF)
        return rw_json_scan_fail(&start, "json.syntax", err,
                                 "\\u%04x is half of a surrogate pair without its other half",
                                 (unsigned)*out);
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    return RW_OK;
}

/* One escape; `scan->at` is on the backslash. */
static rw_status read_escape(rw_json_scan *scan, char **write, rw_error *err) {
    static const char plain[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    scan->at++;
    int letter = rw_json_scan_peek(scan);
    if (letter == 'u') {
        uint32_t code_point;
        scan->at++;
        RW_TRY(read_unicode(scan, &code_point, err));
        *write += rw_utf8_encode(code_point, *write);
        return RW_OK;
    }
    if (letter < 0 || letter > 127 || !plain[letter])
        return rw_json_scan_expected(scan, "one of \" \\ / b f n r t u behind a backslash", err);
    *(*write)++ = plain[letter];
    scan->at++;
    return RW_OK;
}

/* Where the string that begins here would end, going by quotes and backslashes alone. */
static size_t raw_end(const rw_json_scan *scan) {
    size_t at = scan->at;
    while (at < scan->text.size && scan->text.data[at] != '"')
        at += scan->text.data[at] == '\\' ? 2 : 1;
    return at < scan->text.size ? at : scan->text.size;
}

/* The rest of a string from its first escape on. No escape is shorter than what it stands for, so
   the decoded text fits where the raw text fits. */
static rw_status read_escaped(rw_json_scan *scan, size_t begin, rw_str *out, rw_error *err) {
    size_t room = raw_end(scan) - begin;
    char *decoded = rw_arena_alloc(scan->arena, room + 1);
    if (!decoded)
        return rw_fail_memory(err, scan->where, room + 1);
    char *write = decoded;
    memcpy(write, scan->text.data + begin, scan->at - begin);
    write += scan->at - begin;
    while (rw_json_scan_peek(scan) == '\\') {
        RW_TRY(read_escape(scan, &write, err));
        size_t plain = scan->at;
        RW_TRY(skip_plain(scan, err));
        memcpy(write, scan->text.data + plain, scan->at - plain);
        write += scan->at - plain;
    }
    *out = (rw_str){.data = decoded, .size = (size_t)(write - decoded)};
    return RW_OK;
}

rw_status rw_json_scan_string(rw_json_scan *scan, rw_str *out, rw_error *err) {
    size_t begin = ++scan->at;
    RW_TRY(skip_plain(scan, err));
    if (rw_json_scan_peek(scan) == '\\')
        RW_TRY(read_escaped(scan, begin, out, err));
    else
        *out = (rw_str){.data = scan->text.data + begin, .size = scan->at - begin};
    scan->at++;
    return RW_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static size_t skip_digits(rw_json_scan *scan) {
    size_t begin = scan->at;
    while (scan->at < scan->text.size && scan->text.data[scan->at] >= '0' &&
           scan->text.data[scan->at] <= '9')
        scan->at++;
    return scan->at - begin;
}

static rw_status need_digits(rw_json_scan *scan, rw_error *err) {
    return skip_digits(scan) ? RW_OK : rw_json_scan_expected(scan, "a digit", err);
}

/* RFC 8259 section 6: no leading zeros, digits on both sides of the point. */
static rw_status skip_number(rw_json_scan *scan, bool *is_integer, rw_error *err) {
    *is_integer = true;
    if (rw_json_scan_peek(scan) == '-')
        scan->at++;
    if (rw_json_scan_peek(scan) == '0')
        scan->at++;
    else
        RW_TRY(need_digits(scan, err));
    if (rw_json_scan_peek(scan) == '.') {
        *is_integer = false;
        scan->at++;
        RW_TRY(need_digits(scan, err));
    }
    int next = rw_json_scan_peek(scan);
    if (next == 'e' || next == 'E') {
        *is_integer = false;
        scan->at++;
        next = rw_json_scan_peek(scan);
        if (next == '+' || next == '-')
            scan->at++;
        RW_TRY(need_digits(scan, err));
    }
    return RW_OK;
}

static rw_status scan_number(rw_json_scan *scan, rw_json *node, rw_error *err) {
    rw_json_scan start = *scan;
    node->type = RW_JSON_NUMBER;
    RW_TRY(skip_number(scan, &node->is_integer, err));
    rw_str text = {.data = scan->text.data + start.at, .size = scan->at - start.at};
    if (rw_parse_double(text, &node->number))
        return RW_OK;
    if (!scan->not_finite)
        return rw_json_scan_fail(&start, "json.syntax", err,
                                 "this number is larger than a double can hold");
    node->type = RW_JSON_NOT_FINITE;
    return RW_OK;
}

/* ---- names ----------------------------------------------------------------------------------- */

typedef struct name_row {
    const char *name;
    rw_json_type type;
    bool value;
} name_row;

/* What Python's json module writes for them. */
static rw_status scan_not_finite(rw_json_scan *scan, rw_json *node, rw_error *err) {
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!next_is(scan, names[i]))
            continue;
        if (!scan->not_finite)
            return rw_json_scan_fail(scan, "json.syntax", err,
                                     "%s is not JSON (some Python programs write it); put null or "
                                     "a number there",
                                     names[i]);
        node->type = RW_JSON_NOT_FINITE;
        scan->at += strlen(names[i]);
        return RW_OK;
    }
    return rw_json_scan_expected(scan, "a value", err);
}

static rw_status scan_name(rw_json_scan *scan, rw_json *node, rw_error *err) {
    static const name_row names[] = {{"true", RW_JSON_BOOL, true},
                                     {"false", RW_JSON_BOOL, false},
                                     {"null", RW_JSON_NULL, false}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (next_is(scan, names[i].name)) {
            node->type = names[i].type;
            node->boolean = names[i].value;
            scan->at += strlen(names[i].name);
            return RW_OK;
        }
    }
    return scan_not_finite(scan, node, err);
}

rw_status rw_json_scan_scalar(rw_json_scan *scan, rw_json *node, rw_error *err) {
    int first = rw_json_scan_peek(scan);
    if (first == '"') {
        node->type = RW_JSON_STRING;
        return rw_json_scan_string(scan, &node->string, err);
    }
    bool digit = first >= '0' && first <= '9';
    if (digit || (first == '-' && !next_is(scan, "-Infinity")))
        return scan_number(scan, node, err);
    return scan_name(scan, node, err);
}
