#!/usr/bin/env python3
"""How many parameters transformers' own models have, for tests/data/golden_parameters.json.

    tools/golden_parameters.py > tests/data/golden_parameters.json

Every model is built from its configuration class on the meta device, so nothing is allocated: by the
class's defaults, and small with other keys that change shapes. Only keys that say something about a
shape are kept. Needs torch and transformers.
"""
import json
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch  # noqa: E402
import transformers  # noqa: E402
from transformers.models.auto.configuration_auto import CONFIG_MAPPING  # noqa: E402

TYPES = """arcee apertus bitnet cohere cohere2 cwm deepseek_v2 deepseek_v3 ernie4_5 ernie4_5_moe exaone4
    falcon gemma gemma2 gemma3_text gemma3n_text gemma4_text glm glm4 glm4_moe gpt_neox gpt_oss granite
    granitemoe granitemoeshared jetmoe laguna lfm2 llama llama4_text longcat_flash minimax_m2 ministral3
    mistral mixtral olmo olmo2 olmo3 olmoe persimmon phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_moe
    qwen3_next seed_oss smollm3 stablelm starcoder2""".split()
SMALL = {"hidden_size": 512, "num_attention_heads": 8, "num_key_value_heads": 2,
         "num_hidden_layers": 6, "intermediate_size": 1000, "vocab_size": 5000, "pad_token_id": 0}
MIXED = {"num_local_experts": 8, "num_experts": 8, "n_routed_experts": 8, "num_experts_per_tok": 2,
         "moe_intermediate_size": 96, "n_group": 1, "topk_group": 1}
GEMMA4 = {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "global_head_dim": 128,
          "head_dim": 64, "sliding_window": 64}
MORE = {
    "llama": [{}, {"attention_bias": True}, {"mlp_bias": True}, {"head_dim": 96},
              {"tie_word_embeddings": True}],
    "qwen2": [{}], "qwen3": [{"head_dim": 96}, {"attention_bias": True}],
    "mistral": [{"head_dim": 96}], "cohere": [{}], "cohere2": [{}], "gemma2": [{"head_dim": 96}],
    "gemma3_text": [{"head_dim": 96}], "glm4": [{}], "olmo3": [{}], "phi3": [{}],
    "stablelm": [{"use_qkv_bias": True}],
    "mixtral": [{"num_local_experts": 4}], "olmoe": [{"num_experts": 8}],
    "qwen3_moe": [{k: MIXED[k] for k in ("num_experts", "num_experts_per_tok",
                                         "moe_intermediate_size")} | {"mlp_only_layers": [1, 2]}],
    "qwen2_moe": [{k: MIXED[k] for k in ("num_experts", "moe_intermediate_size")} |
                  {"shared_expert_intermediate_size": 300, "decoder_sparse_step": 2}],
    "deepseek_v3": [MIXED | {"first_k_dense_replace": 2, "n_shared_experts": 2}],
    "deepseek_v2": [MIXED | {"first_k_dense_replace": 1, "n_shared_experts": 2}],
    "glm4_moe": [MIXED | {"first_k_dense_replace": 2, "n_shared_experts": 1, "head_dim": 64,
                          "use_qk_norm": True}],
    "gpt_oss": [{"num_local_experts": 4}],
    "granitemoeshared": [{"num_local_experts": 4, "shared_intermediate_size": 300}],
    "gemma4_text": [GEMMA4, GEMMA4 | {"attention_k_eq_v": True, "num_global_key_value_heads": 1},
                    GEMMA4 | {"enable_moe_block": True, "num_experts": 8, "top_k_experts": 2,
                              "moe_intermediate_size": 64},
                    GEMMA4 | {"hidden_size_per_layer_input": 32}],
}
FOREIGN = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "transformers_version",
           "output_", "return_", "use_cache", "chunk_size", "pad_token", "bos_token", "eos_token",
           "problem", "is_encoder", "initializer", "pretraining", "router_", "embd_pdrop",
           "resid_pdrop", "attention_dropout", "hidden_dropout", "base_model")


def shapes(config):
    kept = {}
    for key, value in config.items():
        if value is not None and not key.startswith(FOREIGN):
            kept[key] = value
    return kept


def count(model_type, changes):
    config = CONFIG_MAPPING[model_type](**changes)
    if model_type.startswith("glm4") and "head_dim" not in changes:
        config.head_dim = 128  # a published value; the default has an odd rotary part
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    return {"config": shapes(json.loads(json.dumps(config.to_dict(), default=str))),
            "parameters": sum(p.numel() for p in model.parameters())}


def main():
    models = []
    for model_type in TYPES:
        for changes in [{}] + [SMALL | more for more in MORE.get(model_type, ())]:
            models.append(count(model_type, changes))
            print(model_type, changes, models[-1]["parameters"], file=sys.stderr)
    print('{"versions": {"transformers": "%s", "torch": "%s"},\n "models": [' %
          (transformers.__version__, torch.__version__))
    print(",\n".join(json.dumps(model) for model in models))
    print("]}")


if __name__ == "__main__":
    main()
