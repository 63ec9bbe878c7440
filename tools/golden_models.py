#!/usr/bin/env python3
"""Small random models of every family that the engine runs, and what transformers makes of them.

    python3 tools/golden_models.py                # all of them, into tests/data/models
    python3 tools/golden_models.py qwen2 gemma3   # some of them

Needs torch, transformers and safetensors (made with transformers 5.23, torch 2.15). No network, no
ropewalk. Every model is built from a config that takes each branch of its family: windows shorter
than the text, layers without RoPE, biases that are not zero, norms that are not one, soft caps low
enough to bite. Weights are drawn by seed, rounded to bf16 and saved so; the figures are computed in
float32 on the rounded weights with transformers' eager attention.

Per model, figures.json holds the versions, the seed and for each length one run over the first n
tokens: the negative log-likelihood of tokens 1 .. n-1, and all logits at some positions inside and
beyond the window.
"""
import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "data", "models")

COMMON = {"vocab_size": 128, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
          "num_key_value_heads": 2, "num_hidden_layers": 4, "max_position_embeddings": 256,
          "rope_theta": 1000.0, "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2,
          "pad_token_id": 0}

# What a config says beyond COMMON, and the lengths to run.
CASES = {
    "llama": ({"model_type": "llama", "tie_word_embeddings": False, "attention_bias": True,
               "mlp_bias": True,
               "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                "high_freq_factor": 4.0,
                                "original_max_position_embeddings": 64}}, [72]),
    "mistral": ({"model_type": "mistral", "sliding_window": 16, "head_dim": 16}, [12, 72]),
    "qwen2": ({"model_type": "qwen2", "tie_word_embeddings": True, "use_sliding_window": True,
               "sliding_window": 16, "max_window_layers": 2}, [12, 72]),
    "qwen2_untied": ({"model_type": "qwen2", "tie_word_embeddings": False, "num_hidden_layers": 2,
                      "sliding_window": 16, "max_window_layers": 0}, [72]),
    "qwen3": ({"model_type": "qwen3", "head_dim": 16, "tie_word_embeddings": True}, [72]),
    "smollm3": ({"model_type": "smollm3", "num_hidden_layers": 5},
                [72]),
    "smollm3_window": ({"model_type": "smollm3", "no_rope_layers": [1, 0, 0, 1],
                        "use_sliding_window": True, "sliding_window": 16,
                        "tie_word_embeddings": False}, [72]),
    "phi3": ({"model_type": "phi3", "tie_word_embeddings": False, "sliding_window": 16}, [12, 72]),
    "phi3_longrope": ({"model_type": "phi3", "tie_word_embeddings": True, "head_dim": 16,
                       "hidden_size": 64, "num_hidden_layers": 2,
                       "partial_rotary_factor": 0.75, "original_max_position_embeddings": 32,
                       "rope_scaling": {"type": "longrope",
                                        "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 1.75],
                                        "long_factor": [1.0, 1.5, 2.0, 3.0, 5.0, 8.0]}},
                      [24, 72]),
    "gemma3": ({"model_type": "gemma3_text", "head_dim": 16, "sliding_window": 16,
                "sliding_window_pattern": 3, "query_pre_attn_scalar": 24,
                "rope_theta": 100000.0, "rope_local_base_freq": 500.0,
                "rope_scaling": {"rope_type": "linear", "factor": 4.0}}, [12, 72]),
    "gemma2": ({"model_type": "gemma2", "head_dim": 16, "sliding_window": 16,
                "query_pre_attn_scalar": 24, "attn_logit_softcapping": 1.5,
                "final_logit_softcapping": 2.0}, [12, 72]),
}

PLUS_ONE = ("gemma2", "gemma3")  # norms are stored less one


def draw(model, generator, plus_one):
    """Weights of the size at which every part of a layer matters."""
    for name, parameter in sorted(model.named_parameters()):
        shape = parameter.shape
        noise = torch.randn(shape, generator=generator)
        if "norm" in name:
            value = 0.3 * noise + (0.0 if plus_one else 1.0)
        elif name.endswith("bias"):
            value = 0.5 * noise
        elif "embed_tokens" in name:
            value = 0.5 * noise
        else:
            value = noise * 1.5 / shape[1] ** 0.5
        parameter.data.copy_(value.to(torch.bfloat16).float())


def config_of(said, folder):
    """As a file in the wild spells it, read by transformers from that file."""
    text = {"architectures": ["?"], **COMMON, **said}
    path = os.path.join(folder, "config.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(text, out)
    config = AutoConfig.from_pretrained(folder)
    text["architectures"] = [transformers.models.auto.modeling_auto
                             .MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[said["model_type"]]]
    with open(path, "w", encoding="utf-8") as out:
        json.dump(text, out, indent=1)
        out.write("\n")
    return config


def run(model, tokens, n):
    with torch.no_grad():
        logits = model(torch.tensor([tokens[:n]]), use_cache=False).logits[0].float()
    nll = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(tokens[1:n]),
                                            reduction="none")
    positions = sorted({0, n // 3, n - 1})
    return {"n": n, "nll": [round(float(x), 6) for x in nll],
            "logits": {str(p): [round(float(x), 6) for x in logits[p]] for p in positions}}


def make(name, seed):
    said, lengths = CASES[name]
    folder = os.path.join(MODELS, name)
    os.makedirs(folder, exist_ok=True)
    config = config_of(said, folder)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed)
    draw(model, generator, name.startswith(PLUS_ONE))
    state = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()
             if not (k == "lm_head.weight" and config.tie_word_embeddings)}
    save_file(state, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    tokens = torch.randint(3, COMMON["vocab_size"], (max(lengths),), generator=generator).tolist()
    figures = {"generator": "tools/golden_models.py", "transformers": transformers.__version__,
               "torch": torch.__version__, "seed": seed, "tokens": tokens,
               "runs": [run(model, tokens, n) for n in lengths]}
    with open(os.path.join(folder, "figures.json"), "w", encoding="utf-8") as out:
        json.dump(figures, out, separators=(",", ":"))
        out.write("\n")


def main():
    for name in sys.argv[1:] or CASES:
        make(name, 1000 + list(CASES).index(name))


if __name__ == "__main__":
    main()
