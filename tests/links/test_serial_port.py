"""The pyserial adapter on a pseudo-terminal: reading to a deadline, missing lines, and what goes wrong on opening."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flashcore.errors import (
    DeadlineExceededError,
    LinesUnsupportedError,
    PortBusyError,
    PortDeniedError,
    PortError,
    PortLostError,
    PortNotFoundError,
)
from flashcore.port import LineSupport, Port
from flashcore.ports import SerialPort, failures, open_port


@dataclass
class Pty:
    master: int
    name: str


@pytest.fixture
def pty() -> Iterator[Pty]:
    master, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    yield Pty(master, name)
    for descriptor in (slave, master):
        try:
            os.close(descriptor)
        except OSError:
            continue


@pytest.fixture
def port(pty: Pty) -> Iterator[SerialPort]:
    opened = open_port(pty.name)
    yield opened
    opened.close()


def soon(port: Port) -> int:
    return port.clock.now_ns() + 2_000_000_000


def test_it_is_a_port(port: SerialPort, pty: Pty) -> None:
    assert isinstance(port, Port)
    assert (port.name, port.baudrate) == (pty.name, 115200)


def test_bytes_pass_both_ways(port: SerialPort, pty: Pty) -> None:
    port.write(b"\xc0\x00\x08\xc0", soon(port))
    assert os.read(pty.master, 100) == b"\xc0\x00\x08\xc0"
    os.write(pty.master, b"\xc0\x01\x08")
    assert port.read(2, soon(port)) == b"\xc0\x01"
    assert port.read(100, soon(port)) == b"\x08"


def test_a_read_whose_deadline_has_passed_returns_what_is_there(port: SerialPort, pty: Pty) -> None:
    assert port.read(10, 0) == b""
    os.write(pty.master, b"x")
    assert port.read(10, soon(port)) == b"x"
    assert port.read(10, port.clock.now_ns() + 1_000_000) == b""


def test_discarded_input_is_gone(port: SerialPort, pty: Pty) -> None:
    os.write(pty.master, b"old")
    assert port.read(1, soon(port)) == b"o"
    port.discard_input()
    assert port.read(10, 0) == b""


def test_a_pty_has_no_lines_and_says_so(port: SerialPort) -> None:
    assert port.line_support is LineSupport.NONE
    with pytest.raises(LinesUnsupportedError, match="cannot reset the chip"):
        port.set_lines(dtr=True)


def test_the_baud_rate_changes(port: SerialPort) -> None:
    port.set_baudrate(921600)
    assert port.baudrate == 921600


def test_a_port_opens_only_once(port: SerialPort, pty: Pty) -> None:
    with pytest.raises(PortBusyError, match="used by another program"):
        open_port(pty.name)


def test_closing_twice_is_harmless_and_the_port_can_be_opened_again(port: SerialPort, pty: Pty) -> None:
    port.close()
    port.close()
    open_port(pty.name).close()


def test_a_vanished_port_is_lost(port: SerialPort, pty: Pty) -> None:
    os.close(pty.master)
    with pytest.raises(PortLostError, match="vanished"):
        port.read(10, soon(port))


def test_a_vanished_port_has_nothing_to_discard(port: SerialPort, pty: Pty) -> None:
    os.close(pty.master)
    port.discard_input()


def test_a_port_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(PortNotFoundError, match="there is no port /dev/no-such-port"):
        open_port("/dev/no-such-port")


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PortError) as caught:
        open_port(str(tmp_path / "file"))
    assert caught.value.code == "port.cannot_open"


def test_an_unknown_kind_of_url_is_no_port() -> None:
    with pytest.raises(PortError):
        open_port("carrier-pigeon://home")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError(2, "x"), PortNotFoundError),
        (PermissionError(13, "x"), PortDeniedError),
        (OSError(16, "x"), PortBusyError),
        (OSError("[Errno 11] Could not exclusively lock port"), PortBusyError),
        (OSError("could not open port 'COM9': FileNotFoundError(2, 'x')"), PortNotFoundError),
        (ValueError("odd"), PortError),
    ],
)
def test_what_the_system_says_decides_the_error(error: Exception, kind: type[PortError]) -> None:
    found = failures.opening("COM9", error)
    assert type(found) is kind
    assert found.hint


def test_a_port_that_is_stuck_is_not_lost(port: SerialPort) -> None:
    deadline = port.clock.now_ns() + 50_000_000
    with pytest.raises(DeadlineExceededError, match="its driver is stuck"):
        port.write(bytes(1 << 20), deadline)
    assert port.clock.now_ns() >= deadline


def test_a_closed_port_does_not_read_what_is_opened_next(port: SerialPort) -> None:
    number = port._descriptor
    assert number is not None
    port.close()
    pipes = [os.pipe() for _ in range(8)]
    try:
        assert number in [end for ends in pipes for end in ends], "nothing was opened under the number of the closed port"
        for _, end in pipes:
            os.write(end, b"not for the port")
        with pytest.raises(PortLostError):
            port.read(1, soon(port))
        with pytest.raises(PortLostError):
            port.write(b"x", soon(port))
    finally:
        for ends in pipes:
            os.close(ends[0])
            os.close(ends[1])
