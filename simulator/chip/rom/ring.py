"""The ring between the UART interrupt and the ROM's loop.

Two indices modulo 256 and no check: after 256 bytes that nobody took the ring looks empty again. What is found later is
the number of bytes put in, modulo 256, and the newest ones, as they overwrote the others.

Source: oracle fact 32, rom_misc.json pipe_md5_then_420_bytes. Fidelity: recorded.
"""

from __future__ import annotations

RING_SIZE = 256
"""Bytes in the ring."""


class Ring:
    """Bytes that wait until the CPU has time."""

    __slots__ = ("_held", "_total")

    def __init__(self) -> None:
        self._held = b""
        self._total = 0

    def push(self, data: bytes) -> None:
        """Put bytes in, as the interrupt does."""
        self._total += len(data)
        self._held = (self._held + data)[-RING_SIZE:]

    def take(self) -> bytes:
        """Take out all that is there."""
        count = self._total % RING_SIZE
        held = self._held[len(self._held) - count :]
        self._held = b""
        self._total = 0
        return held
