#!/usr/bin/env python3
"""Golden inverse frequencies and attention factors from Hugging Face transformers.

    python3 tools/golden_rope.py > tests/data/rope_golden.json

Needs transformers 5 and torch; no weights and no network. Every number comes from transformers'
own functions (ROPE_INIT_FUNCTIONS, and LlamaRotaryEmbedding for the unscaled rotation), which work
in float32, on the CPU. The `spec` of each case says the same rotation in ropewalk's words: field
names of rw_rope_spec, what is left out being the default of rw_rope_spec_init.
tests/unit/test_rope_golden.c compares.
"""
import json
import platform

import torch
import transformers
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

WINDOW = 4096  # max_position_embeddings where a case names none
HEADS = 4


def config_of(head_dim, rope, window=WINDOW):
    return LlamaConfig(hidden_size=head_dim * HEADS, num_attention_heads=HEADS,
                       num_key_value_heads=HEADS, head_dim=head_dim,
                       max_position_embeddings=window, rope_parameters=dict(rope))


def numbers(head_dim, rope, window, length):
    config = config_of(head_dim, rope, window)
    if rope["rope_type"] == "default":
        return LlamaRotaryEmbedding.compute_default_rope_parameters(config, device="cpu")
    function = ROPE_INIT_FUNCTIONS[rope["rope_type"]]
    return function(config, device="cpu", seq_len=length or None)


def case(name, method, head_dim, rope, spec=None, window=WINDOW, length=0):
    """`spec` adds to what follows from `rope` by name."""
    inv_freq, attention = numbers(head_dim, rope, window, length)
    partial = rope.get("partial_rotary_factor", 1.0)
    rotary = head_dim if method == "proportional" else int(head_dim * partial)
    said = {"method": method, "head_dim": head_dim, "rotary_dim": rotary,
            "theta": rope["rope_theta"]}
    for key in ("factor", "attention_factor", "mscale", "mscale_all_dim", "beta_fast", "beta_slow",
                "truncate", "low_freq_factor", "high_freq_factor", "short_factor", "long_factor"):
        if key in rope:
            said[key] = rope[key]
    if "original_max_position_embeddings" in rope:
        said["original_context"] = rope["original_max_position_embeddings"]
    said.update(spec or {})
    return {"name": name, "rope_parameters": rope, "max_position_embeddings": window,
            "length": length, "spec": said, "attention_factor": float(attention),
            "inv_freq": [float(w) for w in inv_freq.to(torch.float64)]}


def plain():
    for head_dim, theta in ((128, 1e4), (64, 1e6), (80, 5e5), (256, 5e7)):
        rope = {"rope_type": "default", "rope_theta": theta}
        yield case(f"default d={head_dim} b={theta:g}", "none", head_dim, rope)
        for factor in (1.5, 4.0):
            rope = {"rope_type": "linear", "rope_theta": theta, "factor": factor}
            yield case(f"linear d={head_dim} s={factor:g}", "linear", head_dim, rope)
    # NTK-aware is no type of transformers: it is deployed as the base it comes to.
    for head_dim, theta, factor in ((128, 1e4, 4.0), (64, 1e6, 8.0)):
        base = theta * factor ** (head_dim / (head_dim - 2))
        yield case(f"ntk as a base d={head_dim}", "ntk", head_dim,
                   {"rope_type": "default", "rope_theta": base},
                   {"theta": theta, "factor": factor})
        yield case(f"base change d={head_dim}", "base", head_dim,
                   {"rope_type": "default", "rope_theta": base})
    rope = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0, "partial_rotary_factor": 0.25}
    yield case("linear, a quarter of the head", "linear", 128, rope)


def dynamic():
    for head_dim, theta, factor in ((128, 1e4, 2.0), (64, 5e5, 6.0), (96, 1e6, 1.0)):
        for length in (0, 1000, 4096, 4097, 8192, 131072):
            rope = {"rope_type": "dynamic", "rope_theta": theta, "factor": factor}
            yield case(f"dynamic d={head_dim} s={factor:g} L={length}", "dynamic", head_dim, rope,
                       {"original_context": WINDOW}, length=length)
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 3.0, "partial_rotary_factor": 0.5}
    yield case("dynamic, half of the head", "dynamic", 128, rope, {"original_context": WINDOW},
               length=20000)


def yarn_case(name, head_dim, theta, factor, window, method="yarn", **more):
    rope = {"rope_type": "yarn", "rope_theta": theta, "factor": factor,
            "original_max_position_embeddings": window, **more}
    return case(name, method, head_dim, rope, window=int(window * factor))


