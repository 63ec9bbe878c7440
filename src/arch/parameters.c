/*
 * parameters.c - how many parameters a config describes, and how many of them one token meets.
 *
 * A mixture of experts computes with a few of its experts a token: the rest of them, and the rows
 * of an untied embedding that are only looked up, are not active. Small tensors that no quantiser
 * or device would notice (norms inside MLA, the correction bias of a router, sinks) are counted
 * where the formula is certain and left out elsewhere: below 0.01 % of any model.
 */
#include <string.h>

#include "arch/classes.h"

/* Types whose count was held against transformers' own models (5.23, on the meta device: every
   class default and each key that changes a shape). Of any other, nothing is said: what looks like
   Llama may have two matrices for three, a state for a cache, or experts under names of its own. */
typedef struct counted_type {
    const char *type;
    bool experts; /* the keys of experts count */
} counted_type;

static const counted_type counted_types[] = {
    {"bitnet", false},
    {"cohere", false},
    {"cohere2", false},
    {"cwm", false},
    {"deepseek_v2", true},
    {"deepseek_v3", true},
    {"ernie4_5", false},
    {"exaone4", false},
    {"gemma", false},
    {"gemma2", false},
    {"gemma3", false},
    {"gemma3_text", false},
    {"gemma4_text", false},
    {"glm", false},
    {"glm4", false},
    {"glm4_moe", true},
    {"gpt_neox", false},
    {"gpt_oss", true},
    {"granite", false},
    {"granitemoe", true},
    {"granitemoeshared", true},
    {"internlm2", false}, /* remote code: Llama's matrices, q, k and v in one */
    {"kimi_k2", true},    /* DeepSeek V3's */
    {"llama", false},
    {"llama4_text", true},
    {"minimax_m2", true},
    {"ministral3", false},
    {"mistral", false},
    {"mixtral", true},
    {"olmo", false},
    {"olmo2", false},
    {"olmo3", false},
    {"olmoe", true},
    {"phi", false},
    {"phi3", false},
    {"phimoe", true},
    {"qwen2", false},
    {"qwen2_5_omni_text", false},
    {"qwen2_5_vl", false},
    {"qwen2_5_vl_text", false},
    {"qwen2_moe", true},
    {"qwen2_vl", false},
    {"qwen2_vl_text", false},
    {"qwen3", false},
    {"qwen3_moe", true},
    {"qwen3_omni_moe_text", true},
    {"qwen3_vl_moe_text", true},
    {"qwen3_vl_text", false},
    {"seed_oss", false},
    {"smollm3", false},
    {"stablelm", false},
    {"starcoder2", false},
};

static const counted_type *counted_type_of(const rw_arch *arch) {
    for (size_t i = 0; i < sizeof counted_types / sizeof *counted_types; i++)
        if (strcmp(arch->model_type, counted_types[i].type) == 0)
            return &counted_types[i];
    return NULL;
}

/* Read once: a config may be large, and have many layers. */
typedef struct facts {
    const rw_model_class *model;
    bool attention_bias, mlp_bias;
    bool value_is_key;                           /* Gemma 4: of the layers that see everything */
    uint64_t kv_rank, q_rank, rotary, nope;      /* MLA */
    uint64_t plain_width;                        /* Llama 4: of the layers without experts */
    uint64_t experts, used, width, shared_width; /* shared: of all shared ones together */
    uint64_t dense_layers, freq, sparse_step, interleave, period, offset;
    const rw_json *dense_list;
} facts;

static uint64_t stated(const rw_json *config, const char *key, uint32_t otherwise) {
    const char *const keys[] = {key, NULL};
    return rw_arch_count(config, keys, RW_MAX_FFN, otherwise);
}

static bool is_true(const rw_json *config, const char *key) {
    return rw_json_bool_or(rw_json_get(config, key), false);
}

