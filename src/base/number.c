/*
 * number.c - numbers to text and back, the same in every locale.
 *
 * Reading collects the significant digits and the decimal exponent itself. Few digits and a small
 * power of ten are exact in double arithmetic (Clinger, "How to read floating point numbers
 * accurately", 1990, the fast path); the rest goes to the C library's correctly rounded
 * conversion in the "C" locale.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/internal.h"

/* A double that lies half-way between two others has at most 767 significant digits; whatever
   follows them matters only by being zero or not. */
enum { DIGITS_MAX = 780, EXPONENT_LIMIT = 100000 };

typedef struct decimal {
    bool negative;
    bool sticky; /* a digit other than 0 was dropped */
    size_t count;
    int64_t exponent; /* value = 0.digits * 10^exponent */
    char digits[DIGITS_MAX];
} decimal;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void add_digit(decimal *d, char digit) {
    if (d->count == 0 && digit == '0')
        return;
    if (d->count < DIGITS_MAX)
        d->digits[d->count++] = digit;
    else if (digit != '0')
        d->sticky = true;
}

/* Digits before and behind the point; false when there are none. */
static bool scan_mantissa(rw_str text, size_t *at, decimal *d) {
    size_t seen = 0;
    for (; *at < text.size && is_digit(text.data[*at]); ++*at, seen++) {
        add_digit(d, text.data[*at]);
        if (d->count)
            d->exponent++;
    }
    if (*at < text.size && text.data[*at] == '.') {
        for (++*at; *at < text.size && is_digit(text.data[*at]); ++*at, seen++) {
            add_digit(d, text.data[*at]);
            if (d->count == 0)
                d->exponent--;
        }
    }
    return seen > 0;
}

static bool scan_exponent(rw_str text, size_t *at, decimal *d) {
    if (*at == text.size || (text.data[*at] != 'e' && text.data[*at] != 'E'))
        return true;
    ++*at;
    bool negative = *at < text.size && text.data[*at] == '-';
    if (*at < text.size && (text.data[*at] == '-' || text.data[*at] == '+'))
        ++*at;
    if (*at == text.size || !is_digit(text.data[*at]))
        return false;
    int64_t value = 0;
    for (; *at < text.size && is_digit(text.data[*at]); ++*at)
        if (value < INT64_MAX / 20)
            value = value * 10 + (text.data[*at] - '0');
    d->exponent += negative ? -value : value;
    return true;
}

static bool scan_decimal(rw_str text, decimal *d) {
    size_t at = 0;
    *d = (decimal){.negative = text.size > 0 && text.data[0] == '-'};
    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        at++;
    return scan_mantissa(text, &at, d) && scan_exponent(text, &at, d) && at == text.size;
}

/* At most 15 digits and a power of ten up to 10^22 are exact, so one operation rounds once. */
static bool fast_value(const decimal *d, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int64_t power = d->exponent - (int64_t)d->count;
    if (d->count > 15 || power < -22 || power > 22)
        return false;
    uint64_t integer = 0;
    for (size_t i = 0; i < d->count; i++)
        integer = integer * 10 + (uint64_t)(d->digits[i] - '0');
    *out = power < 0 ? (double)integer / powers[-power] : (double)integer * powers[power];
    return true;
}

static double slow_value(const decimal *d) {
    char text[DIGITS_MAX + 32];
    int64_t exponent = d->exponent;
    if (exponent > EXPONENT_LIMIT)
        exponent = EXPONENT_LIMIT;
    if (exponent < -EXPONENT_LIMIT)
        exponent = -EXPONENT_LIMIT;
    text[0] = '0';
    text[1] = '.';
    memcpy(text + 2, d->digits, d->count);
    rw_snformat(text + 2 + d->count, sizeof text - 2 - d->count, "%se%lld", d->sticky ? "1" : "",
                (long long)exponent);
    return strtod_l(text, NULL, rw_c_locale());
}

bool rw_parse_double(rw_str text, double *out) {
    decimal d;
    double value = 0.0;
    if (!scan_decimal(text, &d))
        return false;
    if (d.count > 0 && !fast_value(&d, &value))
        value = slow_value(&d);
    if (isinf(value))
        return false;
    *out = d.negative ? -value : value;
    return true;
}

