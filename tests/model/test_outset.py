"""What a preset's tables [board] and [start] make of a world."""

from __future__ import annotations

import pytest

from flashcore.errors import ScenarioError
from flashcore.protocol import commands
from flashcore.protocol.slip import encode
from simulator.board.autoreset import Wiring
from simulator.board.board import Board, HostBaud, HostBytes, HostOpen
from simulator.board.presets import preset
from simulator.chip.factory import APP_OFFSET
from simulator.faults import presets
from simulator.faults.bench import Bench
from simulator.faults.plan import install
from simulator.faults.presets.schema import BoardSetup, StartSetup, StrapSetup
from simulator.kernel import MS, S
from simulator.outset import HALF_WRITTEN, changed, furnish, oddities
from simulator.rng import Rng
from simulator.scenario import Scenario

DEVKIT = preset("esp32-devkitc")


def furnished(*starts: StartSetup) -> Board:
    board = Board(DEVKIT)
    furnish(board, starts)
    return board


def said(board: Board, wait_ns: int) -> bytes:
    board.submit(HostOpen())
    board.submit(HostBaud(115200))
    board.advance(board.kernel.now + wait_ns)
    return board.drain()


def test_a_table_that_says_nothing_changes_nothing() -> None:
    assert changed(DEVKIT, BoardSetup()) == DEVKIT
    assert oddities(BoardSetup()) == []


def test_each_entry_changes_what_it_names_and_nothing_else() -> None:
    setup = BoardSetup(
        c_nf=470.0, wiring="crossed", control_ms=20.0, crystal_mhz=26, flash="W25Q16", strap=StrapSetup(io2=True)
    )
    found = changed(DEVKIT, setup)
    assert (found.c_farad, found.wiring, found.bridge.control_ns) == (470.0 * 1e-9, Wiring.CROSSED, 20 * MS)
    assert (found.chip.crystal_mhz, found.chip.flash, found.strap_value(io0_low=True)) == (26, "W25Q16", 0x0B)
    assert (found.chip.mac, found.bridge.name, found.r_ohm) == (DEVKIT.chip.mac, DEVKIT.bridge.name, DEVKIT.r_ohm)


def test_another_board_comes_first_and_is_changed_then() -> None:
    found = changed(DEVKIT, BoardSetup(name="ttgo-lora32-v1", c_nf=1.0))
    assert (found.name, found.c_farad) == ("ttgo-lora32-v1", 1e-9)


@pytest.mark.parametrize("setup", [BoardSetup(name="esp33"), BoardSetup(flash="W25Q")])
def test_a_board_or_part_that_does_not_exist_is_one_error(setup: BoardSetup) -> None:
    with pytest.raises(ScenarioError, match="there is no"):
        changed(DEVKIT, setup)


def test_what_is_odd_about_a_board_is_there_from_the_start() -> None:
    board = Board(DEVKIT)
    setup = BoardSetup(clock_error=0.02, protected=True, split_lines=True, jitter_ms=2.0)
    active = install(Bench(kernel=board.kernel, adapter=board.adapter, board=board), oddities(setup), Rng())
    assert board.soc.uart.line_baud == round(115200 * 1.02)
    assert board.soc.flash.status.protects_all
    assert len(board.adapter.taps.lines) == 2
    for item in active:
        item.heal()
    assert board.soc.uart.line_baud == 115200
    assert not board.soc.flash.status.protects_all


def test_a_half_written_app_does_not_start() -> None:
    board = furnished(StartSetup(firmware="arduino", flash="half-written"))
    app = board.soc.flash.read(APP_OFFSET, 2 * HALF_WRITTEN)
    assert app[:1] == b"\xe9"
    assert app[HALF_WRITTEN:] == b"\xff" * HALF_WRITTEN
    text = said(board, 2 * S)
    assert b"entry 0x" in text
    assert b"counter: " not in text


def test_the_firmware_of_a_preset_runs() -> None:
    assert b"counter: " in said(furnished(StartSetup(firmware="arduino")), 3 * S)


def test_a_stub_that_was_left_running_answers_at_once() -> None:
    board = furnished(StartSetup(prior="stub"))
    said(board, 50 * MS)
    board.submit(HostBytes(encode(commands.sync().pack())))
    board.advance(board.kernel.now + 50 * MS)
    answer = board.drain()
    assert answer.count(b"\xc0\x01\x08") == 8
    assert answer[5:9] == bytes(4), "a stub's value is zero, the ROM's is not"


def test_two_presets_with_different_firmware_do_not_go_together() -> None:
    with pytest.raises(ScenarioError, match="arduino and softrf"):
        furnished(StartSetup(firmware="softrf"), StartSetup(firmware="arduino"))


def test_a_state_counts_once_somebody_has_met_with_it() -> None:
    assert presets.preset("does-not-fit").state
    world = Scenario(faults=("does-not-fit",)).build()
    (planned,) = world.planned
    assert (planned.fired, planned.exercised) == (0, False)
    world.device.submit(HostOpen())
    assert (planned.fired, planned.exercised) == (1, True)


def test_healing_leaves_the_board_as_odd_as_it_is() -> None:
    world = Scenario(faults=("autoreset-race-split",)).build()
    world.planned[0].heal()
    assert len(world.device.adapter.taps.lines) == 2
    assert [item.over for item in world.planned[0].always] == [False, False]
