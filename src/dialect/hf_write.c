/*
 * hf_write.c - puts a rotation into config.json, in the spelling that is there (reference page
 * 2.15, 2.16, 3.2). Every key that no method of ours owns survives, and so does every byte that is
 * not meant: a key that says the right thing already is not touched.
 */
#include "dialect/internal.h"

enum { DESIRED_MAX = 20, PATH_MAX_KEYS = 12 };

typedef struct desired {
    const char *key;
    const char *json; /* arena text */
    double number;    /* NaN: not a number */
} desired;

typedef struct hf_writer {
    const rw_source *source;
    const rw_rope_spec *spec;
    uint64_t context;
    rw_targets targets;
    rw_config_edit *edit;
    rw_error *err;
    desired want[DESIRED_MAX];
    size_t count;
    bool failed; /* out of memory while collecting */
} hf_writer;

static bool targets_any(const hf_writer *w, rw_targets set) {
    return (w->targets & set) != 0;
}

/* ---- what the block shall say ---------------------------------------------------------------- */

static void want_json(hf_writer *w, const char *key, const char *json, double number) {
    if (!json || w->count == DESIRED_MAX) {
        w->failed = true;
        return;
    }
    w->want[w->count++] = (desired){key, json, number};
}

static void want_number(hf_writer *w, const char *key, double value) {
    char text[32];
    size_t size = rw_format_double(text, value, true); /* readers want floats to look like floats */
    want_json(w, key, rw_arena_text(w->source->arena, text, size), value);
}

static void want_integer(hf_writer *w, const char *key, uint64_t value) {
    want_json(w, key, rw_arena_format(w->source->arena, "%llu", (unsigned long long)value),
              (double)value);
}

static void want_text(hf_writer *w, const char *key, const char *value) {
    want_json(w, key, rw_arena_format(w->source->arena, "\"%s\"", value), NAN);
}

static void want_list(hf_writer *w, const char *key, const double *list, uint32_t count) {
    rw_buf text = {.ctx = w->source->arena->ctx};
    rw_buf_char(&text, '[');
    for (uint32_t i = 0; i < count; i++) {
        char number[32];
        size_t size = rw_format_double(number, list[i], true);
        rw_buf_text(&text, i ? ",\n  " : "\n  ");
        rw_buf_append(&text, number, size);
    }
    rw_buf_text(&text, "\n]");
    want_json(w, key, text.failed ? NULL : rw_arena_text(w->source->arena, text.data, text.size),
              NAN);
    rw_buf_free(&text);
}

/* A non-default final amplitude, and the same as the multiplier that SGLang reads. */
static void want_amplitude(hf_writer *w, double amplitude) {
    want_number(w, "attention_factor", amplitude);
    if (targets_any(w, 1u << RW_SGLANG))
        want_number(w, "attn_factor", amplitude / rw_yarn_temperature(w->spec->factor, 1));
}

static bool mscale_decides(const rw_rope_spec *spec) {
    if (spec->mscale == 0 || spec->mscale_all_dim == 0)
        return false;
    double ratio = rw_yarn_temperature(spec->factor, spec->mscale) /
                   rw_yarn_temperature(spec->factor, spec->mscale_all_dim);
    return isnan(spec->attention_factor) || fabs(spec->attention_factor - ratio) <= 4e-7 * ratio;
}

static void want_yarn(hf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    want_number(w, "factor", spec->factor);
    want_integer(w, "original_max_position_embeddings", spec->original_context);
    if (spec->beta_fast != 32)
        want_number(w, "beta_fast", spec->beta_fast);
    if (spec->beta_slow != 1)
        want_number(w, "beta_slow", spec->beta_slow);
    if (!spec->truncate)
        want_json(w, "truncate", "false", NAN);
    if (spec->mscale != 0)
        want_number(w, "mscale", spec->mscale);
    if (spec->mscale_all_dim != 0)
        want_number(w, "mscale_all_dim", spec->mscale_all_dim);
    if (spec->method == RW_ROPE_NTK_BY_PARTS)
        want_amplitude(w, isnan(spec->attention_factor) ? 1 : spec->attention_factor);
    else if (!isnan(spec->attention_factor) && !mscale_decides(spec))
        want_amplitude(w, spec->attention_factor);
}

