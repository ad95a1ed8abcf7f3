"""The board is the one that the rig means, and what its preset says about it is true."""

from __future__ import annotations

import pytest

from hil.bench import Bench
from simulator.chip.flash_parts import part


def test_the_mac_address_is_the_one_in_the_rig(board: Bench) -> None:
    found, named = board.identity().silicon.mac_text, board.board.mac
    assert found == named


def test_the_crystal_is_the_one_of_the_preset(board: Bench) -> None:
    if board.board.is_recording:
        pytest.skip(f"{board.board.name}: the recording has a divider that fits no crystal (oracle, Limits)")
    crystal = board.identity().crystal
    if crystal is None:
        pytest.skip(f"{board.board.name}: a stub was running, which does not say")
    found, named = crystal.nominal, board.board.preset.chip.crystal_mhz
    assert found == named


def test_the_flash_is_as_big_as_that_of_the_preset(board: Bench) -> None:
    found, named = board.identity().flash_size, part(board.board.preset.chip.flash).size
    assert found == named
