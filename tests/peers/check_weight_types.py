#!/usr/bin/env python3
"""Every type that a GGUF may keep its weights in, through the whole model: the same as with the weights
that gguf-py widens them to, NaN and infinite scales named, and what int8 arithmetic leaves in float32.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy
    from gguf.quants import dequantize
except ImportError as missing:
    print("skipped: %s" % missing)
    sys.exit(77)

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("RW_BINARY_DIR", SOURCE / "build")) / "tests" / "model_families"
TYPE = gguf.GGMLQuantizationType
# Where a block keeps its float16 scales: of the codes and, with the ratio that makes weights of mean zero,
# of what is added to them (Q4_1, Q5_1) or taken away (K-quants). Q2_K and Q3_K are widened when they are loaded, the others lie
# in the file.
SCALES = {TYPE.Q8_0: {0: 1}, TYPE.Q4_0: {0: 1}, TYPE.Q4_1: {0: 1, 2: -7.5}, TYPE.Q5_0: {0: 1},
          TYPE.Q5_1: {0: 1, 2: -15.5}, TYPE.Q2_K: {80: 1, 82: 1.5}, TYPE.Q3_K: {108: 1},
          TYPE.Q4_K: {0: 1, 2: 7.5}, TYPE.Q5_K: {0: 1, 2: 15.5}, TYPE.Q6_K: {208: 1}}
PLAIN = (TYPE.F32, TYPE.F16, TYPE.BF16)
# Nats, of one token. Seen: 0.
TOLERANCE = 5e-5
# The vocabulary's matrix is longer than what is widened at once.
LAYERS, HIDDEN, VOCABULARY, TOKENS = 2, 256, 1100, [(37 * i * i + 11 * i) % 1100 for i in range(24)]
MATRICES = ["blk.%d.%s" % (layer, name) for layer in range(LAYERS) for name in (
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")] + ["output"]


def scaled(raw, kind, factor):
    """The blocks with all their scales multiplied."""
    raw = raw.copy()
    for at in SCALES[kind]:
        part = raw[:, at:at + 2].copy().view(numpy.float16).astype(numpy.float32) * factor
        raw[:, at:at + 2] = part.astype(numpy.float16).view(numpy.uint8)
    return raw


def random_blocks(kind, rows, columns, rng):
    """Bytes as they come, with scales that make weights of about 1/16."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (rows * columns // block, size), dtype=numpy.uint8)
    scales = rng.uniform(0.5, 1, len(raw))
    for at, ratio in SCALES[kind].items():
        raw[:, at:at + 2] = (ratio * scales).astype(numpy.float16)[:, None].view(numpy.uint8)
    raw = scaled(raw, kind, 1 / 16 / dequantize(raw.reshape(rows, -1), kind).std())
    return raw.reshape(rows, -1)


def plain(kind, rows, columns, rng):
    values = (rng.standard_normal((rows, columns)) / 16).astype(numpy.float32)
    if kind == TYPE.F16:
        return values.astype(numpy.float16)
    if kind == TYPE.BF16:
        return (values.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8)
    return values


ROWS = {"attn_k": 128, "attn_v": 128, "output": VOCABULARY, "token_embd": VOCABULARY}


def draw(kind, rng):
    make = plain if kind in PLAIN else random_blocks
    return {name: (make(kind, ROWS.get(name.split(".")[-1], HIDDEN), HIDDEN, rng), kind)
            for name in MATRICES + ["token_embd"]}


def widened(weights, but=()):
    return {name: (value, kind) if name in but or kind == TYPE.F32
            else (dequantize(value, kind).astype(numpy.float32), TYPE.F32)
            for name, (value, kind) in weights.items()}


