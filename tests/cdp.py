"""A page in headless Chromium, driven through its debugging protocol.

Source: the Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/ (Page, Runtime, Log, Emulation).
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import connect

from tests.browser import chromium

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--remote-debugging-port=0")
NOISE = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")


class Tab:
    """One tab of a browser of its own.

    Raises:
        MissingError: There is no Chromium on this machine.
    """

    def __init__(self) -> None:
        program = chromium()
        self.complaints: list[dict[str, Any]] = []
        """What the page said on the console, and errors that it did not catch."""
        self._count = 0
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="espsim-tab-", ignore_cleanup_errors=True))
        words = [program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._stack.callback(self._end)
        try:
            assert self._process.stderr is not None
            found = next(filter(None, (re.search(r"ws://127\.0\.0\.1:(\d+)/", line) for line in self._process.stderr)))
            with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/json") as answer:
                targets = json.load(answer)
            address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
            self._socket = self._stack.enter_context(connect(address, max_size=None))
            for domain in ("Page", "Runtime", "Log"):
                self._call(f"{domain}.enable")
        except BaseException:
            self._stack.close()
            raise

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a file and wait until it is there."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=page.as_uri())
        while self._event() != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> Any:
        """Return what an expression in JavaScript comes to, as JSON has it."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            message = self._message()
            if message.get("id") == self._count:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _event(self) -> str:
        return str(self._message().get("method", ""))

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=30))
        if message.get("method") in NOISE:
            self.complaints.append(message)
        return message

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
