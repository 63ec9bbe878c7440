/*
 * render.c - stdout for people: text in styles, folded paragraphs, aligned tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static int write_errno; /* of the first failed write */

static void put(const char *bytes, size_t size) {
    errno = 0;
    if (size && fwrite(bytes, 1, size, stdout) != size && !write_errno)
        write_errno = errno ? errno : EIO;
}

int cli_flush(void) {
    errno = 0;
    if (fflush(stdout) != 0 && !write_errno)
        write_errno = errno ? errno : EIO;
    return write_errno;
}

/* Control characters may come out of a file and would speak to the terminal. */
static void put_clean(char *text) {
    for (char *at = text; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f)
            *at = '?';
    put(text, strlen(text));
}

static char *format_text(const char *format, va_list arguments) {
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        return NULL;
    return text;
}

void cli_print(cli *c, const char *format, ...) {
    (void)c;
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text)
        put_clean(text);
    free(text);
}

void cli_print_bytes(cli *c, const char *bytes, size_t size) {
    put(bytes, size);
    /* Whoever reads the stream is gone: the work that feeds it may stop. */
    if (cli_flush() == EPIPE)
        rw_context_cancel(c->ctx);
}

void cli_styled(cli *c, cli_style style, const char *format, ...) {
    static const char *const codes[] = {"",           "\033[1m",    "\033[2m",
                                        "\033[1;32m", "\033[1;31m", "\033[33m"};
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (!text)
        return;
    bool coloured = c->stdout_color && style != CLI_PLAIN;
    if (coloured)
        put(codes[style], strlen(codes[style]));
    put_clean(text);
    if (coloured)
        put("\033[0m", 4);
    free(text);
}

void cli_heading(cli *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text) {
        cli_print(c, "\n");
        cli_styled(c, CLI_BOLD, "%s", text);
        cli_print(c, "\n");
    }
    free(text);
}

/* Columns that UTF-8 text takes, counted in characters. */
static size_t columns_of(const char *text, size_t size) {
    size_t columns = 0;
    for (size_t i = 0; i < size; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

static void put_folded(cli *c, unsigned indent, const char *text) {
    size_t width = c->width > indent + 20 ? c->width : c->width ? indent + 20 : SIZE_MAX;
    size_t column = 0;
    while (*text) {
        size_t size = strcspn(text, " \n");
        size_t columns = columns_of(text, size);
        if (size && column && column + 1 + columns > width) {
            cli_print(c, "\n");
            column = 0;
        }
        if (size) {
            cli_print(c, "%*s%.*s", column ? 1 : (int)indent, "", (int)size, text);
            column = (column ? column + 1 : indent) + columns;
        }
        if (text[size] == '\n') {
            cli_print(c, "\n");
            column = 0;
        }
        text += size + (text[size] ? 1 : 0);
    }
    if (column)
        cli_print(c, "\n");
}

void cli_paragraph(cli *c, unsigned indent, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text)
        put_folded(c, indent, text);
    free(text);
}

void cli_field(cli *c, const char *name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text) {
        cli_styled(c, CLI_DIM, "%-*s", CLI_LABEL_WIDTH, name);
        cli_print(c, "%s\n", text);
    }
    free(text);
}

/* ---- small texts ----------------------------------------------------------------------------- */

enum { SLOTS = 8, SLOT_SIZE = 256 };

static char *next_slot(void) {
    static char slots[SLOTS][SLOT_SIZE];
    static unsigned next;
    return slots[next++ % SLOTS];
}

const char *cli_number(const rw_json *node, const char *format) {
    char *slot = next_slot();
    if (!node || node->type != RW_JSON_NUMBER)
        return "-";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(slot, SLOT_SIZE, format, node->number);
#pragma GCC diagnostic pop
    return slot;
}

const char *cli_text(const rw_json *node, const char *fallback) {
    char *slot = next_slot();
    if (!node || node->type != RW_JSON_STRING)
        return fallback;
    int size = (int)(node->string.size < SLOT_SIZE ? node->string.size : SLOT_SIZE - 1);
    snprintf(slot, SLOT_SIZE, "%.*s", size, node->string.data);
    return slot;
}

void cli_diagnostics(cli *c, const rw_json *diagnostics) {
    for (const rw_json *d = diagnostics ? diagnostics->first : NULL; d; d = d->next) {
        const char *severity = cli_text(rw_json_get(d, "severity"), "info");
        cli_style style = strcmp(severity, "error") == 0     ? CLI_BAD
                          : strcmp(severity, "warning") == 0 ? CLI_WARN
                                                             : CLI_DIM;
        rw_str message = rw_json_string_or(rw_json_get(d, "message"), "");
        cli_styled(c, style, "%s", severity);
        cli_print(c, " %s%s\n", cli_text(rw_json_get(d, "code"), ""),
                  rw_json_bool_or(rw_json_get(d, "changes_numbers"), false) ? " (changes numbers)"
                                                                            : "");
        cli_paragraph(c, 4, "%.*s", (int)message.size, message.data);
    }
}
