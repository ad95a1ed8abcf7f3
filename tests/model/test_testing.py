"""What the simulator offers to other people's tests: boards, proofs that a fault struck, and virtual time for libraries."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest
import serial
from serial.tools import list_ports
from serial.tools.list_ports import comports

from flashcore.errors import ConnectError, DeadlineExceededError, PortLostError, PortNotFoundError, ScenarioError
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from simulator.links.protocol_sim import ENDPOINTS, VirtualHang
from simulator.record.ladder import ladder
from simulator.record.transits import Fate
from simulator.scenario import Scenario
from simulator.testing import VirtualBoard, expect_fired, plug, plugged_in, unplug

SECOND_SYNC = "d2h:nth_frame(SYNC,2):drop"
THOUSANDTH = "d2h:nth_frame(1000):drop"


def connect(board: VirtualBoard) -> None:
    Flasher.open(board.port(), Options(use_stub=False)).close()


def test_a_fault_that_struck_is_no_news() -> None:
    board = VirtualBoard(Scenario(faults=(SECOND_SYNC,)))
    with expect_fired(board):
        connect(board)
    assert board.fired(SECOND_SYNC) == 1


def test_a_fault_that_did_not_strike_is() -> None:
    board = VirtualBoard(Scenario(faults=(SECOND_SYNC, THOUSANDTH)))
    with pytest.raises(AssertionError) as found, expect_fired(board.world):
        connect(board)
    assert str(found.value) == f"{THOUSANDTH} struck never, expected at least once"


def test_only_what_strikes_within_the_block_counts() -> None:
    board = VirtualBoard(Scenario(faults=(SECOND_SYNC,)))
    connect(board)
    with pytest.raises(AssertionError, match="struck never"), expect_fired(board, SECOND_SYNC):
        board.run_for(1)


@pytest.mark.parametrize(("times", "met"), [(1, False), (2, True), (3, False)])
def test_strikes_can_be_counted(times: int, met: bool) -> None:
    fault = "d2h:nth_frame(SYNC,1):delay(0.01):times=2"
    board = VirtualBoard(Scenario(faults=(fault,)))
    expectation = expect_fired(board, fault, times=times)
    if met:
        with expectation:
            connect(board)
    else:
        with pytest.raises(AssertionError, match="struck twice"), expectation:
            connect(board)


def test_what_the_block_raises_comes_before_what_did_not_strike() -> None:
    board = VirtualBoard(Scenario(faults=(THOUSANDTH,)))
    with pytest.raises(KeyError), expect_fired(board):
        raise KeyError


def test_a_fault_that_is_not_planned_is_refused_with_the_nearest() -> None:
    board = VirtualBoard(Scenario(faults=(SECOND_SYNC,)))
    with pytest.raises(ScenarioError, match="no planned fault") as found, expect_fired(board, "d2h:nth_frame(SYNC,3):drop"):
        pass
    assert SECOND_SYNC.lower() in found.value.hint.lower()
    with pytest.raises(ScenarioError), expect_fired(VirtualBoard(Scenario())):
        pass


def test_a_board_shows_its_flash_and_what_happened() -> None:
    board = VirtualBoard(Scenario(board="ttgo-lora32-v1"))
    board.load(0x20000, b"old")
    with board.lasting() as taken, Flasher.open(board.port(), Options(use_stub=False)) as flasher:
        flasher.write([Region(offset=0x10000, data=b"new" * 1000)], force=True)
    assert board.flash[0x10000 : 0x10000 + 3000] == b"new" * 1000
    assert board.flash[0x20000:0x20003] == b"old"
    assert 0 < taken.seconds <= board.now_s
    assert {"h2d", "d2h", "lines", "open", "close"} <= {event.kind for event in board.events}


def test_a_fault_can_begin_in_the_middle_and_end_again() -> None:
    board = VirtualBoard(Scenario())
    connect(board)
    fault = board.inject("d2h:always:drop")
    with pytest.raises(ConnectError):
        connect(board)
    assert fault.fired > 0
    board.heal()
    connect(board)
    steps = ladder(board.recorder.events, board.recorder.crossings)
    assert {step.fault for step in steps if step.fate is Fate.LOST} >= {"d2h:always:drop"}


def test_no_more_time_passes_than_is_allowed() -> None:
    board = VirtualBoard(Scenario())
    with pytest.raises(VirtualHang, match="no end after 2 virtual seconds"), board.at_most(2):
        board.port().write(b"x" * 65536, board.clock.now_ns() + 10_000_000_000)
    assert board.now_s == 2
    board.run_for(5)
    assert board.now_s == 7


def test_a_part_of_the_flash_can_be_looked_at() -> None:
    board = VirtualBoard(Scenario())
    board.load(0x1234, b"here")
    assert board.peek(0x1233, 6) == b"\xffhere\xff" == board.flash[0x1233:0x1239]


def test_the_buttons_bring_a_board_into_download_mode() -> None:
    board = VirtualBoard(Scenario())
    port = board.port()
    board.hold_boot()
    board.press_reset()
    board.run_for(0.2)
    board.hold_boot(False)
    assert b"DOWNLOAD_BOOT" in port.read(4096, board.clock.now_ns())


def test_flash_ends_where_it_ends() -> None:
    board = VirtualBoard(Scenario())
    with pytest.raises(ScenarioError, match="beyond"):
        board.load(len(board.flash) - 1, b"ab")


def test_there_is_no_board_where_a_fault_has_put_a_modem() -> None:
    board = VirtualBoard(Scenario(faults=("wrong-port-modem",)))
    with pytest.raises(ScenarioError, match="no board is at this port"):
        board.press_reset()


def test_a_library_that_waits_waits_in_virtual_time() -> None:
    board = VirtualBoard(Scenario())
    real = (time.sleep, time.monotonic, serial.Serial.__new__, serial.serial_for_url, list_ports.comports, comports)
    with plugged_in(board.world.device) as url:
        start = time.monotonic()
        time.sleep(3600)
        assert time.monotonic() - start == 3600
        assert board.now_s >= 3600
        with serial.serial_for_url(url, 115200, timeout=100) as port:
            assert port.read(1 << 16).startswith(b"ets ") or port.read(1) == b""
        for listed in (list_ports.comports(), comports()):
            assert [item.device for item in listed] == [port.port]
    assert real == (time.sleep, time.monotonic, serial.Serial.__new__, serial.serial_for_url, list_ports.comports, comports)
    assert not ENDPOINTS
    with pytest.raises(ValueError, match="sim"):
        serial.serial_for_url(url)


def test_a_port_left_open_is_closed_whatever_happened() -> None:
    board = VirtualBoard(Scenario())
    opened: list[serial.SerialBase] = []

    def forgetful(url: str) -> None:
        opened.append(serial.serial_for_url(url))
        raise KeyError

    with pytest.raises(KeyError), plugged_in(board.world.device) as url:
        forgetful(url)
    assert not opened[0].is_open
    assert not board.world.device.adapter.is_open


def test_a_library_that_waits_for_ever_is_told_so() -> None:
    board = VirtualBoard(Scenario(download=True))
    with pytest.raises(VirtualHang), plugged_in(board.world.device) as url:
        serial.serial_for_url(url, timeout=None).read(1 << 20)
    with pytest.raises(VirtualHang, match="a whole virtual day"), plugged_in(board.world.device):
        time.sleep(100_000)


def test_a_port_is_stuck_no_longer_than_its_deadline() -> None:
    port = VirtualBoard(Scenario()).port()
    deadline = port.clock.now_ns() + 1_000_000
    with pytest.raises(DeadlineExceededError):
        port.write(bytes(1 << 16), deadline)
    assert port.clock.now_ns() == deadline


def test_boards_on_one_computer_have_names_flash_and_time_in_common() -> None:
    board = VirtualBoard(Scenario())
    host = board.world.host
    twins = [plug(board, "esp32-devkitc") for _ in range(2)]
    names = [board.world.port, *(twin.port for twin in twins)]
    assert [port.device for port in host.ports()] == names == ["/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyUSB2"]
    with Flasher.open(host.open(twins[1].port), Options(use_stub=False)) as flasher:
        flasher.write([Region(offset=0x10000, data=b"here")], force=True)
    assert twins[1].flash[0x10000:0x10004] == b"here"
    assert set(twins[0].flash) == set(board.flash) == {0xFF}
    assert twins[0].device.kernel is board.world.device.kernel


def test_a_cable_can_be_pulled_and_plugged_in_again() -> None:
    board = VirtualBoard(Scenario())
    host, name = board.world.host, board.world.port
    port = host.open(name)
    unplug(board, name, back_s=2)
    with pytest.raises(PortLostError):
        port.read(1, board.clock.now_ns() + 1_000_000)
    port.close()
    with pytest.raises(PortNotFoundError):
        host.open(name)
    assert host.ports() == []
    board.run_for(3)
    with Flasher.open(host.open(name), Options(use_stub=False)):
        pass


def test_a_device_or_port_that_does_not_exist_is_refused() -> None:
    board = VirtualBoard(Scenario())
    with pytest.raises(ScenarioError, match="no device 'ttgo-lora32-v3'"):
        plug(board, "ttgo-lora32-v3")
    with pytest.raises(ScenarioError, match="no port '/dev/ttyUSB7'"):
        unplug(board, "/dev/ttyUSB7")
    assert plug(board, "gps").flash == b""


def test_the_public_names_are_all_there() -> None:
    import simulator.testing as public

    offered: list[Callable[..., object]] = [getattr(public, name) for name in public.__all__]
    assert all(item.__doc__ for item in offered)
    assert "pytest" not in {name.partition(".")[0] for name in vars(sys.modules["simulator.testing"])}
