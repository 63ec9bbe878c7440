/*
 * config.c - the language part of a config.json as a record.
 *
 * Defaults for absent keys are those of transformers' LlamaConfig.
 */
#include <math.h>
#include <string.h>

#include "arch/internal.h"
#include "arch/outline.h"

static bool is_count(const rw_json *node, uint64_t max, uint32_t *out) {
    uint64_t value = rw_json_u64_or(node, 0);
    if (value == 0 || value > max)
        return false;
    *out = (uint32_t)value;
    return true;
}

static rw_status bad_value(rw_error *err, const char *key, const char *what) {
    return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", key, "\"%s\" %s", key, what);
}

/* A number from 1 to `max`; absent is an error unless *out holds a default already. */
static rw_status read_count(const rw_json *config, const char *key, uint64_t max, uint32_t *out,
                            rw_error *err) {
    const rw_json *node = rw_json_get(config, key);
    if (!rw_json_is_null(node))
        return is_count(node, max, out)
                   ? RW_OK
                   : bad_value(err, key, "must be a whole number, positive and not absurd");
    if (*out != 0)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "arch.missing_key", key,
                   "the config has no \"%s\", which its architecture needs", key);
}

static rw_status read_bool(const rw_json *config, const char *key, bool *out, rw_error *err) {
    const rw_json *node = rw_json_get(config, key);
    if (rw_json_is_null(node))
        return RW_OK;
    if (node->type != RW_JSON_BOOL)
        return bad_value(err, key, "must be true or false");
    *out = node->boolean;
    return RW_OK;
}

/* ---- names and ids --------------------------------------------------------------------------- */

static void read_names(const rw_json *config, rw_arch *out) {
    rw_str type = rw_json_string_or(rw_json_get(config, "model_type"), "");
    rw_arch_copy_name(out->model_type, type);
    const rw_json *list = rw_json_get(config, "architectures");
    bool named = list && list->type == RW_JSON_ARRAY && list->first;
    rw_str name = rw_json_string_or(named ? list->first : NULL, "");
    rw_arch_copy_name(out->name, name.size ? name : type);
}

static int64_t read_token(const rw_json *config, const char *key) {
    const rw_json *node = rw_json_get(config, key);
    if (node && node->type == RW_JSON_ARRAY)
        node = node->first; /* Llama 3 lists several ends; the first is the document's */
    uint64_t id = rw_json_u64_or(node, UINT64_MAX);
    return id < RW_MAX_VOCAB ? (int64_t)id : -1;
}

static rw_status read_activation(const rw_json *config, rw_arch *out, rw_error *err) {
    static const struct {
        const char *name;
        rw_activation activation;
    } known[] = {{"silu", RW_ACT_SILU},
                 {"swish", RW_ACT_SILU},
                 {"gelu", RW_ACT_GELU},
                 {"gelu_new", RW_ACT_GELU_TANH},
                 {"gelu_pytorch_tanh", RW_ACT_GELU_TANH}};
    const char *key = out->family->activation_key;
    if (rw_json_is_null(rw_json_get(config, key)))
        return RW_OK; /* the family's */
    rw_str name = rw_json_string_or(rw_json_get(config, key), "");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (rw_str_is(name, known[i].name)) {
            out->activation = known[i].activation;
            return RW_OK;
        }
    return bad_value(err, key, "names an activation that is not known");
}

/* ---- a family we know ------------------------------------------------------------------------ */

/* Absent: the class's own number of KV heads; null or a class without one: a head each. */
static rw_status read_heads(const rw_json *config, const rw_family_defaults *defaults,
                            rw_layer *layer, rw_error *err) {
    const char *key = "num_key_value_heads";
    layer->n_heads = defaults->n_heads;
    RW_TRY(read_count(config, "num_attention_heads", RW_MAX_HEADS, &layer->n_heads, err));
    bool absent = !rw_json_get(config, key) && defaults->n_kv_heads;
    layer->n_kv_heads = absent ? defaults->n_kv_heads : layer->n_heads;
    return read_count(config, key, RW_MAX_HEADS, &layer->n_kv_heads, err);
}

static rw_status read_head_dim(const rw_json *config, const rw_arch *arch, rw_layer *layer,
                               rw_error *err) {
    layer->qk_dim = arch->family->defaults.head_dim;
    if (layer->qk_dim == 0 && arch->hidden % layer->n_heads == 0)
        layer->qk_dim = arch->hidden / layer->n_heads;
    RW_TRY(read_count(config, "head_dim", RW_MAX_HEAD_DIM, &layer->qk_dim, err));
    layer->v_dim = layer->qk_dim;
    return RW_OK;
}

