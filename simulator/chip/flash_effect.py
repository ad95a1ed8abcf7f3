"""The seam at which a fault gets between a flash chip and an operation that changes its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, unique


@unique
class FlashOperation(IntEnum):
    """What changes cells, one at a time; the unit in which faults count."""

    PROGRAM = 1
    """Up to one page."""
    SECTOR_ERASE = 2
    """4 KiB."""
    BLOCK_ERASE = 3
    """32 or 64 KiB."""
    CHIP_ERASE = 4
    """The whole array."""
    STATUS_WRITE = 5
    """One non-volatile status register write; its offset is the register number, its length the number of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashEffect:
    """What a fault does to one operation."""

    ignore: bool = False
    """The chip does nothing and is not busy."""
    extra_ns: int = 0
    """Added to the busy time."""
    slower: float = 1.0
    """Factor of the busy time."""
    fails: bool = False
    """The chip does nothing, and whoever asks learns that it did not."""
    damage: Callable[[bytes, bytes], bytes] | None = None
    """Given the cells before and as they should be afterwards, returns what they really hold (same length)."""


Hook = Callable[[FlashOperation, int, int], FlashEffect | None]
"""Asked before each operation: kind, offset, length."""

UNHARMED = FlashEffect()
"""The operation is done."""
