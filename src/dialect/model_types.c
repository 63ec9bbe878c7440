/*
 * model_types.c - model types that rotate, and what their classes assume when a config is silent.
 *
 * Pairing and GGUF modes: reference page 2.14 (llama.cpp's rope type per architecture). Class
 * defaults of theta, the rotated part, window and block: transformers' configuration classes (5.23,
 * and 4.57.6 where they differ), compared with this table one by one; a reader that falls back on
 * one says so. Which GGUF graphs take frequency factors: 4.2 (llama family, phi3).
 */
#include "dialect/internal.h"

static const rw_model_type model_types[] = {
    {.hf = "llama",
     .gguf = "llama",
     .head_dim = 128,
     .window = 2048,
     .gguf_interleaved = true,
     .gguf_factors = true},
    {.hf = "mistral",
     .gguf = "llama",
     .head_dim = 128,
     .gguf_interleaved = true,
     .gguf_factors = true},
    {.hf = "mixtral",
     .gguf = "llama",
     .theta = 1e6,
     .gguf_interleaved = true,
     .gguf_factors = true},
    {.hf = "ministral3",
     .gguf = "mistral3",
     .gguf_interleaved = true,
     .block = "{\"rope_type\":\"yarn\",\"rope_theta\":1000000.0,\"factor\":16.0,"
              "\"original_max_position_embeddings\":16384,\"beta_fast\":32.0,\"beta_slow\":1.0,"
              "\"mscale\":1.0,\"mscale_all_dim\":1.0}"},
    {.hf = "mistral3", .gguf = "mistral3", .gguf_interleaved = true},
    {.hf = "mistral4", .gguf = "mistral4", .interleaved = true, .gguf_interleaved = true},
    {.hf = "mllama_text_model",
     .gguf = "mllama",
     .theta = 5e5,
     .gguf_interleaved = true,
     .gguf_factors = true},
    {.hf = "llama4_text",
     .gguf = "llama4",
     .theta = 5e5,
     .interleaved = true,
     .gguf_interleaved = true,
     .gguf_factors = true},
    {.hf = "smollm3",
     .gguf = "smollm3",
     .theta = 2e6,
     .gguf_interleaved = true,
     .gguf_factors = true},
    {.hf = "internlm2", .gguf = "internlm2", .gguf_interleaved = true},
    {.hf = "internlm3", .gguf = "llama", .gguf_interleaved = true, .gguf_factors = true},
    {.hf = "qwen2", .gguf = "qwen2", .head_dim = 128, .window = 32768},
    {.hf = "qwen2_moe", .gguf = "qwen2moe"},
    {.hf = "qwen3", .gguf = "qwen3", .head_dim = 128, .window = 32768},
    {.hf = "qwen3_moe", .gguf = "qwen3moe"},
    {.hf = "qwen3_next", .gguf = "qwen3next", .partial = 0.25},
    {.hf = "qwen2_vl", .gguf = "qwen2vl", .theta = 1e6, .mrope = true},
    {.hf = "qwen2_vl_text", .gguf = "qwen2vl", .theta = 1e6, .mrope = true},
    {.hf = "qwen2_5_vl", .gguf = "qwen2vl", .theta = 1e6, .mrope = true},
    {.hf = "qwen2_5_vl_text", .gguf = "qwen2vl", .theta = 1e6, .mrope = true},
    {.hf = "qwen2_5_omni_text", .gguf = "qwen2vl", .theta = 1e6, .mrope = true},
    {.hf = "qwen3_vl_text", .gguf = "qwen3vl", .theta = 5e6, .theta5 = 5e5, .mrope = true},
    {.hf = "qwen3_vl_moe_text", .gguf = "qwen3vlmoe", .theta = 5e6, .theta5 = 5e5, .mrope = true},
    {.hf = "qwen3_omni_moe_text", .gguf = "qwen3vlmoe", .theta = 1e6, .mrope = true},
    {.hf = "qwen3_5_text", .gguf = "qwen35", .partial = 0.25},
    {.hf = "qwen3_5_moe_text", .gguf = "qwen35moe", .partial = 0.25},
    {.hf = "phi", .gguf = "phi2", .partial = 0.5},
    {.hf = "phi3",
     .gguf = "phi3",
     .head_dim = 96,
     .origin = 4096,
     .longrope_only = true,
     .gguf_factors = true},
    {.hf = "phi3_v",
     .gguf = "phi3",
     .head_dim = 96,
     .origin = 4096,
     .longrope_only = true,
     .gguf_factors = true},
    {.hf = "gemma", .gguf = "gemma"},
    {.hf = "gemma2", .gguf = "gemma2"},
    {.hf = "gemma3",
     .gguf = "gemma3",
     .theta = 1e6,
     .head_dim = 256,
     .window = 131072,
     .wants_rope_type = true,
     .dual = RW_DUAL_GEMMA3},
    {.hf = "gemma3_text",
     .gguf = "gemma3",
     .theta = 1e6,
     .head_dim = 256,
     .window = 131072,
     .wants_rope_type = true,
     .dual = RW_DUAL_GEMMA3},
    {.hf = "gemma3n_text", .gguf = "gemma3n", .theta = 1e6, .dual = RW_DUAL_GEMMA3},
    {.hf = "gemma4_text", .gguf = "gemma4", .theta = 1e6, .layer_types = true},
    {.hf = "gpt_oss",
     .gguf = "gpt-oss",
     .theta = 1.5e5,
     .block = "{\"rope_type\":\"yarn\",\"factor\":32.0,\"beta_fast\":32.0,\"beta_slow\":1.0,"
              "\"truncate\":false,\"original_max_position_embeddings\":4096}"},
    {.hf = "deepseek_v2", .gguf = "deepseek2", .interleaved = true, .gguf_interleaved = true},
    {.hf = "deepseek_v3", .gguf = "deepseek2", .interleaved = true, .gguf_interleaved = true},
    {.hf = "kimi_k2", .gguf = "deepseek2", .interleaved = true, .gguf_interleaved = true},
    {.hf = "olmo", .gguf = "olmo", .gguf_interleaved = true},
    {.hf = "olmo2", .gguf = "olmo2"},
    {.hf = "olmo3",
     .gguf = "olmo2",
     .theta5 = 5e5,
     .wants_rope_type = true,
     .dual = RW_DUAL_FULL_ONLY},
    {.hf = "olmoe", .gguf = "olmoe"},
    {.hf = "gpt_neox", .gguf = "gptneox", .partial = 0.25, .theta_key = "rotary_emb_base"},
    {.hf = "gptj", .gguf = "gptj", .interleaved = true, .gguf_interleaved = true},
    {.hf = "codegen", .interleaved = true},
    {.hf = "stablelm", .gguf = "stablelm", .partial = 0.25},
    {.hf = "starcoder2", .gguf = "starcoder2"},
    {.hf = "falcon", .gguf = "falcon"},
    {.hf = "cohere",
     .gguf = "command-r",
     .theta5 = 5e5,
     .wants_rope_type = true,
     .interleaved = true,
     .gguf_interleaved = true},
    {.hf = "cohere2", .gguf = "cohere2", .interleaved = true, .gguf_interleaved = true},
    {.hf = "glm", .gguf = "chatglm", .partial = 0.5, .interleaved = true, .gguf_interleaved = true},
    {.hf = "glm4", .gguf = "glm4", .partial = 0.5, .interleaved = true, .gguf_interleaved = true},
    {.hf = "glm4_moe", .gguf = "glm4moe", .partial = 0.5},
    {.hf = "nemotron", .gguf = "nemotron", .partial = 0.5},
    {.hf = "persimmon", .partial = 0.5},
    {.hf = "granite", .gguf = "granite", .gguf_interleaved = true, .gguf_factors = true},
    {.hf = "exaone", .gguf = "exaone", .gguf_factors = true},
    {.hf = "exaone4", .gguf = "exaone4", .gguf_factors = true},
    {.hf = "ernie4_5",
     .gguf = "ernie4_5",
     .theta = 5e5,
     .interleaved = true,
     .gguf_interleaved = true},
    {.hf = "minimax_m2", .gguf = "minimax-m2", .theta = 5e6},
    {.hf = "laguna", .gguf = "laguna", .layer_types = true},
    {.hf = "lfm2", .gguf = "lfm2", .theta = 1e6},
    {.hf = "apertus",
     .theta = 1.2e7,
     .block = "{\"rope_type\":\"llama3\",\"rope_theta\":12000000.0,\"factor\":8.0,"
              "\"original_max_position_embeddings\":8192,\"low_freq_factor\":1.0,"
              "\"high_freq_factor\":4.0}"},
    {.hf = "arcee"},
    {.hf = "helium", .theta = 1e5},
    {.hf = "hunyuan_v1_dense"},
    {.hf = "seed_oss", .gguf = "seed_oss"},
    {.hf = "baichuan", .gguf = "baichuan", .gguf_interleaved = true},
    {.hf = "yi", .gguf = "llama", .gguf_interleaved = true, .gguf_factors = true},
};

enum { MODEL_TYPE_COUNT = sizeof model_types / sizeof *model_types };

const rw_model_type *rw_model_type_hf(rw_str name) {
    for (size_t i = 0; i < MODEL_TYPE_COUNT; i++)
        if (rw_str_is(name, model_types[i].hf))
            return &model_types[i];
    return NULL;
}

const rw_model_type *rw_model_type_gguf(rw_str name) {
    for (size_t i = 0; i < MODEL_TYPE_COUNT; i++)
        if (model_types[i].gguf && rw_str_is(name, model_types[i].gguf))
            return &model_types[i];
    return NULL;
}

const rw_model_type *rw_model_type_of(const rw_source *source) {
    static const rw_model_type unknown;
    const rw_model_type *type =
        rw_checkpoint_format(source->checkpoint) == RW_FORMAT_GGUF
            ? rw_model_type_gguf(rw_str_of(source->arch.name))
            : rw_model_type_hf(rw_json_string_or(rw_json_get(source->language, "model_type"), ""));
    return type ? type : &unknown;
}
