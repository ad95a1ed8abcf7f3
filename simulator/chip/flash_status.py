"""Status registers 1 to 3 of a SPI NOR flash, and the area that their bits protect.

Each register has a volatile value, which rules, and a non-volatile one, which it is reloaded from at power-on and after
a reset (66, 99). BP0..2, TB, SEC and CMP together name one area at the top or the bottom of the array; program and
erase operations that touch it are ignored without any error bit.

Fidelity: from data sheet (Winbond W25QxxJV, register and block protection tables); the same layout is used for every
part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

BUSY = 0x01
"""Status 1, bit 0: an operation is running."""
WEL = 0x02
"""Status 1, bit 1: write enable latch."""
BLOCK_PROTECT = 0x1C
"""Status 1, bits 2..4: BP0..BP2."""
TOP_BOTTOM = 0x20
"""Status 1, bit 5 (TB): the area is at the bottom."""
SECTOR_PROTECT = 0x40
"""Status 1, bit 6 (SEC): the area is counted in sectors."""
COMPLEMENT = 0x40
"""Status 2, bit 6 (CMP): everything but the area is protected."""

WRITABLE = (0xFC, 0x7B, 0x64)
"""Bits of registers 1..3 that a register write can change."""

ONCE_ONLY = (0x00, 0x38, 0x00)
"""Bits that can only be set (LB1..LB3, the security register locks)."""


@dataclass(slots=True)
class StatusRegisters:
    """The three registers of one chip.

    Args:
        shipped: Non-volatile values of registers 1..3 at the start.
    """

    shipped: tuple[int, int, int]
    live: list[int] = field(init=False)
    """What rules now."""
    stored: list[int] = field(init=False)
    """What is loaded at power-on."""
    keeps_protection: Callable[[], bool] | None = field(init=False, default=None)
    """Whether the loaders' unlocking misses the bits that protect."""

    def __post_init__(self) -> None:
        self.stored = list(self.shipped)
        self.live = list(self.shipped)

    def reload(self) -> None:
        """Power-on or reset: the stored values rule again."""
        self.live = list(self.stored)

    def write(self, number: int, value: int, *, volatile: bool) -> None:
        """Write one register, as far as its bits can be written.

        Args:
            number: 1, 2 or 3.
            value: The byte.
            volatile: Whether only the live value changes (write enable by opcode 50).
        """
        index = number - 1
        writable = WRITABLE[index]
        for held in (self.live,) if volatile else (self.live, self.stored):
            kept = held[index] & (~writable | ONCE_ONLY[index]) & 0xFF
            held[index] = kept | value & writable

    def unlock(self) -> None:
        """Clear all protection bits for good, as the ROM does before it erases.

        Source: from source (ESP32 ROM, SPIUnlock writes the status register and keeps QE only).
        """
        if self.keeps_protection is not None and self.keeps_protection():
            return
        for held in (self.live, self.stored):
            held[0] &= ~0xFC & 0xFF
            held[1] &= ~COMPLEMENT & 0xFF

    @property
    def protects_all(self) -> bool:
        """Whether the whole chip is protected now."""
        return self.live[0] & BLOCK_PROTECT == BLOCK_PROTECT and not self.live[1] & COMPLEMENT

    def protected(self, size: int) -> tuple[int, int]:
        """Say which area is protected now.

        Args:
            size: Capacity of the chip in bytes.

        Returns:
            Half-open range ``(start, end)``; empty ranges have ``start == end``.
        """
        first, second = self.live[0], self.live[1]
        level = (first & BLOCK_PROTECT) >> 2
        at_bottom = bool(first & TOP_BOTTOM)
        if level == 0:
            length = 0
        elif level == 7:
            length = size
        elif first & SECTOR_PROTECT:
            length = min(0x1000 << (level - 1), 0x8000)
        else:
            length = min(max(0x1_0000, size // 64) << (level - 1), size)
        if second & COMPLEMENT:
            length = size - length
            at_bottom = not at_bottom
        return (0, length) if at_bottom else (size - length, size)
