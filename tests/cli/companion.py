"""--companion: a draft planned and extended with its target, both or neither."""
import json
import os
import shutil
import struct
import subprocess
import time

from common import DATA, PROGRAM, SOURCE, copy_model, environment, expect, main, nothing_left, run

FAMILIES = SOURCE / "tests" / "data" / "families"


def model(folder, name, fixture, **changes):
    """A directory with the config of a family, some keys changed (None: left out)."""
    config = json.loads((FAMILIES / f"{fixture}.json").read_text())
    for key, value in changes.items():
        config.pop(key, None)
        if value is not None:
            config[key] = value
    (folder / name).mkdir()
    (folder / name / "config.json").write_text(json.dumps(config, indent=2))
    return folder / name


def draft_of(folder, **changes):
    changes.setdefault("max_position_embeddings", 2048)
    return model(folder, "draft", "eagle3_deepseek_v3", **changes)


def gguf(path):
    """A GGUF of a llama without tensors."""
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()
    keys = {"context_length": 512, "embedding_length": 256, "block_count": 1,
            "feed_forward_length": 512, "attention.head_count": 4, "vocab_size": 64}
    body = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    for key, value in keys.items():
        body += text("llama." + key) + struct.pack("<II", 4, value)
    body += text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5)
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 2 + len(keys))
    path.write_bytes((head + body).ljust(1024, b"\0"))


def extend(folder, *more, code=0):
    result = run("extend", folder / "model", "--companion", folder / "draft", "-o", folder / "out",
                 "--no-measure", "--json", *more)
    return expect(result, code)


def receipt(folder):
    return json.loads((folder / "receipt.json").read_text())


def codes(plan):
    return {d["code"] for d in plan["diagnostics"]}


def test_plan_resolves_it_for_the_draft(folder):
    target, draft = model(folder, "model", "llama2_7b"), draft_of(folder)
    facts = expect(run("plan", target, "--context", "16k", "--companion", draft, "--json"), 0).json
    mine = facts["companion"]
    assert facts["factor"] == 4 and mine["native"] == 2048 and mine["factor"] == 8
    assert facts["companions"] == [{"kind": "draft", "path": str(draft), "rotation": "its own",
                                    "covered": True}]
    assert "plan.companion_window" in codes(mine) and "dialect.companion_draft" not in codes(mine)
    assert set(mine["serve"]) == {"vllm", "sglang", "llama.cpp"}
    assert expect(run("plan", target, "--context", "16k", "--json"), 0).json["companion"] is None
    # a factor that was named reaches as far from the draft's own window
    more = ("--context", "16k", "--companion", draft, "--json", "--method", "ntk_by_parts")
    mine = expect(run("plan", target, *more, "--factor", "5"), 0).json["companion"]
    assert mine["method"] == "ntk_by_parts" and mine["factor"] == 10
    mine = expect(run("plan", target, *more, "--companion-original-context", "4096"), 0).json
    assert mine["companion"]["native"] == 4096 and mine["companion"]["factor"] == 4
    text = expect(run("plan", target, *more[:-3]), 0).out
    assert "The draft " in text and "2048 to 16384 tokens" in text
    text = expect(run("plan", target, *more[:-3], "--emit", "vllm"), 0).out
    assert "--hf-overrides" in text and "--speculative-config" in text


def test_both_are_extended_and_their_receipts_name_each_other(folder):
    model(folder, "model", "llama2_7b"), draft_of(folder)
    facts = extend(folder, "--context", "16k").json
    nothing_left(folder, "model", "draft", "out", "out-draft")
    for name, factor in (("out", 4), ("out-draft", 8)):
        config = json.loads((folder / name / "config.json").read_text())
        assert config["max_position_embeddings"] == 16384
        assert config["rope_scaling"]["factor"] == factor
        said = expect(run("verify", folder / name / "receipt.json", "--json"), 0).json
        names = [c["what"] for c in said["checks"] if c["ok"]]
        assert ("receipt of the draft out-draft" in names) == (name == "out")
        assert "patch made again" in names
    both = facts["companion"]
    assert both["output"] == str(folder / "out-draft") and both["readers"]
    assert all(reader["equivalent"] for reader in both["readers"])
    mine, other = (receipt(folder / name)["manifest"]["companion"] for name in ("out", "out-draft"))
    assert mine["role"] == "draft" and mine["name"] == "out-draft" and mine["factor"] == 8
    assert mine["receipt_sha256"] == receipt(folder / "out-draft")["sha256"]
    assert mine["readers"] == both["readers"]
    assert other["role"] == "target" and other["name"] == "out" and other["factor"] == 4
    # another draft in its place is noticed
    shutil.rmtree(folder / "out-draft")
    extend(folder, "--context", "32k", "-o" + str(folder / "other"), code=2)
    expect(run("extend", folder / "draft", "--context", "32k", "-o", folder / "out-draft",
               "--no-measure"), 0)
    result = expect(run("verify", folder / "out" / "receipt.json"), 1)
    assert "not the one that was written with this" in result.out + result.err


