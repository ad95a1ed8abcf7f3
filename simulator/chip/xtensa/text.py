"""What the ROM's ``ets_printf`` makes of a format and its arguments.

Fidelity: from source (ESP-IDF's ROM headers: no floating point, no 64-bit numbers); an unknown conversion is printed as it
stands, guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from simulator.chip.memory import Memory
from simulator.chip.xtensa.arithmetic import signed

MAX_TEXT = 4096
"""Longest string that is followed, in bytes."""

_CONVERSION = re.compile(rb"%(-?)(0?)(\d*)(?:\.(\d+))?l?([%cdiopsuxX])")


def c_string(memory: Memory, address: int) -> bytes:
    """Return the zero-terminated string at `address`, or its first `MAX_TEXT` bytes.

    Raises:
        BusFault: It runs into what is not mapped.
    """
    found = bytearray()
    while len(found) < MAX_TEXT:
        found += memory.read32(address + len(found)).to_bytes(4, "little")
        end = found.find(0)
        if end >= 0:
            return bytes(found[:end])
    return bytes(found)


def formatted(memory: Memory, argument: Callable[[int], int]) -> bytes:
    """Return the text of a call of ``ets_printf``.

    Args:
        memory: The address space.
        argument: Returns argument number n of the call; the format is number 0.

    Raises:
        BusFault: A string runs into what is not mapped.
    """
    taken = 0

    def convert(found: re.Match[bytes]) -> bytes:
        nonlocal taken
        left, zero, width, precision, kind = found.groups()
        if kind == b"%":
            return b"%"
        taken += 1
        text = _convert(memory, kind, argument(taken))
        if precision and kind == b"s":
            text = text[: int(precision)]
        size = int(width or 0)
        if left:
            return text.ljust(size)
        if zero and text[:1] == b"-":
            return b"-" + text[1:].rjust(size - 1, b"0")
        return text.rjust(size, b"0" if zero else b" ")

    return _CONVERSION.sub(convert, c_string(memory, argument(0)))


def _convert(memory: Memory, kind: bytes, value: int) -> bytes:
    match kind:
        case b"s":
            return c_string(memory, value)
        case b"c":
            return bytes([value & 0xFF])
        case b"d" | b"i":
            return b"%d" % signed(value, 32)
        case b"u":
            return b"%d" % value
        case b"o":
            return b"%o" % value
        case b"X":
            return b"%X" % value
        case _:
            return b"%x" % value
