"""The chips, as data."""

from __future__ import annotations

from flashcore.chips.esp32 import ESP32
from flashcore.chips.registry import CHIPS, by_image_id, by_magic, chip
from flashcore.chips.spec import (
    MAGIC_REGISTER,
    SECTOR_SIZE,
    AddressRange,
    ChipSpec,
    KnownChip,
    MemoryKind,
    SpiRegisters,
    WatchdogRegisters,
)

__all__ = [
    "CHIPS",
    "ESP32",
    "MAGIC_REGISTER",
    "SECTOR_SIZE",
    "AddressRange",
    "ChipSpec",
    "KnownChip",
    "MemoryKind",
    "SpiRegisters",
    "WatchdogRegisters",
    "by_image_id",
    "by_magic",
    "chip",
]
