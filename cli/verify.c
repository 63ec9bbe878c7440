/*
 * verify.c - "ropewalk verify": a receipt against what it speaks of.
 */
#include "cli.h"

static const cli_option options_table[] = {
    {"input", 0, CLI_TEXT, false, offsetof(rw_verify_options, input), 0, 0, 0, "PATH",
     "the checkpoint it was made from (default: where the receipt says, if it is there)"},
    {"key", 0, CLI_TEXT, false, offsetof(rw_verify_options, key), 0, 0, 0, "PUB",
     "public key (PEM) of the signer you expect; without it a signature proves nothing"},
};

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_verify_options *options = given;
    options->struct_size = sizeof *options;
    return rw_verify(c->ctx, options, json, err);
}

static void render(cli *c, const rw_json *result) {
    const rw_json *checks = rw_json_get(result, "checks");
    bool ok = rw_json_bool_or(rw_json_get(result, "ok"), false);
    for (const rw_json *check = checks ? checks->first : NULL; check; check = check->next) {
        const rw_json *answer = rw_json_get(check, "ok");
        bool good = rw_json_bool_or(answer, false);
        rw_str what = rw_json_string_or(rw_json_get(check, "what"), "?");
        rw_str why = rw_json_string_or(rw_json_get(check, "why"), "");
        cli_styled(c,
                   rw_json_is_null(answer) ? CLI_DIM
                   : good                  ? CLI_GOOD
                                           : CLI_BAD,
                   "%-8s",
                   rw_json_is_null(answer) ? "skipped"
                   : good                  ? "ok"
                                           : "DIFFERS");
        cli_go_on(c, 8, 8, "%.*s\n", (int)what.size, what.data);
        if (why.size)
            cli_paragraph(c, 8, "%.*s", (int)why.size, why.data);
    }
    cli_print(c, "\n");
    cli_styled(c, ok ? CLI_GOOD : CLI_BAD, "%s", ok ? "verified" : "not verified");
    if (ok && !rw_json_is_null(rw_json_get(result, "signer")))
        cli_go_on(c, 8, 2, "; signed by %s\n", cli_text(rw_json_get(result, "signer"), "?"));
    else if (ok)
        cli_go_on(c, 8, 2, "; the receipt is not signed\n");
    else
        cli_go_on(c, 12, 2, ": the first that differs is %s\n",
                  cli_text(rw_json_get(result, "differs"), "?"));
}

const cli_verb cli_verify = {
    .name = "verify",
    .arguments = "RECEIPT",
    .summary =
        "Check a receipt: hashes, signature, tables, and the patch where the input is at hand.",
    .example = "ropewalk verify tiny-2k/receipt.json --key signing.pem.pub",
    .options_size = sizeof(rw_verify_options),
    .positional_count = 1,
    .positionals = {offsetof(rw_verify_options, receipt)},
    .group_count = 1,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0}},
    .run = run,
    .render = render,
};
