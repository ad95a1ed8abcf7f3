"""Faults of USB and ports: what each does to the list of ports, to open ports, and to the chip behind them."""

from __future__ import annotations

import pytest

from flashcore.errors import (
    PlanError,
    PortBusyError,
    PortDeniedError,
    PortError,
    PortLostError,
    PortNotFoundError,
    ScenarioError,
)
from flashcore.port import NS_PER_S
from simulator.board.board import Board
from simulator.chip.soc import ResetCause
from simulator.faults.presets.preset import parse_preset
from simulator.faults.text import parse
from simulator.host.system import Os
from simulator.host.virtual_host import VirtualHost, alone
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario, World

PORT = "/dev/ttyUSB0"


def world(*faults: str, download: bool = False) -> World:
    return Scenario(faults=faults, download=download).build()


def read_until_lost(port: VirtualPort) -> None:
    while True:
        port.read(1 << 16, 10 * NS_PER_S)


def wait(place: World, seconds: float) -> None:
    place.device.advance(place.device.kernel.now + round(seconds * NS_PER_S))


def names(place: World) -> list[str]:
    return [port.device for port in place.host.ports()]


def test_a_world_without_a_host_table_has_its_board_on_one_port() -> None:
    place = world()
    (found,) = place.host.ports()
    assert (found.device, found.usb_id, found.location, place.port) == (PORT, "10C4:EA60", "1-1", PORT)
    assert [device.ports for device in place.host.usb_devices()] == [(PORT,)]


def test_the_host_in_between_changes_no_event_of_a_session() -> None:
    direct, through = world(), world()
    ports = (VirtualPort(direct.device), through.host.open(PORT))
    for port in ports:
        port.set_lines(dtr=False, rts=True)
        port.set_lines(rts=False)
        port.read(4096, port.clock.now_ns() + 2 * NS_PER_S)
        port.close()
    assert direct.journal.digest() == through.journal.digest()
    assert direct.journal.count == through.journal.count > 5


@pytest.mark.parametrize(("keeps_power", "again"), [("true", False), ("false", True)])
def test_a_pulled_device_comes_back_and_its_chip_starts_anew_if_it_had_no_power(keeps_power: str, again: bool) -> None:
    place = world(f"usb:at(1):disconnect(back=2,name=/dev/ttyUSB4,usb_id=303A:1001,keeps_power={keeps_power})", download=True)
    port = place.host.open(PORT)
    with pytest.raises(PortLostError):
        read_until_lost(port)
    assert place.device.kernel.now == NS_PER_S
    port.close()
    assert (names(place), place.host.usb_devices()) == ([], [])
    wait(place, 2.5)
    (back,) = place.host.ports()
    assert (back.device, back.usb_id, back.location) == ("/dev/ttyUSB4", "303A:1001", "1-1")
    assert isinstance(place.device, Board)
    assert (place.device.soc.boots > 1) is again
    assert place.planned[0].fired == 1
    assert place.host.still_open == []


def test_nothing_of_what_was_on_its_way_arrives_when_the_plug_is_pulled() -> None:
    place = world()
    port = place.host.open(PORT)
    port.set_lines(dtr=True, rts=False)
    assert isinstance(place.device, Board)
    assert place.device.reset_circuit.io0_low
    place.device.adapter.set_lines(True, True)
    place.host.remove(place.host.units[0])
    wait(place, 0.1)
    assert (place.device.adapter.dtr, place.device.adapter.rts) == (False, False)
    assert not place.device.reset_circuit.io0_low


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("port:always:busy(lasts=2,by=minicom)", PortBusyError),
        ("port:always:denied(lasts=2)", PortDeniedError),
        ("port:nth_open(1):missing", PortNotFoundError),
        ("port:nth_reconfigure(1):refuse_config", PortError),
    ],
)
def test_what_stands_in_the_way_of_an_opening_counts_and_ends(fault: str, kind: type[PortError]) -> None:
    place = world(fault)
    with pytest.raises(kind) as caught:
        place.host.open(PORT)
    assert type(caught.value) is kind
    assert place.host.still_open == []
    wait(place, 3)
    place.host.open(PORT).close()
    assert place.planned[0].fired == 1


def test_the_holder_of_a_port_is_known_while_it_has_it() -> None:
    place = world("port:always:busy(lasts=2,by=minicom)")
    assert place.host.holder(PORT) == "minicom"
    wait(place, 3)
    assert place.host.holder(PORT) == ""


def test_a_port_that_is_missing_is_in_no_list_while_its_device_is() -> None:
    place = world("port:always:missing")
    assert names(place) == []
    assert [(device.usb_id, device.ports) for device in place.host.usb_devices()] == [("10C4:EA60", ())]


def test_a_grabbed_port_goes_so_long_after_each_arrival() -> None:
    place = world("usb:always:grab(1.0)")
    port = place.host.open(PORT)
    wait(place, 1.1)
    with pytest.raises(PortLostError):
        port.read(1, 0)
    assert names(place) == []
    unit = place.host.units[0]
    place.host.remove(unit)
    place.host.bring(unit)
    assert names(place) == [PORT]
    wait(place, 1.1)
    assert names(place) == []
    assert place.planned[0].fired == 2


