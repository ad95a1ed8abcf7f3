"""Runs of real command lines against one board in virtual time, and what is left behind: output, flash, events."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from simulator.record import jsonl
from simulator.record.events import Event

IN_TURN = Path(__file__).with_name("in_turn.py")
BIN = Path(sys.executable).parent
"""Where this environment's programs lie."""

OWN_WORDS = ("wait", "hear", "expect")
"""First words that `tests.flashers.in_turn` understands itself."""

_VIRTUAL = re.compile(r"virtual ([0-9.]+) s")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One run, over.

    Args:
        status: Exit status.
        text: What the programs printed.
        flash: The flash content.
        events: All that happened.
        virtual_s: How long it was, in virtual seconds.
    """

    status: int
    text: str
    flash: bytes
    events: tuple[Event, ...]
    virtual_s: float

    def notes(self, kind: str) -> list[str]:
        """Return the texts of all events of a kind."""
        return [event.content.decode() for event in self.events if event.kind == kind]

    @property
    def last_reset(self) -> str:
        """How the chip last started: cause and strap value."""
        return [text.removeprefix("reset ") for text in self.notes("chip") if text.startswith("reset ")][-1]

    @property
    def lines(self) -> str:
        """State of the modem lines at the end."""
        return self.notes("lines")[-1]


def in_turn(*commands: str, programs: Path = BIN) -> list[str]:
    """Return a command line that runs several one after the other, in the same world.

    Args:
        commands: Each as words with blanks between them. The first is a program of `programs` or one of `OWN_WORDS`.
        programs: Where the programs lie.
    """
    words = [str(programs / "python"), str(IN_TURN)]
    for number, command in enumerate(commands):
        first, *rest = command.split()
        words += ["--"] if number else []
        words += [first if first in OWN_WORDS else str(programs / first), *rest]
    return words


def run(
    folder: Path,
    words: list[str],
    *,
    board: str = "esp32-devkitc",
    flash: bytes = b"",
    settings: dict[str, str] | None = None,
) -> Ran:
    """Run a command line against a board.

    Args:
        folder: Where it runs, and where files go.
        words: The command line, with ``{port}`` where the port belongs.
        board: Name of the preset.
        flash: Flash content at the start.
        settings: Environment variables besides the test's own.
    """
    (folder / "before.bin").write_bytes(flash)
    files = ["--flash", "before.bin", "--save-flash", "after.bin", "--transcript", "events.jsonl"]
    done = subprocess.run(
        [str(BIN / "espsim"), "run", "--board", board, *files, "--stats", "--timeout", "100", "--", *words],
        cwd=folder,
        env={**os.environ, **(settings or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    found = _VIRTUAL.search(done.stderr)
    assert found, done.stdout + done.stderr
    return Ran(
        status=done.returncode,
        text=done.stdout + done.stderr,
        flash=(folder / "after.bin").read_bytes(),
        events=tuple(jsonl.read(folder / "events.jsonl")),
        virtual_s=float(found[1]),
    )
