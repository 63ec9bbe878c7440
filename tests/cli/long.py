"""A long sequence that is stopped in its middle goes on there, in the same bytes; and what becomes of
the file that makes it possible changes no result."""
import json
import resource
import signal
import subprocess
import time

import common
from common import PROGRAM, SANITIZED, TINY, Skip, environment, expect, main, run

LENGTH = 8192  # with a limit below it; by default a sequence is long from 16384 on


def measure(folder, length, *more):
    if SANITIZED:
        raise Skip("takes minutes under a sanitizer, where test_measure_journal and test_model_saved "
                   "do the same on less")
    path = folder / f"tokens{length}.jsonl"
    if not path.exists():
        tokens = [(i * 7919 + i // 13 * 31 + 5) % 4000 for i in range(length + 1)]
        path.write_text(json.dumps({"tokens": tokens}) + "\n")
    return ["measure", TINY, "--data", path, "--documents", 1, "--lengths", length, "--tasks",
            "perplexity", "--method", "yarn", "--original-context", 512, "--json", "--no-timing",
            *more]


def parts(state):
    """How many parts of the cache the journal tells of."""
    return state.read_bytes().count(b'"kept":{') if state.exists() else 0


def stop(arguments, state, how, least):
    """Runs until so many parts are kept, then stops it."""
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    deadline = time.monotonic() + 200
    while process.poll() is None and parts(state) < least and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None, "it was over before it could be stopped"
    process.send_signal(how)
    out, err = process.communicate(timeout=120)
    return common.Result(subprocess.CompletedProcess([], process.returncode, out, err))


def test_goes_on_in_the_middle(folder):
    state, cache = folder / "state", folder / "state.cache"
    arguments = measure(folder, LENGTH, "--kv-type", "q8_0")
    expected = expect(run(*arguments), 0).out
    arguments += ["--state", state, "--keep-from", LENGTH]
    signals = ((signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, 130))
    for i, (how, code) in enumerate(signals):
        result = expect(stop(arguments, state, how, i + 1), code)
        known = f"the rows of {2048 * i} positions are kept"
        assert (known in result.err) == (i > 0), result.err
        assert cache.stat().st_size > (i + 1) * 2048 * 6 * 2 * 136
        if code == 130:
            assert result.json["interrupted"] is True
    rows = cache.read_bytes()
    result = expect(run(*arguments), 0, "the rows of 6144 positions are kept")
    assert result.out == expected, "going on ends in other bytes"
    assert not cache.exists(), "the rows are of no use any more"
    cache.write_bytes(rows)  # as a kill after the last read leaves it
    assert expect(run(*arguments), 0).out == expected, "once finished, it is read back"
    assert not cache.exists()


def test_a_changed_file_is_read_again(folder):
    state, cache = folder / "state", folder / "state.cache"
    arguments = measure(folder, LENGTH, "--kv-type", "f16")
    expected = expect(run(*arguments), 0).out
    arguments += ["--state", state, "--keep-from", LENGTH]
    expect(stop(arguments, state, signal.SIGTERM, 2), 130)
    rows = bytearray(cache.read_bytes())
    rows[len(rows) * 3 // 4] ^= 1 << 5
    cache.write_bytes(rows)
    result = expect(run(*arguments), 0, "are damaged or missing; they are read again")
    assert result.out == expected
    assert not cache.exists()


def test_a_file_of_something_else_is_left_alone(folder):
    state, cache = folder / "state", folder / "state.cache"
    cache.write_text("my only copy of something\n")
    arguments = measure(folder, 4096)
    expected = expect(run(*arguments), 0).out
    result = expect(run(*arguments, "--state", state, "--keep-from", 4096), 0,
                    "warning", "file of something else")
    assert result.out == expected
    assert cache.read_text() == "my only copy of something\n"


def test_a_full_disk_is_said_and_survived(folder):
    """A limit on the size of files stands for the disk; the journal fits."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    state, cache = folder / "state", folder / "state.cache"
    arguments = measure(folder, 4096)
    expected = expect(run(*arguments), 0).out
    result = expect(run(*arguments, "--state", state, "--keep-from", 4096, preexec_fn=limit,
                        restore_signals=False), 0, "warning", "may not grow")
    assert result.err.count("goes on without it") == 1, result.err
    assert result.out == expected
    assert not cache.exists(), "what there is of it only takes room"


main(globals())
