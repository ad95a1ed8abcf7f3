"""esptool-js, unmodified, in Node and in a page in headless Chromium: what is needed for it, and how a session is run.

``python -m tests.browser`` runs the whole matrix and leaves its rows for ``docs/compatibility.py``.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.flashers.job import Request
from simulator.flashers.real_run import run_network
from simulator.flashers.virtual_run import Finished
from simulator.links.network import Network, Way
from simulator.links.pump import Pace
from simulator.scenario import Scenario
from tests import matrix
from tests.matrix import ADDRESS, BEFORE, BOARD, IMAGES, MODES, Mode
from tests.peers import ROOT

WEB = ROOT / "tests" / "web"
SERIAL_JS = ROOT / "simulator" / "web" / "serial.js"
PACKAGES = WEB / "package.json"
RELEASE = str(json.loads(PACKAGES.read_text())["dependencies"]["esptool-js"])
RUNNERS = {"node": "Node", "chromium": "Chromium"}

TOO_OLD = 20
"""Node's first major version that has what serial.js needs."""
ROM_BLOCK = 0x400
"""Block size that works with the ROM; esptool-js keeps the stub's 0x4000 unless told otherwise."""

ROM_SIZE = 2 << 20
"""What the ROM takes any flash for until it is told."""
ROM_COMPRESSED = "the ROM writes whole windows of 32 KiB, and what is behind the image is lost"


