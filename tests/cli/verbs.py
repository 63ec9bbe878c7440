"""Every verb once: JSON with its schema on stdout and nothing else, text for people, exit status."""
import json

from common import DATA, TINY, copy_model, expect, main, run

QUICK = ("--data", DATA, "--lengths", "64", "--documents", "1", "--trials", "1")


def both(verb, *arguments, code=0):
    """The JSON; and the text, which must not be JSON."""
    facts = expect(run(verb, *arguments, "--json"), code).json
    assert facts["schema"] == f"ropewalk.{verb}/1"
    text = expect(run(verb, *arguments), code).out
    assert text and not text.lstrip().startswith("{")
    return facts, text


def test_inspect(folder):
    facts, text = both("inspect", TINY)
    assert facts["context"]["native"] == 512 and "512" in text
    assert facts["rope"][0]["method"] == "none" and len(facts["rope"][0]["inv_freq"]) == 32
    assert facts["readers"]["llama.cpp"][0]["table_sha256"]
    both("inspect", TINY / "config.json")


def test_plan(folder):
    facts, text = both("plan", TINY, "--context", "2k")
    assert facts["method"] == "yarn" and facts["factor"] == 4 and "yarn" in text.lower()
    assert len(facts["bands"]) == 32 and facts["targets"]
    expect(run("plan", TINY, "--context", "256"), 4, "plan.shrink")
    expect(run("plan", TINY), 2, "--context")


def test_measure(folder):
    facts, text = both("measure", TINY, *QUICK)
    assert facts["perplexity"][0]["length"] == 64 and "Perplexity" in text
    assert facts["retrieval"][0]["task"] == "passkey"
    scaled, _ = both("measure", TINY, *QUICK, "--method", "yarn", "--context", "2k")
    assert scaled["perplexity"][0]["nll"] != facts["perplexity"][0]["nll"]
    assert scaled["rope"][0]["method"] == "yarn"


def test_measure_takes_lists_and_budgets(folder):
    facts = expect(run("measure", TINY, *QUICK, "--depths", "0.5", "--tasks", "passkey", "--budget",
                       "1m", "--json"), 0).json
    assert [r["depth"] for r in facts["retrieval"]] == [0.5]
    assert facts["perplexity"] == [] and facts["budget"]["seconds"] == 60


def test_generate(folder):
    arguments = ("--prompt", "The", "--tokens", "8")
    facts, text = both("generate", TINY, *arguments)
    assert len(facts["tokens"]) == 8 and facts["text"] in text
    again = expect(run("generate", TINY, *arguments, "--json"), 0).json
    assert again["tokens"] == facts["tokens"]


def test_compare(folder):
    other = copy_model(folder, weights=False)
    facts, text = both("compare", TINY, other)
    assert facts["alike"] is True and facts["differences"] == []
    config = json.loads((other / "config.json").read_text())
    config["rope_theta"] = 10001.0
    (other / "config.json").write_text(json.dumps(config))
    facts, _ = both("compare", TINY, other, code=1)
    assert facts["alike"] is False and facts["differences"]


def test_verify(folder):
    expect(run("extend", TINY, "--context", "1k", "-o", folder / "out", "--no-measure"), 0)
    facts, text = both("verify", folder / "out" / "receipt.json")
    assert facts["ok"] is True and "verified" in text


if __name__ == "__main__":
    main(globals())
