#!/usr/bin/env python3
"""llama.cpp itself, without a flag, on what `extend` writes: its per-token NLL inside and beyond the
native window against that of our engine, and the canary. The embedded model as a float32 GGUF, so that
llama.cpp rounds no activations; every way in which a GGUF can say a scaling. Skipped (77) without
the package xllamacpp.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = pathlib.Path(os.environ.get("RW_SOURCE_DIR", HERE.parents[1]))
BINARY = pathlib.Path(os.environ.get("RW_BINARY_DIR", SOURCE / "build"))
TINY = SOURCE / "models" / "tiny"
sys.path.insert(0, str(HERE))

import llama_cpp  # noqa: E402  (skips by itself)

llama_cpp.library()
try:
    import model_families
except ImportError as missing:
    print("skipped: %s" % missing, file=sys.stderr)
    sys.exit(77)

NATIVE, CONTEXT, LENGTH = 512, 2048, 704
# Nats, of one token. Seen over 1024 tokens: at most 2.4e-4 (float32 on both sides; llama.cpp multiplies
# its way from pair to pair), and 7 and more where a scaling is left out.
TOLERANCE, PARTED = 1e-3, 1.0
SETTINGS = argparse.Namespace(threads=2, f16_cache=False, rope_scaling=None, rope_scale=None,
                              rope_freq_base=None, yarn_orig_ctx=None)
PAIRS = ",".join("%.3f" % (1 + 3 * k / 31) for k in range(32))
CASES = {
    "yarn": (),
    "linear": ("--method", "linear"),
    "ntk": ("--method", "ntk"),
    "ntk_by_parts": ("--method", "ntk_by_parts"),
    "yarn with an amplitude": ("--attention-factor", "1.05"),
    "yarn with another ramp": ("--beta-fast", "16", "--truncate", "no"),
    "llama3": ("--method", "llama3", "--low-freq-factor", "1", "--high-freq-factor", "4"),
    "longrope": ("--method", "longrope", "--long-factor", PAIRS),
    "per_pair": ("--method", "per_pair", "--pair-factors", PAIRS),
}


def with_tokenizer(writer):
    """What tokenizer.json says, in the keys that llama.cpp has for it."""
    tokenizer = json.loads((TINY / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    special = {token["id"] for token in tokenizer["added_tokens"]}
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([3 if number in special else 1 for _, number in vocabulary])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def make_model(path):
    describe = model_families.describe

    def described(writer, config):
        describe(writer, config)
        with_tokenizer(writer)
    model_families.describe = described
    model_families.write(str(path), str(TINY), "llama", True)


def run(*command, code=0):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise SystemExit("exit %d of %s\n%s%s" % (done.returncode, command[:3], done.stdout,
                                                  done.stderr))
    return done.stdout


def ours(path, tokens):
    return [float(x) for x in run(BINARY / "tests" / "model_families", path,
                                  *map(str, tokens)).split()]


def theirs(path, tokens, scaling=None):
    SETTINGS.rope_scaling = scaling
    return llama_cpp.Peer(str(path), len(tokens), SETTINGS).nll(tokens)


def furthest(a, b):
    """Of one token, inside the native window and beyond it."""
    apart = [abs(x - y) for x, y in zip(a, b, strict=True)]
    return max(apart[:NATIVE]), max(apart[NATIVE:])


def check(name, original, folder, tokens, before):
    out = folder / (name.replace(" ", "-") + ".gguf")
    run(BINARY / "ropewalk", "extend", original, "--context", CONTEXT, "-o", out, "--no-measure",
        *CASES[name])
    peer, mine = theirs(out, tokens), ours(out, tokens)
    inside, beyond = furthest(peer, mine)
    effect = max(furthest(peer, before))
    print("%-24s %.1e inside, %.1e beyond the native window; the scaling moves %.1f nats" %
          (name, inside, beyond, effect))
    if max(inside, beyond) > TOLERANCE:
        return "%s: llama.cpp and ropewalk are %g nats apart" % (name, max(inside, beyond))
    return None if effect > PARTED else "%s: the scaling has no effect" % name


def check_scaling_is_seen(original, folder, tokens):
    """Without the scaling the same comparison must fall."""
    out = folder / "yarn.gguf"
    apart = furthest(theirs(out, tokens, "none"), ours(out, tokens))
    print("%-24s %.1e inside, %.1e beyond" % ("yarn switched off", *apart))
    return None if max(apart) > PARTED else "a scaling that is switched off goes unseen"


def check_canary(original, folder):
    out = folder / "judged.gguf"
    run(BINARY / "ropewalk", "extend", original, "--context", CONTEXT, "-o", out, "--data",
        TINY / "heldout.jsonl", "--documents", 1, "--lengths", "64,640", "--tasks", "perplexity",
        code=1)  # the gate says no to a bare patch
    canary = (sys.executable, SOURCE / "tools" / "canary.py", out, "--tolerance", "0.005")
    print(run(*canary).strip())
    print(run(*canary, "--unscaled", code=1).strip().splitlines()[-1])


def main():
    text = json.loads((TINY / "heldout.jsonl").open(encoding="utf-8").readline())["text"]
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        original = folder / "tiny.gguf"
        make_model(original)
        tokens = llama_cpp.Peer(str(original), 0, SETTINGS).tokenize(text)[:LENGTH]
        before = theirs(original, tokens)
        print("%-24s %.1e inside, %.1e beyond" % ("as it is", *furthest(before,
                                                                        ours(original, tokens))))
        for name in CASES:
            wrong.append(check(name, original, folder, tokens, before))
        wrong.append(check_scaling_is_seen(original, folder, tokens))
        check_canary(original, folder)
    wrong = [w for w in wrong if w]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
