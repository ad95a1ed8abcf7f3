"""A serial port through pyserial, as the loader wants it.

The driver's settings are touched once, on opening: a changed timeout would reconfigure the port, which can fail on Windows and
costs 50 ms over RFC 2217. Where the system gives a file descriptor, reading and writing wait on it until the deadline, and DTR
and RTS change in one ioctl; elsewhere a short fixed timeout is repeated. Both lines are released before the port opens as far
as the driver allows, so that opening does not reset the board.
"""

from __future__ import annotations

import array
import contextlib
import errno
import select
import sys
from typing import TYPE_CHECKING

from flashcore.errors import DeadlineExceededError, LinesUnsupportedError, PortError
from flashcore.port import NS_PER_S, Clock, LineSupport, SystemClock
from flashcore.ports import failures

if TYPE_CHECKING:
    import serial

if sys.platform != "win32":
    import fcntl
    import os
    import termios

POLL_S = 0.02
"""Fixed read timeout where there is no descriptor to wait on, in seconds."""
WRITE_TIMEOUT_S = 10.0
"""Fixed write timeout there, in seconds."""

_SOCKET = "socket://"

_NO_LINES = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class SerialPort:
    """An open serial port.

    Args:
        device: The opened pyserial object; it belongs to this one from now on.
        name: The name that the user knows.
    """

    def __init__(self, device: serial.Serial, name: str) -> None:
        self._device = device
        self._name = name
        self._clock = SystemClock()
        self._closed = False
        self._descriptor = _descriptor(device, name)
        self._support = _line_support(self._descriptor, name)

    @property
    def name(self) -> str:
        """The name by which the user knows the port."""
        return self._name

    @property
    def clock(self) -> Clock:
        """The machine's monotonic clock."""
        return self._clock

    @property
    def line_support(self) -> LineSupport:
        """What the link can do with DTR and RTS."""
        return self._support

    @property
    def baudrate(self) -> int:
        """The rate at the host's side, in baud."""
        return int(self._device.baudrate)

    def set_baudrate(self, baudrate: int) -> None:
        """Change the rate at the host's side.

        Raises:
            PortError: The driver refuses the rate.
        """
        old = self._device.baudrate
        try:
            self._device.baudrate = baudrate
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                self._device.baudrate = old
            if failures.refuses_settings(str(error)):
                raise failures.settings(self._name, str(error)) from error
            raise PortError(
                f"{self._name} refuses {baudrate} baud: {error}", hint="choose a lower rate", code="port.baudrate"
            ) from error

    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        """Return what is there, waiting for the first byte until `deadline_ns`.

        Raises:
            PortLostError: The port vanished.
        """
        try:
            if self._descriptor is not None:
                return self._read_descriptor(self._descriptor, max_bytes, deadline_ns)
            return self._read_polling(max_bytes, deadline_ns)
        except (OSError, TypeError) as error:
            raise failures.lost(self._name, error) from error

    def write(self, data: bytes, deadline_ns: int) -> None:
        """Hand all of `data` to the driver.

        Raises:
            DeadlineExceededError: The driver did not take all of it in time.
            PortLostError: The port vanished.
        """
        from serial import SerialTimeoutException

        try:
            if self._descriptor is not None:
                self._write_descriptor(self._descriptor, data, deadline_ns)
            else:
                self._device.write(data)
        except SerialTimeoutException as error:
            raise self._stuck(len(data)) from error
        except DeadlineExceededError:
            # It is a TimeoutError, and so an OSError too; but the port is still there.
            raise
        except OSError as error:
            raise failures.lost(self._name, error) from error

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert (true) or release (false) the modem lines; ``None`` leaves a line as it is.

        Raises:
            LinesUnsupportedError: The link has no modem lines.
            PortLostError: The port vanished.
        """
        if self._support is LineSupport.NONE:
            raise LinesUnsupportedError(
                f"{self._name} has no DTR and RTS, so it cannot reset the chip",
                hint="bring the chip into download mode by hand and use --before no-reset --after no-reset",
                context={"port": self._name},
            )
        try:
            if self._support is LineSupport.ATOMIC and self._descriptor is not None:
                _set_modem_bits(self._descriptor, dtr, rts)
            else:
                if dtr is not None:
                    self._device.dtr = dtr
                if rts is not None:
                    self._device.rts = rts
                    if sys.platform == "win32":
                        # usbser.sys passes a change of RTS on only together with one of DTR.
                        self._device.dtr = self._device.dtr
        except OSError as error:
            raise failures.lost(self._name, error) from error

    def discard_input(self) -> None:
        """Forget everything received but not yet read."""
        with contextlib.suppress(OSError, termios_error()):
            self._device.reset_input_buffer()

    def close(self) -> None:
        """Give the port back, with both lines released where there are lines. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._support is not LineSupport.NONE:
            with contextlib.suppress(PortError):
                self.set_lines(dtr=False, rts=False)
        with contextlib.suppress(OSError):
            self._device.close()
        # The system gives the number to whatever is opened next.
        self._descriptor = None

    def _read_descriptor(self, descriptor: int, max_bytes: int, deadline_ns: int) -> bytes:
        left = (deadline_ns - self._clock.now_ns()) / NS_PER_S
        ready, _, _ = select.select([descriptor], [], [], max(0.0, left))
        if not ready:
            return b""
        try:
            data = os.read(descriptor, max_bytes)
        except BlockingIOError:
            return b""
        if not data:
            raise failures.lost(self._name) if _hung_up(descriptor) else failures.shared(self._name)
        return data

    def _read_polling(self, max_bytes: int, deadline_ns: int) -> bytes:
        device = self._device
        while True:
            waiting = device.in_waiting
            if waiting:
                return bytes(device.read(min(waiting, max_bytes)))
            if self._clock.now_ns() >= deadline_ns:
                return b""
            data = bytes(device.read(1))
            if data:
                more = min(device.in_waiting, max_bytes - 1)
                return data + bytes(device.read(more)) if more > 0 else data

    def _write_descriptor(self, descriptor: int, data: bytes, deadline_ns: int) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(descriptor, view) :]
                continue
            except BlockingIOError:
                pass
            left = (deadline_ns - self._clock.now_ns()) / NS_PER_S
            if left <= 0 or not select.select([], [descriptor], [], left)[1]:
                raise self._stuck(len(data))

    def _stuck(self, size: int) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"{self._name} does not take {size} bytes: its driver is stuck",
            hint="unplug the board and plug it in again",
            code="port.write_stuck",
            context={"port": self._name, "size": size},
        )


