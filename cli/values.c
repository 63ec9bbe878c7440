/*
 * values.c - text of the command line into typed values.
 */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static rw_status bad_value(rw_error *err, const char *flag, const char *text, const char *wanted) {
    return rw_fail(err, RW_ERR_USAGE, "cli.bad_value", flag, "\"%.80s\" is not %s.", text, wanted);
}

/* ---- one number ------------------------------------------------------------------------------ */

/* Digits and an optional k (x 1024) or m (x 1048576), as windows are spoken of. */
static bool read_count(const char *text, size_t size, uint64_t *out) {
    uint64_t unit = 1;
    if (size > 0 && (text[size - 1] == 'k' || text[size - 1] == 'K'))
        unit = 1024;
    if (size > 0 && (text[size - 1] == 'm' || text[size - 1] == 'M'))
        unit = 1024 * 1024;
    if (unit > 1)
        size--;
    uint64_t value;
    if (!rw_parse_u64((rw_str){text, size}, &value) || value > UINT64_MAX / unit)
        return false;
    *out = value * unit;
    return true;
}

static bool read_number(const char *text, size_t size, double *out) {
    return rw_parse_double((rw_str){text, size}, out) && isfinite(*out);
}

/* 90, 90s, 5m, 1h */
static bool read_seconds(const char *text, double *out) {
    size_t size = strlen(text);
    double unit = 1.0;
    char last = size ? text[size - 1] : '\0';
    if (last == 'h')
        unit = 3600.0;
    if (last == 'm')
        unit = 60.0;
    if (last == 's' || unit > 1.0)
        size--;
    if (!read_number(text, size, out))
        return false;
    *out *= unit;
    return true;
}