static void want_llama3(hf_writer *w) {
    want_number(w, "factor", w->spec->factor);
    want_number(w, "low_freq_factor", w->spec->low_freq_factor);
    want_number(w, "high_freq_factor", w->spec->high_freq_factor);
    want_integer(w, "original_max_position_embeddings", w->spec->original_context);
}

/* Phi-3 in transformers 4 takes type and lists only; then the windows must say the rest: the factor
   is M / L0, the amplitude LongRoPE's own. */
static bool three_keys_suffice(const hf_writer *w, const rw_rope_table *table) {
    double factor = (double)w->context / (double)w->spec->original_context;
    double usual = factor > 1 ? sqrt(1 + log(factor) / log((double)w->spec->original_context)) : 1;
    return rw_model_type_of(w->source)->longrope_only &&
           targets_any(w, 1u << RW_TRANSFORMERS4 | 1u << RW_TRANSFORMERS4_EARLY) &&
           fabs(table->attention_factor - usual) <= 4e-7 * usual;
}

/* LongRoPE, or any schedule in its lists: base_k / w_k, with the amplitude spelled out. */
static rw_status want_longrope(hf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    rw_rope_table table, plain;
    rw_rope_spec unscaled;
    uint32_t pairs = spec->rotary_dim / 2;
    RW_TRY(rw_rope_table_build(spec, w->context, &table, w->err));
    if (spec->method == RW_ROPE_LONGROPE) {
        want_list(w, "short_factor", spec->short_factor, pairs);
        want_list(w, "long_factor", spec->long_factor, pairs);
    } else {
        double factors[RW_ROPE_MAX_PAIRS];
        rw_rope_spec_init(&unscaled);
        unscaled.theta = spec->theta;
        unscaled.head_dim = spec->head_dim;
        unscaled.rotary_dim = spec->rotary_dim;
        RW_TRY(rw_rope_table_build(&unscaled, 0, &plain, w->err));
        for (uint32_t k = 0; k < pairs; k++)
            factors[k] = plain.inv_freq[k] / table.inv_freq[k];
        want_list(w, "short_factor", factors, pairs);
        want_list(w, "long_factor", factors, pairs);
    }
    if (three_keys_suffice(w, &table))
        return RW_OK;
    want_number(w, "factor", spec->factor);
    want_integer(w, "original_max_position_embeddings", spec->original_context);
    want_number(w, "attention_factor", table.attention_factor);
    if (targets_any(w, 1u << RW_VLLM | 1u << RW_SGLANG)) {
        want_number(w, "short_mscale", table.attention_factor);
        want_number(w, "long_mscale", table.attention_factor);
    }
    return RW_OK;
}

/* Does the spec change single frequencies, so that theta alone can't say it? */
static bool is_schedule(const rw_rope_spec *spec) {
    return spec->method != RW_ROPE_NONE && spec->method != RW_ROPE_BASE &&
           spec->method != RW_ROPE_NTK && spec->method != RW_ROPE_DYNAMIC &&
           spec->method != RW_ROPE_LONGROPE;
}

bool rw_hf_needs_lists(const rw_source *source, const rw_rope_spec *spec) {
    if (rw_model_type_of(source)->longrope_only && is_schedule(spec))
        return true;
    if (spec->method == RW_ROPE_PER_PAIR || spec->pair_factor_count)
        return true;
    bool ignores_amplitude = spec->method == RW_ROPE_NONE || spec->method == RW_ROPE_BASE ||
                             spec->method == RW_ROPE_NTK || spec->method == RW_ROPE_LINEAR ||
                             spec->method == RW_ROPE_LLAMA3;
    return ignores_amplitude && !isnan(spec->attention_factor) && spec->attention_factor != 1;
}

/* The name of the type that carries this spec. */
static const char *type_name(const rw_source *source, const rw_rope_spec *spec) {
    if (rw_hf_needs_lists(source, spec))
        return "longrope";
    switch (spec->method) {
    case RW_ROPE_NTK_BY_PARTS:
        return "yarn";
    case RW_ROPE_NONE:
    case RW_ROPE_BASE:
    case RW_ROPE_NTK:
        return "default";
    default:
        return rw_rope_method_name(spec->method);
    }
}

