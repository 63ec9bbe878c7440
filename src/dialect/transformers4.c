/*
 * transformers4.c - Hugging Face transformers 4, late (4.56 and later 4.x) and early (read at
 * 4.49; before huggingface/transformers#40320 fixed the ramp's origin).
 *
 * Both know only `rope_scaling`, with theta outside of it. LongRoPE takes its original window from
 * the config's top level only, and then M/L0 in place of the factor. The early variant computes
 * YaRN's ramp from max_position_embeddings whatever the block says, so raising that number moves
 * the ramp; and it knows neither mscale nor truncate.
 */
#include "dialect/internal.h"

static const char *const theta_keys[] = {"rope_theta", "rotary_emb_base", NULL};

const rw_hf_rules rw_transformers4_rules = {
    .runtime = RW_TRANSFORMERS4,
    .longrope_top_origin = true,
    .own_names_only = true,
    .strict_null = true,
    .three_keys = true,
    .v2_plain_logits = true,
    .reads_truncate = true,
    .reads_mscale = true,
    .amplitude = RW_AMPLITUDE_FINAL,
    .theta_keys = theta_keys,
};

const rw_hf_rules rw_transformers4_early_rules = {
    .runtime = RW_TRANSFORMERS4_EARLY,
    .origin_is_window = true,
    .longrope_top_origin = true,
    .own_names_only = true,
    .strict_null = true,
    .three_keys = true,
    .v2_plain_logits = true,
    .amplitude = RW_AMPLITUDE_FINAL,
    .theta_keys = theta_keys,
};
