"""What people see on a terminal: nothing wider than it is, and streamed text that ends its line."""
import fcntl
import os
import pty
import struct
import termios

from common import PROGRAM, SOURCE, TINY, environment, expect, main, run

FAMILIES = SOURCE / "tests" / "data" / "families"
WIDTHS = (40, 64)


def too_wide(text, width):
    """Lines beyond the width, but for a word that no line could hold (a path, a hash)."""
    return [line for line in text.splitlines() if len(line) > width and " " in line.strip()]


def narrow(width, *arguments, code=0):
    result = expect(run(*arguments, env=environment(COLUMNS=str(width), TERM="dumb")), code)
    for text in (result.out, result.err):
        assert not too_wide(text, width), (width, arguments, too_wide(text, width))
        assert "\x1b" not in text
    return result


def test_pages_fit(folder):
    names = ("llama3_1_8b", "gemma3_12b_v4", "deepseek_v3", "qwen2_5_omni_7b", "phi4_mini")
    for width in WIDTHS:
        for name in names:
            narrow(width, "inspect", FAMILIES / f"{name}.json")
        narrow(width, "plan", FAMILIES / "qwen3_0_6b.json", "--context", "128k")
        narrow(width, "plan", FAMILIES / "llama3_1_8b.json", "--context", "512k", code=4)
        narrow(width, "compare", FAMILIES / "llama3_1_8b.json", FAMILIES / "gemma3_12b_v4.json",
               code=1)
        out = folder / f"out-{width}"
        narrow(width, "extend", TINY, "--context", "1k", "-o", out, "--no-measure")
        narrow(width, "verify", out / "receipt.json")
        narrow(width, "extend", TINY, "--context", "512", "-o", folder / "none", "--no-measure")


def test_words_stay_whole(folder):
    wide = expect(run("inspect", FAMILIES / "deepseek_v3.json", env=environment()), 0)
    slim = narrow(40, "inspect", FAMILIES / "deepseek_v3.json")
    below = wide.out.split("What each runtime resolves")
    assert " ".join(below[0].split()[:20]) == " ".join(slim.out.split()[:20])


def on_terminal(width, *arguments):
    """stdout and stderr on one terminal, as text."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(PROGRAM, [PROGRAM, *map(str, arguments)], environment(TERM="dumb"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    return seen.decode().replace("\r\n", "\n")


def test_generated_text_ends_its_line(folder):
    arguments = ("generate", TINY, "--prompt", "The kernel", "--tokens", "8")
    text = on_terminal(100, *arguments)
    lines = text.splitlines()
    assert sum(line.startswith("ropewalk: read ") for line in lines) == 1, text
    assert "\n\n" not in text.rstrip("\n") and text.endswith("\n"), repr(text)
    piped = expect(run(*arguments), 0)
    assert piped.out.endswith("\n") and piped.out.rstrip("\n") in text
    assert "ropewalk" not in piped.out


if __name__ == "__main__":
    main(globals())
