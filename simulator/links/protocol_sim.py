"""pyserial's view of a simulated computer: ports for every program that opens them through pyserial, by name or as ``sim://``.

`register` makes the ports of a host known: each opens by its name there (``/dev/ttyACM0``, ``COM3``), and the one that leads to
the board as ``sim://NAME`` too; it then says its real name, since flashers look that up in the list of ports. Reads and writes
keep pyserial's rules for timeouts, but on the world's own clock, so waiting costs nothing. Two things that a driver would do
for ever cannot be simulated: a wait that nothing will ever end is a `VirtualHang`, and so is a run of more than a virtual day.
``fileno`` is a real, private descriptor; `simulator.flashers.line_ioctl` answers the modem-line requests made on it.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serial.serialutil import PortNotOpenError, SerialBase, SerialException, SerialTimeoutException

from flashcore.errors import DeadlineExceededError, PortError, PortLostError
from flashcore.port import NS_PER_S, ns
from simulator.board.adapter import SerialAdapter
from simulator.host.system import Os, Refusal
from simulator.host.virtual_host import VirtualHost
from simulator.links import pyserial_errors
from simulator.links.pyserial_errors import Call
from simulator.links.virtual import VirtualPort

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HORIZON_NS = 24 * 3600 * NS_PER_S
"""How much virtual time a run may take. No flasher waits this long; esptool's longest single wait is four minutes."""

POLL_NS = 20_000
"""What a look at the port that finds nothing costs, so that a program polling in a loop sees time pass: a system call and the
interpreter's own work. Fidelity: guessed."""


class VirtualHang(BaseException):
    """The program waits for something that will never come.

    Not an `Exception`, since the program that waits must not take it for an error of its port and go on waiting.
    """


def check_horizon(to_ns: int) -> None:
    """Refuse to let time pass until `to_ns` if that is more than any run may take.

    Raises:
        VirtualHang: It is.
    """
    if to_ns > HORIZON_NS:
        raise VirtualHang("a whole virtual day has passed")


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """A port that can be opened by name.

    Args:
        name: What stands behind ``sim://``.
        host: The computer that has the port.
        path: Its name there.
        opened: What is open under that name now.
        hang_up: Whether the driver may change the lines when the port is closed (HUPCL); the port's settings outlive a client.
    """

    name: str
    host: VirtualHost
    path: str
    opened: list[Serial] = field(default_factory=list)
    hang_up: bool = True

    @property
    def url(self) -> str:
        """What a client may pass as its port in place of the path."""
        return f"sim://{self.name}"


ENDPOINTS: dict[str, Endpoint] = {}
"""Every port that can be opened, by name."""


def register(name: str, host: VirtualHost) -> Endpoint:
    """Make all ports of `host` available, and the one that leads to its device as ``sim://name`` too."""
    endpoint = Endpoint(name=name, host=host, path=host.named)
    ENDPOINTS[name] = endpoint
    return endpoint


def unregister(host: VirtualHost) -> None:
    """Close what is open of `host`, and let nobody open its ports any more."""
    for name, endpoint in list(ENDPOINTS.items()):
        if endpoint.host is host:
            for port in list(endpoint.opened):
                port.close()
            del ENDPOINTS[name]


def find(port: str) -> Endpoint | None:
    """Return what is registered under a URL, or under the name of a port that is or was there; if anything is."""
    for endpoint in ENDPOINTS.values():
        if port in (endpoint.url, endpoint.path):
            return endpoint
    for endpoint in list(ENDPOINTS.values()):
        if endpoint.host.knows(port):
            return ENDPOINTS.setdefault(port, Endpoint(name=port, host=endpoint.host, path=port))
    return None


def close_all() -> None:
    """Close what the client has left open."""
    for endpoint in list(ENDPOINTS.values()):
        for port in list(endpoint.opened):
            port.close()


def serial_class_for_url(url: str) -> tuple[str, type[Serial]]:
    """Tell pyserial what to open for `url`, and what the port is to say that it is."""
    endpoint = find(url)
    return (endpoint.path if endpoint is not None and endpoint.path else url), Serial


