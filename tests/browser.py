"""Controls a headless Chromium over a pipe, to look at pages; nothing here uses a network."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One open page. ``complaints``: the errors reported by scripts and by the page's content policy."""

    def __init__(self, to: int, back: int) -> None:
        self.to, self.back, self.count, self.session, self.rest = to, back, 0, "", b""
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (reply := self._next()).get("id") != self.count:
            self._note(reply)
        assert "error" not in reply, (method, reply)
        return reply["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            assert select.select([self.back], [], [], 60)[0], "the browser does not answer"
            got = os.read(self.back, 1 << 20)
            assert got, "the browser ended"
            self.rest += got
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(event["params"]["exceptionDetails"])[:600])
        if event.get("method") == "Log.entryAdded":
            self.complaints.append(event["params"]["entry"]["text"])

    def js(self, code: str) -> Any:
        """Evaluate code in the page and return its value."""
        out = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in out, out
        return out["result"].get("value")

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False) -> float:
        """Open a file and return the seconds until its scripts have drawn everything."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        start = time.time()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=path.absolute().as_uri())
        while not self.js("document.documentElement?.dataset.ready === 'yes'"):
            assert time.time() - start < 60, self.complaints
            time.sleep(0.02)
        self.js("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")
        return time.time() - start

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write a screenshot, of the window or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(shot["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 12000), "scale": 1}}


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a separate browser, and end it afterwards."""
    assert CHROMIUM is not None
    (read_by_it, to), (back, written_by_it) = os.pipe(), os.pipe()

    def descriptors() -> None:  # the browser expects its pipe at 3 and 4
        a, b = os.dup(read_by_it), os.dup(written_by_it)
        os.dup2(a, 3)
        os.dup2(b, 4)

    flags = "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --remote-debugging-pipe"
    process = subprocess.Popen(
        [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", "about:blank"],
        preexec_fn=descriptors,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page = Page(to, back)
        target = page.call("Target.createTarget", url="about:blank")["targetId"]
        page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        yield page
        with contextlib.suppress(AssertionError, OSError):
            page.session = ""
            page.call("Browser.close")
    finally:
        for end in (to, back, read_by_it, written_by_it):
            os.close(end)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
