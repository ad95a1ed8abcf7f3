"""``sim://`` ports behave as pyserial's own ports do, on the virtual clock."""

from __future__ import annotations

import array
import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from dataclasses import replace

import pytest
import serial

from simulator.board.decoys import Decoy
from simulator.flashers import line_ioctl, terminal_settings
from simulator.host.virtual_host import alone
from simulator.kernel import MS, S
from simulator.links import protocol_sim
from simulator.links.protocol_sim import HORIZON_NS, VirtualHang, register
from simulator.record.events import Journal

WORD = struct.Struct("I")


@pytest.fixture
def journal() -> Journal:
    return Journal(keep=True)


@pytest.fixture
def echo(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Decoy:
    monkeypatch.setattr(serial, "protocol_handler_packages", [*serial.protocol_handler_packages, "simulator.links"])
    monkeypatch.setattr(protocol_sim, "ENDPOINTS", {})
    monkeypatch.setattr(line_ioctl, "ENDPOINTS", protocol_sim.ENDPOINTS)
    device = Decoy("echo", sink=journal)
    register("loop", alone(device, name="/dev/ttyLOOP0"))
    return device


@pytest.fixture
def ioctl_answered() -> Iterator[None]:
    remove = line_ioctl.install()
    yield
    remove()


@pytest.fixture
def termios_answered() -> Iterator[None]:
    remove = terminal_settings.install()
    yield
    remove()


def lines(journal: Journal) -> list[str]:
    return [event.content.decode() for event in journal.events if event.kind == "lines"]


def test_opening_asserts_both_lines_in_one_step(echo: Decoy, journal: Journal) -> None:
    with serial.serial_for_url("sim://loop"):
        assert lines(journal) == ["dtr=1 rts=1"]


def test_closing_releases_both_lines(echo: Decoy, journal: Journal) -> None:
    serial.serial_for_url("sim://loop").close()
    assert lines(journal)[-1] == "dtr=0 rts=0"


@pytest.mark.parametrize(
    ("on_open", "on_close", "expected"),
    [
        (None, None, ["dtr=0 rts=1"]),
        ((True, True), None, ["dtr=1 rts=1", "dtr=0 rts=1"]),
        (None, (False, False), ["dtr=0 rts=1", "dtr=0 rts=0"]),
        (None, (True, False), ["dtr=0 rts=1", "dtr=1 rts=0"]),
    ],
)
def test_the_driver_decides_what_opening_and_closing_do_to_the_lines(
    echo: Decoy,
    journal: Journal,
    on_open: tuple[bool, bool] | None,
    on_close: tuple[bool, bool] | None,
    expected: list[str],
) -> None:
    echo.adapter.spec = replace(echo.adapter.spec, lines_on_open=on_open, lines_on_close=on_close)
    port = serial.serial_for_url("sim://loop", do_not_open=True)
    port.dtr, port.rts = False, True
    port.open()
    port.close()
    assert lines(journal) == expected


def test_the_settings_of_a_virtual_port_are_those_of_a_raw_line(echo: Decoy, termios_answered: None) -> None:
    with serial.serial_for_url("sim://loop", baudrate=115200) as port:
        settings = termios.tcgetattr(port.fileno())
        assert settings[2] & (termios.CSIZE | termios.HUPCL) == termios.CS8 | termios.HUPCL
        assert (settings[3], settings[4]) == (0, termios.B115200)


def test_without_hupcl_closing_leaves_the_lines_and_the_next_client_too(
    echo: Decoy, journal: Journal, termios_answered: None
) -> None:
    with serial.serial_for_url("sim://loop") as port:
        settings = termios.tcgetattr(port)
        settings[2] &= ~termios.HUPCL
        termios.tcsetattr(port, termios.TCSANOW, settings)
    assert lines(journal) == ["dtr=1 rts=1"]
    with serial.serial_for_url("sim://loop") as port:
        assert not termios.tcgetattr(port)[2] & termios.HUPCL
    assert lines(journal) == ["dtr=1 rts=1"]


def test_a_flush_by_termios_throws_away_what_came(echo: Decoy, termios_answered: None) -> None:
    with serial.serial_for_url("sim://loop", timeout=1) as port:
        port.write(b"x")
        termios.tcdrain(port.fileno())
        port.read(1)
        port.write(b"y")
        time_passes = port.link.clock
        time_passes.sleep_until(time_passes.now_ns() + 1_000_000_000)
        termios.tcflush(port.fileno(), termios.TCIFLUSH)
        assert port.in_waiting == 0


def test_other_descriptors_still_ask_the_system(echo: Decoy, termios_answered: None) -> None:
    reading, writing = os.pipe()
    with pytest.raises(termios.error):
        termios.tcgetattr(reading)
    os.close(reading)
    os.close(writing)


def test_lines_set_before_opening_are_kept(echo: Decoy, journal: Journal) -> None:
    port = serial.serial_for_url("sim://loop", do_not_open=True)
    port.dtr = port.rts = False
    port.open()
    assert lines(journal) == ["dtr=1 rts=1", "dtr=0 rts=0"]
    assert (port.dtr, port.rts) == (False, False)


def test_an_open_port_says_that_it_is_the_device_file(echo: Decoy) -> None:
    assert serial.serial_for_url("sim://loop").port == "/dev/ttyLOOP0"


def test_an_unknown_name_is_a_missing_file(echo: Decoy) -> None:
    with pytest.raises(serial.SerialException, match=r"could not open port sim://lop: \[Errno 2\]"):
        serial.serial_for_url("sim://lop")


def test_a_port_held_exclusively_cannot_be_opened_twice(echo: Decoy) -> None:
    port = serial.serial_for_url("sim://loop", exclusive=True)
    with pytest.raises(serial.SerialException, match="exclusively lock"):
        serial.serial_for_url("sim://loop")
    port.close()
    serial.serial_for_url("sim://loop").close()


def test_reading_waits_for_all_bytes(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", baudrate=115200, timeout=1) as port:
        assert port.write(b"hello") == 5
        assert port.read(5) == b"hello"


def test_a_read_timeout_costs_exactly_that_much_virtual_time(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", timeout=120) as port:
        before = echo.kernel.now
        assert port.read(1) == b""
        assert echo.kernel.now - before == 120 * S


def test_a_timeout_gives_what_came_until_then(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", timeout=0.5) as port:
        port.write(b"abc")
        assert port.read(100) == b"abc"


def test_reading_with_timeout_zero_does_not_wait_for_bytes_on_their_way(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", timeout=0) as port:
        port.write(b"abc")
        assert port.read(3) == b""
        echo.advance(echo.kernel.now + 50 * MS)
        assert port.read(2) == b"ab"


def test_polling_an_empty_port_lets_time_pass(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop") as port:
        port.write(b"x")
        looks = 0
        while not port.in_waiting:
            looks += 1
            assert looks < 10_000
        assert port.read(port.in_waiting) == b"x"


def test_waiting_for_ever_for_nothing_is_a_hang(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", timeout=None) as port:
        with pytest.raises(VirtualHang, match="waits for 1 bytes that never come"):
            port.read(1)
        assert echo.kernel.now == HORIZON_NS


def test_a_write_that_takes_too_long_raises_what_pyserial_raises(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", baudrate=9600, write_timeout=0.5) as port:
        before = echo.kernel.now
        with pytest.raises(serial.SerialTimeoutException):
            port.write(bytes(100_000))
        assert echo.kernel.now - before == S // 2


def test_flush_waits_until_the_last_bit_has_left(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", baudrate=9600) as port:
        before = echo.kernel.now
        port.write(bytes(96))
        port.flush()
        assert 100 * MS <= echo.kernel.now - before <= 101 * MS


def test_discarding_input_forgets_only_what_has_arrived(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop", timeout=1) as port:
        port.write(b"old")
        echo.advance(echo.kernel.now + 50 * MS)
        port.write(b"new")
        port.reset_input_buffer()
        assert port.read(3) == b"new"


def test_changing_the_baud_rate_costs_no_time(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop") as port:
        before = echo.kernel.now
        port.baudrate = 921600
        assert (echo.adapter.baudrate, echo.kernel.now) == (921600, before)


def test_changing_the_timeout_reconfigures_nothing(echo: Decoy, journal: Journal) -> None:
    with serial.serial_for_url("sim://loop") as port:
        before = journal.count
        port.timeout = 3
        assert journal.count == before


@pytest.mark.usefixtures("ioctl_answered")
def test_tiocmset_changes_both_lines_in_one_step(echo: Decoy, journal: Journal) -> None:
    with serial.serial_for_url("sim://loop") as port:
        present = WORD.unpack(fcntl.ioctl(port.fileno(), termios.TIOCMGET, WORD.pack(0)))[0]
        assert present == termios.TIOCM_DTR | termios.TIOCM_RTS
        fcntl.ioctl(port.fileno(), termios.TIOCMSET, WORD.pack(termios.TIOCM_RTS))
        fcntl.ioctl(port.fileno(), termios.TIOCMSET, WORD.pack(termios.TIOCM_DTR))
        assert lines(journal)[1:] == ["dtr=0 rts=1", "dtr=1 rts=0"]
        assert (port.dtr, port.rts) == (True, False)


@pytest.mark.usefixtures("ioctl_answered")
def test_tiocmbic_and_tiocmbis_change_one_line(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop") as port:
        fcntl.ioctl(port.fileno(), termios.TIOCMBIC, WORD.pack(termios.TIOCM_DTR))
        assert (port.dtr, port.rts) == (False, True)
        fcntl.ioctl(port.fileno(), termios.TIOCMBIS, WORD.pack(termios.TIOCM_DTR))
        assert (port.dtr, port.rts) == (True, True)


@pytest.mark.usefixtures("ioctl_answered")
def test_ioctl_fills_a_mutable_buffer(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop") as port:
        buffer = array.array("I", [0])
        assert fcntl.ioctl(port.fileno(), termios.TIOCMGET, buffer) == 0
        assert buffer[0] == termios.TIOCM_DTR | termios.TIOCM_RTS


@pytest.mark.usefixtures("ioctl_answered")
def test_other_requests_and_other_descriptors_go_to_the_system(echo: Decoy) -> None:
    with serial.serial_for_url("sim://loop") as port:
        with pytest.raises(OSError, match="Inappropriate ioctl"):
            fcntl.ioctl(port.fileno(), termios.TIOCGPGRP, WORD.pack(0))
        with open("/dev/null", "rb") as null, pytest.raises(OSError, match="Inappropriate ioctl"):
            fcntl.ioctl(null, termios.TIOCMGET, WORD.pack(0))


def test_a_closed_port_refuses_everything(echo: Decoy) -> None:
    port = serial.serial_for_url("sim://loop")
    port.close()
    for use in (lambda: port.read(1), lambda: port.write(b"x"), lambda: port.in_waiting, port.reset_input_buffer, port.flush):
        with pytest.raises(serial.PortNotOpenError):
            use()
    with pytest.raises(OSError, match="closed"):
        port.fileno()
