"""Runs one command with its progress in sight: a spinner, the time, and the last thing that it said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

GRACE_S = 5.0
"""How long an interrupted command may take to clean up, in seconds."""

_LINE_END = re.compile(rb"[\r\n]+")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OWN = re.compile(r"espsim: ")
_VIRTUAL = re.compile(r"espsim: virtual ([0-9.]+) s ")
_FIRED = re.compile(r" x(\d+)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that has ended.

    Args:
        status: Its exit status.
        lines: What it said, on both streams, without escape sequences.
        remarks: What espsim said about it.
        wall_s: How long it took, in seconds.
    """

    status: int
    lines: tuple[str, ...]
    remarks: tuple[str, ...]
    wall_s: float

    @property
    def virtual_s(self) -> float | None:
        """How much time passed on the board, in seconds; ``None`` if espsim did not say."""
        found = [match[1] for line in self.remarks if (match := _VIRTUAL.match(line))]
        return float(found[-1]) if found else None

    @property
    def fired(self) -> int:
        """How often planned faults struck."""
        return sum(int(count) for line in self.remarks if "faults fired" in line for count in _FIRED.findall(line))


@contextmanager
def progress(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on, and take what is to be shown next. It leaves nothing behind.

    Without a terminal nothing is shown.
    """
    if not console.is_terminal:
        yield lambda more: None
        return
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", style="dim", markup=False))
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task(text, total=None)
        yield lambda more: display.update(task, description=more[: max(20, console.width - 14)])


def run(console: Console, words: Sequence[str]) -> Finished:
    """Run the command `words` to its end."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "120", "PYTHONWARNINGS": "ignore"}
    started = time.monotonic()
    collected = bytearray()
    with (
        progress(console, "running") as show,
        subprocess.Popen(
            list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            while chunk := os.read(process.stdout.fileno(), 65536):
                collected += chunk
                said = [part for part in _LINE_END.split(bytes(collected[-600:])) if part.strip()]
                if said:
                    show(plain(said[-1].decode("utf-8", "replace")))
            status = process.wait()
        except BaseException:
            _end(process)
            raise
    text = plain(collected.decode("utf-8", "replace")).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2] for line in text.split("\n")]
    return Finished(
        status=status,
        lines=tuple(line for line in lines if not _OWN.match(line)),
        remarks=tuple(line for line in lines if _OWN.match(line)),
        wall_s=time.monotonic() - started,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End an interrupted command: politely, so that it can close its port and remove its files, then for certain."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()


def plain(text: str) -> str:
    """Return `text` without escape sequences."""
    return _ESCAPE.sub("", text)
