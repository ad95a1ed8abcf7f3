"""A simulated computer as clients of pyserial see it: names, lists, and errors in the words of each system."""

from __future__ import annotations

import termios
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import serial
from serial.tools import list_ports

from simulator.faults.presets.host_table import DeviceSetup, PortSetup
from simulator.flashers.plug import plug_in
from simulator.host.system import Refusal
from tests.model.host_world import Desk, Gate, desk

BOARD = DeviceSetup()


@pytest.fixture
def plugged() -> Iterator[ExitStack]:
    with ExitStack() as undo:
        yield undo


def put(undo: ExitStack, *devices: DeviceSetup, os: str = "linux", board: str = "esp32-devkitc") -> Desk:
    place = desk(*devices, os=os, board=board)
    plug_in("board", place.host, undo)
    return place


def said(port: str, **settings: object) -> str:
    with pytest.raises(serial.SerialException) as caught:
        serial.serial_for_url(port, **settings)
    return str(caught.value)


def test_the_list_has_every_port_with_identity_and_place(plugged: ExitStack) -> None:
    put(plugged, DeviceSetup(kind="modem"), DeviceSetup(kind="uart"), BOARD, DeviceSetup(driver=False))
    shown = [(one.device, one.vid, one.location, one.hwid) for one in list_ports.comports()]
    assert shown == [
        ("/dev/ttyACM0", 0x2C7C, "1-1", "USB VID:PID=2C7C:0125 SER=4180 LOCATION=1-1"),
        ("/dev/ttyS0", None, None, "n/a"),
        ("/dev/ttyUSB0", 0x10C4, "1-3", "USB VID:PID=10C4:EA60 SER=a6c5be4b3f2ee811 LOCATION=1-3"),
    ]


@pytest.mark.parametrize(
    ("os", "names"),
    [
        ("linux", ["/dev/ttyACM0", "/dev/ttyACM1"]),
        ("macos", ["/dev/cu.usbmodem41801", "/dev/cu.usbmodem53230050451"]),
        ("windows", ["COM3", "COM4"]),
    ],
)
def test_each_system_has_names_of_its_own(plugged: ExitStack, os: str, names: list[str]) -> None:
    put(plugged, DeviceSetup(kind="modem"), BOARD, os=os, board="ttgo-lora32-v1")
    assert [one.device for one in list_ports.comports()] == names


def test_every_listed_name_opens_its_own_device(plugged: ExitStack) -> None:
    place = put(plugged, DeviceSetup(kind="echo"), BOARD)
    with serial.serial_for_url("/dev/ttyUSB0", timeout=1) as echo, serial.Serial("/dev/ttyUSB1", 115200, timeout=1) as board:
        echo.write(b"hello")
        assert echo.read(5) == b"hello"
        assert b"invalid header" in board.read(100)
    assert place.host.still_open == []


def test_two_names_of_one_device_are_not_open_at_once(plugged: ExitStack) -> None:
    twins = DeviceSetup(ports=(PortSetup(driver="macos-apple"), PortSetup(driver="macos-vendor")))
    put(plugged, twins, os="macos", board="ttgo-lora32-v1")
    one, two = (found.device for found in list_ports.comports())
    with serial.serial_for_url(one, exclusive=True):
        assert said(two).startswith("[Errno 35] Could not exclusively lock port")
    serial.serial_for_url(two).close()


REFUSED = {
    ("linux", Refusal.BUSY): "[Errno 16] could not open port {0}: [Errno 16] Device or resource busy: '{0}'",
    ("macos", Refusal.BUSY): "[Errno 16] could not open port {0}: [Errno 16] Resource busy: '{0}'",
    ("windows", Refusal.BUSY): "could not open port '{0}': PermissionError(13, 'Access is denied.', None, 5)",
    ("linux", Refusal.DENIED): "[Errno 13] could not open port {0}: [Errno 13] Permission denied: '{0}'",
    ("windows", Refusal.CONFIG): (
        "Cannot configure port, something went wrong. Original message: "
        "PermissionError(13, 'A device attached to the system is not functioning.', None, 31)"
    ),
    ("linux", Refusal.CONFIG): "Could not configure port: (71, 'Protocol error')",
    ("linux", Refusal.MISSING): "[Errno 2] could not open port {0}: [Errno 2] No such file or directory: '{0}'",
    ("windows", Refusal.MISSING): (
        "could not open port '{0}': FileNotFoundError(2, 'The system cannot find the file specified.', None, 2)"
    ),
}


