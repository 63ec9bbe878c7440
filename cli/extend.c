/*
 * extend.c - "ropewalk extend": the main job, and the page of text it ends with.
 */
#include <float.h>
#include <string.h>

#include "cli.h"

static const cli_option main_options[] = {
    {"context", 0, CLI_COUNT, true, offsetof(rw_extend_options, plan.context), 0, 1, 0, "TOKENS",
     "the window wanted: 32768, 32k"},
    {"output", 'o', CLI_TEXT, true, offsetof(rw_extend_options, output), 0, 0, 0, "OUT",
     "directory to make, or FILE.gguf for a GGUF"},
    {"no-measure", 0, CLI_SWITCH, false, offsetof(rw_extend_options, no_measure), 0, 0, 0, NULL,
     "read no weights: no measurement, no verdict"},
    {"threshold", 0, CLI_TEXT, false, offsetof(rw_extend_options, measure.thresholds), 0, 0, 0,
     "LIST", "limits of the verdict: short_cost=0.05,pack=0.9 (recorded; names in protocols.md)"},
    {"allow-undefined", 0, CLI_TEXT, false, offsetof(rw_extend_options, measure.allow_undefined), 0,
     0, 0, "LIST", "dimensions that may stay undefined, recorded: D3,pack"},
    {"usd-per-call", 0, CLI_NUMBER, false, offsetof(rw_extend_options, measure.usd_per_call), 0,
     DBL_MIN, 0, "USD", "what a call costs you: needed for the foreign K-score only"},
    {"link", 0, CLI_SWITCH, false, offsetof(rw_extend_options, link), 0, 0, 0, NULL,
     "hard-link the files that stay as they are instead of copying them"},
    {"companion", 0, CLI_TEXT, false, offsetof(rw_extend_options, plan.companion), 0, 0, 0, "DRAFT",
     "extend a draft (Eagle, speculators, a smaller model) for the same window too"},
    {"companion-output", 0, CLI_TEXT, false, offsetof(rw_extend_options, companion_output), 0, 0, 0,
     "OUT", "where the draft goes (default: beside OUT, as OUT-draft)"},
    {"companion-original-context", 0, CLI_COUNT, false,
     offsetof(rw_extend_options, plan.companion_original_context), 0, 1, 0, "TOKENS",
     "window that the draft was trained for (default: as its config says)"},
    {"sign", 0, CLI_TEXT, false, offsetof(rw_extend_options, sign), 0, 0, 0, "KEY",
     "sign the receipt with this private key (PEM, Ed25519; \"ropewalk keygen\" makes one)"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_extend_options *options = given;
    options->struct_size = sizeof *options;
    options->plan.struct_size = sizeof options->plan;
    options->plan.scaling.struct_size = sizeof options->plan.scaling;
    options->measure.struct_size = sizeof options->measure;
    options->measure.scaling.struct_size = sizeof options->measure.scaling;
    /* Where the default is not found, the job says what is missing once it needs it. */
    if (!options->measure.data)
        cli_default_data(&options->measure.data, NULL);
    return rw_extend(c->ctx, options, json, err);
}

/* ---- the page of text ------------------------------------------------------------------------ */

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
    cli_field(c, "  signed by", "%s",
              cli_text(rw_json_path(result, "receipt.signer"), "nobody: --sign KEY does it"));
    cli_field(c, "report", "%s", cli_text(rw_json_get(result, "report"), "-"));
    cli_field(c, "canary", "%s", cli_text(rw_json_get(result, "canary"), "none: not measured"));
}

static void show_companion(cli *c, const rw_json *draft) {
    if (rw_json_is_null(draft))
        return;
    const rw_json *plan = rw_json_get(draft, "plan");
    cli_heading(c, "The draft: %s to %s tokens, %s, factor %s",
                cli_number(rw_json_get(plan, "native"), "%.0f"),
                cli_number(rw_json_get(plan, "context"), "%.0f"),
                cli_text(rw_json_get(plan, "method"), "?"),
                cli_number(rw_json_get(plan, "factor"), "%.6g"));
    cli_diagnostics(c, rw_json_get(plan, "diagnostics"));
    cli_field(c, "checkpoint", "%s",
              cli_text(rw_json_get(draft, "output"), "as it is: nothing was written"));
    cli_field(c, "receipt", "%s", cli_text(rw_json_get(draft, "receipt"), "-"));
}

static void render(cli *c, const rw_json *result) {
    const rw_json *plan = rw_json_get(result, "plan");
    const rw_json *before = rw_json_get(result, "before"), *after = rw_json_get(result, "after");
    if (rw_json_bool_or(rw_json_get(result, "nothing_to_do"), false)) {
        cli_paragraph(c, 0,
                      "Nothing to do: the context asked for is the native window (%s tokens). "
                      "Nothing was written.",
                      cli_number(rw_json_get(plan, "native"), "%.0f"));
        show_companion(c, rw_json_get(result, "companion"));
        return;
    }
    const char *name = cli_text(rw_json_path(result, "model.name"), "?");
    cli_styled(c, CLI_BOLD, "%s", name);
    cli_go_on(c, (unsigned)strlen(name), 2, ": %s -> %s tokens, %s, factor %s\n",
              cli_number(rw_json_get(plan, "native"), "%.0f"),
              cli_number(rw_json_get(plan, "context"), "%.0f"),
              cli_text(rw_json_get(plan, "method"), "?"),
              cli_number(rw_json_get(plan, "factor"), "%.6g"));
    cli_diagnostics(c, rw_json_get(plan, "diagnostics"));
    cli_show_perplexity(c, before, after);
    cli_show_positions(c, before, after);
    cli_show_retrieval(c, before, after);
    cli_show_pack(c, before, after);
    cli_diagnostics(c, rw_json_get(after, "diagnostics"));
    cli_show_gate(c, rw_json_get(result, "gate"));
    show_advice(c, rw_json_get(result, "advice"));
    show_places(c, result);
    show_companion(c, rw_json_get(result, "companion"));
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
