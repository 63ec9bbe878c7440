/*
 * source.c - a checkpoint understood: which part of it describes the language model, and whether
 * that rotates at all (walker rules of the reference page, 4.1).
 */
#include "dialect/internal.h"

/* Where a composite model keeps its language model; the first that rotates wins. Vision, audio and
   talker parts may carry rotary keys of their own and are not in this list, so never touched. */
static const char *const language_paths[] = {"thinker_config.text_config",
                                             "text_config",
                                             "llm_config",
                                             "language_config",
                                             "lm_config",
                                             "lfm",
                                             "transformer_layer_config",
                                             "decoder",
                                             "generator",
                                             NULL};

/* ---- which object describes the language model ----------------------------------------------- */

static void find_language(rw_source *source) {
    const rw_json *root = rw_checkpoint_config(source->checkpoint);
    source->language = root;
    source->language_path = "";
    for (const char *const *path = language_paths; *path; path++) {
        const rw_json *object = rw_json_path(root, *path);
        if (object && object->type == RW_JSON_OBJECT && rw_language_rotates(object)) {
            source->language = object;
            source->language_path = *path;
            return;
        }
    }
}

/* ---- contradictions -------------------------------------------------------------------------- */

/* Comparing members is quadratic, and files are hostile. */
enum { MEMBERS_MAX = 2048 };

static bool json_equal(const rw_json *a, const rw_json *b, unsigned depth);

static bool members_equal(const rw_json *a, const rw_json *b, unsigned depth) {
    for (const rw_json *n = a->first; n; n = n->next) {
        const rw_json *other = NULL;
        for (const rw_json *m = b->first; m; m = m->next)
            if (rw_str_equal(m->key, n->key))
                other = m;
        if (!other || !json_equal(n, other, depth + 1))
            return false;
    }
    return true;
}

static bool json_equal(const rw_json *a, const rw_json *b, unsigned depth) {
    if (a->type != b->type || a->count != b->count || a->count > MEMBERS_MAX ||
        depth > RW_JSON_DEPTH_MAX)
        return false;
    switch (a->type) {
    case RW_JSON_NULL:
        return true;
    case RW_JSON_BOOL:
        return a->boolean == b->boolean;
    case RW_JSON_NUMBER:
        return a->number == b->number;
    case RW_JSON_STRING:
        return rw_str_equal(a->string, b->string);
    case RW_JSON_OBJECT:
        return members_equal(a, b, depth);
    default:
        for (const rw_json *n = a->first, *m = b->first; n && m; n = n->next, m = m->next)
            if (!json_equal(n, m, depth + 1))
                return false;
        return true;
    }
}

/* Does every key of the old block say the same in the new one? (rope_theta and the two names of
   the type may be in one of them only.) */
static bool spellings_agree(const rw_json *scaling, const rw_json *parameters) {
    if (!rw_str_equal(rw_hf_rope_type(scaling), rw_hf_rope_type(parameters)))
        return false;
    if (scaling->count > MEMBERS_MAX || parameters->count > MEMBERS_MAX)
        return false;
    const rw_json *pair[2] = {scaling, parameters};
    for (int i = 0; i < 2; i++)
        for (const rw_json *n = pair[i]->first; n; n = n->next) {
            bool optional = rw_str_is(n->key, "rope_theta") || rw_str_is(n->key, "type") ||
                            rw_str_is(n->key, "rope_type");
            const rw_json *other = NULL;
            for (const rw_json *m = pair[1 - i]->first; m; m = m->next)
                if (rw_str_equal(m->key, n->key))
                    other = m;
            if (other ? !optional && !json_equal(n, other, 0) : !optional)
                return false;
        }
    return true;
}

/* Theta that only the new block states is lost to the readers of the old one. */
static bool thetas_agree(const rw_json *language, const rw_json *scaling,
                         const rw_json *parameters) {
    double inside = rw_json_number_or(rw_json_get(parameters, "rope_theta"), 0);
    double level = rw_json_number_or(rw_json_get(language, "rope_theta"), 0);
    double other = rw_json_number_or(rw_json_get(scaling, "rope_theta"), level);
    return !inside || inside == other;
}

