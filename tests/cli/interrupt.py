"""Long runs: what a stopped measurement leaves, and how it goes on."""
import json
import signal
import subprocess
import time

import common
from common import DATA, PROGRAM, TINY, environment, expect, main, run

MEASURE = ["measure", TINY, "--data", DATA, "--method", "yarn", "--context", "2048", "--lengths",
           "512,2048", "--documents", "4", "--trials", "2", "--json", "--no-timing"]


def stopped(arguments, how, ready, err=subprocess.PIPE):
    """Sends the signal once `ready` is true; the result, and whether it was still running. `err`: a
    file for what it says, which `ready` may look at."""
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
                               stderr=err, env=environment())
    deadline = time.monotonic() + 120
    while process.poll() is None and not ready() and time.monotonic() < deadline:
        time.sleep(0.01)
    running = process.poll() is None
    if running:
        process.send_signal(how)
    out, err = process.communicate(timeout=120)
    done = subprocess.CompletedProcess([], process.returncode, out, err or b"")
    return common.Result(done), running


def lines(path, more):
    """`more` lines beyond those that are there: a program that writes listens to signals already."""
    def count():
        return path.read_bytes().count(b"\n") if path.exists() else 0
    least = count() + more
    return lambda: count() >= least


def whole():
    return expect(run(*MEASURE), 0).out


def test_goes_on_after_interrupt_and_kill(folder):
    state = folder / "state"
    arguments = [*MEASURE, "--state", state]
    expected = whole()
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, 130)):
        result, running = stopped(arguments, how, lines(state, 3))
        assert running, "it was over before it could be stopped"
        expect(result, code)
        if code != 130:
            continue
        assert "measure.interrupted" in result.err and str(state) in result.err, result.err
        got = result.json
        assert got["interrupted"] is True
        found = [d for d in got["diagnostics"] if d["code"] == "measure.interrupted"]
        assert len(found) == 1 and found[0]["changes_numbers"], got["diagnostics"]
    before = state.read_bytes().count(b"\n")
    assert before >= 9
    result = expect(run(*arguments), 0)
    assert result.out == expected, "going on ends in other bytes"
    assert f"{before - 1} reads" in result.err or f"{before - 2} reads" in result.err, result.err
    assert expect(run(*arguments), 0).out == expected, "once finished, it is read back"


def test_without_a_state_it_says_how(folder):
    begun = time.monotonic()
    result, running = stopped(MEASURE, signal.SIGINT, lambda: time.monotonic() - begun > 0.4)
    if running and result.out:
        expect(result, 130, "--state", "measure.interrupted")
        assert result.json["interrupted"] is True


def test_terminal_shows_what_there_is(folder):
    state = folder / "state"
    arguments = [a for a in MEASURE if a != "--json"] + ["--state", state]
    result, running = stopped(arguments, signal.SIGINT, lines(state, 3))
    assert running
    expect(result, 130, "measure.interrupted")
    assert "Perplexity by length" in result.out and "measure.interrupted" in result.out, result.out


def test_another_measurement_is_refused(folder):
    state = folder / "state"
    small = [a if a != "4" else "1" for a in MEASURE] + ["--tasks", "perplexity", "--state", state]
    expect(run(*small), 0)
    content = state.read_bytes()
    for change, name in ((["--seed", "5"], "seed"), (["--depths", "0.5"], "depths"),
                         (["--beta-fast", "16"], "rotation"), (["--stride", "64"], "stride")):
        expect(run(*small, *change), 4, "state.differs", f'"{name}"')
    expect(run(*small, env=environment(RW_CPU="generic")), 4, "state.differs", '"cpu_level"')
    other = common.copy_model(folder)
    config = json.loads((other / "config.json").read_text())
    config["rms_norm_eps"] = 2e-5
    (other / "config.json").write_text(json.dumps(config))
    expect(run(small[0], other, *small[2:]), 4, "state.differs", '"model"')
    assert state.read_bytes() == content, "a refusal must not touch the file"
    data = folder / "data.jsonl"
    data.write_bytes(DATA.read_bytes())
    expect(run(*small[:-1], data), 3, "state.foreign")
    assert data.read_bytes() == DATA.read_bytes(), "a foreign file must not be touched"


def test_extend_leaves_nothing(folder):
    begun = time.monotonic()
    arguments = ["extend", TINY, "--context", "2048", "-o", folder / "out", "--data", DATA,
                 "--documents", "8", "--json"]
    result, running = stopped(arguments, signal.SIGINT, lambda: time.monotonic() - begun > 1)
    assert running
    expect(result, 130)
    assert result.out == ""
    common.nothing_left(folder)


def test_progress_shows_rate_rest_and_memory(folder):
    """The lines of a run that is not on a terminal come every five seconds."""
    arguments = [a if a != "2" else "400" for a in MEASURE] + ["--threads", "1"]
    said = folder / "said"

    def shown():
        return [line for line in said.read_text().splitlines()
                if " tokens (" in line and "/s" in line]

    with open(said, "wb") as err:
        _, running = stopped(arguments, signal.SIGINT, shown, err)
    assert running
    seen = shown()
    assert seen, said.read_text()
    for word in ("tokens/s", " left", "B resident"):
        assert word in seen[-1], seen[-1]


main(globals())
