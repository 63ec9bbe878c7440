/*
 * internal.h - what the files of the report share: text that is safe in HTML, axes, sections.
 *
 * The page is written as well-formed XML, so that a plain XML parser can check it, and without a
 * script or any address to load from.
 */
#ifndef RW_REPORT_INTERNAL_H
#define RW_REPORT_INTERNAL_H

#include "report/report.h"

/* ---- html.c ---------------------------------------------------------------------------------- */

/* Text from outside: markup characters escaped, control characters dropped. */
void rw_html_str(rw_buf *out, rw_str text);
void rw_html_text(rw_buf *out, const char *text);

/* "<tag class="...">escaped text</tag>"; cls may be NULL. */
void rw_html_element(rw_buf *out, const char *tag, const char *cls, rw_str text);

/* Number text: "%.*f" without trailing noise, "-" for null, NaN or a missing node. */
void rw_html_number(rw_buf *out, const rw_json *node, int decimals);
/* 32768 -> "32 768" with thin spaces. */
void rw_html_count(rw_buf *out, double value);

/* <table><thead>: begin with headings, then rows of cells, then end. `numeric` columns from index
   `first_numeric` on are aligned right. */
typedef struct rw_html_table {
    rw_buf *out;
    size_t first_numeric, column;
} rw_html_table;
void rw_table_begin(rw_html_table *t, rw_buf *out, const char *const *headings, size_t count,
                    size_t first_numeric);
void rw_table_row(rw_html_table *t);
void rw_table_cell(rw_html_table *t); /* opens the next cell; content goes to `out` */
void rw_table_end(rw_html_table *t);

/* ---- svg.c ----------------------------------------------------------------------------------- */

/* From a value to a pixel; logarithmic when `log`. */
typedef struct rw_axis {
    double low, high; /* values, low < high, > 0 when log */
    double from, to;  /* pixels */
    bool log;
} rw_axis;

double rw_axis_at(const rw_axis *axis, double value);

/* A drawing of fixed inner size that scales with the page. `label` is its text for readers who
   can't see it. */
void rw_svg_begin(rw_buf *out, int width, int height, const char *label);
void rw_svg_end(rw_buf *out);
void rw_svg_line(rw_buf *out, const char *cls, double x1, double y1, double x2, double y2);
/* anchor: "start", "middle", "end" */
void rw_svg_text(rw_buf *out, const char *cls, double x, double y, const char *anchor,
                 const char *text);
/* Horizontal grid lines with labels left of the axis, vertical ones with labels below. */
void rw_svg_grid_y(rw_buf *out, const rw_axis *y, const rw_axis *x);
void rw_svg_grid_x(rw_buf *out, const rw_axis *x, const rw_axis *y);

/* ---- sections: each writes nothing but its own part, and nothing when the facts lack it ------ */

void rw_report_style(rw_buf *out);
void rw_report_summary(rw_buf *out, const rw_json *facts);
void rw_report_gate(rw_buf *out, const rw_json *facts);
void rw_report_perplexity(rw_buf *out, const rw_json *facts);
void rw_report_gain(rw_buf *out, const rw_json *facts);
void rw_report_retrieval(rw_buf *out, const rw_json *facts);
void rw_report_pack(rw_buf *out, const rw_json *facts);
void rw_report_bands(rw_buf *out, const rw_json *facts);
void rw_report_memory(rw_buf *out, const rw_json *facts);
void rw_report_runtimes(rw_buf *out, const rw_json *facts);
void rw_report_warnings(rw_buf *out, const rw_json *facts);
void rw_report_files(rw_buf *out, const rw_json *facts);

#endif
