/*
 * positions.c - how a model tells where a token stands: by a rotation that the readers here follow,
 * by one that only its own class makes, or by something else. The last two are refused.
 */
#include "dialect/internal.h"

static const char *const rotary_keys[] = {
    "rope_theta", "rope_scaling",         "rope_parameters",   "rotary_emb_base",
    "rotary_pct", "rotary_emb_fraction",  "rotary_dim",        "partial_rotary_factor",
    "rope_ratio", "rope_local_base_freq", "global_rope_theta", "qk_rope_head_dim",
    NULL};

static bool has_any(const rw_json *object, const char *const *keys) {
    for (; *keys; keys++)
        if (rw_json_get(object, *keys))
            return true;
    return false;
}

static bool has_heads(const rw_json *object) {
    static const char *const keys[] = {"num_attention_heads", "n_head",   "n_heads",
                                       "num_heads",           "head_dim", NULL};
    return has_any(object, keys);
}

static bool known_to_rotate(const rw_json *object) {
    return rw_model_type_hf(rw_json_string_or(rw_json_get(object, "model_type"), "")) != NULL;
}

static bool rotates(const rw_json *object) {
    return has_any(object, rotary_keys) || known_to_rotate(object);
}

bool rw_language_rotates(const rw_json *object) {
    return known_to_rotate(object) || (has_heads(object) && rotates(object));
}

/* ---- what a config says ---------------------------------------------------------------------- */

/* True of a config whose model type is `model_type` (NULL: any) and whose `key` (NULL: none is
   needed) is true, a list, above `above`, or, when `text` is given, that text. `unless`: the key's
   part of it is turned round, so that silence counts too. */
typedef struct sign {
    const char *model_type;
    const char *key;
    const char *text;
    uint64_t above;
    bool unless;
    const char *what;
} sign;

static bool key_says(const rw_json *language, const sign *wanted) {
    const rw_json *node = rw_json_path(language, wanted->key);
    if (wanted->text)
        return rw_str_is(rw_json_string_or(node, ""), wanted->text);
    if (node && node->type == RW_JSON_ARRAY)
        return true;
    return rw_json_bool_or(node, false) || rw_json_number_or(node, 0) > (double)wanted->above;
}

static bool says(const rw_json *language, const sign *wanted) {
    rw_str type = rw_json_string_or(rw_json_get(language, "model_type"), "");
    if (wanted->model_type && !rw_str_is(type, wanted->model_type))
        return false;
    return !wanted->key || key_says(language, wanted) != wanted->unless;
}

static const char *place_of(const rw_source *source, const sign *wanted) {
    return rw_join_path(source, source->language_path, wanted->key ? wanted->key : "model_type");
}

/* ---- models without RoPE --------------------------------------------------------------------- */

static const char alibi[] = "ALiBi (a bias on attention by distance)";
static const char learned[] = "learned absolute positions";

static const sign others[] = {
    {.key = "alibi", .what = alibi},
    {.key = "use_alibi", .what = alibi},
    {.key = "attn_config.alibi", .what = alibi},
    {.key = "position_embedding_type", .text = "alibi", .what = alibi},
    {.key = "position_embedding_type", .text = "absolute", .what = learned},
    {.key = "position_embedding_type",
     .text = "relative_key",
     .what = "learned relative positions"},
    {.key = "position_embedding_type",
     .text = "relative_key_query",
     .what = "learned relative positions"},
    {.key = "relative_attention_num_buckets", .what = "bucketed relative positions (T5's)"},
    {.model_type = "bloom", .what = alibi},
    {.model_type = "mpt", .what = alibi},
    /* the 13B model; the 7B model rotates, under the same type */
    {.model_type = "baichuan", .key = "hidden_size", .above = 4096, .what = alibi},
    {.model_type = "gpt2", .what = learned},
    {.model_type = "gpt_bigcode", .what = learned},
    {.model_type = "gpt_neo", .what = learned},
    {.model_type = "opt", .what = learned},
    {.model_type = "bert", .what = learned},
    {.model_type = "roberta", .what = learned},
    {.model_type = "t5", .what = "bucketed relative positions (T5's)"},
    {.model_type = "mamba", .what = "no attention at all (a state-space model)"},
    {.model_type = "mamba2", .what = "no attention at all (a state-space model)"},
    {.model_type = "rwkv", .what = "no attention at all (a recurrent model)"},
    {.model_type = "nemotron_h", .what = "attention without positions: its Mamba layers know them"},
    {.model_type = "kimi_linear",
     .what = "attention without positions: its linear layers know them"},
    {.model_type = "granitemoehybrid",
     .key = "position_embedding_type",
     .text = "rope",
     .unless = true,
     .what = "attention without positions, as long as this key does not say \"rope\""},
    {.model_type = "zamba2",
     .key = "use_mem_rope",
     .unless = true,
     .what = "attention without positions, as long as this key is not true"},
};

