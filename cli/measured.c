/*
 * measured.c - measurements and verdicts as tables: of one measurement, or of two side by side.
 */
#include <math.h>
#include <string.h>

#include "cli.h"
#include "measure/statistics.h"

static const rw_json *perplexity_at(const rw_json *measurement, double length) {
    const rw_json *list = rw_json_get(measurement, "perplexity");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (rw_json_number_or(rw_json_get(row, "length"), -1.0) == length)
            return row;
    return NULL;
}

static void interval_cells(cli_table *table, const rw_json *row) {
    const rw_json *interval = rw_json_get(row, "ci95");
    cli_table_cell(table, "%s", cli_number(rw_json_get(row, "ppl"), "%.2f"));
    if (interval && interval->type == RW_JSON_ARRAY && interval->count == 2)
        cli_table_cell(table, "%s .. %s", cli_number(interval->first, "%.2f"),
                       cli_number(interval->first->next, "%.2f"));
    else
        cli_table_cell(table, "-");
}

void cli_show_perplexity(cli *c, const rw_json *before, const rw_json *after) {
    static const char *const both[] = {"length", "before", "95 %", "after", "95 %"};
    static const char *const one[] = {"length", "perplexity", "95 %", "documents", "tokens"};
    const rw_json *list = rw_json_get(after, "perplexity");
    cli_table table;
    if (!list || list->count == 0)
        return;
    cli_heading(c, "Perplexity by length (%s)", cli_text(rw_json_get(after, "protocol"), "?"));
    cli_table_begin(&table, before ? both : one, 5);
    for (const rw_json *row = list->first; row; row = row->next) {
        const rw_json *length = rw_json_get(row, "length");
        cli_table_cell(&table, "%s", cli_number(length, "%.0f"));
        if (before)
            interval_cells(&table, perplexity_at(before, rw_json_number_or(length, -1.0)));
        interval_cells(&table, row);
        if (before)
            continue;
        cli_table_cell(&table, "%s", cli_number(rw_json_get(row, "documents"), "%.0f"));
        cli_table_cell(&table, "%s", cli_number(rw_json_get(row, "tokens"), "%.0f"));
    }
    cli_table_print(c, &table);
}

/* A task under one wording: results of another are another table. */
static bool is_of(const rw_json *row, const rw_json *task) {
    return rw_str_equal(rw_json_string_or(rw_json_get(row, "task"), ""),
                        rw_json_string_or(rw_json_get(task, "task"), "")) &&
           rw_str_equal(rw_json_string_or(rw_json_get(row, "wording"), ""),
                        rw_json_string_or(rw_json_get(task, "wording"), ""));
}

/* Distinct values of `key` in the measurement's trials of `task`, in the order found. */
static size_t distinct(const rw_json *list, const rw_json *task, const char *key, double *out,
                       size_t most) {
    size_t count = 0;
    for (const rw_json *row = list->first; row; row = row->next) {
        double value = rw_json_number_or(rw_json_get(row, key), NAN);
        size_t i = 0;
        while (i < count && out[i] != value)
            i++;
        if (is_of(row, task) && i == count && count < most && isfinite(value))
            out[count++] = value;
    }
    return count;
}

static bool has(const rw_json *row, const char *key, double value) {
    return rw_json_number_or(rw_json_get(row, key), NAN) == value;
}

static void rate_cell(cli_table *table, const rw_json *measurement, const rw_json *task,
                      double length, double depth) {
    const rw_json *list = rw_json_get(measurement, "retrieval");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (is_of(row, task) && has(row, "length", length) && has(row, "depth", depth)) {
            cli_table_cell(table, "%s/%s", cli_number(rw_json_get(row, "correct"), "%.0f"),
                           cli_number(rw_json_get(row, "trials"), "%.0f"));
            return;
        }
    cli_table_cell(table, "-");
}

/* All depths together, with the interval: of the answers that were forced, or generated. */
static void pooled_cells(cli_table *table, const rw_json *measurement, const rw_json *task,
                         double length, const char *key) {
    const rw_json *list = rw_json_get(measurement, "retrieval");
    uint64_t trials = 0, right = 0;
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (is_of(row, task) && has(row, "length", length)) {
            trials += rw_json_u64_or(rw_json_get(row, "trials"), 0);
            right += rw_json_u64_or(rw_json_get(row, key), 0);
        }
    rw_interval interval = rw_wilson(right, trials);
    cli_table_cell(table, "%llu/%llu", (unsigned long long)right, (unsigned long long)trials);
    if (interval.defined)
        cli_table_cell(table, "%.2f .. %.2f", interval.low, interval.high);
    else
        cli_table_cell(table, "-");
}

