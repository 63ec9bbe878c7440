/*
 * sglang.c - SGLang (srt/layers/rotary_embedding/factory.py, yarn.py).
 *
 * Written from its formulas as documented on the reference page (2.6, 3.1), not checked against a
 * run. Blocks are found as in transformers. Its own: `attn_factor` multiplies 0.1 ln s + 1 and
 * `attention_factor` is ignored; the mscale pair counts also when one of the two is zero.
 */
#include "dialect/internal.h"

static const char *const theta_keys[] = {"rope_theta", "rotary_emb_base", NULL};

const rw_hf_rules rw_sglang_rules = {
    .runtime = RW_SGLANG,
    .reads_parameters = true,
    .theta_in_scaling = true,
    .top_origin_wins = true,
    .reads_truncate = true,
    .truncate_when_nested = true,
    .reads_mscale = true,
    .mscale_zero_counts = true,
    .amplitude = RW_AMPLITUDE_MULTIPLIER,
    .longrope_ratio_amplitude = true,
    .dynamic_is_static = true,
    .theta_keys = theta_keys,
};
