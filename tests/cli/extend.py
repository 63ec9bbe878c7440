"""extend and verify: what is written, what is proven, what is noticed."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree

from common import (DATA, PROGRAM, SOURCE, TINY, Skip, copy_model, environment, expect, main,
                    nothing_left, run)

GGUF = SOURCE.parent / "shared" / "models" / "tiny.gguf"
QUICK = ("--data", DATA, "--tasks", "perplexity", "--lengths", "64,640", "--documents", "2")


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def extend(model, out, *more, code=0, context="2048"):
    return expect(run("extend", model, "--context", context, "-o", out, "--json", *more), code)


def u64(*values):
    return b"".join(value.to_bytes(8, "little") for value in values)


def test_directory_without_measuring(folder):
    model = copy_model(folder)
    (model / "sub" / "deeper").mkdir(parents=True)
    (model / "sub" / "deeper" / "notes.txt").write_text("kept")
    (model / "linked.txt").symlink_to("sub/deeper/notes.txt")
    (model / "receipt.json").write_text("{}")
    before = {p: digest(p) for p in model.rglob("*") if p.is_file()}
    out = folder / "out"
    facts = extend(model, out, "--no-measure").json
    assert facts["schema"] == "ropewalk.extend/1" and facts["gate"] is None
    assert facts["before"] is None and facts["after"] is None and facts["canary"] is None
    assert not (out / "canary.json").exists()
    assert (out / "sub/deeper/notes.txt").read_text() == "kept"
    assert not (out / "linked.txt").is_symlink() and (out / "linked.txt").read_text() == "kept"
    assert digest(out / "model.safetensors") == digest(model / "model.safetensors")
    assert {p: digest(p) for p in before} == before, "the input changed"
    config = json.loads((out / "config.json").read_text())
    assert config["max_position_embeddings"] == 2048
    receipt = json.loads((out / "receipt.json").read_text())
    assert receipt["schema"] == "ropewalk.receipt/1"
    assert receipt["sha256"] == facts["receipt"]["sha256"]
    listed = {f["name"]: f["sha256"] for f in receipt["manifest"]["output"]["files"]}
    assert set(listed) == {"config.json", "tokenizer.json", "model.safetensors", "linked.txt",
                           "sub/deeper/notes.txt"}
    assert all(digest(out / name) == value for name, value in listed.items())
    xml.etree.ElementTree.parse(out / "report.html")
    nothing_left(folder, "model", "out")


def test_hash_of_tensors_wherever_they_lie(folder):
    """Files and tensors are hashed from one reading in pieces of 1 MiB: neither borders of pieces nor
    the order of the header may matter."""
    model, border, head = copy_model(folder, weights=False), 1 << 20, 1032
    sizes = {"a": 4096, "pad": border - head - 4096, "b": border, "c": 6, "empty": 0}
    for number, order in enumerate(("a pad b c empty", "c a pad b empty")):
        entries, at = {}, 0
        for name, size in sizes.items():
            entries[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
            at += size
        header = {name: entries[name] for name in order.split()}
        text, data = json.dumps(header).encode().ljust(head - 8), os.urandom(at)
        (model / "model.safetensors").write_bytes(u64(len(text)) + text + data)
        assert head + entries["b"]["data_offsets"][0] == border
        expected = hashlib.sha256()
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            expected.update(u64(len(name)) + name.encode() + u64(2) + b"U8" +
                            u64(1, end - begin, end - begin) + data[begin:end])
        facts = extend(model, folder / f"out{number}", "--no-measure").json
        assert facts["proof"]["tensors"] == len(header), facts["proof"]
        assert facts["proof"]["tensors_sha256"] == expected.hexdigest(), order
        listed = {f["name"]: f["sha256"] for f in facts["files"]}
        assert listed["model.safetensors"] == digest(model / "model.safetensors")


def test_links_when_asked(folder):
    model, out = copy_model(folder), folder / "out"
    extend(model, out, "--no-measure", "--link")
    assert (out / "model.safetensors").stat().st_ino == (model / "model.safetensors").stat().st_ino
    assert (out / "config.json").stat().st_ino != (model / "config.json").stat().st_ino


def test_output_inside_the_input(folder):
    model = copy_model(folder)
    (folder / "alias").symlink_to("model")
    (model / "deep").mkdir()
    for inside in (model / "long", model / "deep" / "long", folder / "alias" / "long"):
        result = run("extend", model, "--context", "2k", "-o", inside, "--no-measure")
        expect(result, 2, "output.inside")
    nothing_left(model, "config.json", "tokenizer.json", "model.safetensors", "deep")
    extend(model, folder / "model-long", "--no-measure")  # only its name begins alike


def test_folders_that_lead_back(folder):
    model = copy_model(folder)
    (model / "loop").symlink_to(".")
    result = run("extend", model, "--context", "2k", "-o", folder / "out", "--no-measure")
    expect(result, 3, "checkpoint.link_loop", "loop")
    nothing_left(folder, "model")


def test_measured(folder):
    out = folder / "out"
    facts = extend(TINY, out, "--data", DATA, "--tasks", "perplexity", "--lengths", "64,1024",
                   "--documents", "2", code=1).json
    assert facts["gate"]["result"] in ("fail", "incomplete")
    assert facts["advice"]
    rows = {side: {r["length"]: r["ppl"] for r in facts[side]["perplexity"]}
            for side in ("before", "after")}
    assert rows["before"][64] < 40 and rows["after"][1024] < rows["before"][1024]
    canary = json.loads((out / "canary.json").read_text())
    beyond = [p["beyond_native"] for p in canary["positions"]]
    assert True in beyond and False in beyond
    assert len(canary["tokens"]) > max(p["position"] for p in canary["positions"])
    assert all(p["top"][0][1] >= p["top"][1][1] for p in canary["positions"])
    expect(run("verify", out / "receipt.json"), 0)


def test_human_output(folder):
    result = run("extend", TINY, "--context", "2k", "-o", folder / "out", *QUICK)
    expect(result, 1)
    for text in ("Perplexity by length", "Perplexity by position", "before o", "Verdict", "no (", "What would help", "checkpoint",
                 "receipt.json", "report.html"):
        assert text in result.out, text
    assert "measuring before" in result.err


def test_same_bytes_twice(folder):
    texts = []
    for _ in range(2):
        result = extend(TINY, folder / "out", *QUICK, "--no-timing", code=1)
        texts.append((result.out, (folder / "out" / "receipt.json").read_text()))
        shutil.rmtree(folder / "out")
    assert texts[0] == texts[1]
    measured = [expect(run("measure", TINY, *QUICK, "--seed", "3", "--json", "--no-timing"), 0).out
                for _ in range(2)]
    assert measured[0] == measured[1]


def test_nothing_to_do(folder):
    facts = extend(TINY, folder / "out", context="512").json
    assert facts["nothing_to_do"] is True and facts["receipt"] is None
    nothing_left(folder)


def test_existing_output(folder):
    (folder / "out").mkdir()
    (folder / "out" / "mine").write_text("mine")
    result = run("extend", TINY, "--context", "2k", "-o", folder / "out", "--no-measure")
    expect(result, 4, "output.exists")
    nothing_left(folder, "out")
    nothing_left(folder / "out", "mine")


def test_bare_config(folder):
    expect(run("extend", TINY / "config.json", "--context", "2k", "-o", folder / "out", *QUICK), 2,
           "--no-measure")
    extend(TINY / "config.json", folder / "out", "--no-measure")
    assert sorted(os.listdir(folder / "out")) == ["config.json", "receipt.json", "report.html"]
    expect(run("verify", folder / "out" / "receipt.json"), 0)


def gguf_or_skip():
    if not GGUF.exists():
        raise Skip(f"{GGUF.name} is not at hand")
    return GGUF


def test_gguf(folder):
    model = gguf_or_skip()
    expect(run("extend", model, "--context", "2k", "-o", folder / "out", "--no-measure"), 2,
           ".gguf")
    facts = extend(model, folder / "out.gguf", *QUICK, code=1).json
    assert facts["proof"]["tensors"] > 50
    assert sorted(os.listdir(folder)) == ["out.canary.json", "out.gguf", "out.receipt.json",
                                          "out.report.html"]
    expect(run("verify", folder / "out.receipt.json"), 0)
    # a companion that is there already stops it before anything is written
    (folder / "two.receipt.json").write_text("{}")
    expect(run("extend", model, "--context", "2k", "-o", folder / "two.gguf", "--no-measure"), 4,
           "two.receipt.json")
    assert not list(folder.glob("two.gguf")) and not list(folder.glob(".two*"))


def test_gguf_and_directory_measure_alike(folder):
    model = gguf_or_skip()
    a = extend(model, folder / "a.gguf", *QUICK, code=1).json
    b = extend(TINY, folder / "b", *QUICK, code=1).json
    for side in ("before", "after"):
        for x, y in zip(a[side]["perplexity"], b[side]["perplexity"]):
            assert abs(x["nll"] - y["nll"]) < 2e-4, (side, x["length"], x["nll"], y["nll"])


# ---- verify -------------------------------------------------------------------------------------

def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def failed(receipt, *more):
    result = expect(run("verify", receipt, "--json", *more), 1).json
    assert result["ok"] is False
    found = [c["what"] for c in result["checks"] if c["ok"] is False]
    assert result["differs"] == found[0], result
    return found


def test_verify_notices_flips(folder):
    out = folder / "out"
    extend(copy_model(folder), out, "--no-measure")
    receipt = out / "receipt.json"
    assert run("verify", receipt, "--json").json["ok"] is True
    for name, offset, *where in (("model.safetensors", -7, "tensor data"),
                                 ("model.safetensors", 20, "header of the weights"),
                                 ("tokenizer.json", 99), ("config.json", 40)):
        flip(out / name, offset)
        assert failed(receipt)[:1 + len(where)] == [f"file {name}", *where], (name, offset)
        flip(out / name, offset)
    config = (out / "config.json").read_text()
    (out / "config.json").write_text(config.replace('"factor": 4.0', '"factor": 4.5'))
    found = failed(receipt)
    assert found[0] == "file config.json" and "tables of the output" in found, found
    (out / "config.json").write_text(config)
    text = receipt.read_text()
    receipt.write_text(text.replace('"method":"yarn"', '"method":"base"', 1))
    assert failed(receipt)[0] == "manifest"
    receipt.write_text(text)
    expect(run("verify", receipt), 0)
    (out / "tokenizer.json").unlink()
    assert failed(receipt)[0] == "file tokenizer.json"


def test_verify_makes_the_patch_again(folder):
    model, out = copy_model(folder), folder / "out"
    extend(model, out, "--no-measure", "--beta-fast", "24", "--truncate", "no")
    checks = expect(run("verify", out / "receipt.json", "--json"), 0).json["checks"]
    assert "patch made again" in [c["what"] for c in checks]
    moved = folder / "moved"
    model.rename(moved)
    checks = expect(run("verify", out / "receipt.json", "--json"), 0).json["checks"]
    assert "patch made again" not in [c["what"] for c in checks]
    checks = expect(run("verify", out / "receipt.json", "--input", moved, "--json"), 0).json
    assert "patch made again" in [c["what"] for c in checks["checks"]]
    flip(moved / "config.json", 60)
    assert failed(out / "receipt.json", "--input", moved) == ["input"]


def test_verify_bad_receipts(folder):
    receipt = folder / "receipt.json"
    expect(run("verify", receipt), 3, "receipt.json")
    for text in ("", "{}", "[1", '{"schema":"ropewalk.receipt/1"}', "\0" * 64, "[" * 10000):
        receipt.write_text(text)
        expect(run("verify", receipt), 3, "receipt.json", "receipt.syntax")
    receipt.write_text('{"schema":"ropewalk.receipt/9","manifest":{},"sha256":""}')
    expect(run("verify", receipt), 3, "receipt.schema", "ropewalk.receipt/9")


def test_verify_receipts_cut_short_huge_or_repeating_themselves(folder):
    out, receipt = folder / "out", folder / "receipt.json"
    extend(copy_model(folder), out, "--no-measure")
    whole = (out / "receipt.json").read_text()
    for size in (1, 30, len(whole) // 2, len(whole) - 3):
        receipt.write_text(whole[:size])
        expect(run("verify", receipt), 3, "receipt.syntax", "at byte")
    for repeated in (whole.replace('{"schema"', '{"sha256":"","schema"', 1),
                     whole.replace('"manifest":{', '"manifest":{"seed":1,', 1)):
        receipt.write_text(repeated)
        expect(run("verify", receipt), 3, "receipt.syntax", "twice")
    receipt.write_text(whole.replace('{"schema"', '{"unknown":1,"schema"', 1))
    expect(run("verify", receipt), 3, "receipt.syntax", "unknown")
    receipt.write_bytes(whole.encode().replace(b'"tool"', b'"to\xffl"', 1))
    expect(run("verify", receipt), 3, "receipt.syntax", "UTF-8")
    with open(receipt, "wb") as file:
        file.truncate(1 << 40)
    expect(run("verify", receipt), 3, "file.too_large")
    expect(run("verify", folder), 3, "file.not_regular")


def test_manifest_says_what_applies(folder):
    out = folder / "out"
    extend(TINY, out, "--data", DATA, "--lengths", "512,640", "--documents", "2", "--trials", "1",
           "--tasks", "perplexity,passkey", "--seed", "7", "--allow-undefined", "D3", code=1)
    manifest = json.loads((out / "receipt.json").read_text())["manifest"]
    block = manifest["long_context"]
    assert block["method"] == "yarn" and block["factor"] == 4
    assert (block["original_max_position_embeddings"],
            block["new_max_position_embeddings"]) == (512, 2048)
    assert block["attn_factor"] == 1.0 and block["beta_fast"] == 32 and block["beta_slow"] == 1
    assert abs(block["attention_factor"] - 1.1386294361119891) < 1e-15
    assert "arXiv:2309.00071" in block["papers"]
    table = block["tables"][0]
    assert table["ramp_low"] < table["ramp_high"] and len(table["table_sha256"]) == 64
    assert manifest["seed"] == 7 and manifest["after"]["seed"] == 7
    assert [w["task"] for w in manifest["wordings"]] == ["passkey"]
    assert "{value}" in manifest["wordings"][0]["needle"]
    assert set(manifest["gate"]["dims"]) >= {"D0", "D1", "D2", "D3", "D4", "D5"}
    assert [w["dimension"] for w in manifest["gate"]["waivers"]] == ["D3"]
    assert manifest["tool"]["version"] and "commit" in manifest["tool"]
    assert manifest["environment"]["threads"] >= 1
    assert set(manifest["parts"]) == set(manifest) - {"parts"}


def test_verify_names_stay_inside(folder):
    out = folder / "out"
    extend(copy_model(folder), out, "--no-measure")
    text = (out / "receipt.json").read_text()
    (out / "receipt.json").write_text(text.replace('"name":"tokenizer.json"',
                                                   '"name":"../model/tokenizer.json"'))
    result = expect(run("verify", out / "receipt.json", "--json"), 1).json
    assert any("leads out" in c["why"] for c in result["checks"])


# ---- signatures ---------------------------------------------------------------------------------

def keygen(folder, name="signing.pem"):
    facts = expect(run("keygen", "-o", folder / name, "--json"), 0).json
    assert facts["schema"] == "ropewalk.keygen/1"
    return folder / name, folder / f"{name}.pub", facts["fingerprint"]


def signature_of(receipt, code, *more):
    result = expect(run("verify", receipt, "--json", *more), code).json
    answer = [c["ok"] for c in result["checks"] if c["what"] == "signature"]
    return result["signature"], answer[0], result["signer"]


def test_signed(folder):
    key, public, fingerprint = keygen(folder)
    _, other, _ = keygen(folder, "other.pem")
    out, receipt = folder / "out", folder / "out" / "receipt.json"
    facts = extend(copy_model(folder), out, "--no-measure", "--sign", key).json
    assert facts["receipt"]["signer"] == fingerprint
    assert signature_of(receipt, 0, "--key", public) == ("expected_signer", True, fingerprint)
    assert signature_of(receipt, 1, "--key", other) == ("wrong_signer", False, None)
    assert signature_of(receipt, 1) == ("unknown_signer", False, None)
    assert fingerprint in expect(run("verify", receipt), 1).out
    assert f"signed by {fingerprint}" in expect(run("verify", receipt, "--key", public), 0).out
    assert failed(receipt, "--key", other) == ["signature"]
    expect(run("verify", receipt, "--key", key), 3, "receipt.key_private")
    expect(run("verify", receipt, "--key", folder / "none.pub"), 3, "none.pub")
    whole = receipt.read_text()
    at = whole.index('"signature":"') + 20
    receipt.write_text(whole[:at] + ("A" if whole[at] != "A" else "B") + whole[at + 1:])
    assert signature_of(receipt, 1, "--key", public) == ("invalid", False, None)
    assert failed(receipt, "--key", public) == ["signature"]
    head = whole[:whole.rindex('"signature":{')]
    receipt.write_text(head + '"signature":null}\n')
    assert signature_of(receipt, 0) == ("none", None, None)
    assert failed(receipt, "--key", public) == ["signature"]


def test_bad_keys(folder):
    key, public, _ = keygen(folder)
    model = copy_model(folder)

    def refused(path, code):
        expect(run("extend", model, "--context", "2k", "-o", folder / "out", "--no-measure",
                   "--sign", path), 3, code)
        assert not (folder / "out").exists()
    refused(folder / "none.pem", "none.pem")
    refused(public, "receipt.key_public")
    (folder / "text.pem").write_text("no key")
    (folder / "text.pem").chmod(0o600)
    refused(folder / "text.pem", "receipt.key_syntax")
    key.chmod(0o644)
    refused(key, "receipt.key_permissions")


def test_every_flip_of_a_signed_measurement_is_named(folder):
    model, out = gguf_or_skip(), folder / "out.gguf"
    key, public, _ = keygen(folder)
    extend(model, out, *QUICK, "--sign", key, code=1)
    receipt = folder / "out.receipt.json"
    expect(run("verify", receipt, "--key", public), 0)
    for offset, where in ((-7, "tensor data"), (60, "header of the weights")):
        flip(out, offset)
        assert failed(receipt, "--key", public)[:2] == ["file out.gguf", where], offset
        flip(out, offset)
    text = receipt.read_text()
    after = text.index('"after":')
    for key_name, member in (('"nll":', "after"), ('"tokens":', "after")):
        at = text.index(key_name, after) + len(key_name)
        receipt.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1:])
        result = expect(run("verify", receipt, "--key", public, "--json"), 1).json
        assert result["differs"] == "manifest" and result["signature"] == "invalid"
        assert f'"{member}"' in result["checks"][0]["why"], result["checks"][0]
    receipt.write_text(text)
    expect(run("verify", receipt, "--key", public), 0)


# ---- stopping -----------------------------------------------------------------------------------

def stopped(folder, number, *arguments):
    line = [PROGRAM, *map(str, arguments)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    seen = b""
    while b"measuring before" not in seen:
        piece = process.stderr.readline()
        assert piece, "it ended before it could be stopped"
        seen += piece
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, (process.returncode, err.decode())
    assert out == b""
    assert b"stopped" in err, err.decode()


def test_interrupt_leaves_nothing(folder):
    data = ("--data", DATA, "--lengths", "2048")
    stopped(folder, signal.SIGINT, "extend", TINY, "--context", "2k", "-o", folder / "out", *data)
    nothing_left(folder)
    stopped(folder, signal.SIGTERM, "extend", TINY, "--context", "2k", "-o", folder / "out", *data,
            "--json")
    nothing_left(folder)


def test_interrupt_leaves_nothing_of_a_gguf(folder):
    stopped(folder, signal.SIGINT, "extend", gguf_or_skip(), "--context", "2k", "-o",
            folder / "out.gguf", "--data", DATA, "--lengths", "2048")
    nothing_left(folder)


def split(folder, name, tensors):
    """The GGUF as a series of files with that many tensors each, written by the package gguf."""
    try:
        import gguf
    except ImportError:
        raise Skip("the Python package gguf is not installed")
    if not GGUF.exists():
        raise Skip(f"{GGUF} is not there")
    whole = gguf.GGUFReader(GGUF)
    writer = gguf.GGUFWriter(folder / f"{name}.gguf", "llama", split_max_tensors=tensors)
    for key, field in whole.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, field.contents())
        else:
            writer.add_key_value(key, field.contents(), field.types[0])
    for tensor in whole.tensors:
        writer.add_tensor(tensor.name, tensor.data.copy(), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(), writer.write_kv_data_to_file()
    writer.write_tensors_to_file(), writer.close()
    return sorted(folder.glob(f"{name}-*.gguf"))


def test_a_split_gguf_is_one_model(folder):
    parts, out, ref = split(folder, "s", 20), folder / "out.gguf", folder / "ref.gguf"
    assert len(parts) == 3
    before = {p: digest(p) for p in parts}
    extend(parts[0], out, "--no-measure")
    extend(GGUF, ref, "--no-measure")
    assert {p: digest(p) for p in parts} == before, "the input changed"
    proofs = [json.loads(p.with_suffix(".receipt.json").read_text())["manifest"] for p in (out, ref)]
    assert proofs[0]["proof"]["tensors_sha256"] == proofs[1]["proof"]["tensors_sha256"]
    assert {f["name"]: f["sha256"] for f in proofs[0]["input"]["files"]} == \
        {p.name: before[p] for p in parts}
    expect(run("compare", out, ref), 0)
    receipt = out.with_suffix(".receipt.json")
    expect(run("verify", receipt), 0)
    with open(parts[2], "r+b") as part:
        part.seek(5000)
        part.write(b"x")
    changed = run("verify", receipt, "--input", parts[0])
    assert changed.code == 1 and parts[2].name in changed.out, changed.out
    parts[1].unlink()
    expect(run("inspect", parts[0]), 0)
    expect(run("extend", parts[0], "--context", "2048", "-o", folder / "no.gguf", "--no-measure"), 3,
           "gguf.split")
    assert not list(folder.glob("no.*"))


if __name__ == "__main__":
    main(globals())
