/*
 * chart_position.c - perplexity by position before and after, and the table by length.
 */
#include <math.h>
#include <stdio.h>

#include "report/internal.h"

enum { WIDTH = 480, HEIGHT = 310 };

/* The longest length that has buckets: one pass at it covers every shorter position. */
static const rw_json *longest(const rw_json *measurement) {
    const rw_json *best = NULL;
    const rw_json *list = rw_json_get(measurement, "perplexity");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next) {
        const rw_json *buckets = rw_json_get(row, "by_position");
        if (!buckets || buckets->count == 0)
            continue;
        if (!best || rw_json_number_or(rw_json_get(row, "length"), 0.0) >
                         rw_json_number_or(rw_json_get(best, "length"), 0.0))
            best = row;
    }
    return best;
}

static bool bucket(const rw_json *node, double *from, double *to, double *ppl) {
    *from = rw_json_number_or(rw_json_get(node, "from"), NAN);
    *to = rw_json_number_or(rw_json_get(node, "to"), NAN);
    *ppl = exp(rw_json_number_or(rw_json_get(node, "nll"), NAN));
    return *from >= 0.0 && *to > *from && isfinite(*ppl);
}

/* The middle of a bucket on a logarithmic axis; the first one, from 0, counts from half its end. */
static double middle(double from, double to) {
    return from > 0.0 ? sqrt(from * to) : to / 2.0;
}

static void widen(rw_axis *x, rw_axis *y, const rw_json *row) {
    const rw_json *list = rw_json_get(row, "by_position");
    for (const rw_json *node = list ? list->first : NULL; node; node = node->next) {
        double from, to, ppl;
        if (!bucket(node, &from, &to, &ppl))
            continue;
        x->low = fmin(x->low, middle(from, to));
        x->high = fmax(x->high, to);
        y->low = fmin(y->low, ppl);
        y->high = fmax(y->high, ppl);
    }
}

static void draw_series(rw_buf *out, const rw_json *row, const char *cls, const rw_axis *x,
                        const rw_axis *y) {
    const rw_json *list = rw_json_get(row, "by_position");
    rw_buf_format(out, "<polyline class=\"line %s\" points=\"", cls);
    for (const rw_json *node = list ? list->first : NULL; node; node = node->next) {
        double from, to, ppl;
        if (bucket(node, &from, &to, &ppl))
            rw_buf_format(out, "%.1f,%.1f ", rw_axis_at(x, middle(from, to)), rw_axis_at(y, ppl));
    }
    rw_buf_text(out, "\"/>\n");
    for (const rw_json *node = list ? list->first : NULL; node; node = node->next) {
        double from, to, ppl;
        if (bucket(node, &from, &to, &ppl))
            rw_buf_format(out,
                          "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\">"
                          "<title>%.0f to %.0f: %.2f</title></circle>\n",
                          cls, rw_axis_at(x, middle(from, to)), rw_axis_at(y, ppl), from, to, ppl);
    }
}

