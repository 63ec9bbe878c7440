/*
 * chart_retrieval.c - what is found again, by length and depth: one grid before, one after.
 */
#include <math.h>
#include <stdio.h>

#include "report/internal.h"

enum { WIDTH = 480, LEFT = 58, TOP = 12, ROW = 38, MAX_KEYS = 24, MAX_TASKS = 8 };

/* Distinct lengths (columns) and depths (rows) of one task, sorted. */
typedef struct grid {
    rw_str task, wording; /* results under another wording are another grid */
    size_t columns, rows;
    double length[MAX_KEYS], depth[MAX_KEYS];
} grid;

static void add_key(double *keys, size_t *count, double key) {
    size_t at = 0;
    while (at < *count && keys[at] < key)
        at++;
    if (!isfinite(key) || (at < *count && keys[at] == key) || *count == MAX_KEYS)
        return;
    for (size_t i = *count; i > at; i--)
        keys[i] = keys[i - 1];
    keys[at] = key;
    ++*count;
}

static bool is_of(const rw_json *row, const grid *g) {
    return rw_str_equal(rw_json_string_or(rw_json_get(row, "task"), ""), g->task) &&
           rw_str_equal(rw_json_string_or(rw_json_get(row, "wording"), ""), g->wording);
}

static void collect(grid *g, const rw_json *measurement) {
    const rw_json *list = rw_json_get(measurement, "retrieval");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next) {
        if (!is_of(row, g))
            continue;
        add_key(g->length, &g->columns, rw_json_number_or(rw_json_get(row, "length"), NAN));
        add_key(g->depth, &g->rows, rw_json_number_or(rw_json_get(row, "depth"), NAN));
    }
}

static const rw_json *cell_of(const rw_json *measurement, const grid *g, double length,
                              double depth) {
    const rw_json *list = rw_json_get(measurement, "retrieval");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (is_of(row, g) && rw_json_number_or(rw_json_get(row, "length"), NAN) == length &&
            rw_json_number_or(rw_json_get(row, "depth"), NAN) == depth)
            return row;
    return NULL;
}

static bool rate_of(const rw_json *cell, const char *key, double *correct, double *trials) {
    *correct = rw_json_number_or(rw_json_get(cell, key), NAN);
    *trials = rw_json_number_or(rw_json_get(cell, "trials"), NAN);
    return *trials > 0.0 && *correct >= 0.0 && *correct <= *trials;
}