def yarn():
    yield yarn_case("yarn, Qwen2.5", 128, 1e6, 4.0, 32768)
    yield yarn_case("yarn, tiny", 64, 1e4, 4.0, 512)
    yield yarn_case("yarn, Llama-2 128k", 128, 1e4, 32.0, 4096)
    yield yarn_case("yarn, gpt-oss", 64, 1.5e5, 32.0, 4096, truncate=False)
    yield yarn_case("yarn, truncate=false, wide", 128, 5e5, 8.0, 8192, truncate=False)
    yield yarn_case("yarn, DeepSeek-V3", 64, 1e4, 40.0, 4096, mscale=1.0, mscale_all_dim=1.0)
    yield yarn_case("yarn, two mscales", 64, 1e4, 40.0, 4096, mscale=1.0, mscale_all_dim=0.707)
    yield yarn_case("yarn, one mscale is none", 64, 1e4, 40.0, 4096, mscale=0.707)
    yield yarn_case("yarn, mscale_all_dim 0 is none", 64, 1e4, 40.0, 4096, mscale=0.707,
                    mscale_all_dim=0.0)
    yield yarn_case("yarn, equal betas", 64, 5e4, 32.0, 4096, beta_fast=1.0, beta_slow=1.0)
    yield yarn_case("yarn, equal betas, truncate=false", 64, 5e4, 32.0, 4096, beta_fast=4.0,
                    beta_slow=4.0, truncate=False)
    yield yarn_case("yarn, other betas", 96, 1e6, 16.0, 16384, beta_fast=64.0, beta_slow=2.0)
    yield yarn_case("yarn, attention factor", 128, 5e5, 8.0, 8192,
                    attention_factor=1.2079441541679836)
    yield yarn_case("yarn, attention factor 0", 128, 5e5, 8.0, 8192, attention_factor=0.0)
    yield yarn_case("yarn, half of the head", 128, 5e5, 32.0, 4096, beta_fast=64.0,
                    attention_factor=1.0, partial_rotary_factor=0.5)
    yield yarn_case("yarn, a float trap of the head", 96, 1e4, 4.0, 2048,
                    partial_rotary_factor=0.3)
    yield yarn_case("yarn, factor 1", 128, 1e4, 1.0, 4096)
    yield yarn_case("yarn, ramp beyond the last pair", 128, 1e4, 4.0, 131072)
    yield yarn_case("yarn, ramp from below 0", 64, 1e4, 4.0, 64)
    yield yarn_case("yarn, crossed clamps", 16, 10.0, 4.0, 1 << 20)
    yield yarn_case("ntk_by_parts", 128, 1e6, 4.0, 32768, "ntk_by_parts", attention_factor=1.0)


def llama3():
    for name, head_dim, factor, low, high, window, more in (
            ("Llama-3.1-8B", 128, 8.0, 1.0, 4.0, 8192, {}),
            ("Llama-3.2-1B", 64, 32.0, 1.0, 4.0, 8192, {}),
            ("Llama-4 Scout", 128, 16.0, 1.0, 1.0, 8192, {}),
            ("a wide blend", 96, 4.0, 1.0, 32.0, 4096, {}),
            ("half of the head", 128, 8.0, 1.0, 4.0, 8192, {"partial_rotary_factor": 0.5})):
        rope = {"rope_type": "llama3", "rope_theta": 5e5, "factor": factor,
                "low_freq_factor": low, "high_freq_factor": high,
                "original_max_position_embeddings": window, **more}
        yield case(f"llama3, {name}", "llama3", head_dim, rope, window=131072)


def longrope():
    for head_dim, partial, factor, attention in ((96, 1.0, 32.0, None), (128, 0.75, 16.0, None),
                                                 (64, 1.0, 4.0, 1.5), (64, 1.0, 1.0, None)):
        pairs = int(head_dim * partial) // 2
        rope = {"rope_type": "longrope", "rope_theta": 1e4, "factor": factor,
                "original_max_position_embeddings": 4096,
                "short_factor": [1 + 0.0625 * (k % 5) for k in range(pairs)],
                "long_factor": [1 + k * k / 16 for k in range(pairs)]}
        if partial != 1.0:
            rope["partial_rotary_factor"] = partial
        if attention is not None:
            rope["attention_factor"] = attention
        for length in (0, 4096, 4097, 131072):
            yield case(f"longrope d={2 * pairs} s={factor:g} L={length}", "longrope", head_dim,
                       rope, window=131072, length=length)


def proportional():
    for head_dim, theta, part, factor in ((512, 1e6, 0.25, None), (256, 1e6, 0.25, 8.0),
                                          (128, 1e4, 0.3, None), (64, 1e4, 1.0, 2.0)):
        rope = {"rope_type": "proportional", "rope_theta": theta, "partial_rotary_factor": part}
        if factor:
            rope["factor"] = factor
        yield case(f"proportional D={head_dim} p={part:g}", "proportional", head_dim, rope,
                   {"partial_rotary_factor": part})


def main():
    cases = [c for group in (plain, dynamic, yarn, llama3, longrope, proportional)
             for c in group()]
    about = {"by": "tools/golden_rope.py", "transformers": transformers.__version__,
             "torch": torch.__version__, "python": platform.python_version(),
             "arithmetic": "float32 on the CPU"}
    print('{"about": ' + json.dumps(about) + ',\n "cases": [')
    print(",\n".join(json.dumps(c) for c in cases))
    print("]}")


if __name__ == "__main__":
    main()