static rw_status want_method(hf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    const char *type = type_name(w->source, spec);
    if (strcmp(type, "longrope") == 0)
        return want_longrope(w);
    if (strcmp(type, "yarn") == 0)
        want_yarn(w);
    else if (strcmp(type, "llama3") == 0)
        want_llama3(w);
    else if (strcmp(type, "default") != 0 &&
             !(spec->method == RW_ROPE_PROPORTIONAL && spec->factor == 1))
        want_number(w, "factor", spec->factor);
    return RW_OK;
}

/* Theta that says the whole rotation where the type is "default": NTK-aware is a new base. */
static double theta_to_write(const rw_source *source, const rw_rope_spec *spec) {
    if (spec->method != RW_ROPE_NTK || rw_hf_needs_lists(source, spec))
        return spec->theta;
    double d = spec->rotary_dim;
    return (float)(spec->theta * pow(spec->factor, d / (d - 2)));
}

/* ---- editing --------------------------------------------------------------------------------- */

/* Keys of a place: `base` split at dots, then up to three keys. */
typedef struct key_path {
    char storage[128];
    const char *keys[PATH_MAX_KEYS];
    size_t count;
} key_path;

static void path_begin(key_path *path, const char *base) {
    path->count = 0;
    snprintf(path->storage, sizeof path->storage, "%s", base);
    char *at = path->storage;
    while (*at && path->count < PATH_MAX_KEYS - 4) {
        path->keys[path->count++] = at;
        char *dot = strchr(at, '.');
        if (!dot)
            break;
        *dot = 0;
        at = dot + 1;
    }
}

static rw_status set_at(hf_writer *w, const key_path *place, const char *key, const char *json) {
    const char *keys[PATH_MAX_KEYS];
    memcpy(keys, place->keys, place->count * sizeof *keys);
    keys[place->count] = key;
    keys[place->count + 1] = NULL;
    return rw_config_edit_set(w->edit, keys, json, w->err);
}

static rw_status remove_at(hf_writer *w, const key_path *place, const char *key) {
    const char *keys[PATH_MAX_KEYS];
    memcpy(keys, place->keys, place->count * sizeof *keys);
    keys[place->count] = key;
    keys[place->count + 1] = NULL;
    return rw_config_edit_remove(w->edit, keys, w->err);
}

static bool says_already(const rw_json *node, const desired *want) {
    if (!node)
        return false;
    if (!isnan(want->number))
        return node->type == RW_JSON_NUMBER && node->number == want->number;
    size_t size = strlen(want->json);
    return node->type == RW_JSON_STRING && node->string.size + 2 == size &&
           memcmp(node->string.data, want->json + 1, size - 2) == 0;
}

static const char *const owned_keys[] = {"factor",
                                         "original_max_position_embeddings",
                                         "attention_factor",
                                         "attn_factor",
                                         "beta_fast",
                                         "beta_slow",
                                         "mscale",
                                         "mscale_all_dim",
                                         "truncate",
                                         "low_freq_factor",
                                         "high_freq_factor",
                                         "short_factor",
                                         "long_factor",
                                         "short_mscale",
                                         "long_mscale",
                                         "alpha",
                                         "mixed_b",
                                         "extrapolation_factor",
                                         NULL};

static bool wanted(const hf_writer *w, const char *key) {
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->want[i].key, key) == 0)
            return true;
    return false;
}

/* Brings an existing block to what is wanted, key by key. */
static rw_status edit_block(hf_writer *w, const key_path *place, const rw_json *block) {
    for (const char *const *key = owned_keys; *key; key++)
        if (!wanted(w, *key) && rw_json_get(block, *key))
            RW_TRY(remove_at(w, place, *key));
    for (size_t i = 0; i < w->count; i++)
        if (!says_already(rw_json_get(block, w->want[i].key), &w->want[i]))
            RW_TRY(set_at(w, place, w->want[i].key, w->want[i].json));
    return RW_OK;
}