/* Six shades h0 (none) to h5 (all): the number is written in the cell as well. */
static void draw_cell(rw_buf *out, const rw_json *cell, double x, double y, double width) {
    double correct, trials;
    bool known = rate_of(cell, "correct", &correct, &trials);
    int shade = known ? (int)floor(5.0 * correct / trials + 1e-9) : 0;
    rw_buf_format(out,
                  "<rect class=\"cell %s%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
                  "rx=\"3\"/>\n",
                  known ? "h" : "none", shade, x, y, width - 3.0, ROW - 3);
    rw_buf_format(out, "<text class=\"in%s%d\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                  known ? "h" : "none", shade, x + (width - 3.0) / 2.0, y + ROW / 2.0 + 3.0);
    if (known)
        rw_buf_format(out, "%.0f/%.0f", correct, trials);
    else
        rw_buf_text(out, "–");
    rw_buf_text(out, "</text>\n");
}

static void draw_labels(rw_buf *out, const grid *g, double width) {
    char label[48];
    double bottom = TOP + (double)g->rows * ROW;
    for (size_t row = 0; row < g->rows; row++) {
        snprintf(label, sizeof label, "%.0f %%", 100.0 * g->depth[row]);
        rw_svg_text(out, "tick", LEFT - 8.0, TOP + (double)row * ROW + ROW / 2.0 + 3.0, "end",
                    label);
    }
    for (size_t column = 0; column < g->columns; column++) {
        snprintf(label, sizeof label, "%.0f", g->length[column]);
        rw_svg_text(out, "tick", LEFT + ((double)column + 0.5) * width - 1.5, bottom + 15.0,
                    "middle", label);
    }
    rw_svg_text(out, "axis", (LEFT + WIDTH) / 2.0, bottom + 34.0, "middle",
                "prompt length (tokens); rows: depth of the key");
}

static void draw_grid(rw_buf *out, const grid *g, const rw_json *measurement, const char *title) {
    double width = (double)(WIDTH - LEFT - 4) / (double)g->columns;
    char label[96];
    snprintf(label, sizeof label, "Grid: found again by length and depth, %s", title);
    rw_buf_format(out, "<figure><figcaption>%s</figcaption>\n", title);
    rw_svg_begin(out, WIDTH, TOP + (int)g->rows * ROW + 42, label);
    for (size_t row = 0; row < g->rows; row++)
        for (size_t column = 0; column < g->columns; column++)
            draw_cell(out, cell_of(measurement, g, g->length[column], g->depth[row]),
                      LEFT + (double)column * width, TOP + (double)row * ROW, width);
    draw_labels(out, g, width);
    rw_svg_end(out);
    rw_buf_text(out, "</figure>\n");
}

static void put_rate(rw_html_table *t, const rw_json *cell, const char *key, const char *ci) {
    const rw_json *interval = rw_json_get(cell, ci);
    double correct, trials;
    rw_table_cell(t);
    if (!rate_of(cell, key, &correct, &trials)) {
        rw_buf_text(t->out, "–");
        return;
    }
    rw_buf_format(t->out, "%.0f of %.0f", correct, trials);
    if (!interval || interval->count != 2)
        return;
    rw_buf_text(t->out, " <small>");
    rw_html_number(t->out, interval->first, 2);
    rw_buf_text(t->out, " to ");
    rw_html_number(t->out, interval->first->next, 2);
    rw_buf_text(t->out, "</small>");
}

static void put_table(rw_buf *out, const grid *g, const rw_json *before, const rw_json *after) {
    static const char *const headings[] = {"length", "depth",           "before",
                                           "after",  "before, written", "after, written"};
    rw_html_table t;
    rw_buf_text(out, "<details><summary>The numbers behind the pictures, with 95 % intervals, and "
                     "how often the answer was really written</summary>\n");
    rw_table_begin(&t, out, headings, 6, 1);
    for (size_t column = 0; column < g->columns; column++)
        for (size_t row = 0; row < g->rows; row++) {
            const rw_json *old = cell_of(before, g, g->length[column], g->depth[row]);
            const rw_json *new = cell_of(after, g, g->length[column], g->depth[row]);
            rw_table_row(&t);
            rw_table_cell(&t);
            rw_html_count(out, g->length[column]);
            rw_table_cell(&t);
            rw_buf_format(out, "%.0f %%", 100.0 * g->depth[row]);
            put_rate(&t, old, "correct", "ci95");
            put_rate(&t, new, "correct", "ci95");
            put_rate(&t, old, "generated_correct", "generated_ci95");
            put_rate(&t, new, "generated_correct", "generated_ci95");
        }
    rw_table_end(&t);
    rw_buf_text(out, "</details>\n");
}

static void put_task(rw_buf *out, const rw_json *task, const rw_json *before,
                     const rw_json *after) {
    grid g = {.task = rw_json_string_or(rw_json_get(task, "task"), ""),
              .wording = rw_json_string_or(rw_json_get(task, "wording"), "")};
    collect(&g, before);
    collect(&g, after);
    if (g.columns == 0 || g.rows == 0)
        return;
    rw_buf_text(out, "<h3>");
    rw_html_str(out, g.task);
    if (g.wording.size) {
        rw_buf_text(out, " <small>wording ");
        rw_html_str(out, g.wording);
        rw_buf_text(out, "</small>");
    }
    rw_buf_text(out, "</h3>\n<div class=\"pair\">");
    draw_grid(out, &g, before, "Before");
    draw_grid(out, &g, after, "After");
    rw_buf_text(out, "</div>\n");
    put_table(out, &g, before, after);
}

static bool same_task(const rw_json *a, const rw_json *b) {
    const grid g = {.task = rw_json_string_or(rw_json_get(a, "task"), ""),
                    .wording = rw_json_string_or(rw_json_get(a, "wording"), "")};
    return is_of(b, &g);
}

static size_t find_tasks(const rw_json *measurement, const rw_json *tasks[MAX_TASKS],
                         size_t count) {
    const rw_json *list = rw_json_get(measurement, "retrieval");
    for (const rw_json *row = list ? list->first : NULL; row && count < MAX_TASKS;
         row = row->next) {
        size_t i = 0;
        while (i < count && !same_task(tasks[i], row))
            i++;
        if (i == count)
            tasks[count++] = row;
    }
    return count;
}

void rw_report_retrieval(rw_buf *out, const rw_json *facts) {
    const rw_json *before = rw_json_get(facts, "before"), *after = rw_json_get(facts, "after");
    const rw_json *tasks[MAX_TASKS];
    size_t count = find_tasks(before, tasks, 0);
    count = find_tasks(after, tasks, count);
    if (count == 0)
        return;
    rw_buf_text(out, "<section>\n<h2>Retrieval by depth</h2>\n<p>Is a fact found again, wherever it"
                     " stood in the prompt? Each cell: answers right of answers asked, with the"
                     " true tokens before each token of the answer. Depth 0 % is the beginning of"
                     " the prompt.</p>\n");
    for (size_t i = 0; i < count; i++)
        put_task(out, tasks[i], before, after);
    rw_buf_text(out, "</section>\n");
}
