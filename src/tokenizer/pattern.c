/*
 * pattern.c - a split pattern of tokenizer.json in PCRE2's spelling.
 *
 * Hugging Face runs these patterns with Oniguruma in Ruby's syntax. Most of what they use means
 * the same to PCRE2; \s doesn't (PCRE2 counts U+180E in) and is written out. Only spellings known
 * to mean the same are let through; the rest is refused by name, since a pattern that splits
 * slightly otherwise gives fluent but wrong ids.
 */
#include <string.h>

#include "tokenizer/internal.h"

/* White_Space of Unicode, which is Oniguruma's \s, and its complement: insides of a class. */
static const char space_class[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
                                  "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
static const char not_space_class[] =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{10ffff}";

/* Properties that are the same in both (scripts: as far as the Unicode versions agree). */
static const char *const properties[] = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc",  "Me",       "N",        "Nd",
    "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",  "Po",       "S",        "Sm",
    "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc", "Han", "Hiragana", "Katakana", "Hangul"};

typedef struct reader {
    rw_str text;
    size_t at;
    const char *where;
    rw_buf *out;
    rw_error *err;
} reader;

static bool starts(const reader *r, const char *literal) {
    size_t length = strlen(literal);
    return r->text.size - r->at >= length && memcmp(r->text.data + r->at, literal, length) == 0;
}

static rw_status refuse(const reader *r, const char *what) {
    return rw_fail(r->err, RW_ERR_INPUT, "tokenizer.unsupported", r->where,
                   "the split pattern \"%.*s\" uses %s at byte %zu, which isn't supported",
                   (int)(r->text.size < 200 ? r->text.size : 200), r->text.data, what, r->at);
}

static void copy(reader *r, size_t count) {
    rw_buf_append(r->out, r->text.data + r->at, count);
    r->at += count;
}

/* \p{Name} and \P{Name} */
static rw_status property(reader *r) {
    rw_str name = {r->text.data + r->at + 3, 0};
    if (r->text.size - r->at < 4 || r->text.data[r->at + 2] != '{')
        return refuse(r, "a property without braces");
    while (r->at + 3 + name.size < r->text.size && name.data[name.size] != '}')
        name.size++;
    if (r->at + 3 + name.size == r->text.size)
        return refuse(r, "an unfinished property");
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (rw_str_is(name, properties[i])) {
            copy(r, name.size + 4);
            return RW_OK;
        }
    return refuse(r, "an unknown property");
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* \uXXXX */
static rw_status unicode_escape(reader *r) {
    for (size_t i = 2; i < 6; i++)
        if (r->at + i >= r->text.size || !is_hex(r->text.data[r->at + i]))
            return refuse(r, "an unfinished \\u");
    rw_buf_format(r->out, "\\x{%.4s}", r->text.data + r->at + 2);
    r->at += 6;
    return RW_OK;
}

static rw_status write_space(reader *r, bool in_class, bool negated) {
    const char *inside = negated ? not_space_class : space_class;
    rw_buf_format(r->out, in_class ? "%s" : "[%s]", inside);
    r->at += 2;
    return RW_OK;
}

static rw_status escape(reader *r, bool in_class) {
    if (r->at + 1 >= r->text.size)
        return refuse(r, "a lone backslash");
    char c = r->text.data[r->at + 1];
    if (c == 's' || c == 'S')
        return write_space(r, in_class, c == 'S');
    if (c == 'd' || c == 'D') {
        rw_buf_text(r->out, c == 'd' ? "\\p{Nd}" : "\\P{Nd}");
        r->at += 2;
        return RW_OK;
    }
    if (c == 'p' || c == 'P')
        return property(r);
    if (c == 'u')
        return unicode_escape(r);
    bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (unsigned char)c >= 0x80;
    if (word && !strchr("rntf", c))
        return refuse(r, "an escape (\\w, \\b, a back reference or the like)");
    copy(r, 2);
    return RW_OK;
}

/* From '[' to ']'. Nested classes and && mean something to Oniguruma only. */
static rw_status character_class(reader *r) {
    copy(r, starts(r, "[^") ? 2 : 1);
    if (starts(r, "]"))
        return refuse(r, "an empty class");
    while (r->at < r->text.size) {
        char c = r->text.data[r->at];
        if (c == '[')
            return refuse(r, "a class inside a class");
        if (starts(r, "&&"))
            return refuse(r, "an intersection of classes");
        if (c == '\\')
            RW_TRY(escape(r, true));
        else
            copy(r, 1);
        if (c == ']')
            return RW_OK;
    }
    return refuse(r, "an unfinished class");
}

static rw_status group(reader *r) {
    static const char *const openings[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++)
        if (starts(r, openings[i])) {
            copy(r, strlen(openings[i]));
            return RW_OK;
        }
    if (starts(r, "(?") || starts(r, "(*"))
        return refuse(r, "a special group");
    copy(r, 1);
    return RW_OK;
}

/* {n}, {n,} or {n,m}; a following '?' or '+' means different things in the two. */
static rw_status counted_repeat(reader *r) {
    size_t at = r->at + 1, digits = at;
    while (at < r->text.size && r->text.data[at] >= '0' && r->text.data[at] <= '9')
        at++;
    bool counted = at > digits;
    if (at < r->text.size && r->text.data[at] == ',')
        at++;
    while (at < r->text.size && r->text.data[at] >= '0' && r->text.data[at] <= '9')
        at++;
    if (!counted || at >= r->text.size || r->text.data[at] != '}')
        return refuse(r, "a brace that is no plain repeat");
    copy(r, at + 1 - r->at);
    if (starts(r, "?") || starts(r, "+"))
        return refuse(r, "a lazy or possessive counted repeat");
    return RW_OK;
}

static rw_status element(reader *r) {
    switch (r->text.data[r->at]) {
    case '\\':
        return escape(r, false);
    case '[':
        return character_class(r);
    case '(':
        return group(r);
    case '{':
        return counted_repeat(r);
    case '^':
    case '$':
        return refuse(r, "an anchor");
    default:
        copy(r, 1);
        return RW_OK;
    }
}

rw_status rw_tk_pattern_translate(rw_str pattern, const char *where, rw_buf *out, rw_error *err) {
    reader r = {.text = pattern, .where = where, .out = out, .err = err};
    while (r.at < pattern.size)
        RW_TRY(element(&r));
    return rw_buf_status(out, err);
}
