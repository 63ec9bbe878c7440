/*
 * canonical.c - one text for one JSON value: RFC 8785, "JSON Canonicalization Scheme".
 *
 * No white space, members sorted by the UTF-16 code units of their names (§3.2.3), the escapes of
 * ECMAScript's JSON.stringify (§3.2.2.2), and numbers as ECMAScript's Number::toString writes
 * them (§3.2.2.3, ECMA-262 §6.1.6.1.20).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/receipt.h"

/* ---- numbers --------------------------------------------------------------------------------- */

/* Shortest digits d1 d2 ... dk and n with value = 0.d1d2...dk * 10^n. */
typedef struct digits {
    char text[24];
    int count;
    int point;
} digits;

static void find_digits(double magnitude, digits *out) {
    char text[32];
    size_t size = rw_format_double(text, magnitude, false);
    int exponent = 0, whole = -1;
    out->count = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 'e') {
            exponent = (int)strtol(text + i + 1, NULL, 10);
            break;
        }
        if (text[i] == '.')
            whole = out->count;
        else
            out->text[out->count++] = text[i];
    }
    out->point = (whole < 0 ? out->count : whole) + exponent;
    int zeros = 0;
    while (zeros < out->count - 1 && out->text[zeros] == '0')
        zeros++;
    out->count -= zeros;
    out->point -= zeros;
    memmove(out->text, out->text + zeros, (size_t)out->count);
    while (out->count > 1 && out->text[out->count - 1] == '0')
        out->count--;
}

static void put_zeros(rw_buf *out, int count) {
    for (int i = 0; i < count; i++)
        rw_buf_char(out, '0');
}

/* Number::toString, steps 6 to 10: k digits, point n. Fixed for 10^-7 < value < 10^21. */
static void put_digits(rw_buf *out, const digits *d) {
    size_t count = (size_t)d->count;
    if (d->point > 0 && d->point <= 21) {
        size_t whole = count < (size_t)d->point ? count : (size_t)d->point;
        rw_buf_append(out, d->text, whole);
        put_zeros(out, d->point - d->count);
        if (count > whole)
            rw_buf_char(out, '.');
        rw_buf_append(out, d->text + whole, count - whole);
    } else if (d->point > -6 && d->point <= 0) {
        rw_buf_text(out, "0.");
        put_zeros(out, -d->point);
        rw_buf_append(out, d->text, count);
    } else {
        rw_buf_char(out, d->text[0]);
        if (count > 1)
            rw_buf_char(out, '.');
        rw_buf_append(out, d->text + 1, count - 1);
        rw_buf_format(out, "e%+d", d->point - 1);
    }
}

static rw_status put_number(rw_buf *out, const rw_json *node, rw_error *err) {
    if (!isfinite(node->number))
        return rw_fail_at(err, RW_ERR_INPUT, "receipt.number", NULL, node->begin,
                          "A number is too large for an IEEE double, so it has no canonical form.");
    digits d = {.count = 0};
    if (node->number < 0.0) /* -0 is written "0" */
        rw_buf_char(out, '-');
    find_digits(fabs(node->number), &d);
    put_digits(out, &d);
    return RW_OK;
}

/* ---- strings --------------------------------------------------------------------------------- */

static void put_escaped(rw_buf *out, unsigned char c) {
    static const char short_escape[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (c == '"' || c == '\\')
        rw_buf_format(out, "\\%c", c);
    else if (short_escape[c])
        rw_buf_format(out, "\\%c", short_escape[c]);
    else
        rw_buf_format(out, "\\u%04x", c);
}

static rw_status put_string(rw_buf *out, rw_str text, uint64_t offset, rw_error *err) {
    if (!rw_utf8_valid(text, NULL))
        return rw_fail_at(err, RW_ERR_INPUT, "receipt.utf8", NULL, offset,
                          "A string holds bytes that are no Unicode text (or half a surrogate "
                          "pair), so it has no canonical form.");
    size_t plain = 0;
    rw_buf_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rw_buf_append(out, text.data + plain, i - plain);
        put_escaped(out, c);
        plain = i + 1;
    }
    rw_buf_append(out, text.data + plain, text.size - plain);
    rw_buf_char(out, '"');
    return RW_OK;
}

/* ---- member order ---------------------------------------------------------------------------- */

