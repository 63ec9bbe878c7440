/*
 * plan.c - "ropewalk plan": the decision and what it rests on, before anything is written.
 */
#include <string.h>

#include "cli.h"
#include "rotation.h"

static const cli_option options_table[] = {
    {"context", 0, CLI_COUNT, true, offsetof(rw_plan_options, context), 0, 1, 0, "TOKENS",
     "window the model shall have"},
    {"emit", 0, CLI_TEXT, false, offsetof(rw_plan_options, emit), 0, 0, 0, "RUNTIME",
     "print the command or snippet of transformers, vllm, sglang or llama.cpp, and nothing else"},
    {"kv-type", 0, CLI_TEXT, false, offsetof(rw_plan_options, kv_type), 0, 0, 0, "TYPE",
     "count memory for keys and values as f32 (default), f16, bf16 or q8_0"},
    {"companion", 0, CLI_TEXT, false, offsetof(rw_plan_options, companion), 0, 0, 0, "DRAFT",
     "plan a draft (Eagle, speculators, a smaller model) for the same window too"},
    {"companion-original-context", 0, CLI_COUNT, false,
     offsetof(rw_plan_options, companion_original_context), 0, 1, 0, "TOKENS",
     "window that the draft was trained for (default: as its config says)"},
};

/* render sees the result, not the options. */
static const char *emit_wanted;

static rw_status run(cli *c, void *given, char **json, rw_error *err) {
    rw_plan_options *options = given;
    options->struct_size = sizeof *options;
    options->scaling.struct_size = sizeof options->scaling;
    emit_wanted = options->emit;
    return rw_plan(c->ctx, options, json, err);
}

/* A draft's rotation can only be told by its own files. */
static void show_emit_draft(cli *c, const rw_json *draft) {
    rw_str path = rw_json_string_or(rw_json_get(draft, "path"), "");
    const rw_json *serve = rw_json_get(draft, "serve");
    const rw_json *text = rw_json_get(
        serve, strcmp(emit_wanted, "transformers") == 0 ? "transformers5" : emit_wanted);
    rw_str lines = rw_json_string_or(text, "");
    if (!path.size)
        return;
    cli_print(c,
              "# the draft %.*s is told by its own files only: extend it (--companion), and %s\n",
              (int)path.size, path.data, text ? "add" : "load it as the assistant model");
    cli_print_bytes(c, lines.data, lines.size);
}

static void show_emit(cli *c, const rw_json *emit) {
    const rw_json *text = emit ? emit->first : NULL;
    rw_str lines = rw_json_string_or(text, "");
    if (text)
        cli_print_bytes(c, lines.data, lines.size);
    else
        cli_print(c, "# %s has no way to be told this at serve time: extend the files instead\n",
                  emit_wanted);
}

static void show_targets(cli *c, const rw_json *targets) {
    for (const rw_json *t = targets ? targets->first : NULL; t; t = t->next) {
        bool yes = rw_json_bool_or(rw_json_get(t, "expressible"), false);
        bool target = rw_json_bool_or(rw_json_get(t, "target"), false);
        cli_print(c, "  %-20.*s ", (int)(t->key.size < 20 ? t->key.size : 20), t->key.data);
        cli_styled(c, yes ? CLI_GOOD : CLI_BAD, "%s", yes ? "yes" : "no");
        cli_print(c, "%s\n", target ? "  (target)" : "");
        if (!yes)
            cli_paragraph(c, 6, "%s", cli_text(rw_json_get(t, "why"), ""));
    }
}

static const char *megabytes(const rw_json *node) {
    static char text[4][32];
    static unsigned next;
    char *out = text[next++ % 4];
    snprintf(out, 32, "%.1f MiB", rw_json_number_or(node, 0) / 1048576);
    return out;
}

static void show_engine(cli *c, const rw_json *memory) {
    if (rw_json_is_null(rw_json_get(memory, "total"))) {
        cli_paragraph(c, 2, "%s", cli_text(rw_json_get(memory, "why"), "not known"));
        return;
    }
    cli_field(c, "weights", "%s of our own", megabytes(rw_json_get(memory, "weights")));
    cli_field(c, "KV cache", "%s as %s", megabytes(rw_json_get(memory, "kv")),
              cli_text(rw_json_get(memory, "kv_type"), "?"));
    cli_field(c, "activations", "%s", megabytes(rw_json_get(memory, "activations")));
    cli_field(c, "program", "%s with its tokenizer", megabytes(rw_json_get(memory, "program")));
    cli_field(c, "mapped", "%s of weights, in pages of the file that the system can drop",
              megabytes(rw_json_get(memory, "mapped")));
    cli_field(c, "together", "%s of %s", megabytes(rw_json_get(memory, "total")),
              megabytes(rw_json_get(memory, "machine")));
    cli_field(c, "largest window", "%s tokens",
              cli_number(rw_json_get(memory, "largest_context"), "%.0f"));
}

static const char *gibibytes(const rw_json *node, char out[32]) {
    snprintf(out, 32, "%.1f", rw_json_number_or(node, 0) / 1073741824);
    return out;
}

static bool same_text(const rw_json *a, const rw_json *b, const char *key) {
    rw_str x = rw_json_string_or(rw_json_get(a, key), "");
    rw_str y = rw_json_string_or(rw_json_get(b, key), "");
    return x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
}

