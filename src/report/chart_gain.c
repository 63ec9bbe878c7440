/*
 * chart_gain.c - what reading more tokens brings, by length, with its interval.
 */
#include <math.h>
#include <stdio.h>

#include "report/internal.h"

enum { WIDTH = 480, HEIGHT = 250 };

typedef struct gain {
    double length, value, low, high; /* low and high are NaN without an interval */
} gain;

static gain read_gain(const rw_json *row) {
    const rw_json *interval = rw_json_get(row, "ci95");
    gain g = {rw_json_number_or(rw_json_get(row, "length"), NAN),
              rw_json_number_or(rw_json_get(row, "value"), NAN), NAN, NAN};
    if (interval && interval->type == RW_JSON_ARRAY && interval->count == 2) {
        g.low = rw_json_number_or(interval->first, NAN);
        g.high = rw_json_number_or(interval->first->next, NAN);
    }
    return g;
}

static bool can_be_drawn(const gain *g) {
    return g->length > 0.0 && isfinite(g->value);
}

static void widen(rw_axis *x, rw_axis *y, const rw_json *rows) {
    for (const rw_json *row = rows->first; row; row = row->next) {
        gain g = read_gain(row);
        if (!can_be_drawn(&g))
            continue;
        x->low = fmin(x->low, g.length);
        x->high = fmax(x->high, g.length);
        y->low = fmin(y->low, fmin(g.value, g.low)); /* fmin passes over a NaN */
        y->high = fmax(y->high, fmax(g.value, g.high));
    }
}

/* Lines at round steps of 1, 2 or 5; about five of them. */
static void draw_grid(rw_buf *out, const rw_axis *x, const rw_axis *y) {
    double rough = (y->high - y->low) / 5.0, power = pow(10.0, floor(log10(rough)));
    double step = rough / power > 5.0   ? 10.0 * power
                  : rough / power > 2.0 ? 5.0 * power
                  : rough / power > 1.0 ? 2.0 * power
                                        : power;
    int first = (int)ceil(y->low / step), last = (int)floor(y->high / step);
    for (int i = first; i <= last; i++) {
        char label[32];
        double at = rw_axis_at(y, i * step);
        snprintf(label, sizeof label, "%.6g", i * step);
        rw_svg_line(out, i == 0 ? "zero" : "grid", x->from, at, x->to, at);
        rw_svg_text(out, "tick", x->from - 6.0, at + 4.0, "end", label);
    }
}

static void draw_point(rw_buf *out, const rw_axis *x, const rw_axis *y, const gain *g) {
    char label[32];
    double at = rw_axis_at(x, g->length);
    if (isfinite(g->low) && isfinite(g->high)) {
        double low = rw_axis_at(y, g->low), high = rw_axis_at(y, g->high);
        rw_svg_line(out, "whisker", at, low, at, high);
        rw_svg_line(out, "whisker", at - 6.0, low, at + 6.0, low);
        rw_svg_line(out, "whisker", at - 6.0, high, at + 6.0, high);
    }
    rw_buf_format(out,
                  "<circle class=\"dot after\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\">"
                  "<title>%.0f tokens: %.3f nats</title></circle>\n",
                  at, rw_axis_at(y, g->value), g->length, g->value);
    snprintf(label, sizeof label, g->length >= 8192.0 ? "%.0fk" : "%.0f",
             g->length >= 8192.0 ? g->length / 1024.0 : g->length);
    rw_svg_text(out, "tick", at, y->from + 18.0, "middle", label);
}

static void draw_chart(rw_buf *out, const rw_json *rows) {
    rw_axis x = {.low = INFINITY, .high = 0.0, .from = 62, .to = WIDTH - 16, .log = true};
    rw_axis y = {.low = 0.0, .high = 0.0, .from = HEIGHT - 44, .to = 12};
    widen(&x, &y, rows);
    if (!(x.low <= x.high))
        return;
    x.low /= 1.4;
    x.high *= 1.4;
    double room = y.high > y.low ? 0.08 * (y.high - y.low) : 0.1;
    y.low -= room;
    y.high += room;
    rw_svg_begin(out, WIDTH, HEIGHT, "Points with intervals: gain by length read, in nats");
    draw_grid(out, &x, &y);
    for (const rw_json *row = rows->first; row; row = row->next) {
        gain g = read_gain(row);
        if (can_be_drawn(&g))
            draw_point(out, &x, &y, &g);
    }
    rw_svg_text(out, "axis", (x.from + x.to) / 2.0, HEIGHT - 6.0, "middle", "tokens read");
    rw_svg_end(out);
}

static void put_table(rw_buf *out, const rw_json *rows) {
    static const char *const headings[] = {"tokens read", "gain (nats)", "95 % interval"};
    rw_html_table t;
    rw_table_begin(&t, out, headings, 3, 1);
    for (const rw_json *row = rows->first; row; row = row->next) {
        gain g = read_gain(row);
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_count(out, g.length);
        rw_buf_text(out, "<small> ");
        rw_html_count(out, rw_json_number_or(rw_json_get(row, "documents"), NAN));
        rw_buf_text(out, " documents</small>");
        rw_table_cell(&t);
        rw_html_number(out, rw_json_get(row, "value"), 3);
        rw_table_cell(&t);
        if (isfinite(g.low) && isfinite(g.high))
            rw_buf_format(out, "%.3f to %.3f", g.low, g.high);
        else
            rw_buf_text(out, "–");
    }
    rw_table_end(&t);
}

void rw_report_gain(rw_buf *out, const rw_json *facts) {
    const rw_json *rows = rw_json_path(facts, "gate.gain");
    if (!rows || rows->type != RW_JSON_ARRAY || rows->count == 0)
        return;
    rw_buf_text(out, "<section>\n<h2>Gain by length</h2>\n<p>How much better the extended model "
                     "predicts the same tokens when it reads that much, than the model as it was "
                     "reading only its last native window. Above zero the longer text helps; the "
                     "bars are 95 % intervals.</p>\n<div class=\"pair\"><figure>\n");
    draw_chart(out, rows);
    rw_buf_text(out, "</figure><div>\n");
    put_table(out, rows);
    rw_buf_text(out, "</div></div>\n</section>\n");
}
