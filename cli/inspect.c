/*
 * inspect.c - "ropewalk inspect": what a checkpoint is, and what each runtime would rotate by.
 */
#include "cli.h"
#include "rotation.h"

static const cli_option options_table[] = {
    {"length", 0, CLI_COUNT, false, offsetof(rw_inspect_options, length), 0, 1, 0, "TOKENS",
     "resolve dynamic NTK and LongRoPE at this length (default: the advertised window)"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_inspect_options *options = given;
    options->struct_size = sizeof *options;
    return rw_inspect(c->ctx, options, json, err);
}

/* Why a runtime has no list of rotations: the last diagnostic of its object says it. */
static const char *unread(const rw_json *reader) {
    const rw_json *list = rw_json_get(reader, "diagnostics"), *last = NULL;
    for (const rw_json *d = list ? list->first : NULL; d; d = d->next)
        last = d;
    rw_str code = rw_json_string_or(rw_json_get(last, "code"), "");
    return rw_str_is(code, "dialect.not_known") ? "not known" : "cannot load it";
}

static void show_readers(cli *c, const rw_json *readers) {
    static const char *const headings[] = {"runtime", "layers",    "method", "theta", "factor",
                                           "ramp",    "attention", "logits", "serves"};
    enum { COLUMNS = sizeof headings / sizeof *headings };
    cli_table table = {0};
    cli_table_begin(&table, headings, COLUMNS);
    for (const rw_json *r = readers ? readers->first : NULL; r; r = r->next) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)(r->key.size < 31 ? r->key.size : 31),
                 r->key.data);
        if (r->type != RW_JSON_ARRAY) {
            cli_table_cell(&table, "%s", name);
            cli_table_cell(&table, "%s", unread(r));
            for (int i = 2; i < COLUMNS; i++)
                cli_table_cell(&table, "-");
            continue;
        }
        for (const rw_json *b = r->first; b; b = b->next) {
            cli_table_cell(&table, "%s", name);
            cli_table_cell(&table, "%s", cli_text(rw_json_get(b, "layers"), "?"));
            cli_table_cell(&table, "%s", cli_text(rw_json_get(b, "method"), "?"));
            cli_table_cell(&table, "%s", cli_number(rw_json_get(b, "theta"), "%.10g"));
            cli_table_cell(&table, "%s", cli_number(rw_json_get(b, "factor"), "%.6g"));
            if (rw_json_is_null(rw_json_get(b, "ramp_low")))
                cli_table_cell(&table, "-");
            else
                cli_table_cell(&table, "%s..%s", cli_number(rw_json_get(b, "ramp_low"), "%.4g"),
                               cli_number(rw_json_get(b, "ramp_high"), "%.4g"));
            cli_table_cell(&table, "%s", cli_number(rw_json_get(b, "attention_factor"), "%.6g"));
            cli_table_cell(&table, "%s", cli_number(rw_json_get(b, "logit_scale"), "%.6g"));
            cli_table_cell(&table, "%s", cli_number(rw_json_get(b, "effective_window"), "%.0f"));
        }
    }
    cli_table_print(c, &table);
}

static void show_differences(cli *c, const rw_json *differences) {
    static const char *const headings[] = {"one", "other", "layers",    "pair",
                                           "by",  "angle", "amplitude", "logits"};
    static const char *const numbers[] = {"relative", "angle", "amplitude", "logit"};
    cli_table table = {0};
    if (!differences || !differences->count) {
        cli_paragraph(c, 2, "nowhere: every runtime that loads it rotates alike");
        return;
    }
    cli_table_begin(&table, headings, sizeof headings / sizeof *headings);
    /* the others against one; --json has every two */
    rw_str reference = rw_json_string_or(rw_json_get(differences->first, "a"), "");
    for (const rw_json *d = differences->first; d; d = d->next) {
        if (!rw_str_equal(rw_json_string_or(rw_json_get(d, "a"), ""), reference))
            continue;
        cli_table_cell(&table, "%s", cli_text(rw_json_get(d, "a"), "?"));
        cli_table_cell(&table, "%s", cli_text(rw_json_get(d, "b"), "?"));
        cli_table_cell(&table, "%s", cli_text(rw_json_get(d, "layers"), "?"));
        cli_table_cell(&table, "%s", cli_number(rw_json_get(d, "pair"), "%.0f"));
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            cli_table_cell(&table, "%s", cli_number(rw_json_get(d, numbers[i]), "%.4g"));
    }
    cli_table_print(c, &table);
    cli_paragraph(c, 2,
                  "pair: where the frequencies part most, by that part of the first one's; angle "
                  "in radians at that length; amplitude of cos and sin; logits: of what the scores "
                  "are multiplied by");
}

static void render(cli *c, const rw_json *result) {
    const rw_json *context = rw_json_get(result, "context");
    const rw_json *rope = rw_json_get(result, "rope");
    cli_heading(c, "%s (%s)", cli_text(rw_json_get(result, "architecture"), "?"),
                cli_text(rw_json_get(result, "format"), "?"));
    cli_field(c, "native window", "%s (%s)", cli_number(rw_json_get(context, "native"), "%.0f"),
              cli_text(rw_json_get(context, "native_source"), "?"));
    cli_field(c, "advertised", "%s", cli_number(rw_json_get(context, "advertised"), "%.0f"));
    cli_field(c, "ramp origin", "%s", cli_number(rw_json_get(context, "ramp_origin"), "%.0f"));
    cli_field(c, "tokenizer", "%s", cli_number(rw_json_get(context, "tokenizer"), "%.0f"));
    cli_heading(c, "Rotation");
    cli_show_rotations(c, rope);
    cli_heading(c, "Tokens per turn of each pair");
    cli_show_wavelengths(c, rope ? rope->first : NULL,
                         rw_json_number_or(rw_json_get(context, "native"), 0),
                         rw_json_number_or(rw_json_get(context, "advertised"), 0));
    cli_heading(c, "What each runtime resolves");
    show_readers(c, rw_json_get(result, "readers"));
    cli_heading(c, "Where they part, at %s tokens",
                cli_number(rw_json_get(result, "length"), "%.0f"));
    show_differences(c, rw_json_get(result, "differences"));
    cli_diagnostics(c, rw_json_get(result, "diagnostics"));
}

const cli_verb cli_inspect = {
    .name = "inspect",
    .arguments = "PATH",
    .summary = "Show where the rotation lives, the windows, and what each runtime makes of it.",
    .example = "ropewalk inspect models/tiny",
    .options_size = sizeof(rw_inspect_options),
    .positional_count = 1,
    .positionals = {offsetof(rw_inspect_options, path)},
    .group_count = 1,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0}},
    .run = run,
    .render = render,
};
