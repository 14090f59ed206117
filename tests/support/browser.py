"""A real Chromium without a window and without a network, driven over its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from select import select

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

_SECONDS = 60
"""The longest that an answer may take."""


def find_chromium():
    """Return the path of a Chromium; None if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page. What it complains about and what it asks the network for is kept."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from = to_browser, from_browser
        self._buffer, self._count, self._session = b"", 0, None
        self.complaints, self.requests = [], []

    def attach(self):
        [target] = [one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path):
        """Open a file, and wait until it is loaded."""
        self.complaints.clear()
        self.requests.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression):
        """Return the value of a JavaScript expression, that of a promise when it is there."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, condition):
        """Wait until a JavaScript expression is true."""
        self.evaluate(
            f"new Promise((done) => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look(); }})"
        )

    def emulate(self, **features):
        """Set media features, such as prefers_color_scheme='dark'."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=listed)

    def resize(self, width, height):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def print(self):
        """Return the page as PDF."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def screenshot(self, path):
        """Write a picture of the whole page, to look at."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def call(self, method, **parameters):
        """Send a command, and return its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._hear(answer.get("method"), answer.get("params", {}))

    def _hear(self, event, said):
        if event == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"])
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(said["args"])
        elif event == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"])
        elif event == "Network.requestWillBeSent" and not said["request"]["url"].startswith("data:"):
            self.requests.append(said["request"]["url"])

    def _next(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select([self._from], [], [], _SECONDS)
            content = os.read(self._from, 1 << 20) if ready else b""
            if not content:
                raise TimeoutError("Chromium does not answer")
            self._buffer += content
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


@contextmanager
def chromium():
    """Start a Chromium with one empty page."""
    into, to_browser = os.pipe()
    from_browser, out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [find_chromium(), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        started = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{into} 4>&{out}', "chromium", *words],
            pass_fds=(into, out),
            stderr=subprocess.DEVNULL,
        )
        os.close(into)
        os.close(out)
        page = Page(to_browser, from_browser)
        try:
            page.attach()
            yield page
        finally:
            started.kill()
            started.wait()
            os.close(to_browser)
            os.close(from_browser)
