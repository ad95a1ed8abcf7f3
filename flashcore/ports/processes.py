"""Which programs run that have to do with ports: who has one open, and who is known to take them away.

Source: Linux, `proc(5)`. On other systems nothing is known.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")

MEDDLERS = ("brltty", "ModemManager")
"""Programs known to take serial ports away. Source: fault catalogue row 23."""


def holder(port: str) -> str:
    """Return who has `port` open, for example ``minicom (pid 4711)``; empty if that is unknown."""
    real = os.path.realpath(port)
    for process in _processes():
        if process.name == str(os.getpid()):
            continue
        if real in _opened_by(process):
            return f"{_name(process)} (pid {process.name})"
    return ""


def meddlers() -> list[str]:
    """Return which of `MEDDLERS` are running."""
    running = {_name(process) for process in _processes()}
    return [name for name in MEDDLERS if name in running]


def _opened_by(process: Path) -> Iterator[str]:
    """Yield what a process has open, as far as we may see it."""
    try:
        numbers = os.listdir(process / "fd")
    except OSError:
        # It has ended, or belongs to another user.
        return
    for number in numbers:
        with contextlib.suppress(OSError):
            yield os.readlink(process / "fd" / number)


def _processes() -> Iterator[Path]:
    try:
        names = os.listdir(_PROC)
    except OSError:
        return
    yield from (_PROC / name for name in names if name.isdecimal())


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
