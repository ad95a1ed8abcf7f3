"""pyserial's ``sim://`` ports: a virtual device for every program that opens its port through `serial.serial_for_url`.

`register` gives a device a name; ``sim://NAME`` opens it. A port that is open says that it is the device file that the
board's adapter would have (``/dev/ttyACM0``), since flashers look that up in the list of ports. Reads and writes keep
pyserial's rules for timeouts, but on the device's own clock, so waiting costs nothing. Two things that a driver would do for
ever cannot be simulated: a wait that nothing will ever end is a `VirtualHang`, and so is a run of more than a virtual day.
``fileno`` is a real, private descriptor; `simulator.flashers.line_ioctl` answers the modem-line requests made on it.
"""

from __future__ import annotations

import errno
import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serial.serialutil import PortNotOpenError, SerialBase, SerialException, SerialTimeoutException

from flashcore.errors import DeadlineExceededError, PortLostError
from flashcore.port import NS_PER_S, ns
from simulator.board.board import Device
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbIdentity:
    """What a list of ports says about a port.

    Args:
        vid: USB vendor id.
        pid: USB product id.
        serial_number: Of the adapter, empty if it has none.
        manufacturer: As the adapter calls its maker.
        product: As the adapter calls itself.
    """

    vid: int
    pid: int
    serial_number: str = ""
    manufacturer: str = ""
    product: str = ""


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """A device that can be opened by name.

    Args:
        name: What stands behind ``sim://``.
        device: The device.
        path: The device file that an operating system would give it; empty for none.
        usb: Who it is on the USB; ``None`` where nothing is known.
        opened: How many ports are open on it now.
    """

    name: str
    device: Device
    path: str = ""
    usb: UsbIdentity | None = None
    opened: list[Serial] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What a client passes as its port."""
        return f"sim://{self.name}"


ENDPOINTS: dict[str, Endpoint] = {}
"""Every device that can be opened, by name."""


def register(name: str, device: Device, *, path: str = "", usb: UsbIdentity | None = None) -> Endpoint:
    """Make `device` available as ``sim://name``, in place of any other of that name."""
    endpoint = Endpoint(name=name, device=device, path=path, usb=usb)
    ENDPOINTS[name] = endpoint
    return endpoint


def unregister(endpoint: Endpoint) -> None:
    """Close what is open on `endpoint`, and let nobody open it any more."""
    for port in list(endpoint.opened):
        port.close()
    if ENDPOINTS.get(endpoint.name) is endpoint:
        del ENDPOINTS[endpoint.name]


def find(port: str) -> Endpoint | None:
    """Return what is registered under a URL or a device file, if anything is."""
    for endpoint in ENDPOINTS.values():
        if port in (endpoint.url, endpoint.path):
            return endpoint
    return None


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
    _descriptors: tuple[int, int] | None = None

    def open(self) -> None:
        """Open the port, with DTR and RTS asserted unless they were set otherwise before.

        Raises:
            SerialException: There is no such device, or it is open already and one of the two wants it for itself.
        """
        if self.port is None:
            raise SerialException("the port has no name yet")
        if self.is_open:
            raise SerialException("the port is open already")
        endpoint = find(self.port)
        if endpoint is None:
            reason = f"[Errno {errno.ENOENT}] {os.strerror(errno.ENOENT)}: {self.port!r}"
            raise SerialException(errno.ENOENT, f"could not open port {self.port}: {reason}")
        if endpoint.opened and (self.exclusive or any(other.exclusive for other in endpoint.opened)):
            reason = f"[Errno {errno.EAGAIN}] {os.strerror(errno.EAGAIN)}"
            raise SerialException(errno.EAGAIN, f"Could not exclusively lock port {self.port}: {reason}")
        self._endpoint = endpoint
        self._link = VirtualPort(endpoint.device, name=self.port, baudrate=self.baudrate)
        endpoint.opened.append(self)
        self._descriptors = os.pipe()
        self.is_open = True
        if endpoint.device.adapter.spec.lines_on_open is not None:
            dtr, rts = endpoint.device.adapter.spec.lines_on_open
            self._link.set_lines(dtr=dtr, rts=rts)
        self._link.set_lines(dtr=self._dtr_state, rts=self._rts_state)

    def close(self) -> None:
        """Close the port; the driver does with the lines what it does. Closing twice is harmless."""
        self.is_open = False
        if self._link is not None:
            link, self._link = self._link, None
            link.close(lines=link.device.adapter.spec.lines_on_close)
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
        try:
            data = link.read_exactly(size, limit)
        except PortLostError as error:
            raise self._vanished("read") from error
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
            link.write(data, limit)
        except DeadlineExceededError as error:
            if limit == HORIZON_NS:
                raise VirtualHang(f"{self.port}: the device takes no more bytes") from error
            raise SerialTimeoutException("Write timeout") from error
        except PortLostError as error:
            raise self._vanished("write") from error
        return len(data)

    def flush(self) -> None:
        """Wait until everything written has left the adapter."""
        link = self.link
        link.clock.sleep_until(min(link.device.adapter.sent_ns, HORIZON_NS))

    def reset_input_buffer(self) -> None:
        """Throw away what has been received."""
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
        self.link.set_lines(dtr=dtr, rts=rts)

    def cancel_read(self) -> None:
        """Do nothing: no read is ever pending in virtual time."""

    def cancel_write(self) -> None:
        """Do nothing: no write is ever pending in virtual time."""

    def _reconfigure_port(self, force_update: bool = False) -> None:
        if self._link is not None:
            self._link.set_baudrate(self.baudrate)

    def _update_dtr_state(self) -> None:
        self.link.set_lines(dtr=self._dtr_state)

    def _update_rts_state(self) -> None:
        self.link.set_lines(rts=self._rts_state)

    def _update_break_state(self) -> None:
        _ = self.link

    def _let_pass(self, duration_ns: int) -> None:
        clock = self.link.clock
        if clock.now_ns() >= HORIZON_NS:
            raise VirtualHang(f"{self.port}: a whole virtual day has passed")
        clock.sleep_until(clock.now_ns() + duration_ns)

    def _vanished(self, what: str) -> SerialException:
        return SerialException(errno.EIO, f"{what} failed: [Errno {errno.EIO}] {os.strerror(errno.EIO)}")
