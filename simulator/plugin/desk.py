"""One test's board while it runs, and what is said about it afterwards."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path

from simulator.plugin.wish import Wish
from simulator.record import jsonl
from simulator.record.ladder import Kind, Step, ladder
from simulator.testing import VirtualBoard

FRAMES = 16
"""Frames that a failing test's report shows, the last ones."""

STRIKES = 8
"""Frames before those that a fault struck and that it shows too, the last ones."""

EDGES = 12
"""Changes of DTR and RTS that it shows."""

_MARKS = {Kind.TO_CHIP: ">", Kind.TO_HOST: "<"}


class Desk:
    """The board of one test.

    Args:
        wish: What the test asked for.
        on_link: Whether the board is reached through a link.
    """

    def __init__(self, wish: Wish, *, on_link: bool) -> None:
        self.wish = wish
        self.on_link = on_link
        self.board = VirtualBoard(wish.scenario(on_link=on_link))

    def idle_faults(self) -> list[str]:
        """Return the planned faults that did not strike as they were meant to."""
        return [fault.name for fault in self.board.planned if not fault.exercised]

    def section(self, repeat: str) -> str:
        """Return what a report says about a failed test.

        Args:
            repeat: The command that repeats it.
        """
        steps = ladder(self.board.recorder.events, self.board.recorder.crossings)
        passed = [step for step in steps if step.kind in (*_MARKS, Kind.FAULT)]
        struck, frames = (
            [step for step in passed[:-FRAMES] if step.fault or step.kind is Kind.FAULT][-STRIKES:],
            passed[-FRAMES:],
        )
        edges = [step for step in steps if step.kind is Kind.LINES][-EDGES:]
        scenario = self.board.scenario
        link = f", link {self.wish.link}" if self.on_link else ""
        faults = [f"{fault.name}  (struck {_count(fault.fired)})" for fault in self.board.planned]
        return "\n".join(
            [
                f"board:  {scenario.board}, seed {scenario.seed}{link}",
                f"time:   {self.board.now_s:.6f} s on the board's clock",
                *_listed("plan:  ", faults or ["no faults"]),
                *_listed("struck:", [_line(step) for step in struck]),
                *_listed("frames:", [_line(step) for step in frames] or ["none"]),
                *_listed("edges: ", [_line(step) for step in edges] or ["none"]),
                f"repeat: {repeat}",
            ]
        )

    def write_transcript(self, folder: Path, nodeid: str) -> None:
        """Write all events to a file of its own in `folder`, named after the test.

        Raises:
            OSError: That is not possible.
        """
        jsonl.write(folder / transcript_name(nodeid), self.board.events)


def transcript_name(nodeid: str) -> str:
    """Return a file name for a test: readable, legal everywhere, and different for different tests."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", nodeid).strip("-.")
    return f"{readable[-120:]}-{hashlib.blake2b(nodeid.encode(), digest_size=4).hexdigest()}.jsonl"


def repeat_command(nodeid: str, seed: int) -> str:
    """Return the command that runs one test again with the same dice."""
    return shlex.join(["python", "-m", "pytest", nodeid, "--espsim-seed", str(seed)])


def _listed(title: str, lines: list[str]) -> list[str]:
    return [f"{title if not index else ' ' * len(title)} {line}" for index, line in enumerate(lines)]


def _line(step: Step) -> str:
    mark = _MARKS.get(step.kind, "*" if step.kind is Kind.FAULT else "|")
    times = f" ×{step.count}" if step.count > 1 else ""
    detail = f": {step.detail}" if step.detail else ""
    fate = f"  [{step.fate}{f' by {step.fault}' if step.fault else ''}]" if step.strikes and step.kind in _MARKS else ""
    return f"{step.at_ns / 1e9:12.6f} {mark} {step.title}{times}{detail}{fate}"


def _count(times: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")
