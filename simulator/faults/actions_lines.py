"""What faults do to the modem lines: each change that the host asks for becomes the changes that reach the circuit.

Source: docs/sources.md, Reset circuit; fault catalogue rows 2, 39 and 54. Fidelity: guessed for delays, which depend on host
and driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from simulator.kernel import S
from simulator.rng import Dice
from simulator.wire import LineChange


@dataclass(frozen=True, slots=True)
class LineStuck:
    """One line does not move.

    Args:
        line: ``dtr`` or ``rts``.
        asserted: As what it stays.
    """

    line: str
    asserted: bool = False


@dataclass(frozen=True, slots=True)
class LineSwap:
    """Each line moves when the other should."""


@dataclass(frozen=True, slots=True)
class LineDelay:
    """Changes take effect late, in their order.

    Args:
        seconds: How late.
        jitter: Up to so much more, drawn for each change, in seconds.
    """

    seconds: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class LineIgnore:
    """The change is lost; the next one comes through whole."""


@dataclass(frozen=True, slots=True)
class LineSplit:
    """A change of both lines becomes two, DTR first.

    Args:
        seconds: From one to the other.
    """

    seconds: float = 0.001


@dataclass(frozen=True, slots=True)
class HoldDtr:
    """A change of DTR waits for the next change of RTS and goes with it, as with a driver that sends only the latter."""


@dataclass(frozen=True, slots=True)
class LinesOnClose:
    """The driver moves both lines when the port is closed, one after the other, and the chip is reset on the way.

    Args:
        asserted: Where to: asserted, RTS first; or released, DTR first.
        seconds: From one to the other.
    """

    asserted: bool = False
    seconds: float = 0.01


LineAction = LineStuck | LineSwap | LineDelay | LineIgnore | LineSplit | HoldDtr

LineEffect = Callable[[LineChange], Sequence[LineChange]]
"""Carries out an action on one change."""


def line_effect(action: LineAction, dice: Dice) -> LineEffect:
    """Return the function that carries out `action`, drawing from `dice`."""
    match action:
        case LineStuck("dtr", asserted):
            return lambda change: [replace(change, dtr=asserted)]
        case LineStuck(_, asserted):
            return lambda change: [replace(change, rts=asserted)]
        case LineSwap():
            return lambda change: [LineChange(change.at_ns, change.rts, change.dtr)]
        case LineDelay():
            return _Late(action, dice)
        case LineIgnore():
            return lambda change: []
        case LineSplit(seconds):
            return _Split(round(seconds * S))
        case HoldDtr():
            return _Held()
        case _:
            assert_never(action)


class _Late:
    """Delay each change, none before the one ahead of it."""

    def __init__(self, settings: LineDelay, dice: Dice) -> None:
        self._delay_ns = round(settings.seconds * S)
        self._jitter_ns = round(settings.jitter * S)
        self._dice = dice
        self._last_ns = 0

    def __call__(self, change: LineChange) -> list[LineChange]:
        late = self._delay_ns + (self._dice.between(0, self._jitter_ns) if self._jitter_ns else 0)
        self._last_ns = max(self._last_ns, change.at_ns + late)
        return [replace(change, at_ns=self._last_ns)]


class _Split:
    """Let DTR go ahead where both lines change."""

    def __init__(self, gap_ns: int) -> None:
        self._gap_ns = gap_ns
        self._lines = (False, False)

    def __call__(self, change: LineChange) -> list[LineChange]:
        dtr, rts = self._lines
        self._lines = change.dtr, change.rts
        if change.dtr == dtr or change.rts == rts:
            return [change]
        return [replace(change, rts=rts), replace(change, at_ns=change.at_ns + self._gap_ns)]


class _Held:
    """Keep DTR back until RTS changes."""

    def __init__(self) -> None:
        self._lines = (False, False)

    def __call__(self, change: LineChange) -> list[LineChange]:
        dtr, rts = self._lines
        if change.rts != rts:
            dtr = change.dtr
        self._lines = dtr, change.rts
        return [change if change.dtr == dtr else replace(change, dtr=dtr)]
