"""A supply that is too weak: flash operations draw it down, pauses let it recover, and below its limit the chip browns out.

Source: fault catalogue row 17: smaller packets and pauses hide it, erasing brings it out. Fidelity: guessed; the figures stand
for a capacitor behind a thin cable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.faults.sharing import also_hook
from simulator.kernel import S

if TYPE_CHECKING:
    from simulator.board.board import Board
    from simulator.chip.flash_effect import FlashEffect, FlashOperation


@dataclass(frozen=True, slots=True)
class WeakSupply:
    """The supply holds for so much work of the flash at a time.

    Args:
        charge: What it holds, in seconds of erasing.
        recover: What flows back, in seconds of erasing per second.
    """

    charge: float = 0.25
    recover: float = 0.1


PowerAction = WeakSupply

_DRAWS = {"PROGRAM": 0.0004, "SECTOR_ERASE": 0.045, "BLOCK_ERASE": 0.15, "CHIP_ERASE": 10.0, "STATUS_WRITE": 0.0}
"""What each operation takes out, in seconds of erasing. Source: data sheet (typical times of a W25Q32JV)."""


def weaken(action: WeakSupply, board: Board, holds: Callable[[], bool], struck: Callable[[str], None]) -> None:
    """Feed `board` from such a supply from now on.

    Args:
        action: The supply.
        board: What it feeds.
        holds: Whether it still does.
        struck: Called with a text each time that it gives way.
    """
    from simulator.chip.flash_effect import FlashEffect
    from simulator.chip.soc import ResetCause

    kernel, flash, soc = board.kernel, board.soc.flash, board.soc
    level, seen_ns = action.charge, kernel.now

    def asked(operation: FlashOperation, offset: int, length: int) -> FlashEffect | None:
        nonlocal level, seen_ns
        if not holds():
            return None
        level = min(action.charge, level + (kernel.now - seen_ns) / S * action.recover) - _DRAWS[operation.name]
        seen_ns = kernel.now
        if level > 0:
            return None
        level = action.charge
        struck(f"gave way at {operation.name.lower()} 0x{offset:x}")
        # Not at once: the operation belongs to a command that must come to its end in the caller first.
        kernel.at(kernel.now, lambda: soc.reset(ResetCause.RTCWDT_BROWN_OUT_RESET))
        return FlashEffect(ignore=True)

    flash.hook = also_hook(flash.hook, asked)
