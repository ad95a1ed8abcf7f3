"""Stores to the RTC controller: the reset by software, and the watchdog behind its key."""

from __future__ import annotations

import pytest

from simulator.board.board import Board
from simulator.board.presets import preset
from simulator.chip.registers import (
    RTC_OPTIONS0,
    RTC_WDT_CONFIG0,
    RTC_WDT_CONFIG1,
    RTC_WDT_FEED,
    RTC_WDT_KEY,
    RTC_WDT_PROTECT,
)
from simulator.chip.soc import ResetCause
from simulator.kernel import MS

RESET_AFTER_STAGE_0 = 0x8000_0000 | 4 << 28


@pytest.fixture
def board() -> Board:
    board = Board(preset("esp32-devkitc"), download=True)
    board.advance(100 * MS)
    return board


def put(board: Board, *words: tuple[int, int]) -> None:
    for address, value in words:
        board.soc.memory.write32(address, value)


def passes(board: Board, ms: int) -> None:
    board.advance(board.kernel.now + ms * MS)


def test_the_reset_bit_restarts_the_chip_with_the_straps_of_before(board: Board) -> None:
    put(board, (RTC_OPTIONS0, 0x8000_0000))
    passes(board, 10)
    assert (board.soc.boots, board.soc.cause, board.soc.strap) == (2, ResetCause.SW_RESET, 0x03)


def test_the_watchdog_resets_the_chip_into_the_mode_of_its_straps(board: Board) -> None:
    put(board, (RTC_WDT_PROTECT, RTC_WDT_KEY), (RTC_WDT_CONFIG1, 15_000), (RTC_WDT_CONFIG0, RESET_AFTER_STAGE_0))
    passes(board, 99)
    assert board.soc.boots == 1
    passes(board, 2)
    assert (board.soc.boots, board.soc.cause, board.soc.strap) == (2, ResetCause.RTCWDT_RTC_RESET, 0x13)


def test_without_the_key_the_watchdog_keeps_what_it_holds(board: Board) -> None:
    put(board, (RTC_WDT_PROTECT, 0), (RTC_WDT_CONFIG1, 15), (RTC_WDT_CONFIG0, RESET_AFTER_STAGE_0))
    passes(board, 1000)
    assert board.soc.boots == 1
    assert board.soc.memory.read32(RTC_WDT_CONFIG0) == 0


def test_a_loader_that_switches_it_off_is_left_alone(board: Board) -> None:
    put(board, (RTC_WDT_PROTECT, RTC_WDT_KEY), (RTC_WDT_CONFIG1, 15_000), (RTC_WDT_CONFIG0, RESET_AFTER_STAGE_0))
    passes(board, 50)
    put(board, (RTC_WDT_CONFIG0, 0), (RTC_WDT_PROTECT, 0))
    passes(board, 1000)
    assert board.soc.boots == 1


def test_feeding_starts_the_time_anew(board: Board) -> None:
    put(board, (RTC_WDT_PROTECT, RTC_WDT_KEY), (RTC_WDT_CONFIG1, 15_000), (RTC_WDT_CONFIG0, RESET_AFTER_STAGE_0))
    passes(board, 80)
    put(board, (RTC_WDT_FEED, 0x8000_0000))
    passes(board, 80)
    assert board.soc.boots == 1
    passes(board, 30)
    assert board.soc.boots == 2


def test_the_reset_line_ends_the_watchdog_too(board: Board) -> None:
    put(board, (RTC_WDT_PROTECT, RTC_WDT_KEY), (RTC_WDT_CONFIG1, 15_000), (RTC_WDT_CONFIG0, RESET_AFTER_STAGE_0))
    board.reset_circuit.hold_boot(True)
    board.press_reset()
    passes(board, 1000)
    assert (board.soc.boots, board.soc.cause) == (2, ResetCause.POWERON_RESET)
