/*
 * hf_types.c - a key that is there with a value of the wrong kind is damage, not absence: taking
 * the default instead would be another rotation, silently.
 */
#include "dialect/internal.h"

typedef enum kind { POSITIVE_NUMBER, WINDOW, BLOCK, TEXT } kind;

static const char *const kind_words[] = {"a number above zero", "a whole number of tokens",
                                         "an object", "a text"};

typedef struct typed_key {
    const char *key;
    kind kind;
} typed_key;

static const typed_key of_config[] = {
    {"rope_theta", POSITIVE_NUMBER},
    {"max_position_embeddings", WINDOW},
    {"n_positions", WINDOW},
    {"n_ctx", WINDOW},
    {"seq_length", WINDOW},
    {"max_sequence_length", WINDOW},
    {"max_seq_len", WINDOW},
    {"original_max_position_embeddings", WINDOW},
    {"rope_scaling", BLOCK},
    {"rope_parameters", BLOCK},
    {NULL, BLOCK},
};
static const typed_key of_block[] = {
    {"rope_type", TEXT},
    {"type", TEXT},
    {"original_max_position_embeddings", WINDOW},
    {NULL, BLOCK},
};

static bool is_fine(const rw_json *node, kind wanted) {
    if (rw_json_is_null(node))
        return true;
    switch (wanted) {
    case POSITIVE_NUMBER:
        return node->type == RW_JSON_NUMBER && node->number > 0;
    case WINDOW:
        return rw_json_u64_or(node, 0) > 0;
    case BLOCK:
        return node->type == RW_JSON_OBJECT;
    default:
        return node->type == RW_JSON_STRING;
    }
}

static rw_status check_keys(const rw_source *source, const rw_json *object, const char *path,
                            const typed_key *keys, rw_error *err) {
    for (; keys->key; keys++) {
        const rw_json *node = rw_json_get(object, keys->key);
        if (!is_fine(node, keys->kind))
            return rw_fail_at(err, RW_ERR_INPUT, "dialect.bad_value",
                              rw_join_path(source, path, keys->key), node->begin,
                              "%s must be %s: correct it, or remove it if the default is meant",
                              keys->key, kind_words[keys->kind]);
    }
    return RW_OK;
}

/* A block, and those per layer type in it. */
static rw_status check_block(const rw_source *source, const char *key, rw_error *err) {
    const rw_json *block = rw_json_get(source->language, key);
    const char *path = rw_join_path(source, source->language_path, key);
    RW_TRY(check_keys(source, block, path, of_block, err));
    for (const rw_json *n = block ? block->first : NULL; n; n = n->next)
        if (n->type == RW_JSON_OBJECT)
            RW_TRY(check_keys(source, n, path, of_block, err));
    return RW_OK;
}

/* ---- numbers that are not finite ------------------------------------------------------------- */

/* Python writes Infinity and NaN; what no one here reads may hold them (time_step_limit of the
   Mamba hybrids does), and these may not: they give the sizes, the windows and the rotation. */
static const char needed[] =
    " attention_chunk_size attention_head_dim attn_layer_indices attn_layer_offset"
    " attn_layer_period attn_logit_softcapping conv_kernel cross_attention_layers d_model"
    " decoder_sparse_step expert_layer_offset expert_layer_period ffn_hidden_size"
    " final_logit_softcapping first_k_dense_replace full_attention_interval full_attn_idxs"
    " global_attn_every_n_layers global_head_dim global_rope_theta head_dim hidden_size"
    " hidden_size_per_layer_input index_head_dim interleave_moe_layer_step intermediate_size"
    " intermediate_size_mlp kv_channels kv_lora_rank linear_conv_kernel_dim linear_key_head_dim"
    " linear_num_key_heads linear_num_value_heads linear_value_head_dim local_attention"
    " local_rope_theta mamba_d_conv mamba_d_head mamba_d_state mamba_expand mamba_head_dim"
    " mamba_n_groups mamba_n_heads mamba_num_heads max_position_embeddings max_seq_len"
    " max_sequence_length max_window_layers mlp_only_layers moe_intermediate_size"
    " moe_layer_freq mtp_num_hidden_layers multi_query_group_num n_ctx n_embd n_groups n_head"
    " n_heads n_inner n_layer n_layers n_positions n_predict n_routed_experts n_shared_experts"
    " nextn_predict_layers no_rope_layer_interval no_rope_layers num_attention_heads"
    " num_experts num_experts_per_tok num_experts_per_token num_global_key_value_heads"
    " num_heads num_hidden_layers num_key_value_heads num_kv_heads num_kv_shared_layers"
    " num_layers num_local_experts num_mtp_layers num_nextn_predict_layers"
    " original_max_position_embeddings partial_rotary_factor q_lora_rank qk_nope_head_dim"
    " qk_rope_head_dim query_pre_attn_scalar relative_attention_num_buckets rms_norm_eps"
    " rope_global_theta rope_local_base_freq rope_local_theta rope_parameters rope_percent"
    " rope_ratio rope_scaling rope_theta rope_theta_global rope_theta_local rotary_dim"
    " rotary_emb_base rotary_emb_fraction rotary_pct seq_length shared_expert_intermediate_size"
    " shared_intermediate_size sliding_window sliding_window_pattern ssm_state_size state_size"
    " swa_rope_theta v_head_dim vocab_size ";

static bool is_needed(rw_str key) {
    char word[64];
    if (key.size + 3 > sizeof word)
        return false;
    snprintf(word, sizeof word, " %.*s ", (int)key.size, key.data);
    return strstr(needed, word) != NULL;
}

static rw_status not_finite(const char *path, const rw_json *node, rw_error *err) {
    rw_str name = node->key.size ? node->key : rw_str_of("a number of the list");
    return rw_fail_at(err, RW_ERR_INPUT, "dialect.bad_value", path, node->begin,
                      "%.*s is infinite or no number, and a finite one is needed there",
                      (int)(name.size < 64 ? name.size : 64), name.data);
}

/* What lies in them counts like them: the numbers of a block, of its lists, and of blocks per layer
   type in it. Deeper nobody reads. */
static rw_status check_numbers(const rw_json *node, const char *path, unsigned depth,
                               rw_error *err) {
    if (node->type == RW_JSON_NOT_FINITE)
        return not_finite(path, node, err);
    for (const rw_json *n = node->first; n && depth < 3; n = n->next)
        RW_TRY(check_numbers(n, path, depth + 1, err));
    return RW_OK;
}

static rw_status check_finite(const rw_source *source, rw_error *err) {
    for (const rw_json *n = source->language->first; n; n = n->next) {
        const char *key =
            is_needed(n->key) ? rw_arena_text(source->arena, n->key.data, n->key.size) : NULL;
        if (key)
            RW_TRY(check_numbers(n, rw_join_path(source, source->language_path, key), 0, err));
    }
    return RW_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

rw_status rw_hf_check_types(const rw_source *source, rw_error *err) {
    RW_TRY(check_finite(source, err));
    RW_TRY(check_keys(source, source->language, source->language_path, of_config, err));
    RW_TRY(check_block(source, "rope_scaling", err));
    return check_block(source, "rope_parameters", err);
}
