"""Play generated inputs to ROM, stubs and links, and tell what broke.

    python fuzz/run.py [--inputs 1000000] [--seconds 600] [--seed N] [--jobs 2]
    python fuzz/run.py --seed N --only INDEX

Each failure is printed with the command that repeats it and kept in .cache/fuzz. Exit codes: 0 all inputs were played and
nothing broke, 1 something broke, 3 time was up before all inputs were played.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from fuzz.bounds import BrokenError  # noqa: E402 - needs the path set above
from fuzz.targets import TARGETS, Player, target_of  # noqa: E402

STORE = ROOT / ".cache" / "fuzz"
CHUNK = 400
"""Inputs handed to a process at once."""

HANG_S = 20.0
"""Processor time after which an input has hung, in seconds; the slowest take some hundredths."""

MEMORY = 3 << 30
"""Address space of a process, in bytes: what grows without end shall fail here, not take the machine with it."""

MAX_GROWTH = 100 << 20
"""Bytes by which a process may grow after its first inputs."""

SHOWN = 20
"""How many failures are printed."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of some inputs."""

    played: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    cpu_ns: Counter[str] = field(default_factory=Counter)
    footprint: dict[str, int] = field(default_factory=dict)
    queue: dict[str, int] = field(default_factory=dict)
    traced: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    growth: int = 0

    def add(self, other: Tally) -> None:
        """Take in what came of others."""
        for mine, theirs in ((self.played, other.played), (self.compared, other.compared), (self.cpu_ns, other.cpu_ns)):
            mine.update(theirs)
        for peak, value in ((self.footprint, other.footprint), (self.queue, other.queue), (self.traced, other.traced)):
            for name, found in value.items():
                peak[name] = max(peak.get(name, 0), found)
        self.failures += other.failures
        self.growth = max(self.growth, other.growth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An input that broke something.

    Args:
        seed: Of the run.
        index: Its number.
        error: What went wrong, in one line.
        trace: Where.
        story: What it said, how and in hexadecimal.
    """

    seed: int
    index: int
    error: str
    trace: str
    story: list[tuple[str, str]]

    @property
    def command(self) -> str:
        """What repeats it."""
        return f"python fuzz/run.py --seed {self.seed} --only {self.index}"

    def save(self) -> Path:
        """Write it down, and return where."""
        STORE.mkdir(parents=True, exist_ok=True)
        path = STORE / f"{target_of(self.index)}-{self.seed}-{self.index}.json"
        content = {"command": self.command, "error": self.error, "trace": self.trace.splitlines(), "story": self.story}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path


def play(player: Player, seed: int, index: int, tally: Tally) -> None:
    """Play one input and count it; what breaks is a failure."""
    name = target_of(index)
    began = time.process_time_ns()
    _alarm(HANG_S)
    try:
        result = player.play(index)
    except Exception as error:  # noqa: BLE001 - whatever an input sets off is what we are here for
        _alarm(0)
        story = [(how, data.hex()) for how, data in player.story(index)]
        trace = traceback.format_exc()
        tally.failures.append(
            Failure(seed=seed, index=index, error=f"{type(error).__name__}: {error}", trace=trace, story=story)
        )
        player.forget(index)
    else:
        _alarm(0)
        outcome = result.outcome
        tally.compared[name] += outcome.compared
        for peak, found in ((tally.footprint, outcome.footprint), (tally.queue, outcome.queue), (tally.traced, result.traced)):
            peak[name] = max(peak.get(name, 0), found)
    tally.played[name] += 1
    tally.cpu_ns[name] += time.process_time_ns() - began


_player: Player | None = None
_weight = 0


def _begin(seed: int) -> None:
    """Prepare a process that plays inputs."""
    global _player
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGVTALRM"):
        import resource

        signal.signal(signal.SIGVTALRM, _hung)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _player = Player(seed)


def _play_chunk(seed: int, start: int, stop: int) -> Tally:
    """Play inputs in a process of the pool."""
    global _weight
    assert _player is not None, "the process was prepared"
    tally = Tally()
    for index in range(start, stop):
        play(_player, seed, index, tally)
    if not _weight:
        gc.collect()
        gc.freeze()
        _weight = _resident()
    tally.growth = _resident() - _weight
    return tally


def _hung(*_: object) -> None:
    raise BrokenError(f"an input is done within {HANG_S:g} s of processor time", "it is not")


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)


def _resident() -> int:
    """Return the most memory that this process ever had, in bytes; 0 where the system does not tell."""
    if not hasattr(signal, "SIGVTALRM"):
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(*, seed: int, inputs: int, seconds: float, jobs: int) -> Tally:
    """Play inputs in several processes until all are played or time is up; show progress on standard error."""
    began = time.monotonic()
    told = began
    total = Tally()
    shown = 0
    upcoming = 0
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(seed,)) as pool:
        running: set[Future[Tally]] = set()
        while running or upcoming < inputs:
            while upcoming < inputs and len(running) < 2 * jobs and time.monotonic() - began < seconds:
                stop = min(upcoming + CHUNK, inputs)
                running.add(pool.submit(_play_chunk, seed, upcoming, stop))
                upcoming = stop
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                total.add(future.result())
            for failure in total.failures[shown:]:
                path = failure.save()
                if shown < SHOWN:
                    print(
                        f"{target_of(failure.index)}: {failure.error}\n  kept in {path.relative_to(ROOT)}\n  {failure.command}"
                    )
                shown += 1
            if time.monotonic() - told > 10:
                told = time.monotonic()
                count = total.played.total()
                print(f"{count:9,} inputs, {count / (told - began):,.0f} per second, {shown} failures", file=sys.stderr)
    return total


def report(total: Tally, wall_s: float) -> list[str]:
    """Return the table of a run."""
    broken = Counter(target_of(failure.index) for failure in total.failures)
    head = ("target", "inputs", "failures", "compared", "ms each", "buffers", "queue", "traced peak")
    rows: list[tuple[str, ...]] = [head]
    for name in TARGETS:
        played = total.played[name]
        each = total.cpu_ns[name] / played / 1e6 if played else 0
        peaks = (total.footprint.get(name, 0), total.queue.get(name, 0), total.traced.get(name, 0))
        figures = (
            f"{played:,}",
            f"{broken[name]}",
            f"{total.compared[name]:,}",
            f"{each:.2f}",
            *(f"{peak:,}" for peak in peaks),
        )
        rows.append((name, *figures))
    cpu_s = total.cpu_ns.total() / 1e9
    all_played = (f"{total.played.total():,}", f"{len(total.failures)}", f"{total.compared.total():,}", "", "", "", "")
    rows.append(("all", *all_played))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(w) if not n else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    lines.append(
        "compared: answers held against a recording or a protocol's text; buffers, traced peak: bytes; queue: waiting events"
    )
    lines.append(
        f"{wall_s:.0f} s wall time, {cpu_s:.0f} s processor time, {total.growth / 1e6:.1f} MB growth of a process at most"
    )
    return lines


def only(seed: int, index: int) -> int:
    """Play one input again, and tell all about it."""
    player, tally = Player(seed), Tally()
    if hasattr(signal, "SIGVTALRM"):
        signal.signal(signal.SIGVTALRM, _hung)
    play(player, seed, index, tally)
    for how, data in player.story(index) if not tally.failures else []:
        print(f"{how}: {data.hex()}")
    for failure in tally.failures:
        for how, text in failure.story:
            print(f"{how}: {text}")
        print(failure.trace)
    print(f"{target_of(index)}: {'broken' if tally.failures else 'nothing breaks'}")
    return 1 if tally.failures else 0


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(description="Play generated inputs to ROM, stubs and links, and tell what broke.")
    parser.add_argument("--inputs", type=int, default=1_000_000, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=600, metavar="S", help="at most this long (default: %(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="which inputs (default: others each time; it is printed)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="play this input alone, and tell all about it")
    options = parser.parse_args()
    seed: int = SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    if options.only is not None:
        return only(seed, options.only)
    began = time.monotonic()
    total = run(seed=seed, inputs=options.inputs, seconds=options.seconds, jobs=options.jobs)
    print(*report(total, time.monotonic() - began), sep="\n")
    if total.growth > MAX_GROWTH:
        print(f"a process grew by more than {MAX_GROWTH} bytes")
    if total.failures or total.growth > MAX_GROWTH:
        print(f"{len(total.failures)} inputs broke something; seed {seed}")
        return 1
    if total.played.total() < options.inputs:
        print(f"time was up: {total.played.total():,} of {options.inputs:,} inputs were played; seed {seed}")
        return 3
    print(f"nothing broke; seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