def test_an_output_of_its_own_and_a_signature(folder):
    model(folder, "model", "llama2_7b"), draft_of(folder)
    key = folder / "key.pem"
    expect(run("keygen", "-o", key), 0)
    extend(folder, "--context", "16k", "--companion-output", folder / "spec" / "", "--sign", key)
    for name in ("out", "spec"):
        expect(run("verify", folder / name / "receipt.json", "--key", f"{key}.pub"), 0)
    assert receipt(folder / "out")["manifest"]["companion"]["name"] == "spec"


def test_guards_stand_before_both(folder):
    target, draft = model(folder, "model", "llama2_7b"), draft_of(folder)
    cases = [
        (dict(rope_scaling={"type": "linear", "factor": 4.0}), ("--context", "16k"), 4,
         ("plan.already_scaled", "the draft", "draft")),
        (dict(max_position_embeddings=64), ("--context", "16k"), 4, ("plan.unstable_factor",)),
        (dict(max_position_embeddings=0), ("--context", "16k"), 3, ("dialect.bad_value",)),
        (dict(model_type="gpt2", num_attention_heads=8), ("--context", "16k"), 3,
         ("dialect.no_rope",)),
        ({}, ("--context", "1k"), 4, ("plan.shrink",)),
        ({}, ("--context", "16k", "--companion-output", str(folder / "out")), 2,
         ("extend.companion_output",)),
    ]
    for changes, more, code, said in cases:
        shutil.rmtree(draft)
        draft_of(folder, **changes)
        result = run("extend", target, "--companion", draft, "-o", folder / "out", "--no-measure",
                     *more)
        expect(result, code, *said)
        nothing_left(folder, "model", "draft")
    expect(run("extend", target, "--companion", folder / "none", "-o", folder / "out",
               "--no-measure", "--context", "16k"), 3, "none")
    (folder / "out-draft").mkdir()
    shutil.rmtree(draft)
    draft_of(folder)
    result = run("extend", target, "--companion", draft, "-o", folder / "out", "--no-measure",
                 "--context", "16k")
    expect(result, 4, "output.exists", "out-draft")
    nothing_left(folder, "model", "draft", "out-draft")
    assert not os.listdir(folder / "out-draft")


def test_one_of_them_is_long_enough(folder):
    model(folder, "model", "llama2_7b"), draft_of(folder, max_position_embeddings=32768)
    facts = extend(folder, "--context", "16k").json
    assert facts["companion"]["plan"]["nothing_to_do"] and facts["companion"]["output"] is None
    assert "plan.companion_long_enough" in codes(facts["companion"]["plan"])
    assert receipt(folder / "out")["manifest"]["companion"]["name"] is None
    expect(run("verify", folder / "out" / "receipt.json"), 0)
    nothing_left(folder, "model", "draft", "out")
    shutil.rmtree(folder / "out")
    shutil.rmtree(folder / "draft")
    draft_of(folder)
    facts = extend(folder, "--context", "4096").json
    assert facts["nothing_to_do"] and facts["output"] is None
    assert facts["companion"]["plan"]["factor"] == 2
    nothing_left(folder, "model", "draft", "out-draft")
    expect(run("verify", folder / "out-draft" / "receipt.json"), 0)
    # a draft that was scaled already is planned from its own native window
    shutil.rmtree(folder / "draft")
    shutil.rmtree(folder / "out-draft")
    draft_of(folder, max_position_embeddings=8192, rope_theta=10000.0, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048})
    plan = extend(folder, "--context", "16k", "--compound").json["companion"]["plan"]
    assert plan["method"] == "yarn" and plan["factor"] == 8 and plan["native"] == 2048


def test_gguf(folder):
    gguf(folder / "model.gguf")
    gguf(folder / "draft.gguf")
    result = run("extend", folder / "model.gguf", "--companion", folder / "draft.gguf", "-o",
                 folder / "out.gguf", "--no-measure", "--context", "1024", "--json")
    facts = expect(result, 0).json
    assert facts["companion"]["output"] == str(folder / "out-draft.gguf")
    nothing_left(folder, "model.gguf", "draft.gguf", *(
        f"{stem}.{end}" for stem in ("out", "out-draft")
        for end in ("gguf", "receipt.json", "report.html")))
    names = [c["what"] for c in expect(run("verify", folder / "out.receipt.json", "--json"),
                                       0).json["checks"]]
    assert "receipt of the draft out-draft.gguf" in names


def test_measured_and_beaten_to_the_name(folder):
    """The verdict is the target's; a target that can't appear takes its draft back."""
    copy_model(folder), copy_model(folder, "draft")
    command = [PROGRAM, "extend", str(folder / "model"), "--companion", str(folder / "draft"), "-o",
               str(folder / "out"), "--context", "1024", "--data", str(DATA), "--tasks",
               "perplexity", "--lengths", "64,640", "--documents", "2"]
    expect(run(*command[1:]), 1)
    assert (folder / "out" / "canary.json").exists()
    assert (folder / "out-draft" / "receipt.json").exists()
    assert not (folder / "out-draft" / "canary.json").exists()
    shutil.rmtree(folder / "out")
    shutil.rmtree(folder / "out-draft")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    deadline = time.monotonic() + 60
    while not any(n.startswith(".out-draft") for n in os.listdir(folder)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    (folder / "out").mkdir()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4 and b"output.exists" in err, (process.returncode, err)
    nothing_left(folder, "model", "draft", "out")


main(globals())
