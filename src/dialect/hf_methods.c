/*
 * hf_methods.c - what the keys of a rotary block mean, method by method (reference page 2.1-2.11).
 * Differences between runtimes are questions to read->rules.
 */
#include "dialect/internal.h"

static const char *runtime_of(const rw_hf_read *read) {
    return rw_runtime_name(read->rules->runtime);
}

static const char *path_of(const rw_hf_read *read, const char *key) {
    return rw_join_path(read->source, read->path, key);
}

/* ---- single keys ----------------------------------------------------------------------------- */

/* *given: there and not null. A value that is no number is what makes a runtime fail to load. */
static rw_status number(rw_hf_read *read, const char *key, bool *given, double *out) {
    const rw_json *node = rw_json_get(read->block, key);
    *given = !rw_json_is_null(node);
    if (!*given)
        return RW_OK;
    if (node->type != RW_JSON_NUMBER || !isfinite(node->number))
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.bad_value", path_of(read, key),
                       "%s is no number, and %s cannot load it", key, runtime_of(read));
    *out = node->number;
    return RW_OK;
}

static rw_status required(rw_hf_read *read, const char *key, double *out) {
    bool given = false;
    RW_TRY(number(read, key, &given, out));
    if (given)
        return RW_OK;
    return rw_fail(read->err, RW_ERR_INPUT, "dialect.missing_key", path_of(read, key),
                   "%s needs \"%s\" in this block and fails to load without it", runtime_of(read),
                   key);
}

static uint64_t whole(double value) {
    return value >= 1 && value <= 1e15 ? (uint64_t)value : 0;
}

/* The config's own attribute, which a class may fill in; 0: none. */
static uint64_t top_origin(const rw_source *source) {
    static const char key[] = "original_max_position_embeddings";
    uint64_t stated = rw_json_u64_or(rw_json_get(source->language, key), 0);
    return stated ? stated : rw_model_type_of(source)->origin;
}

/* L0: the config's own attribute, the block's, or M, in the order of the runtime. Blocks per layer
   type know of no attribute. */
static uint64_t origin(rw_hf_read *read) {
    static const char key[] = "original_max_position_embeddings";
    uint64_t window = rw_hf_window(read->source);
    uint64_t top = read->outer || read->split ? 0 : top_origin(read->source);
    uint64_t own = whole(rw_json_number_or(rw_json_get(read->block, key), 0));
    if (top && own && top != own && read->rules->top_origin_wins)
        rw_diagnose(read->diagnostics, "dialect.two_origins", RW_WARNING, true, path_of(read, key),
                    "the config's own %s (%llu) beats the block's (%llu) in %s", key,
                    (unsigned long long)top, (unsigned long long)own, runtime_of(read));
    if (top && (read->rules->top_origin_wins || !own))
        return top;
    return own ? own : window;
}

static void note_origin_ignored(rw_hf_read *read) {
    const char *key = "original_max_position_embeddings";
    uint64_t own = whole(rw_json_number_or(rw_json_get(read->block, key), 0));
    if (read->rules->origin_is_window && own && own != rw_hf_window(read->source))
        rw_diagnose(
            read->diagnostics, "dialect.origin_ignored", RW_WARNING, true, path_of(read, key),
            "%s computes the ramp from max_position_embeddings (%llu) and ignores %s (%llu)",
            runtime_of(read), (unsigned long long)rw_hf_window(read->source), key,
            (unsigned long long)own);
}

/* ---- methods --------------------------------------------------------------------------------- */

static rw_status read_none(rw_hf_read *read) {
    read->spec->method = RW_ROPE_NONE;
    return RW_OK;
}

static rw_status read_linear(rw_hf_read *read) {
    read->spec->method = RW_ROPE_LINEAR;
    return required(read, "factor", &read->spec->factor);
}

/* vLLM and SGLang freeze dynamic NTK at M * s, where the bracket is s^2 - s + 1 (2.4). */
static void freeze_dynamic(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    double s = spec->factor;
    spec->method = RW_ROPE_NTK;
    spec->factor = s * s - s + 1;
    rw_diagnose(read->diagnostics, "dialect.dynamic_frozen", RW_WARNING, true, read->path,
                "%s has no dynamic NTK: it freezes the base at M * factor for all lengths, and "
                "differently between its versions",
                runtime_of(read));
}