static void read_experts(const rw_json *config, const rw_arch *arch, facts *f) {
    static const char *const counts[] = {"n_routed_experts", "num_local_experts", "num_experts",
                                         NULL};
    static const char *const useds[] = {"num_experts_per_tok", "num_experts_per_token", NULL};
    static const char *const widths[] = {"moe_intermediate_size", "intermediate_size", NULL};
    if (!counted_type_of(arch)->experts)
        return;
    f->experts = rw_arch_count(config, counts, 1 << 16, 0);
    f->used = rw_arch_count(config, useds, f->experts, (uint32_t)f->experts);
    f->width = rw_arch_count(config, widths, RW_MAX_FFN, 0);
    f->shared_width = stated(config, "n_shared_experts", 0) * f->width;
    f->shared_width += stated(config, "shared_expert_intermediate_size", 0);
    f->shared_width += stated(config, "shared_intermediate_size", 0);
    if (strcmp(arch->model_type, "llama4_text") == 0)
        f->shared_width = f->width;
    f->dense_layers = stated(config, "first_k_dense_replace", 0);
    f->freq = stated(config, "moe_layer_freq", 1);
    f->sparse_step = stated(config, "decoder_sparse_step", 1);
    f->interleave = stated(config, "interleave_moe_layer_step", 1);
    f->period = stated(config, "expert_layer_period", 1);
    f->offset = stated(config, "expert_layer_offset", 0);
    f->dense_list = rw_json_get(config, "mlp_only_layers");
}

static facts read_facts(const rw_json *config, const rw_model_class *model, const rw_arch *arch) {
    facts f = {.model = model,
               .attention_bias = is_true(config, "attention_bias") || model->biases,
               .mlp_bias = is_true(config, "mlp_bias") || model->biases,
               .value_is_key = is_true(config, "attention_k_eq_v"),
               .kv_rank = stated(config, "kv_lora_rank", 0),
               .q_rank = stated(config, "q_lora_rank", 0),
               .rotary = stated(config, "qk_rope_head_dim", 0),
               .nope = stated(config, "qk_nope_head_dim", 0),
               .plain_width = stated(config, "intermediate_size_mlp", 0)};
    read_experts(config, arch, &f);
    return f;
}

static bool is_listed(const rw_json *list, uint32_t index) {
    const rw_json *node = list && list->type == RW_JSON_ARRAY ? list->first : NULL;
    for (uint32_t i = 0; node && i < RW_MAX_LAYERS; i++, node = node->next)
        if (rw_json_u64_or(node, UINT64_MAX) == index)
            return true;
    return false;
}

/* Is layer `index` one with experts? The keys of DeepSeek, Qwen MoE, Llama 4 and Jamba. */
static bool is_mixed(const facts *f, uint32_t index) {
    return f->experts && index >= f->dense_layers && index % f->freq == 0 &&
           (index + 1) % f->sparse_step == 0 && (index + 1) % f->interleave == 0 &&
           index % f->period == f->offset && !is_listed(f->dense_list, index);
}

static uint64_t latent_attention(const facts *f, const rw_arch *arch, const rw_layer *l) {
    uint64_t hidden = arch->hidden, q = (uint64_t)l->n_heads * l->qk_dim;
    uint64_t sum = f->q_rank ? hidden * f->q_rank + f->q_rank + f->q_rank * q : hidden * q;
    sum += hidden * (f->kv_rank + f->rotary) + f->kv_rank;
    sum += f->kv_rank * l->n_heads * (f->nope + l->v_dim);
    return sum + (uint64_t)l->n_heads * l->v_dim * hidden;
}

static uint64_t attention(const facts *f, const rw_arch *arch, const rw_layer *l) {
    if (l->kv_latent)
        return latent_attention(f, arch, l);
    uint64_t hidden = arch->hidden, q = (uint64_t)l->n_heads * l->qk_dim;
    uint64_t k = (uint64_t)l->n_kv_heads * l->qk_dim, v = (uint64_t)l->n_kv_heads * l->v_dim;
    if (f->value_is_key && l->kind == RW_LAYER_FULL)
        v = 0;
    uint64_t sum = hidden * (q + k + v) + (uint64_t)l->n_heads * l->v_dim * hidden;
    if (f->model->qkv_bias)
        sum += q + k + v;
    else if (f->attention_bias)
        sum += q + k + v + hidden;
    return sum + (f->model->qk_norm ? 2 * (uint64_t)l->qk_dim : 0);
}

