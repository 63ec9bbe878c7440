"""The report in a browser: Chromium opens it wide and narrow, light and dark."""
import base64
import json
import os
import pathlib
import shutil
import struct
import subprocess
import zlib

from common import DATA, TINY, Skip, expect, main, run


class Browser:
    """Chromium without a window, spoken to over its debugging pipe."""

    def __init__(self, folder):
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser",
                                                       "google-chrome", "chrome"))), None)
        if not program:
            raise Skip("there is no Chromium")
        to_child, self.to = os.pipe()
        self.back, from_child = os.pipe()
        # The pipe is descriptors 3 and 4 of the browser.
        line = f'exec "$0" "$@" 3<&{to_child} 4>&{from_child}'
        self.process = subprocess.Popen(
            ["sh", "-c", line, program, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--remote-debugging-pipe",
             f"--user-data-dir={folder}/profile", "about:blank"],
            pass_fds=(to_child, from_child), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_child), os.close(from_child)
        self.last, self.buffer, self.events, self.session = 0, b"", [], None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.back, 1 << 16)
            if not piece:
                raise Skip("Chromium does not start here")
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.last += 1
        request = {"id": self.last, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.last:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def wait(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.message())

    def open(self, path, width, dark=False):
        self.events = []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800,
                  deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Page.navigate", url=path.as_uri())
        self.wait("Page.loadEventFired")

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression,
                         returnByValue=True)["result"]["value"]

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png",
                                          captureBeyondViewport=True)["data"])

    def close(self):
        os.close(self.to), os.close(self.back)
        self.process.terminate()
        self.process.wait(timeout=30)


def rows_of(png):
    """Width and the raw rows, unfiltered just enough to count what differs between them."""
    width, height = struct.unpack(">II", png[16:24])
    data, at = b"", 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IDAT":
            data += png[at + 8:at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(data)
    stride = len(raw) // height
    return width, [raw[i * stride:(i + 1) * stride] for i in range(height)]


def report(folder, *more):
    out = folder / "out"
    expect(run("extend", TINY, "--context", "2k", "-o", out, "--data", DATA, "--documents", "2",
               "--lengths", "256,512,1024", "--tasks", "perplexity,passkey", "--trials", "1",
               *more), 1)
    return out / "report.html"


def check(browser, page, width, dark):
    browser.open(page, width, dark)
    urls = [e["params"]["request"]["url"] for e in browser.events
            if e.get("method") == "Network.requestWillBeSent"]
    assert urls == [page.as_uri()], urls
    complaints = [e for e in browser.events if e.get("method") in
                  ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")]
    assert not complaints, complaints
    wide = browser.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{wide} pixels wide at {width}"
    cut = browser.evaluate("""[...document.querySelectorAll('h1,h2,p,pre,svg,li')].filter(
        e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))""")
    assert not cut, cut
    picture = browser.picture()
    keep = os.environ.get("RW_KEEP_SCREENSHOTS")
    if keep:
        height = browser.evaluate("document.documentElement.scrollHeight")
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=False)
        name = f"report-{width}{'-dark' if dark else ''}.png"
        pathlib.Path(keep, name).write_bytes(browser.picture())
    seen, rows = rows_of(picture)
    assert seen == width, f"{seen} pixels wide, not {width}"
    assert len(set(rows)) > 100, f"the picture is blank: {len(set(rows))} different rows"


def test_opens_in_a_browser(folder):
    browser = Browser(folder)
    try:
        page = report(folder)
        for width in (1200, 400):
            for dark in (False, True):
                check(browser, page, width, dark)
        text = browser.evaluate("document.body.innerText")
        receipt = json.loads((folder / "out" / "receipt.json").read_text())
        for wanted in ("Gain by length", "Memory by context", "native window", "vllm serve",
                       receipt["sha256"]):
            assert wanted in text or wanted in page.read_text(), wanted
        assert browser.evaluate("document.querySelectorAll('svg').length") >= 5
        # what would be a picture alone has a table beside it
        assert browser.evaluate("""[...document.querySelectorAll('svg')].every(
            s => s.closest('section').querySelector('table'))""")
    finally:
        browser.close()


def test_asks_for_nothing(folder):
    out = folder / "out"
    expect(run("extend", TINY, "--context", "2k", "-o", out, "--no-measure"), 0)
    page = (out / "report.html").read_text()
    for word in ("<script", "src=", "@import", "url(", "<link", "<iframe", "<object"):
        assert word not in page, word


if __name__ == "__main__":
    main(globals())