/* `alpha`, where it is read (vLLM, SGLang, Hunyuan's own classes and its converter), is a change of
   base for all lengths, and the factor has no effect. */
static rw_status read_dynamic(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    bool given = false;
    double alpha = 0;
    const rw_model_type *model = rw_model_type_of(read->source);
    if (model->alpha && read->rules->strict_null)
        RW_TRY(required(read, "alpha", &alpha));
    RW_TRY(number(read, "alpha", &given, &alpha));
    if (alpha > 0 && (read->rules->dynamic_is_static || model->alpha)) {
        spec->method = RW_ROPE_NTK;
        spec->factor = alpha;
        return RW_OK;
    }
    spec->method = RW_ROPE_DYNAMIC;
    RW_TRY(required(read, "factor", &spec->factor));
    spec->original_context = rw_hf_window(read->source);
    if (read->rules->dynamic_is_static)
        freeze_dynamic(read);
    return RW_OK;
}

/* vLLM's "ntk": w_k = (b*s)^(-2k/d) / s^(2/d), pair k divided by s^(2(k+1)/d); with `mixed_b` by
   exp(a (k+1)^mixed_b), a = ln(s) / (d/2)^mixed_b (2.3). */
static rw_status read_vllm_ntk(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    double s = 1, mixed_b = 0;
    bool mixed = false;
    RW_TRY(required(read, "factor", &s));
    RW_TRY(number(read, "mixed_b", &mixed, &mixed_b));
    if (!(s >= 1))
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.bad_value", path_of(read, "factor"),
                       "a factor below 1");
    uint32_t pairs = spec->rotary_dim / 2;
    spec->method = RW_ROPE_PER_PAIR;
    spec->pair_factor_count = pairs;
    for (uint32_t k = 0; k < pairs; k++)
        spec->pair_factor[k] =
            mixed ? exp(log(s) * pow((k + 1.0) / pairs, mixed_b)) : pow(s, (k + 1.0) / pairs);
    return RW_OK;
}

static rw_status read_llama3(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    spec->method = RW_ROPE_LLAMA3;
    RW_TRY(required(read, "factor", &spec->factor));
    RW_TRY(required(read, "low_freq_factor", &spec->low_freq_factor));
    RW_TRY(required(read, "high_freq_factor", &spec->high_freq_factor));
    spec->original_context = origin(read);
    return RW_OK;
}

static rw_status read_proportional(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    bool given = false;
    spec->method = RW_ROPE_PROPORTIONAL;
    if (!(spec->partial_rotary_factor > 0))
        spec->partial_rotary_factor = 1;
    return number(read, "factor", &given, &spec->factor);
}

/* ---- YaRN ------------------------------------------------------------------------------------ */

/* 0 and null become the default, as in the source. */
static rw_status read_beta(rw_hf_read *read, const char *key, double usual, double *out) {
    bool given = false;
    double value = 0;
    RW_TRY(number(read, key, &given, &value));
    *out = value != 0 ? value : usual;
    return RW_OK;
}

static void note_ignored(rw_hf_read *read, const char *key, const char *code, const char *instead) {
    if (!rw_json_is_null(rw_json_get(read->block, key)))
        rw_diagnose(read->diagnostics, code, RW_WARNING, true, path_of(read, key),
                    "%s ignores \"%s\"%s", runtime_of(read), key, instead);
}

static rw_status read_amplitude_keys(rw_hf_read *read, bool *decided) {
    rw_rope_spec *spec = read->spec;
    double value = 1;
    if (read->rules->amplitude == RW_AMPLITUDE_FINAL) {
        note_ignored(read, "attn_factor", "dialect.attn_factor_ignored",
                     "; the key it reads is attention_factor, which is the final value");
        return number(read, "attention_factor", decided, &spec->attention_factor);
    }
    note_ignored(read, "attention_factor", "dialect.attention_factor_ignored",
                 "; the key it reads is attn_factor, a multiplier on 0.1 ln(factor) + 1");
    RW_TRY(number(read, "attn_factor", decided, &value));
    if (*decided)
        spec->attention_factor = value * rw_yarn_temperature(spec->factor, 1);
    return RW_OK;
}

