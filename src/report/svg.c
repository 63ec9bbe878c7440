/*
 * svg.c - axes and marks. Colours are classes of the page's style sheet, so that a picture follows
 * light, dark and print.
 */
#include <math.h>
#include <stdio.h>

#include "report/internal.h"

double rw_axis_at(const rw_axis *axis, double value) {
    double low = axis->low, high = axis->high;
    if (axis->log) {
        low = log(low);
        high = log(high);
        value = log(value);
    }
    double part = (value - low) / (high - low);
    part = part < 0.0 ? 0.0 : part > 1.0 ? 1.0 : part;
    return axis->from + part * (axis->to - axis->from);
}

void rw_svg_begin(rw_buf *out, int width, int height, const char *label) {
    rw_buf_format(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", width, height);
    rw_html_text(out, label);
    rw_buf_text(out, "\">\n");
}

void rw_svg_end(rw_buf *out) {
    rw_buf_text(out, "</svg>\n");
}

void rw_svg_line(rw_buf *out, const char *cls, double x1, double y1, double x2, double y2) {
    rw_buf_format(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                  cls, x1, y1, x2, y2);
}

void rw_svg_text(rw_buf *out, const char *cls, double x, double y, const char *anchor,
                 const char *text) {
    rw_buf_format(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", cls, x, y,
                  anchor);
    rw_html_text(out, text);
    rw_buf_text(out, "</text>\n");
}

/* "512", "2048", "32k", "1M"; from 8k on only whole k, so that ticks stay short. */
static void tick_label(char out[32], double value) {
    if (value >= 1048576.0 && fmod(value, 1048576.0) == 0.0)
        snprintf(out, 32, "%.0fM", value / 1048576.0);
    else if (value >= 8192.0 && fmod(value, 1024.0) == 0.0)
        snprintf(out, 32, "%.0fk", value / 1024.0);
    else if (value >= 1e6) {
        int power = (int)floor(log10(value) + 1e-9);
        snprintf(out, 32, "%.0fe%d", value / pow(10.0, power), power);
    } else
        rw_format_double(out, value, false);
}

/* 1, 2, 5 times powers of ten; only the powers when there are many decades. */
void rw_svg_grid_y(rw_buf *out, const rw_axis *y, const rw_axis *x) {
    static const double steps[] = {1.0, 2.0, 5.0};
    double decades = log10(y->high / y->low);
    size_t count = decades > 3.0 ? 1 : 3;
    int stride = decades > 8.0 ? 2 : 1;
    for (int power = (int)floor(log10(y->low)); power <= (int)ceil(log10(y->high));
         power += stride) {
        for (size_t i = 0; i < count; i++) {
            char label[32];
            double value = steps[i] * pow(10.0, power);
            if (value < y->low * 0.999 || value > y->high * 1.001)
                continue;
            double at = rw_axis_at(y, value);
            tick_label(label, value);
            rw_svg_line(out, "grid", x->from, at, x->to, at);
            rw_svg_text(out, "tick", x->from - 6.0, at + 4.0, "end", label);
        }
    }
}

/* Powers of two, thinned to seven or fewer. */
void rw_svg_grid_x(rw_buf *out, const rw_axis *x, const rw_axis *y) {
    int first = (int)ceil(log2(x->low) - 1e-9), last = (int)floor(log2(x->high) + 1e-9);
    int stride = 1 + (last - first) / 7;
    for (int power = last; power >= first; power -= stride) {
        char label[32];
        double value = exp2(power), at = rw_axis_at(x, value);
        tick_label(label, value);
        rw_svg_line(out, "grid", at, y->from, at, y->to);
        rw_svg_text(out, "tick", at, y->from + 18.0, "middle", label);
    }
}