static uint64_t dense(const facts *f, const rw_arch *arch, uint64_t width) {
    uint64_t matrices = f->model->mlp_matrices ? f->model->mlp_matrices : 3;
    uint64_t bias = f->mlp_bias ? (matrices - 1) * width + arch->hidden : 0;
    return matrices * arch->hidden * width + bias;
}

static uint64_t one_expert(const facts *f, const rw_arch *arch) {
    uint64_t bias = f->model->moe_biases ? 2 * f->width + arch->hidden : 0;
    return dense(f, arch, f->width) + bias;
}

static uint64_t mixture(const facts *f, const rw_arch *arch) {
    uint64_t router = f->experts * arch->hidden + (f->model->moe_biases ? f->experts : 0);
    uint64_t shared = f->shared_width ? dense(f, arch, f->shared_width) : 0;
    return f->experts * one_expert(f, arch) + router + shared;
}

static bool is_zero(const rw_json *config, const char *key) {
    return rw_json_number_or(rw_json_get(config, key), -1) == 0;
}

/* Gemma 4 has embeddings a layer unless told otherwise, and three more ways to be another model. */
static bool is_plain_gemma4(const rw_json *config) {
    return is_zero(config, "hidden_size_per_layer_input") && !is_true(config, "enable_moe_block") &&
           !is_true(config, "use_double_wide_mlp") && !stated(config, "num_kv_shared_layers", 0);
}

/* Recurrent layers, layers that share what others computed, and absurd sizes: no formula here. */
static bool is_covered(const rw_json *config, const rw_model_class *model, const rw_arch *arch) {
    if (model->uncounted || !arch->hidden || !arch->vocab || !counted_type_of(arch))
        return false;
    if (strcmp(arch->model_type, "gemma4_text") == 0 && !is_plain_gemma4(config))
        return false;
    for (uint32_t i = 0; i < arch->n_layers; i++)
        if (arch->layers[i].kind == RW_LAYER_OTHER || !arch->layers[i].n_kv_heads ||
            !arch->layers[i].ffn_dim)
            return false;
    return true;
}

/* So that no product wraps: a bound in floating point, with room to spare. */
static bool is_sane(const facts *f, const rw_arch *arch) {
    double most = 2.0 * arch->vocab * arch->hidden, hidden = arch->hidden;
    double widest = (double)f->width + (double)f->shared_width + (double)f->plain_width + 1.0;
    for (uint32_t i = 0; i < arch->n_layers; i++) {
        const rw_layer *l = &arch->layers[i];
        double heads = (double)l->n_heads + l->n_kv_heads, dim = (double)l->qk_dim + l->v_dim;
        most += 4.0 * hidden * (widest + l->ffn_dim) * ((double)f->experts + 2.0);
        most += 4.0 * heads * dim * (hidden + (double)f->kv_rank + (double)f->q_rank + 1.0);
        most += ((double)f->kv_rank + (double)f->q_rank) * hidden;
    }
    return most < 1e18;
}

void rw_arch_count_parameters(const rw_json *config, const rw_model_class *model, rw_arch *out) {
    if (!is_covered(config, model, out))
        return;
    facts f = read_facts(config, model, out);
    if (!is_sane(&f, out))
        return;
    uint64_t norm = (uint64_t)out->hidden * (model->biases ? 2 : 1), idle = 0;
    uint64_t embedding = (uint64_t)out->vocab * out->hidden;
    uint64_t sum = norm + embedding * (out->tied_embeddings ? 1 : 2);
    for (uint32_t i = 0; i < out->n_layers; i++) {
        const rw_layer *l = &out->layers[i];
        bool mixed = is_mixed(&f, i);
        sum += attention(&f, out, l) + norm * (model->norms ? model->norms : 2);
        sum +=
            mixed ? mixture(&f, out) : dense(&f, out, f.plain_width ? f.plain_width : l->ffn_dim);
        idle += mixed ? (f.experts - f.used) * one_expert(&f, out) : 0;
    }
    out->parameters = sum;
    out->active = sum - idle - (out->tied_embeddings ? 0 : embedding);
}
