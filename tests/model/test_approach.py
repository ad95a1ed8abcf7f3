"""flashcore's way to a port on a simulated computer: what stands in the way, and what happens when the port goes."""

from __future__ import annotations

import pytest

from flashcore.errors import FlashcoreError, PortError
from flashcore.image import Region
from simulator.faults.presets.host_table import DeviceSetup, PortSetup
from simulator.host import virtual_host
from simulator.host.system import Refusal
from tests.model.host_world import IMAGE, OFFSET, Desk, Gate, desk

BOARD = DeviceSetup()
TWINS = DeviceSetup(ports=(PortSetup(driver="macos-apple"), PortSetup(driver="macos-vendor")))
APPLE, VENDOR = "/dev/cu.usbmodem53230050451", "/dev/cu.wchusbserial53230050451"


def caught(place: Desk, wanted: str = "auto") -> FlashcoreError:
    with pytest.raises(FlashcoreError) as found:
        place.write(wanted)
    return found.value


def test_among_strangers_the_board_is_found_and_nothing_is_sent_to_the_others() -> None:
    place = desk(*(DeviceSetup(kind=kind) for kind in ("modem", "gps", "probe", "bluetooth", "uart")), BOARD)
    place.write()
    assert place.holds
    assert all(node.opens == 0 for unit in place.host.units if unit is not place.unit for node in unit.nodes)
    assert place.host.still_open == []


def test_which_of_two_boards_is_meant_is_not_guessed() -> None:
    place = desk(BOARD, DeviceSetup())
    assert caught(place).code == "port.ambiguous"
    assert all(node.opens == 0 for unit in place.host.units for node in unit.nodes)


@pytest.mark.parametrize(
    ("devices", "running", "code"),
    [
        ((DeviceSetup(driver=False),), (), "port.no_driver"),
        ((DeviceSetup(driver=False),), ("brltty",), "port.grabbed"),
        ((DeviceSetup(plugged=False),), (), "port.no_usb_device"),
    ],
)
def test_a_missing_port_is_explained_after_waiting_for_it(
    devices: tuple[DeviceSetup, ...], running: tuple[str, ...], code: str
) -> None:
    place = desk(*devices, running=running)
    assert caught(place).code == code
    assert place.recoveries == [code]
    assert 2 <= place.seconds < 16


def test_a_board_plugged_in_while_waiting_is_taken_at_once() -> None:
    place = desk(DeviceSetup(plugged=False))
    place.at(7.5, lambda: place.host.bring(place.unit))
    place.write()
    assert place.holds


def test_a_name_that_is_wrong_is_not_waited_for_long_where_boards_are_there() -> None:
    place = desk()
    error = caught(place, "/dev/ttyUSB7")
    assert (error.code, "/dev/ttyUSB0" in error.hint) == ("port.not_found", True)
    assert place.seconds < 3


def test_a_busy_port_is_waited_for() -> None:
    place = desk()
    place.unit.nodes[0].gates.append(Gate(place, Refusal.BUSY, until_s=9))
    place.write()
    assert place.holds
    assert place.recoveries == ["port.busy"]


def test_who_keeps_a_port_busy_is_named() -> None:
    place = desk()
    place.unit.nodes[0].gates.append(Gate(place, Refusal.BUSY, holder="minicom (pid 4711)"))
    error = caught(place)
    assert (error.code, "minicom (pid 4711)" in error.message) == ("port.busy", True)


def test_a_busy_port_is_passed_by_through_its_twin() -> None:
    place = desk(TWINS, os="macos", board="ttgo-lora32-v1")
    place.host.node(VENDOR).gates.append(Gate(place, Refusal.BUSY))  # type: ignore[union-attr]
    place.write(VENDOR)
    assert place.holds
    assert place.host.node(APPLE).opens == 1  # type: ignore[union-attr]


def test_permissions_that_come_late_are_waited_for() -> None:
    place = desk()
    place.unit.nodes[0].gates.append(Gate(place, Refusal.DENIED, until_s=1))
    place.write()
    assert place.holds


def test_permissions_that_do_not_come_are_asked_for_by_a_command() -> None:
    place = desk()
    place.unit.nodes[0].gates.append(Gate(place, Refusal.DENIED))
    error = caught(place)
    assert error.code == "port.denied"
    assert "sudo usermod -aG dialout $USER" in error.hint


def test_a_driver_that_refuses_its_settings_gets_more_chances() -> None:
    place = desk(os="windows")
    place.unit.nodes[0].gates.append(Gate(place, Refusal.CONFIG, times=2, settings=True))
    place.write("COM3")
    assert place.holds
    assert place.host.still_open == []


def test_a_driver_that_always_refuses_is_the_diagnosis() -> None:
    place = desk(os="windows")
    place.unit.nodes[0].gates.append(Gate(place, Refusal.CONFIG, settings=True))
    assert caught(place, "COM3").code == "port.refuses_config"
    assert place.host.still_open == []


