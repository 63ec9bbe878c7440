/*
 * chart_bands.c - the wavelength of every rotary pair before and after: what was left alone, what
 * was blended, what was stretched. A pair whose wavelength exceeds the native window never made a
 * whole turn in training; those are the ones that must be stretched.
 */
#include <math.h>
#include <stdio.h>

#include "report/internal.h"

enum { WIDTH = 480, HEIGHT = 310 };

static const double tau = 6.283185307179586;

typedef struct pair_row {
    double before, after, ramp;
} pair_row;

typedef struct bands {
    pair_row *rows;
    size_t count;
} bands;

static const char *kind_of(const pair_row *row) {
    double ratio = row->after / row->before;
    if (fabs(ratio - 1.0) < 1e-6)
        return "kept";
    return row->ramp > 0.0 && row->ramp < 1.0 ? "blended" : "stretched";
}

/* The bands of the first group, and the inverse frequencies that the plan ends with. */
static bool collect(const rw_json *facts, rw_arena *arena, bands *out) {
    const rw_json *list = rw_json_path(facts, "plan.bands");
    const rw_json *groups = rw_json_path(facts, "plan.rope");
    const rw_json *frequencies = rw_json_get(groups ? groups->first : NULL, "inv_freq");
    if (!list || list->count == 0 || !frequencies || frequencies->count > list->count)
        return false;
    out->rows = rw_arena_alloc(arena, frequencies->count * sizeof *out->rows);
    if (!out->rows)
        return false;
    const rw_json *band = list->first;
    for (const rw_json *w = frequencies->first; w; w = w->next, band = band->next) {
        pair_row row = {.before = rw_json_number_or(rw_json_get(band, "wavelength"), NAN),
                        .after = tau / rw_json_number_or(w, NAN),
                        .ramp = rw_json_number_or(rw_json_get(band, "ramp"), 0.0)};
        if (row.before > 0.0 && row.after > 0.0 && isfinite(row.before) && isfinite(row.after))
            out->rows[out->count++] = row;
    }
    return out->count > 1;
}

/* The name stands `above` the line, or below it: the two windows may lie close together. */
static void draw_level(rw_buf *out, const rw_axis *x, const rw_axis *y, double value, bool above,
                       const char *name) {
    char label[64];
    if (value <= y->low || value >= y->high)
        return;
    double at = rw_axis_at(y, value);
    snprintf(label, sizeof label, "%s %.0f", name, value);
    rw_svg_line(out, "window", x->from, at, x->to, at);
    rw_svg_text(out, "mark", x->from + 6.0, above ? at - 5.0 : at + 13.0, "start", label);
}

/* A stem from the old wavelength (hollow) to the new one; the shape tells the kind as well. */
static void draw_pair(rw_buf *out, const pair_row *row, double x, const rw_axis *y) {
    const char *kind = kind_of(row);
    double from = rw_axis_at(y, row->before), to = rw_axis_at(y, row->after);
    rw_svg_line(out, "stem", x, from, x, to);
    if (kind[0] != 'k')
        rw_buf_format(out, "<circle class=\"hollow\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>\n", x,
                      from);
    if (kind[0] == 'k')
        rw_buf_format(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>\n", kind, x,
                      to);
    else if (kind[0] == 'b')
        rw_buf_format(out, "<path class=\"%s\" d=\"M%.1f %.1fl4 4l-4 4l-4 -4z\"/>\n", kind, x,
                      to - 4.0);
    else
        rw_buf_format(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"6\" height=\"6\"/>\n",
                      kind, x - 3.0, to - 3.0);
}

static void draw_chart(rw_buf *out, const bands *b, double native, double context) {
    rw_axis x = {.low = -0.5, .high = (double)b->count - 0.5, .from = 52, .to = WIDTH - 12};
    rw_axis y = {.low = INFINITY, .high = 0.0, .from = HEIGHT - 44, .to = 14, .log = true};
    for (size_t i = 0; i < b->count; i++) {
        y.low = fmin(y.low, fmin(b->rows[i].before, b->rows[i].after));
        y.high = fmax(y.high, fmax(b->rows[i].before, b->rows[i].after));
    }
    y.low *= 0.7;
    y.high *= 1.5;
    rw_svg_begin(out, WIDTH, HEIGHT, "Chart: wavelength of every rotary pair, before and after");
    rw_svg_grid_y(out, &y, &x);
    draw_level(out, &x, &y, native, false, "native window");
    draw_level(out, &x, &y, context, true, "new window");
    for (size_t i = 0; i < b->count; i++)
        draw_pair(out, &b->rows[i], rw_axis_at(&x, (double)i), &y);
    size_t stride = (b->count + 7) / 8;
    for (size_t i = 0; i < b->count; i += stride) {
        char label[24];
        snprintf(label, sizeof label, "%zu", i);
        rw_svg_text(out, "tick", rw_axis_at(&x, (double)i), y.from + 18.0, "middle", label);
    }
    rw_svg_text(out, "axis", (x.from + x.to) / 2.0, HEIGHT - 6.0, "middle",
                "rotary pair; height: wavelength (tokens)");
    rw_svg_end(out);
}

static void put_table(rw_buf *out, const bands *b) {
    static const char *const headings[] = {"pair", "before", "after", "times", "band"};
    rw_html_table t;
    rw_buf_text(out, "<details><summary>The numbers behind the picture</summary>\n");
    rw_table_begin(&t, out, headings, 5, 0);
    for (size_t i = 0; i < b->count; i++) {
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_buf_format(out, "%zu", i);
        rw_table_cell(&t);
        rw_buf_format(out, "%.2f", b->rows[i].before);
        rw_table_cell(&t);
        rw_buf_format(out, "%.2f", b->rows[i].after);
        rw_table_cell(&t);
        rw_buf_format(out, "%.3f", b->rows[i].after / b->rows[i].before);
        rw_table_cell(&t);
        rw_buf_text(out, kind_of(&b->rows[i]));
    }
    rw_table_end(&t);
    rw_buf_text(out, "</details>\n");
}

void rw_report_bands(rw_buf *out, const rw_json *facts) {
    rw_arena arena = {.ctx = out->ctx};
    bands b = {.count = 0};
    if (collect(facts, &arena, &b)) {
        rw_buf_text(out, "<section>\n<h2>What was done to the rotation</h2>\n"
                         "<div class=\"pair\"><figure><figcaption>Wavelength of each rotary pair"
                         "</figcaption>\n");
        draw_chart(out, &b, rw_json_number_or(rw_json_path(facts, "plan.native"), 0.0),
                   rw_json_number_or(rw_json_path(facts, "plan.context"), 0.0));
        rw_buf_text(out, "</figure><div><p>A rotary embedding turns pairs of dimensions at many "
                         "speeds; a pair's wavelength is how many tokens one turn takes. Pairs "
                         "that turn often within the native window tell near tokens apart and are "
                         "best left alone; pairs that never finished a turn in training must be "
                         "stretched to reach the new window.</p>\n"
                         "<ul class=\"kinds\"><li><span class=\"swatch kept\"></span>kept as it "
                         "was (dot)</li><li><span class=\"swatch blended\"></span>blended "
                         "(diamond)</li><li><span class=\"swatch stretched\"></span>stretched by "
                         "the whole factor (square)</li></ul>\n");
        put_table(out, &b);
        rw_buf_text(out, "</div></div>\n</section>\n");
    }
    rw_arena_free(&arena);
}