/* MLA puts f(s, mscale_all_dim)^2 into the softmax scale (2.6). */
static void read_logit_scale(rw_hf_read *read, double mscale_all_dim) {
    const rw_json *language = read->source->language;
    bool mla = rw_json_u64_or(rw_json_get(language, "qk_rope_head_dim"), 0) != 0;
    rw_str type = rw_json_string_or(rw_json_get(language, "model_type"), "");
    if (read->rules->v2_plain_logits && rw_str_is(type, "deepseek_v2"))
        mla = false;
    if (!mla || mscale_all_dim == 0)
        return;
    double f = rw_yarn_temperature(read->spec->factor, mscale_all_dim);
    read->spec->logit_scale = f * f;
}

static rw_status read_mscale(rw_hf_read *read, bool decided) {
    rw_rope_spec *spec = read->spec;
    bool one = false, all = false;
    double mscale = 0, mscale_all_dim = 0;
    RW_TRY(number(read, "mscale", &one, &mscale));
    RW_TRY(number(read, "mscale_all_dim", &all, &mscale_all_dim));
    read_logit_scale(read, mscale_all_dim);
    if (!read->rules->reads_mscale) {
        note_ignored(read, "mscale", "dialect.mscale_ignored", "");
        return RW_OK;
    }
    if (one && all && (read->rules->mscale_zero_counts || (mscale != 0 && mscale_all_dim != 0))) {
        spec->mscale = mscale;
        spec->mscale_all_dim = mscale_all_dim;
        if (!decided)
            spec->attention_factor = rw_yarn_temperature(spec->factor, mscale) /
                                     rw_yarn_temperature(spec->factor, mscale_all_dim);
    } else if (one != all) {
        note_ignored(read, one ? "mscale" : "mscale_all_dim", "dialect.mscale_alone",
                     " when the other of mscale and mscale_all_dim is not there");
    }
    return RW_OK;
}

/* As Python's `if`: null, false, zero and what is empty are not. */
static bool is_true(const rw_json *node, bool absent) {
    if (!node)
        return absent;
    switch (node->type) {
    case RW_JSON_NULL:
        return false;
    case RW_JSON_BOOL:
        return node->boolean;
    case RW_JSON_NUMBER:
        return node->number != 0;
    case RW_JSON_STRING:
        return node->string.size > 0;
    default:
        return node->count > 0;
    }
}

static void read_truncate(rw_hf_read *read) {
    bool wanted = is_true(rw_json_get(read->block, "truncate"), true);
    bool honoured = read->rules->reads_truncate &&
                    ((!read->outer && !read->split) || read->rules->truncate_when_nested);
    if (!wanted && !honoured)
        rw_diagnose(read->diagnostics, "dialect.truncate_ignored", RW_WARNING, true,
                    path_of(read, "truncate"), "%s does not honour truncate=false here",
                    runtime_of(read));
    read->spec->truncate = honoured ? wanted : true;
}

/* `factor: null` becomes M / L0; a missing key is an error. */
static rw_status read_yarn_factor(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    bool given = false;
    const rw_json *node = rw_json_get(read->block, "factor");
    RW_TRY(number(read, "factor", &given, &spec->factor));
    if (given)
        return RW_OK;
    if (!node || read->rules->strict_null)
        return required(read, "factor", &spec->factor);
    if (!spec->original_context)
        return RW_OK;
    spec->factor = (double)rw_hf_window(read->source) / (double)spec->original_context;
    return RW_OK;
}

static void note_window_mismatch(rw_hf_read *read) {
    const rw_rope_spec *spec = read->spec;
    double ratio = (double)rw_hf_window(read->source) / (double)spec->original_context;
    if (spec->original_context && ratio != 1 && fabs(ratio - spec->factor) > 1e-6 * spec->factor)
        rw_diagnose(read->diagnostics, "dialect.window_is_not_factor", RW_INFO, false,
                    path_of(read, "factor"),
                    "the window is %g times the original one and the factor is %g; transformers "
                    "4.51 to 4.55 took the former",
                    ratio, spec->factor);
}

static rw_status read_yarn(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    bool decided = false;
    spec->method = RW_ROPE_YARN;
    spec->original_context =
        read->rules->origin_is_window ? rw_hf_window(read->source) : origin(read);
    note_origin_ignored(read);
    RW_TRY(read_yarn_factor(read));
    RW_TRY(read_beta(read, "beta_fast", 32, &spec->beta_fast));
    RW_TRY(read_beta(read, "beta_slow", 1, &spec->beta_slow));
    read_truncate(read);
    RW_TRY(read_amplitude_keys(read, &decided));
    RW_TRY(read_mscale(read, decided));
    note_window_mismatch(read);
    return RW_OK;
}