class Serial(SerialBase):
    """A serial port of pyserial onto a registered device."""

    _dtr_state: bool
    _rts_state: bool
    _link: VirtualPort | None = None
    _endpoint: Endpoint | None = None
    _adapter: SerialAdapter | None = None
    _descriptors: tuple[int, int] | None = None

    def open(self) -> None:
        """Open the port, with DTR and RTS asserted unless they were set otherwise before.

        Raises:
            SerialException: There is no such port, or the system refuses it; in the words that pyserial has for it there.
        """
        if self.port is None:
            raise SerialException("the port has no name yet")
        if self.is_open:
            raise SerialException("the port is open already")
        endpoint = find(self.port)
        if endpoint is None:
            raise pyserial_errors.opening(Os.LINUX, self.port, Refusal.MISSING)
        try:
            handle = endpoint.host.attach(endpoint.path, exclusive=bool(self.exclusive))
            self._link = VirtualPort(handle, name=self.port, baudrate=self.baudrate)
        except PortError as problem:
            raise self._said(problem, Call.OPEN) from problem
        self._endpoint = endpoint
        self._adapter = self._link.device.adapter
        endpoint.opened.append(self)
        self._descriptors = os.pipe()
        self.is_open = True
        try:
            if self._adapter.spec.lines_on_open is not None:
                dtr, rts = self._adapter.spec.lines_on_open
                self._link.set_lines(dtr=dtr, rts=rts)
            self._link.set_lines(dtr=self._dtr_state, rts=self._rts_state)
        except PortLostError as problem:
            self.close()
            raise self._said(problem, Call.LINES) from problem

    def close(self) -> None:
        """Close the port; the driver does with the lines what it does. Closing twice is harmless."""
        self.is_open = False
        if self._link is not None:
            link, self._link = self._link, None
            link.close(lines=self._adapter.spec.lines_on_close if self._adapter is not None and self.hang_up else None)
        if self._endpoint is not None:
            self._endpoint.opened.remove(self)
            self._endpoint = None
        if self._descriptors is not None:
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._descriptors = None

    @property
    def link(self) -> VirtualPort:
        """The open port underneath.

        Raises:
            PortNotOpenError: The port is closed.
        """
        if self._link is None:
            raise PortNotOpenError
        return self._link

    @property
    def hang_up(self) -> bool:
        """Whether the driver may change the lines when the port is closed (HUPCL)."""
        return self._endpoint is None or self._endpoint.hang_up

    @hang_up.setter
    def hang_up(self, wanted: bool) -> None:
        if self._endpoint is not None:
            self._endpoint.hang_up = wanted

    def fileno(self) -> int:
        """Return a descriptor that belongs to this port alone; nothing can be read from it.

        Raises:
            UnsupportedOperation: The port is closed.
        """
        if self._descriptors is None:
            raise io.UnsupportedOperation("the port is closed")
        return self._descriptors[0]

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read without waiting."""
        link = self.link
        with self._in_its_words(Call.WAITING):
            count = link.in_waiting
        if not count:
            self._let_pass(POLL_NS)
        return count

    def read(self, size: int = 1, /) -> bytes:
        """Return `size` bytes, fewer if the timeout ends first.

        Raises:
            SerialException: The port is closed or vanished.
            VirtualHang: Without a timeout: they will never come.
        """
        link = self.link
        now = link.clock.now_ns()
        if size <= 0:
            return b""
        limit = HORIZON_NS if self.timeout is None else min(now + ns(self.timeout), HORIZON_NS)
        with self._in_its_words(Call.READ):
            data = link.read_exactly(size, limit)
        if not data and self.timeout == 0:
            self._let_pass(POLL_NS)
        if len(data) < size and link.clock.now_ns() >= HORIZON_NS:
            raise VirtualHang(f"{self.port}: waits for {size - len(data)} bytes that never come")
        return data

    def write(self, b: ReadableBuffer, /) -> int:
        """Hand all of `b` to the device; return how many bytes that were.

        Raises:
            SerialTimeoutException: The device did not take them within ``write_timeout``.
            SerialException: The port is closed or vanished.
        """
        link = self.link
        data = bytes(b)
        patience = self.write_timeout
        limit = HORIZON_NS if not patience else min(link.clock.now_ns() + ns(patience), HORIZON_NS)
        try:
            with self._in_its_words(Call.WRITE):
                link.write(data, limit)
        except DeadlineExceededError as error:
            if limit == HORIZON_NS:
                raise VirtualHang(f"{self.port}: the device takes no more bytes") from error
            raise SerialTimeoutException("Write timeout") from error
        return len(data)

    def flush(self) -> None:
        """Wait until everything written has left the adapter."""
        link = self.link
        with self._in_its_words(Call.FLUSH):
            sent_ns = link.device.adapter.sent_ns
        link.clock.sleep_until(min(sent_ns, HORIZON_NS))

    def reset_input_buffer(self) -> None:
        """Throw away what has been received."""
        with self._in_its_words(Call.FLUSH):
            self.link.discard_input()

    def reset_output_buffer(self) -> None:
        """Do nothing: what was written has left the host's buffer for the adapter, where no client can reach it any more."""
        _ = self.link

    @property
    def out_waiting(self) -> int:
        """How many bytes wait in the host's buffer: none, the adapter takes them at once."""
        _ = self.link
        return 0

    @property
    def cts(self) -> bool:
        """Clear To Send; not wired on these boards."""
        return False

    @property
    def dsr(self) -> bool:
        """Data Set Ready; not wired on these boards."""
        return False

    @property
    def ri(self) -> bool:
        """Ring Indicator; not wired on these boards."""
        return False

    @property
    def cd(self) -> bool:
        """Carrier Detect; not wired on these boards."""
        return False

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """Set both lines in one step, as one ``TIOCMSET`` does."""
        self._dtr_state, self._rts_state = dtr, rts
        with self._in_its_words(Call.LINES):
            self.link.set_lines(dtr=dtr, rts=rts)

    def cancel_read(self) -> None:
        """Do nothing: no read is ever pending in virtual time."""

    def cancel_write(self) -> None:
        """Do nothing: no write is ever pending in virtual time."""

    def _reconfigure_port(self, force_update: bool = False) -> None:
        if self._link is not None:
            with self._in_its_words(Call.CONFIGURE):
                self._link.set_baudrate(self.baudrate)

    def _update_dtr_state(self) -> None:
        with self._in_its_words(Call.LINES):
            self.link.set_lines(dtr=self._dtr_state)

    def _update_rts_state(self) -> None:
        with self._in_its_words(Call.LINES):
            self.link.set_lines(rts=self._rts_state)

    def _update_break_state(self) -> None:
        _ = self.link

    def _let_pass(self, duration_ns: int) -> None:
        clock = self.link.clock
        if clock.now_ns() >= HORIZON_NS:
            raise VirtualHang(f"{self.port}: a whole virtual day has passed")
        clock.sleep_until(clock.now_ns() + duration_ns)

    @contextlib.contextmanager
    def _in_its_words(self, call: Call) -> Iterator[None]:
        try:
            yield
        except PortError as problem:
            raise self._said(problem, call) from problem

    def _said(self, problem: PortError, call: Call) -> Exception:
        endpoint = find(str(self.port))
        return pyserial_errors.said(problem, call, endpoint.host.os if endpoint is not None else Os.LINUX, str(self.port))
