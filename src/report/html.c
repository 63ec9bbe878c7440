/*
 * html.c - text into markup.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/internal.h"

static const char *entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void rw_html_str(rw_buf *out, rw_str text) {
    for (size_t i = 0; i < text.size;) {
        size_t length = rw_utf8_decode(text.data + i, text.size - i, NULL);
        unsigned char c = (unsigned char)text.data[i];
        const char *escaped = length == 1 ? entity(text.data[i]) : NULL;
        if (escaped)
            rw_buf_text(out, escaped);
        else if (length > 1 || (length == 1 && (c >= 0x20 || c == '\n' || c == '\t') && c != 0x7f))
            rw_buf_append(out, text.data + i, length);
        i += length ? length : 1;
    }
}

void rw_html_text(rw_buf *out, const char *text) {
    rw_html_str(out, rw_str_of(text));
}

void rw_html_element(rw_buf *out, const char *tag, const char *cls, rw_str text) {
    rw_buf_format(out, cls ? "<%s class=\"%s\">" : "<%s>", tag, cls);
    rw_html_str(out, text);
    rw_buf_format(out, "</%s>", tag);
}

void rw_html_number(rw_buf *out, const rw_json *node, int decimals) {
    double value = rw_json_number_or(node, NAN);
    if (isfinite(value))
        rw_buf_format(out, "%.*f", decimals, value);
    else
        rw_buf_text(out, "–");
}

void rw_html_count(rw_buf *out, double value) {
    char digits[40];
    if (!isfinite(value) || fabs(value) >= 1e18) {
        rw_buf_text(out, "–");
        return;
    }
    int size = snprintf(digits, sizeof digits, "%lld", (long long)value);
    for (int i = 0; i < size; i++) {
        if (i > 0 && digits[i - 1] != '-' && (size - i) % 3 == 0)
            rw_buf_text(out, "\xe2\x80\xaf"); /* narrow no-break space */
        rw_buf_char(out, digits[i]);
    }
}

void rw_table_begin(rw_html_table *t, rw_buf *out, const char *const *headings, size_t count,
                    size_t first_numeric) {
    *t = (rw_html_table){.out = out, .first_numeric = first_numeric};
    rw_buf_format(out, "<div class=\"scroll\"><table%s><thead><tr>",
                  first_numeric >= count ? " class=\"words\"" : "");
    for (size_t i = 0; i < count; i++) {
        rw_buf_text(out, i >= first_numeric ? "<th class=\"n\">" : "<th>");
        rw_html_text(out, headings[i]);
        rw_buf_text(out, "</th>");
    }
    rw_buf_text(out, "</tr></thead><tbody><tr>");
}

void rw_table_cell(rw_html_table *t) {
    if (t->column > 0)
        rw_buf_text(t->out, "</td>");
    rw_buf_text(t->out, t->column >= t->first_numeric ? "<td class=\"n\">" : "<td>");
    t->column++;
}

void rw_table_row(rw_html_table *t) {
    if (t->column > 0)
        rw_buf_text(t->out, "</td></tr>\n<tr>");
    t->column = 0;
}

void rw_table_end(rw_html_table *t) {
    rw_buf_text(t->out, t->column > 0 ? "</td></tr>" : "</tr>");
    rw_buf_text(t->out, "</tbody></table></div>\n");
}
