"""What the forum thread shows: a fresh board, esptool 3.3, and a message that names the wrong cause.

Nothing timed out there. In ``01070000`` the first byte says "failed" and the second why: 07, the ROM's "checksum of the packet
invalid". The driver of the operating system had damaged the long frames in which the stub loader is uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

THREAD: tuple[str, ...] = (
    r"Detecting chip type\.\.\. Unsupported detection protocol, switching and trying again\.\.\.",
    r"Connecting\.{3,}",
    r"Detecting chip type\.\.\. ESP32",
    r"Chip is ESP32-D0WDQ6-V3 \(revision 3\)",
    r"Features: WiFi, BT, Dual Core, 240MHz, VRef calibration in efuse, Coding Scheme None",
    r"Crystal is 40MHz",
    r"MAC: [0-9a-f]{2}(:[0-9a-f]{2}){5}",
    r"Uploading stub\.\.\.",
    r"A fatal error occurred: Failed to write to target RAM \(result was 01070000: Operation timed out\)",
)
"""Patterns for the thread's lines. The address is each board's own; behind ``Connecting...`` stands one more dot for each SYNC
that went unanswered, of which there is at least one on silicon: the ROM spends the first on finding the baud rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An output beside the thread.

    Args:
        lines: The part of the output that was compared.
        difference: The first line that differs, in words; empty if all are as in the thread.
    """

    lines: tuple[str, ...]
    difference: str


def compare(output: Sequence[str]) -> Comparison:
    """Compare the output of esptool 3.3 with the thread, line for line, from the thread's first line on to its last.

    Empty lines do not count. Between first and last line there must be nothing else.
    """
    lines = [line.rstrip() for line in output if line.strip()]
    first = next((number for number, line in enumerate(lines) if re.fullmatch(THREAD[0], line)), None)
    if first is None:
        return Comparison(lines=(), difference="the line 'Unsupported detection protocol' is missing")
    shown = tuple(lines[first : first + len(THREAD)])
    for number, pattern in enumerate(THREAD):
        if number >= len(shown):
            return Comparison(lines=shown, difference=f"the output ends before {_plain(pattern)!r}")
        if not re.fullmatch(pattern, shown[number]):
            return Comparison(lines=shown, difference=f"{shown[number]!r} stands in place of {_plain(pattern)!r}")
    return Comparison(lines=shown, difference="")


def _plain(pattern: str) -> str:
    return pattern.replace("\\", "").partition(" [0-9")[0]
