"""Flags, help, version, streams: what a script relies on before any model is read."""
import os
import pathlib
import shutil
import subprocess

from common import DATA, PROGRAM, TINY, Skip, environment, expect, main, run


def refused(*arguments, naming):
    result = expect(run(*arguments), 2, naming)
    assert result.out == "", "a refusal writes nothing to stdout"
    assert result.err.count("\n") == 1, result.err


def test_version_and_help(folder):
    assert expect(run("--version"), 0).out.startswith("ropewalk 0.")
    top = expect(run("--help"), 0)
    verbs = [line.split()[0] for line in top.out.splitlines()
             if line.startswith("  ") and line[2].isalpha()]
    assert {"extend", "verify"} <= set(verbs), verbs
    for verb in verbs:
        text = expect(run(verb, "--help"), 0).out
        assert text.startswith(f"usage: ropewalk {verb}"), text
        assert f"example:\n  ropewalk {verb}" in text, text
        assert "--json" in text
        assert max(len(line) for line in text.splitlines()) <= 100
        assert not [line for line in text.splitlines() if line != line.rstrip()]
        assert expect(run("help", verb), 0).out == text


def test_no_verb(folder):
    result = expect(run(), 2, "usage: ropewalk")
    assert result.out == ""
    expect(run("frobnicate"), 2, "frobnicate", "cli.unknown_verb")


def test_unknown_and_repeated_flags(folder):
    refused("extend", TINY, "--contxt", "1k", "-o", "x", naming="--contxt")
    refused("extend", TINY, "-x", naming="-x")
    refused("extend", TINY, "--context", "1k", "--context", "2k", "-o", "x", naming="--context")
    refused("extend", TINY, "--context", "1k", "-o", "x", "--output", "y", naming="--output")
    refused("extend", TINY, "--force", "--force", naming="--force")


def test_missing(folder):
    refused("extend", TINY, "--context", naming="--context")
    refused("extend", TINY, "--context", "--json", naming="--context")
    refused("extend", TINY, "--context", "2k", naming="--output")
    refused("extend", TINY, "-o", "x", naming="--context")
    refused("extend", "--context", "2k", "-o", "x", naming="argument is missing")
    refused("extend", TINY, TINY, "--context", "2k", "-o", "x", naming="one too many")
    refused("extend", TINY, "--force=yes", naming="--force")
    refused("extend", "", "--context", "2k", "-o", "x", naming="empty")


def test_bad_numbers(folder):
    for value in ("", "x", "-1", "2.5", "1e3", "0x10", "32kk", "99999999999999999999",
                  "18446744073709551615k", "0", " 5"):
        refused("extend", TINY, "--context", value, "-o", "x", naming="--context")
    for value in ("x", "nan", "inf", "-1", "0", "1,5", "1e999"):
        refused("extend", TINY, "--context", "2k", "-o", "x", "--factor", value, naming="--factor")
    refused("extend", TINY, "--context", "2k", "-o", "x", "--truncate", "maybe",
            naming="--truncate")
    for value in ("5x", "m", "-3s", "0"):
        refused("extend", TINY, "--context", "2k", "-o", "x", "--budget", value, naming="--budget")
    for value in ("0,0.5,1.5", "a", ","):
        refused("extend", TINY, "--context", "2k", "-o", "x", "--depths", value, naming="--depths")
    refused("extend", TINY, "--context", "2k", "-o", "x", "--threads", "0", naming="--threads")


def test_lists_from_files(folder):
    refused("extend", TINY, "--context", "2k", "-o", "x", "--pair-factors", "@/nonexistent",
            naming="--pair-factors")
    factors = folder / "factors.txt"
    factors.write_text("[" + ",\n ".join(["1"] * 16 + ["4"] * 16) + "]\n")
    result = expect(run("extend", TINY, "--context", "2048", "-o", folder / "out", "--no-measure",
                        "--method", "per_pair", "--pair-factors", f"@{factors}", "--json"), 0)
    assert result.json["plan"]["method"] == "per_pair"


def test_bad_environment(folder):
    result = run("extend", TINY, "--context", "512", "-o", folder / "x",
                 env=environment(RW_CPU="pentium"))
    expect(result, 2, "RW_CPU", "pentium")
    for level in ("generic", "avx2", "avx512"):
        expect(run("extend", TINY, "--context", "512", "-o", folder / "x",
                   env=environment(RW_CPU=level)), 0)


def test_units(folder):
    a = run("extend", TINY, "--context", "2k", "-o", folder / "a", "--no-measure", "--json")
    assert expect(a, 0).json["plan"]["context"] == 2048
    b = run("extend", TINY, "--context=2048", f"-o{folder / 'b'}", "--no-measure", "--json")
    assert expect(b, 0).json["plan"]["context"] == 2048


def test_colour_only_on_terminals(folder):
    result = run("extend", TINY, "--context", "2k", "-o", folder / "a", "--no-measure",
                 env=environment(TERM="xterm"))
    assert "\033" not in expect(result, 0).out + result.err


def on_terminal(columns, env, *arguments):
    import fcntl
    import pty
    import struct
    import termios
    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=inside, stderr=inside,
                               env=env)
    os.close(inside)
    text = b""
    while True:
        try:
            piece = os.read(outside, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(outside)
    return process.wait(), text.decode()


def test_terminal(folder):
    arguments = ("extend", TINY, "--context", "2k", "--no-measure", "-o")
    code, text = on_terminal(60, environment(TERM="xterm"), *arguments, folder / "a")
    assert code == 0 and "\033[1m" in text, text
    code, text = on_terminal(60, environment(TERM="xterm", NO_COLOR="1"), *arguments, folder / "b")
    assert code == 0 and "\033[1m" not in text and "\033[3" not in text, text
    paragraphs = [line for line in text.splitlines() if line.startswith("    ")]
    assert paragraphs and max(map(len, paragraphs)) <= 60, paragraphs


def test_full_stdout(folder):
    with open("/dev/full", "wb") as full:
        result = run("extend", TINY, "--context", "512", "-o", folder / "x", stdout=full)
    expect(result, 5, "standard output", "No space left")


def test_closed_pipe(folder):
    reading, writing = os.pipe()
    os.close(reading)
    result = run("extend", TINY, "--context", "512", "-o", folder / "x", stdout=writing)
    os.close(writing)
    assert result.code == -13 and result.err == "", (result.code, result.err)


def test_default_data(folder):
    """Found beside an installed program and beside one in a build folder, else missed by name."""
    for place in ("share/ropewalk", "models/tiny", None):
        root = folder / str(place).replace("/", "-")
        (root / "bin").mkdir(parents=True)
        program = root / "bin" / "ropewalk"
        shutil.copyfile(PROGRAM, program)
        program.chmod(0o755)
        if place:
            (root / place).mkdir(parents=True)
            shutil.copyfile(DATA, root / place / "heldout.jsonl")
        line = [program, "extend", TINY, "--context", "600", "-o", root / "out", "--json",
                "--tasks", "perplexity", "--lengths", "64", "--documents", "1"]
        done = subprocess.run(list(map(str, line)), capture_output=True, env=environment())
        if place:
            assert done.returncode == 1, done.stderr.decode()
        else:
            assert done.returncode == 2 and b"--data" in done.stderr, done.stderr.decode()
            assert not (root / "out").exists()


if __name__ == "__main__":
    main(globals())