static rw_status add_block(hf_writer *w, const key_path *parent, const char *key) {
    rw_buf text = {.ctx = w->source->arena->ctx};
    rw_json_writer json = {.out = &text, .indent = 2};
    rw_json_begin_object(&json);
    for (size_t i = 0; i < w->count; i++) {
        rw_json_key(&json, w->want[i].key);
        rw_json_raw(&json, rw_str_of(w->want[i].json));
    }
    rw_json_end_object(&json);
    rw_status status = rw_buf_status(&text, w->err);
    if (status == RW_OK)
        status = set_at(w, parent, key, text.data);
    rw_buf_free(&text);
    return status;
}

/* ---- the two spellings ----------------------------------------------------------------------- */

/* Does the block hold anything that is not ours to drop (mrope_section, finetuned, ...)? */
static bool has_foreign_keys(const rw_json *block) {
    for (const rw_json *n = block ? block->first : NULL; n; n = n->next) {
        bool ours = rw_str_is(n->key, "rope_type") || rw_str_is(n->key, "type") ||
                    rw_str_is(n->key, "rope_theta");
        for (const char *const *key = owned_keys; *key && !ours; key++)
            ours = rw_str_is(n->key, *key);
        if (!ours)
            return true;
    }
    return false;
}

static void want_types(hf_writer *w, const rw_json *block, bool both) {
    const char *type = type_name(w->source, w->spec);
    const char *old = type;
    if (strcmp(type, "default") == 0 &&
        rw_str_is(rw_json_string_or(rw_json_get(block, "type"), ""), "mrope"))
        old = "mrope"; /* what older readers know M-RoPE by */
    bool three = strcmp(type, "longrope") == 0 && rw_model_type_of(w->source)->longrope_only &&
                 targets_any(w, 1u << RW_TRANSFORMERS4 | 1u << RW_TRANSFORMERS4_EARLY);
    if (!three)
        want_text(w, "rope_type", type);
    if (both || rw_json_get(block, "type"))
        want_text(w, "type", old);
}

static rw_status collect(hf_writer *w, const rw_json *block, bool both_types, bool with_theta) {
    w->count = 0;
    w->failed = false;
    want_types(w, block, both_types);
    RW_TRY(want_method(w));
    if (with_theta || rw_json_get(block, "rope_theta"))
        want_number(w, "rope_theta", theta_to_write(w->source, w->spec));
    return w->failed ? rw_fail_memory(w->err, "rope block", 0) : RW_OK;
}

static rw_status write_parameters(hf_writer *w, const rw_json *level, const char *base,
                                  rw_layers layers) {
    const rw_json *block = rw_hf_block(level, "rope_parameters");
    if (!block)
        return RW_OK;
    key_path place;
    path_begin(&place, base);
    place.keys[place.count++] = "rope_parameters";
    if (rw_hf_is_nested(block)) {
        const char *key = layers == RW_LAYERS_SLIDING ? "sliding_attention" : "full_attention";
        block = rw_hf_block(block, key);
        place.keys[place.count++] = key;
    }
    bool theta_outside = !rw_json_is_null(rw_json_get(level, "rope_theta"));
    RW_TRY(collect(w, block, false, !theta_outside));
    return edit_block(w, &place, block);
}

static rw_status write_scaling(hf_writer *w, const rw_json *level, const char *base) {
    const rw_json *block = rw_hf_block(level, "rope_scaling");
    key_path place;
    path_begin(&place, base);
    RW_TRY(collect(w, block, true, false));
    bool plain = strcmp(type_name(w->source, w->spec), "default") == 0;
    /* where a class has a block of its own, null means that one, and "default" has to be said */
    if (plain && !has_foreign_keys(block) && !rw_model_type_of(w->source)->block)
        return block ? set_at(w, &place, "rope_scaling", "null") : RW_OK;
    if (!block)
        return add_block(w, &place, "rope_scaling");
    place.keys[place.count++] = "rope_scaling";
    return edit_block(w, &place, block);
}

/* ---- keys beside the block ------------------------------------------------------------------- */

static rw_status set_number(hf_writer *w, const rw_json *level, const char *base, const char *key,
                            double value, bool integer) {
    const rw_json *node = rw_json_get(level, key);
    if (node && node->type == RW_JSON_NUMBER && node->number == value)
        return RW_OK;
    key_path place;
    path_begin(&place, base);
    char text[32];
    rw_format_double(text, value, !integer);
    return set_at(w, &place, key, text);
}

