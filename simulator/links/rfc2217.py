"""RFC 2217: a serial port with baud rate and modem lines over TCP, for pyserial's ``rfc2217://`` and other clients.

One client at a time, as with raw TCP. Telnet and its options are `simulator.links.telnet_port`, which turns them into what a
host does with a port; what becomes of DTR and RTS says `simulator.links.line_modes`. The port opens at 115200 baud with both
lines released, whatever the client before left. Telnet's answers and the device's bytes share one stream, so what the kernel
does not take of it is kept here, and a client that does not read is not listened to either.
"""

from __future__ import annotations

from simulator.board.board import Device, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.links.line_modes import LineMode, Lines, Literal, Replay
from simulator.links.seat import Address, SeatedLink
from simulator.links.telnet_port import TelnetPort, escaped


class Rfc2217Link(SeatedLink):
    """A TCP port that is a serial port with all that belongs to it. Close it, or use it as a context manager.

    Args:
        device: What the client talks to; lines that change later than the client said are changed here.
        address: Where to listen; on this machine only, by default.
        lines: What is done with DTR and RTS.

    Raises:
        FlashcoreError: It is not possible to listen there.
    """

    def __init__(self, device: Device, address: Address | None = None, *, lines: LineMode = LineMode.REPLAY) -> None:
        super().__init__(address)
        self.path = f"rfc2217://{self.seat.reachable}"
        """What a client on this machine opens, as pyserial writes it."""
        self._device = device
        self._mode = lines
        self._events: list[HostEvent] = []
        self._output = bytearray()
        self._session: TelnetPort | None = None
        self._lines: Lines = Literal(self._events.append)

    @property
    def pending(self) -> int:
        """How many bytes wait for the client here."""
        return len(self._output)

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what the client has done since, in order."""
        for event in self.seat.poll(take_bytes=take_bytes):
            match event:
                case HostOpen():
                    self._open()
                case HostBytes(data) if self._session is not None:
                    self._session.receive(data)
                case HostClose():
                    self._close()
                case _:
                    pass
        self._flush()
        events, self._events[:] = self._events[:], []
        return events

    def send(self, data: bytes) -> int:
        """Hand bytes to the client; return how many were taken."""
        if self._output:
            self._flush()
            if self._output:
                return 0
        text = escaped(data)
        sent = self.seat.send(text)
        if sent < len(text):
            self._output += text[sent:]
        return len(data)

    def _open(self) -> None:
        emit = self._events.append
        match self._mode:
            case LineMode.LITERAL:
                self._lines = Literal(emit)
            case LineMode.REPLAY:
                self._lines = Replay(emit, self._submit, self._device.kernel)
        self._output.clear()
        emit(HostOpen())
        self._session = TelnetPort(emit, self._lines, self._output)

    def _close(self) -> None:
        self._lines.end()
        self._session = None
        self._output.clear()
        self._events.append(HostClose())

    def _submit(self, event: HostLines) -> None:
        self._device.submit(event)

    def _flush(self) -> None:
        if self._output:
            del self._output[: self.seat.send(bytes(self._output))]
