/*
 * windows.c - the four windows of a model, and which of them is the native one.
 *
 * max_position_embeddings means four things in the wild: trained length, advertised length, table
 * size, ramp origin (field report B10). Here they are four fields. The native window comes from the
 * known-models table, else our own receipt beside the checkpoint (an NTK-aware patch leaves no
 * other trace), else the block's original window, else the advertised one.
 */
#include "dialect/internal.h"

enum { SIDECAR_MAX = 16 << 20 };

/* A small JSON file beside the checkpoint; NULL when it is not there or cannot be read. */
static const rw_json *sidecar(const rw_source *source, const char *name) {
    rw_buf text = {.ctx = source->arena->ctx};
    const rw_json *root = NULL;
    if (rw_checkpoint_sidecar(source->checkpoint, name, SIDECAR_MAX, &text, NULL) == RW_OK) {
        const char *kept = rw_arena_text(source->arena, text.data ? text.data : "", text.size);
        if (kept)
            rw_json_parse_python(source->arena, (rw_str){kept, text.size}, name, &root, NULL);
    }
    rw_buf_free(&text);
    return root;
}

/* receipt.json in a directory, NAME.receipt.json beside NAME.gguf. */
static const char *receipt_name(const rw_source *source) {
    if (rw_checkpoint_format(source->checkpoint) != RW_FORMAT_GGUF)
        return "receipt.json";
    const char *path = rw_checkpoint_path(source->checkpoint);
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t size = strlen(base);
    if (size > 5 && strcmp(base + size - 5, ".gguf") == 0)
        size -= 5;
    return rw_arena_format(source->arena, "%.*s.receipt.json", (int)size, base);
}

/* What our receipt says the checkpoint was before we patched it; NULL when there is none, or when
   it speaks of another window than the checkpoint has now. */
static const rw_json *receipt_plan(const rw_source *source) {
    const char *name = receipt_name(source);
    const rw_json *root = name ? sidecar(source, name) : NULL;
    rw_str schema = rw_json_string_or(rw_json_get(root, "schema"), "");
    if (schema.size < 16 || memcmp(schema.data, "ropewalk.receipt", 16) != 0)
        return NULL;
    const rw_json *plan = rw_json_path(root, "manifest.plan");
    uint64_t context = rw_json_u64_or(rw_json_get(plan, "context"), 0);
    return context == source->windows.advertised ? plan : NULL;
}

static uint64_t advertised(const rw_source *source) {
    if (rw_checkpoint_format(source->checkpoint) != RW_FORMAT_GGUF)
        return rw_hf_window(source);
    uint64_t window = 0;
    char key[128];
    rw_gguf_key(source, "context_length", key);
    return rw_gguf_u64(rw_checkpoint_gguf(source->checkpoint), key, &window) ? window : 0;
}

static rw_str type_of(const rw_source *source) {
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return rw_str_of(source->arch.name);
    return rw_json_string_or(rw_json_get(source->language, "model_type"), "");
}

static void say_known(rw_source *source, const rw_known_model *model) {
    rw_windows *w = &source->windows;
    w->native = model->native;
    source->native_source = rw_arena_format(source->arena, "known model: %s", model->name);
    uint64_t stated = w->ramp_origin;
    if (stated && stated != model->native)
        rw_diagnose(&source->diagnostics, "dialect.native_contradicted", RW_WARNING, true, "",
                    "the checkpoint states an original window of %llu, and %s was trained for "
                    "%llu: the latter is taken",
                    (unsigned long long)stated, model->name, (unsigned long long)model->native);
}

/* A window that is long and no word of how: a fine-tune with another one, or the upstream's scaling
   got lost. Nothing is guessed, but it is said. */
static void say_unexplained(rw_source *source, const rw_rope_group *group) {
    const rw_windows *w = &source->windows;
    const rw_known_model *model = NULL;
    if (group && group->spec.method == RW_ROPE_NONE)
        model = rw_known_model_shorter(type_of(source), &group->spec, w->advertised);
    if (model)
        rw_diagnose(&source->diagnostics, "dialect.window_unexplained", RW_WARNING, true, "",
                    "%llu tokens are advertised with no scaling, and %s, of the same type and "
                    "theta, was trained for %llu: if this was made long upstream, give the window "
                    "it was trained for with --original-context",
                    (unsigned long long)w->advertised, model->name,
                    (unsigned long long)model->native);
}

static void choose_native(rw_source *source, const rw_rope_group *group) {
    rw_windows *w = &source->windows;
    const rw_known_model *model =
        group ? rw_known_model_find(type_of(source), &group->spec, w->advertised) : NULL;
    const rw_json *plan = receipt_plan(source);
    uint64_t receipt = rw_json_u64_or(rw_json_get(plan, "native"), 0);
    w->native = w->advertised;
    source->native_source = "the advertised window";
    if (model) {
        say_known(source, model);
    } else if (receipt) {
        w->native = receipt;
        source->receipt_plan = plan;
        source->native_source = "our receipt beside the checkpoint";
    } else if (w->ramp_origin) {
        w->native = w->ramp_origin;
        source->native_source = "the original window that the block states";
    } else {
        say_unexplained(source, group);
    }
}

static uint64_t tokenizer_window(const rw_source *source) {
    if (rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF)
        return 0;
    const rw_json *root = sidecar(source, "tokenizer_config.json");
    return rw_json_u64_or(rw_json_get(root, "model_max_length"), 0);
}

/* Does the schedule have an origin that it counts rotations over? (Dynamic NTK's threshold is the
   advertised window itself.) */
static bool counts_rotations(const rw_rope_spec *spec) {
    return spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS ||
           spec->method == RW_ROPE_LLAMA3 || spec->method == RW_ROPE_LONGROPE;
}

rw_status rw_windows_read(rw_source *source, rw_error *err) {
    rw_rope_set *set = rw_arena_alloc(source->arena, sizeof *set);
    if (!set)
        return rw_fail_memory(err, "windows", sizeof *set);
    rw_error why = {0};
    const rw_rope_group *group = NULL;
    source->windows.advertised = advertised(source);
    if (rw_dialect_read_best(source, set, NULL, &why) == RW_OK)
        group = rw_primary_group(set);
    if (group && counts_rotations(&group->spec))
        source->windows.ramp_origin = group->spec.original_context;
    source->windows.tokenizer = tokenizer_window(source);
    choose_native(source, group);
    return RW_OK;
}