/* Theta at its own level: where it stands, under the name it has there. */
static rw_status write_theta(hf_writer *w, const rw_json *level, const char *base, double before) {
    static const char *const keys[] = {"rope_theta", "rotary_emb_base", NULL};
    double theta = theta_to_write(w->source, w->spec);
    for (const char *const *key = keys; *key; key++)
        if (!rw_json_is_null(rw_json_get(level, *key)))
            return set_number(w, level, base, *key, theta, false);
    if (theta == before || rw_hf_block(level, "rope_parameters"))
        return RW_OK; /* the class default it is, or it stands in the block */
    const char *only = rw_model_type_of(w->source)->theta_key;
    return set_number(w, level, base, only ? only : "rope_theta", theta, false);
}

static bool has_origin(const rw_source *source, const rw_rope_spec *spec) {
    return spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS ||
           spec->method == RW_ROPE_LLAMA3 || spec->method == RW_ROPE_LONGROPE ||
           rw_hf_needs_lists(source, spec);
}

/* The config's own original window: it wins over the block's in transformers 5; transformers 4
   looks only there for LongRoPE, llama.cpp's converter for llama3 (default 8192). */
static rw_status write_origin(hf_writer *w, const rw_json *level, const char *base) {
    const char *key = "original_max_position_embeddings";
    const rw_rope_spec *spec = w->spec;
    if (!has_origin(w->source, spec))
        return RW_OK;
    bool longrope = strcmp(type_name(w->source, spec), "longrope") == 0;
    uint64_t filled_in = rw_model_type_of(w->source)->origin; /* and then it wins */
    bool needed = longrope && filled_in && filled_in != spec->original_context;
    needed |= longrope && targets_any(w, 1u << RW_TRANSFORMERS4 | 1u << RW_TRANSFORMERS4_EARLY);
    needed |= spec->method == RW_ROPE_LLAMA3 && spec->original_context != 8192 &&
              targets_any(w, 1u << RW_LLAMA_CPP);
    if (!needed && rw_json_is_null(rw_json_get(level, key)))
        return RW_OK;
    return set_number(w, level, base, key, (double)spec->original_context, true);
}

/* 3.2: dynamic NTK needs M = L0 (a larger one turns it off); YaRN too where transformers 4 early
   takes M for the ramp's origin. Everything else advertises the new window. */
static uint64_t window_to_write(const hf_writer *w) {
    const rw_rope_spec *spec = w->spec;
    bool ramp = spec->method == RW_ROPE_YARN || spec->method == RW_ROPE_NTK_BY_PARTS;
    bool keep =
        spec->method == RW_ROPE_DYNAMIC || (ramp && targets_any(w, 1u << RW_TRANSFORMERS4_EARLY));
    return keep && spec->original_context ? spec->original_context : w->context;
}

