#!/usr/bin/env python3
"""Our reading and editing of containers against the packages gguf and safetensors.

usage: checkpoint_containers.py PROGRAM [GGUF...]   (PROGRAM is built from checkpoint_containers.c)
Each GGUF named (and ../shared/models/tiny.gguf when it is there) is read and edited, too.
Exit status 77: skipped, a package is not installed.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import gguf
    import safetensors.numpy
except ImportError as missing:
    print(f"skipped: a Python package is not installed ({missing.name})")
    sys.exit(77)

PROGRAM = sys.argv[1]
# Quantised types that we widen, and where the half-precision scales lie in their blocks.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
NUMBERS = ("F32", "F16", "BF16", *SCALES)
# Half-precision scales at every border: zeros, subnormals, the largest, infinities, NaN.
NASTY = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF,
                  0x7C00, 0xFC00, 0x7E00], np.uint16)
checks = 0


def check(truth, what):
    global checks
    checks += 1
    if not truth:
        sys.exit(f"{what}: not equal")


def program(*words, stdin=""):
    done = subprocess.run([PROGRAM, *map(str, words)], input=stdin.encode(), capture_output=True)
    if done.returncode:
        sys.exit(f"{words}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def dump(path):
    lines = [json.loads(line) for line in program("dump", path).splitlines()]
    return ({x["tensor"]: x for x in lines if "tensor" in x},
            {x["key"]: x for x in lines if "key" in x})


def same_bits(ours, theirs, what):
    """Bit for bit, but one NaN is as good as another."""
    theirs = np.ascontiguousarray(theirs, dtype=np.float32).reshape(-1)
    nan = np.isnan(theirs)
    check(ours.shape == theirs.shape and (np.isnan(ours) == nan).all(), what)
    check((ours.view(np.uint32)[~nan] == theirs.view(np.uint32)[~nan]).all(), what)


# ---- GGUF ---------------------------------------------------------------------------------------

def random_blocks(rng, kind, rows, blocks):
    size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][1]
    data = rng.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    for at in SCALES[kind]:
        scales = rng.choice(NASTY, (rows, blocks))
        plain = rng.integers(0, 0x7C00, (rows, blocks)).astype(np.uint16)
        scales = np.where(rng.random((rows, blocks)) < 0.5, scales, plain)
        data[:, :, at:at + 2] = scales[..., None].view(np.uint8).reshape(rows, blocks, 2)
    return data.reshape(rows, blocks * size)


def write_gguf(path, rng):
    w = gguf.GGUFWriter(path, "llama")
    w.add_uint32("llama.context_length", 512)
    w.add_float32("llama.rope.freq_base", 10000.0)
    w.add_string("general.name", "né “x” \U0001f600")
    w.add_uint8("n.u8", 255), w.add_int8("n.i8", -128)
    w.add_uint16("n.u16", 65535), w.add_int16("n.i16", -32768)
    w.add_uint32("n.u32", 2**32 - 1), w.add_int32("n.i32", -2**31)
    w.add_uint64("n.u64", 2**64 - 1), w.add_int64("n.i64", -2**63)
    w.add_float32("n.f32", 0.1), w.add_float64("n.f64", 1e-308)
    w.add_bool("n.yes", True), w.add_bool("n.no", False)
    w.add_array("a.strings", ["", "é", "\0", "x" * 1000])
    w.add_array("a.ints", [-1, 0, 2**31 - 1]), w.add_array("a.floats", [0.5, -1e30])
    w.add_array("a.bools", [True, False])
    w.add_array("tokens", [f"token {i}" for i in range(5000)])
    kinds = gguf.GGMLQuantizationType
    for kind in SCALES:
        w.add_tensor(f"{kind}.weight", random_blocks(rng, kind, 7, 65), raw_dtype=kinds[kind])
    w.add_tensor("f32.weight", rng.standard_normal((3, 5)).astype(np.float32))
    w.add_tensor("half.weight", np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256))
    w.add_tensor("bf16.weight", rng.integers(0, 65536, (9, 6), dtype=np.uint16).view(np.uint8),
                 raw_dtype=kinds.BF16)
    w.add_tensor("i8.weight", rng.integers(-128, 128, 11, dtype=np.int8))
    w.add_tensor("iq.weight", rng.integers(0, 256, (2, 136), dtype=np.uint8), raw_dtype=kinds.IQ4_XS)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def field_value(field):
    value = field.contents()
    return [float(x) if not isinstance(x, str) else x for x in value] \
        if isinstance(value, list) else value


def compare_gguf(path, scratch):
    reader = gguf.GGUFReader(path)
    tensors, values = dump(path)
    fields = {k: f for k, f in reader.fields.items() if not k.startswith("GGUF.")}
    check(list(values) == list(fields), f"{path}: keys and their order")
    for key, field in fields.items():
        check(values[key]["type"] == int(field.types[0]), f"{path}: type of {key}")
        check(values[key]["value"] == field_value(field), f"{path}: {key}")
    check(list(tensors) == [t.name for t in reader.tensors], f"{path}: tensors and their order")
    program("f32", path, scratch / "f32")
    ours, at = np.fromfile(scratch / "f32", np.float32), 0
    for t in reader.tensors:
        mine = tensors[t.name]
        check(mine["dtype"] == t.tensor_type.name, f"{path}: type of {t.name}")
        check(mine["shape"] == [int(n) for n in reversed(t.shape)], f"{path}: shape of {t.name}")
        check(mine["offset"] == t.data_offset, f"{path}: offset of {t.name}")
        check(mine["sha256"] == hashlib.sha256(t.data.tobytes()).hexdigest(), f"{path}: {t.name}")
        check(mine["numbers"] == (mine["dtype"] in NUMBERS), f"{path}: {t.name} is numbers")
        if mine["numbers"]:
            count = int(np.prod(t.shape))
            with np.errstate(all="ignore"):
                theirs = gguf.quants.dequantize(t.data, t.tensor_type)
            same_bits(ours[at:at + count], theirs, f"{path}: values of {t.name}")
            at += count
    check(at == len(ours), f"{path}: number of values")
    return reader


EDITS = """u32 llama.context_length 2048
string llama.rope.scaling.type yarn
f32 llama.rope.scaling.factor 4.0
u32 llama.rope.scaling.original_context_length 512
bool llama.rope.scaling.finetuned 0
remove general.name
"""


def edit_gguf(path, scratch, edits, added=(), dropped=()):
    out = scratch / "edited.gguf"
    program("edit", path, out, stdin=edits)
    old, new = gguf.GGUFReader(path), compare_gguf(out, scratch)
    check(new.fields["llama.context_length"].contents() == 2048, "context_length")
    check(new.fields["llama.rope.scaling.type"].contents() == "yarn", "scaling.type")
    check(new.fields["llama.rope.scaling.factor"].contents() == 4.0, "scaling.factor")
    check("general.name" not in new.fields, "general.name")
    keys = [k for k in old.fields if k != "general.name" and not k.startswith("GGUF.")]
    kept = [k for k in new.fields if not k.startswith("GGUF.")]
    check(kept[:len(keys)] == keys, "order of keys")
    for key in keys:
        if key != "llama.context_length":
            check(old.fields[key].contents() == new.fields[key].contents(), key)
    names = [t.name for t in old.tensors if t.name not in dropped] + list(added)
    check([t.name for t in new.tensors] == names, "tensors and their order")
    before = {t.name: t for t in old.tensors}
    for t in new.tensors:
        check(t.data_offset % new.alignment == 0, f"alignment of {t.name}")
        if t.name in before:
            check(t.data.tobytes() == before[t.name].data.tobytes(), f"bytes of {t.name}")
    return new


def check_series(path, scratch, first_without_tensors):
    """The same model as a split series, written by gguf: edited, it is one file of the same tensors."""
    whole = gguf.GGUFReader(path)
    folder = scratch / f"series{int(first_without_tensors)}"
    folder.mkdir()
    w = gguf.GGUFWriter(folder / "s.gguf", "llama", split_max_tensors=4,
                        small_first_shard=first_without_tensors)
    w.add_uint32("llama.context_length", 512)
    for t in whole.tensors:
        w.add_tensor(t.name, np.array(t.data), raw_dtype=t.tensor_type)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    shards = sorted(folder.glob("s-*.gguf"))
    check(len(shards) >= 3, "a series of several files")
    out = scratch / "joined.gguf"
    program("edit", shards[0], out, stdin=EDITS + "tensor rope_freqs.weight 1 2\n")
    new = compare_gguf(out, scratch)
    check(new.fields["llama.context_length"].contents() == 2048, "context_length of a series")
    check(not any(k.startswith("split.") for k in new.fields), "a whole file is no part")
    check([t.name for t in new.tensors] == [t.name for t in whole.tensors] + ["rope_freqs.weight"],
          "a series' tensors and their order")
    for old, t in zip(whole.tensors, new.tensors):
        check(old.tensor_type == t.tensor_type and list(old.shape) == list(t.shape)
              and old.data.tobytes() == t.data.tobytes(), f"{t.name} of a series")
    out.unlink()


def check_ggufs(scratch):
    path = scratch / "made.gguf"
    write_gguf(path, np.random.default_rng(7))
    compare_gguf(path, scratch)
    edit_gguf(path, scratch, EDITS)
    new = edit_gguf(path, scratch, EDITS + "tensor rope_freqs.weight 1 2.5 0.1\ndrop i8.weight\n",
                    added=["rope_freqs.weight"], dropped=["i8.weight"])
    check((new.tensors[-1].data == np.array([1, 2.5, 0.1], np.float32)).all(), "rope_freqs")
    check_series(path, scratch, False)
    check_series(path, scratch, True)
    shared = pathlib.Path(os.environ.get("RW_SOURCE_DIR", ".")) / "../shared/models/tiny.gguf"
    for real in [*sys.argv[2:], *([shared] if shared.exists() else [])]:
        compare_gguf(real, scratch)
        edit_gguf(real, scratch, EDITS)
        edit_gguf(real, scratch, EDITS + "tensor rope_freqs.weight 1 2\n",
                  added=["rope_freqs.weight"])
    if not shared.exists():
        print(f"not compared: {shared} is not there")


# ---- safetensors --------------------------------------------------------------------------------

def compare_directory(directory, expected, scratch):
    tensors, _ = dump(directory)
    check(set(tensors) == set(expected), f"{directory}: tensors")
    program("f32", directory, scratch / "f32")
    ours, at = np.fromfile(scratch / "f32", np.float32), 0
    for name, mine in tensors.items():
        array = expected[name]
        check(mine["shape"] == list(array.shape), f"shape of {name}")
        check(mine["sha256"] == hashlib.sha256(array.tobytes()).hexdigest(), name)
        if mine["numbers"]:
            same_bits(ours[at:at + array.size], array.astype(np.float32), f"values of {name}")
            at += array.size


def check_safetensors(scratch):
    rng = np.random.default_rng(3)
    arrays = {"é.weight": rng.standard_normal((3, 4)).astype(np.float32),
              "half": np.arange(65536, dtype=np.uint16).view(np.float16).reshape(4, -1),
              "scalar": np.array(7, np.int64), "none": np.zeros((0, 3), np.float32),
              "five": rng.standard_normal((2, 1, 3, 2, 2)).astype(np.float16),
              "bool": np.array([True, False]), "u8": np.arange(9, dtype=np.uint8)}
    one, two = scratch / "one", scratch / "two"
    for directory in (one, two):
        directory.mkdir()
        (directory / "config.json").write_text("{}")
    safetensors.numpy.save_file(arrays, one / "model.safetensors", metadata={"format": "pt"})
    compare_directory(one, arrays, scratch)
    names, index = sorted(arrays), {}
    for n, part in enumerate((names[:3], names[3:]), 1):
        shard = f"model-0000{n}-of-00002.safetensors"
        safetensors.numpy.save_file({k: arrays[k] for k in part}, two / shard)
        index.update({k: shard for k in part})
    (two / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    compare_directory(two, arrays, scratch)


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("RW_BINARY_DIR")) as directory:
        scratch = pathlib.Path(directory)
        check_ggufs(scratch)
        check_safetensors(scratch)
    print(f"{checks} comparisons with gguf and safetensors, all equal")


if __name__ == "__main__":
    main()
