/*
 * classes.c - what a config.json leaves to its model class, as far as sizes depend on it.
 *
 * Families that the engine runs are described in family.c; of them only what a config may leave out
 * altogether is here. Defaults and patterns are those of transformers' configuration classes (v4.57
 * and v5.17, models/ <type>/configuration_<type>.py); the GGUF names are llama.cpp's. Only what
 * configs in use leave out is here.
 */
#include "arch/classes.h"

static const rw_model_class classes[] = {
    {.type = "llama", .hidden = 4096, .layers = 32, .heads = 32, .ffn = 11008, .vocab = 32000},
    {.type = "mixtral", .pattern = RW_PATTERN_ALL},
    {.type = "starcoder2", .gguf = "starcoder2", .pattern = RW_PATTERN_ALL, .mlp_matrices = 2},
    {.type = "phimoe", .gguf = "phimoe", .pattern = RW_PATTERN_ALL},
    {.type = "gpt_neox", .gguf = "gptneox", .mlp_matrices = 2, .biases = true},
    {.type = "phi", .gguf = "phi2", .mlp_matrices = 2, .biases = true},
    {.type = "gpt_oss",
     .gguf = "gpt-oss",
     .pattern = RW_PATTERN_PERIOD,
     .period = 2,
     .window = 128,
     .moe_biases = true},
    {.type = "gemma", .gguf = "gemma", .head_dim = 256, .tied = true},
    {.type = "gemma3n_text",
     .gguf = "gemma3n",
     .head_dim = 256,
     .pattern = RW_PATTERN_PERIOD,
     .period = 5,
     .window = 512,
     .tied = true,
     .uncounted = true},
    {.type = "gemma4_text",
     .gguf = "gemma4",
     .head_dim = 256,
     .pattern = RW_PATTERN_PERIOD,
     .period = 6,
     .window = 512,
     .tied = true,
     .norms = 4,
     .qk_norm = true},
    {.type = "cohere", .gguf = "command-r", .tied = true, .norms = 1},
    {.type = "cohere2",
     .gguf = "cohere2",
     .pattern = RW_PATTERN_PERIOD,
     .period = 4,
     .window = 4096,
     .tied = true,
     .norms = 1,
     .plain_full = true},
    {.type = "olmo2", .gguf = "olmo2"},
    {.type = "olmo3", .pattern = RW_PATTERN_PERIOD, .period = 4, .window = 4096},
    {.type = "exaone4",
     .gguf = "exaone4",
     .pattern = RW_PATTERN_PERIOD,
     .period = 4,
     .plain_full = true},
    {.type = "afmoe", .gguf = "afmoe", .plain_full = true, .uncounted = true},
    {.type = "llama4_text",
     .gguf = "llama4",
     .pattern = RW_PATTERN_CHUNKED,
     .period = 4,
     .window = 8192},
    {.type = "qwen2_moe", .pattern = RW_PATTERN_AFTER, .qkv_bias = true},
    {.type = "qwen2_vl", .pattern = RW_PATTERN_AFTER, .qkv_bias = true},
    {.type = "qwen2_vl_text", .pattern = RW_PATTERN_AFTER, .qkv_bias = true},
    {.type = "qwen2_5_vl", .pattern = RW_PATTERN_AFTER, .qkv_bias = true},
    {.type = "qwen2_5_vl_text", .pattern = RW_PATTERN_AFTER, .qkv_bias = true},
    {.type = "qwen2_5_omni_text", .pattern = RW_PATTERN_AFTER, .qkv_bias = true},
    {.type = "qwen3_moe", .pattern = RW_PATTERN_AFTER, .qk_norm = true},
    {.type = "qwen3_vl_text", .qk_norm = true},
    {.type = "qwen3_next", .pattern = RW_PATTERN_LINEAR, .period = 4, .qk_norm = true},
    {.type = "glm4", .gguf = "glm4", .norms = 4, .qkv_bias = true},
    {.type = "mllama_text_model", .gguf = "mllama", .uncounted = true},
};

const rw_model_class *rw_model_class_of(rw_str type) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (rw_str_is(type, classes[i].type))
            return &classes[i];
    return NULL;
}

const rw_model_class *rw_model_class_of_gguf(rw_str architecture) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (classes[i].gguf && rw_str_is(architecture, classes[i].gguf))
            return &classes[i];
    return NULL;
}
