/*
 * footprint.c - see footprint.h.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/outline.h"
#include "plan/footprint.h"

/* ---- a GGUF of a family that the engine does not run ----------------------------------------- */

static uint64_t gguf_count(const rw_source *source, const char *key) {
    char full[128];
    double value = 0;
    snprintf(full, sizeof full, "%s.%s", source->arch.name, key);
    bool found = rw_gguf_double(rw_checkpoint_gguf(source->checkpoint), full, &value);
    return found && value >= 1 && value < 1u << 24 ? (uint64_t)value : 0;
}

/* The list under a key, one number a layer; NULL: there is none. */
static const double *gguf_list(const rw_source *source, const char *key, size_t *count) {
    char full[128];
    double *numbers = NULL;
    snprintf(full, sizeof full, "%s.%s", source->arch.name, key);
    const rw_gguf *gguf = rw_checkpoint_gguf(source->checkpoint);
    const rw_gguf_value *value = rw_gguf_get(gguf, full);
    *count = 0;
    if (!value || value->type != RW_GGUF_ARRAY ||
        rw_gguf_numbers(gguf, full, source->arena, &numbers, count, NULL) != RW_OK)
        return NULL;
    return numbers;
}

/* Mamba 1 and 2 as ggml keeps them: a matrix of states, and the tail of the convolution. */
static uint64_t gguf_state(const rw_source *source) {
    uint64_t inner = gguf_count(source, "ssm.inner_size");
    uint64_t state = gguf_count(source, "ssm.state_size");
    uint64_t groups = gguf_count(source, "ssm.group_count");
    uint64_t kernel = gguf_count(source, "ssm.conv_kernel");
    return inner * state + (kernel ? kernel - 1 : 0) * (inner + 2 * groups * state);
}

static void slide(uint64_t window, rw_layer *layer) {
    if (!window)
        return;
    layer->kind = RW_LAYER_SLIDING;
    layer->window = (uint32_t)window;
}

/* A period: all but the last of so many layers have the window; 1: all have it; 0: none. */
static void complete_gguf(const rw_source *source, rw_arch *arch) {
    size_t flag_count, kv_count;
    uint32_t usual_period, usual_window;
    rw_arch_window_rule(rw_str_of(arch->name), &usual_period, &usual_window);
    const double *flags = gguf_list(source, "attention.sliding_window_pattern", &flag_count);
    const double *kv = gguf_list(source, "attention.head_count_kv", &kv_count);
    uint64_t period = gguf_count(source, "attention.sliding_window_pattern");
    uint64_t window = gguf_count(source, "attention.sliding_window");
    uint64_t latent = gguf_count(source, "attention.kv_lora_rank");
    if (latent)
        latent += gguf_count(source, "rope.dimension_count");
    period = period ? period : usual_period;
    window = window ? window : usual_window;
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        rw_layer *layer = &arch->layers[i];
        bool by_period = period && (period == 1 || (i + 1) % period != 0);
        layer->kv_latent = (uint32_t)latent;
        if (flags ? i < flag_count && flags[i] != 0 : by_period)
            slide(window, layer);
        if (kv && i < kv_count && kv[i] == 0) { /* a recurrent layer of a hybrid */
            layer->kind = RW_LAYER_OTHER;
            layer->state = gguf_state(source);
        }
    }
}

static rw_status copy_layers(const rw_source *source, rw_arch *out, rw_error *err) {
    *out = source->arch;
    size_t bytes = out->n_layers * sizeof *out->layers;
    if (!bytes)
        return RW_OK;
    out->layers = rw_arena_alloc(source->arena, bytes);
    if (!out->layers)
        return rw_fail_memory(err, "layers", bytes);
    memcpy(out->layers, source->arch.layers, bytes);
    return RW_OK;
}

/* ---- parameters ------------------------------------------------------------------------------ */

static uint64_t elements(const rw_tensor *tensor) {
    return tensor ? tensor->elements : 0;
}

/* 0: there are no tensors, or a quantiser packed several weights into one number. */
static uint64_t count_tensors(const rw_source *source) {
    uint64_t sum = 0;
    size_t count = rw_checkpoint_tensor_count(source->checkpoint);
    bool gguf = rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF;
    for (size_t i = 0; i < count; i++) {
        const rw_tensor *tensor = rw_checkpoint_tensor_at(source->checkpoint, i);
        bool plain = tensor->dtype == RW_F32 || tensor->dtype == RW_F16 || tensor->dtype == RW_BF16;
        if (!gguf && !plain)
            return 0;
        if (__builtin_add_overflow(sum, elements(tensor), &sum))
            return 0;
    }
    return sum;
}

