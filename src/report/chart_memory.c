/*
 * chart_memory.c - memory by context: stacked bars of what our engine takes, and the largest window
 * that fits on each device.
 */
#include <math.h>
#include <stdio.h>

#include "report/internal.h"

enum { WIDTH = 480, ROW = 34, LEFT = 62, RIGHT = 92 };

/* Weights may be pages of the file instead of memory of ours: it takes both to run. */
static const struct {
    const char *key, *more, *name, *cls;
} parts[] = {{"weights", "mapped", "weights", "kept"},
             {"kv", NULL, "keys and values", "stretched"},
             {"activations", "program", "activations and program", "blended"}};
enum { PARTS = sizeof parts / sizeof *parts };

static double part_of(const rw_json *row, size_t i) {
    double bytes = rw_json_number_or(rw_json_get(row, parts[i].key), 0.0);
    if (parts[i].more)
        bytes += rw_json_number_or(rw_json_get(row, parts[i].more), 0.0);
    return bytes > 0.0 ? bytes : 0.0;
}

static double total_of(const rw_json *row) {
    double total = 0.0;
    for (size_t i = 0; i < PARTS; i++)
        total += part_of(row, i);
    return total;
}

/* "1.5 GiB" */
static void size_text(char out[32], double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t i = 0;
    if (!isfinite(bytes)) {
        snprintf(out, 32, "–");
        return;
    }
    for (; bytes >= 1024.0 && i < 5; i++)
        bytes /= 1024.0;
    snprintf(out, 32, bytes < 100.0 && i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

static void put_size(rw_buf *out, double bytes) {
    char text[32];
    size_text(text, bytes);
    rw_html_text(out, text);
}

static void draw_bar(rw_buf *out, const rw_json *row, double top, double most) {
    char label[32];
    double x = LEFT, context = rw_json_number_or(rw_json_get(row, "context"), 0.0);
    snprintf(label, sizeof label, context >= 8192.0 ? "%.0fk" : "%.0f",
             context >= 8192.0 ? context / 1024.0 : context);
    rw_svg_text(out, "tick", LEFT - 8.0, top + 17.0, "end", label);
    for (size_t i = 0; i < PARTS; i++) {
        double width = part_of(row, i) / most * (WIDTH - LEFT - RIGHT);
        rw_buf_format(out,
                      "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"22\">"
                      "<title>%s</title></rect>\n",
                      parts[i].cls, x, top, width, parts[i].name);
        x += width;
    }
    size_text(label, total_of(row));
    rw_svg_text(out, "mark", x + 6.0, top + 17.0, "start", label);
}

static void draw_chart(rw_buf *out, const rw_json *rows) {
    double most = 0.0, top = 4.0;
    for (const rw_json *row = rows->first; row; row = row->next)
        most = fmax(most, total_of(row));
    if (!(most > 0.0))
        return;
    rw_svg_begin(out, WIDTH, (int)rows->count * ROW + 8,
                 "Bars: memory by context, weights, keys and values, activations");
    for (const rw_json *row = rows->first; row; row = row->next) {
        draw_bar(out, row, top, most);
        top += ROW;
    }
    rw_svg_end(out);
    rw_buf_text(out, "<ul class=\"kinds legend\">");
    for (size_t i = 0; i < PARTS; i++)
        rw_buf_format(out, "<li><span class=\"swatch box %s\"></span>%s</li>", parts[i].cls,
                      parts[i].name);
    rw_buf_text(out, "</ul>\n");
}

static void put_table(rw_buf *out, const rw_json *rows) {
    static const char *const headings[] = {"context", "weights", "cache", "the rest", "all"};
    rw_html_table t;
    rw_table_begin(&t, out, headings, 5, 1);
    for (const rw_json *row = rows->first; row; row = row->next) {
        rw_table_row(&t);
        rw_table_cell(&t);
        rw_html_count(out, rw_json_number_or(rw_json_get(row, "context"), NAN));
        for (size_t i = 0; i < PARTS; i++) {
            rw_table_cell(&t);
            put_size(out, part_of(row, i));
        }
        rw_table_cell(&t);
        put_size(out, total_of(row));
    }
    rw_table_end(&t);
}

/* ---- devices --------------------------------------------------------------------------------- */

static void put_device(rw_buf *out, rw_html_table *t, const rw_json *device) {
    rw_table_row(t);
    rw_table_cell(t);
    rw_html_str(out, rw_json_string_or(rw_json_get(device, "device"), ""));
    rw_table_cell(t);
    rw_html_str(out, rw_json_string_or(rw_json_get(device, "weights"), ""));
    rw_buf_text(out, ", ");
    rw_html_str(out, rw_json_string_or(rw_json_get(device, "kv"), ""));
    rw_table_cell(t);
    put_size(out, rw_json_number_or(rw_json_get(device, "weight_bytes"), NAN));
    rw_table_cell(t);
    put_size(out, rw_json_number_or(rw_json_get(device, "kv_bytes"), NAN));
    rw_table_cell(t);
    rw_html_count(out, rw_json_number_or(rw_json_get(device, "largest_context"), NAN));
}

static void put_devices(rw_buf *out, const rw_json *devices) {
    static const char *const headings[] = {"device", "types: weights, cache", "weights",
                                           "cache at the new window", "largest window"};
    rw_html_table t;
    if (!devices || devices->count == 0)
        return;
    rw_buf_text(out, "<details><summary>What fits where, in other runtimes' types</summary>\n");
    rw_table_begin(&t, out, headings, 5, 2);
    for (const rw_json *device = devices->first; device; device = device->next)
        put_device(out, &t, device);
    rw_table_end(&t);
    rw_buf_text(out, "</details>\n");
}

void rw_report_memory(rw_buf *out, const rw_json *facts) {
    const rw_json *rows = rw_json_get(facts, "memory_by_context");
    const rw_json *devices = rw_json_path(facts, "plan.memory.devices");
    bool ours = rows && rows->type == RW_JSON_ARRAY && rows->count > 0;
    if (!ours && (!devices || devices->count == 0))
        return;
    rw_buf_text(out, "<section>\n<h2>Memory by context</h2>\n");
    if (ours) {
        rw_buf_text(out, "<p>What one run of our engine takes; keys and values grow with the "
                         "text.</p>\n<div class=\"pair\"><figure>\n");
        draw_chart(out, rows);
        rw_buf_text(out, "</figure><div>\n");
        put_table(out, rows);
        rw_buf_text(out, "</div></div>\n");
    }
    put_devices(out, devices);
    rw_buf_text(out, "</section>\n");
}