static rw_status read_layer(const rw_json *config, const rw_arch *arch, rw_layer *layer,
                            rw_error *err) {
    RW_TRY(read_heads(config, &arch->family->defaults, layer, err));
    RW_TRY(read_head_dim(config, arch, layer, err));
    RW_TRY(read_count(config, "intermediate_size", RW_MAX_FFN, &layer->ffn_dim, err));
    layer->rotary = true;
    return RW_OK;
}

static rw_status read_eps(const rw_json *config, double *out, rw_error *err) {
    const rw_json *node = rw_json_get(config, "rms_norm_eps");
    if (!rw_json_is_null(node))
        *out = rw_json_number_or(node, -1.0);
    if (!(*out >= 0.0 && *out < 1.0))
        return bad_value(err, "rms_norm_eps", "must be a number from 0 to 1");
    return RW_OK;
}

/* A positive number; null switches it off, absent leaves the family's. */
static rw_status read_positive(const rw_json *config, const char *key, double *out, rw_error *err) {
    const rw_json *node = rw_json_get(config, key);
    if (!node)
        return RW_OK;
    *out = rw_json_is_null(node) ? 0.0 : rw_json_number_or(node, -1.0);
    if (!(*out >= 0.0 && *out <= 1e30) || (*out == 0.0 && !rw_json_is_null(node)))
        return bad_value(err, key, "must be a number above 0, or null");
    return RW_OK;
}

/* Only Gemma's classes read these; elsewhere such a key means nothing. */
static rw_status read_scales(const rw_json *config, rw_arch *out, rw_error *err) {
    if (!out->family->scaled_embedding)
        return RW_OK;
    RW_TRY(read_positive(config, "query_pre_attn_scalar", &out->query_scalar, err));
    RW_TRY(read_positive(config, "attn_logit_softcapping", &out->attention_softcap, err));
    return read_positive(config, "final_logit_softcapping", &out->final_softcap, err);
}

static rw_status read_biases(const rw_json *config, rw_arch *out, rw_error *err) {
    if (out->family->qkv_bias) {
        out->attention_bias = true;
        return RW_OK;
    }
    RW_TRY(read_bool(config, "attention_bias", &out->attention_bias, err));
    out->o_bias = out->attention_bias;
    return read_bool(config, "mlp_bias", &out->mlp_bias, err);
}

static rw_status read_known(const rw_json *config, rw_arena *arena, rw_arch *out, rw_error *err) {
    RW_TRY(read_count(config, "num_hidden_layers", RW_MAX_LAYERS, &out->n_layers, err));
    RW_TRY(read_count(config, "hidden_size", RW_MAX_HIDDEN, &out->hidden, err));
    out->vocab = out->family->defaults.vocab;
    RW_TRY(read_count(config, "vocab_size", RW_MAX_VOCAB, &out->vocab, err));
    rw_arch_from_family(out);
    RW_TRY(read_eps(config, &out->norm_eps, err));
    RW_TRY(read_activation(config, out, err));
    RW_TRY(read_bool(config, "tie_word_embeddings", &out->tied_embeddings, err));
    RW_TRY(read_biases(config, out, err));
    RW_TRY(read_scales(config, out, err));
    RW_TRY(rw_arch_make_layers(out, arena, err));
    rw_layer layer = {.kind = RW_LAYER_FULL};
    RW_TRY(read_layer(config, out, &layer, err));
    for (uint32_t i = 0; i < out->n_layers; i++)
        out->layers[i] = layer;
    out->head_dim = layer.qk_dim;
    RW_TRY(rw_arch_read_windows(config, out, err));
    return rw_arch_finish(out, err);
}

/* ---- a family we don't know: what it states, without complaint ------------------------------- */

static rw_status read_unknown(const rw_json *config, rw_arena *arena, rw_arch *out, rw_error *err) {
    rw_arch outline;
    RW_TRY(rw_arch_outline(config, arena, &outline, err));
    memcpy(outline.name, out->name, sizeof outline.name);
    outline.bos = out->bos;
    outline.eos = out->eos;
    *out = outline;
    return RW_OK;
}

rw_status rw_arch_from_config(const rw_json *config, rw_arena *arena, rw_arch *out, rw_error *err) {
    memset(out, 0, sizeof *out);
    if (!config || config->type != RW_JSON_OBJECT)
        return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", NULL,
                       "the description of the model must be a JSON object");
    read_names(config, out);
    out->bos = read_token(config, "bos_token_id");
    out->eos = read_token(config, "eos_token_id");
    out->family = rw_family_of_model_type(rw_str_of(out->model_type));
    return out->family ? read_known(config, arena, out, err)
                       : read_unknown(config, arena, out, err);
}
