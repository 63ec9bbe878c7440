"""inspect and extend on the config of every family, against what was written down by hand
(tests/data/families/expected.json) and what transformers itself resolved (golden_transformers_*)."""
import json
import math

from common import SOURCE, expect, main, run

FAMILIES = SOURCE / "tests" / "data" / "families"
EXPECTED = json.loads((FAMILIES / "expected.json").read_text())["fixtures"]
GOLDEN = {"transformers5": "5.17.0", "transformers4": "4.57.6", "transformers4-early": "4.49.0"}
POSITIONS = {"alibi": "ALiBi", "learned": "learned", "relative": "relative"}
WINDOWS = ("max_position_embeddings", "original_max_position_embeddings")
BLOCKS = ("rope_scaling", "rope_parameters", "rope_theta", "rotary_emb_base")


def inspect(name, *more):
    return expect(run("inspect", FAMILIES / f"{name}.json", "--json", *more), 0).json


def near(found, wanted, relative=1e-9):
    return wanted is not None and found is not None and abs(found - wanted) <= relative * abs(wanted)


def full(groups):
    """The rotation of the layers that see everything."""
    return next((g for g in groups if g["layers"] != "sliding_attention"), None)


def of_layers(groups, layers):
    return next(g for g in groups if g["layers"] in (layers, "all"))


# ---- what was written down ---------------------------------------------------------------------

def check_rotation(group, said):
    if "ramp" in said:
        found = [group["ramp_low"], group["ramp_high"]]
        assert all(near(f, w) for f, w in zip(found, said["ramp"])), (found, said["ramp"])
    for key in ("attention_factor", "logit_scale", "theta", "factor", "rotary_dim"):
        if key in said:
            # what went through a GGUF is float32
            assert near(group[key], said[key], 2e-7), (key, group[key], said[key])
    if "origin" in said:
        assert group["original_context"] == said["origin"]
    if "inv_freq" in said:
        assert all(near(f, w, 4e-7) for f, w in zip(group["inv_freq"], said["inv_freq"]))
    if "base" in said:
        base = group["inv_freq"][1] ** (-group["rotary_dim"] / 2)
        assert near(base, said["base"], 1e-6), (base, said["base"])


def check_home(facts, said):
    home = full(facts["rope"])
    assert home["path"].startswith(said["language_config"])
    assert any(home["path"].startswith(at) or at.startswith(home["path"])
               for at in said["rope_at"]) or not said["rope_at"], home["path"]
    check_rotation(home, said)
    if "interleaved" in said:
        assert home["pairing"] == "interleaved"
    for layers, dim in said.get("head_dims", {}).items():
        assert of_layers(facts["rope"], layers)["head_dim"] == dim
    for layers, count in said.get("pairs", {}).items():
        assert len(of_layers(facts["rope"], layers)["inv_freq"]) == count
    for layers, count in said.get("rotated_pairs", {}).items():
        assert sum(w != 0 for w in of_layers(facts["rope"], layers)["inv_freq"]) == count
    if "mrope" in said:
        assert home["mrope"] == said["mrope"], home["mrope"]


def check_reader(name, facts, differs):
    reader = differs["reader"]
    if reader not in facts["readers"]:
        return  # ollama: a converter, no reader of ours
    if "length" in differs:
        facts = inspect(name, "--length", differs["length"])
    groups = facts["readers"][reader]
    if isinstance(groups, list):
        check_rotation(full(groups), differs)
    if "vllm_max_model_len" in differs:
        assert full(groups)["effective_window"] == differs["vllm_max_model_len"]
    if "switch_at" in differs:
        assert full(groups)["effective_window"] == differs["switch_at"]
    if "worst_pair" in differs:
        parted = [d for d in facts["differences"]
                  if d["a"] == "transformers5" and d["b"] == reader]
        assert parted and parted[0]["pair"] == differs["worst_pair"]["pair"], parted
        assert near(parted[0]["relative"], differs["worst_pair"]["relative"], 1e-6), parted


def check_companions(facts, said):
    assert facts["draft"] == said.get("is_draft", False)
    assert [(c["kind"], c["layers"], c["rotation"]) for c in facts["companions"]] == \
        [(c["kind"], c["layers"], c["rotation"]) for c in said["companions"]]


def check_family(name, said):
    facts = inspect(name)
    for key in ("native", "advertised", "ramp_origin"):
        assert facts["context"][key] == said["context"][key], (key, facts["context"])
    if facts["rope"]:
        check_home(facts, said)
    if "vllm_max_model_len" in said:
        assert full(facts["readers"]["vllm"])["effective_window"] == said["vllm_max_model_len"]
    for differs in said.get("differs", ()):
        check_reader(name, facts, differs)
    check_companions(facts, said)


def every_family(check):
    wrong = []
    for name, said in EXPECTED.items():
        try:
            check(name, said)
        except (AssertionError, KeyError, TypeError, StopIteration) as error:
            wrong.append(f"{name}: {type(error).__name__} {error}")
    assert not wrong, "\n".join(wrong)


