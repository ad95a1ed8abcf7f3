"""Showing what happens: lines for people, a bar where there is a terminal, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from flashcore.errors import FlashcoreError
from flashcore.loader.connect import BY_HAND
from flashcore.loader.progress import (
    BaudrateChanged,
    BlockDone,
    ChipFound,
    Closed,
    Connected,
    Connecting,
    Event,
    Finding,
    FlashFound,
    Recovery,
    RegionDone,
    RegionStarted,
    StubRunning,
    Verified,
    to_json,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_VERBS = {"write": "Writing", "read": "Reading", "erase": "Erasing", "verify": "Verifying"}
_LOADERS = {"rom": "ROM loader", "stub": "stub"}
_STEP = 10


class View(Protocol):
    """Takes everything that is to be shown."""

    def event(self, event: Event) -> None:
        """Show what happened."""
        ...

    def result(self, command: str, fields: Mapping[str, object], lines: Iterable[str]) -> None:
        """Show how it ended: `fields` for programs, `lines` for people."""
        ...

    def error(self, error: FlashcoreError) -> None:
        """Show why it failed."""
        ...

    def finish(self, findings: Iterable[Finding]) -> None:
        """Show what the user should know, at the very end."""
        ...


class JsonView:
    """One JSON object per line.

    Args:
        out: Where they go.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last: dict[str, object] = {}

    def event(self, event: Event) -> None:
        """Write the event."""
        self._write(to_json(event))

    def result(self, command: str, fields: Mapping[str, object], lines: Iterable[str]) -> None:
        """Keep the result for the last line."""
        self._last = {"event": "result", "command": command, **fields}

    def error(self, error: FlashcoreError) -> None:
        """Write the error as the last line, and a sentence to standard error."""
        self._last = {}
        self._write(
            {
                "event": "error",
                "code": error.code,
                "message": error.message,
                "hint": error.hint,
                "context": error.context,
                "exit_code": int(error.exit_code),
            }
        )
        _complain(error)

    def finish(self, findings: Iterable[Finding]) -> None:
        """Write the result as the last line."""
        if self._last:
            notes = [{"code": finding.code, "text": finding.text} for finding in findings]
            self._write({**self._last, "findings": notes})

    def _write(self, fields: Mapping[str, object]) -> None:
        self._out.write(json.dumps(fields) + "\n")
        self._out.flush()


class TextView:
    """Lines, and a progress bar on a terminal.

    Args:
        out: Where they go.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._shown = -1
        self._connecting = False

    def event(self, event: Event) -> None:
        """Show the event in the way that suits it."""
        match event:
            case Connecting(port=port, strategy=strategy):
                if not self._connecting:
                    self._line(f"Connecting to {port} ..." + (f" {BY_HAND}" if strategy == BY_HAND else ""))
                self._connecting = True
            case Connected(loader=loader, strategy=strategy, resets=resets, syncs=syncs):
                self._connecting = False
                self._line(
                    f"Connected: the {_LOADERS.get(loader, loader)} answers ({strategy}; resets: {resets}, SYNCs: {syncs})"
                )
            case ChipFound(chip=chip):
                self._line(f"Chip: {chip}")
            case StubRunning(source=source, uploaded=uploaded):
                self._line(f"Stub running ({source}, {uploaded} bytes)")
            case BaudrateChanged(baudrate=rate):
                self._line(f"Baud rate: {rate}")
            case FlashFound(jedec_id=jedec_id, size=size):
                self._line(f"Flash: {_size(size)} " + (f"(id 0x{jedec_id:06x})" if jedec_id else "(as told)"))
            case RegionStarted(action=action, offset=offset, size=size, name=name):
                self._start(f"{_VERBS.get(action, action)} {_what(name, size, offset)}", size)
            case BlockDone(done=done, size=size):
                self._advance(done, size)
            case Recovery(text=text):
                self._line(f"! {text}")
            case Verified(md5=md5):
                self._stop()
                self._line(f"Verified: MD5 {md5}")
            case RegionDone(size=size, seconds=seconds):
                self._stop()
                speed = f", {size / seconds / 1024:.1f} KiB/s" if seconds > 0 else ""
                self._line(f"Done: {size} bytes in {seconds:.1f} s{speed}")
            case Closed(reset=True, boot=boot):
                self._stop()
                self._line("Chip restarted" + {"": ".", "started": " and runs."}.get(boot, f"; it says: {boot}"))
            case Closed(in_loader=in_loader):
                self._stop()
                self._line("Port closed; the chip stays in its loader." if in_loader else "Port closed.")
            case Finding():
                pass

    def result(self, command: str, fields: Mapping[str, object], lines: Iterable[str]) -> None:
        """Show the lines."""
        for line in lines:
            self._line(line)

    def error(self, error: FlashcoreError) -> None:
        """Show message and hint on standard error."""
        self._stop()
        _complain(error)

    def finish(self, findings: Iterable[Finding]) -> None:
        """Show the findings."""
        for finding in findings:
            self._line(f"Note: {finding.text}.")

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            self._out.write(text + "\n")
            self._out.flush()

    def _start(self, text: str, size: int) -> None:
        self._stop()
        self._shown = 0
        if self._is_terminal and size:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            # Without a thread and without taking over the streams, so that an interruption at any point leaves nothing behind.
            self._bar = Progress(
                *columns,
                console=Console(file=self._out),
                transient=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bar.start()
            self._task = self._bar.add_task(text, total=size)
            self._bar.refresh()
        else:
            self._line(text)

    def _advance(self, done: int, size: int) -> None:
        if self._bar is not None and self._task is not None:
            percent = done * 100 // size
            self._bar.update(self._task, completed=done, refresh=percent > self._shown)
            self._shown = percent
            return
        percent = done * 100 // size // _STEP * _STEP if size else 100
        if percent > self._shown:
            self._shown = percent
            self._line(f"  {percent} %")

    def _stop(self) -> None:
        if self._bar is not None:
            bar, self._bar = self._bar, None
            bar.stop()


def _complain(error: FlashcoreError) -> None:
    sys.stderr.write(f"flashcore: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"hint: {error.hint}\n")
    sys.stderr.flush()


def _what(name: str, size: int, offset: int) -> str:
    return f"{name}: {size} bytes at 0x{offset:x}" if name else f"{size} bytes at 0x{offset:x}"


def _size(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"
