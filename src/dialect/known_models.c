/*
 * known_models.c - windows that models were trained for, where their configs do not say so.
 *
 * Facts: reference page 5. A model is known by its type, theta, advertised window and, where two
 * would be confused, the size of its heads and the factor it ships with. `native` is the window
 * before any extension (L0 there), else the advertised one.
 */
#include "dialect/internal.h"

static const rw_known_model known[] = {
    {"Llama 2", {"llama"}, 1e4, 4096, 128, 1, 4096},
    {"Code Llama", {"llama"}, 1e6, 16384, 128, 1, 16384},
    {"Llama 3", {"llama"}, 5e5, 8192, 128, 1, 8192},
    {"Llama 3.1", {"llama"}, 5e5, 131072, 128, 8, 8192},
    {"Llama 3.2", {"llama"}, 5e5, 131072, 0, 32, 8192},
    {"Llama 3.2 Vision", {"mllama_text_model"}, 5e5, 131072, 128, 8, 8192},
    {"Llama 4 Scout", {"llama4_text", "llama4"}, 5e5, 10485760, 128, 0, 8192},
    {"Mistral 7B v0.2", {"mistral"}, 1e6, 32768, 128, 1, 32768},
    {"LongChat 16k", {"llama"}, 1e4, 16384, 128, 8, 2048},
    {"Yarn-Llama-2 128k", {"llama"}, 1e4, 131072, 128, 32, 4096},
    {"Qwen2.5", {"qwen2"}, 1e6, 32768, 0, 0, 32768},
    {"Qwen2.5 1M", {"qwen2"}, 1e7, 1010000, 128, 0, 262144},
    {"Qwen3", {"qwen3", "qwen3_moe", "qwen3moe"}, 1e6, 40960, 0, 0, 32768},
    {"Qwen2.5-VL", {"qwen2_5_vl", "qwen2_5_vl_text", "qwen2vl"}, 1e6, 128000, 128, 1, 128000},
    {"Qwen3-VL", {"qwen3_vl_text", "qwen3_vl_moe_text", "qwen3vlmoe"}, 5e6, 262144, 128, 1, 262144},
    {"Qwen3.5", {"qwen3_5_text", "qwen3_5_moe_text", "qwen35"}, 1e7, 262144, 256, 0, 262144},
    {"Phi-3 mini 128k", {"phi3"}, 1e4, 131072, 96, 0, 4096},
    {"Phi-4 mini", {"phi3"}, 1e4, 131072, 128, 0, 4096},
    {"DeepSeek V3", {"deepseek_v3", "deepseek2"}, 1e4, 163840, 64, 40, 4096},
    {"DeepSeek V2", {"deepseek_v2"}, 1e4, 163840, 64, 40, 4096},
    {"Kimi K2.5", {"kimi_k2", "deepseek_v3", "deepseek2"}, 5e4, 262144, 64, 64, 4096},
    {"Kimi K2", {"kimi_k2", "deepseek_v3", "deepseek2"}, 5e4, 131072, 64, 32, 4096},
    {"gpt-oss", {"gpt_oss", "gpt-oss"}, 1.5e5, 131072, 64, 32, 4096},
    {"OLMo 3", {"olmo3"}, 5e5, 65536, 128, 8, 8192},
    {"Ministral 3", {"ministral3", "mistral3"}, 1e6, 262144, 128, 16, 16384},
    {"Laguna XS", {"laguna"}, 5e5, 131072, 128, 32, 4096},
    {"InternLM 3", {"internlm3"}, 5e7, 32768, 128, 0, 32768},
    {"GLM-4.5 Air", {"glm4_moe", "glm4moe"}, 1e6, 131072, 128, 1, 131072},
    {"Pythia", {"gpt_neox", "gptneox"}, 1e4, 2048, 0, 1, 2048},
};

static bool is_type(const rw_known_model *model, rw_str type) {
    for (int i = 0; i < 4 && model->types[i]; i++)
        if (rw_str_is(type, model->types[i]))
            return true;
    return false;
}

/* Same type, theta and heads. */
static bool is_kin(const rw_known_model *model, rw_str type, const rw_rope_spec *spec) {
    return is_type(model, type) && fabs(model->theta - spec->theta) <= 1e-6 * model->theta &&
           (!model->head_dim || model->head_dim == spec->head_dim);
}

const rw_known_model *rw_known_model_find(rw_str type, const rw_rope_spec *spec,
                                          uint64_t advertised) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const rw_known_model *model = &known[i];
        if (model->advertised == advertised && is_kin(model, type, spec) &&
            (model->factor == 0 || model->factor == spec->factor))
            return model;
    }
    return NULL;
}

const rw_known_model *rw_known_model_shorter(rw_str type, const rw_rope_spec *spec,
                                             uint64_t advertised) {
    const rw_known_model *found = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const rw_known_model *model = &known[i];
        if (model->factor <= 1 && model->native < advertised && is_kin(model, type, spec) &&
            (!found || model->native > found->native))
            found = model;
    }
    return found;
}
