#!/usr/bin/env python3
"""What transformers rotates by when a block is spelled in every way that is seen in the wild, and some
that are not: for tests/data/golden_spellings.json.

    tools/golden_spellings.py > 5.json                    # with transformers 5
    PYTHONPATH=... tools/golden_spellings.py > 4.json     # with transformers 4
    tools/golden_spellings.py --join 5.json 4.json > tests/data/golden_spellings.json

A small model of each type is built from each config (tools/golden_families.py says how); of every
rotary table the second, the middle and the last frequency and the attention factor are kept, float32
as they are. "fails": the config does not load, or the model cannot be built.
"""
import json
import math
import sys

BASE = {"hidden_size": 256, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 128, "pad_token_id": 0,
        "max_position_embeddings": 4096}
BOTH = ["sliding_attention", "full_attention"]
TYPES = {
    "llama": {}, "qwen3": {"head_dim": 128}, "glm4": {"head_dim": 64}, "gpt_neox": {}, "phi3": {},
    "stablelm": {}, "cohere": {}, "smollm3": {}, "granite": {},
    "gemma3_text": {"head_dim": 64, "layer_types": BOTH}, "olmo3": {"layer_types": BOTH},
    "gpt_oss": {"head_dim": 64, "layer_types": BOTH, "num_local_experts": 4},
    "deepseek_v3": {"qk_rope_head_dim": 64, "qk_nope_head_dim": 32, "v_head_dim": 32,
                    "kv_lora_rank": 16, "q_lora_rank": 16, "n_routed_experts": 8, "n_group": 1,
                    "topk_group": 1},
    "ministral3": {"head_dim": 64}, "seed_oss": {"head_dim": 64},
}
PARTIAL = {"glm4": 0.5, "gpt_neox": 0.25, "stablelm": 0.25}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 512}
LISTS = {"rope_type": "longrope", "original_max_position_embeddings": 1024}
PLAIN = {"rope_type": "default", "rope_theta": 1e4}


def old(block, **more):
    return {"rope_scaling": block, **more}


def new(block, **more):
    return {"rope_parameters": block, **more}


VARIANTS = {
    "theta": {"rope_theta": 50000}, "null": old(None, rope_theta=5e5),
    "linear by type": old({"type": "linear", "factor": 2}),
    "linear": old({"rope_type": "linear", "factor": 2.5}, rope_theta=1e5),
    "dynamic": old({"type": "dynamic", "factor": 2.0}),
    "yarn": old(YARN, rope_theta=1e6), "yarn by both": old(dict(YARN, type="yarn")),
    "yarn by type": old({"type": "yarn", "factor": 4, "original_max_position_embeddings": 1024}),
    "yarn without origin": old({"rope_type": "yarn", "factor": 4.0}),
    "yarn without factor": old({"rope_type": "yarn"}),
    "attention_factor": old(dict(YARN, attention_factor=1.3)),
    "attention_factor integer": old(dict(YARN, attention_factor=1)),
    "attn_factor": old(dict(YARN, attn_factor=1.3)),
    "betas": old(dict(YARN, beta_fast=16, beta_slow=2)),
    "truncate": old(dict(YARN, truncate=False)),
    "mscale": old(dict(YARN, mscale=0.7, mscale_all_dim=1.0)),
    "mscale alone": old(dict(YARN, mscale=0.7)),
    "mscale zero": old(dict(YARN, mscale=1.0, mscale_all_dim=0.0)),
    "factor one": old(dict(YARN, factor=1.0)), "factor null": old(dict(YARN, factor=None)),
    "origin beyond the window": old(dict(YARN, original_max_position_embeddings=8192)),
    "origin at the top": old(YARN, original_max_position_embeddings=2048),
    "foreign keys": old(dict(YARN, finetuned=True, foo=3)),
    "theta in rope_scaling": old(dict(YARN, rope_theta=9e4), rope_theta=1e4),
    "llama3": old(LLAMA3, rope_theta=5e5),
    "llama3 integers": old(dict(LLAMA3, factor=8, low_freq_factor=1, high_freq_factor=4)),
    "llama3 equal factors": old(dict(LLAMA3, high_freq_factor=1.0)),
    "longrope": old(LISTS), "longrope amplitude": old(dict(LISTS, attention_factor=1.2)),
    "longrope factor": old(dict(LISTS, factor=8.0)),
    "longrope top": old({"type": "longrope"}, original_max_position_embeddings=1024),
    "new": new(dict(YARN, rope_theta=2e5)), "new without theta": new(YARN),
    "new theta at the top": new(YARN, rope_theta=3e5),
    "new two thetas": new(dict(YARN, rope_theta=2e5), rope_theta=3e5),
    "new default": new({"rope_type": "default", "rope_theta": 7e4}),
    "new theta only": new({"rope_theta": 7e4}),
    "new linear": new({"rope_type": "linear", "factor": 3.0, "rope_theta": 7e4}),
    "both the same": old(dict(YARN, rope_theta=2e5), **new(dict(YARN, rope_theta=2e5))),
    "new and null": old(None, **new(dict(YARN, rope_theta=2e5))),
    "by layer type": new({"full_attention": dict(YARN, rope_theta=2e5), "sliding_attention": PLAIN}),
    "truncate by layer type": new({"full_attention": dict(YARN, rope_theta=2e5, truncate=False),
                                   "sliding_attention": PLAIN}),
    "local theta": old({"rope_type": "linear", "factor": 8.0}, rope_theta=777777.0,
                       rope_local_base_freq=12345.0),
    "ntk": old({"rope_type": "ntk", "factor": 8.0}),
}


