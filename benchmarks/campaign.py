"""Cases of a campaign per second, beside one process for each case; and what a second process brings.

All of it is whole commands, as a user types them: `espsim score` for a part of a sweep that writes 256 KiB in each case, and
as the baseline `espsim run` with the flasher behind it, once per case. Those compute only, so their CPU time is compared, with
that of all processes that they start. Two processes beside one is what a user waits for, so it is wall time, and needs two idle
cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Row, Table, Target, at_least, compare, wall_s
from benchmarks.workload import KIB, half_random_image

ALONE = "a process for each case"
REQUIRED = 20.0
"""Cases of flashcore per second and core that are asked for."""
_BESIDE_PROCESSES = at_least(2)
SPEED_UP = at_least(1.7)
"""Of two processes, beside one."""

_WRITES = {
    "flashcore": ("flashcore", "-p", "{port}", "write", "0x10000"),
    "esptool": ("esptool", "-p", "{port}", "write-flash", "0x10000"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much to do.

    Args:
        size: Bytes that each case writes.
        cases: How many cases a command runs whose cases are counted, by flasher.
        alone: How many cases have processes of their own.
        swept: How many cases a command runs whose processes are counted.
        rounds: How often.
    """

    size: int = 256 * KIB
    cases: int = 200
    alone: int = 5
    swept: int = 600
    rounds: int = 3


def measure(setup: Setup) -> Table:
    """Measure and compare.

    Raises:
        AssertionError: A command failed, or ran another number of cases than it should.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row for flasher in _WRITES for row in _rates(setup, flasher, folder)]
        rows.append(_two(setup, folder))
    return Table(name="campaign", title="cases per second of CPU time; wall time in s of two processes", rows=tuple(rows))


def _rates(setup: Setup, flasher: str, folder: Path) -> list[Row]:
    image = folder / "image.bin"
    image.write_bytes(half_random_image(setup.size))
    rates: dict[str, list[float]] = {flasher: [], ALONE: []}
    for _ in range(setup.rounds):
        rates[flasher].append(setup.cases / _cpu_s(_score(setup, flasher, setup.cases, folder)))
        _expect_cases(folder, setup.cases)
        used = sum(_cpu_s(_run(flasher, frame, image)) for frame in range(1, setup.alone + 1))
        rates[ALONE].append(setup.alone / used)
    rows = [_compared(flasher, rates, ALONE, _BESIDE_PROCESSES)]
    if flasher == "flashcore":
        asked = "what is asked for"
        rows.append(_compared(flasher, {**rates, asked: [REQUIRED] * setup.rounds}, asked, at_least(1)))
    return rows


def _compared(flasher: str, rates: dict[str, list[float]], baseline: str, target: Target) -> Row:
    return compare(f"cases of {flasher}", "1/s", rates, flasher, baseline, target)


def _two(setup: Setup, folder: Path) -> Row:
    """Compare one process with two, in turn."""
    one, two = "one process", "two processes"
    speeds: dict[str, list[float]] = {one: [], two: []}
    for _ in range(setup.rounds):
        for name, jobs in ((one, 1), (two, 2)):
            words = _score(setup, "flashcore", setup.swept, folder, jobs)
            speeds[name].append(setup.swept / wall_s(lambda words=words: _cpu_s(words)))  # type: ignore[misc]
            _expect_cases(folder, setup.swept)
    return compare("cases of flashcore, wall time", "1/s", speeds, two, one, SPEED_UP)


def _score(setup: Setup, flasher: str, cases: int, folder: Path, jobs: int = 1) -> Sequence[str]:
    words = ["score", flasher, "--suite", "sweep", "--size", str(setup.size), "--limit", str(cases), "--jobs", str(jobs)]
    return [sys.executable, "-m", "simulator", *words, "--json", str(folder / "score.json")]


def _run(flasher: str, frame: int, image: Path) -> Sequence[str]:
    program, *words = _WRITES[flasher]
    fault = f"d2h:nth_frame(FLASH_DEFL_DATA,{frame}):delay(0.5)"
    script = str(Path(sys.executable).with_name(program))
    return [sys.executable, "-m", "simulator", "run", "--fault", fault, "--", script, *words, str(image)]


def _cpu_s(words: Sequence[str]) -> float:
    """Run a command to its end; return the CPU time of it and of all that it started, in seconds."""
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    # `espsim score` says by 1 that there were bad verdicts, which is no matter here.
    if child.returncode not in (0, 1):
        raise AssertionError(f"{' '.join(words)} ended with exit code {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def _expect_cases(folder: Path, count: int) -> None:
    found = len(json.loads((folder / "score.json").read_text(encoding="utf-8"))["cases"])
    # The run without faults is one of them.
    if found not in (count, count + 1):
        raise AssertionError(f"{found} cases were run, not {count}")
