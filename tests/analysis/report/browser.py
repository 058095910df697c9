"""A headless browser that opens a page and answers questions, by Chrome's DevTools protocol."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


def find_browser() -> str | None:
    """Path of the first of BROWSERS that is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """One tab. ``faults`` collects exceptions, error messages and failed loads of the page."""

    def __init__(self, executable: str, profile: Path, timeout: float = 120.0):
        self.faults: list[str] = []
        self._timeout = timeout
        self._next_id = 0
        self._buffer = b""
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The browser talks on 3 and 4: its ends go out of the way first.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_browser, from_browser)]
        self._process = subprocess.Popen(
            [executable, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            close_fds=False,  # whatever else is open is not inherited
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: (os.dup2(ends[0], 3), os.dup2(ends[1], 4)),
        )
        for end in (*ends, to_browser, from_browser):
            os.close(end)
        self._session = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def open(self, url: str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Open a page and wait until it and its pictures are loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=url)
        self.ask("new Promise(done => document.readyState == 'complete'"
                 " ? done(0) : addEventListener('load', () => done(0)))")  # fmt: skip
        self.ask("""Promise.all([...document.images].map(image => {
            image.loading = 'eager'; return image.decode().catch(() => 0); }))""")

    def ask(self, expression: str):
        """Value of a JavaScript expression; a promise is awaited."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self) -> str:
        """The whole page as a base64 png."""
        return self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"]

    def _call(self, method: str, **params) -> dict:
        self._next_id += 1
        message = {"id": self._next_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self._timeout
        while True:
            answer = self._receive(deadline, method)
            if answer.get("id") == self._next_id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer.get("method"), answer.get("params", {}))

    def _receive(self, deadline: float, method: str) -> dict:
        while b"\0" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._read], [], [], left)
            assert ready, f"{method}: no answer of the browser in {self._timeout:.0f} s"
            data = os.read(self._read, 1 << 16)
            assert data, f"{method}: the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: str | None, params: dict) -> None:
        if event == "Runtime.exceptionThrown":
            self.faults.append(params["exceptionDetails"]["text"])
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.faults.append(params["entry"]["text"])
        elif event == "Network.loadingFailed" and not params.get("canceled"):
            self.faults.append(f"a load failed: {params['errorText']}")
