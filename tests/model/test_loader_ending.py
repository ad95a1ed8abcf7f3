"""The end of a session: whether the chip really runs what was written, and what is said if it does not."""

from __future__ import annotations

import pytest

from flashcore.errors import DeadlineExceededError, ImageError
from flashcore.image import Region
from flashcore.loader import Options
from flashcore.loader.progress import Closed
from simulator.board.board import Board
from simulator.chip.factory import factory_flash
from tests.model.loader_world import Bench, bench
from tests.model.test_loader_stub import stub

ROM, STUB = Options(use_stub=False), Options(stub=stub(2))
INSTALL = [Region(offset=offset, data=data, name=f"part at {offset:x}") for offset, data in factory_flash("arduino")]


def board_of(desk: Bench) -> Board:
    board = desk.world.board
    assert isinstance(board, Board)
    return board


@pytest.mark.parametrize("options", [ROM, STUB], ids=["rom", "stub"])
def test_an_install_that_boots_is_reported_as_started(options: Options) -> None:
    desk = bench()
    with desk.open(options) as flasher:
        flasher.write(INSTALL)
    assert desk.of(Closed) == [Closed(reset=True, in_loader=False, boot="started")]
    assert flasher.findings == ()


def test_an_app_without_a_boot_loader_is_a_finding_and_no_error() -> None:
    desk = bench()
    with desk.open(ROM) as flasher:
        flasher.write(INSTALL[-1:])
    assert [finding.code for finding in flasher.findings] == ["boot.failed"]
    assert desk.of(Closed) == [Closed(reset=True, in_loader=False, boot="invalid header: 0xffffffff")]


def test_a_boot_loader_that_the_rom_refuses_is_an_error() -> None:
    desk = bench()
    bootloader = bytearray(INSTALL[0].data)
    bootloader[200] ^= 1
    broken = Region(offset=INSTALL[0].offset, data=bytes(bootloader), name="boot.bin")
    with pytest.raises(ImageError, match="csum err") as caught, desk.open(ROM) as flasher:
        flasher.write([broken, *INSTALL[1:]], force=True)
    assert caught.value.code == "image.does_not_boot"
    assert desk.flash(broken.offset, broken.size) == broken.data


@pytest.mark.parametrize("options", [ROM, STUB], ids=["rom", "stub"])
def test_where_the_reset_line_is_dead_the_watchdog_restarts_the_chip(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench()
    with desk.open(options) as flasher:
        flasher.write(INSTALL)
        monkeypatch.setattr(board_of(desk).adapter, "set_lines", lambda dtr, rts: board_of(desk).kernel.now)
    assert [finding.code for finding in flasher.findings] == ["boot.needed_watchdog"]
    assert desk.of(Closed) == [Closed(reset=True, in_loader=False, boot="started")]
    assert board_of(desk).soc.cause.name == "RTCWDT_RTC_RESET"


def test_a_chip_whose_boot_button_is_held_is_said_to_stay_in_its_loader() -> None:
    desk = bench()
    with desk.open(ROM) as flasher:
        flasher.write(INSTALL)
        board_of(desk).reset_circuit.hold_boot(True)
    assert [finding.code for finding in flasher.findings] == ["boot.stays_in_loader"]
    assert desk.of(Closed) == [Closed(reset=False, in_loader=True)]


def test_a_supply_that_breaks_down_after_the_restart_is_named() -> None:
    desk = bench()

    loop = [Region(offset=offset, data=data) for offset, data in factory_flash("brown-out-loop")]
    with desk.open(ROM) as flasher:
        flasher.write(loop)
    assert [finding.code for finding in flasher.findings] == ["boot.brownout"]
    assert desk.of(Closed)[0].boot == "brownout"


def test_listening_ends_when_the_chip_falls_silent() -> None:
    desk = bench()
    with desk.open(ROM) as flasher:
        flasher.write(INSTALL)
        before = desk.seconds
    assert desk.seconds - before < 2.2


def test_a_port_that_is_stuck_at_the_end_makes_no_error_of_a_good_write(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench()

    def stuck(data: bytes, deadline_ns: int) -> None:
        raise DeadlineExceededError("the driver is stuck", code="port.write_stuck")

    with desk.open(ROM) as flasher:
        flasher.write(INSTALL)
        monkeypatch.setattr(board_of(desk).adapter, "set_lines", lambda dtr, rts: board_of(desk).kernel.now)
        monkeypatch.setattr(desk.port, "write", stuck)
    assert len(desk.of(Closed)) == 1
    for part in INSTALL:
        assert desk.flash(part.offset, part.size) == part.data
