"""What `simulator.testing.check_port` needs: a port, and the hands at the other end of its wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from flashcore.port import Port, ns

LineStates = Sequence[tuple[bool, bool]]
"""DTR and RTS, true is asserted: each state that the far end has seen, the present one last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortBench:
    """A port to be checked, and what happens at its far end.

    Args:
        port: The port, just opened, with nothing to read.
        send: Lets the far end send these bytes; they may take their time to arrive.
        received: Returns all bytes that have reached the far end since the port was opened. The far end takes them by
            itself: a long write must not wait for this call.
        lines: Returns the states of DTR and RTS that the far end has seen since the port was opened; ``None`` where they
            cannot be seen.
        clog: Makes the far end take no more bytes; ``None`` where that cannot be done.
        unplug: Pulls the cable; ``None`` where that cannot be done.
    """

    port: Port
    send: Callable[[bytes], None]
    received: Callable[[], bytes]
    lines: Callable[[], LineStates] | None = None
    clog: Callable[[], None] | None = None
    unplug: Callable[[], None] | None = None


class Probe:
    """A bench at work: waiting, on the port's own clock, and saying what is wrong.

    Args:
        bench: The port and its far end.
        check: Name of the check that is being made.
        patience_s: How long to wait for what must come, in seconds of the port's clock.
    """

    def __init__(self, bench: PortBench, check: str, patience_s: float) -> None:
        self.bench = bench
        self.port = bench.port
        self._check = check
        self._patience_ns = ns(patience_s)

    def now(self) -> int:
        """Return the time on the port's clock, in nanoseconds."""
        return self.port.clock.now_ns()

    def soon(self) -> int:
        """Return the time by which whatever must come has come."""
        return self.now() + self._patience_ns

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.port.clock.sleep_until(self.now() + ns(seconds))

    def until(self, met: Callable[[], bool]) -> bool:
        """Wait until `met` says so; return whether it did."""
        limit = self.soon()
        while not met():
            if self.now() >= limit:
                return False
            self.wait(0.005)
        return True

    def collect(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer if they do not come."""
        limit, data = self.soon(), b""
        while len(data) < count and self.now() < limit:
            data += self.port.read(count - len(data), limit)
        return data

    def arrived(self, count: int) -> bytes:
        """Return all that the far end has once that is `count` bytes, or will be no more."""
        self.until(lambda: len(self.bench.received()) >= count)
        return self.bench.received()

    def require(self, met: bool, problem: str) -> None:
        """Fail with `problem` unless `met`."""
        if not met:
            self.fail(problem)

    def fail(self, problem: str) -> NoReturn:
        """Say what is wrong with the port.

        Raises:
            AssertionError: Always.
        """
        raise AssertionError(f"{type(self.port).__name__} breaks the rule {self._check!r} of flashcore.port.Port: {problem}")
