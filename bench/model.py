#!/usr/bin/env python3
"""bench/model.py FOLDER - GGUF files of SmolLM2-135M's shape with random weights, for timing.

smol-<layers>-<type>.gguf with 30 and 3 layers; F16, Q8_0, Q4_1. Weights are N(0, 0.02) from a fixed
seed, the same values in every type (and the first 3 of the 30 layers are the 3 of the small one).
As llama-quantize would do it, norms stay float32 and the tied table of a Q4_1 file is Q8_0. The
tokenizer is a dummy that both programs load: SentencePiece with byte fallback, so a text of n bytes
is n tokens. Files that are there already are kept; each is written under another name first.
"""

import os
import sys

import gguf
import numpy
from gguf import GGMLQuantizationType as Type

VOCABULARY, HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM = 49152, 576, 1536, 9, 3, 64
CONTEXT = 131072
LAYERS = (3, 30)
# type of the linear layers: (that of the table, llama.cpp's name of such a file)
TYPES = {
    Type.F16: (Type.F16, gguf.LlamaFileType.MOSTLY_F16),
    Type.Q8_0: (Type.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    Type.Q4_1: (Type.Q8_0, gguf.LlamaFileType.MOSTLY_Q4_1),
}


def linears():
    width = KV_HEADS * HEAD_DIM
    return (
        ("attn_q", HIDDEN, HIDDEN), ("attn_k", width, HIDDEN), ("attn_v", width, HIDDEN),
        ("attn_output", HIDDEN, HIDDEN), ("ffn_gate", FFN, HIDDEN), ("ffn_up", FFN, HIDDEN),
        ("ffn_down", HIDDEN, FFN),
    )


def random_matrix(rows, columns, *seed):
    values = numpy.random.default_rng(seed).standard_normal((rows, columns), dtype=numpy.float32)
    return values * numpy.float32(0.02)


def add_tokenizer(writer):
    kind = gguf.TokenType
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256
    for i in range(len(tokens), VOCABULARY):
        tokens.append(f"\u2581unreachable{i}")
        types.append(kind.NORMAL)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(i) for i in range(VOCABULARY)])
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def add_shape(writer, layers, file_type):
    writer.add_name(f"random weights of SmolLM2-135M's shape, {layers} layers")
    writer.add_file_type(file_type)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)


def add_quantised(writer, name, values, kind):
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def write_model(path, layers, kind):
    table, file_type = TYPES[kind]
    writer = gguf.GGUFWriter(path, "llama")
    add_shape(writer, layers, file_type)
    add_tokenizer(writer)
    add_quantised(writer, "token_embd.weight", random_matrix(VOCABULARY, HIDDEN, 0), table)
    ones = numpy.ones(HIDDEN, dtype=numpy.float32)
    writer.add_tensor("output_norm.weight", ones)
    for i in range(layers):
        writer.add_tensor(f"blk.{i}.attn_norm.weight", ones)
        writer.add_tensor(f"blk.{i}.ffn_norm.weight", ones)
        for j, (name, rows, columns) in enumerate(linears()):
            values = random_matrix(rows, columns, 1 + i, j)
            add_quantised(writer, f"blk.{i}.{name}.weight", values, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for layers in LAYERS:
        for kind in TYPES:
            path = os.path.join(folder, f"smol-{layers}-{kind.name.lower()}.gguf")
            if not os.path.exists(path):
                write_model(path + ".part", layers, kind)
                os.replace(path + ".part", path)
            print(path)
    open(os.path.join(folder, ".complete"), "w", encoding="ascii").close()


if __name__ == "__main__":
    main()
