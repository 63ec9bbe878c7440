/*
 * transformers5.c - Hugging Face transformers 5 (modeling_rope_utils.py; reference page 2.15).
 *
 * `rope_scaling`, when it is there, replaces `rope_parameters`; theta is the block's, else the
 * config's, else the class default; a top-level original_max_position_embeddings beats the block's;
 * `truncate` is read from the top of the block, so inside a per-layer block it is not honoured.
 * Seen with 5.17: `type: su` fails unless the block itself states its original window (it is filled
 * in for known types, before su is renamed), and a flat rope_parameters fails for OLMo-3.
 */
#include "dialect/internal.h"

static const char *const theta_keys[] = {"rope_theta", "rotary_emb_base", NULL};

const rw_hf_rules rw_transformers5_rules = {
    .runtime = RW_TRANSFORMERS5,
    .reads_parameters = true,
    .theta_in_scaling = true,
    .top_origin_wins = true,
    .reads_truncate = true,
    .su_needs_origin = true,
    .own_names_only = true,
    .converts = true,
    .no_flat_parameters = true,
    .reads_mscale = true,
    .amplitude = RW_AMPLITUDE_FINAL,
    .theta_keys = theta_keys,
};
