"""What flashcore has to know about a chip, as values.

`KnownChip` is enough to say whom an image or a chip is: a name, the chip id of its images, where its bootloader lies.
`ChipSpec` adds what flashing it takes: registers, block sizes, the address map. Nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique

FREQUENCIES: Mapping[int, str] = {0x0: "40 MHz", 0x1: "26 MHz", 0x2: "20 MHz", 0xF: "80 MHz"}
"""SPI clock by the low nibble of byte 3 of an image header, on the ESP32 and most of its successors."""

FLASH_SIZES: Mapping[int, int] = {code: 1 << (20 + code) for code in range(8)}
"""Flash size in bytes by the high nibble of byte 3 of an image header, on the ESP32 and its successors."""


@unique
class MemoryKind(Enum):
    """What the CPU finds at an address."""

    PADDING = "padding"
    """Nothing: a segment that only fills space in the image."""
    DROM = "DROM"
    """Constants, mapped from flash."""
    IROM = "IROM"
    """Code, mapped from flash."""
    DRAM = "DRAM"
    IRAM = "IRAM"
    CACHE = "cache"
    """RAM of the flash caches, where a bootloader may live before they are on."""
    RTC_FAST = "RTC fast"
    RTC_SLOW = "RTC slow"
    EXTERNAL = "external RAM"
    ROM = "mask ROM"
    UNKNOWN = "unknown"

    @property
    def is_flash_mapped(self) -> bool:
        """Whether the content stays in flash instead of being copied to RAM at boot."""
        return self in (MemoryKind.DROM, MemoryKind.IROM)

    @property
    def is_ram(self) -> bool:
        """Whether a bootloader copies such a segment to its address."""
        return self in _RAM


_RAM = frozenset({MemoryKind.DRAM, MemoryKind.IRAM, MemoryKind.CACHE, MemoryKind.RTC_FAST, MemoryKind.RTC_SLOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRange:
    """A stretch of the address space, from `start` up to but not including `end`."""

    start: int
    end: int
    kind: MemoryKind

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiRegisters:
    """Absolute addresses of the SPI controller that drives the flash chip by user commands.

    Args:
        command: Bit 18 starts a user command and reads 0 when it is done.
        address: Address phase, in the highest bits.
        user: Which phases a command has.
        user2: Opcode in bits 0-15, its length in bits less one in bits 28-31.
        mosi_length: Bits to send, less one.
        miso_length: Bits to receive, less one.
        data: First of sixteen data words.
    """

    base: int
    command: int
    address: int
    user: int
    user2: int
    mosi_length: int
    miso_length: int
    data: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogRegisters:
    """Absolute addresses of the RTC watchdog.

    Args:
        config0: Enable bit, and what each stage does.
        config1: Timeout of stage 0 in slow clock cycles.
        feed: Any write restarts the count.
        protect: The others can be written only while this holds `key`.
    """

    config0: int
    config1: int
    feed: int
    protect: int
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChip:
    """A chip by name.

    Args:
        name: As Espressif writes it, for example ``ESP32-S3``.
        image_chip_id: Chip id in the extended header of its images; ``None`` where images have none.
        bootloader_offset: Where its ROM looks for the second stage bootloader in flash, in bytes.
        magic_values: What the register at `MAGIC_REGISTER` may read.
        flash_frequencies: Names of the SPI clocks that its image headers can ask for.
    """

    name: str
    image_chip_id: int | None
    bootloader_offset: int
    magic_values: tuple[int, ...] = ()
    flash_frequencies: Mapping[int, str] = field(default_factory=lambda: FREQUENCIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipSpec(KnownChip):
    """A chip that flashcore can flash.

    Args:
        partition_table_offset: Default place of the partition table in flash, in bytes.
        memory_map: Address ranges, the first match counts.
        max_flash_size: Bytes that its loaders can address.
        rom_read_block: Most bytes that the ROM returns for one READ_FLASH.
        efuse_base: First eFuse word.
        efuse_words: How many words `identify` of the chip's module needs, from `efuse_base` on.
        apb_date_register: Holds one bit of the chip revision.
        uart_clock_divider: Divider of the UART that the loader talks on.
        uart_clock_divider_mask: Bits of that register that count.
        strap_register: The strapping pins as sampled at reset.
        spi: The controller of the flash chip.
        watchdog: The RTC watchdog, which can reset the chip.
    """

    partition_table_offset: int
    memory_map: tuple[AddressRange, ...]
    max_flash_size: int
    rom_read_block: int
    efuse_base: int
    efuse_words: int
    apb_date_register: int
    uart_clock_divider: int
    uart_clock_divider_mask: int
    strap_register: int
    spi: SpiRegisters
    watchdog: WatchdogRegisters

    def kind_of(self, address: int) -> MemoryKind:
        """Return what lies at `address`."""
        for area in self.memory_map:
            if address in area:
                return area.kind
        return MemoryKind.UNKNOWN


MAGIC_REGISTER = 0x40001000
"""A word of mask ROM that differs between the chips and can be read by every loader."""
SECTOR_SIZE = 0x1000
"""Bytes that one erase clears at least."""