static void draw_window(rw_buf *out, const rw_axis *x, const rw_axis *y, double native) {
    char label[64];
    double at = rw_axis_at(x, native);
    bool left = at > (x->from + x->to) / 2.0;
    snprintf(label, sizeof label, "native window %.0f", native);
    rw_buf_format(out,
                  "<rect class=\"beyond\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                  at, y->to, x->to - at, y->from - y->to);
    rw_svg_line(out, "window", at, y->from, at, y->to);
    rw_svg_text(out, "mark", left ? at - 6.0 : at + 6.0, y->to + 14.0, left ? "end" : "start",
                label);
}

static void draw_chart(rw_buf *out, const rw_json *before, const rw_json *after, double native) {
    rw_axis x = {.low = INFINITY, .high = 0.0, .from = 52, .to = WIDTH - 12, .log = true};
    rw_axis y = {.low = INFINITY, .high = 0.0, .from = HEIGHT - 44, .to = 14, .log = true};
    widen(&x, &y, before);
    widen(&x, &y, after);
    if (!(x.low < x.high) || !(y.low <= y.high))
        return;
    y.low *= 0.8;
    y.high *= 2.2; /* room for the label of the window */
    rw_svg_begin(out, WIDTH, HEIGHT,
                 "Line chart: perplexity by position in the text, before and after");
    if (native > x.low && native < x.high)
        draw_window(out, &x, &y, native);
    rw_svg_grid_y(out, &y, &x);
    rw_svg_grid_x(out, &x, &y);
    draw_series(out, before, "before", &x, &y);
    draw_series(out, after, "after", &x, &y);
    rw_svg_text(out, "axis", (x.from + x.to) / 2.0, HEIGHT - 6.0, "middle", "position (tokens)");
    rw_svg_end(out);
    rw_buf_text(out, "<p class=\"legend\"><span class=\"key before\"></span>before "
                     "<span class=\"key after\"></span>after</p>\n");
}

static const rw_json *bucket_at(const rw_json *row, double from) {
    const rw_json *list = rw_json_get(row, "by_position");
    for (const rw_json *node = list ? list->first : NULL; node; node = node->next)
        if (rw_json_number_or(rw_json_get(node, "from"), -1.0) == from)
            return node;
    return NULL;
}

static void put_perplexity(rw_html_table *t, const rw_json *bucket_or_null) {
    double value = exp(rw_json_number_or(rw_json_get(bucket_or_null, "nll"), NAN));
    rw_table_cell(t);
    if (isfinite(value))
        rw_buf_format(t->out, "%.2f", value);
    else
        rw_buf_text(t->out, "–");
}

static void put_position_table(rw_buf *out, const rw_json *before, const rw_json *after) {
    static const char *const headings[] = {"positions", "before", "after"};
    const rw_json *list = rw_json_get(after ? after : before, "by_position");
    rw_html_table t;
    rw_buf_text(out, "<details><summary>The numbers behind the picture</summary>\n");
    rw_table_begin(&t, out, headings, 3, 1);
    for (const rw_json *node = list ? list->first : NULL; node; node = node->next) {
        double from = rw_json_number_or(rw_json_get(node, "from"), NAN);
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_count(out, from);
        rw_buf_text(out, " to ");
        rw_html_count(out, rw_json_number_or(rw_json_get(node, "to"), NAN));
        put_perplexity(&t, bucket_at(before, from));
        put_perplexity(&t, bucket_at(after, from));
    }
    rw_table_end(&t);
    rw_buf_text(out, "</details>\n");
}

/* ---- by length ------------------------------------------------------------------------------- */

static const rw_json *at_length(const rw_json *measurement, double length) {
    const rw_json *list = rw_json_get(measurement, "perplexity");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (rw_json_number_or(rw_json_get(row, "length"), -1.0) == length)
            return row;
    return NULL;
}

static void put_value(rw_html_table *t, const rw_json *row) {
    const rw_json *interval = rw_json_get(row, "ci95");
    rw_table_cell(t);
    rw_html_number(t->out, rw_json_get(row, "ppl"), 2);
    if (!interval || interval->type != RW_JSON_ARRAY || interval->count != 2)
        return;
    rw_buf_text(t->out, " <small>");
    rw_html_number(t->out, interval->first, 2);
    rw_buf_text(t->out, "–");
    rw_html_number(t->out, interval->first->next, 2);
    rw_buf_text(t->out, "</small>");
}

static void put_length_table(rw_buf *out, const rw_json *before, const rw_json *after) {
    static const char *const headings[] = {"length", "before", "after"};
    const rw_json *list = rw_json_get(after, "perplexity");
    rw_html_table t;
    rw_table_begin(&t, out, headings, 3, 1);
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next) {
        double length = rw_json_number_or(rw_json_get(row, "length"), NAN);
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_count(out, length);
        rw_buf_text(out, "<small> ");
        rw_html_count(out, rw_json_number_or(rw_json_get(row, "documents"), NAN));
        rw_buf_text(out, " documents, ");
        rw_html_count(out, rw_json_number_or(rw_json_get(row, "tokens"), NAN));
        rw_buf_text(out, " tokens</small>");
        put_value(&t, at_length(before, length));
        put_value(&t, row);
    }
    rw_table_end(&t);
}

void rw_report_perplexity(rw_buf *out, const rw_json *facts) {
    const rw_json *before = rw_json_get(facts, "before"), *after = rw_json_get(facts, "after");
    const rw_json *long_before = longest(before), *long_after = longest(after);
    const rw_json *rows = rw_json_get(after, "perplexity");
    if (!rows || rows->count == 0)
        return;
    rw_buf_text(out, "<section>\n<h2>Perplexity</h2>\n<p>Lower is better: how many tokens the model"
                     " hesitates between, on text that it has not seen. Protocol <code>");
    rw_html_str(out, rw_json_string_or(rw_json_get(after, "protocol"), "unknown"));
    rw_buf_text(out, "</code>; the small figures are 95 % intervals.</p>\n<div class=\"pair\">");
    if (long_before || long_after) {
        rw_buf_text(out, "<figure><figcaption>Perplexity by position in the text</figcaption>\n");
        draw_chart(out, long_before, long_after,
                   rw_json_number_or(rw_json_path(facts, "plan.native"), 0.0));
        put_position_table(out, long_before, long_after);
        rw_buf_text(out, "</figure>\n");
    }
    rw_buf_text(out, "<div><h3>Perplexity by length read</h3>\n");
    put_length_table(out, before, after);
    rw_buf_text(out, "</div></div>\n</section>\n");
}
