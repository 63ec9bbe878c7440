/*
 * effective.c - the window that a runtime serves by itself, given these bytes and no length flag.
 *
 * Reference page 3.2. vLLM derives it from the block: the original window (YaRN) or the advertised
 * one, times the factor, except for LongRoPE, llama3 and Gemma 3. SGLang multiplies the advertised
 * one unless the block states an original window or is llama3's (sgl-project/sglang 002fc100,
 * get_context_length). The others take what is advertised; transformers does not even stop there.
 */
#include "dialect/internal.h"

static bool is_gemma3(const rw_source *source) {
    const rw_json *root = rw_checkpoint_config(source->checkpoint);
    rw_str type = rw_json_string_or(rw_json_get(root, "model_type"), "");
    return (type.size >= 6 && memcmp(type.data, "gemma3", 6) == 0) ||
           strncmp(source->arch.model_type, "gemma3", 6) == 0;
}

static rw_effective_window times_factor(uint64_t window, double factor, const char *rule) {
    double tokens = (double)window * factor;
    return (rw_effective_window){tokens > 0 && tokens < 1e15 ? (uint64_t)tokens : 0, rule};
}

/* As it stands in the file: a reader may have turned it into something else (dynamic NTK frozen at
   one length). */
static double stated_factor(const rw_source *source) {
    const rw_json *block = rw_hf_block(source->language, "rope_scaling");
    if (!block)
        block = rw_hf_block(source->language, "rope_parameters");
    if (rw_hf_is_nested(block))
        block = rw_hf_block(block, "full_attention");
    return rw_json_number_or(rw_json_get(block, "factor"), 1);
}

static rw_effective_window of_vllm(const rw_source *source, const rw_rope_spec *spec) {
    uint64_t window = source->windows.advertised;
    switch (spec->method) {
    case RW_ROPE_YARN:
    case RW_ROPE_NTK_BY_PARTS:
        return times_factor(spec->original_context, spec->factor, "original window * factor");
    case RW_ROPE_LONGROPE:
        return (rw_effective_window){spec->original_context,
                                     "the original window, unless --max-model-len is given"};
    case RW_ROPE_LINEAR:
    case RW_ROPE_NTK:
    case RW_ROPE_DYNAMIC:
        if (is_gemma3(source))
            break;
        return times_factor(window, stated_factor(source), "advertised window * factor");
    default:
        break;
    }
    return (rw_effective_window){window, "the advertised window"};
}

static rw_effective_window of_sglang(const rw_source *source, const rw_rope_spec *spec) {
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    uint64_t window = source->windows.advertised;
    bool origin = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const rw_json *block = rw_hf_block(source->language, keys[i]);
        /* of a block per layer type it sees no factor */
        origin |= rw_hf_is_nested(block) || rw_json_get(block, "original_max_position_embeddings");
    }
    if (!origin && (spec->method == RW_ROPE_LINEAR || spec->method == RW_ROPE_DYNAMIC))
        return times_factor(window, stated_factor(source), "advertised window * factor");
    return (rw_effective_window){window, "the advertised window"};
}

rw_effective_window rw_dialect_effective_window(rw_runtime runtime, const rw_source *source,
                                                const rw_rope_set *set) {
    const rw_rope_group *group = rw_primary_group(set);
    uint64_t window = source->windows.advertised;
    if (group && runtime == RW_VLLM)
        return of_vllm(source, &group->spec);
    if (group && runtime == RW_SGLANG)
        return of_sglang(source, &group->spec);
    if (runtime == RW_LLAMA_CPP)
        return (rw_effective_window){window, "context_length, when -c is 0"};
    return (rw_effective_window){window, "the advertised window; not enforced"};
}