/* ---- LongRoPE -------------------------------------------------------------------------------- */

static rw_status read_list(rw_hf_read *read, const char *key, double *out) {
    const rw_json *list = rw_json_get(read->block, key);
    uint32_t pairs = read->spec->rotary_dim / 2;
    if (!list || list->type != RW_JSON_ARRAY || list->count != pairs)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.bad_list", path_of(read, key),
                       "%s must be a list of %u numbers, one for each pair", key, pairs);
    uint32_t i = 0;
    for (const rw_json *n = list->first; n && i < pairs; n = n->next, i++) {
        if (n->type != RW_JSON_NUMBER)
            return rw_fail(read->err, RW_ERR_INPUT, "dialect.bad_list", path_of(read, key),
                           "entry %u of %s is no number", i, key);
        out[i] = n->number;
    }
    read->spec->list_count = pairs;
    return RW_OK;
}

/* sqrt(1 + ln F / ln L0) */
static double longrope_amplitude(double factor, uint64_t original) {
    if (factor <= 1 || original < 2)
        return 1;
    return sqrt(1 + log(factor) / log((double)original));
}

/* vLLM and SGLang: short_mscale / long_mscale, else from M/L0; never attention_factor or factor. */
static rw_status ratio_amplitude(rw_hf_read *read, double ratio) {
    rw_rope_spec *spec = read->spec;
    double usual = longrope_amplitude(ratio, spec->original_context);
    double shorter = usual, longer = usual;
    bool given = false;
    RW_TRY(number(read, "short_mscale", &given, &shorter));
    RW_TRY(number(read, "long_mscale", &given, &longer));
    spec->attention_factor = longer;
    if (shorter != longer)
        rw_diagnose(read->diagnostics, "dialect.two_amplitudes", RW_WARNING, true,
                    path_of(read, "short_mscale"),
                    "%s uses another amplitude (%g) when it serves at most the original window",
                    runtime_of(read), shorter);
    return RW_OK;
}

/* Where transformers 4 finds L0 and F: the top level alone, and then M/L0 replaces the factor. */
static rw_status longrope_window(rw_hf_read *read, double *factor, bool *given) {
    const char *key = "original_max_position_embeddings";
    rw_rope_spec *spec = read->spec;
    uint64_t window = rw_hf_window(read->source);
    RW_TRY(number(read, "factor", given, factor));
    if (!read->rules->longrope_top_origin) {
        spec->original_context = origin(read);
        return RW_OK;
    }
    uint64_t top = top_origin(read->source);
    spec->original_context = top ? top : window;
    if (top) {
        *factor = (double)window / (double)top;
        *given = true;
    } else if (!*given && rw_json_is_null(rw_json_get(read->block, "attention_factor"))) {
        return required(read, "factor",
                        factor); /* M / L0 is not known, and nothing else is taken */
    } else if (!rw_json_is_null(rw_json_get(read->block, key))) {
        note_ignored(read, key, "dialect.origin_ignored",
                     " for LongRoPE: it wants it at the top level of the config");
    }
    return RW_OK;
}

static rw_status check_su(rw_hf_read *read) {
    const char *key = "original_max_position_embeddings";
    bool su = rw_str_is(rw_hf_rope_type(read->block), "su");
    if (!su || !read->rules->su_needs_origin || !rw_json_is_null(rw_json_get(read->block, key)))
        return RW_OK;
    return rw_fail(read->err, RW_ERR_INPUT, "dialect.missing_key", path_of(read, key),
                   "%s (5.17) fails on type \"su\" unless the block itself has \"%s\": write "
                   "\"longrope\"",
                   runtime_of(read), key);
}

static rw_status read_longrope(rw_hf_read *read) {
    rw_rope_spec *spec = read->spec;
    bool given = false, decided = false;
    double factor = 1;
    spec->method = RW_ROPE_LONGROPE;
    RW_TRY(read_list(read, "short_factor", spec->short_factor));
    RW_TRY(read_list(read, "long_factor", spec->long_factor));
    RW_TRY(longrope_window(read, &factor, &given));
    double ratio = spec->original_context
                       ? (double)rw_hf_window(read->source) / (double)spec->original_context
                       : 1;
    spec->factor = given ? factor : ratio > 1 ? ratio : 1;
    if (read->rules->longrope_ratio_amplitude)
        return ratio_amplitude(read, ratio);
    return number(read, "attention_factor", &decided, &spec->attention_factor);
}