def pairs_of(kind):
    own = TYPES[kind]
    dim = own.get("qk_rope_head_dim") or own.get("head_dim") or 64
    return int(dim * PARTIAL.get(kind, 1)) // 2


def config(kind, variant):
    made = {**BASE, "model_type": kind, **TYPES[kind], **json.loads(json.dumps(VARIANTS[variant]))}
    block = made.get("rope_scaling") or {}
    if "longrope" in (block.get("rope_type"), block.get("type")):
        block["short_factor"] = [1 + 0.01 * k for k in range(pairs_of(kind))]
        block["long_factor"] = [1 + 0.3 * k for k in range(pairs_of(kind))]
    return made


def tables_of(families, made):
    loaded, _, _ = families.load(made)
    rows = []
    for _, module in families.model_of(loaded).named_modules():
        for kind, (buffer, scaling) in sorted(families.tables(module).items()):
            w = [float(x) for x in getattr(module, buffer).double()]
            row = [kind, len(w), w[1], w[len(w) // 2], w[-1], float(getattr(module, scaling, 1.0))]
            if row not in rows:
                rows.append(row)
    if any(not math.isfinite(x) for row in rows for x in row[2:]):
        raise ValueError("not finite")
    return rows


def resolve():
    import golden_families as families
    import transformers
    found = {}
    for kind in TYPES:
        for variant in VARIANTS:
            try:
                found[f"{kind}: {variant}"] = tables_of(families, config(kind, variant))
            except Exception:
                found[f"{kind}: {variant}"] = "fails"
        print(kind, file=sys.stderr)
    return {"transformers": transformers.__version__, "tables": found}


def main(arguments):
    said = [json.load(open(path, encoding="utf-8")) for path in arguments[1:]] \
        if arguments[:1] == ["--join"] else [resolve()]
    print("[" if arguments else "", end="")
    for number, one in enumerate(said):
        rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in one["tables"].items())
        print(f'{"," if number else ""}{{"transformers": "{one["transformers"]}", "tables": {{\n{rows}'
              "\n}}", end="")
    print("]" if arguments else "")


if __name__ == "__main__":
    main(sys.argv[1:])
