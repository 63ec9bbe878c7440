/*
 * rotation.c - pictures of a rotation.
 */
#include "rotation.h"

#include <math.h>
#include <string.h>

enum { ROWS_MAX = 16, BAR_MAX = 60, BAR_MIN = 10, LABEL = 24, PAIRS_MAX = 512 };

/* ---- in words -------------------------------------------------------------------------------- */

void cli_show_rotation(cli *c, const char *name, const rw_json *group) {
    double factor = rw_json_number_or(rw_json_get(group, "factor"), 1);
    double logit = rw_json_number_or(rw_json_get(group, "logit_scale"), 1);
    cli_field(c, name, "%s, theta %s", cli_text(rw_json_get(group, "method"), "?"),
              cli_number(rw_json_get(group, "theta"), "%.10g"));
    cli_field(c, "  at", "%s", cli_text(rw_json_get(group, "path"), "?"));
    cli_field(c, "  dims", "%s of %s rotate, %s pairs",
              cli_number(rw_json_get(group, "rotary_dim"), "%.0f"),
              cli_number(rw_json_get(group, "head_dim"), "%.0f"),
              cli_text(rw_json_get(group, "pairing"), "?"));
    if (factor != 1)
        cli_field(c, "  factor", "%.6g over %s tokens", factor,
                  cli_number(rw_json_get(group, "original_context"), "%.0f"));
    if (!rw_json_is_null(rw_json_get(group, "ramp_low")))
        cli_field(c, "  ramp", "pairs %s to %s", cli_number(rw_json_get(group, "ramp_low"), "%.4g"),
                  cli_number(rw_json_get(group, "ramp_high"), "%.4g"));
    cli_field(c, "  attention", "%s", cli_number(rw_json_get(group, "attention_factor"), "%.9g"));
    if (logit != 1)
        cli_field(c, "  logit scale", "%.9g", logit);
}

void cli_show_rotations(cli *c, const rw_json *groups) {
    for (const rw_json *n = groups ? groups->first : NULL; n; n = n->next)
        cli_show_rotation(c, cli_text(rw_json_get(n, "layers"), "?"), n);
}

/* ---- the picture ----------------------------------------------------------------------------- */

typedef struct picture {
    unsigned bar;
    double longest, native, context;
} picture;

static unsigned column_of(const picture *p, double tokens) {
    double part = log(tokens) / log(p->longest);
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return (unsigned)(part * (p->bar - 1));
}

/* '=' grows with the wavelength; '|' marks the native window, ':' the target. */
static void show_row(cli *c, const picture *p, double wavelength, double ramp) {
    char line[BAR_MAX + 1];
    unsigned end = column_of(p, wavelength);
    for (unsigned i = 0; i < p->bar; i++)
        line[i] = i > end ? ' ' : ramp >= 1 ? '#' : ramp > 0 ? '+' : '-';
    if (p->native > 1)
        line[column_of(p, p->native)] = '|';
    if (p->context > p->native)
        line[column_of(p, p->context)] = ':';
    line[p->bar] = 0;
    cli_print(c, "%s\n", line);
}

static unsigned bar_width(const cli *c) {
    if (!c->width || c->width >= LABEL + BAR_MAX)
        return BAR_MAX;
    return c->width > LABEL + BAR_MIN ? c->width - LABEL : BAR_MIN;
}

static void show_picture(cli *c, const double *wavelengths, const double *ramps, size_t pairs,
                         double native, double context) {
    picture p = {.bar = bar_width(c), .native = native, .context = context};
    p.longest = context > native ? context : native;
    for (size_t k = 0; k < pairs; k++)
        if (isfinite(wavelengths[k]) && wavelengths[k] > p.longest)
            p.longest = wavelengths[k];
    if (!pairs || !(p.longest > 1))
        return;
    size_t rows = pairs < ROWS_MAX ? pairs : ROWS_MAX;
    for (size_t row = 0; row < rows; row++) {
        size_t k = rows > 1 ? row * (pairs - 1) / (rows - 1) : 0;
        cli_print(c, "  pair %-4zu %10.4g  ", k, wavelengths[k]);
        show_row(c, &p, wavelengths[k], ramps[k]);
    }
    cli_paragraph(c, 2, "tokens per turn, logarithmic; | native window%s",
                  context > native ? ", : target; - untouched, + on the ramp, # interpolated" : "");
}

void cli_show_bands(cli *c, const rw_json *bands, double native, double context) {
    double wavelengths[PAIRS_MAX], ramps[PAIRS_MAX];
    size_t pairs = 0;
    for (const rw_json *n = bands ? bands->first : NULL; n && pairs < PAIRS_MAX; n = n->next) {
        wavelengths[pairs] = rw_json_number_or(rw_json_get(n, "wavelength"), 1);
        ramps[pairs++] = rw_json_number_or(rw_json_get(n, "ramp"), 0);
    }
    show_picture(c, wavelengths, ramps, pairs, native, context);
}

void cli_show_wavelengths(cli *c, const rw_json *group, double native, double context) {
    double wavelengths[PAIRS_MAX], ramps[PAIRS_MAX] = {0};
    size_t pairs = 0;
    const rw_json *list = rw_json_get(group, "inv_freq");
    for (const rw_json *n = list ? list->first : NULL; n && pairs < PAIRS_MAX; n = n->next) {
        double w = rw_json_number_or(n, 0);
        wavelengths[pairs++] = w > 0 ? 2 * acos(-1.0) / w : INFINITY;
    }
    show_picture(c, wavelengths, ramps, pairs, native, context);
}
