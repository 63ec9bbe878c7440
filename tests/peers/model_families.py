#!/usr/bin/env python3
"""The families' models as GGUF: written with gguf-py, by its own map of tensor names and as
llama.cpp's converter does it (q and k permuted to interleaved pairs where its graph wants them so,
norms plus one for Gemma), they must give transformers' figures as the safetensors do.

    model_families.py PROGRAM
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy
    from safetensors import safe_open
except ImportError as missing:
    print("skipped: %s" % missing)
    sys.exit(77)

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "models")
TOLERANCE = 2e-4

# Checkpoint, GGUF architecture, permuted, runs that a GGUF can say (a llama GGUF has no window, and
# which layers slide or rotate is fixed for some).
CASES = (("llama", "llama", True, (72,)), ("mistral", "llama", True, (12,)),
         ("qwen2_untied", "qwen2", False, (72,)), ("qwen3", "qwen3", False, (72,)),
         ("smollm3", "smollm3", True, (72,)), ("phi3", "phi3", False, (12, 72)),
         ("phi3_longrope", "phi3", False, (24, 72)), ("gemma3", "gemma3", False, (12, 72)),
         ("gemma2", "gemma2", False, (12, 72)))


def tensors_of(folder):
    """bf16 as float32."""
    with safe_open(os.path.join(folder, "model.safetensors"), "np") as file:
        names = list(file.keys())
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        raw = file.read()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    for name in names:
        begin, end = header[name]["data_offsets"]
        bits = numpy.frombuffer(raw[8 + size + begin:8 + size + end], "<u2").astype("<u4") << 16
        yield name, bits.view("<f4").reshape(header[name]["shape"])


def permute(value, heads):
    """Rows of a head from (k, k + d/2) to (2k, 2k + 1)."""
    shape = value.shape
    return (value.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2)
            .reshape(shape))


def head_dim_of(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def converted(name, value, config, permuted):
    gemma = config["model_type"].startswith("gemma")
    if permuted and ".q_proj." in name:
        return permute(value, config["num_attention_heads"])
    if permuted and ".k_proj." in name:
        return permute(value, config["num_key_value_heads"])
    if gemma and name.endswith("norm.weight"):
        value = value + numpy.float32(1)
    # softmax's scale is always the head dim's there: what differs goes into q
    last = "q_norm.weight" if config["model_type"] == "gemma3_text" else "q_proj.weight"
    if gemma and name.endswith(last):
        value = value * numpy.float32((head_dim_of(config) / config["query_pre_attn_scalar"])
                                      ** 0.5)
    return value


def describe(writer, config):
    head_dim = head_dim_of(config)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(int(head_dim * config.get("partial_rotary_factor", 1.0)))
    writer.add_vocab_size(config["vocab_size"])
    if config.get("sliding_window") and config["model_type"] in ("phi3", "gemma2", "gemma3_text"):
        writer.add_sliding_window(config["sliding_window"])
    if config["model_type"] == "gemma3_text":
        writer.add_uint32("gemma3.attention.sliding_window_pattern",
                          config["sliding_window_pattern"])
        writer.add_float32("gemma3.rope.freq_base_swa", config["rope_local_base_freq"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config["rope_scaling"]["factor"])
    if config["model_type"] == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    describe_scaling(writer, config)


def describe_scaling(writer, config):
    scaling = config.get("rope_scaling") or {}
    if scaling.get("type") == "longrope":
        origin = config["original_max_position_embeddings"]
        factor = config["max_position_embeddings"] / origin
        writer.add_rope_scaling_orig_ctx_len(origin)
        writer.add_rope_scaling_attn_factors(
            (1 + numpy.log(factor) / numpy.log(origin)) ** 0.5)
        for length in ("long", "short"):
            writer.add_tensor("rope_factors_%s.weight" % length,
                              numpy.array(scaling[length + "_factor"], numpy.float32))
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config, scaling))


def llama3_factors(config, scaling):
    """As the converter writes them: what each frequency is divided by."""
    dim, origin = head_dim_of(config), scaling["original_max_position_embeddings"]
    waves = 2 * numpy.pi * config["rope_theta"] ** (numpy.arange(0, dim, 2) / dim)
    low, high, factor = (scaling[k] for k in ("low_freq_factor", "high_freq_factor", "factor"))
    smooth = numpy.clip((origin / waves - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / factor + smooth)).astype(numpy.float32)


def write(path, folder, arch, permuted):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    writer = gguf.GGUFWriter(path, arch)
    describe(writer, config)
    kind = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    for name, value in tensors_of(folder):
        wanted = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(wanted, numpy.ascontiguousarray(converted(name, value, config,
                                                                    permuted)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check(program, path, name, figures, n):
    tokens = [str(t) for t in figures["tokens"][:n]]
    done = subprocess.run([program, path] + tokens, capture_output=True, text=True, check=False)
    if done.returncode:
        return "%s: %s" % (name, done.stderr.strip())
    want = next(r for r in figures["runs"] if r["n"] == n)["nll"]
    worst = max(abs(float(g) - w) for g, w in zip(done.stdout.split(), want, strict=True))
    print("%s, %d tokens: %.1e" % (name, n, worst))
    return None if worst <= TOLERANCE else "%s, %d tokens: off by %g" % (name, n, worst)


def main():
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, arch, permuted, runs in CASES:
            folder = os.path.join(MODELS, name)
            with open(os.path.join(folder, "figures.json"), encoding="utf-8") as file:
                figures = json.load(file)
            path = os.path.join(temporary, name + ".gguf")
            write(path, folder, arch, permuted)
            for n in runs:
                wrong.append(check(sys.argv[1], path, name, figures, n))
    wrong = [w for w in wrong if w]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