static void check_two_spellings(rw_source *source) {
    const rw_json *scaling = rw_hf_block(source->language, "rope_scaling");
    const rw_json *parameters = rw_hf_block(source->language, "rope_parameters");
    if (!scaling || !parameters)
        return;
    bool agree =
        spellings_agree(scaling, parameters) && thetas_agree(source->language, scaling, parameters);
    rw_diagnose(&source->diagnostics, "dialect.two_spellings", agree ? RW_INFO : RW_ERROR, !agree,
                rw_join_path(source, source->language_path, "rope_scaling"),
                agree ? "rope_scaling and rope_parameters are both there and say the same"
                      : "rope_scaling and rope_parameters are both there and disagree: "
                        "transformers takes the former, llama.cpp's converter the latter; remove "
                        "the one that is not meant");
}

/* Rotary keys at the root of a composite model, beside those of its language part. */
static void check_two_levels(rw_source *source) {
    static const char *const keys[] = {"rope_theta", "rope_scaling", "rope_parameters"};
    const rw_json *root = rw_checkpoint_config(source->checkpoint);
    if (root == source->language)
        return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_json *top = rw_json_get(root, keys[i]);
        const rw_json *own = rw_json_get(source->language, keys[i]);
        if (rw_json_is_null(top))
            continue;
        bool agree = own && json_equal(top, own, 0);
        rw_diagnose(&source->diagnostics, "dialect.two_levels", agree ? RW_INFO : RW_ERROR, !agree,
                    keys[i],
                    agree ? "%s stands at the root and in %s, and says the same"
                          : "%s stands at the root and in %s, and they disagree: remove the one "
                            "that is not meant",
                    keys[i], source->language_path);
    }
}

/* Python's json.load refuses what begins with one; a patch would keep it. */
static void note_byte_order_mark(rw_source *source) {
    rw_str text = rw_checkpoint_config_text(source->checkpoint);
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        rw_diagnose(&source->diagnostics, "dialect.byte_order_mark", RW_WARNING, false,
                    "config.json",
                    "the file begins with a byte order mark: transformers does not load it so; "
                    "save it as UTF-8 without one");
}

/* ---- architecture ---------------------------------------------------------------------------- */

static void name_from_config(const rw_source *source, rw_arch *arch) {
    const rw_json *root = rw_checkpoint_config(source->checkpoint);
    const rw_json *names = rw_json_get(source->language, "architectures");
    if (!names)
        names = rw_json_get(root, "architectures");
    rw_str type = rw_json_string_or(rw_json_get(source->language, "model_type"), "");
    rw_str name = rw_json_string_or(names ? names->first : NULL, "");
    if (!name.size)
        name = type;
    snprintf(arch->name, sizeof arch->name, "%.*s", (int)(name.size < 63 ? name.size : 63),
             name.size ? name.data : "");
    snprintf(arch->model_type, sizeof arch->model_type, "%.*s",
             (int)(type.size < 63 ? type.size : 63), type.size ? type.data : "");
}

/* A rotation can be read from less than an architecture needs: then the sizes are unknown, and the
   rest goes on. */
static rw_status read_arch_config(rw_source *source, rw_error *err) {
    rw_error why = {0};
    rw_status status = rw_arch_from_config(source->language, source->arena, &source->arch, &why);
    if (status != RW_OK) {
        if (status != RW_ERR_INPUT || strcmp(why.code, "arch.missing_key") != 0) {
            if (err)
                *err = why;
            return status;
        }
        memset(&source->arch, 0, sizeof source->arch);
        rw_diagnose(&source->diagnostics, "arch.missing_key", RW_WARNING, false, why.where,
                    "%s; sizes are unknown", why.message);
    }
    if (!source->arch.name[0] || source->language_path[0])
        name_from_config(source, &source->arch);
    return RW_OK;
}

static bool lookup_number(void *user, const char *key, double *out) {
    const rw_source *source = user;
    char full[128];
    rw_gguf_key(source, key, full);
    return rw_gguf_double(rw_checkpoint_gguf(source->checkpoint), full, out);
}

static bool lookup_string(void *user, const char *key, rw_str *out) {
    const rw_source *source = user;
    const rw_gguf *gguf = rw_checkpoint_gguf(source->checkpoint);
    char full[128];
    if (strcmp(key, "general.architecture") == 0)
        return rw_gguf_string(gguf, key, out);
    rw_gguf_key(source, key, full);
    return rw_gguf_string(gguf, full, out);
}

