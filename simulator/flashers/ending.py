"""What a program's last words tell: without colours, and whether it ended in an error that it did not handle."""

from __future__ import annotations

import re
import signal

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CRASH = re.compile(
    r"^\s*Traceback \(most recent call last\)|^thread '.*' panicked at|^panic: |^Node\.js v\d+\.|^Segmentation fault",
    re.MULTILINE,
)
_DEADLY = {
    128 + number
    for number in (
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGTRAP,
        signal.SIGSYS,
        signal.SIGKILL,
    )
}
"""Exit statuses of a program that a signal has ended; SIGKILL is how a system ends one that takes all memory."""


def plain(output: bytes) -> str:
    """Return what a program printed, as text without colours."""
    return _COLOUR.sub("", output.decode("utf-8", "replace"))


def crashed(messages: str, status: int) -> bool:
    """Return whether a program ended in an error that it did not handle, by its words or by the signal that ended it.

    Args:
        messages: What it printed, without colours.
        status: Its exit status as a shell reports it.
    """
    return status in _DEADLY or bool(_CRASH.search(messages))
