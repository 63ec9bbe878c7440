/*
 * keygen.c - "ropewalk keygen": a pair of keys for signing receipts.
 */
#include "cli.h"

static const cli_option options_table[] = {
    {"output", 'o', CLI_TEXT, true, offsetof(rw_keygen_options, output), 0, 0, 0, "FILE",
     "the private key, for its owner's eyes only; the public one goes to FILE.pub"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_keygen_options *options = given;
    options->struct_size = sizeof *options;
    return rw_keygen(c->ctx, options, json, err);
}

static void put_member(cli *c, const rw_json *result, const char *label, const char *key) {
    rw_str text = rw_json_string_or(rw_json_get(result, key), "?");
    cli_field(c, label, "%.*s", (int)text.size, text.data);
}

static void render(cli *c, const rw_json *result) {
    put_member(c, result, "private key", "private_key");
    put_member(c, result, "public key", "public_key");
    put_member(c, result, "fingerprint", "fingerprint");
    cli_print(c, "\n");
    cli_paragraph(c, 0,
                  "Keep the private key to yourself. Give the public key, or its fingerprint, to "
                  "those who check your receipts, over a channel that they trust.");
}

const cli_verb cli_keygen = {
    .name = "keygen",
    .arguments = "-o FILE",
    .summary = "Make an Ed25519 key pair in PEM, for signing receipts.",
    .example = "ropewalk keygen -o signing.pem",
    .options_size = sizeof(rw_keygen_options),
    .group_count = 1,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0}},
    .run = run,
    .render = render,
};
