"""What `plan` says a run takes is what the process takes: its anonymous memory (RssAnon of
/proc/self/status) within 5 % at 8192 and 32768 tokens, for every type of cache, file pages apart.
Contexts that cannot fit are refused before anything is allocated, with the largest that does.

RW_MEMORY_MODEL=PATH adds a larger model (minutes); RW_MEMORY_LENGTHS=8192,32768 chooses lengths, and
the time that one run may take grows with their square. Every run is a row of the table that is printed.
"""
import json
import os
import pathlib

from common import DATA, SANITIZED, TIMEOUT, TINY, Skip, expect, main, run

SHARE = 0.05


def tokens_file(folder, count, vocabulary=4000):
    """One document of `count` + 1 tokens: their order does not matter for memory."""
    path = folder / f"tokens{count}.jsonl"
    tokens = [(i * 7919 + i // 13 * 31 + 5) % vocabulary for i in range(count + 1)]
    path.write_text(json.dumps({"tokens": tokens}) + "\n")
    return path


def planned(model, context, kv_type):
    result = expect(run("plan", model, "--context", context, "--kv-type", kv_type, "--force",
                        "--json"), 0)
    return result.json["memory"]


def taken(folder, model, length, kv_type, *more):
    result = expect(run("measure", model, "--lengths", length, "--tasks", "perplexity",
                        "--data", tokens_file(folder, length), "--documents", 1, "--kv-type",
                        kv_type, "--json", *more,
                        timeout=TIMEOUT * max(1, length / 4096) ** 2), 0)
    return result.json["engine"]


def head():
    print(f"         {'model':32} {'tokens':>7} {'KV':5} {'anonymous':>12} {'planned':>12} {'ratio':>6} "
          f"{'mapped':>12}")


def check(folder, model, length, kv_type, *more):
    engine = taken(folder, model, length, kv_type, *more)
    memory, plan = engine["memory"], planned(model, length, kv_type)
    ratio = memory["anonymous"] / plan["total"]
    print(f"         {pathlib.Path(model).name[:32]:32} {length:7} {kv_type:5} {memory['anonymous']:12} "
          f"{plan['total']:12} {ratio:6.3f} {memory['mapped']:12}", flush=True)
    assert engine["kv_type"] == kv_type
    assert memory["tokens"] == length
    assert memory["planned"] == plan["total"], (memory, plan)
    assert abs(ratio - 1) <= SHARE, (ratio, memory, plan)
    assert memory["mapped"] >= plan["mapped"], memory


def test_plan_is_what_it_takes(folder):
    if SANITIZED:
        raise Skip("a sanitizer's own memory is in the way")
    head()
    for kv_type in ("f32", "f16", "bf16", "q8_0"):
        check(folder, TINY, 8192, kv_type)
    check(folder, TINY, 8192, "q8_0", "--state", folder / "state", "--keep-from", 4096)
    assert not (folder / "state.cache").exists()


def test_larger_model(folder):
    model = os.environ.get("RW_MEMORY_MODEL")
    if not model:
        raise Skip("RW_MEMORY_MODEL names no model")
    head()
    for length in os.environ.get("RW_MEMORY_LENGTHS", "8192").split(","):
        for kv_type in ("f16", "q8_0"):
            check(folder, model, int(length), kv_type, "--arithmetic", "int8")


def test_no_timing_is_repeatable(folder):
    first, second = (run("measure", TINY, "--lengths", 64, "--tasks", "perplexity", "--documents",
                         1, "--data", tokens_file(folder, 64), "--no-timing", "--json")
                     for _ in range(2))
    assert expect(first, 0).out == second.out
    assert "memory" not in first.json["engine"]


def test_beyond_memory(folder):
    plan = planned(TINY, 1 << 24, "f32")
    assert plan["fits"] == (plan["total"] <= plan["machine"]) == (plan["largest_context"] >= 1 << 24)
    result = run("generate", TINY, "--prompt", "a", "--tokens", 2_000_000_000, "--kv-type", "f32")
    expect(result, 5, "model.memory", "2000000001 tokens", "tokens fit")
    assert result.out == ""


def test_names(folder):
    for flag, value in (("--kv-type", "q4_0"), ("--arithmetic", "f16")):
        for verb in (("generate", TINY, "--prompt", "a"), ("measure", TINY, "--data", DATA)):
            expect(run(*verb, flag, value), 2, flag, value)
    expect(run("plan", TINY, "--context", "2k", "--kv-type", "f8"), 2, "--kv-type", "f8")


main(globals())
