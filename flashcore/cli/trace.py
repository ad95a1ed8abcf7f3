"""A record of all bytes on the line, with times, for ``--trace``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from flashcore.host import Host, PortInfo, UsbDevice
from flashcore.port import NS_PER_S, Clock, LineSupport, Port

_PER_LINE = 32


class TracingHost:
    """A host whose ports write down what passes through them, all to one file.

    Args:
        host: The real host.
        path: The file; it is kept open until the program ends.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._start = host.clock.now_ns()
        self._out = open(path, "w", encoding="ascii")  # noqa: SIM115 -- ports come and go, and all write to it

    def open(self, name: str, baudrate: int = 115200) -> Port:
        """Open a port, to be traced."""
        return TracedPort(self._host.open(name, baudrate), self._out, self._start)

    @property
    def clock(self) -> Clock:
        """The host's clock."""
        return self._host.clock

    def ports(self) -> Sequence[PortInfo]:
        """Return the serial ports that there are now."""
        return self._host.ports()

    def usb_devices(self) -> Sequence[UsbDevice] | None:
        """Return the USB devices that there are now."""
        return self._host.usb_devices()

    def holder(self, name: str) -> str:
        """Return the program that has the port open."""
        return self._host.holder(name)

    def permission_hint(self, name: str) -> str:
        """Return what the user must do to be allowed to open the port."""
        return self._host.permission_hint(name)

    def meddlers(self) -> Sequence[str]:
        """Return the names of running programs known to take ports away."""
        return self._host.meddlers()

    def close(self) -> None:
        """Finish the record."""
        self._out.close()


class TracedPort:
    """A port that writes down what passes through it.

    Args:
        port: The real port.
        out: Where the record goes, one line per event: seconds, ``>`` to the chip or ``<`` from it, bytes in hexadecimal.
        start_ns: When the record began, on the port's clock.
    """

    def __init__(self, port: Port, out: TextIO, start_ns: int) -> None:
        self._port = port
        self._out = out
        self._start = start_ns
        self._closed = False
        self._note("=", f"opened {port.name}")

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
        """Give the port back and note it. Closing twice is harmless."""
        self._port.close()
        if not self._closed:
            self._closed = True
            self._note("=", "closed")
            self._out.flush()

    def _bytes(self, mark: str, data: bytes) -> None:
        for start in range(0, len(data), _PER_LINE):
            self._note(mark, data[start : start + _PER_LINE].hex(" "))

    def _note(self, mark: str, text: str) -> None:
        seconds = (self._port.clock.now_ns() - self._start) / NS_PER_S
        self._out.write(f"{seconds:12.6f} {mark} {text}\n")
