/*
 * vllm.c - vLLM, newest layout (vllm/model_executor/layers/rotary_embedding/).
 *
 * Written from its formulas as documented on the reference page (2.3, 2.4, 2.8, 3.1), not checked
 * against a run. The config passes through transformers first, so blocks are found as there.
 * Its own: dynamic NTK is frozen at M * s; a type "ntk" with a schedule of its own; LongRoPE's
 * amplitude comes from M/L0 or short_mscale/long_mscale and nothing else.
 */
#include "dialect/internal.h"

static const char *const theta_keys[] = {"rope_theta", "rotary_emb_base", NULL};

const rw_hf_rules rw_vllm_rules = {
    .runtime = RW_VLLM,
    .reads_parameters = true,
    .theta_in_scaling = true,
    .top_origin_wins = true,
    .reads_truncate = true,
    .truncate_when_nested = true,
    .reads_mscale = true,
    .amplitude = RW_AMPLITUDE_FINAL,
    .longrope_ratio_amplitude = true,
    .dynamic_is_static = true,
    .has_ntk = true,
    .theta_keys = theta_keys,
};
