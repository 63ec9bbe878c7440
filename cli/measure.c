/*
 * measure.c - "ropewalk measure": perplexity and retrieval of a checkpoint, perhaps under a scaling
 * that is tried in memory.
 */
#include "cli.h"

static const cli_option options_table[] = {
    {"context", 0, CLI_COUNT, false, offsetof(rw_measure_options, context), 0, 1, 0, "TOKENS",
     "window that a scaling is tried for (default: the longest length)"},
    {"state", 0, CLI_TEXT, false, offsetof(rw_measure_options, state), 0, 0, 0, "FILE",
     "keep what is measured in this file, and go on from it after Ctrl-C or a crash"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_measure_options *options = given;
    options->struct_size = sizeof *options;
    options->scaling.struct_size = sizeof options->scaling;
    if (!options->data)
        RW_TRY(cli_default_data(&options->data, err));
    return rw_measure(c->ctx, options, json, err);
}

static void show_rotation(cli *c, const rw_json *groups) {
    for (const rw_json *group = groups ? groups->first : NULL; group; group = group->next)
        cli_print(c, "%s: %s, factor %s, theta %s\n", cli_text(rw_json_get(group, "layers"), "?"),
                  cli_text(rw_json_get(group, "method"), "?"),
                  cli_number(rw_json_get(group, "factor"), "%.6g"),
                  cli_number(rw_json_get(group, "theta"), "%.9g"));
}

static void render(cli *c, const rw_json *result) {
    show_rotation(c, rw_json_get(result, "rope"));
    cli_show_perplexity(c, NULL, result);
    cli_show_positions(c, NULL, result);
    cli_show_retrieval(c, NULL, result);
    cli_show_pack(c, NULL, result);
    const rw_json *diagnostics = rw_json_get(result, "diagnostics");
    if (diagnostics && diagnostics->count)
        cli_print(c, "\n");
    cli_diagnostics(c, diagnostics);
}

const cli_verb cli_measure = {
    .name = "measure",
    .arguments = "MODEL",
    .summary = "Perplexity by length and retrieval by depth, under any scaling, without writing.",
    .example = "ropewalk measure models/tiny --method yarn --context 2048 --lengths 512,2048",
    .options_size = sizeof(rw_measure_options),
    .positional_count = 1,
    .positionals = {offsetof(rw_measure_options, path)},
    .group_count = 3,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0},
               CLI_SCALING_GROUP(rw_measure_options, scaling),
               {"Measuring", cli_measuring_options, CLI_MEASURING_COUNT, 0}},
    .run = run,
    .render = render,
};