def open_port(name: str, baudrate: int = 115200) -> SerialPort:
    """Open a serial port for nobody but us.

    Args:
        name: A device such as ``/dev/ttyUSB0`` or ``COM3``, or a URL of pyserial such as ``rfc2217://host:port``.
        baudrate: Rate in baud.

    Raises:
        PortNotFoundError: There is none of that name.
        PortBusyError: Another program has it open.
        PortDeniedError: The operating system refuses.
        PortError: It cannot be opened for another reason.
    """
    import serial

    url = "://" in name
    try:
        device = serial.serial_for_url(name, do_not_open=True)
        if not url:
            device.exclusive = True
        device.baudrate = baudrate
        device.timeout = POLL_S
        if not name.startswith("rfc2217://"):
            # pyserial's client for RFC 2217 has no such thing: its socket blocks until the server takes the bytes.
            device.write_timeout = WRITE_TIMEOUT_S
        device.dtr = False
        device.rts = False
        device.open()
    except (OSError, ValueError) as error:
        raise failures.opening(name, error, () if url else _existing()) from error
    except termios_error() as error:
        raise failures.opening(name, OSError(*error.args)) from error
    return SerialPort(device, name)


def termios_error() -> type[Exception]:
    """Return what the terminal layer raises where there is one; elsewhere a type that is never raised."""
    return termios.error if sys.platform != "win32" else _NeverRaisedError


class _NeverRaisedError(Exception):
    pass


def _existing() -> list[str]:
    from flashcore.ports.discovery import list_ports

    ports = list_ports()
    return [found.device for found in ports if found.bridge] or [found.device for found in ports]


def _descriptor(device: serial.Serial, name: str) -> int | None:
    """Return the descriptor of a real serial device or a socket, or ``None`` where pyserial must do the reading."""
    import serial

    if sys.platform == "win32":
        return None
    if name.startswith(_SOCKET):
        # pyserial never says that more than one byte waits on a socket, so reading through it goes byte by byte.
        return int(device.fileno())
    if not isinstance(device, serial.Serial):
        return None
    return int(device.fd) if device.fd is not None else None


def _line_support(descriptor: int | None, name: str) -> LineSupport:
    if name.startswith(_SOCKET):
        return LineSupport.NONE
    if descriptor is not None:
        try:
            _modem_bits(descriptor)
        except OSError as error:
            if error.errno in _NO_LINES:
                return LineSupport.NONE
            raise failures.lost(name, error) from error
        return LineSupport.ATOMIC
    return LineSupport.SEQUENTIAL


def _hung_up(descriptor: int) -> bool:
    """Tell whether the device is gone; else something that was announced was read by somebody else meanwhile.

    A socket at its end has no second reader: its other side has closed.
    """
    if not hasattr(select, "poll") or not os.isatty(descriptor):
        return True
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poller.poll(0))


def _modem_bits(descriptor: int) -> int:
    if sys.platform == "win32":
        return 0
    state = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.TIOCMGET, state, True)
    return state[0]


def _set_modem_bits(descriptor: int, dtr: bool | None, rts: bool | None) -> None:
    """Change the lines that are given in one step, so that no state between the old and the new one exists."""
    if sys.platform == "win32":
        return
    bits = _modem_bits(descriptor)
    for bit, wanted in ((termios.TIOCM_DTR, dtr), (termios.TIOCM_RTS, rts)):
        if wanted is not None:
            bits = bits | bit if wanted else bits & ~bit
    fcntl.ioctl(descriptor, termios.TIOCMSET, array.array("i", [bits]))
