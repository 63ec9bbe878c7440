#!/usr/bin/env python3
"""What Hugging Face transformers computes for models/tiny under every scaling it knows.

    python3 tools/golden_tiny.py > tests/data/golden_scalings.json

Needs torch and transformers 5 (a GPU is used when there is one; TF32 is off). The rotation is given
as `rope_parameters` in config.json, as a user would write it. For each scaling and length N: mean
negative log-likelihood per document, predictions 1..N from a forward pass over tokens 0..N-1
(protocol `prefix`), float32 on the bf16 weights; inv_freq and attention factor of the rotary
module after that pass. Run by people, not by the tests: the figures are committed.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "models/tiny"
LENGTHS = [512, 1024, 2048]

# Lists with a shape of their own: no formula that another method shares.
SHORT = [1.0 + 0.01 * k for k in range(32)]
LONG = [1.0 + 3.0 * (k / 31.0) ** 1.5 for k in range(32)]

SCALINGS = {
    "linear2": dict(rope_type="linear", factor=2.0),
    "linear4": dict(rope_type="linear", factor=4.0),
    "dynamic2": dict(rope_type="dynamic", factor=2.0),
    "dynamic4": dict(rope_type="dynamic", factor=4.0),
    "yarn2": dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=512),
    "yarn8": dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=512),
    "yarn4_betas": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=512,
                        beta_fast=16.0, beta_slow=2.0),
    "yarn4_no_truncate": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=512,
                              truncate=False),
    "yarn4_attention_factor": dict(rope_type="yarn", factor=4.0,
                                   original_max_position_embeddings=512, attention_factor=1.25),
    "yarn4_mscale": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=512,
                         mscale=0.707, mscale_all_dim=0.5),
    "ntk_by_parts4": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=512,
                          attention_factor=1.0),
    "llama3_4": dict(rope_type="llama3", factor=4.0, original_max_position_embeddings=512,
                     low_freq_factor=1.0, high_freq_factor=4.0),
    "llama3_8": dict(rope_type="llama3", factor=8.0, original_max_position_embeddings=512,
                     low_freq_factor=1.0, high_freq_factor=16.0),
    "longrope": dict(rope_type="longrope", factor=4.0, original_max_position_embeddings=512,
                     short_factor=SHORT, long_factor=LONG),
    "longrope_attention_factor": dict(rope_type="longrope", factor=4.0,
                                      original_max_position_embeddings=512, short_factor=SHORT,
                                      long_factor=LONG, attention_factor=1.1),
    "base": dict(rope_type="default", rope_theta=40000.0),
    "ntk4": dict(rope_type="default", rope_theta=10000.0 * 4.0 ** (64 / 62)),
}


def documents():
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(MODEL / "tokenizer.json"))
    with open(MODEL / "heldout.jsonl", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [tokenizer(text, add_special_tokens=False)["input_ids"][: max(LENGTHS) + 1]
            for text in texts]


def load(directory, rope, device):
    config = json.loads((MODEL / "config.json").read_text())
    theta = config.pop("rope_theta")
    config["rope_parameters"] = {"rope_theta": theta, **rope}
    (directory / "config.json").write_text(json.dumps(config))
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    return model.to(device).eval()


@torch.no_grad()
def nll(model, tokens, length, device):
    ids = torch.tensor([tokens[: length + 1]], device=device)
    logits = model(ids[:, :-1]).logits[0].double()
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:]).item()


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    docs = documents()
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for file in ("model.safetensors", "tokenizer.json"):
            shutil.copy(MODEL / file, directory / file)
        for scaling, rope in SCALINGS.items():
            # One model per length: dynamic and longrope remember the longest pass.
            lengths = {}
            for length in LENGTHS:
                model = load(directory, rope, device)
                means = [nll(model, tokens, length, device) for tokens in docs]
                rotary = model.model.rotary_emb
                lengths[length] = {
                    "nll": means,
                    "inv_freq": rotary.inv_freq.double().tolist(),
                    "attention_factor": float(rotary.attention_scaling),
                }
            rows[scaling] = {"rope_parameters": rope, "lengths": lengths}
            print(scaling, {n: sum(r["nll"]) / len(docs) for n, r in lengths.items()},
                  file=sys.stderr)
    json.dump({
        "about": __doc__.split("\n")[0],
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__,
                     "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"},
        "documents": "models/tiny/heldout.jsonl, in order",
        "scalings": rows,
    }, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