@pytest.mark.parametrize(("os", "refusal"), REFUSED)
def test_a_refused_opening_has_the_system_s_words(plugged: ExitStack, os: str, refusal: Refusal) -> None:
    place = put(plugged, os=os)
    name = place.host.named
    place.unit.nodes[0].gates.append(Gate(place, refusal, settings=refusal is Refusal.CONFIG))
    assert said(name) == REFUSED[os, refusal].format(name)
    assert place.host.still_open == []


CONTENDED = "device reports readiness to read but returned no data (device disconnected or multiple access on port?)"


@pytest.mark.parametrize(
    ("os", "reading", "writing"),
    [
        ("linux", CONTENDED, "write failed: [Errno 5] Input/output error"),
        ("macos", "read failed: [Errno 6] Device not configured", "write failed: [Errno 6] Device not configured"),
        (
            "windows",
            "ClearCommError failed (PermissionError(13, 'The device does not recognize the command.', None, 22))",
            "WriteFile failed (PermissionError(13, 'The device does not recognize the command.', None, 22))",
        ),
    ],
)
def test_a_port_that_vanished_fails_in_the_system_s_words(plugged: ExitStack, os: str, reading: str, writing: str) -> None:
    place = put(plugged, os=os)
    port = serial.serial_for_url(place.host.named, timeout=5)
    place.at(place.seconds + 1, lambda: place.host.remove(place.unit))
    with pytest.raises(serial.SerialException) as caught:
        port.read(100_000)
    assert str(caught.value) == reading
    assert place.seconds < 1.1
    with pytest.raises(serial.SerialException) as caught:
        port.write(b"x")
    assert str(caught.value) == writing
    with pytest.raises(serial.SerialException):
        port.timeout = 2
    port.close()
    assert list_ports.comports() == []


def test_system_calls_that_pyserial_does_not_wrap_raise_as_they_are(plugged: ExitStack) -> None:
    place = put(plugged)
    port = serial.serial_for_url(place.host.named, timeout=5)
    place.host.remove(place.unit)
    with pytest.raises(OSError, match=r"^\[Errno 5\] Input/output error$"):
        port.dtr = False
    with pytest.raises(OSError, match=r"^\[Errno 5\] Input/output error$"):
        _ = port.in_waiting
    with pytest.raises(termios.error):
        port.reset_input_buffer()
    port.close()


def test_a_port_that_came_back_under_another_name_opens_by_that_name_alone(plugged: ExitStack) -> None:
    place = put(plugged)
    place.host.remove(place.unit, back_ns=10**9, names=["/dev/ttyUSB5"])
    place.board.advance(2 * 10**9)
    assert [one.device for one in list_ports.comports()] == ["/dev/ttyUSB5"]
    assert "No such file" in said("/dev/ttyUSB0")
    with serial.serial_for_url("/dev/ttyUSB5", timeout=1) as port:
        assert port.port == "/dev/ttyUSB5"


def test_a_port_whose_opening_takes_long_takes_that_long(plugged: ExitStack) -> None:
    place = put(plugged, DeviceSetup(kind="bluetooth", ports=(PortSetup(open_s=12),)), BOARD)
    serial.serial_for_url("/dev/rfcomm0").close()
    assert place.seconds >= 12


def test_a_device_that_is_shy_leaves_when_pyserial_asserts_dtr(plugged: ExitStack) -> None:
    place = put(plugged, DeviceSetup(kind="probe", shy=True), BOARD)
    with pytest.raises(OSError, match="Input/output error"):
        serial.serial_for_url("/dev/ttyACM0")
    assert [one.device for one in list_ports.comports()] == ["/dev/ttyUSB0"]
    place.board.advance(3 * 10**9)
    assert len(list_ports.comports()) == 2