static bool lookup_per_layer(void *user, const char *key, uint32_t layer, double *out) {
    const rw_source *source = user;
    const rw_gguf *gguf = rw_checkpoint_gguf(source->checkpoint);
    char full[128];
    rw_gguf_key(source, key, full);
    const rw_gguf_value *value = rw_gguf_get(gguf, full);
    if (!value || value->type != RW_GGUF_ARRAY)
        return rw_gguf_double(gguf, full, out);
    double *numbers = NULL;
    size_t count = 0;
    if (rw_gguf_numbers(gguf, full, source->arena, &numbers, &count, NULL) != RW_OK ||
        layer >= count)
        return false;
    *out = numbers[layer];
    return true;
}

static bool lookup_tensor(void *user, const char *name) {
    const rw_source *source = user;
    return rw_checkpoint_tensor(source->checkpoint, name) != NULL;
}

static bool lookup_rows(void *user, const char *name, uint64_t *rows) {
    const rw_source *source = user;
    const rw_tensor *tensor = rw_checkpoint_tensor(source->checkpoint, name);
    if (!tensor || !tensor->n_dims)
        return false;
    *rows = tensor->shape[0];
    return true;
}

static rw_status read_arch_gguf(rw_source *source, rw_error *err) {
    rw_str name = {0};
    const rw_gguf *gguf = rw_checkpoint_gguf(source->checkpoint);
    if (!rw_gguf_string(gguf, "general.architecture", &name) || !name.size || name.size > 48)
        return rw_fail(err, RW_ERR_INPUT, "dialect.no_architecture", "general.architecture",
                       "the GGUF does not say what architecture it holds");
    snprintf(source->arch.name, sizeof source->arch.name, "%.*s", (int)name.size, name.data);
    /* The lookups need the prefix before rw_arch_from_metadata has filled its own record. */
    rw_source *prefix = rw_arena_alloc(source->arena, sizeof *prefix);
    if (!prefix)
        return rw_fail_memory(err, "general.architecture", sizeof *prefix);
    *prefix = *source;
    rw_arch_lookup lookup = {.user = prefix,
                             .number = lookup_number,
                             .string = lookup_string,
                             .per_layer = lookup_per_layer,
                             .has_tensor = lookup_tensor,
                             .tensor_rows = lookup_rows};
    return rw_arch_from_metadata(&lookup, source->arena, &source->arch, err);
}

/* GGUF of an architecture whose positions are not rotary: no key of rope and no known type. */
static rw_status check_rotates_gguf(const rw_source *source, rw_error *err) {
    const rw_gguf *gguf = rw_checkpoint_gguf(source->checkpoint);
    static const char *const keys[] = {"rope.freq_base", "rope.dimension_count",
                                       "rope.scaling.type"};
    char full[128];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        rw_gguf_key(source, keys[i], full);
        if (rw_gguf_get(gguf, full))
            return RW_OK;
    }
    if (rw_model_type_gguf(rw_str_of(source->arch.name)))
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "dialect.no_rope", "general.architecture",
                   "the GGUF has no rotary key (%s.rope.*) and its architecture is not one known "
                   "to rotate without",
                   source->arch.name);
}

rw_status rw_source_read(const rw_checkpoint *checkpoint, rw_arena *arena, rw_source *out,
                         rw_error *err) {
    memset(out, 0, sizeof *out);
    out->checkpoint = checkpoint;
    out->arena = arena;
    out->diagnostics.arena = arena;
    out->language_path = "";
    if (rw_checkpoint_format(checkpoint) == RW_FORMAT_GGUF) {
        RW_TRY(read_arch_gguf(out, err));
        RW_TRY(check_rotates_gguf(out, err));
    } else {
        find_language(out);
        RW_TRY(rw_positions_check(out, err));
        RW_TRY(read_arch_config(out, err));
        RW_TRY(rw_hf_check_types(out, err));
        note_byte_order_mark(out);
        check_two_spellings(out);
        check_two_levels(out);
    }
    rw_positions_note_layers(out);
    rw_companions_note(out);
    return rw_windows_read(out, err);
}
