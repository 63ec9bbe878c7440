/*
 * table.c - aligned columns; where the terminal is too narrow, the rest below.
 */
#include <stdlib.h>
#include <string.h>

#include "program.h"

enum { GAP = 2 };

static size_t text_columns(const char *text) {
    return cli_columns(text, strlen(text));
}

static void add_cell(cli_table *table, char *text) {
    size_t index = table->rows * table->columns + table->used;
    if (index >= table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        char **cells = realloc(table->cells, capacity * sizeof *cells);
        if (!cells) {
            free(text);
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    table->cells[index] = text;
    if (++table->used == table->columns) {
        table->used = 0;
        table->rows++;
    }
}

void cli_table_begin(cli_table *table, const char *const *headings, size_t columns) {
    *table = (cli_table){.columns = columns < CLI_TABLE_COLUMNS ? columns : CLI_TABLE_COLUMNS};
    for (size_t i = 0; i < table->columns; i++)
        add_cell(table, strdup(headings[i]));
}

void cli_table_cell(cli_table *table, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    add_cell(table, text);
}

static const char *cell(const cli_table *table, size_t row, size_t column) {
    const char *text = table->cells[row * table->columns + column];
    return text ? text : "";
}

static bool is_numeric(const char *text) {
    return !*text || strcmp(text, "-") == 0 || strspn(text, "0123456789") > 0 ||
           ((*text == '-' || *text == '+' || *text == '.') && text[1] >= '0' && text[1] <= '9');
}

static bool numeric_column(const cli_table *table, size_t column) {
    for (size_t row = 1; row < table->rows; row++)
        if (!is_numeric(cell(table, row, column)))
            return false;
    return table->rows > 1;
}

static size_t column_width(const cli_table *table, size_t column) {
    size_t width = 0;
    for (size_t row = 0; row < table->rows; row++) {
        size_t columns = text_columns(cell(table, row, column));
        width = columns > width ? columns : width;
    }
    return width;
}

static void put_cell(cli *c, const cli_table *table, size_t row, size_t column, bool last) {
    const char *text = cell(table, row, column);
    int padding = (int)(column_width(table, column) - text_columns(text));
    bool right = numeric_column(table, column);
    if (right)
        cli_print(c, "%*s", padding, "");
    cli_styled(c, row ? CLI_PLAIN : CLI_DIM, "%s", text);
    if (!last)
        cli_print(c, "%*s", (right ? 0 : padding) + GAP, "");
}

/* Prints column 0 and as many from `from` on as fit; returns the first that did not. */
static size_t put_columns(cli *c, const cli_table *table, size_t from) {
    size_t width = column_width(table, 0), to = from;
    while (to < table->columns) {
        width += GAP + column_width(table, to);
        if (c->width && width > c->width && to > from)
            break;
        to++;
    }
    for (size_t row = 0; row < table->rows; row++) {
        put_cell(c, table, row, 0, to == from);
        for (size_t column = from; column < to; column++)
            put_cell(c, table, row, column, column + 1 == to);
        cli_print(c, "\n");
    }
    return to;
}

void cli_table_print(cli *c, cli_table *table) {
    size_t at = 1;
    do {
        if (at > 1)
            cli_print(c, "\n");
        at = put_columns(c, table, at);
    } while (at < table->columns);
    for (size_t i = 0; i < table->rows * table->columns + table->used; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (cli_table){.columns = 0};
}