enum { LENGTHS = 32, POOLED = 4, DEPTHS = CLI_TABLE_COLUMNS - 2 - POOLED };

static void task_headings(const double *depths, size_t columns, size_t first,
                          char texts[DEPTHS][24], const char *out[CLI_TABLE_COLUMNS]) {
    static const char *const pooled[POOLED] = {"all", "95 %", "generated", "95 %"};
    out[0] = "length";
    out[1] = "depth";
    for (size_t i = 0; i < columns; i++) {
        snprintf(texts[i], sizeof texts[i], "%g %%", 100.0 * depths[i]);
        out[i + first] = texts[i];
    }
    for (size_t i = 0; i < POOLED; i++)
        out[first + columns + i] = pooled[i];
}

/* One task: a row per length, before and after; a column per depth. */
static void show_task(cli *c, const rw_json *before, const rw_json *after, const rw_json *task) {
    const rw_json *list = rw_json_get(after, "retrieval"), *sides[] = {before, after};
    double lengths[LENGTHS], depths[DEPTHS];
    size_t rows = distinct(list, task, "length", lengths, LENGTHS);
    size_t columns = distinct(list, task, "depth", depths, DEPTHS);
    char texts[DEPTHS][24];
    const char *headings[CLI_TABLE_COLUMNS];
    size_t first = before ? 2 : 1; /* column of the first depth */
    cli_table table;
    task_headings(depths, columns, first, texts, headings);
    cli_heading(c, "Found again by length and depth (%s, wording %s)",
                cli_text(rw_json_get(task, "task"), "?"),
                cli_text(rw_json_get(task, "wording"), "?"));
    cli_table_begin(&table, headings, columns + first + POOLED);
    for (size_t row = 0; row < 2 * rows; row++) {
        const rw_json *side = sides[row % 2];
        double length = lengths[row / 2];
        if (!side)
            continue;
        cli_table_cell(&table, "%.0f", length);
        if (before)
            cli_table_cell(&table, "%s", row % 2 ? "after" : "before");
        for (size_t i = 0; i < columns; i++)
            rate_cell(&table, side, task, length, depths[i]);
        pooled_cells(&table, side, task, length, "correct");
        pooled_cells(&table, side, task, length, "generated_correct");
    }
    cli_table_print(c, &table);
}

static bool seen_before(const rw_json *list, const rw_json *node) {
    for (const rw_json *row = list->first; row != node; row = row->next)
        if (is_of(row, node))
            return true;
    return false;
}

void cli_show_retrieval(cli *c, const rw_json *before, const rw_json *after) {
    const rw_json *list = rw_json_get(after, "retrieval");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (!seen_before(list, row))
            show_task(c, before, after, row);
}

/* ---- the pack -------------------------------------------------------------------------------- */

static void pack_cells(cli_table *table, const rw_json *bin) {
    const rw_json *interval = rw_json_get(bin, "ci95");
    cli_table_cell(table, "%s/%s", cli_number(rw_json_get(bin, "right"), "%.0f"),
                   cli_number(rw_json_get(bin, "items"), "%.0f"));
    if (interval && interval->count == 2)
        cli_table_cell(table, "%s .. %s", cli_number(interval->first, "%.2f"),
                       cli_number(interval->first->next, "%.2f"));
    else
        cli_table_cell(table, "-");
}

static void show_evidence(cli *c, const rw_json *evidence) {
    const rw_json *interval = rw_json_get(evidence, "ci95");
    if (!rw_json_u64_or(rw_json_get(evidence, "items"), 0))
        return;
    cli_print(c, "  without its evidence the answer costs %s nats a token more (%s items",
              cli_number(rw_json_get(evidence, "gain"), "%.3f"),
              cli_number(rw_json_get(evidence, "items"), "%.0f"));
    if (interval && interval->count == 2)
        cli_print(c, ", 95 %%: %s .. %s", cli_number(interval->first, "%.3f"),
                  cli_number(interval->first->next, "%.3f"));
    cli_print(c, ")\n");
}

