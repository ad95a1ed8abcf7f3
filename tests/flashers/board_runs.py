"""Runs of real command lines against one board in virtual time, and what is left behind: output, flash, events."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from simulator.flashers.job import Request
from simulator.flashers.virtual_run import run_virtual
from simulator.record import jsonl
from simulator.record.events import Event
from simulator.scenario import Scenario

IN_TURN = Path(__file__).with_name("in_turn.py")
BIN = Path(sys.executable).parent
"""Where this environment's programs lie."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One run, over.

    Args:
        status: Exit status.
        text: What the programs printed.
        flash: The flash content.
        events: All that happened.
        virtual_s: How long it was, in virtual seconds.
        gaps: What the model did not know.
    """

    status: int
    text: str
    flash: bytes
    events: tuple[Event, ...]
    virtual_s: float
    gaps: tuple[str, ...]

    def notes(self, kind: str) -> list[str]:
        """Return the texts of all events of a kind."""
        return [event.content.decode() for event in self.events if event.kind == kind]

    @property
    def last_reset(self) -> str:
        """How the chip last started, as ``CAUSE strap 0xNN``."""
        return [text.removeprefix("reset ") for text in self.notes("chip") if text.startswith("reset ")][-1]

    @property
    def lines(self) -> str:
        """State of the modem lines at the end."""
        return self.notes("lines")[-1]


def in_turn(*commands: str, programs: Path = BIN) -> list[str]:
    """Return a command line that runs several one after the other, in the same world.

    Args:
        commands: Each as words with blanks between them; the first word is a program of `programs`, or one of the words of
            ``in_turn.py``. A word that starts with ``@`` is taken without it, blanks and all.
        programs: Where the programs lie.
    """
    words = [str(programs / "python"), str(IN_TURN)]
    for number, command in enumerate(commands):
        first, *rest = command.split()
        program = first if first in ("wait", "hear", "expect") else str(programs / first)
        words += (["--"] if number else []) + [program, *rest]
    return words


def run(folder: Path, words: list[str], *, board: str = "esp32-devkitc", flash: bytes = b"", timeout_s: float = 100) -> Ran:
    """Run a command line against a board.

    Args:
        folder: For files; the programs run in it.
        words: The command line, with ``{port}`` where the port belongs.
        board: Name of the preset.
        flash: Flash content at the start.
        timeout_s: How long it may take on the machine.
    """
    before, after, transcript, output = (folder / name for name in ("before.bin", "after.bin", "events.jsonl", "output.txt"))
    before.write_bytes(flash)
    scenario = Scenario(board=board, flash=str(before), keep_events=True)
    request = Request(scenario=scenario, save_flash=str(after), transcript=str(transcript))
    with output.open("w") as file:
        finished = _captured(words, request, timeout_s, folder, file.fileno())
    assert finished.outcome is not None, output.read_text()
    return Ran(
        status=finished.status,
        text=output.read_text(),
        flash=after.read_bytes(),
        events=tuple(jsonl.read(transcript)),
        virtual_s=finished.outcome.virtual_s,
        gaps=finished.outcome.gaps,
    )
