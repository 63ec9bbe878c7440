/*
 * compare.c - "ropewalk compare": do two checkpoints rotate alike?
 */
#include "cli.h"
#include "rotation.h"

static const cli_option options_table[] = {
    {"length", 0, CLI_COUNT, false, offsetof(rw_compare_options, length), 0, 1, 0, "TOKENS",
     "compare up to this many tokens (default: the longer advertised window)"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_compare_options *options = given;
    options->struct_size = sizeof *options;
    return rw_compare(c->ctx, options, json, err);
}

static void show_difference(cli *c, const rw_json *difference) {
    cli_heading(c, "%s: %s", cli_text(rw_json_get(difference, "layers"), "?"),
                cli_text(rw_json_get(difference, "what"), "?"));
    if (!rw_json_get(difference, "pair"))
        return;
    if (!rw_json_is_null(rw_json_get(difference, "max_angle"))) { /* else: nothing to compare */
        cli_field(c, "worst pair", "%s, %s radians apart at %s tokens",
                  cli_number(rw_json_get(difference, "pair"), "%.0f"),
                  cli_number(rw_json_get(difference, "max_angle"), "%.4g"),
                  cli_number(rw_json_get(difference, "length"), "%.0f"));
        cli_field(c, "amplitude", "%s apart",
                  cli_number(rw_json_get(difference, "amplitude"), "%.4g"));
    }
    cli_show_rotation(c, "first", rw_json_get(difference, "a"));
    cli_show_rotation(c, "second", rw_json_get(difference, "b"));
}

static void render(cli *c, const rw_json *result) {
    bool alike = rw_json_bool_or(rw_json_get(result, "alike"), false);
    const rw_json *differences = rw_json_get(result, "differences");
    cli_styled(c, alike ? CLI_GOOD : CLI_BAD, "%s", alike ? "alike" : "not alike");
    cli_print(c, " up to %s tokens\n", cli_number(rw_json_get(result, "length"), "%.0f"));
    for (const rw_json *n = differences ? differences->first : NULL; n; n = n->next)
        show_difference(c, n);
}

const cli_verb cli_compare = {
    .name = "compare",
    .arguments = "A B",
    .summary = "Do two checkpoints, directory or GGUF, rotate alike? Exit status 0 yes, 1 no.",
    .example = "ropewalk compare models/tiny tiny-2k",
    .options_size = sizeof(rw_compare_options),
    .positional_count = 2,
    .positionals = {offsetof(rw_compare_options, a), offsetof(rw_compare_options, b)},
    .group_count = 1,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0}},
    .run = run,
    .render = render,
};