/* ---- rotations that only the model's own class makes ----------------------------------------- */

static const char two_lists[] =
    "its class takes the amplitude from short_mscale and long_mscale, and which of its lists it "
    "turns by differs between versions of transformers";
static const char by_kind[] = "it names its thetas by kind of layer";

static const sign own_rotations[] = {
    {.model_type = "chatglm",
     .what = "its code multiplies theta by rope_ratio, turns half of each head and reads no "
             "scaling; the same weights as model type \"glm\" can be scaled"},
    {.model_type = "phimoe", .key = "rope_scaling.long_factor", .what = two_lists},
    {.model_type = "phimoe", .key = "rope_parameters.long_factor", .what = two_lists},
    {.model_type = "qwen",
     .key = "use_dynamic_ntk",
     .what = "its code changes theta beyond seq_length by an NTK rule of its own, and scales "
             "queries by the logarithm of the position"},
    {.model_type = "dbrx",
     .what = "theta stands in attn_config.rope_theta, and its class reads no scaling"},
    {.key = "global_rope_theta", .what = by_kind},
    {.key = "rope_global_theta", .what = by_kind},
    {.key = "rope_theta_global", .what = by_kind},
    {.key = "local_rope_theta", .what = by_kind},
    {.key = "rope_local_theta", .what = by_kind},
    {.key = "rope_theta_local", .what = by_kind},
    {.key = "swa_rope_theta", .what = by_kind},
};

/* ---- layers without rotation ----------------------------------------------------------------- */

void rw_positions_note_layers(rw_source *source) {
    const rw_arch *arch = &source->arch;
    uint32_t plain = 0, far = 0, far_plain = 0;
    for (uint32_t i = 0; arch->layers && i < arch->n_layers; i++) {
        const rw_layer *layer = &arch->layers[i];
        bool full = layer->kind == RW_LAYER_FULL;
        plain += !layer->rotary && layer->kind != RW_LAYER_OTHER;
        far += full && layer->rotary;
        far_plain += full && !layer->rotary;
    }
    if (plain)
        rw_diagnose(&source->diagnostics, "dialect.layers_without_rope", RW_INFO, false,
                    source->language_path, "%u of %u layers do not rotate", plain, arch->n_layers);
    if (far_plain && !far)
        rw_diagnose(&source->diagnostics, "dialect.far_layers_without_rope", RW_WARNING, true,
                    source->language_path,
                    "no layer that sees the whole context rotates: the others see a window or a "
                    "chunk, and scaling their rotation makes nothing longer. A larger "
                    "max_position_embeddings is all that such a model needs");
}

/* ---- the check ------------------------------------------------------------------------------- */

/* An explicit word of something else wins over rotary keys that a shared config class may carry
   (Falcon's alibi: true), but not over a model type known to rotate (BERT-like leftovers). */
static rw_status check_others(const rw_source *source, rw_error *err) {
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bool leftover = others[i].text && !others[i].model_type && rotates(source->language);
        if (!leftover && says(source->language, &others[i]))
            return rw_fail(err, RW_ERR_INPUT, "dialect.no_rope", place_of(source, &others[i]),
                           "this model has no rotary embedding to scale: it has %s",
                           others[i].what);
    }
    return RW_OK;
}

static rw_status check_own(const rw_source *source, rw_error *err) {
    for (size_t i = 0; i < sizeof own_rotations / sizeof *own_rotations; i++)
        if (says(source->language, &own_rotations[i]))
            return rw_fail(err, RW_ERR_INPUT, "dialect.own_rotation",
                           place_of(source, &own_rotations[i]),
                           "this model rotates by rules of its own that ropewalk does not follow, "
                           "so it says nothing rather than something wrong: %s",
                           own_rotations[i].what);
    return RW_OK;
}

rw_status rw_positions_check(const rw_source *source, rw_error *err) {
    RW_TRY(check_others(source, err));
    RW_TRY(check_own(source, err));
    if (rotates(source->language))
        return RW_OK;
    if (!has_heads(source->language))
        return rw_fail(err, RW_ERR_INPUT, "dialect.no_rope", source->language_path,
                       "this config describes no attention heads and no rotary embedding; is it "
                       "the config.json of a language model?");
    return rw_fail(err, RW_ERR_INPUT, "dialect.no_rope", source->language_path,
                   "this config has no rotary key (rope_theta, rope_scaling, rope_parameters, ...) "
                   "and its model_type is not one known to rotate without");
}
