/*
 * extend.c - "ropewalk extend": the main job, and the page of text it ends with.
 */
#include <math.h>
#include <string.h>

#include "cli.h"

static const cli_option main_options[] = {
    {"context", 0, CLI_COUNT, true, offsetof(rw_extend_options, plan.context), 0, 1, 0, "TOKENS",
     "the window wanted: 32768, 32k"},
    {"output", 'o', CLI_TEXT, true, offsetof(rw_extend_options, output), 0, 0, 0, "OUT",
     "directory to make, or FILE.gguf for a GGUF"},
    {"no-measure", 0, CLI_SWITCH, false, offsetof(rw_extend_options, no_measure), 0, 0, 0, NULL,
     "read no weights: no measurement, no verdict"},
    {"link", 0, CLI_SWITCH, false, offsetof(rw_extend_options, link), 0, 0, 0, NULL,
     "hard-link the files that stay as they are instead of copying them"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_extend_options *options = given;
    options->struct_size = sizeof *options;
    options->plan.struct_size = sizeof options->plan;
    options->plan.scaling.struct_size = sizeof options->plan.scaling;
    options->measure.struct_size = sizeof options->measure;
    options->measure.scaling.struct_size = sizeof options->measure.scaling;
    if (!options->no_measure && !options->measure.data)
        RW_TRY(cli_default_data(&options->measure.data, err));
    return rw_extend(c->ctx, options, json, err);
}

/* ---- what was measured ----------------------------------------------------------------------- */

static const rw_json *perplexity_at(const rw_json *measurement, double length) {
    const rw_json *list = rw_json_get(measurement, "perplexity");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next)
        if (rw_json_number_or(rw_json_get(row, "length"), -1.0) == length)
            return row;
    return NULL;
}

static void interval_cell(cli_table *table, const rw_json *row) {
    const rw_json *interval = rw_json_get(row, "ci95");
    cli_table_cell(table, "%s", cli_number(rw_json_get(row, "ppl"), "%.2f"));
    if (interval && interval->type == RW_JSON_ARRAY && interval->count == 2)
        cli_table_cell(table, "%s .. %s", cli_number(interval->first, "%.2f"),
                       cli_number(interval->first->next, "%.2f"));
    else
        cli_table_cell(table, "-");
}

static void show_perplexity(cli *c, const rw_json *before, const rw_json *after) {
    static const char *const headings[] = {"length", "before", "95 %", "after", "95 %"};
    const rw_json *list = rw_json_get(after, "perplexity");
    cli_table table;
    if (!list || list->count == 0)
        return;
    cli_heading(c, "Perplexity by length (%s)", cli_text(rw_json_get(after, "protocol"), "?"));
    cli_table_begin(&table, headings, 5);
    for (const rw_json *row = list->first; row; row = row->next) {
        const rw_json *length = rw_json_get(row, "length");
        cli_table_cell(&table, "%s", cli_number(length, "%.0f"));
        interval_cell(&table, perplexity_at(before, rw_json_number_or(length, -1.0)));
        interval_cell(&table, row);
    }
    cli_table_print(c, &table);
}

static const rw_json *same_trial(const rw_json *measurement, const rw_json *wanted) {
    static const char *const keys[] = {"length", "depth"};
    const rw_json *list = rw_json_get(measurement, "retrieval");
    for (const rw_json *row = list ? list->first : NULL; row; row = row->next) {
        bool same = rw_str_equal(rw_json_string_or(rw_json_get(row, "task"), ""),
                                 rw_json_string_or(rw_json_get(wanted, "task"), ""));
        for (size_t i = 0; i < 2; i++)
            same = same && rw_json_number_or(rw_json_get(row, keys[i]), NAN) ==
                               rw_json_number_or(rw_json_get(wanted, keys[i]), NAN);
        if (same)
            return row;
    }
    return NULL;
}

static void rate_cell(cli_table *table, const rw_json *row) {
    if (row)
        cli_table_cell(table, "%s of %s", cli_number(rw_json_get(row, "correct"), "%.0f"),
                       cli_number(rw_json_get(row, "trials"), "%.0f"));
    else
        cli_table_cell(table, "-");
}