/* "131072", marked when the window that was asked for does not fit. */
static void fit_cell(cli_table *table, const rw_json *row) {
    const rw_json *largest = rw_json_get(row, "largest_context");
    bool fits = rw_json_bool_or(rw_json_get(row, "fits"), true);
    if (!row || rw_json_is_null(largest))
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, "%.0f%s", rw_json_number_or(largest, 0), fits ? "" : "*");
}

/* One line a device and type of weights, a column a type of cache. */
static void show_devices(cli *c, const rw_json *devices) {
    static const char *const headings[] = {"device", "GiB",    "attention", "weights",
                                           "GiB",    "KV f16", "KV 8-bit",  "KV fp8"};
    static const char *const caches[] = {"f16", "8-bit", "fp8"};
    enum { COLUMNS = sizeof headings / sizeof *headings };
    cli_table table = {0};
    char total[32], weights[32];
    cli_table_begin(&table, headings, COLUMNS);
    const rw_json *row = devices ? devices->first : NULL;
    while (row) {
        const rw_json *first = row;
        cli_table_cell(&table, "%s", cli_text(rw_json_get(row, "device"), "?"));
        cli_table_cell(&table, "%s", gibibytes(rw_json_get(row, "memory_bytes"), total));
        cli_table_cell(&table, "%s", cli_text(rw_json_get(row, "attention"), "?"));
        cli_table_cell(&table, "%s", cli_text(rw_json_get(row, "weights"), "?"));
        cli_table_cell(&table, "%s", gibibytes(rw_json_get(row, "weight_bytes"), weights));
        for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
            rw_str kv = rw_json_string_or(rw_json_get(row, "kv"), "");
            bool here = row && same_text(row, first, "weights") &&
                        same_text(row, first, "device") && rw_str_is(kv, caches[i]);
            fit_cell(&table, here ? row : NULL);
            row = here ? row->next : row;
        }
        if (row == first)
            break; /* no line without progress */
    }
    cli_table_print(c, &table);
}

static void show_memory(cli *c, const rw_json *memory) {
    const rw_json *model = rw_json_get(memory, "model"), *devices = rw_json_get(memory, "devices");
    cli_heading(c, "Memory of a run of ours on this machine");
    show_engine(c, memory);
    cli_heading(c, "Largest window elsewhere (* less than asked for)");
    if (rw_json_is_null(rw_json_get(model, "parameters"))) {
        cli_paragraph(c, 2, "how many parameters the model has is not known from its description");
        return;
    }
    cli_field(c, "parameters", "%.4g billion",
              rw_json_number_or(rw_json_get(model, "parameters"), 0) / 1e9);
    cli_field(c, "KV cache", "%.6g KiB a token in f16, %s for the window",
              rw_json_number_or(rw_json_get(model, "kv_bytes_per_token_f16"), 0) / 1024,
              megabytes(rw_json_get(model, "kv_bytes_f16")));
    show_devices(c, devices);
}

static void show_companion(cli *c, const rw_json *draft) {
    if (rw_json_is_null(draft))
        return;
    cli_heading(c, "The draft %s: %s to %s tokens", cli_text(rw_json_get(draft, "path"), "?"),
                cli_number(rw_json_get(draft, "native"), "%.0f"),
                cli_number(rw_json_get(draft, "context"), "%.0f"));
    cli_show_rotations(c, rw_json_get(draft, "rope"));
    show_targets(c, rw_json_get(draft, "targets"));
    cli_diagnostics(c, rw_json_get(draft, "diagnostics"));
}

static void render(cli *c, const rw_json *result) {
    const rw_json *cost = rw_json_get(result, "cost");
    if (emit_wanted) {
        show_emit(c, rw_json_get(result, "emit"));
        show_emit_draft(c, rw_json_get(result, "companion"));
        return;
    }
    double native = rw_json_number_or(rw_json_get(result, "native"), 0);
    double context = rw_json_number_or(rw_json_get(result, "context"), 0);
    cli_heading(c, "%.0f to %.0f tokens: %s, factor %s", native, context,
                cli_text(rw_json_get(result, "method"), "?"),
                cli_number(rw_json_get(result, "factor"), "%.6g"));
    cli_show_rotations(c, rw_json_get(result, "rope"));
    cli_heading(c, "Pairs");
    cli_show_bands(c, rw_json_get(result, "bands"), native, context);
    cli_heading(c, "Can be told");
    show_targets(c, rw_json_get(result, "targets"));
    cli_heading(c, "Cost to short text");
    cli_field(c, "nats a token", "%s", cli_number(rw_json_get(cost, "nats"), "%.3f"));
    cli_paragraph(c, 2, "%s", cli_text(rw_json_get(cost, "basis"), ""));
    show_memory(c, rw_json_get(result, "memory"));
    cli_diagnostics(c, rw_json_get(result, "diagnostics"));
    show_companion(c, rw_json_get(result, "companion"));
}

const cli_verb cli_plan = {
    .name = "plan",
    .arguments = "PATH --context TOKENS",
    .summary = "Choose method and factor, say who can be told, what it costs and what fits.",
    .example = "ropewalk plan models/tiny --context 2048",
    .options_size = sizeof(rw_plan_options),
    .positional_count = 1,
    .positionals = {offsetof(rw_plan_options, path)},
    .group_count = 3,
    .groups = {{"Main", options_table, sizeof options_table / sizeof *options_table, 0},
               CLI_SCALING_GROUP(rw_plan_options, scaling),
               {"Planning", cli_planning_options, CLI_PLANNING_COUNT, 0}},
    .run = run,
    .render = render,
};