bool rw_parse_u64(rw_str text, uint64_t *out) {
    uint64_t value = 0;
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]) || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

/* ---- shortest text --------------------------------------------------------------------------- */

typedef struct shortest {
    char digits[20]; /* without trailing zeros, NUL-terminated */
    int exponent;    /* value = d.ddd * 10^exponent            */
} shortest;

static bool reads_back(const char *text, double value) {
    double read;
    return rw_parse_double(rw_str_of(text), &read) && read == value;
}

/* "d.ddde+XX" -> digits and exponent. */
static void split_scientific(const char *text, shortest *out) {
    size_t count = 0;
    for (; *text && *text != 'e'; text++)
        if (*text != '.')
            out->digits[count++] = *text;
    while (count > 1 && out->digits[count - 1] == '0')
        count--;
    out->digits[count] = '\0';
    out->exponent = (int)strtol(text + 1, NULL, 10);
}

/* Below a power of two the doubles lie twice as dense as above, so the nearest 16 digits can read
   back as the neighbour below while the next 16 digits up read back as the value. */
static bool try_next_up(double value, char *text, size_t capacity) {
    int binary;
    if (frexp(value, &binary) != 0.5)
        return false;
    shortest near;
    char up[32];
    split_scientific(text, &near);
    unsigned long long digits = strtoull(near.digits, NULL, 10);
    int count = (int)strlen(near.digits);
    rw_snformat(up, sizeof up, "%llue%d", digits + 1, near.exponent - (count - 1));
    if (count != 16 || !reads_back(up, value))
        return false;
    unsigned long long lead = (digits + 1) / 1000000000000000ull;
    rw_snformat(text, capacity, "%llu.%015llue%d", lead, (digits + 1) % 1000000000000000ull,
                near.exponent);
    return true;
}

/* Any decimal of 15 digits survives the way through a normal double, so 15 digits without their
   trailing zeros are the shortest there; subnormals have fewer, so those count up from one. */
static void find_shortest(double value, shortest *out) {
    char text[40];
    int digits = isnormal(value) ? 15 : 1;
    for (;; digits++) {
        rw_snformat(text, sizeof text, "%.*e", digits - 1, value);
        if (digits == 17 || reads_back(text, value))
            break;
        if (digits == 16 && try_next_up(value, text, sizeof text))
            break;
    }
    split_scientific(text, out);
}

static size_t put(char *out, size_t at, const char *bytes, size_t size) {
    memcpy(out + at, bytes, size);
    return at + size;
}

/* 1234.5, with zeros in front of or behind the digits where the point lies outside them. */
static size_t layout_fixed(char *out, size_t at, const shortest *s, bool always_float) {
    static const char zeros[] = "00000000000000000";
    size_t count = strlen(s->digits);
    if (s->exponent < 0) {
        at = put(out, at, "0.", 2);
        at = put(out, at, zeros, (size_t)(-s->exponent - 1));
        return put(out, at, s->digits, count);
    }
    size_t whole = (size_t)s->exponent + 1;
    if (count > whole) {
        at = put(out, at, s->digits, whole);
        at = put(out, at, ".", 1);
        return put(out, at, s->digits + whole, count - whole);
    }
    at = put(out, at, s->digits, count);
    at = put(out, at, zeros, whole - count);
    return always_float ? put(out, at, ".0", 2) : at;
}

/* The layout of Python's repr, which most checkpoints' config.json were written with. */
size_t rw_format_double(char out[32], double value, bool always_float) {
    if (!isfinite(value))
        return (size_t)rw_snformat(out, 32, "%f", value);
    shortest s = {.digits = "0", .exponent = 0};
    double magnitude = fabs(value);
    size_t at = signbit(value) ? put(out, 0, "-", 1) : 0;
    if (magnitude > 0.0)
        find_shortest(magnitude, &s);
    if (s.exponent >= -4 && s.exponent < 16) {
        at = layout_fixed(out, at, &s, always_float);
        out[at] = '\0';
        return at;
    }
    const char *point = s.digits[1] ? "." : "";
    return at + (size_t)rw_snformat(out + at, 32 - at, "%c%s%se%c%02d", s.digits[0], point,
                                    s.digits + 1, s.exponent < 0 ? '-' : '+', abs(s.exponent));
}
