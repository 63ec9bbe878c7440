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
    if (size)
        c->open_line = c->stdout_terminal && bytes[size - 1] != '\n';
    /* Whoever reads the stream is gone: the work that feeds it may stop. */
    if (cli_flush() == EPIPE)
        rw_context_cancel(c->ctx);
}

void cli_end_line(cli *c) {
    if (!c->open_line)
        return;
    c->open_line = false;
    cli_print(c, "\n");
    cli_flush();
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
    char *folded = text ? cli_fold(text, 0, 2, c->width) : NULL;
    if (folded) {
        cli_print(c, "\n");
        cli_styled(c, CLI_BOLD, "%s", folded);
        cli_print(c, "\n");
    }
    free(folded);
    free(text);
}

static void put_folded(cli *c, size_t column, size_t indent, const char *text) {
    char *folded = cli_fold(text, column, indent, c->width);
    cli_print(c, "%s", folded ? folded : text);
    free(folded);
}

void cli_paragraph(cli *c, unsigned indent, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text && *text) {
        cli_print(c, "%*s", (int)indent, "");
        put_folded(c, indent, indent, text);
        cli_print(c, "\n");
    }
    free(text);
}

void cli_go_on(cli *c, unsigned column, unsigned indent, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text)
        put_folded(c, column, indent, text);
    free(text);
}

void cli_field(cli *c, const char *name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    if (text) {
        cli_styled(c, CLI_DIM, "%-*s", CLI_LABEL_WIDTH, name);
        put_folded(c, CLI_LABEL_WIDTH, CLI_LABEL_WIDTH, text);
        cli_print(c, "\n");
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
        bool changes = rw_json_bool_or(rw_json_get(d, "changes_numbers"), false);
        cli_styled(c, style, "%s ", severity);
        cli_go_on(c, (unsigned)strlen(severity) + 1, 4, "%s%s\n",
                  cli_text(rw_json_get(d, "code"), ""), changes ? " (changes numbers)" : "");
        cli_paragraph(c, 4, "%.*s", (int)message.size, message.data);
    }
}
