"""The board of a run as its fault presets change it, and what the flasher finds on it at the outset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from flashcore.errors import ScenarioError

if TYPE_CHECKING:
    from simulator.board.board import Board
    from simulator.board.presets import BoardPreset
    from simulator.faults.model import Fault
    from simulator.faults.presets.schema import BoardSetup, StartSetup

HALF_WRITTEN = 0x2000
"""Bytes of the app that a write which was broken off had put there."""


def changed(board: BoardPreset, setup: BoardSetup) -> BoardPreset:
    """Return `board` with the changes of a preset.

    Raises:
        ScenarioError: The preset names a board or a flash part that does not exist.
    """
    from simulator.board.autoreset import Wiring
    from simulator.board.presets import preset
    from simulator.chip.flash_parts import part
    from simulator.kernel import MS

    found = preset(setup.name) if setup.name else board
    chip, bridge = found.chip, found.bridge
    if setup.flash:
        chip = replace(chip, flash=part(setup.flash).name)
    if setup.crystal_mhz is not None:
        chip = replace(chip, crystal_mhz=setup.crystal_mhz)
    if setup.control_ms is not None:
        bridge = replace(bridge, control_ns=round(setup.control_ms * MS))
    held = {field.name: level for field in fields(setup.strap) if (level := getattr(setup.strap, field.name)) is not None}
    return replace(
        found,
        chip=chip,
        bridge=bridge,
        wiring=found.wiring if setup.wiring is None else Wiring(setup.wiring),
        c_farad=found.c_farad if setup.c_nf is None else setup.c_nf * 1e-9,
        strap=replace(found.strap, **held),
    )


def oddities(setup: BoardSetup) -> list[Fault]:
    """Return what else is odd about the board, as faults that are always there."""
    from simulator.faults.actions_chip import ClockError
    from simulator.faults.actions_flash import WriteProtect
    from simulator.faults.actions_lines import LineDelay, LineSplit
    from simulator.faults.model import Action, Fault, Where
    from simulator.faults.triggers import Always

    found: list[tuple[Where, Action]] = []
    if setup.split_lines:
        found.append((Where.LINES, LineSplit(0.0 if setup.control_ms is None else setup.control_ms / 1000)))
    if setup.jitter_ms:
        found.append((Where.LINES, LineDelay(0.0, setup.jitter_ms / 1000)))
    if setup.clock_error:
        found.append((Where.CHIP, ClockError(100 * setup.clock_error)))
    if setup.protected:
        found.append((Where.FLASH, WriteProtect()))
    return [Fault(where=where, when=Always(), what=action) for where, action in found]


def furnish(board: Board, starts: Sequence[StartSetup]) -> None:
    """Put `board` into the state in which the flasher is to find it.

    Raises:
        ScenarioError: There is no such firmware, or two presets want different ones.
    """
    from simulator.chip.factory import APP_OFFSET, installed

    firmwares = sorted({start.firmware for start in starts if start.firmware})
    if len(firmwares) > 1:
        raise ScenarioError(f"two presets want different firmware on the flash: {' and '.join(firmwares)}")
    half = any(start.flash == "half-written" for start in starts)
    for firmware in firmwares or (["esp-idf"] if half else []):
        for offset, data in installed(firmware, board.soc.efuse):
            board.soc.flash.load(offset, data[:HALF_WRITTEN] if half and offset == APP_OFFSET else data)
    if any(start.prior == "stub" for start in starts):
        from simulator.chip.stub import left_running

        board.soc.jump(left_running(board.soc))
