#!/usr/bin/env python3
"""Are our token ids those of Hugging Face tokenizers?

    tokenizer_check.py TOKENIZER.json TEXT            TEXT: parts separated by NUL, UTF-8
    tokenizer_check.py TOKENIZER.json --code-points   every code point, in several surroundings

Exit status 0: all equal. --ours FILE gives our side another file (a GGUF's vocabulary as JSON, see
tools/tokenizer_material.py). Our side is tools/tokenizer_ids.c, compiled on the fly, or --command.
The material comes from tools/tokenizer_material.py.
"""
import argparse
import glob
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unicodedata

import numpy
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMS = ["a{0}b", " {0} ", "1{0}2", "{0}{0}\n{0}", "-{0}+", "  {0}", "'{0}", "\r\n{0}a"]


def compile_command(folder):
    libraries = subprocess.run(["pkg-config", "--cflags", "--libs", "libpcre2-8", "libutf8proc",
                                "libcrypto"], check=True, capture_output=True, text=True).stdout
    sources = [str(ROOT / "tools/tokenizer_ids.c")]
    for room in ("base", "tokenizer"):
        sources += glob.glob(str(ROOT / "src" / room / "*.c"))
    out = os.path.join(folder, "tokenizer_ids")
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-O2", "-D_GNU_SOURCE",
                    '-DRW_VERSION="0"', f"-I{ROOT}/src", f"-I{ROOT}/include", "-o", out, *sources,
                    *libraries.split(), "-lpthread", "-lm"], check=True)
    return out


def our_ids(command, tokenizer, text, folder):
    """One array of ids a part."""
    out = os.path.join(folder, "ids")
    subprocess.run([command, tokenizer, text, out], check=True)
    flat = numpy.fromfile(out, "<i4")
    parts, at = [], 0
    while at < len(flat):
        parts.append(flat[at + 1:at + 1 + flat[at]])
        at += 1 + flat[at]
    return parts


def compare(command, args, parts, folder):
    """Indices of the parts whose ids differ."""
    text = os.path.join(folder, "text")
    pathlib.Path(text).write_bytes("\0".join(parts).encode())
    ours = our_ids(command, args.ours or args.tokenizer, text, folder)
    theirs = tokenizers.Tokenizer.from_file(args.tokenizer)
    begin = time.perf_counter()
    differ, tokens = [], 0
    for first in range(0, len(parts), 5000):
        for i, encoding in enumerate(theirs.encode_batch_fast(parts[first:first + 5000]), first):
            tokens += len(encoding)
            if len(encoding) != len(ours[i]) or (encoding.ids != ours[i]).any():
                differ.append((i, encoding.ids, ours[i].tolist()))
    print(f"{tokens} tokens; Hugging Face's side took {time.perf_counter() - begin:.1f} s")
    if len(ours) != len(parts):
        sys.exit(f"{len(parts)} parts went in, {len(ours)} came out")
    return differ


def show(parts, differ):
    for i, theirs, ours in differ[:8]:
        at = next((k for k, (a, b) in enumerate(zip(theirs, ours)) if a != b),
                  min(len(theirs), len(ours)))
        print(f"part {i} ({len(parts[i])} characters), token {at}: theirs {theirs[at:at + 8]}, "
              f"ours {ours[at:at + 8]}")


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return " ".join(f"U+{a:04X}" + (f"-{b:04X}" if a != b else "") for a, b in out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer")
    parser.add_argument("text", nargs="?")
    parser.add_argument("--code-points", action="store_true")
    parser.add_argument("--ours")
    parser.add_argument("--command")
    args = parser.parse_args()
    if args.code_points:
        points = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
        parts = ["\x01".join(FORMS).format(chr(c)) for c in points]
    else:
        parts = pathlib.Path(args.text).read_bytes().decode().split("\0")
    with tempfile.TemporaryDirectory() as folder:
        differ = compare(args.command or compile_command(folder), args, parts, folder)
    print(f"tokenizers {tokenizers.__version__}, Python's Unicode {unicodedata.unidata_version}: "
          f"{len(parts) - len(differ)} of {len(parts)} parts equal")
    if args.code_points and differ:
        different = [points[i] for i, _, _ in differ]
        assigned = [c for c in different if unicodedata.category(chr(c)) != "Cn"]
        print("code points that differ:", len(different), ranges(different))
        print("of these assigned in Python's Unicode:", len(assigned), ranges(assigned))
    show(parts, differ)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
