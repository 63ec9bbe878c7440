"""What the tests of the program share: running it, scratch folders, and a tally.

Every test file is run as  FILE.py PROGRAM SOURCE_DIR.  A function whose name begins with test_ is a
test and gets a fresh scratch folder; Skip tells why it can't run here. A run of the program may take
RW_TEST_TIMEOUT seconds (280).
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

PROGRAM = os.path.abspath(sys.argv[1])
SOURCE = pathlib.Path(sys.argv[2]).resolve()
TINY = SOURCE / "models" / "tiny"
DATA = TINY / "heldout.jsonl"
SANITIZED = any(name in pathlib.Path(PROGRAM).read_bytes() for name in (b"__asan_init",
                                                                        b"__tsan_init"))
TIMEOUT = float(os.environ.get("RW_TEST_TIMEOUT", 280))


class Skip(Exception):
    pass


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = (done.stdout or b"").decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k not in ("RW_CPU", "NO_COLOR")}
    env.update(changes)
    return env


def run(*arguments, env=None, **options):
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("timeout", TIMEOUT)
    return Result(subprocess.run([PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE,
                                 env=env or environment(), **options))


def expect(result, code, *in_err):
    """The exit status, and what the message must name."""
    assert result.code == code, f"exit {result.code}, not {code}\n{result.out}\n{result.err}"
    for text in in_err:
        assert text in result.err, f"stderr lacks {text!r}:\n{result.err}"
    return result


def nothing_left(folder, *allowed):
    left = sorted(set(os.listdir(folder)) - set(allowed))
    assert not left, f"left behind: {left}"


def copy_model(folder, name="model", weights=True):
    """A small copy of the embedded model, to be spoiled."""
    target = pathlib.Path(folder) / name
    target.mkdir()
    for file in ("config.json", "tokenizer.json") + (("model.safetensors",) if weights else ()):
        shutil.copyfile(TINY / file, target / file)
    return target


def main(scope):
    failed = skipped = 0
    tests = [(n, f) for n, f in scope.items() if n.startswith("test_")]
    for name, test in tests:
        with tempfile.TemporaryDirectory(prefix="ropewalk-test-") as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok       {name}")
            except Skip as why:
                skipped += 1
                print(f"skipped  {name}: {why}")
            except Exception:
                failed += 1
                print(f"FAILED   {name}")
                traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    print(f"{len(tests) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 77 if skipped == len(tests) else 0)
