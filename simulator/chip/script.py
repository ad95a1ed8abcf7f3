"""A program that says lines at given times: most of what a chip does on its UART before and after flashing.

A script is an iterator of steps, run lazily, so an endless one costs one event per line and nothing while time stands still. It
may reset the chip or jump elsewhere between two steps; the steps after that are never asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator.chip.soc import Soc
from simulator.wire import Chunk


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to say.

    Args:
        text: Bytes for UART0; may be empty.
        pause_ns: The script goes on this long after it began to say it, but not before the last bit has left.
    """

    text: bytes
    pause_ns: int = 0


Steps = Iterator[Step]


class Script:
    """Runs steps on a chip.

    Args:
        soc: The chip.
        steps: What to say and when; asked for the first step when the CPU jumps here.
        listen: Called with what UART0 hears; by default nobody listens.
    """

    __slots__ = ("_listen", "_soc", "_steps")

    def __init__(self, soc: Soc, steps: Steps, listen: Callable[[bytes], None] | None = None) -> None:
        self._soc = soc
        self._steps = steps
        self._listen = listen

    def start(self) -> None:
        """Say the first step."""
        self._next()

    def receive(self, chunk: Chunk) -> None:
        """Pass bytes to the listener, if there is one."""
        if self._listen is not None:
            self._listen(self._soc.heard(chunk))

    def _next(self) -> None:
        step = next(self._steps, None)
        if step is None:
            return
        soc = self._soc
        sent_ns = soc.uart.send(step.text) - soc.kernel.now if step.text else 0
        soc.after(max(step.pause_ns, sent_ns), self._next)
