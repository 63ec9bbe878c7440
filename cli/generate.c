/*
 * generate.c - "ropewalk generate": text as the model makes it.
 */
#include "cli.h"

static const cli_option options_table[] = {
    {"prompt", 'p', CLI_TEXT, true, offsetof(rw_generate_options, prompt), 0, 0, 0, "TEXT",
     "what the text begins with"},
    {"context", 0, CLI_COUNT, false, offsetof(rw_generate_options, context), 0, 1, 0, "TOKENS",
     "target window for a scaling (default: the checkpoint's own)"},
    {"tokens", 'n', CLI_COUNT, false, offsetof(rw_generate_options, tokens), 0, 1, 0, "N",
     "how many tokens to make (default: 64)"},
    {"temperature", 0, CLI_NUMBER, false, offsetof(rw_generate_options, temperature), 0, 0, 100,
     "T", "0 takes the likeliest token (default), 1 draws from the model's distribution"},
    {"seed", 0, CLI_COUNT, false, offsetof(rw_generate_options, seed), 0, 0, 0, "N",
     "of the draws; the same seed gives the same text"},
    {"kv-type", 0, CLI_TEXT, false, offsetof(rw_generate_options, kv_type), 0, 0, 0, "TYPE",
     "keep keys and values as f32, f16 (default), bf16 or q8_0"},
    {"arithmetic", 0, CLI_TEXT, false, offsetof(rw_generate_options, arithmetic), 0, 0, 0,
     "f32|int8", "multiply weights in f32 (default), or quantised ones in int8: faster"},
};

/* A model may make any byte; none of them shall steer the terminal. */
static void print_piece(void *user, const char *text, size_t size) {
    char clean[256];
    while (size > 0) {
        size_t count = size < sizeof clean ? size : sizeof clean;
        for (size_t i = 0; i < count; i++) {
            unsigned char byte = (unsigned char)text[i];
            bool control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
            clean[i] = control ? '?' : text[i];
        }
        cli_print_bytes(user, clean, count);
        text += count;
        size -= count;
    }
}

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_generate_options *options = given;
    options->struct_size = sizeof *options;
    options->scaling.struct_size = sizeof options->scaling;
    if (!c->json) {
        options->piece = print_piece;
        options->user = c;
    }
    return rw_generate(c->ctx, options, json, err);
}

static void render(cli *c, const rw_json *result) {
    if (c->stdout_terminal)
        cli_end_line(c);
    else
        cli_print(c, "\n");
    cli_diagnostics(c, rw_json_get(result, "diagnostics"));
}

const cli_verb cli_generate = {
    .name = "generate",
    .arguments = "PATH --prompt TEXT",
    .summary = "Text from the model, to see the new length with your own eyes.",
    .example = "ropewalk generate tiny-2k --prompt 'The kernel' --tokens 100",
    .options_size = sizeof(rw_generate_options),
    .positional_count = 1,
    .positionals = {offsetof(rw_generate_options, path)},
    .group_count = 2,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0},
               CLI_SCALING_GROUP(rw_generate_options, scaling)},
    .run = run,
    .render = render,
};
