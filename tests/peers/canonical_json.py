"""Our canonical JSON against the package rfc8785, on random documents.

usage: canonical_json.py PROGRAM    (PROGRAM is built from canonical_json.c)
Exit status 77: skipped, the package is not installed.
"""
import json
import random
import struct
import subprocess
import sys

try:
    import rfc8785
except ImportError:
    print("skipped: the Python package rfc8785 is not installed")
    sys.exit(77)

DOCUMENTS = 4000


def random_double(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return float(rng.randrange(-10**6, 10**6))
    if kind == 1:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-30, 30)
    if kind == 2:
        return 2.0 ** rng.randrange(-1074, 1023)
    if kind == 3:
        return round(rng.uniform(-1000, 1000), rng.randrange(6))
    while True:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if value == value and abs(value) != float("inf"):
            return value


def random_text(rng):
    ranges = [(0x20, 0x7E), (0, 0x1F), (0x7F, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF),
              (0x10000, 0x10FFFF)]
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randrange(6)))


def random_value(rng, depth):
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind <= 2:
        return random_double(rng)
    if kind == 3:
        return rng.randrange(-2**53 + 1, 2**53)
    if kind <= 5:
        return random_text(rng)
    if kind == 6:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {random_text(rng): random_value(rng, depth + 1) for _ in range(rng.randrange(8))}


def main():
    rng = random.Random(8785)
    values = [random_value(rng, 0) for _ in range(DOCUMENTS)]
    texts = [json.dumps(v, ensure_ascii=rng.random() < 0.5) for v in values]
    given = "\n".join(texts).encode() + b"\n"
    answers = subprocess.run([sys.argv[1]], input=given, stdout=subprocess.PIPE, check=True)
    lines = answers.stdout.split(b"\n")[:-1]
    assert len(lines) == len(values), (len(lines), len(values))
    for value, text, ours in zip(values, texts, lines):
        theirs = rfc8785.dumps(value)
        if ours != theirs:
            print(f"differs on {text}\n  ours   {ours!r}\n  theirs {theirs!r}")
            return 1
    print(f"{len(values)} random documents agree")
    return 0


sys.exit(main())
