/*
 * metadata.c - GGUF metadata as a record. Key names are those of gguf-py's constants.
 */
#include <math.h>
#include <string.h>

#include "arch/internal.h"

static bool whole(double value, double max, uint32_t *out) {
    if (!(value >= 1.0 && value <= max) || value != floor(value))
        return false;
    *out = (uint32_t)value;
    return true;
}

/* A number from 1 to `max`; absent leaves *out alone, which is an error when that is 0 and the
   family is one we run. */
static rw_status check(const rw_arch *arch, bool found, double value, const char *key, double max,
                       uint32_t *out, rw_error *err) {
    if (found && whole(value, max, out))
        return RW_OK;
    if (!arch->family)
        return RW_OK;
    if (found)
        return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", key,
                       "\"%s\" must be a whole number, positive and not absurd", key);
    if (*out != 0)
        return RW_OK;
    return rw_fail(err, RW_ERR_INPUT, "arch.missing_key", key,
                   "the metadata lack \"%s.%s\", which the architecture needs", arch->name, key);
}

static rw_status read_count(const rw_arch_lookup *lookup, const rw_arch *arch, const char *key,
                            double max, uint32_t *out, rw_error *err) {
    double value = 0.0;
    bool found = lookup->number(lookup->user, key, &value);
    return check(arch, found, value, key, max, out, err);
}

static rw_status read_layer_count(const rw_arch_lookup *lookup, const rw_arch *arch,
                                  const char *key, uint32_t layer, double max, uint32_t *out,
                                  rw_error *err) {
    double value = 0.0;
    bool found = lookup->per_layer(lookup->user, key, layer, &value);
    return check(arch, found, value, key, max, out, err);
}

static rw_status read_layer(const rw_arch_lookup *lookup, const rw_arch *arch, uint32_t index,
                            rw_layer *layer, rw_error *err) {
    *layer = (rw_layer){.kind = RW_LAYER_FULL, .rotary = true};
    RW_TRY(read_layer_count(lookup, arch, "attention.head_count", index, RW_MAX_HEADS,
                            &layer->n_heads, err));
    layer->n_kv_heads = layer->n_heads;
    RW_TRY(read_layer_count(lookup, arch, "attention.head_count_kv", index, RW_MAX_HEADS,
                            &layer->n_kv_heads, err));
    if (layer->n_heads != 0 && arch->hidden % layer->n_heads == 0)
        layer->qk_dim = arch->hidden / layer->n_heads;
    RW_TRY(read_count(lookup, arch, "attention.key_length", RW_MAX_HEAD_DIM, &layer->qk_dim, err));
    layer->v_dim = layer->qk_dim;
    RW_TRY(read_count(lookup, arch, "attention.value_length", RW_MAX_HEAD_DIM, &layer->v_dim, err));
    return read_layer_count(lookup, arch, "feed_forward_length", index, RW_MAX_FFN, &layer->ffn_dim,
                            err);
}

static rw_status read_vocab(const rw_arch_lookup *lookup, rw_arch *out, rw_error *err) {
    uint64_t rows = 0;
    if (lookup->tensor_rows && lookup->tensor_rows(lookup->user, "token_embd.weight", &rows) &&
        rows <= RW_MAX_VOCAB)
        out->vocab = (uint32_t)rows;
    if (out->vocab != 0)
        return RW_OK; /* the embedding's own size is what counts */
    return read_count(lookup, out, "vocab_size", RW_MAX_VOCAB, &out->vocab, err);
}

static rw_status read_eps(const rw_arch_lookup *lookup, rw_arch *out, rw_error *err) {
    const char *key = "attention.layer_norm_rms_epsilon";
    bool found = lookup->number(lookup->user, key, &out->norm_eps);
    if (!out->family)
        return RW_OK;
    if (!found)
        return rw_fail(err, RW_ERR_INPUT, "arch.missing_key", key,
                       "the metadata lack \"%s.%s\", which the architecture needs", out->name, key);
    if (!(out->norm_eps >= 0.0 && out->norm_eps < 1.0))
        return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", key,
                       "\"%s\" must be a number from 0 to 1", key);
    return RW_OK;
}

static int64_t read_token(const rw_arch_lookup *lookup, const char *key) {
    double value = -1.0;
    if (!lookup->number(lookup->user, key, &value) || !(value >= 0.0 && value < RW_MAX_VOCAB))
        return -1;
    return (int64_t)value;
}