/* ---- the registry ---------------------------------------------------------------------------- */

typedef struct method_entry {
    const char *type;
    rw_status (*read)(rw_hf_read *read);
    const char *keys; /* space-separated: what this type reads besides the common keys */
} method_entry;

static const method_entry methods[] = {
    {"default", read_none, ""},
    {"mrope", read_none, ""},
    {"linear", read_linear, "factor"},
    {"dynamic", read_dynamic, "factor alpha"},
    {"yarn", read_yarn,
     "factor original_max_position_embeddings attention_factor attn_factor beta_fast beta_slow "
     "mscale mscale_all_dim truncate"},
    {"llama3", read_llama3,
     "factor original_max_position_embeddings low_freq_factor high_freq_factor"},
    {"longrope", read_longrope,
     "factor original_max_position_embeddings attention_factor short_factor long_factor "
     "short_mscale long_mscale"},
    {"su", read_longrope,
     "factor original_max_position_embeddings attention_factor short_factor long_factor "
     "short_mscale long_mscale"},
    {"proportional", read_proportional, "factor"},
};
static const method_entry ntk_entry = {"ntk", read_vllm_ntk, "factor mixed_b"};

/* Keys that any block may carry and that no method of ours reads. */
static const char common_keys[] = "rope_type type rope_theta partial_rotary_factor mrope_section "
                                  "mrope_interleaved llama_4_scaling_beta finetuned";

bool rw_hf_in_list(const char *list, rw_str word) {
    for (const char *at = list; *at;) {
        size_t size = strcspn(at, " ");
        if (size == word.size && memcmp(at, word.data, size) == 0)
            return true;
        at += size + (at[size] == ' ');
    }
    return false;
}

static void note_unknown_keys(rw_hf_read *read, const method_entry *entry) {
    for (const rw_json *n = read->block->first; n; n = n->next)
        if (!rw_hf_in_list(entry->keys, n->key) && !rw_hf_in_list(common_keys, n->key)) {
            char key[64];
            snprintf(key, sizeof key, "%.*s", (int)(n->key.size < 63 ? n->key.size : 63),
                     n->key.data);
            rw_diagnose(read->diagnostics, "dialect.unknown_key", RW_INFO, false,
                        path_of(read, key), "\"%s\" is no key of type %s: it has no effect", key,
                        entry->type);
        }
}

/* What the family's own class makes of a type's name. */
static rw_str translated(const rw_hf_read *read, rw_str type) {
    const rw_model_type *model = rw_model_type_of(read->source);
    bool old = rw_str_is(type, "su") || rw_str_is(type, "yarn");
    return model->longrope_only && old ? rw_str_of("longrope") : type;
}

static bool is_known_here(const rw_hf_read *read, rw_str type) {
    const rw_model_type *model = rw_model_type_of(read->source);
    if (model->longrope_only)
        return rw_str_is(type, "longrope") || rw_str_is(type, "default");
    if (!rw_model_type_takes(model, read->rules->runtime, type))
        return false;
    if (!read->rules->own_names_only || !model->hf)
        return true;
    return !rw_str_is(type, "su") && (!rw_str_is(type, "mrope") || model->mrope);
}

static const method_entry *find_method(const rw_hf_read *read, rw_str type) {
    if (!is_known_here(read, type))
        return NULL;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (rw_str_is(type, methods[i].type))
            return &methods[i];
    return read->rules->has_ntk && rw_str_is(type, "ntk") ? &ntk_entry : NULL;
}

static void note_two_types(rw_hf_read *read) {
    rw_str now = rw_json_string_or(rw_json_get(read->block, "rope_type"), "");
    rw_str old = rw_json_string_or(rw_json_get(read->block, "type"), "");
    if (now.size && old.size && !rw_str_equal(now, old) && !rw_str_is(old, "mrope"))
        rw_diagnose(read->diagnostics, "dialect.two_types", RW_WARNING, true, read->path,
                    "rope_type says %.*s and type says %.*s: older readers take the latter",
                    (int)now.size, now.data, (int)old.size, old.data);
}