def write(path, weights):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000)
    writer.add_rope_dimension_count(64)
    writer.add_vocab_size(VOCABULARY)
    for name, (value, kind) in weights.items():
        writer.add_tensor(name + ".weight", value, raw_dtype=kind)
    ones = numpy.ones(HIDDEN, numpy.float32)
    for name in ["output_norm"] + ["blk.%d.%s_norm" % (layer, which) for layer in range(LAYERS)
                                   for which in ("attn", "ffn")]:
        writer.add_tensor(name + ".weight", ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def run(path, *flags):
    return subprocess.run([PROGRAM, *flags, path, *map(str, TOKENS)], capture_output=True, text=True,
                          check=False)


def losses(path, weights, *flags):
    write(path, weights)
    done = run(path, *flags)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return numpy.array(done.stdout.split(), float)


def check_widened(path, kind, weights):
    apart = numpy.abs(losses(path, weights) - losses(path, widened(weights))).max()
    print("%-5s %.1e beside its weights as float32" % (kind.name, apart))
    return [] if apart <= TOLERANCE else ["%s: off by %g" % (kind.name, apart)]


def spoiled(value, kind, at, bits):
    """One scale, in the last block of a row in the middle."""
    raw = value.copy()
    size = gguf.GGML_QUANT_SIZES[kind][1]
    row = raw[len(raw) // 2].view(numpy.uint8)
    row[len(row) - size + at:len(row) - size + at + 2] = numpy.array([bits], numpy.uint16).view(numpy.uint8)
    return raw


def check_not_finite(path, kind, weights):
    wrong = []
    place = {TYPE.F32: (2,), TYPE.F16: (0,), TYPE.BF16: (0,)}
    infinity = 0x7c00 if kind not in (TYPE.F32, TYPE.BF16) else 0x7f80
    for at in SCALES.get(kind, place.get(kind)):
        for name in ("blk.1.ffn_down", "output"):
            for bits in (infinity, infinity | 1, 0x8000 | infinity):
                write(path, {**weights, name: (spoiled(weights[name][0], kind, at, bits), kind)})
                done = run(path)
                if done.returncode != 3 or "[model.not_finite] %s.weight" % name not in done.stderr:
                    wrong.append("%s, %04x at byte %d of a block of %s: exit %d %s" %
                                 (kind.name, bits, at, name, done.returncode, done.stderr))
    return wrong


def check_refusals(path, weights):
    """What a GGUF may have wrong: exit status, code and tensor (tests/cli/weights.py has the others)."""
    norm, narrow = numpy.ones(64, numpy.float32), numpy.ones((HIDDEN, 128), numpy.float32)
    name, iq4 = "blk.1.attn_q", numpy.zeros((HIDDEN, HIDDEN // 32 * 18), numpy.uint8)
    cases = (("missing_tensor", name, {k: v for k, v in weights.items() if k != name}),
             ("unsupported", "blk.1.ffn_extra", {**weights, "blk.1.ffn_extra": (norm, TYPE.F32)}),
             ("shape", name, {**weights, name: (narrow, TYPE.F32)}),
             ("dtype", name, {**weights, name: (iq4, TYPE.IQ4_NL)}))
    wrong = []
    for code, tensor, spoiled_weights in cases:
        write(path, spoiled_weights)
        done = run(path)
        if done.returncode != 3 or "[model.%s] %s.weight" % (code, tensor) not in done.stderr:
            wrong.append("%s: exit %d %s" % (code, done.returncode, done.stderr))
    return wrong


def check_int8(path, weights):
    """The values' projection and the logits stay exact; whatever else is packed is rounded."""
    wrong, exact = [], ("attn_v", "output", "token_embd")
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "output",
                 "token_embd"):
        model = widened(weights, [n for n in weights if n.split(".")[-1] == name])
        apart = numpy.abs(losses(path, model) - losses(path, model, "--int8")).max()
        print("int8, %-11s packed: %.1e" % (name, apart))
        if (apart == 0) != (name in exact) or apart > 0.1:
            wrong.append("int8 with %s packed: %g apart" % (name, apart))
    return wrong


def main():
    wrong, rng = [], numpy.random.default_rng(20261122)
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "model.gguf")
        for kind in (*PLAIN, *SCALES):
            weights = draw(kind, rng)
            wrong += check_widened(path, kind, weights) + check_not_finite(path, kind, weights)
            if kind == TYPE.Q4_1:
                wrong += check_int8(path, weights) + check_refusals(path, weights)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
