"""The clocks of the simulator: one that jumps, and the machine's own for links in real time."""

from __future__ import annotations

import time
from collections.abc import Callable


class VirtualClock:
    """Time that passes only when somebody waits.

    Args:
        advance: Called with the time to go to; it must run everything that happens until then and leave `now` there.
        now: Returns the present virtual time in nanoseconds.
    """

    __slots__ = ("_advance", "now_ns")

    def __init__(self, advance: Callable[[int], None], now: Callable[[], int]) -> None:
        self._advance = advance
        self.now_ns = now

    def sleep_until(self, deadline_ns: int) -> None:
        """Let the world run until `deadline_ns`."""
        if deadline_ns > self.now_ns():
            self._advance(deadline_ns)


def monotonic_ns() -> int:
    """Return the machine's monotonic time in nanoseconds, for links in real time."""
    return time.monotonic_ns()
