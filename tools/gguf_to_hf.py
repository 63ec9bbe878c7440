#!/usr/bin/env python3
"""Turns a llama-architecture GGUF into a Hugging Face directory (safetensors).

    tools/gguf_to_hf.py MODEL.gguf OUT [--dtype float16|float32]

Needs the packages gguf, safetensors and numpy. Quantised tensors are widened; the rows of q and k,
which GGUF stores for interleaved pairs, go back to half-split order. The tokenizer is rebuilt from
the GGUF's own vocabulary and merges (byte-level BPE with the pre-tokenizers listed below).
"""
import argparse
import json
import pathlib
import sys

import gguf
import numpy
from safetensors.numpy import save_file

DIGITS = {"type": "Digits", "individual_digits": True}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
              "use_regex": True}
PRE_TOKENIZERS = {
    "smollm": {"type": "Sequence", "pretokenizers": [DIGITS, BYTE_LEVEL]},
    "gpt-2": BYTE_LEVEL,
}

NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3


def hf_name(name):
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{NAMES[parts[2]]}.{parts[3]}"
    return f"{NAMES[parts[0]]}.{parts[1]}"


def half_split(rows, heads):
    """GGUF row h*D + 2i + p is Hugging Face row h*D + p*(D/2) + i."""
    shape = rows.shape
    rows = rows.reshape(heads, shape[0] // heads // 2, 2, *shape[1:])
    return rows.swapaxes(1, 2).reshape(shape)


def tensors(reader, field, dtype):
    heads = {"attn_q": field("attention.head_count"), "attn_k": field("attention.head_count_kv")}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        kind = tensor.name.split(".")[-2]
        if kind in heads:
            values = half_split(values, heads[kind])
        yield hf_name(tensor.name), numpy.ascontiguousarray(values.astype(dtype))


def tokenizer(contents):
    pre = contents("tokenizer.ggml.pre")
    if contents("tokenizer.ggml.model") != "gpt2" or pre not in PRE_TOKENIZERS:
        sys.exit(f"no tokenizer for pre-tokenizer {pre!r}: known are {', '.join(PRE_TOKENIZERS)}")
    tokens = contents("tokenizer.ggml.tokens")
    types = contents("tokenizer.ggml.token_type")
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True}
             for i, (token, kind) in enumerate(zip(tokens, types)) if kind == CONTROL]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": PRE_TOKENIZERS[pre], "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": contents("tokenizer.ggml.merges")},
    }


def config(field, contents, names, dtype):
    heads = field("attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "rope_theta": field("rope.freq_base"),
        "rope_scaling": None, "torch_dtype": dtype,
        "vocab_size": len(contents("tokenizer.ggml.tokens")),
        "hidden_size": field("embedding_length"), "intermediate_size": field("feed_forward_length"),
        "num_hidden_layers": field("block_count"), "num_attention_heads": heads,
        "num_key_value_heads": field("attention.head_count_kv"),
        "head_dim": field("embedding_length") // heads,
        "max_position_embeddings": field("context_length"),
        "tie_word_embeddings": "lm_head.weight" not in names,
        "rms_norm_eps": float(f"{field('attention.layer_norm_rms_epsilon'):.6g}"),
        "bos_token_id": contents("tokenizer.ggml.bos_token_id"),
        "eos_token_id": contents("tokenizer.ggml.eos_token_id"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16")
    options = parser.parse_args()

    reader = gguf.GGUFReader(options.model)
    contents = lambda key: reader.fields[key].contents()
    if contents("general.architecture") != "llama":
        sys.exit(f"only the llama architecture, this is {contents('general.architecture')!r}")
    field = lambda key: contents("llama." + key)

    options.out.mkdir(parents=True)
    weights = dict(tensors(reader, field, options.dtype))
    save_file(weights, options.out / "model.safetensors", metadata={"format": "pt"})
    for name, value in (("tokenizer.json", tokenizer(contents)),
                        ("config.json", config(field, contents, weights, options.dtype))):
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        (options.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
