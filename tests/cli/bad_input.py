"""Damaged or hostile input and targets: the documented exit status, a message that names what and
where, and nothing half-written."""
import json
import os
import pathlib
import struct
import subprocess

from common import (DATA, PROGRAM, TINY, Skip, copy_model, environment, expect, main, nothing_left,
                    run)


def refused(folder, model, code, *in_err, more=("--no-measure",)):
    result = run("extend", model, "--context", "2k", "-o", folder / "out", *more)
    expect(result, code, *in_err)
    assert result.out == ""
    nothing_left(folder, "model")


def with_config(folder, text):
    model = copy_model(folder, weights=False)
    (model / "config.json").write_text(text)
    return model


def test_no_such_input(folder):
    refused(folder, folder / "absent", 3, "absent")
    (folder / "model").mkdir()
    refused(folder, folder / "model", 3, "config.json")


def test_config_is_not_json(folder):
    refused(folder, with_config(folder, "max_position_embeddings = 512\n"), 3, "config.json",
            "json.syntax", "at byte 0")


def test_config_is_cut_short(folder):
    text = (TINY / "config.json").read_text()
    refused(folder, with_config(folder, text[:200]), 3, "config.json", "json.syntax", "at byte")


def test_config_without_rope(folder):
    text = json.dumps({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 64,
                       "n_head": 4, "n_layer": 2, "n_positions": 512, "vocab_size": 100})
    refused(folder, with_config(folder, text), 3, "dialect.no_rope")


def test_config_nested_deep(folder):
    text = '{"a":' * 10000 + "1" + "}" * 10000
    refused(folder, with_config(folder, text), 3, "config.json", "json.depth")


def test_config_repeats_a_key(folder):
    text = (TINY / "config.json").read_text().replace(
        '"max_position_embeddings": 512', '"max_position_embeddings": 512,\n'
        '  "max_position_embeddings": 4096')
    refused(folder, with_config(folder, text), 3, "config.json", "json.duplicate_key",
            "max_position_embeddings")


def test_config_lies(folder):
    config = json.loads((TINY / "config.json").read_text())
    for key, value in (("rope_theta", "big"), ("rope_theta", -1), ("rope_scaling", 7),
                       ("rope_parameters", []), ("max_position_embeddings", -512),
                       ("max_position_embeddings", "512"),
                       ("head_dim", 63), ("num_attention_heads", 0), ("hidden_size", 1e30)):
        model = folder / "model"
        if model.exists():
            for file in model.iterdir():
                file.unlink()
            model.rmdir()
        with_config(folder, json.dumps({**config, key: value}))
        result = run("extend", model, "--context", "2k", "-o", folder / "out", "--no-measure")
        assert result.code == 3, (key, value, result.code, result.err)
        named = {"rope_theta": "theta", "head_dim": "partial_rotary_factor"}.get(key, key)
        assert named in result.err, (key, result.err)
        nothing_left(folder, "model")


def test_truncated_weights(folder):
    model = copy_model(folder)
    weights = model / "model.safetensors"
    for size in (0, 7, 100, weights.stat().st_size - 1):
        data = (TINY / "model.safetensors").read_bytes()[:size]
        weights.write_bytes(data)
        refused(folder, model, 3, "model.safetensors", more=("--data", DATA))


def test_lying_header(folder):
    model = copy_model(folder)
    weights = model / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(struct.pack("<Q", 1 << 60) + data[8:])
    refused(folder, model, 3, "model.safetensors", more=("--data", DATA))


def test_no_tokenizer(folder):
    model = copy_model(folder)
    (model / "tokenizer.json").unlink()
    refused(folder, model, 3, "tokenizer.json", more=("--data", DATA))


def test_bad_data(folder):
    model = copy_model(folder)
    data = folder / "data.jsonl"
    for text, wanted in (("", "data."), ('{"text": 7}\n', "data.type"), ("{\n", "data.syntax"),
                         ('{"tokens": [99999999]}\n', "data.token_range")):
        data.write_text(text)
        result = run("extend", model, "--context", "2k", "-o", folder / "out", "--data", data)
        expect(result, 3, wanted, "data.jsonl")
        nothing_left(folder, "model", "data.jsonl")
    expect(run("extend", model, "--context", "2k", "-o", folder / "out", "--data",
               folder / "absent"), 3, "absent")


def test_guards(folder):
    for context, code, name in (("256", 4, "plan.shrink"), ("1000m", 4, "plan.absurd_context"),
                                ("512", 0, "")):
        result = run("extend", TINY, "--context", context, "-o", folder / "out", "--no-measure")
        expect(result, code, name)
        nothing_left(folder)


def test_extending_twice(folder):
    run("extend", TINY, "--context", "1k", "-o", folder / "one", "--no-measure")
    result = run("extend", folder / "one", "--context", "2k", "-o", folder / "two", "--no-measure")
    expect(result, 4, "plan.already_scaled")
    nothing_left(folder, "one")
    for flag in ("--compound", "--replace"):
        result = run("extend", folder / "one", "--context", "2k", "-o", folder / flag[2:], "--json",
                     "--no-measure", flag)
        plan = expect(result, 0).json["plan"]
        assert plan["native"] == 512 and plan["factor"] == 4, plan["factor"]


def test_bad_names(folder):
    for flag, value in (("--method", "magic"), ("--target", "transformers5,emacs")):
        result = run("extend", TINY, "--context", "2k", "-o", folder / "out", "--no-measure", flag,
                     value)
        expect(result, 2, flag[:8])
    for flag, value in (("--protocol", "magic"), ("--tasks", "perplexity,magic")):
        result = run("extend", TINY, "--context", "2k", "-o", folder / "out", "--data", DATA, flag,
                     value)
        expect(result, 2, flag[2:5])
    nothing_left(folder)


def test_missing_parent(folder):
    result = run("extend", TINY, "--context", "2k", "-o", folder / "a" / "b", "--no-measure")
    expect(result, 5, "output.parent")
    nothing_left(folder)


def as_nobody(folder, *arguments):
    """Root may read and write everything, so the test runs the program as somebody else."""
    options = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}
    try:
        return run(*arguments, cwd="/", **options)
    except (PermissionError, subprocess.SubprocessError) as why:
        raise Skip(f"the program cannot be run as another user: {why}")


def test_read_only_target(folder):
    folder.chmod(0o755)
    target = folder / "locked"
    target.mkdir(mode=0o555)
    model = copy_model(folder, weights=False)
    for file in model.iterdir():
        file.chmod(0o644)
    result = as_nobody(folder, "extend", model, "--context", "2k", "-o", target / "out",
                       "--no-measure")
    expect(result, 5, "output.read_only", "locked")
    nothing_left(target)


def test_unreadable_input(folder):
    folder.chmod(0o777)
    model = copy_model(folder, weights=False)
    (model / "config.json").chmod(0)
    result = as_nobody(folder, "extend", model, "--context", "2k", "-o", folder / "out",
                       "--no-measure")
    expect(result, 3, "file.permission", "config.json")
    nothing_left(folder, "model")


def test_full_disk(folder):
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small],
                             capture_output=True)
    if mounted.returncode:
        raise Skip("a small file system cannot be mounted here: " +
                   mounted.stderr.decode().strip())
    try:
        result = run("extend", TINY, "--context", "2k", "-o", small / "out", "--no-measure")
        expect(result, 5, "output.full")
        nothing_left(small)
    finally:
        subprocess.run(["umount", small], check=True)


if __name__ == "__main__":
    main(globals())
