"""inspect on a block spelled in every way, against what transformers resolved or whether it fails
(tests/data/golden_spellings.json, by tools/golden_spellings.py)."""
import json
import sys

from common import SOURCE, expect, main, run

sys.path.insert(0, str(SOURCE / "tools"))
import golden_spellings as spellings  # noqa: E402

GOLDEN = dict(zip(("transformers5", "transformers4"), json.loads(
    (SOURCE / "tests" / "data" / "golden_spellings.json").read_text())))
# What is known to differ, and why.
FLAT = "the reader is 5.17's, which fails here; 5.23 does not"
KNOWN = {("transformers5", f"olmo3: {v}"): FLAT for v in (
    "new", "new without theta", "new theta at the top", "new two thetas", "new default",
    "new theta only", "new linear", "new and null")}


def same(group, row):
    kind, pairs, second, middle, last, amplitude = row
    w = group["inv_freq"]
    return (not kind or group["layers"] in ("all", kind)) and len(w) == pairs and \
        abs(group["attention_factor"] - amplitude) <= 2e-6 and \
        all(abs(a - b) <= 4e-6 * abs(b) for a, b in
            ((w[1], second), (w[pairs // 2], middle), (w[-1], last)))


def judge(reader, name, groups):
    said = GOLDEN[reader]["tables"][name]
    one_table = not name.startswith(("gemma3", "olmo3"))
    if (reader, name) in KNOWN or (one_table and name.endswith("by layer type")):
        return None  # the latter: they drop the scaling without a word, and that is no reading
    if said == "fails" or not isinstance(groups, list):
        # a config that they fail on may be read by us as what its words mean; not the reverse
        return None if said == "fails" else f"{reader}, {name}: unreadable"
    parted = [row for row in said if not any(same(group, row) for group in groups)]
    return f"{reader}, {name}: {parted[0]}" if parted else None


def test_every_spelling(folder):
    wrong, compared, refused = [], 0, 0
    for kind in spellings.TYPES:
        for variant in spellings.VARIANTS:
            name = f"{kind}: {variant}"
            path = folder / "config.json"
            path.write_text(json.dumps(spellings.config(kind, variant)))
            result = run("inspect", path, "--json", "--length", "1")
            readers = result.json["readers"] if result.code == 0 else {}
            for reader in GOLDEN:
                groups = readers.get(reader)
                wrong.append(judge(reader, name, groups))
                compared += isinstance(groups, list) and GOLDEN[reader]["tables"][name] != "fails"
                refused += not isinstance(groups, list)
    wrong = [w for w in wrong if w]
    assert not wrong, "\n".join(wrong)
    assert compared >= 1050 and refused >= 150, (compared, refused)


main(globals())