def test_inspect_says_what_was_written_down(folder):
    every_family(lambda name, said: None if "refused" in said else check_family(name, said))


def test_no_rotation_is_refused_with_the_reason(folder):
    refused = {n: s["refused"]["positions"] for n, s in EXPECTED.items() if "refused" in s}
    assert len(refused) >= 4
    for name, positions in refused.items():
        for verb in (("inspect",), ("plan", "--context", "65536")):
            result = run(verb[0], FAMILIES / f"{name}.json", *verb[1:])
            expect(result, 3, "dialect.no_rope", POSITIONS[positions])


# ---- what transformers resolved ----------------------------------------------------------------

def resolved(groups, row):
    """Is this rotary module of theirs, in float32, one of our rotations?"""
    for group in groups:
        same_kind = not row["layer_type"] or group["layers"] in ("all", row["layer_type"])
        if same_kind and len(group["inv_freq"]) == len(row["inv_freq"]) and \
                abs(group["attention_factor"] - row["attention_scaling"]) <= 1e-6 and \
                all(abs(w - v) <= 4e-6 * abs(v) for w, v in zip(group["inv_freq"],
                                                                row["inv_freq"])):
            return True
    return False


def test_inspect_agrees_with_transformers(folder):
    golden = {reader: json.loads((FAMILIES / f"golden_transformers_{version}.json").read_text())
              for reader, version in GOLDEN.items()}
    compared = 0
    for name in EXPECTED:
        rows = {reader: [r for r in said["fixtures"][name].get("rotary") or () if "inv_freq" in r]
                for reader, said in golden.items()}
        if not any(rows.values()):
            continue
        readers = inspect(name, "--length", "1")["readers"]  # as constructed
        for reader, modules in rows.items():
            for row in modules:
                assert resolved(readers[reader], row), (name, reader, row["module"])
                compared += 1
    assert compared >= 70, compared


PARAMETERS = SOURCE / "tests" / "data" / "golden_parameters.json"
# Of these transformers has a count and ropewalk says that it does not know one.
UNCOUNTED = {"arcee", "apertus", "ernie4_5_moe", "falcon", "gemma3n_text", "jetmoe", "laguna", "lfm2",
             "longcat_flash", "persimmon", "qwen3_next"}


def test_parameters_are_those_of_transformers_or_unknown(folder):
    wrong, known = [], 0
    for number, model in enumerate(json.loads(PARAMETERS.read_text())["models"]):
        config, path = model["config"], folder / f"{number}.json"
        path.write_text(json.dumps(config))
        method = "linear" if config["model_type"].startswith("gemma4") else "yarn"
        window = config.get("max_position_embeddings") or 4096
        plan = expect(run("plan", path, "--context", min(2 * window, 1 << 24), "--method", method,
                          "--replace", "--force", "--original-context", 2048, "--json"), 0).json
        found = plan["memory"]["model"]["parameters"]
        said = any(d["code"] == "plan.size_unknown" for d in plan["diagnostics"])
        odd = config["model_type"] == "gemma4_text" and (
            config["hidden_size_per_layer_input"] or config["enable_moe_block"])
        if (found is None) != (config["model_type"] in UNCOUNTED or bool(odd)) or \
                said != (found is None):
            wrong.append(f"{number} {config['model_type']}: {found}, said {said}")
        elif found is not None and abs(found / model["parameters"] - 1) > 2e-3:
            wrong.append(f"{number} {config['model_type']}: {found} for {model['parameters']}")
        known += found is not None
    assert not wrong and known >= 60, (known, "\n".join(wrong))


def test_heads_a_layer_are_heads_of_the_global_layers(folder):
    """Gemma 4 as transformers 5.23 saves it: per_layer_config instead of global_head_dim."""
    config = json.loads((FAMILIES / "gemma4_31b.json").read_text())
    text = config["text_config"]
    own = {"head_dim": text.pop("global_head_dim"),
           "num_key_value_heads": text.pop("num_global_key_value_heads")}
    text["per_layer_config"] = {str(i): own for i, kind in enumerate(text["layer_types"])
                                if kind == "full_attention"}
    (folder / "config.json").write_text(json.dumps(config))
    more = ("--context", "524288", "--method", "linear", "--json")
    plans = [expect(run("plan", path, *more), 0).json for path in
             (folder / "config.json", FAMILIES / "gemma4_31b.json")]
    assert plans[0]["rope"] == plans[1]["rope"]
    assert plans[0]["memory"]["model"] == plans[1]["memory"]["model"]


# ---- what a patch leaves alone -----------------------------------------------------------------

def members(text, at=0):
    """{key: (begin of the key, end of the value, members)} of the object that begins at `at`."""
    decoder, found = json.JSONDecoder(), {}
    at += 1
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "}":
            return found
        begin = at
        key, at = decoder.raw_decode(text, at)
        while text[at] in " \t\r\n:":
            at += 1
        inner = members(text, at) if text[at] == "{" else None
        _, at = decoder.raw_decode(text, at)
        found[key] = (begin, at, inner)