static uint64_t count_embedding(const rw_source *source, const rw_arch *arch) {
    uint64_t found = elements(rw_checkpoint_tensor(source->checkpoint, "token_embd.weight")) +
                     elements(rw_checkpoint_tensor(source->checkpoint, "output.weight"));
    return found ? found : rw_arch_embedding_parameters(arch);
}

/* The engine's own record where it has one; else what can be made out. */
static rw_status read_layers(const rw_source *source, rw_arch *out, rw_error *err) {
    bool engine = source->arch.family && source->arch.n_layers;
    if (source->language && !engine)
        return rw_arch_outline(source->language, source->arena, out, err);
    RW_TRY(copy_layers(source, out, err));
    if (!engine)
        complete_gguf(source, out);
    return RW_OK;
}

/* Without experts a token meets everything, but for an embedding that is only looked up. */
static uint64_t dense_active(const rw_arch *arch) {
    uint64_t lookup = arch->tied_embeddings ? 0 : (uint64_t)arch->vocab * arch->hidden;
    return arch->family && arch->parameters > lookup ? arch->parameters - lookup : 0;
}

/* A layer that attends, of a width that nothing states. */
static bool lacks_widths(const rw_arch *arch) {
    for (uint32_t i = 0; i < arch->n_layers; i++)
        if (arch->layers[i].kind != RW_LAYER_OTHER && !arch->layers[i].kv_latent &&
            (!arch->layers[i].n_heads || !arch->layers[i].qk_dim))
            return true;
    return false;
}

rw_status rw_footprint_read(const rw_source *source, rw_footprint *out, rw_error *err) {
    memset(out, 0, sizeof *out);
    RW_TRY(read_layers(source, &out->arch, err));
    if (lacks_widths(&out->arch))
        out->arch.n_layers = 0;
    out->parameters = count_tensors(source);
    out->counted = out->parameters ? "tensors" : out->arch.parameters ? "config" : NULL;
    if (!out->parameters)
        out->parameters = out->arch.parameters;
    out->active = out->arch.active ? out->arch.active : dense_active(&out->arch);
    out->embedding = count_embedding(source, &out->arch);
    if (out->embedding > out->parameters)
        out->embedding = 0;
    return RW_OK;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Quantised matrices carry a 16-bit scale and a 16-bit zero point for every 128 weights (GPTQ,
   AWQ); the embedding and the output matrix stay in 16 bits, as those tools leave them. A cache in
   8 bits has a 16-bit scale for 32 numbers (ggml's Q8_0); one in FP8 a scale a head or less. */
static const struct {
    const char *name;
    double bytes;
} weight_types[] = {{"bf16", 2.0}, {"8-bit", 1.03125}, {"4-bit", 0.53125}},
  kv_types[] = {{"f16", 2.0}, {"8-bit", 1.0625}, {"fp8", 1.0}};

enum { STATE_BYTES = 4 /* recurrent states are kept in float32 */ };

bool rw_footprint_is_known(const rw_footprint *model) {
    return model->arch.n_layers && model->parameters;
}

const char *rw_weight_type_name(rw_weight_type type) {
    return weight_types[type].name;
}

const char *rw_kv_type_name(rw_kv_type type) {
    return kv_types[type].name;
}

static uint64_t rounded(double bytes) {
    return bytes < 9e18 ? (uint64_t)ceil(bytes) : UINT64_MAX;
}

uint64_t rw_footprint_weights(const rw_footprint *model, rw_weight_type type) {
    if (!model->parameters)
        return UINT64_MAX;
    double matrices = (double)(model->parameters - model->embedding);
    return rounded(matrices * weight_types[type].bytes + 2.0 * (double)model->embedding);
}

uint64_t rw_footprint_kv(const rw_footprint *model, rw_kv_type type, uint64_t context) {
    double sum = 0;
    for (uint32_t i = 0; i < model->arch.n_layers; i++) {
        const rw_layer *l = &model->arch.layers[i];
        double kept =
            (double)(l->kind == RW_LAYER_SLIDING && l->window && l->window < context ? l->window
                                                                                     : context);
        double row = l->kv_latent ? (double)l->kv_latent
                                  : (double)l->n_kv_heads * ((double)l->qk_dim + (double)l->v_dim);
        if (l->kind == RW_LAYER_OTHER)
            sum += (double)l->state * STATE_BYTES;
        else
            sum += kept * row * kv_types[type].bytes;
    }
    return model->arch.n_layers ? rounded(sum) : UINT64_MAX;
}
