/*
 * hf_types.c - a key that is there with a value of the wrong kind is damage, not absence: taking
 * the default instead would be another rotation, silently.
 */
#include "dialect/internal.h"

typedef enum kind { POSITIVE_NUMBER, BLOCK } kind;

static const struct {
    const char *key;
    kind kind;
} keys[] = {
    {"rope_theta", POSITIVE_NUMBER},
    {"max_position_embeddings", POSITIVE_NUMBER},
    {"rope_scaling", BLOCK},
    {"rope_parameters", BLOCK},
};

static bool is_fine(const rw_json *node, kind wanted) {
    if (rw_json_is_null(node))
        return true;
    return wanted == BLOCK ? node->type == RW_JSON_OBJECT
                           : node->type == RW_JSON_NUMBER && node->number > 0;
}

/* ---- numbers that are not finite ------------------------------------------------------------- */

/* Python writes Infinity and NaN; what no one here reads may hold them (time_step_limit of the
   Mamba hybrids does), and these may not: they give the sizes, the windows and the rotation. */
static const char needed[] =
    " attention_chunk_size attention_head_dim attn_logit_softcapping d_model ffn_hidden_size"
    " final_logit_softcapping first_k_dense_replace full_attention_interval"
    " global_attn_every_n_layers global_head_dim global_rope_theta head_dim hidden_size"
    " hidden_size_per_layer_input interleave_moe_layer_step intermediate_size"
    " intermediate_size_mlp kv_channels kv_lora_rank local_attention local_rope_theta"
    " max_position_embeddings max_seq_len max_sequence_length max_window_layers"
    " moe_intermediate_size multi_query_group_num n_ctx n_embd n_head n_heads n_inner n_layer"
    " n_layers n_positions no_rope_layer_interval num_attention_heads num_experts"
    " num_experts_per_tok num_global_key_value_heads num_heads num_hidden_layers"
    " num_key_value_heads num_kv_heads num_kv_shared_layers num_layers num_local_experts"
    " num_nextn_predict_layers original_max_position_embeddings partial_rotary_factor"
    " q_lora_rank qk_nope_head_dim qk_rope_head_dim query_pre_attn_scalar rms_norm_eps"
    " rope_global_theta rope_local_base_freq rope_local_theta rope_percent rope_ratio rope_theta"
    " rope_theta_global rope_theta_local rotary_dim rotary_emb_base rotary_emb_fraction"
    " rotary_pct seq_length sliding_window sliding_window_pattern swa_rope_theta v_head_dim"
    " vocab_size ";

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

/* All of a block belongs to the rotation: its numbers, its lists, and those of blocks per layer type
   in it. What lies deeper nobody reads. */
static rw_status check_block_numbers(const rw_json *block, const char *path, unsigned depth,
                                     rw_error *err) {
    for (const rw_json *n = block ? block->first : NULL; n; n = n->next) {
        if (n->type == RW_JSON_NOT_FINITE)
            return not_finite(path, n, err);
        if (depth < 3)
            RW_TRY(check_block_numbers(n, path, depth + 1, err));
    }
    return RW_OK;
}

static rw_status check_finite(const rw_source *source, rw_error *err) {
    const rw_json *language = source->language;
    for (const rw_json *n = language->first; n; n = n->next)
        if (n->type == RW_JSON_NOT_FINITE && is_needed(n->key))
            return not_finite(source->language_path, n, err);
    static const char *const blocks[] = {"rope_scaling", "rope_parameters"};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        RW_TRY(check_block_numbers(rw_json_get(language, blocks[i]),
                                   rw_join_path(source, source->language_path, blocks[i]), 0, err));
    return RW_OK;
}

rw_status rw_hf_check_types(const rw_source *source, rw_error *err) {
    RW_TRY(check_finite(source, err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_json *node = rw_json_get(source->language, keys[i].key);
        if (is_fine(node, keys[i].kind))
            continue;
        return rw_fail_at(err, RW_ERR_INPUT, "dialect.bad_value",
                          rw_join_path(source, source->language_path, keys[i].key), node->begin,
                          "%s must be %s: correct it, or remove it if the default is meant",
                          keys[i].key, keys[i].kind == BLOCK ? "an object" : "a number above zero");
    }
    return RW_OK;
}
