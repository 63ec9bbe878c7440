/*
 * config.json or a GGUF through every reader, a plan, the writer and back. Input: two bytes that
 * choose method, window and targets, then the file. What we write, every target's reader resolves
 * to the plan; nothing outside the meant members changes; writing the first rotation back gives the
 * first table.
 */
#include <unistd.h>

#include "fuzz_support.h"
#include "plan/plan.h"

typedef struct opened {
    rw_arena arena;
    rw_checkpoint *checkpoint;
    rw_source source;
} opened;

static const char *scratch_path(const char *suffix) {
    static char paths[2][64];
    static unsigned next;
    char *path = paths[next++ % 2];
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, sizeof paths[0], "%s/fuzz_dialect_%ld%s", folder, (long)getpid(), suffix);
    return path;
}

static void remove_scratch(void) {
    unlink(scratch_path(".json"));
    unlink(scratch_path(".gguf"));
    unlink(scratch_path("-out.gguf"));
}

/* Close it also after a failure. */
static rw_status open_file(opened *o, const char *path, rw_error *err) {
    memset(o, 0, sizeof *o);
    o->arena.ctx = fuzz_context();
    RW_TRY(rw_checkpoint_open(fuzz_context(), path, RW_OPEN_NO_WEIGHTS, &o->checkpoint, err));
    return rw_source_read(o->checkpoint, &o->arena, &o->source, err);
}

static rw_status open_text(opened *o, rw_str text, rw_error *err) {
    bool gguf = text.size >= 4 && memcmp(text.data, "GGUF", 4) == 0;
    const char *path = scratch_path(gguf ? ".gguf" : ".json");
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text.data, 1, text.size, file) != text.size || fclose(file) != 0)
        abort();
    return open_file(o, path, err);
}

static void close_opened(opened *o) {
    rw_arena_free(&o->arena);
    rw_checkpoint_close(o->checkpoint);
}

static void die(const char *what, rw_str text, const rw_error *err) {
    fprintf(stderr, "%s: [%s] %s (%s)\n%.*s\n", what, err->code, err->message, err->where,
            (int)text.size, text.data);
    abort();
}

/* ---- readers ----------------------------------------------------------------------------------
 */

static void read_with_all(const rw_source *source) {
    static rw_rope_set set;
    rw_diagnostics diagnostics = {.arena = source->arena};
    for (unsigned i = 0; i < RW_RUNTIME_COUNT; i++) {
        rw_error err = {0};
        if (rw_dialect_read((rw_runtime)i, source, &set, &diagnostics, &err) != RW_OK) {
            fuzz_refused(&err);
            continue;
        }
        rw_dialect_effective_window((rw_runtime)i, source, &set);
        for (uint32_t g = 0; g < set.count; g++) {
            static rw_rope_table table;
            if (rw_rope_spec_check(&set.group[g].spec, &err) != RW_OK)
                die("a reader let through what is no rotation", (rw_str){0}, &err);
            if (rw_rope_table_build(&set.group[g].spec, 4097, &table, &err) != RW_OK)
                fuzz_refused(&err);
        }
    }
}

/* ---- nothing else changes ----------------------------------------------------------------------
 */