/* The pattern is a period, or a list with a flag for every layer. */
static bool slides(const rw_arch_lookup *lookup, const rw_family *family, uint32_t index) {
    static const char key[] = "attention.sliding_window_pattern";
    double stated = family->window_period, flag;
    if (family->windowing != RW_WINDOWS_PERIODIC)
        return family->windowing == RW_WINDOWS_ALL;
    if (!lookup->number(lookup->user, key, &stated) &&
        lookup->per_layer(lookup->user, key, index, &flag))
        return flag != 0.0;
    return !(stated >= 1.0) || fmod(index + 1.0, stated) != 0.0;
}

/* Layers that llama.cpp's graphs (of August 2026) treat apart, which only the family tells. The
   window of a phi3 file is honoured, as transformers does; llama.cpp switches it off. */
static void apply_family(const rw_arch_lookup *lookup, const rw_arch *arch, uint32_t index,
                         uint32_t window, rw_layer *layer) {
    const rw_family *family = arch->family;
    if (family->nope_period != 0)
        layer->rotary = (index + 1) % family->nope_period != 0;
    if (window == 0 || !slides(lookup, family, index))
        return;
    layer->kind = RW_LAYER_SLIDING;
    layer->window = window;
}

/* Gemma's scales: softmax's has no key of its own. */
static void read_scales(const rw_arch_lookup *lookup, rw_arch *out) {
    const rw_layer *first = &out->layers[0];
    if (!out->family->scaled_embedding)
        return;
    out->query_scalar = out->n_layers == out->family->gguf_layers_of_27b
                            ? (double)out->hidden / first->n_heads
                            : first->qk_dim;
    lookup->number(lookup->user, "attn_logit_softcapping", &out->attention_softcap);
    lookup->number(lookup->user, "final_logit_softcapping", &out->final_softcap);
}

static rw_status read_known(const rw_arch_lookup *lookup, rw_arch *out, rw_error *err) {
    uint32_t window = out->family->gguf_window;
    double stated = 0.0;
    if (lookup->number(lookup->user, "attention.sliding_window", &stated) && stated != 0.0 &&
        !whole(stated, UINT32_MAX, &window))
        return rw_fail(err, RW_ERR_INPUT, "arch.bad_value", "attention.sliding_window",
                       "\"attention.sliding_window\" must be a whole number, 0 or more");
    for (uint32_t i = 0; i < out->n_layers; i++)
        apply_family(lookup, out, i, window, &out->layers[i]);
    read_scales(lookup, out);
    return rw_arch_finish(out, err);
}

static rw_status read_layers(const rw_arch_lookup *lookup, rw_arena *arena, rw_arch *out,
                             rw_error *err) {
    RW_TRY(rw_arch_make_layers(out, arena, err));
    for (uint32_t i = 0; i < out->n_layers; i++)
        RW_TRY(read_layer(lookup, out, i, &out->layers[i], err));
    out->head_dim = out->n_layers ? out->layers[0].qk_dim : 0;
    return out->family ? read_known(lookup, out, err) : RW_OK;
}

rw_status rw_arch_from_metadata(const rw_arch_lookup *lookup, rw_arena *arena, rw_arch *out,
                                rw_error *err) {
    memset(out, 0, sizeof *out);
    rw_str name;
    if (!lookup->string(lookup->user, "general.architecture", &name))
        return rw_fail(err, RW_ERR_INPUT, "arch.missing_key", "general.architecture",
                       "the metadata lack \"general.architecture\"");
    rw_arch_copy_name(out->name, name);
    rw_arch_copy_name(out->model_type, name);
    out->family = rw_family_of_gguf(name);
    out->bos = read_token(lookup, "tokenizer.ggml.bos_token_id");
    out->eos = read_token(lookup, "tokenizer.ggml.eos_token_id");
    RW_TRY(read_count(lookup, out, "block_count", RW_MAX_LAYERS, &out->n_layers, err));
    RW_TRY(read_count(lookup, out, "embedding_length", RW_MAX_HIDDEN, &out->hidden, err));
    RW_TRY(read_vocab(lookup, out, err));
    rw_arch_from_family(out); /* ggml states no activation, no norms' places */
    RW_TRY(read_eps(lookup, out, err));
    out->tied_embeddings = !lookup->has_tensor(lookup->user, "output.weight");
    out->attention_bias = lookup->has_tensor(lookup->user, "blk.0.attn_q.bias");
    out->mlp_bias = lookup->has_tensor(lookup->user, "blk.0.ffn_gate.bias");
    out->o_bias = lookup->has_tensor(lookup->user, "blk.0.attn_output.bias");
    out->qk_norm = lookup->has_tensor(lookup->user, "blk.0.attn_q_norm.weight");
    return read_layers(lookup, arena, out, err);
}
