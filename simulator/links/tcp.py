"""Raw TCP: the bytes of a serial port and nothing else, for esptool's ``socket://`` and for everything else with sockets.

There are no modem lines, so somebody must have held BOOT, and no baud rate, so the adapter follows the chip's. One client at a
time; another one's connection is closed at once. A new client gets nothing of what was sent before it came.
"""

from __future__ import annotations

from simulator.board.board import HostBaud, HostEvent, HostOpen
from simulator.links.seat import Address, SeatedLink


class TcpLink(SeatedLink):
    """A TCP port that is a serial port. Close it, or use it as a context manager.

    Args:
        address: Where to listen; on this machine only, by default.

    Raises:
        FlashcoreError: It is not possible to listen there.
    """

    def __init__(self, address: Address | None = None) -> None:
        super().__init__(address)
        self.path = f"socket://{self.seat.reachable}"
        """What a client on this machine opens, as pyserial writes it."""

    @property
    def pending(self) -> int:
        """None: what the kernel does not take stays with the pump."""
        return 0

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what the client has done since, in order."""
        events: list[HostEvent] = []
        for event in self.seat.poll(take_bytes=take_bytes):
            events.append(event)
            if isinstance(event, HostOpen):
                events.append(HostBaud(0))
        return events

    def send(self, data: bytes) -> int:
        """Hand bytes to the client; return how many were taken."""
        return self.seat.send(data)