void cli_show_pack(cli *c, const rw_json *before, const rw_json *after) {
    static const char *const both[] = {"tokens", "before",      "95 %",  "after",
                                       "95 %",   "closed book", "unread"};
    static const char *const one[] = {"tokens", "right", "95 %", "closed book", "unread"};
    const rw_json *pack = rw_json_get(after, "pack"), *bins = rw_json_get(pack, "bins");
    const rw_json *old = rw_json_path(before, "pack.bins");
    cli_table table;
    if (!bins || !bins->count)
        return;
    const rw_json *other = old ? old->first : NULL;
    cli_heading(c, "Pack %s: right answers by length", cli_text(rw_json_get(pack, "name"), "?"));
    cli_table_begin(&table, old ? both : one, old ? 7 : 5);
    for (const rw_json *bin = bins->first; bin; bin = bin->next) {
        cli_table_cell(&table, "%s..%s", cli_number(rw_json_get(bin, "from"), "%.0f"),
                       cli_number(rw_json_get(bin, "to"), "%.0f"));
        if (old)
            pack_cells(&table, other);
        pack_cells(&table, bin);
        cli_table_cell(&table, "%s", cli_number(rw_json_get(bin, "closed_book"), "%.0f"));
        cli_table_cell(&table, "%s", cli_number(rw_json_get(bin, "unread"), "%.0f"));
        other = other ? other->next : NULL;
    }
    cli_table_print(c, &table);
    show_evidence(c, rw_json_get(pack, "evidence"));
    if (rw_json_u64_or(rw_json_get(pack, "too_long"), 0))
        cli_paragraph(c, 2, "%s items are longer than the window: undefined",
                      cli_number(rw_json_get(pack, "too_long"), "%.0f"));
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static void show_dimension(cli *c, const rw_json *dimension) {
    const char *status = cli_text(rw_json_get(dimension, "status"), "undefined");
    cli_style style = strcmp(status, "pass") == 0   ? CLI_GOOD
                      : strcmp(status, "fail") == 0 ? CLI_BAD
                                                    : CLI_WARN;
    rw_str reason = rw_json_string_or(rw_json_get(dimension, "reason"), "");
    cli_print(c, "  %.*s ", (int)dimension->key.size, dimension->key.data);
    cli_styled(c, style, "%-9s", status);
    cli_print(c, " %s%s", cli_text(rw_json_get(dimension, "name"), ""),
              strcmp(status, "undefined") != 0 &&
                      rw_json_bool_or(rw_json_get(dimension, "provisional"), false)
                  ? " (provisional)"
                  : "");
    if (!rw_json_is_null(rw_json_get(dimension, "value")))
        cli_print(c, ": %s %s", cli_number(rw_json_get(dimension, "value"), "%.3g"),
                  cli_text(rw_json_get(dimension, "unit"), ""));
    cli_print(c, "\n");
    cli_paragraph(c, 5, "%.*s", (int)reason.size, reason.data);
}

/* What the asker relaxed stands beside the verdict. */
static void show_names(cli *c, const char *what, const rw_json *list, const char *key) {
    if (!list || !list->count)
        return;
    cli_print(c, "  %s:", what);
    for (const rw_json *item = list->first; item; item = item->next)
        cli_print(c, " %s", cli_text(key ? rw_json_get(item, key) : item, "?"));
    cli_print(c, "\n");
}

void cli_show_gate(cli *c, const rw_json *gate) {
    const char *result = cli_text(rw_json_get(gate, "result"), "none");
    const rw_json *dims = rw_json_get(gate, "dims");
    bool pass = strcmp(result, "pass") == 0;
    cli_heading(c, "Verdict");
    if (rw_json_is_null(gate)) {
        cli_print(c, "  Not measured, so there is none.\n");
        return;
    }
    cli_print(c, "  ");
    cli_styled(c, pass ? CLI_GOOD : CLI_BAD, "%s", pass ? "yes" : "no");
    cli_print(c, " (%s", result);
    if (!pass)
        cli_print(c, "; weakest: %s", cli_text(rw_json_get(gate, "weakest"), "?"));
    cli_print(c, ")\n");
    for (const rw_json *dimension = dims ? dims->first : NULL; dimension;
         dimension = dimension->next)
        show_dimension(c, dimension);
    show_names(c, "limits that were changed", rw_json_get(gate, "changed_thresholds"), NULL);
    show_names(c, "allowed to stay undefined", rw_json_get(gate, "waivers"), "dimension");
}
