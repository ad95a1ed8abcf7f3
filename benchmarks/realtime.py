"""Boards in real time, served to clients that are processes of their own; the boards never make anybody wait (pace ``max``).

What the simulator costs is compared with what the client costs, both in CPU time, so a shared machine does not matter: a big
write and a big read by esptool over a pty and over TCP; then twenty flashcore processes at once on a process that serves two
hundred boards, each with an image of its own. Every write is judged by the flash array, every read by the bytes that came.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks import workload
from benchmarks.measure import Row, Table, at_most, compare

RELEASE = "4.12.0"
"""The last esptool whose own codec does not slow it down."""
BASELINE = f"esptool {RELEASE}"

FLASH_SIZE = 4 * workload.MIB
OFFSET = 0x10000

COST = at_most(1 / 3)
"""CPU time of the simulator as part of the client's."""
MEMORY_MB = 2.0
"""Memory of an idle board that is allowed, in 10^6 bytes."""
LEAST_BOARDS = 50
"""Boards from which on their memory shows: one takes less than 30 kB, and some hundred kB lie free in a warm process."""

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What to do, and how often.

    Args:
        python: Interpreter of the environment with the esptool that serves as baseline.
        size: Bytes written and read by it.
        links: The links over which it does so.
        rounds: How often.
        boards: Boards that one process serves; so many that what they need is more than the memory that lies free anyway.
        clients: How many of them are flashed at once.
        image: Bytes that each of these gets.
    """

    python: Path
    size: int = FLASH_SIZE
    links: Sequence[str] = ("pty", "tcp")
    rounds: int = 3
    boards: int = 200
    clients: int = 20
    image: int = 256 * workload.KIB

    def __post_init__(self) -> None:
        if self.boards < LEAST_BOARDS:
            raise ValueError(f"the memory of {self.boards} boards cannot be told from what lies free, take {LEAST_BOARDS}")


class Server(AbstractContextManager["Server"]):
    """A process with boards.

    Args:
        link: How to reach them.
        count: How many there are.
    """

    def __init__(self, link: str, count: int) -> None:
        words = (sys.executable, "-m", "benchmarks.board_server", link, str(count))
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        assert self._process.stdout is not None
        served = json.loads(self._process.stdout.readline())
        self.ports = [str(port) for port in served["ports"]]
        self.idle_bytes = int(served["idle_bytes"])
        """What the boards behind the first one need together while nobody uses them."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def finish(self) -> dict[str, str]:
        """End it, and return the MD5 of each board's flash array by port."""
        output, _ = self._process.communicate(timeout=60)
        return {str(port): str(digest) for port, digest in json.loads(output).items()}

    @property
    def cpu_s(self) -> float:
        """CPU time that it has used, in seconds. It has one thread."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9


def measure(setup: Setup) -> Table:
    """Measure and compare.

    Raises:
        AssertionError: A client failed, or something else came of it than what it was to write or read.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row for link in setup.links for row in _alone(setup, link, folder)]
        rows += _crowd(setup, folder)
    return Table(name="realtime", title="boards in real time at pace max, CPU time in s, memory in MB", rows=tuple(rows))


def _alone(setup: Setup, link: str, folder: Path) -> list[Row]:
    image, back = folder / "image.bin", folder / "back.bin"
    data = workload.half_random_image(setup.size)
    image.write_bytes(data)
    ours: dict[str, list[float]] = {"write": [], "read": []}
    theirs: dict[str, list[float]] = {"write": [], "read": []}
    for _ in range(setup.rounds):
        with Server(link, 1) as server:
            esptool = (str(setup.python), "-m", "esptool", "--port", server.ports[0], "--baud", "921600")
            esptool += ("--before", "no_reset", "--after", "no_reset")
            commands = {"write": ("write_flash", "0", str(image)), "read": ("read_flash", "0", str(len(data)), str(back))}
            for name, command in commands.items():
                before = server.cpu_s
                theirs[name].append(_run((*esptool, *command)))
                ours[name].append(server.cpu_s - before)
            _expect(back.read_bytes() == data, f"what was read over {link} is not what was written")
            _expect(server.finish() == {server.ports[0]: _digest(data, 0)}, f"the flash is wrong after a write over {link}")
    size = f"{setup.size // workload.MIB} MiB" if setup.size >= workload.MIB else f"{setup.size} bytes"
    return [
        compare(f"{name} {size}, {link}", "s", {"ours": ours[name], BASELINE: theirs[name]}, "ours", BASELINE, COST)
        for name in ours
    ]


def _crowd(setup: Setup, folder: Path) -> list[Row]:
    """Flash some of many boards at once."""
    images = {}
    with Server("tcp", setup.boards) as server:
        idle_mb = server.idle_bytes / (setup.boards - 1) / 1e6
        clients = []
        chosen = server.ports[:: max(1, setup.boards // setup.clients)][: setup.clients]
        before = server.cpu_s
        for number, port in enumerate(chosen):
            images[port] = workload.half_random_image(setup.image, seed=number)
            path = folder / f"image{number}.bin"
            path.write_bytes(images[port])
            clients.append(_start((sys.executable, "-m", "flashcore", "write", "-p", port, hex(OFFSET), str(path))))
        used = sum(_cpu_s(client) for client in clients)
        cost = server.cpu_s - before
        blank = _digest(b"", 0)
        expected = {port: _digest(images[port], OFFSET) if port in images else blank for port in server.ports}
        found = server.finish()
    wrong = [port for port in expected if found[port] != expected[port]]
    _expect(not wrong, f"{len(wrong)} of {setup.boards} boards hold something else than what was written to them")
    at_once = f"{len(chosen)} of {setup.boards} boards at once, tcp"
    return [
        compare(at_once, "s", {"ours": [cost], "flashcore": [used]}, "ours", "flashcore", None),
        compare("memory of an idle board", "MB", {"ours": [idle_mb], "allowed": [MEMORY_MB]}, "ours", "allowed", at_most(1)),
    ]


def _digest(data: bytes, offset: int) -> str:
    """Return the MD5 of a flash array that holds nothing but `data`."""
    return hashlib.md5((b"\xff" * offset + data).ljust(FLASH_SIZE, b"\xff")).hexdigest()


def _run(words: Sequence[str]) -> float:
    """Run a client to its end, and return its CPU time in seconds."""
    return _cpu_s(_start(words))


def _start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=_ROOT)


def _cpu_s(client: subprocess.Popen[bytes]) -> float:
    _, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    _expect(client.returncode == 0, f"{client.args!r} ended with exit code {client.returncode}")
    return usage.ru_utime + usage.ru_stime


def _expect(met: bool, otherwise: str) -> None:
    if not met:
        raise AssertionError(otherwise)
