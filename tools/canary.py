#!/usr/bin/env python3
"""Does a runtime really rotate as an extended checkpoint says?

    tools/canary.py OUT                    a directory that `ropewalk extend` made: transformers
    tools/canary.py OUT.gguf               a GGUF: llama.cpp
    tools/canary.py OUT --canary FILE      the canary lies elsewhere

`extend` leaves token ids and the logits that its own engine gave behind positions inside and beyond
the native window. The tokens are fed to the runtime from an empty cache, and its logits compared:
exit status 0 when all agree within --tolerance, 1 when any does not, 77 when the runtime is not
installed. --unscaled switches the scaling off on purpose, to see the canary fall.

A table that depends on the length (dynamic NTK, LongRoPE) was resolved for the whole window; runtimes
that resolve it at the length of the input are expected to part, and then this says so.

Needs torch and transformers, or numpy and xllamacpp (tests/peers/llama_cpp.py).
"""
import argparse
import importlib.util
import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


def with_transformers(path, tokens, positions, options):
    """{position: logits}, float32 on the CPU."""
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError as error:
        print(f"skipped: {error}", file=sys.stderr)
        sys.exit(77)
    torch.set_num_threads(options.threads)
    config = AutoConfig.from_pretrained(path)
    if options.unscaled:
        switch_off(config)
    model = AutoModelForCausalLM.from_pretrained(path, config=config, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    return {p: logits[p].double().tolist() for p in positions}


def switch_off(config):
    text = config.get_text_config()
    block = getattr(text, "rope_parameters", None)
    if block is None:
        text.rope_scaling = None
    elif "rope_theta" in block:
        text.rope_parameters = {"rope_type": "default", "rope_theta": block["rope_theta"]}
    else:  # per layer type
        text.rope_parameters = {kind: {"rope_type": "default", "rope_theta": one["rope_theta"]}
                                for kind, one in block.items()}


def with_llama_cpp(path, tokens, positions, options):
    spec = importlib.util.spec_from_file_location(
        "llama_cpp_peer", HERE.parent / "tests" / "peers" / "llama_cpp.py")
    peer_module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer_module)
    settings = argparse.Namespace(
        threads=options.threads, f16_cache=False, rope_scale=None, rope_freq_base=None,
        yarn_orig_ctx=None, rope_scaling="none" if options.unscaled else None)
    peer = peer_module.Peer(str(path), len(tokens), settings)
    found = {}
    for first, logits in peer.passes(tokens):
        for p in positions:
            if first <= p < first + len(logits):
                found[p] = logits[p - first].tolist()
    return found


def log_sum_exp(logits):
    most = max(logits)
    return most + math.log(sum(math.exp(x - most) for x in logits))


def compare(canary, found, tolerance):
    """Prints a line per position; the positions that part."""
    parted = []
    for row in canary["positions"]:
        logits = found[row["position"]]
        worst = max(abs(logits[token] - logit) for token, logit in row["top"] + row["sample"])
        worst = max(worst, abs(log_sum_exp(logits) - row["logsumexp"]))
        same = worst <= tolerance  # NaN is no agreement
        best = max(range(len(logits)), key=logits.__getitem__) == row["top"][0][0]
        if not same:
            parted.append(row)
        print(f"position {row['position']:>7}  {'beyond' if row['beyond_native'] else 'inside'}  "
              f"off by {worst:.3g}  {'same' if best else 'another'} best token  "
              f"{'ok' if same else 'PARTS'}")
    return parted


def verdict(canary, parted):
    if not parted:
        return "the runtime rotates as planned"
    if not any(row["beyond_native"] for row in canary["positions"]):
        return "the runtime parts, and the canary has no position beyond the native window"
    inside = [row for row in parted if not row["beyond_native"]]
    if not inside:
        return "agreement inside the native window and none beyond it: the scaling is ignored"
    return ("the runtime does not rotate as planned, inside the native window either: with methods "
            "that act there too, such as YaRN, that is also what an ignored scaling looks like")


def beside(checkpoint):
    if checkpoint.is_dir():
        return checkpoint / "canary.json"
    return checkpoint.with_name(checkpoint.name.removesuffix(".gguf") + ".canary.json")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--canary", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float,
                        help="largest |difference| of a logit (transformers 0.01, llama.cpp 0.25: "
                        "it rounds activations to the weights' precision)")
    parser.add_argument("--unscaled", action="store_true", help="switch the scaling off")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    options = arguments()
    gguf = options.checkpoint.suffix == ".gguf"
    path = options.canary or beside(options.checkpoint)
    try:
        canary = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SystemExit(f"{error}: extend with --no-measure leaves no canary")
    tolerance = options.tolerance or (0.25 if gguf else 0.01)
    positions = [row["position"] for row in canary["positions"]]
    run = with_llama_cpp if gguf else with_transformers
    found = run(options.checkpoint, canary["tokens"], positions, options)
    parted = compare(canary, found, tolerance)
    print(verdict(canary, parted))
    return 1 if parted else 0


if __name__ == "__main__":
    sys.exit(main())
