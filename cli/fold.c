/*
 * fold.c - text for a terminal's width.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* A word that is too long for its line hangs less far; what no line holds (a hash, a path) stays
   whole, so that it can be copied: the terminal breaks it. */
enum { NARROW_INDENT = 4, NARROWEST = 20 };

/* Columns that UTF-8 text takes, counted in characters. */
size_t cli_columns(const char *text, size_t size) {
    size_t columns = 0;
    for (size_t i = 0; i < size; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

static size_t indent_of(size_t columns, size_t indent, size_t width) {
    if (indent + columns <= width)
        return indent;
    return indent > NARROW_INDENT && NARROW_INDENT + columns <= width ? NARROW_INDENT : 0;
}

char *cli_fold(const char *text, size_t column, size_t indent, size_t width) {
    char *out = NULL;
    size_t size = 0, at = column;
    bool fresh = true; /* no word yet behind `column`, or on this line */
    FILE *file = open_memstream(&out, &size);
    if (!file)
        return NULL;
    width = !width ? SIZE_MAX : width < NARROWEST ? NARROWEST : width;
    while (*text) {
        size_t word = strcspn(text, " \n"), columns = cli_columns(text, word);
        size_t begin = indent_of(columns, indent, width);
        if (word && at + !fresh + columns > width && at > begin) {
            at = begin;
            fprintf(file, "\n%*s", (int)at, "");
            fresh = true;
        }
        if (word) {
            fprintf(file, "%s%.*s", fresh ? "" : " ", (int)word, text);
            at += !fresh + columns;
            fresh = false;
        }
        if (text[word] == '\n') {
            at = text[word + 1] ? indent : 0;
            fprintf(file, "\n%*s", (int)at, "");
            fresh = true;
        }
        text += word + (text[word] ? 1 : 0);
    }
    fclose(file);
    return out;
}
