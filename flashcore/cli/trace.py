"""A record of all bytes on the line, with times, for ``--trace``."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO

from flashcore.port import NS_PER_S, Clock, LineSupport, Port

_PER_LINE = 32


class TracedPort:
    """A port that writes down what passes through it.

    Args:
        port: The real port.
        out: Where the record goes, one line per event: seconds, ``>`` to the chip or ``<`` from it, bytes in hexadecimal.
    """

    def __init__(self, port: Port, out: TextIO) -> None:
        self._port = port
        self._out = out
        self._start = port.clock.now_ns()

    @property
    def name(self) -> str:
        """The name by which the user knows the port."""
        return self._port.name

    @property
    def clock(self) -> Clock:
        """The port's clock."""
        return self._port.clock

    @property
    def line_support(self) -> LineSupport:
        """What the link can do with DTR and RTS."""
        return self._port.line_support

    @property
    def baudrate(self) -> int:
        """The rate at the host's side, in baud."""
        return self._port.baudrate

    def set_baudrate(self, baudrate: int) -> None:
        """Change the rate at the host's side."""
        self._note("=", f"baudrate {baudrate}")
        self._port.set_baudrate(baudrate)

    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        """Return what is there, waiting for the first byte until `deadline_ns`."""
        data = self._port.read(max_bytes, deadline_ns)
        if data:
            self._bytes("<", data)
        return data

    def write(self, data: bytes, deadline_ns: int) -> None:
        """Hand all of `data` to the driver."""
        self._bytes(">", data)
        self._port.write(data, deadline_ns)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert (true) or release (false) the modem lines."""
        changes = [f"{name} {int(value)}" for name, value in (("DTR", dtr), ("RTS", rts)) if value is not None]
        self._note("=", " ".join(changes))
        self._port.set_lines(dtr=dtr, rts=rts)

    def discard_input(self) -> None:
        """Forget everything received but not yet read."""
        self._port.discard_input()

    def close(self) -> None:
        """Give the port back and finish the record."""
        self._port.close()
        self._note("=", "closed")
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _bytes(self, mark: str, data: bytes) -> None:
        for start in range(0, len(data), _PER_LINE):
            self._note(mark, data[start : start + _PER_LINE].hex(" "))

    def _note(self, mark: str, text: str) -> None:
        if not self._out.closed:
            seconds = (self._port.clock.now_ns() - self._start) / NS_PER_S
            self._out.write(f"{seconds:12.6f} {mark} {text}\n")