def meant(tree, path):
    """Ranges of the members that a patch means, in the language part and at the root. (head_dim: where
    the class leaves it null, transformers multiplies by it and fails.)"""
    ranges = []
    language = tree
    for key in path.split(".") if path else ():
        language = language[key][2]
    for level in {id(tree): tree, id(language): language}.values():
        for key in BLOCKS + WINDOWS + ("head_dim",):
            if key not in level:
                continue
            inner = level[key][2]
            if inner and "full_attention" in inner:
                ranges.append(inner["full_attention"][:2])  # sliding layers stay
            else:
                ranges.append(level[key][:2])
    return ranges


def rest(text, path):
    """The text without the members that are meant and the comma and blanks before them."""
    for begin, end in sorted(meant(members(text, text.index("{")), path), reverse=True):
        while text[begin - 1] in " \t\r\n":
            begin -= 1
        if text[begin - 1] == ",":
            begin -= 1
        text = text[:begin] + text[end:]
    return text


def at(tree, path):
    for key in path.split("."):
        tree = tree[key]
    return tree


def patch(folder, name, said):
    model, out = folder / name, folder / f"{name}-long"
    model.mkdir()
    (model / "config.json").write_bytes((FAMILIES / f"{name}.json").read_bytes())
    (model / "preprocessor_config.json").write_text('{"rope_theta": 1}')
    more = ["--replace"]
    if name.startswith("gemma4"):
        more += ["--method", "linear"]  # the only one that a proportional rotation bears
    if any(key.endswith(".truncate") for key in said.get("survives", ())):
        more = ["--compound"]  # a parameter of the method stays with the method only
    expect(run("extend", model, "--context", 2 * said["context"]["native"], "-o", out,
               "--no-measure", *more), 0)
    return model, out


def check_patch(folder, name, said):
    model, out = patch(folder, name, said)
    before = (model / "config.json").read_text()
    after = (out / "config.json").read_text()
    assert before != after
    path = said["language_config"]
    assert rest(before, path) == rest(after, path), "bytes outside the block changed"
    old, new = json.loads(before), json.loads(after)
    assert name == "mistral_7b_v03" or old.get("head_dim") == new.get("head_dim")
    for part in said.get("untouched", ()):
        assert at(old, part) == at(new, part), part
    for key in said.get("survives", ()):
        assert at(old, key) == at(new, key), key
    assert (out / "preprocessor_config.json").read_text() == '{"rope_theta": 1}'
    facts = expect(run("inspect", out, "--json"), 0).json
    assert facts["context"]["advertised"] == 2 * said["context"]["native"]
    group = full(facts["rope"])
    if "mrope" in said:
        assert group["mrope"] == said["mrope"]
    if "rotary_dim" in said:
        assert group["rotary_dim"] == said["rotary_dim"]
    if "patched_layer_types" in said:
        mine = of_layers(inspect(name)["readers"]["vllm"], "sliding_attention")
        other = of_layers(facts["readers"]["vllm"], "sliding_attention")
        assert mine["inv_freq"] == other["inv_freq"]


def test_a_patch_changes_the_block_and_nothing_else(folder):
    every_family(lambda name, said: None if "refused" in said else check_patch(folder, name, said))


def test_layers_all(folder):
    """The switch scales sliding layers where they have a block, refuses where they have none."""
    config = FAMILIES / "gemma3_12b_v5.json"
    more = ("--context", "262144", "--replace", "--target", "transformers5", "--json")
    plan = expect(run("plan", config, *more, "--layers", "all"), 0).json
    sliding, usual = (of_layers(p["rope"], "sliding_attention") for p in
                      (plan, expect(run("plan", config, *more), 0).json))
    assert sliding["factor"] == 2 and usual["factor"] == 1
    out = folder / "out"
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_bytes(config.read_bytes())
    expect(run("extend", model, *more, "--layers", "all", "-o", out, "--no-measure"), 0)
    blocks = json.loads((out / "config.json").read_text())["text_config"]["rope_parameters"]
    assert blocks["sliding_attention"]["factor"] == 2
    assert blocks["sliding_attention"]["rope_theta"] == 10000
    receipt = json.loads((out / "receipt.json").read_text())
    assert receipt["manifest"]["request"]["layers"] == "all"
    expect(run("verify", out / "receipt.json"), 0)
    flat = run("plan", FAMILIES / "gemma3_12b_v4.json", *more, "--layers", "all")
    expect(flat, 4, "plan.not_expressible")
    expect(run("plan", config, *more, "--layers", "some"), 2, "--layers")


def test_the_old_name_of_target(folder):
    model = FAMILIES / "llama2_7b.json"
    for flag in ("--target", "--targets"):
        facts = expect(run("plan", model, "--context", "8192", flag, "vllm,sglang", "--json"), 0)
        assert [k for k, v in facts.json["targets"].items() if v["target"]] == ["vllm", "sglang"]
    expect(run("plan", model, "--context", "8192", "--target", "vllm", "--targets", "vllm"), 2,
           "more than once")
    assert "--targets" not in run("plan", "--help").out


main(globals())
