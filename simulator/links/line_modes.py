"""What becomes of DTR and RTS when each change takes a network client 50 ms or more.

Literally done, the classic reset sequence fails: between "reset" (RTS) and "boot pin low" (DTR) it asserts both lines, where
neither transistor pulls, and the chip starts before the next change arrives. So by default the server does that step itself:
when both lines become asserted out of reset, it pulls IO0 and releases EN in one step, keeps IO0 low for long enough, and then
releases everything. What the client still says until both its lines are released, or until it resets anew, changes nothing.
A reset (RTS alone) starts and ends when the client says so, hence a hard reset works as it is.

Source: docs/sources.md, Modem lines.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum, unique
from typing import Protocol

from simulator.board.board import HostLines
from simulator.kernel import MS, Kernel, Timer

HOLD_NS = 550 * MS
"""How long IO0 is kept low: the longer one of the two times that flashers use, for boards with a big capacitor at EN."""

_RELEASED = (False, False)
_RESET = (False, True)
_BOOT = (True, False)
_BOTH = (True, True)

Apply = Callable[[HostLines], None]


@unique
class LineMode(StrEnum):
    """What a server does with the client's line changes."""

    REPLAY = "replay"
    """A reset into download mode is done by the server, in one go."""
    LITERAL = "literal"
    """Each change takes effect when it arrives."""


class Lines(Protocol):
    """The lines of one session."""

    def set(self, *, dtr: bool, rts: bool) -> None:
        """Learn what the client wants the lines to be; true is asserted."""
        ...

    def end(self) -> None:
        """Release the lines: the client has gone."""
        ...


class Literal:
    """Every change takes effect when it arrives.

    Args:
        now: Changes the lines of the device.
    """

    def __init__(self, now: Apply) -> None:
        self._now = now
        self._wanted = _RELEASED

    def set(self, *, dtr: bool, rts: bool) -> None:
        """Learn what the client wants the lines to be; true is asserted."""
        if (dtr, rts) != self._wanted:
            self._wanted = (dtr, rts)
            self._now(HostLines(dtr, rts))

    def end(self) -> None:
        """Release the lines."""
        self.set(dtr=False, rts=False)


class Replay:
    """A reset into download mode is done in one go.

    Args:
        now: Changes the lines of the device, in the order of the client's words.
        later: Changes the lines of the device at any time.
        kernel: The device's time.
    """

    def __init__(self, now: Apply, later: Apply, kernel: Kernel) -> None:
        self._now = now
        self._later = later
        self._kernel = kernel
        self._wanted = _RELEASED
        self._lines = _RELEASED
        self._done = False
        """Whether the rest of what the client says has been done for it."""
        self._release: Timer | None = None

    def set(self, *, dtr: bool, rts: bool) -> None:
        """Learn what the client wants the lines to be; true is asserted."""
        before, self._wanted = self._wanted, (dtr, rts)
        if self._wanted == before:
            return
        if self._done and self._wanted not in (_RELEASED, _RESET):
            return
        if self._done and self._wanted == _RELEASED:
            self._done = False
        elif (before, self._wanted) == (_RESET, _BOTH):
            self._done = True
            self._set(_BOOT)
            self._release = self._kernel.after(HOLD_NS, self._finish)
        else:
            self._done = False
            self._cancel()
            self._set(self._wanted)

    def end(self) -> None:
        """Release the lines."""
        self._wanted = _RELEASED
        self._done = False
        self._cancel()
        self._set(_RELEASED)

    def _set(self, lines: tuple[bool, bool]) -> None:
        if lines != self._lines:
            self._lines = lines
            self._now(HostLines(*lines))

    def _finish(self) -> None:
        self._release = None
        self._lines = _RELEASED
        self._later(HostLines(*_RELEASED))

    def _cancel(self) -> None:
        if self._release is not None:
            self._release.cancel()
            self._release = None
