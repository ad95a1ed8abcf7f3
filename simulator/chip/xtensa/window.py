"""The windowed registers: sixteen visible at a time, eight, four or twelve of them renewed by each call.

The physical file is as large as it needs to be, so nothing is ever spilled to the stack. That differs from silicon only for
a program that looks at its own spill area.

Source: Xtensa ISA summary, Windowed Register Option.
"""

from __future__ import annotations

WORD = 0xFFFF_FFFF
VISIBLE = 16
MAX_DEPTH = 256
"""Calls within calls before the program is taken for one that recurses without end."""

_ADDRESS = 0x3FFF_FFFF


class WindowError(Exception):
    """The program calls deeper than is followed, or returns without a call."""


class Window:
    """The registers a0 to a15 as the program sees them."""

    __slots__ = ("_base", "_file", "_increments", "call_increment")

    def __init__(self) -> None:
        self._file = [0] * VISIBLE
        self._base = 0
        self._increments: list[int] = []
        self.call_increment = 0
        """Registers, in fours, by which the next ENTRY moves the window (PS.CALLINC)."""

    @property
    def depth(self) -> int:
        """How many calls are open."""
        return len(self._increments)

    def __getitem__(self, number: int) -> int:
        return self._file[self._base + number]

    def __setitem__(self, number: int, value: int) -> None:
        self._file[self._base + number] = value & WORD

    def visible(self) -> tuple[int, ...]:
        """Return all visible registers."""
        return tuple(self._file[self._base : self._base + VISIBLE])

    def call(self, increment: int, return_address: int) -> None:
        """Leave the return address where the callee will find it."""
        self.call_increment = increment
        if increment:
            self[4 * increment] = increment << 30 | return_address & _ADDRESS
        else:
            self[0] = return_address

    def enter(self, stack: int, frame: int) -> None:
        """ENTRY: move the window and the stack pointer, held in register number `stack`, by `frame` bytes.

        Raises:
            WindowError: Too many calls are open.
        """
        if self.depth >= MAX_DEPTH:
            raise WindowError(f"more than {MAX_DEPTH} calls within calls")
        increment, pointer = self.call_increment, self[stack]
        self._base += 4 * increment
        missing = self._base + VISIBLE - len(self._file)
        if missing > 0:
            self._file += [0] * missing
        self._increments.append(increment)
        self[stack] = pointer - frame

    def leave(self, pc: int) -> int:
        """RETW: give the window back; return where the program goes on.

        Raises:
            WindowError: No call is open, or its return address was overwritten.
        """
        target = self[0]
        if not self._increments or self._increments[-1] != target >> 30:
            raise WindowError("a return without a call")
        self._base -= 4 * self._increments.pop()
        return target & _ADDRESS | pc & ~_ADDRESS & WORD