class MissingError(Exception):
    """Something that this machine would have to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What esptool-js is asked for.

    Args:
        runner: ``node`` or ``chromium``.
        mode: With which loader and how the image travels.
        image: What is written at `ADDRESS`; ``None`` for nothing.
        baud: The rate for the work.
        extra: Further settings, as tests/web/session.mjs has them.
        before: What the flash holds.
        pace: Whether the board keeps real time.
    """

    runner: str = "node"
    mode: Mode = MODES["stub, compressed"]
    image: bytes | None = IMAGES["4 KiB"]
    baud: int = 921600
    extra: Mapping[str, object] = field(default_factory=dict)
    before: bytes = BEFORE
    pace: Pace = Pace.MAX

    @property
    def plan(self) -> dict[str, object]:
        image = self.image or b""
        return {
            "stub": self.mode.stub,
            "compress": self.mode.compressed,
            # Without a stub it verifies wrongly: it takes the ROM's text for raw bytes.
            "verify": self.mode.stub,
            "baud": self.baud,
            "blockSize": ROM_BLOCK,
            "md5": hashlib.md5(image + b"\xff" * (-len(image) % 4)).hexdigest(),
            **({} if self.image is None else {"address": ADDRESS}),
            **self.extra,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it.

    Args:
        finished: The run.
        said: What session.mjs returned.
        flash: The whole flash afterwards.
        events: The transcript.
    """

    finished: Finished
    said: dict[str, object]
    flash: bytes
    events: list[dict[str, object]]

    @property
    def error(self) -> str:
        """Why it did not succeed; empty if it did."""
        return "" if self.said.get("ok") else str(self.said.get("error", f"no result, exit code {self.finished.status}"))


@functools.cache
def node() -> str:
    """Return the path of Node.

    Raises:
        MissingError: There is none, or an old one.
    """
    program = shutil.which("node")
    if program is None:
        raise MissingError("there is no node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < TOO_OLD:
        raise MissingError(f"node {version.strip()} is older than {TOO_OLD}")
    return program


@functools.cache
def chromium() -> str:
    """Return the path of Chromium.

    Raises:
        MissingError: There is none.
    """
    program = os.environ.get("ESPSIM_CHROMIUM") or shutil.which("chromium")
    if program is None:
        raise MissingError("there is no chromium")
    return program


@functools.cache
def modules() -> Path:
    """Return the folder into which npm has installed what tests/web/package.json names.

    Raises:
        MissingError: There is no npm, or it cannot install.
    """
    wanted = PACKAGES.read_bytes()
    folder = ROOT / ".cache" / "npm" / hashlib.sha256(wanted).hexdigest()[:12]
    stamp = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            npm = shutil.which("npm")
            if npm is None:
                raise MissingError("there is no npm")
            (folder / "package.json").write_bytes(wanted)
            options = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            done = subprocess.run([npm, "install", *options], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise MissingError(f"npm cannot install esptool-js: {done.stderr.strip()[-500:]}")
            stamp.touch()
    return folder


def run(session: Session, folder: Path, *, timeout_s: float = 110) -> Result:
    """Run a session on a fresh board; `folder` is for its files.

    Raises:
        MissingError: This machine lacks something for it.
    """
    words = [node(), str(WEB / f"{session.runner}.mjs"), "{port}", str(modules()), str(SERIAL_JS)]
    if session.runner == "chromium":
        os.environ["ESPSIM_CHROMIUM"] = chromium()
    before, plan, image, said, after, events = (
        folder / name for name in ("before.bin", "plan.json", "image.bin", "said.json", "after.bin", "events.jsonl")
    )
    before.write_bytes(session.before)
    plan.write_text(json.dumps(session.plan))
    image.write_bytes(session.image or b"")
    request = Request(
        scenario=Scenario(board=BOARD, flash=str(before), keep_events=True), save_flash=str(after), transcript=str(events)
    )
    way = Way(network=Network.WEBSOCKET)
    finished = run_network([*words, str(plan), str(image), str(said)], request, way, timeout_s=timeout_s, pace=session.pace)
    return Result(
        finished=finished,
        said=json.loads(said.read_text()) if said.exists() else {},
        flash=after.read_bytes(),
        events=[json.loads(line) for line in events.read_text().splitlines()],
    )


def refusal(mode: Mode, image: bytes) -> tuple[int, str]:
    """Return the ROM's error code for a write that it refuses, and why; 0 where it doesn't. Source: oracle facts 15, 33, 34."""
    if mode.stub:
        return 0, ""
    if not mode.compressed:
        return 5, "its FLASH_BEGIN has five words, the ESP32's ROM takes four"
    if ADDRESS + len(image) > ROM_SIZE:
        return 6, "it does not tell the ROM the size of the flash, and the ROM takes it for 2 MB"
    return 0, ""


def expected(mode: Mode, image: bytes) -> bytes:
    """Return what the flash must hold after `image` was written in a `mode` that works."""
    return matrix.written(image) if mode.stub else matrix.written_in_windows(image)


def everything() -> Iterator[tuple[Session, str]]:
    """Yield the whole matrix, with the image's name."""
    for runner in RUNNERS:
        for mode in MODES.values():
            for name, image in IMAGES.items():
                yield Session(runner=runner, mode=mode, image=image), name


def problem(session: Session, result: Result) -> str:
    """Return what is wrong with `result`; empty if all is as it must be."""
    image = session.image or b""
    code, _ = refusal(session.mode, image)
    if code:
        if f"status 1,{code}" not in result.error:
            return result.error or "it should have been refused"
        return "" if result.flash == session.before else "it was refused, and the flash has changed"
    if result.error:
        return result.error
    return "" if result.flash == expected(session.mode, image) else "the flash is not what it should be"


def main() -> int:
    """Run the whole matrix; print each row and leave all of them for the page."""
    rows = []
    failures = 0
    for session, name in everything():
        with tempfile.TemporaryDirectory(prefix="espsim-web-") as folder:
            result = run(session, Path(folder), timeout_s=600)
        wrong = problem(session, result)
        failures += bool(wrong)
        outcome, note = ("fails", wrong) if wrong else ("ok", "")
        if not wrong and not session.mode.stub:
            _, reason = refusal(session.mode, session.image or b"")
            outcome, note = ("refuses", reason) if reason else ("deviates", ROM_COMPRESSED)
        row = {
            "client": f"esptool-js {RELEASE} ({RUNNERS[session.runner]})",
            "link": "websocket",
            "mode": session.mode.name,
            "subject": name,
            "rate": session.baud if session.mode.stub else 115200,
            "outcome": outcome,
            "note": note,
            "command": f"espsim run --link websocket -- node {session.runner}.mjs {{port}} ...",
        }
        rows.append(row)
        seconds = result.finished.outcome.virtual_s if result.finished.outcome else 0.0
        print(f"{row['client']:28} {row['mode']:16} {name:18} {outcome:9} {seconds:8.1f} virtual s  {note}", flush=True)
    target = ROOT / ".cache" / "compatibility" / "esptool-js.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=1) + "\n")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