static rw_status write_window(hf_writer *w, const rw_json *level, const char *base) {
    static const char *const keys[] = {"max_position_embeddings", "n_positions", "n_ctx",
                                       "max_sequence_length",     "seq_length",  "max_seq_len"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (rw_json_u64_or(rw_json_get(level, keys[i]), 0))
            return set_number(w, level, base, keys[i], (double)window_to_write(w), true);
    return set_number(w, level, base, keys[0], (double)window_to_write(w), true);
}

/* Null in the class, and multiplied by the functions of the scaled types: what it would have to be.
 */
static rw_status write_head_dim(hf_writer *w, const rw_json *level, const char *base) {
    const rw_model_type *type = rw_model_type_of(w->source);
    if (!rw_hf_multiplies_head_dim(rw_str_of(type_name(w->source, w->spec))) ||
        !targets_any(w, type->null_head) || level != w->source->language ||
        !rw_json_is_null(rw_json_get(level, "head_dim")))
        return RW_OK;
    return set_number(w, level, base, "head_dim", w->spec->head_dim, true);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static rw_status write_level(hf_writer *w, const rw_json *level, const char *base, rw_layers layers,
                             double theta_before) {
    bool parameters = rw_hf_block(level, "rope_parameters") != NULL;
    if (parameters)
        RW_TRY(write_parameters(w, level, base, layers));
    if (!parameters || rw_hf_block(level, "rope_scaling"))
        RW_TRY(write_scaling(w, level, base));
    RW_TRY(write_theta(w, level, base, theta_before));
    RW_TRY(write_origin(w, level, base));
    RW_TRY(write_head_dim(w, level, base));
    return write_window(w, level, base);
}

static bool root_rotates_too(const rw_source *source) {
    const rw_json *root = rw_checkpoint_config(source->checkpoint);
    return root != source->language &&
           (rw_hf_block(root, "rope_scaling") || rw_hf_block(root, "rope_parameters") ||
            !rw_json_is_null(rw_json_get(root, "rope_theta")));
}

static rw_status write_group(hf_writer *w, const rw_rope_group *group, double theta_before) {
    const rw_source *source = w->source;
    w->spec = &group->spec;
    if (group->layers == RW_LAYERS_SLIDING) /* its block and nothing beside it */
        return write_parameters(w, source->language, source->language_path, group->layers);
    RW_TRY(write_level(w, source->language, source->language_path, group->layers, theta_before));
    if (!root_rotates_too(source))
        return RW_OK;
    return write_level(w, rw_checkpoint_config(source->checkpoint), "", group->layers,
                       theta_before);
}

/* Sliding layers keep their rotation unless the plan has another and there is a block for them
   alone; where there is none, reading the result back says so. */
static bool may_write_sliding(const rw_source *source, const rw_rope_group *now,
                              const rw_rope_group *planned) {
    const rw_json *block = rw_hf_block(source->language, "rope_parameters");
    return now && !rw_rope_spec_equal(&now->spec, &planned->spec) && rw_hf_is_nested(block) &&
           rw_hf_block(block, "sliding_attention");
}

static rw_status write_groups(hf_writer *w, const rw_rope_set *set) {
    rw_rope_set *before = rw_arena_alloc(w->source->arena, sizeof *before);
    if (!before)
        return rw_fail_memory(w->err, "rotation", sizeof *before);
    RW_TRY(rw_dialect_read_best(w->source, before, NULL, w->err));
    for (uint32_t i = 0; i < set->count; i++) {
        const rw_rope_group *now = rw_rope_set_find(before, set->group[i].layers);
        if (set->group[i].layers == RW_LAYERS_SLIDING &&
            !may_write_sliding(w->source, now, &set->group[i]))
            continue;
        RW_TRY(write_group(w, &set->group[i], now ? now->spec.theta : 0));
    }
    return RW_OK;
}

rw_status rw_dialect_write_config(const rw_source *source, const rw_rope_set *set, uint64_t context,
                                  rw_targets targets, rw_buf *config, rw_error *err) {
    hf_writer *w = rw_arena_alloc(source->arena, sizeof *w);
    if (!w)
        return rw_fail_memory(err, "config.json", sizeof *w);
    *w = (hf_writer){.source = source, .context = context, .targets = targets, .err = err};
    RW_TRY(rw_config_edit_begin(source->arena->ctx, rw_checkpoint_config_text(source->checkpoint),
                                "config.json", &w->edit, err));
    rw_status status = write_groups(w, set);
    if (status != RW_OK) {
        rw_config_edit_abort(w->edit);
        return status;
    }
    return rw_config_edit_finish(w->edit, config, err);
}

rw_status rw_dialect_write_tokenizer_config(const rw_source *source, uint64_t context, rw_buf *out,
                                            bool *changed, rw_error *err) {
    static const char *const path[] = {"model_max_length", NULL};
    uint64_t now = source->windows.tokenizer;
    *changed = now != 0 && now < context;
    if (!*changed)
        return RW_OK;
    rw_buf text = {.ctx = source->arena->ctx};
    rw_config_edit *edit = NULL;
    char number[32];
    rw_format_double(number, (double)context, false);
    rw_status status =
        rw_checkpoint_sidecar(source->checkpoint, "tokenizer_config.json", 16 << 20, &text, err);
    if (status == RW_OK)
        status = rw_config_edit_begin(source->arena->ctx, (rw_str){text.data, text.size},
                                      "tokenizer_config.json", &edit, err);
    if (status == RW_OK) {
        status = rw_config_edit_set(edit, path, number, err);
        if (status == RW_OK)
            status = rw_config_edit_finish(edit, out, err);
        else
            rw_config_edit_abort(edit);
    }
    rw_buf_free(&text);
    return status;
}
