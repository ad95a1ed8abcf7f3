"""A port in the same process and in virtual time.

Whenever the host waits, time jumps to the next thing that happens: an event of the model, bytes that reach the host, or the
host's own deadline. Nothing else moves the clock, so a run depends only on what the host does and on the seed.
"""

from __future__ import annotations

import contextlib

from flashcore.errors import DeadlineExceededError, PortError, PortLostError
from flashcore.port import LineSupport
from simulator.board.board import Device, HostBaud, HostBytes, HostClose, HostDiscard, HostEvent, HostLines, HostOpen
from simulator.clock import VirtualClock


class VirtualPort:
    """A `flashcore.port.Port` onto a virtual device.

    Args:
        device: What is at the other end of the cable.
        name: The name to show to the user.
        baudrate: The rate at which the port is opened.
        line_support: What the link can do with DTR and RTS.
    """

    def __init__(
        self,
        device: Device,
        *,
        name: str = "virtual",
        baudrate: int = 115200,
        line_support: LineSupport = LineSupport.ATOMIC,
    ) -> None:
        self.device = device
        self.name = name
        self.line_support = line_support
        self.clock = VirtualClock(device.advance, lambda: device.kernel.now)
        self._dtr = False
        self._rts = False
        self._open = True
        self._baudrate = baudrate
        device.submit(HostOpen())
        try:
            device.submit(HostBaud(baudrate))
        except PortError:
            self.close(lines=None)
            raise

    @property
    def baudrate(self) -> int:
        """The rate at the host's side, in baud."""
        return self._baudrate

    @property
    def is_open(self) -> bool:
        """Whether the port was not closed yet."""
        return self._open

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read without waiting."""
        return self.device.adapter.in_waiting()

    def set_baudrate(self, baudrate: int) -> None:
        """Change the rate at the host's side.

        Raises:
            PortError: The driver refuses it.
            PortLostError: The port was closed, or vanished.
        """
        self._do(HostBaud(baudrate))
        self._baudrate = baudrate

    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        """Return what is there, letting time pass until the first byte comes or `deadline_ns`.

        Raises:
            PortLostError: The port was closed, or vanished.
        """
        self._require_open()
        device = self.device
        drain = device.drain
        while True:
            data = drain(max_bytes)
            if data or deadline_ns < device.kernel.now:
                return data
            upcoming = device.next_deadline()
            if upcoming is None or upcoming > deadline_ns:
                device.advance(deadline_ns)
                return drain(max_bytes)
            device.advance(upcoming)

    def read_exactly(self, count: int, deadline_ns: int) -> bytes:
        """Return `count` bytes, or fewer if no more come until `deadline_ns`; as a driver's blocking read does.

        Raises:
            PortLostError: The port was closed, or vanished.
        """
        self._require_open()
        device = self.device
        parts: list[bytes] = []
        while True:
            data = device.drain(count)
            count -= len(data)
            if data:
                parts.append(data)
            if not count or device.kernel.now >= deadline_ns:
                return b"".join(parts)
            upcoming = device.next_deadline(count)
            if upcoming is None:
                upcoming = deadline_ns
            device.advance(min(upcoming, deadline_ns))

    def write(self, data: bytes, deadline_ns: int) -> None:
        """Hand all of `data` to the adapter; returns when the rest fits into the buffers on the way.

        Raises:
            DeadlineExceededError: The adapter did not take all of it in time.
            PortLostError: The port was closed.
        """
        self._require_open()
        done = self.device.submit(HostBytes(data))
        if done > deadline_ns:
            self.clock.sleep_until(deadline_ns)
            raise DeadlineExceededError(f"{self.name} did not take {len(data)} bytes in time", code="port.write_stuck")
        self.clock.sleep_until(done)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert (true) or release (false) the modem lines; ``None`` leaves a line as it is."""
        self._require_open()
        new_dtr = self._dtr if dtr is None else dtr
        new_rts = self._rts if rts is None else rts
        if self.line_support is LineSupport.SEQUENTIAL and new_dtr != self._dtr and new_rts != self._rts:
            self._do(HostLines(new_dtr, self._rts))
        self._do(HostLines(new_dtr, new_rts))
        self._dtr, self._rts = new_dtr, new_rts

    def discard_input(self) -> None:
        """Forget everything received but not yet read."""
        self._do(HostDiscard())

    def close(self, *, lines: tuple[bool, bool] | None = (False, False)) -> None:
        """Give the port back, by default with both lines released. Closing twice is harmless.

        Args:
            lines: DTR and RTS as they are left; ``None`` leaves them as they are.
        """
        if self._open:
            if lines is not None and lines != (self._dtr, self._rts):
                with contextlib.suppress(PortLostError):
                    self.set_lines(dtr=lines[0], rts=lines[1])
            self._open = False
            self.device.submit(HostClose())

    def _do(self, event: HostEvent) -> None:
        self._require_open()
        self.clock.sleep_until(self.device.submit(event))

    def _require_open(self) -> None:
        if not self._open:
            raise PortLostError(f"{self.name} is closed")
