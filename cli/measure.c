/*
 * measure.c - "ropewalk measure": perplexity and retrieval of a checkpoint, perhaps under a scaling
 * that is tried in memory.
 */
#include <float.h>

#include "cli.h"

static const cli_option options_table[] = {
    {"context", 0, CLI_COUNT, false, offsetof(rw_measure_options, context), 0, 1, 0, "TOKENS",
     "window that a scaling is tried for (default: the longest length)"},
    {"state", 0, CLI_TEXT, false, offsetof(rw_measure_options, state), 0, 0, 0, "FILE",
     "keep what is measured in this file, and go on from it after Ctrl-C or a crash"},
    {"keep-from", 0, CLI_COUNT, false, offsetof(rw_measure_options, keep_from), 0, 1, 0, "TOKENS",
     "with --state: sequences so long go on in the middle, from FILE.cache (default: 16384)"},
};

#define GATE(name) offsetof(rw_measure_options, name)

static const cli_option gate_table[] = {
    {"gate", 0, CLI_SWITCH, false, GATE(gate), 0, 0, 0, NULL,
     "judge the scaling against the checkpoint as it is, which is measured too; exit 1: no"},
    {"threshold", 0, CLI_TEXT, false, GATE(thresholds), 0, 0, 0, "LIST",
     "limits of the verdict: short_cost=0.05,pack=0.9 (names in protocols.md)"},
    {"allow-undefined", 0, CLI_TEXT, false, GATE(allow_undefined), 0, 0, 0, "LIST",
     "dimensions that may stay undefined: D3,pack"},
    {"usd-per-call", 0, CLI_NUMBER, false, GATE(usd_per_call), 0, DBL_MIN, 0, "USD",
     "what a call costs you: needed for the foreign K-score only"},
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
    const rw_json *before = rw_json_get(result, "before"), *gate = rw_json_get(result, "gate");
    if (rw_json_is_null(before))
        before = NULL;
    show_rotation(c, rw_json_get(result, "rope"));
    cli_show_perplexity(c, before, result);
    cli_show_positions(c, before, result);
    cli_show_retrieval(c, before, result);
    cli_show_pack(c, before, result);
    if (!rw_json_is_null(gate))
        cli_show_gate(c, gate);
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
    .group_count = 4,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0},
               CLI_SCALING_GROUP(rw_measure_options, scaling),
               {"Measuring", cli_measuring_options, CLI_MEASURING_COUNT, 0},
               {"Verdict", gate_table, sizeof gate_table / sizeof *gate_table, 0}},
    .run = run,
    .render = render,
};
