"""The discrete-event kernel: what happens next, and when.

Time is an integer of nanoseconds that only moves forward, and only when asked. Actions due at the same time run by priority,
then in the order in which they were scheduled, so a run depends on nothing but its inputs. The kernel never looks at a real
clock: `advance` is called by a virtual port that jumps, or by a pump that follows the machine's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[], None]

MS = 1_000_000
"""Nanoseconds in a millisecond."""
US = 1_000
"""Nanoseconds in a microsecond."""
S = 1_000_000_000
"""Nanoseconds in a second."""


class Timer:
    """An action waiting for its time."""

    __slots__ = ("action", "at_ns")

    def __init__(self, at_ns: int, action: Action) -> None:
        self.at_ns = at_ns
        self.action: Action | None = action

    def cancel(self) -> None:
        """Make sure that the action does not run. Cancelling twice, or too late, is harmless."""
        self.action = None


class Kernel:
    """A queue of timed actions and the present time."""

    __slots__ = ("_heap", "_sequence", "executed", "now")

    def __init__(self) -> None:
        self.now = 0
        """The present, in nanoseconds since the start of the run."""
        self.executed = 0
        """How many actions have run."""
        self._heap: list[tuple[int, int, int, Timer]] = []
        self._sequence = 0

    def at(self, at_ns: int, action: Action, *, priority: int = 0) -> Timer:
        """Run `action` at `at_ns`, or as soon as possible if that has passed.

        Args:
            at_ns: When, in nanoseconds.
            action: What to run.
            priority: Lower runs first among actions of one moment.
        """
        if at_ns < self.now:
            at_ns = self.now
        timer = Timer(at_ns, action)
        self._sequence += 1
        heappush(self._heap, (at_ns, priority, self._sequence, timer))
        return timer

    def after(self, delay_ns: int, action: Action, *, priority: int = 0) -> Timer:
        """Run `action` in `delay_ns` nanoseconds."""
        return self.at(self.now + delay_ns, action, priority=priority)

    def next_deadline(self) -> int | None:
        """Return when the next action is due, or ``None`` if nothing is planned."""
        heap = self._heap
        while heap and heap[0][3].action is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def advance(self, to_ns: int) -> None:
        """Run everything due until `to_ns`, and leave the present there."""
        heap = self._heap
        while heap and heap[0][0] <= to_ns:
            at_ns, _, _, timer = heappop(heap)
            action = timer.action
            if action is None:
                continue
            timer.action = None
            self.now = at_ns
            self.executed += 1
            action()
        if to_ns > self.now:
            self.now = to_ns
