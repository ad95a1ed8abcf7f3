"""Which port is taken, which are left alone, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from flashcore.approach import candidates, why_not
from flashcore.approach.absence import absence, grabbed, without_port
from flashcore.approach.candidates import same_device, twins
from flashcore.approach.reach import ambiguous
from flashcore.host import PortInfo, UsbDevice
from flashcore.port import Clock, Port, SystemClock
from flashcore.ports import sysfs

WCH = {"vid": 0x1A86, "pid": 0x55D4, "serial_number": "5323005045"}
SILABS = {"vid": 0x10C4, "pid": 0xEA60, "serial_number": "0001"}


class Desk:
    """A computer that shows what it was given."""

    def __init__(
        self, ports: Sequence[PortInfo] = (), devices: Sequence[UsbDevice] | None = (), meddlers: Sequence[str] = ()
    ) -> None:
        self._ports, self._devices, self._meddlers = ports, devices, meddlers

    @property
    def clock(self) -> Clock:
        return SystemClock()

    def ports(self) -> Sequence[PortInfo]:
        return self._ports

    def usb_devices(self) -> Sequence[UsbDevice] | None:
        return self._devices

    def open(self, name: str, baudrate: int = 115200) -> Port:
        raise AssertionError("nothing is to be opened here")

    def holder(self, name: str) -> str:
        return ""

    def permission_hint(self, name: str) -> str:
        return ""

    def meddlers(self) -> Sequence[str]:
        return self._meddlers


def names(ports: Sequence[PortInfo]) -> list[tuple[str, ...]]:
    return [one.names for one in candidates(ports)]


def test_of_two_drivers_ports_for_one_adapter_the_vendor_s_comes_first() -> None:
    apple = PortInfo(device="/dev/cu.usbmodem53230050451", location="20-1", **WCH)
    vendor = PortInfo(device="/dev/cu.wchusbserial53230050451", location="20-1", **WCH)
    other = PortInfo(device="/dev/cu.Bluetooth-Incoming-Port")
    assert names([other, apple, vendor]) == [(vendor.device, apple.device)]
    assert twins(apple, [apple, vendor, other]) == [vendor.device]


def test_twins_are_known_by_their_drivers_where_the_system_tells_no_place() -> None:
    apple = PortInfo(device="/dev/cu.usbmodem53230050451", **WCH)
    vendor = PortInfo(device="/dev/cu.wchusbserial53230050451", **WCH)
    assert names([apple, vendor]) == [(vendor.device, apple.device)]


@pytest.mark.parametrize("places", [("1-1", "1-2"), ("", "")])
def test_two_boards_with_one_serial_number_are_two_candidates(places: tuple[str, str]) -> None:
    one, two = (PortInfo(device=f"/dev/ttyUSB{n}", location=place, **SILABS) for n, place in enumerate(places))
    assert names([one, two]) == [("/dev/ttyUSB0",), ("/dev/ttyUSB1",)]
    error = ambiguous(candidates([one, two]))
    assert (error.code, "/dev/ttyUSB0, /dev/ttyUSB1" in error.message) == ("port.ambiguous", True)


def test_the_uart_half_of_a_dual_adapter_is_tried_before_the_jtag_half() -> None:
    halves = [PortInfo(device=f"/dev/ttyUSB{n}", vid=0x0403, pid=0x6010, location=f"1-1:1.{n}") for n in range(2)]
    assert names(halves) == [("/dev/ttyUSB1", "/dev/ttyUSB0")]


def test_ports_for_calling_out_are_tried_before_those_for_being_called() -> None:
    both = [PortInfo(device=f"/dev/{kind}.usbserial-0001", location="20-1", **SILABS) for kind in ("tty", "cu")]
    assert same_device(*both)
    assert names(both) == [("/dev/cu.usbserial-0001", "/dev/tty.usbserial-0001")]


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        (PortInfo(device="/dev/ttyS0"), "no USB device"),
        (PortInfo(device="COM7", vid=0x2C7C, pid=0x0125), "a cellular modem"),
        (PortInfo(device="COM8", vid=0x1366, pid=0x0101), "a SEGGER debug probe"),
        (PortInfo(device="COM9", vid=0x2341, pid=0x0043), "USB device 2341:0043, not known from Espressif boards"),
    ],
)
def test_what_is_no_candidate_has_a_reason(port: PortInfo, reason: str) -> None:
    assert candidates([port]) == []
    assert why_not(port) == reason


BARE = UsbDevice(vid=0x1A86, pid=0x55D4, location="1-2")
KEYBOARD = UsbDevice(vid=0x046D, pid=0xC31C, location="1-3")
GPS = PortInfo(device="/dev/ttyACM0", vid=0x1546, pid=0x01A8)


@pytest.mark.parametrize(
    ("desk", "wanted", "code", "said"),
    [
        (
            Desk(devices=[KEYBOARD, BARE]),
            "auto",
            "port.no_driver",
            "a WCH CH9102 (1A86:55D4) is plugged in but has no serial port: its driver is missing",
        ),
        (Desk(devices=[BARE], meddlers=["brltty"]), "auto", "port.grabbed", "brltty, a driver for Braille displays, runs"),
        (Desk(devices=[KEYBOARD]), "auto", "port.no_usb_device", "no board is on the USB"),
        (Desk([GPS], [KEYBOARD]), "auto", "port.no_usb_device", "/dev/ttyACM0 (a GPS receiver)"),
        (Desk([GPS], None), "auto", "port.not_found", "no serial port looks like an Espressif board"),
        (Desk([GPS], [KEYBOARD]), "/dev/ttyUSB0", "port.not_found", "there is no port /dev/ttyUSB0"),
        (Desk(devices=None), "/dev/ttyUSB0", "port.not_found", "there is no port /dev/ttyUSB0"),
    ],
)
def test_where_there_is_no_port_the_usb_says_why(desk: Desk, wanted: str, code: str, said: str) -> None:
    error = absence(desk, wanted)
    assert error.code == code
    assert said in error.message
    assert error.hint


def test_a_device_with_a_port_or_of_another_kind_lacks_no_driver() -> None:
    assert without_port([KEYBOARD, UsbDevice(vid=0x1A86, pid=0x55D4, ports=("/dev/ttyACM0",))]) == []
    assert without_port(None) == []


def test_who_takes_ports_away_is_named_only_if_it_runs() -> None:
    assert "ModemManager" in grabbed("It went", ["ModemManager"]).message
    assert "something took it away" in grabbed("It went", []).message


def test_linux_lists_usb_devices_with_their_ports_and_without_hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def device(name: str, **files: str) -> None:
        folder = tmp_path / "bus/usb/devices" / name
        folder.mkdir(parents=True)
        for key, text in files.items():
            (folder / key).write_text(f"{text}\n")

    device("usb1", idVendor="1d6b", idProduct="0002")
    device("1-1", idVendor="05e3", idProduct="0610", bDeviceClass="09")
    device("1-1.1", idVendor="10c4", idProduct="ea60", serial="0001", product="CP2102", bDeviceClass="00")
    device("1-1.1:1.0")
    device("1-1.1:1.0/ttyUSB3")
    device("1-2", idVendor="1a86", idProduct="55d4", bDeviceClass="02")
    device("1-2:1.0")
    device("1-2:1.0/tty/ttyACM0")
    device("1-3", idVendor="1a86", idProduct="7523", bDeviceClass="ff")
    device("1-3:1.0")
    monkeypatch.setenv(sysfs.VARIABLE, str(tmp_path))
    assert sysfs.usb_devices() == [
        UsbDevice(vid=0x10C4, pid=0xEA60, serial_number="0001", product="CP2102", location="1-1.1", ports=("/dev/ttyUSB3",)),
        UsbDevice(vid=0x1A86, pid=0x55D4, location="1-2", ports=("/dev/ttyACM0",)),
        UsbDevice(vid=0x1A86, pid=0x7523, location="1-3"),
    ]
    monkeypatch.setenv(sysfs.VARIABLE, str(tmp_path / "none"))
    assert sysfs.usb_devices() is None
