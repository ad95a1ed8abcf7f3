"""The ESP32, and how to tell its many packages and revisions apart.

Everything about a piece of silicon is in the first seven eFuse words, but for one bit of the revision, which is in the
date register of the APB controller, and for the crystal, which follows from the UART divider that the ROM's baud
detection chose. `identify` and `crystal` are pure, so a recorded board and a live one are read alike.
Source: ESP32 Technical Reference Manual, chapters "eFuse Controller" and "UART"; ``rom_reg.json`` read_efuse and
read_misc; the PSRAM of ESP32-D0WDR2-V3 from its data sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flashcore.chips.spec import AddressRange, ChipSpec, MemoryKind, SpiRegisters, WatchdogRegisters

_SPI1 = 0x3FF42000
_RTC = 0x3FF48000

_MEMORY_MAP = tuple(
    AddressRange(start=start, end=end, kind=kind)
    for start, end, kind in (
        (0x00000000, 0x00010000, MemoryKind.PADDING),
        (0x3F400000, 0x3F800000, MemoryKind.DROM),
        (0x3F800000, 0x3FC00000, MemoryKind.EXTERNAL),
        (0x3FF80000, 0x3FF82000, MemoryKind.RTC_FAST),
        (0x3FF90000, 0x3FFA0000, MemoryKind.ROM),
        (0x3FFAE000, 0x40000000, MemoryKind.DRAM),
        (0x40000000, 0x40070000, MemoryKind.ROM),
        (0x40070000, 0x40080000, MemoryKind.CACHE),
        (0x40080000, 0x400C0000, MemoryKind.IRAM),
        (0x400C0000, 0x400C2000, MemoryKind.RTC_FAST),
        (0x400D0000, 0x40400000, MemoryKind.IROM),
        (0x50000000, 0x50002000, MemoryKind.RTC_SLOW),
    )
)

ESP32 = ChipSpec(
    name="ESP32",
    image_chip_id=0,
    bootloader_offset=0x1000,
    magic_values=(0x00F01D83,),
    partition_table_offset=0x8000,
    memory_map=_MEMORY_MAP,
    max_flash_size=16 << 20,
    rom_read_block=64,
    efuse_base=0x3FF5A000,
    efuse_words=7,
    apb_date_register=0x3FF6607C,
    uart_clock_divider=0x3FF40014,
    uart_clock_divider_mask=0xFFFFF,
    strap_register=0x3FF44038,
    spi=SpiRegisters(
        base=_SPI1,
        command=_SPI1 + 0x00,
        address=_SPI1 + 0x04,
        user=_SPI1 + 0x1C,
        user2=_SPI1 + 0x24,
        mosi_length=_SPI1 + 0x28,
        miso_length=_SPI1 + 0x2C,
        data=_SPI1 + 0x80,
    ),
    watchdog=WatchdogRegisters(config0=_RTC + 0x8C, config1=_RTC + 0x90, feed=_RTC + 0xA0, protect=_RTC + 0xA4, key=0x50D83AA1),
)
"""The chip of 2016, without suffix."""

_PACKAGES = {2: "ESP32-D2WD", 4: "ESP32-U4WDH", 6: "ESP32-PICO-V3-02", 7: "ESP32-D0WDR2-V3"}
_REVISION_BITS = {0b000: 0, 0b001: 1, 0b011: 2, 0b111: 3}
_FLASH_INSIDE = frozenset({2, 4, 5, 6})
_PSRAM_INSIDE = frozenset({6, 7})
_CODING_SCHEMES = ("None", "3/4", "Repeat", "Invalid")
_CRYSTALS_MHZ = (26, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silicon:
    """One piece of silicon, as its eFuses describe it.

    Args:
        package: Order code, for example ``ESP32-D0WDQ6-V3``.
        major: Wafer revision before the dot.
        minor: Wafer revision after the dot.
        features: What it has, in words, in a fixed order.
        mac: Base MAC address, six bytes.
        mac_valid: Whether the CRC beside the MAC address fits.
    """

    package: str
    major: int
    minor: int
    features: tuple[str, ...]
    mac: bytes
    mac_valid: bool

    @property
    def revision(self) -> int:
        """Revision as image headers count it: 301 is v3.1."""
        return self.major * 100 + self.minor

    @property
    def mac_text(self) -> str:
        """MAC address as ``24:6f:28:aa:bb:cc``."""
        return self.mac.hex(":")

    def __str__(self) -> str:
        return f"{self.package} revision {self.major}.{self.minor}"

    def to_json(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {
            "package": self.package,
            "revision": f"{self.major}.{self.minor}",
            "features": list(self.features),
            "mac": self.mac_text,
            "mac_valid": self.mac_valid,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """The crystal's frequency in MHz.

    Args:
        nominal: The nearest frequency that boards are built with.
        measured: What the UART divider says, before rounding.
    """

    nominal: int
    measured: float

    @property
    def is_plausible(self) -> bool:
        """Whether the measure is within 1 MHz of the nominal value."""
        return abs(self.measured - self.nominal) <= 1.0


def identify(words: Sequence[int], apb_date: int) -> Silicon:
    """Return what the eFuses say.

    Args:
        words: The first seven words of eFuse block 0, as read from `ChipSpec.efuse_base` on.
        apb_date: The word at `ChipSpec.apb_date_register`.

    Raises:
        ValueError: Fewer than seven words were given.
    """
    if len(words) < ESP32.efuse_words:
        raise ValueError(f"the first {ESP32.efuse_words} eFuse words are needed, got {len(words)}")
    package_code = (words[3] >> 9 & 0x7) | (words[3] >> 2 & 1) << 3
    major = _REVISION_BITS.get((words[3] >> 15 & 1) | (words[5] >> 20 & 1) << 1 | (apb_date >> 31 & 1) << 2, 0)
    mac = (words[2] & 0xFFFF).to_bytes(2, "big") + (words[1] & 0xFFFFFFFF).to_bytes(4, "big")
    return Silicon(
        package=_package(package_code, single_core=bool(words[3] & 1), is_v3=major == 3),
        major=major,
        minor=words[5] >> 24 & 0x3,
        features=_features(words, package_code),
        mac=mac,
        mac_valid=mac_crc(mac) == words[2] >> 16 & 0xFF,
    )


def crystal(divider: int, baud: int) -> Crystal:
    """Return the crystal that makes `divider` give `baud`.

    Args:
        divider: The word at `ChipSpec.uart_clock_divider` while the ROM loader runs.
        baud: The rate at which it was read.
    """
    measured = (divider & ESP32.uart_clock_divider_mask) * baud / 1e6
    nominal = min(_CRYSTALS_MHZ, key=lambda mhz: abs(mhz - measured))
    return Crystal(nominal=nominal, measured=measured)


def mac_crc(mac: bytes) -> int:
    """Return the CRC-8 (reflected, polynomial 0x8C, start 0) that the factory burns beside the MAC address."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def _package(code: int, *, single_core: bool, is_v3: bool) -> str:
    match code:
        case 0 | 1:
            tail = "WDQ6" if code == 0 else "WD"
            return f"ESP32-S0{tail}" if single_core else f"ESP32-D0{tail}{'-V3' if is_v3 else ''}"
        case 5:
            return "ESP32-PICO-V3" if is_v3 else "ESP32-PICO-D4"
        case _:
            return _PACKAGES.get(code, f"ESP32 in unknown package {code}")


def _features(words: Sequence[int], package_code: int) -> tuple[str, ...]:
    flags = words[3]
    features = ["WiFi"]
    if not flags & 1 << 1:
        features.append("BT")
    features.append("Single Core" if flags & 1 else "Dual Core")
    if flags & 1 << 13:
        features.append("160 MHz" if flags & 1 << 12 else "240 MHz")
    if package_code in _FLASH_INSIDE:
        features.append("Embedded Flash")
    if package_code in _PSRAM_INSIDE:
        features.append("Embedded PSRAM")
    if words[4] >> 8 & 0x1F:
        features.append("VRef calibration in eFuse")
    if flags & 1 << 14:
        features.append("BLK3 partially reserved")
    features.append(f"Coding Scheme {_CODING_SCHEMES[words[6] & 0x3]}")
    return tuple(features)