static bool is_meant(rw_str key) {
    static const char *const keys[] = {"rope_scaling",
                                       "rope_parameters",
                                       "rope_theta",
                                       "rotary_emb_base",
                                       "n_positions",
                                       "n_ctx",
                                       "seq_length",
                                       "max_sequence_length",
                                       "max_position_embeddings",
                                       "max_seq_len",
                                       "original_max_position_embeddings"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (rw_str_is(key, keys[i]))
            return true;
    return false;
}

static const rw_json *next_kept(const rw_json *node) {
    while (node && is_meant(node->key))
        node = node->next;
    return node;
}

/* Every member that is not meant is there, in order, with the same bytes. */
static void must_be_kept(const rw_json *a, rw_str a_text, const rw_json *b, rw_str b_text,
                         unsigned depth) {
    const rw_json *n = next_kept(a->first), *m = next_kept(b->first);
    for (; n && m; n = next_kept(n->next), m = next_kept(m->next)) {
        if (!rw_str_equal(n->key, m->key) || n->type != m->type)
            break;
        if (n->type == RW_JSON_OBJECT && depth < 8) {
            must_be_kept(n, a_text, m, b_text, depth + 1);
            continue;
        }
        uint64_t size = n->end - n->begin;
        if (size != m->end - m->begin ||
            memcmp(a_text.data + n->begin, b_text.data + m->begin, size) != 0)
            break;
    }
    if (n || m) {
        fprintf(stderr, "changed: %.*s\nwas:\n%.*s\nis:\n%.*s\n", n ? (int)n->key.size : 3,
                n ? n->key.data : "new", (int)a_text.size, a_text.data, (int)b_text.size,
                b_text.data);
        abort();
    }
}

/* ---- plan, write, read back -------------------------------------------------------------------
 */

static void choose(uint8_t one, uint8_t two, const rw_source *source, rw_plan_options *options) {
    static const char *const methods[] = {NULL,           "linear", "ntk",     "yarn",
                                          "ntk_by_parts", "llama3", "dynamic", "base"};
    static const char *const targets[] = {NULL, "transformers5", "vllm,sglang",
                                          "transformers5,transformers4,llama.cpp"};
    *options = (rw_plan_options){.struct_size = sizeof *options, .replace = true, .force = true};
    options->scaling.struct_size = sizeof options->scaling;
    options->scaling.method = methods[one & 7];
    options->scaling.rope_theta = (one & 7) == 7 ? 3e6 : 0;
    options->targets = targets[one >> 3 & 3];
    options->layers = one & 0x20 ? "all" : NULL;
    options->compound = one >> 6 == 3;
    options->replace = !options->compound;
    uint64_t native = source->windows.native ? source->windows.native : 512;
    options->context = native < 1 << 20 ? native * (1 + two % 40) / (1 + two / 128) : native;
}

/* What the first file resolved to, written into the second, is what it resolves to again. */
static void must_go_back(const opened *first, const opened *patched, const rw_plan_result *plan) {
    rw_error err = {0};
    rw_buf text = {.ctx = fuzz_context()};
    opened back;
    rw_targets home = 1u << RW_TRANSFORMERS5;
    const char *why = NULL;
    uint64_t window = first->source.windows.advertised;
    rw_targets proven = 0;
    /* only what can be said at all: a file may have come to its rotation by defaults */
    if (!window || rw_dialect_rehearse(&patched->source, &plan->before, window, home, &proven, &why,
                                       &err) != RW_OK)
        return;
    if (!(proven & home) && (plan->targets & home) &&
        rw_dialect_expressible(RW_TRANSFORMERS5, &first->source, &plan->before, window, &why))
        die("there and not back", rw_checkpoint_config_text(patched->checkpoint), &err);
    if (rw_dialect_write_config(&patched->source, &plan->before, window, home, &text, &err) ==
        RW_OK)
        if (open_text(&back, (rw_str){text.data, text.size}, &err) == RW_OK)
            must_be_kept(rw_checkpoint_config(first->checkpoint),
                         rw_checkpoint_config_text(first->checkpoint),
                         rw_checkpoint_config(back.checkpoint),
                         rw_checkpoint_config_text(back.checkpoint), 0);
    if (text.size)
        close_opened(&back);
    rw_buf_free(&text);
}

/* The keys and small tensors of a GGUF: llama.cpp's reader resolves what was planned, and the other
   tensors are all there. */
static void through_a_gguf(const opened *o, const rw_plan_result *plan) {
    rw_error err = {0};
    rw_gguf_edit *edit = NULL;
    opened patched;
    const char *path = scratch_path("-out.gguf");
    if (rw_gguf_edit_begin(o->checkpoint, &edit, &err) != RW_OK) {
        fuzz_refused(&err);
        return;
    }
    rw_status status = rw_dialect_write_gguf(&o->source, &plan->after, plan->context, edit, &err);
    if (status != RW_OK) {
        rw_gguf_edit_abort(edit);
        die("what was planned cannot be written", (rw_str){0}, &err);
    }
    if (rw_gguf_edit_finish(edit, path, &err) != RW_OK) {
        fuzz_refused(&err); /* a damaged file may not bear editing */
        return;
    }
    if (open_file(&patched, path, &err) != RW_OK)
        die("what was written cannot be read", (rw_str){0}, &err);
    if (rw_dialect_prove(&patched.source, &plan->after, plan->targets, plan->context, NULL, &err) !=
        RW_OK)
        die("not proven", (rw_str){0}, &err);
    for (size_t i = 0; i < rw_checkpoint_tensor_count(o->checkpoint); i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(o->checkpoint, i);
        const char *called = rw_arena_text(o->source.arena, tensor->name.data, tensor->name.size);
        const rw_tensor *now = rw_checkpoint_tensor(patched.checkpoint, called);
        if (strncmp(called, "rope_", 5) != 0 && (!now || now->elements != tensor->elements))
            abort();
    }
    close_opened(&patched);
    unlink(path);
}

static void there_and_back(opened *o, const rw_plan_options *options) {
    static rw_plan_result plan;
    rw_error err = {0};
    rw_status status = rw_plan_make(&o->source, options, &plan, &err);
    bool guard = status == RW_ERR_REFUSED || status == RW_ERR_USAGE;
    if (status != RW_OK && status != RW_ERR_INPUT && !guard)
        die("plan", rw_checkpoint_config_text(o->checkpoint), &err);
    if (status != RW_OK || plan.nothing_to_do)
        return;
    if (rw_checkpoint_format(o->checkpoint) == RW_FORMAT_GGUF) {
        through_a_gguf(o, &plan);
        return;
    }
    rw_buf text = {.ctx = fuzz_context()};
    if (rw_dialect_write_config(&o->source, &plan.after, plan.context, plan.targets, &text, &err) !=
        RW_OK)
        die("what was planned cannot be written", rw_checkpoint_config_text(o->checkpoint), &err);
    opened patched;
    rw_str written = {text.data, text.size};
    if (open_text(&patched, written, &err) != RW_OK)
        die("what was written cannot be read", written, &err);
    if (rw_dialect_prove(&patched.source, &plan.after, plan.targets, plan.context, NULL, &err) !=
        RW_OK)
        die("not proven", written, &err);
    must_be_kept(rw_checkpoint_config(o->checkpoint), rw_checkpoint_config_text(o->checkpoint),
                 rw_checkpoint_config(patched.checkpoint), written, 0);
    must_go_back(o, &patched, &plan);
    close_opened(&patched);
    rw_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool registered;
    if (!registered)
        registered = atexit(remove_scratch) == 0;
    if (size < 2)
        return 0;
    opened o;
    rw_error err = {0};
    rw_plan_options options;
    if (open_text(&o, (rw_str){(const char *)data + 2, size - 2}, &err) == RW_OK) {
        read_with_all(&o.source);
        choose(data[0], data[1], &o.source, &options);
        there_and_back(&o, &options);
    } else {
        fuzz_refused(&err);
    }
    close_opened(&o);
    return 0;
}
