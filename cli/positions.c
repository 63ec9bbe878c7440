/*
 * positions.c - perplexity by position: the numbers, and beside each a row of a plot.
 */
#include <math.h>
#include <string.h>

#include "cli.h"

enum { PLOT = 32 };

/* Both series on one logarithmic axis. */
typedef struct plot {
    double low, high;
    const rw_json *before, *after; /* rows of the longest length; before may be NULL */
} plot;

static const rw_json *longest(const rw_json *measurement) {
    const rw_json *list = rw_json_get(measurement, "perplexity"), *best = NULL;
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next) {
        const rw_json *buckets = rw_json_get(row, "by_position");
        if (buckets && buckets->count > 1 &&
            (!best || rw_json_number_or(rw_json_get(row, "length"), 0) >
                          rw_json_number_or(rw_json_get(best, "length"), 0)))
            best = row;
    }
    return best;
}

static const rw_json *bucket_at(const rw_json *row, double from) {
    const rw_json *list = rw_json_get(row, "by_position");
    for (const rw_json *bucket = list ? list->first : NULL; bucket; bucket = bucket->next)
        if (rw_json_number_or(rw_json_get(bucket, "from"), -1) == from)
            return bucket;
    return NULL;
}

static double perplexity(const rw_json *bucket) {
    return exp(rw_json_number_or(rw_json_get(bucket, "nll"), NAN));
}

static void widen(plot *p, const rw_json *row) {
    const rw_json *list = rw_json_get(row, "by_position");
    for (const rw_json *bucket = list ? list->first : NULL; bucket; bucket = bucket->next) {
        p->low = fmin(p->low, perplexity(bucket));
        p->high = fmax(p->high, perplexity(bucket));
    }
}

static void put_mark(char line[PLOT + 1], const plot *p, double value, char mark) {
    double part = p->high > p->low ? log(value / p->low) / log(p->high / p->low) : 0;
    if (!(part >= 0 && part <= 1))
        return;
    char *at = &line[(size_t)(part * (PLOT - 1) + 0.5)];
    *at = *at == ' ' ? mark : '*';
}

static void value_cell(cli_table *table, double value) {
    if (isfinite(value))
        cli_table_cell(table, "%.2f", value);
    else
        cli_table_cell(table, "-");
}

static void show_bucket(cli_table *table, const plot *p, const rw_json *bucket, double native) {
    char line[PLOT + 1];
    double from = rw_json_number_or(rw_json_get(bucket, "from"), 0), after = perplexity(bucket);
    memset(line, ' ', PLOT);
    line[PLOT] = '\0';
    cli_table_cell(table, "%.0f..%s%s", from, cli_number(rw_json_get(bucket, "to"), "%.0f"),
                   native > 0 && from >= native ? " >" : "");
    if (p->before) {
        double before = perplexity(bucket_at(p->before, from));
        value_cell(table, before);
        put_mark(line, p, before, 'o');
    }
    value_cell(table, after);
    put_mark(line, p, after, 'x');
    for (size_t end = PLOT; end && line[end - 1] == ' '; end--)
        line[end - 1] = '\0';
    cli_table_cell(table, "%s", line);
}

void cli_show_positions(cli *c, const rw_json *before, const rw_json *after) {
    plot p = {INFINITY, 0, longest(before), longest(after)};
    const rw_json *list = rw_json_get(p.after, "by_position");
    double native = rw_json_number_or(rw_json_get(after, "native"), 0);
    char axis[64];
    cli_table table;
    if (!list)
        return;
    widen(&p, p.before);
    widen(&p, p.after);
    snprintf(axis, sizeof axis, "%-12.4g%*.4g", p.low, PLOT - 12, p.high);
    const char *const both[] = {"positions", "before o", "after x", axis};
    const char *const one[] = {"positions", "perplexity", axis};
    cli_heading(c, "Perplexity by position (> beyond the native window of %.0f)", native);
    cli_table_begin(&table, p.before ? both : one, p.before ? 4 : 3);
    for (const rw_json *bucket = list->first; bucket; bucket = bucket->next)
        show_bucket(&table, &p, bucket, native);
    cli_table_print(c, &table);
}
