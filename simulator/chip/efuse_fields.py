"""eFuse fields and chip variants of the ESP32, as data.

Source: ESP32 technical reference manual, eFuse controller chapter (positions, protection bits); names are the manual's,
shortened.
Fidelity: the words of ``D0WDQ6-V3`` recorded (rom_reg.json read_efuse); the other variants from source (package numbers
and revision bits as every flasher decodes them; SPI pads as ESP-IDF's bootloader routes them).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class EfuseField:
    """Where one field lies."""

    name: str
    block: int
    """Block 0..3."""
    word: int
    """32-bit word inside the block."""
    bit: int
    """Lowest bit inside that word."""
    length: int
    """Bits; a field may run over into the next word."""
    write_protect: int | None = None
    """Bit of WR_DIS that freezes it."""
    read_protect: int | None = None
    """Bit of RD_DIS that hides it."""


def _f(name: str, word: int, bit: int, length: int, wr: int | None = None, rd: int | None = None, block: int = 0) -> EfuseField:
    return EfuseField(name=name, block=block, word=word, bit=bit, length=length, write_protect=wr, read_protect=rd)


FIELDS: Mapping[str, EfuseField] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _f("WR_DIS", 0, 0, 16, 1),
            _f("RD_DIS", 0, 16, 4, 0),
            _f("FLASH_CRYPT_CNT", 0, 20, 7, 2),
            _f("UART_DOWNLOAD_DIS", 0, 27, 1, 2),
            _f("MAC", 1, 0, 48, 3),
            _f("MAC_CRC", 2, 16, 8, 3),
            _f("DISABLE_APP_CPU", 3, 0, 1, 3),
            _f("DISABLE_BT", 3, 1, 1, 3),
            _f("CHIP_PACKAGE_4BIT", 3, 2, 1),
            _f("DIS_CACHE", 3, 3, 1, 3),
            _f("SPI_PAD_HD", 3, 4, 5),
            _f("CHIP_PACKAGE", 3, 9, 3),
            _f("CPU_FREQ_LOW", 3, 12, 1),
            _f("CPU_FREQ_RATED", 3, 13, 1),
            _f("BLK3_PART_RESERVE", 3, 14, 1, 10, 3),
            _f("CHIP_VER_REV1", 3, 15, 1),
            _f("CK8M_FREQ", 4, 0, 8, 4),
            _f("ADC_VREF", 4, 8, 5, 4),
            _f("XPD_SDIO_REG", 4, 14, 1, 5),
            _f("XPD_SDIO_TIEH", 4, 15, 1, 5),
            _f("XPD_SDIO_FORCE", 4, 16, 1, 5),
            _f("SPI_PAD_CLK", 5, 0, 5, 6),
            _f("SPI_PAD_Q", 5, 5, 5, 6),
            _f("SPI_PAD_D", 5, 10, 5, 6),
            _f("SPI_PAD_CS0", 5, 15, 5, 6),
            _f("CHIP_VER_REV2", 5, 20, 1),
            _f("VOL_LEVEL_HP_INV", 5, 22, 2, 3),
            _f("WAFER_MINOR", 5, 24, 2),
            _f("FLASH_CRYPT_CONFIG", 5, 28, 4, 10, 3),
            _f("CODING_SCHEME", 6, 0, 2, 10, 3),
            _f("CONSOLE_DEBUG_DISABLE", 6, 2, 1, 15),
            _f("DISABLE_SDIO_HOST", 6, 3, 1),
            _f("ABS_DONE_0", 6, 4, 1, 12),
            _f("ABS_DONE_1", 6, 5, 1, 13),
            _f("JTAG_DISABLE", 6, 6, 1, 14),
            _f("DISABLE_DL_ENCRYPT", 6, 7, 1, 15),
            _f("DISABLE_DL_DECRYPT", 6, 8, 1, 15),
            _f("DISABLE_DL_CACHE", 6, 9, 1, 15),
            _f("KEY_STATUS", 6, 10, 1, 10, 3),
            _f("BLOCK1", 0, 0, 256, 7, 0, block=1),
            _f("BLOCK2", 0, 0, 256, 8, 1, block=2),
            _f("BLOCK3", 0, 0, 256, 9, 2, block=3),
        )
    }
)
"""Every field by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipVariant:
    """One package and silicon revision."""

    name: str
    """Name without the leading ``ESP32-``."""
    package: int
    """Package number, 4 bits."""
    revision: int
    """Major silicon revision, 0..3."""
    minor: int = 0
    """Minor silicon revision, 0..3."""
    fields: Mapping[str, int] = field(default_factory=dict)
    """Further fields that the factory sets."""


_EMBEDDED_PADS = {"SPI_PAD_CLK": 6, "SPI_PAD_Q": 17, "SPI_PAD_D": 8, "SPI_PAD_HD": 11, "SPI_PAD_CS0": 16}
"""Pins of in-package flash."""

VARIANTS: Mapping[str, ChipVariant] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            ChipVariant(name="D0WDQ6", package=0, revision=1),
            ChipVariant(name="D0WD", package=1, revision=1),
            ChipVariant(name="D0WDQ6-V3", package=0, revision=3),
            ChipVariant(name="D0WD-V3", package=1, revision=3),
            ChipVariant(name="S0WD", package=1, revision=1, fields={"DISABLE_APP_CPU": 1}),
            ChipVariant(name="D2WD", package=2, revision=1, fields={**_EMBEDDED_PADS, "CPU_FREQ_LOW": 1}),
            ChipVariant(name="U4WDH", package=4, revision=3, fields=_EMBEDDED_PADS),
            ChipVariant(name="PICO-D4", package=5, revision=1, fields=_EMBEDDED_PADS),
            ChipVariant(name="PICO-V3", package=5, revision=3, fields=_EMBEDDED_PADS),
        )
    }
)
"""Every variant by name."""


def variant(name: str) -> ChipVariant:
    """Look a variant up; a leading ``ESP32-`` is ignored.

    Raises:
        KeyError: There is none; the text names the nearest ones.
    """
    found = VARIANTS.get(name.removeprefix("ESP32-"))
    if found is not None:
        return found
    near = difflib.get_close_matches(name, VARIANTS, n=3, cutoff=0.4)
    raise KeyError(f"no chip variant {name!r}; nearest: {', '.join(near or sorted(VARIANTS))}")
