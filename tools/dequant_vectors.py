#!/usr/bin/env python3
"""Blocks of every quantised type that src/checkpoint widens, and what the package gguf makes of them.

    python3 tools/dequant_vectors.py > tests/data/dequant.json

Random bytes with scales from ordinary to nasty (zeros, subnormals, the largest half); `f32` is the
little-endian float32 values in hexadecimal. tests/unit/test_checkpoint_dequant.c demands the same
bits; tests/peers/checkpoint_containers.py compares many more, where gguf is installed.
"""
import importlib.metadata
import json
import sys

import gguf
import numpy as np

# Where a block's half-precision scales lie.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
HALVES = [[0x2E66, 0xB0CD], [0x0001, 0x83FF], [0xFBFF, 0x7BFF], [0x8000, 0x0400]]


def vectors():
    rng = np.random.default_rng(20)
    for name, places in SCALES.items():
        kind = gguf.GGMLQuantizationType[name]
        size = gguf.GGML_QUANT_SIZES[kind][1]
        # One ordinary block and one nasty one of the large types; all four of the small.
        for halves in HALVES if size < 80 else HALVES[:2]:
            block = rng.integers(0, 256, size, dtype=np.uint8)
            for at, half in zip(places, halves):
                block[at:at + 2] = np.array([half], "<u2").view(np.uint8)
            values = gguf.quants.dequantize(block.reshape(1, size), kind)
            yield {"type": name, "block": block.tobytes().hex(),
                   "f32": values.astype("<f4").tobytes().hex()}


def main():
    print('{"made_by": %s, "vectors": [' %
          json.dumps(f"tools/dequant_vectors.py, gguf {importlib.metadata.version('gguf')}"))
    print(",\n".join(json.dumps(v) for v in vectors()))
    print("]}")


if __name__ == "__main__":
    sys.exit(main())
