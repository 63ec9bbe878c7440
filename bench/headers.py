#!/usr/bin/env python3
"""How long inspect and plan take, and how much memory: they read headers only.

    bench/headers.py build/ropewalk [runs]

Bars: 50 ms for a bare config.json, 200 ms for a GGUF with 150 000 vocabulary entries, 64 MiB for
either, whatever the model's size. The GGUF is made here: an 8B Llama's metadata and tensor list,
its vocabulary with scores, types and merges, and a hole of 16 GB where the weights would be. The
best time counts, since other programs can only add to it; the median and the processor's time
stand beside it. The memory is the worst run's peak. Exit status 1: over a bar.
"""
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

VOCABULARY = 150_000
LAYERS, HIDDEN, FFN, HEADS, KV_HEADS = 32, 4096, 14336, 32, 8
BARS = {"config.json": 50.0, "GGUF": 200.0}
MEMORY_BAR = 64.0  # MiB
U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def key(name, kind, payload):
    return text(name) + struct.pack("<I", kind) + payload


def array(name, kind, count, payload):
    return key(name, ARRAY, struct.pack("<IQ", kind, count) + payload)


def metadata():
    u32 = lambda name, value: key(name, U32, struct.pack("<I", value))
    f32 = lambda name, value: key(name, F32, struct.pack("<f", value))
    tokens = [f"token{i:x}" for i in range(VOCABULARY)]
    merges = [f"tok{i:x} en{i:x}" for i in range(VOCABULARY)]
    return [
        key("general.architecture", STRING, text("llama")),
        u32("general.alignment", 32),
        u32("llama.block_count", LAYERS),
        u32("llama.context_length", 8192),
        u32("llama.embedding_length", HIDDEN),
        u32("llama.feed_forward_length", FFN),
        u32("llama.attention.head_count", HEADS),
        u32("llama.attention.head_count_kv", KV_HEADS),
        f32("llama.attention.layer_norm_rms_epsilon", 1e-5),
        f32("llama.rope.freq_base", 500000.0),
        u32("llama.rope.dimension_count", HIDDEN // HEADS),
        u32("llama.vocab_size", VOCABULARY),
        key("tokenizer.ggml.model", STRING, text("gpt2")),
        key("tokenizer.ggml.pre", STRING, text("llama-bpe")),
        array("tokenizer.ggml.tokens", STRING, VOCABULARY, b"".join(map(text, tokens))),
        array("tokenizer.ggml.scores", F32, VOCABULARY, bytes(4 * VOCABULARY)),
        array("tokenizer.ggml.token_type", I32, VOCABULARY, struct.pack("<i", 1) * VOCABULARY),
        array("tokenizer.ggml.merges", STRING, VOCABULARY, b"".join(map(text, merges))),
    ]


def tensors():
    width = KV_HEADS * (HIDDEN // HEADS)
    yield "token_embd.weight", (HIDDEN, VOCABULARY)
    yield "output.weight", (HIDDEN, VOCABULARY)
    yield "output_norm.weight", (HIDDEN,)
    for i in range(LAYERS):
        for name, shape in (
            ("attn_norm", (HIDDEN,)), ("ffn_norm", (HIDDEN,)),
            ("attn_q", (HIDDEN, HIDDEN)), ("attn_k", (HIDDEN, width)),
            ("attn_v", (HIDDEN, width)), ("attn_output", (HIDDEN, HIDDEN)),
            ("ffn_gate", (HIDDEN, FFN)), ("ffn_up", (HIDDEN, FFN)), ("ffn_down", (FFN, HIDDEN)),
        ):
            yield f"blk.{i}.{name}.weight", shape


def write_gguf(path):
    infos, offset, count = [], 0, 0
    for name, shape in tensors():
        infos.append(text(name) + struct.pack("<I", len(shape))
                     + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 1, offset))
        size = 2
        for n in shape:
            size *= n
        offset += (size + 31) // 32 * 32
        count += 1
    values = metadata()
    head = struct.pack("<4sIQQ", b"GGUF", 3, count, len(values)) + b"".join(values + infos)
    head += bytes(-len(head) % 32)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + offset)


def run(command):
    """Milliseconds by the clock and of the processor, and MiB, of one run. /usr/bin/time asks for the memory: a child of this process
    would be charged with the pages that it had before it became the program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    milliseconds = 1000 * (time.perf_counter() - begin)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return milliseconds, busy, int(done.stderr.split()[-1]) / 1024


def main():
    program, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 11
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    config = os.path.join(source, "tests", "data", "families", "llama3_1_8b.json")
    over = False
    with tempfile.TemporaryDirectory() as folder:
        gguf = os.path.join(folder, "big.gguf")
        write_gguf(gguf)
        print(f"{'':12}{'':8}{'best ms':>9}{'bar':>6}{'median':>9}{'CPU ms':>9}{'MiB':>8}{'bar':>5}")
        for kind, path, context in (("config.json", config, "262144"), ("GGUF", gguf, "32768")):
            for verb in (["inspect", path], ["plan", path, "--context", context, "--compound",
                                             "--device", "all"]):
                figures = [run([program, verb[0], "--json", *verb[1:]]) for _ in range(runs)]
                best = min(f[0] for f in figures)
                median = statistics.median(f[0] for f in figures)
                busy = statistics.median(f[1] for f in figures)
                peak = max(f[2] for f in figures)
                over |= best > BARS[kind] or peak > MEMORY_BAR
                print(f"{kind:12}{verb[0]:8}{best:9.1f}{BARS[kind]:6.0f}{median:9.1f}{busy:9.1f}"
                      f"{peak:8.1f}{MEMORY_BAR:5.0f}")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