static rw_status check_range(const cli_option *option, const char *flag, double value,
                             rw_error *err) {
    if (value < option->minimum && option->minimum <= DBL_MIN)
        return rw_fail(err, RW_ERR_USAGE, "cli.out_of_range", flag, "The value must be %s 0.",
                       option->minimum > 0.0 ? "greater than" : "at least");
    if (value < option->minimum)
        return rw_fail(err, RW_ERR_USAGE, "cli.out_of_range", flag,
                       "The value must be at least %g.", option->minimum);
    if (option->maximum > 0.0 && value > option->maximum)
        return rw_fail(err, RW_ERR_USAGE, "cli.out_of_range", flag, "The value must be at most %g.",
                       option->maximum);
    return RW_OK;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static bool is_separator(char c) {
    return c == ',' || c == '[' || c == ']' || isspace((unsigned char)c);
}

/* Reads one entry at a time into memory that grows; both kinds have entries of eight bytes. */
static rw_status read_entry(const cli_option *option, const char *flag, const char *text,
                            size_t size, void *entry, rw_error *err) {
    char shown[84];
    double value = 0.0;
    uint64_t count = 0;
    bool fine = option->kind == CLI_COUNTS ? read_count(text, size, &count)
                                           : read_number(text, size, &value);
    memcpy(shown, text, size < 80 ? size : 80);
    shown[size < 80 ? size : 80] = '\0';
    if (!fine)
        return bad_value(err, flag, shown, "a number");
    if (option->kind == CLI_COUNTS)
        memcpy(entry, &count, sizeof count);
    else
        memcpy(entry, &value, sizeof value);
    return check_range(option, flag, option->kind == CLI_COUNTS ? (double)count : value, err);
}

static rw_status read_list(cli_parse *parse, const cli_option *option, char *base, const char *flag,
                           const char *text, rw_error *err) {
    enum { ENTRY = 8, MOST = 65536 };
    _Static_assert(sizeof(double) == ENTRY && sizeof(uint64_t) == ENTRY, "entries of eight bytes");
    size_t count = 0, capacity = strlen(text) / 2 + 1;
    char *entries = calloc(capacity, ENTRY);
    if (!entries || parse->owned_count == CLI_MAX_OWNED) {
        free(entries);
        return rw_fail_memory(err, flag, capacity * ENTRY);
    }
    parse->owned[parse->owned_count++] = entries;
    for (const char *at = text; *at;) {
        size_t size = 0;
        while (at[size] && !is_separator(at[size]))
            size++;
        if (size && count == MOST)
            return rw_fail(err, RW_ERR_USAGE, "cli.bad_value", flag, "The list is too long.");
        if (size)
            RW_TRY(read_entry(option, flag, at, size, entries + ENTRY * count++, err));
        at += size ? size : 1;
    }
    if (count == 0)
        return bad_value(err, flag, text, "a list of numbers");
    memcpy(base + option->offset, &entries, sizeof entries);
    memcpy(base + option->count_offset, &count, sizeof count);
    return RW_OK;
}

/* The text of @FILE, malloc'ed; at most a megabyte. */
static rw_status load_list_file(const char *flag, const char *path, char **out, rw_error *err) {
    enum { LIMIT = 1 << 20 };
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(LIMIT + 1) : NULL;
    size_t size = text ? fread(text, 1, LIMIT + 1, file) : 0;
    bool failed = !text || ferror(file);
    if (file)
        fclose(file);
    if (failed || size > LIMIT) {
        free(text);
        return rw_fail(err, RW_ERR_USAGE, "cli.list_file", flag,
                       failed ? "The file \"%s\" cannot be read."
                              : "The file \"%s\" is longer than a megabyte.",
                       path);
    }
    text[size] = '\0';
    *out = text;
    return RW_OK;
}

static rw_status set_list(cli_parse *parse, const cli_option *option, char *base, const char *flag,
                          const char *text, rw_error *err) {
    char *loaded = NULL;
    if (text[0] == '@')
        RW_TRY(load_list_file(flag, text + 1, &loaded, err));
    rw_status status = read_list(parse, option, base, flag, loaded ? loaded : text, err);
    free(loaded);
    return status;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static rw_status set_count(const cli_option *option, char *field, const char *flag,
                           const char *text, rw_error *err) {
    uint64_t value;
    if (!read_count(text, strlen(text), &value))
        return bad_value(err, flag, text, "a whole number (like 32768, 32k or 1m)");
    memcpy(field, &value, sizeof value);
    return check_range(option, flag, (double)value, err);
}

static rw_status set_double(const cli_option *option, char *field, const char *flag,
                            const char *text, rw_error *err) {
    double value;
    bool seconds = option->kind == CLI_SECONDS;
    if (seconds ? !read_seconds(text, &value) : !read_number(text, strlen(text), &value))
        return bad_value(err, flag, text, seconds ? "a time (like 90s, 5m or 1h)" : "a number");
    memcpy(field, &value, sizeof value);
    return check_range(option, flag, value, err);
}

static rw_status set_yes_no(char *field, const char *flag, const char *text, rw_error *err) {
    int value = strcmp(text, "yes") == 0 ? 1 : strcmp(text, "no") == 0 ? -1 : 0;
    memcpy(field, &value, sizeof value);
    return value ? RW_OK : bad_value(err, flag, text, "\"yes\" or \"no\"");
}

rw_status cli_set_value(cli_parse *parse, const cli_option *option, char *base, const char *flag,
                        const char *text, rw_error *err) {
    static const bool yes = true;
    char *field = base + option->offset;
    switch (option->kind) {
    case CLI_SWITCH:
        memcpy(field, &yes, sizeof yes);
        return RW_OK;
    case CLI_TEXT:
        if (!*text)
            return rw_fail(err, RW_ERR_USAGE, "cli.bad_value", flag, "The value is empty.");
        memcpy(field, &text, sizeof text);
        return RW_OK;
    case CLI_COUNT:
        return set_count(option, field, flag, text, err);
    case CLI_NUMBER:
    case CLI_SECONDS:
        return set_double(option, field, flag, text, err);
    case CLI_YES_NO:
        return set_yes_no(field, flag, text, err);
    case CLI_COUNTS:
    case CLI_NUMBERS:
        return set_list(parse, option, base, flag, text, err);
    }
    return rw_fail(err, RW_ERR_INTERNAL, "cli.kind", flag, "The option has no known kind.");
}
