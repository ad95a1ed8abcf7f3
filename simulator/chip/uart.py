"""UART0 of the chip: where its bytes meet the bridge."""

from __future__ import annotations

from collections.abc import Callable

from simulator.kernel import Kernel
from simulator.wire import Chunk, byte_time

DEFAULT_BAUD = 115200
"""Rate at which the ROM prints its banner (with the crystal that it expects)."""


class Uart:
    """The transmitter, which sends one byte after the other, and the rate of both directions.

    Args:
        kernel: Time.
        transmit: Called with each chunk when it is handed to the transmitter.
    """

    __slots__ = ("_free_ns", "_kernel", "_transmit", "baud", "clock_error")

    def __init__(self, kernel: Kernel, transmit: Callable[[Chunk], None]) -> None:
        self._kernel = kernel
        self._transmit = transmit
        self._free_ns = 0
        self.baud = DEFAULT_BAUD
        """Rate at which the chip means to send and to listen."""
        self.clock_error = 0.0
        """How much faster its clock is than it should be: 0.02 is 2 %."""

    @property
    def line_baud(self) -> int:
        """Rate at which the chip does send and listen."""
        return round(self.baud * (1 + self.clock_error)) if self.clock_error else self.baud

    def send(self, data: bytes) -> int:
        """Put `data` behind what is still being sent.

        Returns:
            When its last bit will have left, in nanoseconds.
        """
        start = max(self._kernel.now, self._free_ns)
        baud = self.line_baud
        chunk = Chunk(data, start, byte_time(baud), baud)
        self._free_ns = chunk.end_ns
        if data:
            self._transmit(chunk)
        return self._free_ns

    def reset(self) -> None:
        """Stop sending and go back to the default rate."""
        self._free_ns = 0
        self.baud = DEFAULT_BAUD
