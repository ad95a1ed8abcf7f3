"""What the chip's CPU is doing: the one seam at which ROM, stubs and firmware are exchanged."""

from __future__ import annotations

from typing import Protocol

from simulator.wire import Chunk


class Program(Protocol):
    """Something that runs on the chip and owns UART0 while it does.

    A program keeps no timers beyond its life: it schedules through `Soc.after`, which forgets them at the next reset or jump.
    """

    def start(self) -> None:
        """Begin. Called once, at the moment the CPU jumps here."""
        ...

    def receive(self, chunk: Chunk) -> None:
        """Take bytes from UART0 at the moment the last of them is complete.

        Chunks end behind every C0, so a frame is complete exactly when its last chunk arrives. `chunk.start_ns` and
        `chunk.byte_ns` tell when each byte came, for a program that was busy meanwhile.
        """
        ...


class Dead:
    """A CPU that answers nothing any more: a fault without a handler, or a loader that was left."""

    def start(self) -> None:
        """Do nothing."""

    def receive(self, chunk: Chunk) -> None:
        """Swallow everything."""