/* In UTF-16 the code points beyond the BMP begin with a surrogate, so they sort below U+E000 to
   U+FFFF; all else sorts as code points do. */
static uint32_t utf16_rank(uint32_t code_point) {
    return code_point >= 0xE000 && code_point < 0x10000 ? code_point + 0x110000 : code_point;
}

typedef struct member {
    const rw_json *node;
} member;

static int compare_keys(const void *left, const void *right) {
    rw_str a = ((const member *)left)->node->key, b = ((const member *)right)->node->key;
    size_t i = 0, j = 0;
    while (i < a.size && j < b.size) {
        uint32_t p = 0, q = 0;
        size_t used_a = rw_utf8_decode(a.data + i, a.size - i, &p);
        size_t used_b = rw_utf8_decode(b.data + j, b.size - j, &q);
        if (p != q)
            return utf16_rank(p) < utf16_rank(q) ? -1 : 1;
        if (used_a == 0 || used_b == 0) /* not UTF-8: put_string refuses it */
            return 0;
        i += used_a;
        j += used_b;
    }
    return (i < a.size) - (j < b.size);
}

/* ---- values ---------------------------------------------------------------------------------- */

static rw_status put_value(rw_context *ctx, const rw_json *node, rw_buf *out, unsigned depth,
                           rw_error *err);

static rw_status put_array(rw_context *ctx, const rw_json *node, rw_buf *out, unsigned depth,
                           rw_error *err) {
    rw_buf_char(out, '[');
    for (const rw_json *item = node->first; item; item = item->next) {
        if (item != node->first)
            rw_buf_char(out, ',');
        RW_TRY(put_value(ctx, item, out, depth + 1, err));
    }
    rw_buf_char(out, ']');
    return RW_OK;
}

static rw_status put_members(rw_context *ctx, const member *members, size_t count, rw_buf *out,
                             unsigned depth, rw_error *err) {
    rw_buf_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            rw_buf_char(out, ',');
        RW_TRY(put_string(out, members[i].node->key, members[i].node->key_begin, err));
        rw_buf_char(out, ':');
        RW_TRY(put_value(ctx, members[i].node, out, depth + 1, err));
    }
    rw_buf_char(out, '}');
    return RW_OK;
}

static rw_status put_object(rw_context *ctx, const rw_json *node, rw_buf *out, unsigned depth,
                            rw_error *err) {
    member *members = rw_calloc(ctx, node->count + 1, sizeof *members);
    if (!members)
        return rw_fail_memory(err, "canonical JSON", node->count * sizeof *members);
    size_t count = 0;
    for (const rw_json *child = node->first; child; child = child->next)
        members[count++].node = child;
    qsort(members, count, sizeof *members, compare_keys);
    rw_status status = put_members(ctx, members, count, out, depth, err);
    rw_free(ctx, members);
    return status;
}

static rw_status put_value(rw_context *ctx, const rw_json *node, rw_buf *out, unsigned depth,
                           rw_error *err) {
    if (depth > RW_JSON_DEPTH_MAX)
        return rw_fail_at(err, RW_ERR_INPUT, "receipt.depth", NULL, node->begin,
                          "The JSON is nested more than %d levels deep.", RW_JSON_DEPTH_MAX);
    switch (node->type) {
    case RW_JSON_NULL:
        rw_buf_text(out, "null");
        return RW_OK;
    case RW_JSON_BOOL:
        rw_buf_text(out, node->boolean ? "true" : "false");
        return RW_OK;
    case RW_JSON_NUMBER:
        return put_number(out, node, err);
    case RW_JSON_STRING:
        return put_string(out, node->string, node->begin, err);
    case RW_JSON_ARRAY:
        return put_array(ctx, node, out, depth, err);
    case RW_JSON_OBJECT:
        return put_object(ctx, node, out, depth, err);
    case RW_JSON_NOT_FINITE:
        return rw_fail_at(err, RW_ERR_INPUT, "receipt.number", NULL, node->begin,
                          "A number that is not finite has no canonical form.");
    }
    return rw_fail(err, RW_ERR_INTERNAL, "receipt.type", NULL, "A JSON node has no known type.");
}

rw_status rw_canonical_json(rw_context *ctx, const rw_json *node, rw_buf *out, rw_error *err) {
    RW_TRY(put_value(ctx, node, out, 0, err));
    return rw_buf_status(out, err);
}
