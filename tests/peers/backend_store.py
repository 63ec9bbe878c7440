"""What the cache holds is, bit by bit, what gguf's quantisation makes of the same numbers."""

import subprocess
import sys

try:
    import gguf
    import numpy as np
    from gguf import quants
except ImportError as missing:
    print(f"skipped: a Python package is not installed ({missing.name})")
    sys.exit(77)

TYPES = {
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}


def numbers():
    """Ordinary ones, halves of a block's scale, all magnitudes that float16 rounds somehow."""
    rng = np.random.default_rng(4)
    plain = rng.standard_normal((1024, 64))
    halves = rng.integers(-254, 255, (1024, 64)) / 2
    halves[:, ::32] = 127
    spread = rng.standard_normal((1024, 64)) * 2.0 ** rng.integers(-30, 16, (1024, 64))
    rows = rng.standard_normal((1024, 64)) * 2.0 ** rng.integers(-40, 20, (1024, 1))
    rows[::7] = 0
    return np.concatenate([plain, halves, spread, rows]).astype(np.float32)


def main(program):
    x = numbers()
    for name, kind in TYPES.items():
        with np.errstate(over="ignore"):
            want = quants.quantize(x, kind).tobytes()
        for level in ("generic", "best"):
            got = subprocess.run([program, level, name], input=x.tobytes(), capture_output=True,
                                 check=True).stdout
            assert got == want, f"{name} at {level}: other bits than gguf's"
            print(f"{name} at {level}: {len(got)} bytes as gguf has them")


main(sys.argv[1])