static void show_retrieval(cli *c, const rw_json *before, const rw_json *after) {
    static const char *const headings[] = {"length", "depth", "before", "after", "task"};
    const rw_json *list = rw_json_get(after, "retrieval");
    cli_table table;
    if (!list || list->count == 0)
        return;
    cli_heading(c, "Retrieval by length and depth");
    cli_table_begin(&table, headings, 5);
    for (const rw_json *row = list->first; row; row = row->next) {
        cli_table_cell(&table, "%s", cli_number(rw_json_get(row, "length"), "%.0f"));
        cli_table_cell(&table, "%.0f %%",
                       100.0 * rw_json_number_or(rw_json_get(row, "depth"), NAN));
        rate_cell(&table, same_trial(before, row));
        rate_cell(&table, row);
        cli_table_cell(&table, "%s", cli_text(rw_json_get(row, "task"), "?"));
    }
    cli_table_print(c, &table);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static void show_dimension(cli *c, const rw_json *dimension) {
    const char *status = cli_text(rw_json_get(dimension, "status"), "undefined");
    cli_style style = strcmp(status, "pass") == 0   ? CLI_GOOD
                      : strcmp(status, "fail") == 0 ? CLI_BAD
                                                    : CLI_WARN;
    rw_str reason = rw_json_string_or(rw_json_get(dimension, "reason"), "");
    cli_print(c, "  %.*s ", (int)dimension->key.size, dimension->key.data);
    cli_styled(c, style, "%s", status);
    cli_print(c, "\n");
    cli_paragraph(c, 5, "%.*s", (int)reason.size, reason.data);
}

static void show_gate(cli *c, const rw_json *gate) {
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
}

static void show_advice(cli *c, const rw_json *advice) {
    if (!advice || advice->count == 0)
        return;
    cli_heading(c, "What would help");
    for (const rw_json *line = advice->first; line; line = line->next) {
        rw_str text = rw_json_string_or(line, "");
        cli_paragraph(c, 2, "- %.*s", (int)text.size, text.data);
    }
}

static void show_places(cli *c, const rw_json *result) {
    cli_print(c, "\n");
    cli_field(c, "checkpoint", "%s", cli_text(rw_json_get(result, "output"), "-"));
    cli_field(c, "receipt", "%s", cli_text(rw_json_path(result, "receipt.path"), "-"));
    cli_field(c, "  its SHA-256", "%s", cli_text(rw_json_path(result, "receipt.sha256"), "-"));
    cli_field(c, "report", "%s", cli_text(rw_json_get(result, "report"), "-"));
    cli_field(c, "canary", "%s", cli_text(rw_json_get(result, "canary"), "none: not measured"));
}

static void render(cli *c, const rw_json *result) {
    const rw_json *plan = rw_json_get(result, "plan");
    const rw_json *before = rw_json_get(result, "before"), *after = rw_json_get(result, "after");
    if (rw_json_bool_or(rw_json_get(result, "nothing_to_do"), false)) {
        cli_print(c,
                  "Nothing to do: the context asked for is the native window (%s tokens). "
                  "Nothing was written.\n",
                  cli_number(rw_json_get(plan, "native"), "%.0f"));
        return;
    }
    cli_styled(c, CLI_BOLD, "%s: %s -> %s tokens",
               cli_text(rw_json_path(result, "model.name"), "?"),
               cli_number(rw_json_get(plan, "native"), "%.0f"),
               cli_number(rw_json_get(plan, "context"), "%.0f"));
    cli_print(c, ", %s, factor %s\n", cli_text(rw_json_get(plan, "method"), "?"),
              cli_number(rw_json_get(plan, "factor"), "%.6g"));
    cli_diagnostics(c, rw_json_get(plan, "diagnostics"));
    show_perplexity(c, before, after);
    show_retrieval(c, before, after);
    cli_diagnostics(c, rw_json_get(after, "diagnostics"));
    show_gate(c, rw_json_get(result, "gate"));
    show_advice(c, rw_json_get(result, "advice"));
    show_places(c, result);
}

const cli_verb cli_extend = {
    .name = "extend",
    .arguments = "MODEL --context TOKENS -o OUT",
    .summary = "Patch a checkpoint for a longer context, measure before and after, and judge.",
    .example = "ropewalk extend models/tiny --context 2048 -o tiny-2k",
    .options_size = sizeof(rw_extend_options),
    .positional_count = 1,
    .positionals = {offsetof(rw_extend_options, plan.path)},
    .group_count = 4,
    .groups = {{"Main", main_options, sizeof main_options / sizeof *main_options, 0},
               CLI_SCALING_GROUP(rw_extend_options, plan.scaling),
               CLI_PLANNING_GROUP(rw_extend_options, plan),
               CLI_MEASURING_GROUP(rw_extend_options, measure)},
    .run = run,
    .render = render,
};
