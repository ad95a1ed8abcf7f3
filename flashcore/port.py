"""The seam between protocol and world: a byte stream with modem lines, and the clock that belongs to it.

Time belongs to the port, so that bytes and time are never of two worlds: a virtual port brings a virtual clock, on which a
timeout of 120 s costs nothing. All times are integer nanoseconds of ``port.clock``; seconds appear only in configuration.
Reading never raises at the deadline, since "nothing came" is an answer; only a port that vanished raises.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, unique
from typing import Protocol, runtime_checkable

NS_PER_S = 1_000_000_000
"""Nanoseconds in a second."""


def ns(seconds: float) -> int:
    """Return `seconds` as integer nanoseconds, rounded."""
    return round(seconds * NS_PER_S)


class Clock(Protocol):
    """A source of time that can be waited on."""

    def now_ns(self) -> int:
        """Return nanoseconds since an arbitrary start; never goes backwards."""
        ...

    def sleep_until(self, deadline_ns: int) -> None:
        """Wait until `deadline_ns`; return at once if it has passed."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""
        return time.monotonic_ns()

    def sleep_until(self, deadline_ns: int) -> None:
        """Sleep until `deadline_ns` on the monotonic clock."""
        left = deadline_ns - time.monotonic_ns()
        if left > 0:
            time.sleep(left / NS_PER_S)


@unique
class LineSupport(Enum):
    """What a link can do with DTR and RTS."""

    NONE = "none"
    """There are no lines: the user must bring the chip into download mode."""
    SEQUENTIAL = "sequential"
    """The lines change one after the other, DTR first."""
    ATOMIC = "atomic"
    """Both lines change in one step."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time by which something must be done.

    Args:
        clock: The clock on which it is measured.
        at_ns: The point, in nanoseconds of that clock.
    """

    clock: Clock
    at_ns: int

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """Return the deadline `seconds` from now."""
        return cls(clock, clock.now_ns() + ns(seconds))


@runtime_checkable
class Port(Protocol):
    """A serial port as the loader sees it."""

    @property
    def name(self) -> str:
        """The name by which the user knows the port."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock on which this port's deadlines are measured."""
        ...

    @property
    def line_support(self) -> LineSupport:
        """What the link can do with DTR and RTS."""
        ...

    @property
    def baudrate(self) -> int:
        """The rate at the host's side, in baud."""
        ...

    def set_baudrate(self, baudrate: int) -> None:
        """Change the rate at the host's side.

        Raises:
            PortError: The driver refuses the rate.
        """
        ...

    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        """Return what is there, waiting for the first byte until `deadline_ns`.

        Returns:
            One to `max_bytes` bytes, or none if the deadline passed in silence.

        Raises:
            PortLostError: The port vanished.
        """
        ...

    def write(self, data: bytes, deadline_ns: int) -> None:
        """Hand all of `data` to the driver.

        Raises:
            DeadlineExceededError: The driver did not take all of it in time.
            PortLostError: The port vanished.
        """
        ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert (true) or release (false) the modem lines; ``None`` leaves a line as it is.

        Raises:
            LinesUnsupportedError: The link has no modem lines.
        """
        ...

    def discard_input(self) -> None:
        """Forget everything received but not yet read."""
        ...

    def close(self) -> None:
        """Give the port back, with both lines released where there are lines. Closing twice is harmless."""
        ...