bool rw_hf_multiplies_head_dim(rw_str rope_type) {
    return rw_hf_in_list("yarn dynamic longrope", rope_type);
}

/* head_dim that a class sets to null is multiplied by the functions of these types. */
static rw_status check_head(rw_hf_read *read, rw_str type) {
    const rw_json *stated = rw_json_get(read->source->language, "head_dim");
    bool null = rw_model_type_of(read->source)->null_head & 1u << read->rules->runtime;
    if (!null || !rw_hf_multiplies_head_dim(type) || !rw_json_is_null(stated))
        return RW_OK;
    return rw_fail(read->err, RW_ERR_INPUT, "dialect.missing_key",
                   rw_join_path(read->source, read->source->language_path, "head_dim"),
                   "%s fails on type \"%.*s\" in this family unless head_dim is stated",
                   runtime_of(read), (int)type.size, type.data);
}

static rw_status check_two_keys(rw_hf_read *read) {
    rw_str type = rw_json_string_or(rw_json_get(read->block, "type"), "");
    bool fine = read->block->count == 2 && rw_json_get(read->block, "factor") &&
                rw_hf_in_list("linear dynamic", type);
    if (fine || !read->rules->three_keys || !rw_model_type_of(read->source)->two_keys)
        return RW_OK;
    return rw_fail(read->err, RW_ERR_INPUT, "dialect.unreadable", read->path,
                   "%s wants exactly type (linear or dynamic) and factor in this family's block, "
                   "and fails to load any other",
                   runtime_of(read));
}

/* What transformers 4 asks of a block in some families. Phi-3: exactly these keys, and the
   amplitude follows from the windows. */
static rw_status check_family(rw_hf_read *read) {
    static const char *const keys[] = {"type", "short_factor", "long_factor"};
    const rw_model_type *model = rw_model_type_of(read->source);
    if (read->rules->three_keys && model->wants_rope_type &&
        rw_json_is_null(rw_json_get(read->block, "rope_type")))
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.missing_key", path_of(read, "rope_type"),
                       "%s needs \"rope_type\" in this family's block and fails to load with "
                       "\"type\" alone",
                       runtime_of(read));
    if (!read->rules->three_keys || !model->longrope_only)
        return RW_OK;
    bool all = read->block->count == sizeof keys / sizeof *keys;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        all = all && !rw_json_is_null(rw_json_get(read->block, keys[i]));
    if (all)
        return RW_OK;
    return rw_fail(
        read->err, RW_ERR_INPUT, "dialect.unreadable", read->path,
        "%s wants exactly type, short_factor and long_factor in this family's block, and "
        "fails to load any other",
        runtime_of(read));
}

/* A family that takes LongRoPE only, or a name that no class here translates. */
static const char *way_out(const rw_hf_read *read) {
    return rw_model_type_of(read->source)->longrope_only
               ? "this family takes LongRoPE lists only, which say any schedule"
               : "NTK-aware is written as a new rope_theta";
}

rw_status rw_hf_read_method(rw_hf_read *read) {
    if (!read->block || read->ignored)
        return read_none(read);
    rw_str type = rw_hf_rope_type(read->block);
    if (rw_model_type_of(read->source)->ignores & 1u << read->rules->runtime) {
        rw_diagnose(read->diagnostics, "dialect.block_ignored", RW_WARNING, true, read->path,
                    "%s does not read the block in this family", runtime_of(read));
        return read_none(read);
    }
    RW_TRY(check_family(read));
    RW_TRY(check_two_keys(read));
    RW_TRY(check_su(read));
    type = translated(read, type);
    RW_TRY(check_head(read, type));
    const method_entry *entry = find_method(read, type);
    if (!entry && read->rules->unknown_is_none) {
        rw_diagnose(read->diagnostics, "dialect.unknown_type", RW_WARNING, true, read->path,
                    "%s does not know this rope_type and leaves the scaling out", runtime_of(read));
        return read_none(read);
    }
    if (!entry)
        return rw_fail(read->err, RW_ERR_INPUT, "dialect.unreadable", path_of(read, "rope_type"),
                       "%s knows no rope_type \"%.*s\" here and fails to load it; %s",
                       runtime_of(read), (int)(type.size < 40 ? type.size : 40), type.data,
                       way_out(read));
    note_two_types(read);
    note_unknown_keys(read, entry);
    return entry->read(read);
}
