"""A virtual port with somebody at its far end who records, for the checks of ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flashcore.port import LineSupport
from simulator.board.board import AdapterDevice
from simulator.board.bridge import BRIDGES
from simulator.kernel import Kernel
from simulator.links.virtual import VirtualPort
from simulator.rng import Rng
from simulator.testing import PortBench
from simulator.wire import Chunk, byte_time


class Recorder:
    """Whoever listens at the UART pins."""

    def __init__(self, device: AdapterDevice) -> None:
        self.data = b""
        self.states: list[tuple[bool, bool]] = []
        self._device = device
        device.adapter.connect(self)

    @property
    def baudrate(self) -> int:
        return self._device.adapter.baudrate

    def receive(self, chunk: Chunk) -> None:
        self.data += chunk.data

    def lines_changed(self, *, dtr: bool, rts: bool) -> None:
        self.states.append((dtr, rts))

    def send(self, data: bytes) -> None:
        baud = self.baudrate
        self._device.adapter.from_chip(Chunk(data, self._device.kernel.now, byte_time(baud), baud))


@contextmanager
def virtual_bench(
    kind: type[VirtualPort] = VirtualPort, *, bridge: str = "CP2102", line_support: LineSupport = LineSupport.ATOMIC
) -> Iterator[PortBench]:
    """Give a port of `kind`. Its far end takes a byte in 87 us, which is slow enough to be stuck."""
    device = AdapterDevice(BRIDGES[bridge], Kernel(), Rng(), None)
    far = Recorder(device)
    yield PortBench(
        port=kind(device, line_support=line_support),
        send=far.send,
        received=lambda: far.data,
        lines=lambda: far.states,
        clog=lambda: None,
    )
