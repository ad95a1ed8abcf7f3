"""How several faults share a seam that holds one function: all of them are asked, and one of them has its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.chip.flash_effect import FlashEffect, FlashOperation, Hook
    from simulator.chip.gate import CommandEffect, Gate


def also_ask(earlier: Gate | None, later: Gate) -> Gate:
    """Return a gate that asks both, and lets the earlier one win."""
    if earlier is None:
        return later

    def both(opcode: int, size: int) -> CommandEffect:
        from simulator.chip.gate import UNHARMED

        first, second = earlier(opcode, size), later(opcode, size)
        return second if first is UNHARMED else first

    return both


def also_hook(earlier: Hook | None, later: Hook) -> Hook:
    """Return a hook of a flash chip that asks both, and lets the later one win where it has an effect."""
    if earlier is None:
        return later

    def both(operation: FlashOperation, offset: int, length: int) -> FlashEffect | None:
        first, second = earlier(operation, offset, length), later(operation, offset, length)
        return first if second is None else second

    return both