@pytest.mark.parametrize("powered", [True, False], ids=["a hub's glitch", "a pulled cable"])
@pytest.mark.parametrize("use_stub", [True, False], ids=["stub", "rom"])
def test_a_port_that_returns_under_another_name_is_followed_and_the_work_goes_on(powered: bool, use_stub: bool) -> None:
    place = desk()
    place.at(4, lambda: place.host.remove(place.unit, back_ns=1_500_000_000, names=["/dev/ttyUSB5"], powered=powered))
    flasher = place.write("/dev/ttyUSB0", use_stub=use_stub)
    assert place.holds
    assert "port.came_back" in [finding.code for finding in flasher.findings]
    assert place.host.still_open == []


def test_a_port_that_does_not_return_ends_the_work_with_its_cause() -> None:
    place = desk()
    place.at(6, lambda: place.host.remove(place.unit))
    error = caught(place)
    assert (error.code, isinstance(error, PortError)) == ("port.lost", True)
    assert 15 < place.seconds < 18
    assert place.host.still_open == []


def test_a_port_that_is_taken_away_soon_after_it_was_opened_is_blamed_on_the_program_that_runs() -> None:
    place = desk(running=("brltty",))

    def take() -> None:
        for node in place.unit.nodes:
            for port in node.opened:
                port.lose()
        place.unit.nodes.clear()

    place.at(1.9, take)
    error = caught(place)
    assert error.code == "port.grabbed"
    assert "brltty" in error.message


def test_a_device_that_leaves_at_the_reset_and_stays_away_is_said_to_have_left_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_host, "SHY_NS", 10**12)
    place = desk(DeviceSetup(shy=True))
    assert caught(place).code == "port.lost_at_reset"


def test_another_board_behind_the_returned_port_is_noticed_before_it_is_written() -> None:
    place = desk(BOARD, DeviceSetup())
    other = next(unit for unit in place.host.units if unit is not place.unit)
    before = other.device.soc.flash.image()  # type: ignore[attr-defined]

    def swap() -> None:
        mine, its = place.unit.identity, other.identity
        place.host.remove(place.unit, back_ns=10**9, identity=its, names=["/dev/ttyUSB1"])
        place.host.remove(other, back_ns=10**9, identity=mine, names=["/dev/ttyUSB0"])

    place.at(4, swap)
    assert caught(place, "/dev/ttyUSB0").code == "port.other_board"
    assert other.device.soc.flash.image() == before  # type: ignore[attr-defined]


def test_names_that_swap_do_not_mislead() -> None:
    place = desk(BOARD, DeviceSetup())
    other = next(unit for unit in place.host.units if unit is not place.unit)

    def swap() -> None:
        place.host.remove(place.unit, back_ns=10**9, names=["/dev/ttyUSB1"])
        place.host.remove(other, back_ns=10**9, names=["/dev/ttyUSB0"])

    place.at(4, swap)
    place.write("/dev/ttyUSB0")
    assert place.holds


def silence(place: Desk, *names: str) -> None:
    """Let nothing come back through ports of these names."""
    nodes = [place.host.node(name) for name in names]
    taps = place.board.adapter.taps.bridge_to_host
    taps.append(lambda chunk: () if any(node is not None and node.opened for node in nodes) else (chunk,))


def test_a_silent_port_is_passed_by_through_its_twin() -> None:
    place = desk(TWINS, os="macos", board="ttgo-lora32-v1")
    silence(place, VENDOR)
    place.write()
    assert place.holds
    assert "connect.no_answer" in place.recoveries
    assert place.host.still_open == []


def test_where_both_twins_are_silent_the_first_one_is_the_diagnosis() -> None:
    place = desk(TWINS, os="macos", board="ttgo-lora32-v1")
    silence(place, VENDOR, APPLE)
    error = caught(place)
    assert (error.code, VENDOR in error.message) == ("connect.no_answer", True)
    assert [node.opens for node in place.unit.nodes] == [1, 1]


def test_a_port_that_goes_while_it_is_being_opened_is_waited_for() -> None:
    place = desk(DeviceSetup(ports=(PortSetup(open_s=0.5),)))
    place.at(0.2, lambda: place.host.remove(place.unit, back_ns=10**9))
    place.write()
    assert place.holds


def test_a_read_and_an_erase_outlive_the_port_too() -> None:
    place = desk()
    with place.reach() as flasher:
        flasher.write([Region(offset=OFFSET, data=IMAGE)])
        for powered in (True, False):
            now = place.seconds
            place.at(now + 0.5, lambda powered=powered: place.host.remove(place.unit, back_ns=10**9, powered=powered))
            assert flasher.read(OFFSET, len(IMAGE)) == IMAGE
            assert place.seconds > now + 1.5
        place.at(place.seconds + 0.05, lambda: place.host.remove(place.unit, back_ns=10**9))
        flasher.erase(OFFSET, len(IMAGE))
    assert place.board.soc.flash.is_blank(OFFSET, len(IMAGE))
    assert place.host.still_open == []


def test_a_port_that_keeps_going_is_given_up_after_a_while() -> None:
    place = desk()

    def go() -> None:
        place.host.remove(place.unit, back_ns=10**8)
        place.board.kernel.after(4 * 10**8, go)

    place.at(3, go)
    error = caught(place)
    assert error.code == "port.lost"
    assert place.seconds < 60
