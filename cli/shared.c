/*
 * shared.c - flags that several verbs have: of a scaling, of planning, of measuring.
 */
#include <float.h>

#include "cli.h"

#define FIELD(name) offsetof(rw_scaling_options, name)
#define PLAN(name) offsetof(rw_plan_options, name)
#define MEASURE(name) offsetof(rw_measure_options, name)

const cli_option cli_scaling_options[CLI_SCALING_COUNT] = {
    {"method", 0, CLI_TEXT, false, FIELD(method), 0, 0, 0, "NAME",
     "none, linear, ntk, dynamic, ntk_by_parts, yarn, llama3, longrope, base or per_pair"},
    {"factor", 0, CLI_NUMBER, false, FIELD(factor), 0, DBL_MIN, 0, "S",
     "how many times longer (default: context / native window)"},
    {"original-context", 0, CLI_COUNT, false, FIELD(original_context), 0, 1, 0, "TOKENS",
     "window the frequencies were trained for"},
    {"rope-theta", 0, CLI_NUMBER, false, FIELD(rope_theta), 0, DBL_MIN, 0, "THETA",
     "base of the frequencies"},
    {"beta-fast", 0, CLI_NUMBER, false, FIELD(beta_fast), 0, DBL_MIN, 0, "TURNS",
     "YaRN: pairs that turn more often than this stay as they are (32)"},
    {"beta-slow", 0, CLI_NUMBER, false, FIELD(beta_slow), 0, DBL_MIN, 0, "TURNS",
     "YaRN: pairs that turn less often than this are stretched wholly (1)"},
    {"attention-factor", 0, CLI_NUMBER, false, FIELD(attention_factor), 0, DBL_MIN, 0, "A",
     "amplitude of cos and sin, as a final value"},
    {"mscale", 0, CLI_NUMBER, false, FIELD(mscale), 0, DBL_MIN, 0, "M", "YaRN: mscale"},
    {"mscale-all-dim", 0, CLI_NUMBER, false, FIELD(mscale_all_dim), 0, DBL_MIN, 0, "M",
     "YaRN: mscale_all_dim"},
    {"truncate", 0, CLI_YES_NO, false, FIELD(truncate), 0, 0, 0, "yes|no",
     "YaRN: round the ends of the ramp to whole pairs (yes)"},
    {"low-freq-factor", 0, CLI_NUMBER, false, FIELD(low_freq_factor), 0, DBL_MIN, 0, "F",
     "Llama-3: turns below which a pair is stretched wholly (1)"},
    {"high-freq-factor", 0, CLI_NUMBER, false, FIELD(high_freq_factor), 0, DBL_MIN, 0, "F",
     "Llama-3: turns above which a pair stays as it is (4)"},
    {"short-factor", 0, CLI_NUMBERS, false, FIELD(short_factor), FIELD(short_factor_count), DBL_MIN,
     0, "LIST|@FILE", "LongRoPE: a divisor per pair, inside the native window"},
    {"long-factor", 0, CLI_NUMBERS, false, FIELD(long_factor), FIELD(long_factor_count), DBL_MIN, 0,
     "LIST|@FILE", "LongRoPE: a divisor per pair, beyond the native window"},
    {"pair-factors", 0, CLI_NUMBERS, false, FIELD(pair_factors), FIELD(pair_factor_count), DBL_MIN,
     0, "LIST|@FILE", "per_pair: a divisor per pair"},
};

const cli_option cli_planning_options[CLI_PLANNING_COUNT] = {
    {"target", 0, CLI_TEXT, false, PLAN(targets), 0, 0, 0, "LIST",
     "runtimes that must read it alike: transformers5, transformers4, transformers4-early, vllm, "
     "sglang, llama.cpp (default: those that read the spelling found)"},
    {"compound", 0, CLI_SWITCH, false, PLAN(compound), 0, 0, 0, NULL,
     "keep the existing scaling and set its factor to context / native window"},
    {"replace", 0, CLI_SWITCH, false, PLAN(replace), 0, 0, 0, NULL,
     "drop the existing scaling and plan from the native window"},
    {"layers", 0, CLI_TEXT, false, PLAN(layers), 0, 0, 0, "full|all",
     "where sliding-attention layers rotate by themselves: leave those as they are (full, the "
     "default) or scale them too"},
    {"device", 0, CLI_TEXT, false, PLAN(devices), 0, 0, 0, "NAME,...",
     "will it fit there? h100, rtx-4090, a100-40, apple-64, cpu-128, ...; all: the whole table"},
    {"force", 0, CLI_SWITCH, false, PLAN(force), 0, 0, 0, NULL,
     "go beyond the band in which the method is known to be stable"},
};

const cli_option cli_measuring_options[CLI_MEASURING_COUNT] = {
    {"data", 0, CLI_TEXT, false, MEASURE(data), 0, 0, 0, "FILE",
     "JSONL of documents, {\"text\": ...} or {\"tokens\": [...]} a line (default: the held-out "
     "documents that come with ropewalk)"},
    {"protocol", 0, CLI_TEXT, false, MEASURE(protocol), 0, 0, 0, "NAME",
     "prefix (default), half, sliding or tail"},
    {"tasks", 0, CLI_TEXT, false, MEASURE(tasks), 0, 0, 0, "LIST",
     "what to measure (perplexity,passkey)"},
    {"lengths", 0, CLI_COUNTS, false, MEASURE(lengths), MEASURE(length_count), 2, 0, "LIST",
     "lengths in tokens (default: half the native window, doubling up to the context)"},
    {"depths", 0, CLI_NUMBERS, false, MEASURE(depths), MEASURE(depth_count), 0, 1, "LIST",
     "depths of the needle (0,0.25,0.5,0.75,1)"},
    {"documents", 0, CLI_COUNT, false, MEASURE(documents), 0, 1, 0, "N",
     "at most so many documents from the top of the file (12)"},
    {"chunks", 0, CLI_COUNT, false, MEASURE(chunks), 0, 1, 0, "N",
     "half: windows per document (all)"},
    {"trials", 0, CLI_COUNT, false, MEASURE(trials), 0, 1, 0, "N",
     "passkey trials per depth and length (8)"},
    {"stride", 0, CLI_COUNT, false, MEASURE(stride), 0, 1, 0, "TOKENS",
     "sliding, tail: tokens between windows (256)"},
    {"pack", 0, CLI_TEXT, false, MEASURE(pack), 0, 0, 0, "FILE",
     "JSONL of your own questions over long texts, asked too"},
    {"suite", 0, CLI_TEXT, false, MEASURE(suite), 0, 0, 0, "fast",
     "a fixed set of measurements that takes under five minutes"},
    {"seed", 0, CLI_COUNT, false, MEASURE(seed), 0, 0, 0, "N", "seed of what is drawn (0)"},
    {"budget", 0, CLI_SECONDS, false, MEASURE(budget_seconds), 0, DBL_MIN, 0, "TIME",
     "spend at most this, 90s or 5m; what is cut is said before it starts"},
    {"kv-type", 0, CLI_TEXT, false, MEASURE(kv_type), 0, 0, 0, "TYPE",
     "keep keys and values as f32 (default, exact), f16, bf16 or q8_0"},
    {"arithmetic", 0, CLI_TEXT, false, MEASURE(arithmetic), 0, 0, 0, "f32|int8",
     "multiply weights in f32 (default, exact), or quantised ones in int8: faster"},
    {"no-timing", 0, CLI_SWITCH, false, MEASURE(no_timing), 0, 0, 0, NULL,
     "leave times and dates out, so that two runs give the same bytes"},
};
