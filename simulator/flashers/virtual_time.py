"""The standard library's clocks, moved onto a virtual one, for an unmodified flasher in the same process.

Looking at the clock costs nothing and sleeping moves the world on, so a run depends only on what the flasher does. Two cares:
a loop that does nothing but look at the clock must end, so from the `PATIENCE`-th look in a row each look lasts a moment; and
only the main thread owns the world, so other threads (a progress bar's) see virtual time but sleep in real time.
Modules that wait on locks with a timeout (`threading`, `queue`) measure in real time; they are imported first, so that they
keep the real clock.
"""

from __future__ import annotations

import queue  # noqa: F401 - keeps the real clock
import threading
import time
from collections.abc import Callable
from types import MappingProxyType, MethodType
from typing import TypeVar

from flashcore.port import NS_PER_S, Clock, ns

_T = TypeVar("_T")

EPOCH_S = 1_700_000_000
"""What `time.time` says when a run starts (14 November 2023, 22:13:20 UTC): the same in every run, and a plausible date."""

MONOTONIC_S = 1_000
"""What `time.monotonic` says then; some programs take zero for "never"."""

PATIENCE = 1_000
"""Looks at the clock in a row, with nothing in between, before looking costs time."""

LOOK_NS = 100_000
"""How long each look lasts from then on."""


class VirtualTime:
    """The replacements for `time`'s functions.

    Args:
        clock: The clock of the virtual world.
        too_late: Called with the time to which a sleep would lead, in nanoseconds; raises if no run should last that long.
    """

    def __init__(self, clock: Clock, too_late: Callable[[int], None] = lambda _: None) -> None:
        self._clock = clock
        self._too_late = too_late
        self._owner = threading.get_ident()
        self._looks = 0
        self._seen = -1
        self._sleep = time.sleep
        self._originals = MappingProxyType({name: getattr(time, name) for name in self._replacements()})

    def install(self) -> None:
        """Replace the functions. Modules imported before this keep what they took from `time`."""
        for name, function in self._replacements().items():
            setattr(time, name, function)

    def remove(self) -> None:
        """Bring the real functions back."""
        for name, function in self._originals.items():
            setattr(time, name, function)

    def _replacements(self) -> dict[str, Callable[..., object]]:
        # All are bound methods: a class that keeps one as its attribute, as pyserial's `Timeout` does, must not bind it again.
        return {
            "sleep": self.sleep,
            "time": self._time,
            "time_ns": self._time_ns,
            "monotonic": self._monotonic,
            "monotonic_ns": self._monotonic_ns,
            "perf_counter": self._perf_counter,
            "perf_counter_ns": self.now_ns,
            "localtime": self._of_now(time.localtime),
            "gmtime": self._of_now(time.gmtime),
            "ctime": self._of_now(time.ctime),
            "strftime": self._formatted,
            "asctime": self._as_text,
        }

    def now_ns(self) -> int:
        """Return the virtual time in nanoseconds; a look at the clock."""
        now = self._clock.now_ns()
        if threading.get_ident() != self._owner:
            return now
        if now != self._seen:
            self._seen, self._looks = now, 0
            return now
        self._looks += 1
        if self._looks < PATIENCE:
            return now
        self._pass(now + LOOK_NS)
        self._seen = self._clock.now_ns()
        return self._seen

    def sleep(self, seconds: float, /) -> None:
        """Let `seconds` of the world pass; in another thread than the world's, of the machine's time.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        if threading.get_ident() != self._owner:
            self._sleep(seconds)
            return
        self._pass(self._clock.now_ns() + ns(seconds))

    def _pass(self, to_ns: int) -> None:
        self._too_late(to_ns)
        self._clock.sleep_until(to_ns)

    def _time(self) -> float:
        return EPOCH_S + self.now_ns() / NS_PER_S

    def _time_ns(self) -> int:
        return EPOCH_S * NS_PER_S + self.now_ns()

    def _monotonic(self) -> float:
        return MONOTONIC_S + self.now_ns() / NS_PER_S

    def _monotonic_ns(self) -> int:
        return MONOTONIC_S * NS_PER_S + self.now_ns()

    def _perf_counter(self) -> float:
        return self.now_ns() / NS_PER_S

    def _of_now(self, original: Callable[[float | None], _T]) -> Callable[..., _T]:
        def function(virtual: VirtualTime, seconds: float | None = None, /) -> _T:
            return original(virtual._time() if seconds is None else seconds)

        return MethodType(function, self)

    def _formatted(self, form: str, moment: time.struct_time | None = None, /) -> str:
        strftime: Callable[[str, time.struct_time], str] = self._originals["strftime"]
        return strftime(form, moment or time.localtime())

    def _as_text(self, moment: time.struct_time | None = None, /) -> str:
        asctime: Callable[[time.struct_time], str] = self._originals["asctime"]
        return asctime(moment or time.localtime())