def test_a_device_that_shows_itself_for_moments_stays_once_its_chip_waits_for_a_download() -> None:
    place = world("usb:always:appear(up=0.3,every=2)")
    seen = []
    for step in range(40):
        if names(place):
            seen.append(step)
        wait(place, 0.1)
    assert seen == [17, 18, 19, 37, 38, 39]
    wait(place, 1.75)
    port = place.host.open(PORT)
    port.set_lines(dtr=False, rts=True)
    port.clock.sleep_until(port.clock.now_ns() + NS_PER_S // 10)
    port.set_lines(dtr=True, rts=False)
    wait(place, 5)
    assert names(place) == [PORT]
    assert b"waiting for download" in port.read(4096, 0)


def test_a_second_reader_takes_packets_and_the_first_notices_when_it_waits() -> None:
    place = world("port:always:steal(1.0)")
    port = place.host.open(PORT)
    port.set_lines(dtr=False, rts=True)
    port.set_lines(rts=False)
    with pytest.raises(PortError) as caught:
        port.read(100, port.clock.now_ns() + NS_PER_S)
    assert caught.value.code == "port.shared"
    wait(place, 1)
    assert port.read(100, 0) == b""
    assert place.planned[0].fired > 2


PRESET = """
id = "x"
title = "x"
rank = 1
class = "x"
[host]
os = "macos"
devices = [{ kind = "board", ports = [
    { driver = "macos-apple", faults = ["d2h:always:drop:heals=other_port", "port:nth_open(2):busy"] },
    { driver = "macos-vendor" },
] }]
"""


def twins(monkeypatch: pytest.MonkeyPatch) -> World:
    from simulator.faults import presets

    monkeypatch.setattr(presets, "preset", lambda name: parse_preset(PRESET, source="x.toml"))
    return Scenario(board="ttgo-lora32-v1", faults=("x",)).build()


def heard(port: VirtualPort) -> bytes:
    port.set_lines(dtr=False, rts=True)
    port.clock.sleep_until(port.clock.now_ns() + NS_PER_S // 10)
    port.set_lines(rts=False)
    port.clock.sleep_until(port.clock.now_ns() + NS_PER_S)
    data = port.read(1 << 16, 0)
    port.close()
    return data


def test_a_fault_of_one_port_leaves_its_twin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    place = twins(monkeypatch)
    apple, vendor = names(place)
    assert b"rst:0x1" in heard(place.host.open(vendor))
    assert place.planned[0].fired == 0
    assert heard(place.host.open(apple)) == b""
    struck = place.planned[0].fired
    assert struck > 0
    with pytest.raises(PortBusyError):
        place.host.open(apple)
    assert b"rst:0x1" in heard(place.host.open(vendor))
    assert place.planned[0].fired == struck + 1
    assert place.planned[0].exercised


def test_a_fault_healed_by_the_other_port_is_over_once_that_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    place = twins(monkeypatch)
    apple, vendor = names(place)
    assert heard(place.host.open(apple)) == b""
    with pytest.raises(PortBusyError):
        place.host.open(apple)
    heard(place.host.open(vendor))
    assert b"rst:0x1" in heard(place.host.open(apple))


def test_a_fault_healed_by_plugging_in_again_is_over_when_the_device_came_back() -> None:
    place = world("d2h:always:drop:heals=replug", "usb:at(3):disconnect(back=1)")
    assert heard(place.host.open(PORT)) == b""
    assert heard(place.host.open(PORT)) == b""
    wait(place, 3)
    assert b"rst:0x1" in heard(place.host.open(PORT))


def test_what_a_program_left_open_is_closed_as_the_system_closes_it() -> None:
    place = world()
    place.host.open(PORT).set_lines(dtr=True, rts=True)
    assert place.host.still_open == [PORT]
    place.host.close_all()
    assert place.host.still_open == []
    assert (place.device.adapter.is_open, place.device.adapter.dtr, place.device.adapter.rts) == (False, False, False)


def test_whatever_happened_to_the_device_can_be_put_right() -> None:
    place = world("usb:at(1):disconnect", "port:always:denied")
    wait(place, 2)
    place.host.put_right()
    assert isinstance(place.device, Board)
    assert place.device.powered
    assert place.device.soc.cause is ResetCause.POWERON_RESET
    place.host.open(PORT).close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("usb:always:disconnect(usb_id=303A)", "usb_id must consist of four hexadecimal digits twice"),
        ("port:always:busy(by=two words)", "by must consist of letters"),
        ("usb:always:appear(up=0,every=1)", "up must lie between"),
        ("port:always:steal(2)", "share must lie between 0 and 1"),
        ("h2d:always:busy", "cannot happen at h2d"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse(text)
    assert complaint in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('devices = [{ kind = "toaster" }]', "host.devices[0].kind"),
        ('devices = [{ usb_id = "nonsense" }]', "host.devices[0].usb_id: 'nonsense' is no USB id"),
        ('devices = [{ ports = [{ faults = ["x"] }] }]', "host.devices[0].ports[0].faults[0]"),
        ('os = "beos"', "host.os"),
    ],
)
def test_a_host_table_is_checked_to_the_field(table: str, complaint: str) -> None:
    head = 'id = "x"\ntitle = "x"\nrank = 1\nclass = "x"\n[host]\n'
    with pytest.raises(PlanError) as caught:
        parse_preset(head + table, source="x.toml")
    assert complaint in caught.value.message


def test_a_single_device_can_be_shown_by_any_system() -> None:
    device = world().device
    host: VirtualHost = alone(device, name="COM9", os=Os.WINDOWS)
    assert [port.device for port in host.ports()] == ["COM9"]
    host.open("COM9").close()


def test_an_adapter_without_a_driver_there_is_refused() -> None:
    with pytest.raises(ScenarioError, match="the adapter ideal has no driver called windows"):
        Scenario(board="esp32-oracle", faults=("win-error-31",)).build()
