"""Catalogue of SPI NOR flash parts: identity, size and busy times, as data.

A part says how long it is busy (typical and maximum, integers of nanoseconds) and what it answers when asked who it is
(JEDEC id, SFDP); how it behaves is `simulator.chip.nor_flash`. The SFDP tables are *built* here from the same figures
by the rules of JESD216, they are no dumps of real parts: right in structure, silent about everything this model has no
use for.

Fidelity: from data sheet, except ``ideal-4mb``, which is the recorded chip of the oracle preset. The times were entered
from knowledge of the data sheets named in each `FlashPart.source`; revisions of one part differ by tens of percent.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from simulator.chip.names import unknown

US = 1_000
"""Nanoseconds in a microsecond."""
MS = 1_000_000
"""Nanoseconds in a millisecond."""
S = 1_000_000_000
"""Nanoseconds in a second."""

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashPart:
    """One flash part as its data sheet describes it. All times are in nanoseconds."""

    name: str
    """Part name without package and temperature suffix."""
    jedec_id: int
    """24 bits, manufacturer first: 0xEF4016 is read on the wire as EF 40 16."""
    size: int
    """Capacity in bytes, a multiple of 64 KiB."""
    page_program_ns: int
    """Busy time of one page program (up to 256 bytes), typical."""
    sector_erase_ns: int
    """Busy time of a 4 KiB erase, typical."""
    block32_erase_ns: int
    """Busy time of a 32 KiB erase, typical."""
    block64_erase_ns: int
    """Busy time of a 64 KiB erase, typical."""
    chip_erase_ns: int
    """Busy time of a chip erase, typical."""
    status_write_ns: int
    """Busy time of a non-volatile status register write, typical."""
    page_program_max_ns: int
    """Page program, guaranteed maximum."""
    sector_erase_max_ns: int
    """4 KiB erase, guaranteed maximum."""
    block32_erase_max_ns: int
    """32 KiB erase, guaranteed maximum."""
    block64_erase_max_ns: int
    """64 KiB erase, guaranteed maximum."""
    chip_erase_max_ns: int
    """Chip erase, guaranteed maximum."""
    status_write_max_ns: int
    """Status register write, guaranteed maximum."""
    status_default: tuple[int, int, int] = (0, 0, 0)
    """Status registers 1..3 as shipped."""
    sfdp: bytes = b""
    """SFDP area from address 0; bytes behind it read as FF. Empty: the part does not know the command."""
    floating: int = 0xFF
    """Byte the host reads while the part does not drive its output (unknown command, busy, powered down)."""
    source: str
    """Where the figures come from."""

    @property
    def manufacturer(self) -> int:
        """JEDEC manufacturer byte."""
        return self.jedec_id >> 16

    @property
    def device_id(self) -> int:
        """The one-byte id that opcodes 90 and AB answer: the capacity code less one (0x15 for 4 MiB)."""
        return ((self.jedec_id & 0xFF) - 1) & 0xFF


def build_sfdp(*, manufacturer: int, size: int, erase_ms: tuple[int, int, int], vendor_table: bool) -> bytes:
    """Build an SFDP area: header, one or two parameter headers, and the basic table.

    Args:
        manufacturer: JEDEC manufacturer byte, the id of the second table.
        size: Capacity in bytes.
        erase_ms: Typical erase times in milliseconds of 4, 32 and 64 KiB; only their presence is told (revision 1.0 has
            no times).
        vendor_table: Whether a second, manufacturer's table is announced at 0x10 (esptool reads that byte to tell XMC
            parts).

    Returns:
        The area from SFDP address 0.

    Source: JESD216 (revision 1.0: nine double words).
    """
    table_at = 0x30
    flags = 0xFFF0_20E5 | (1 << 16) | (1 << 20) | (1 << 21) | (1 << 22)
    opcodes = (0x20, 0x52, 0xD8)
    erase = b"".join(
        bytes([exponent, opcode]) if typical else b"\x00\xff"
        for exponent, opcode, typical in zip((12, 15, 16), opcodes, erase_ms, strict=True)
    )
    table = struct.pack("<II", flags, size * 8 - 1)
    table += bytes.fromhex("44eb086b083b42bb") + bytes.fromhex("feffffffffff0000ffff44eb") + erase + b"\x00\xff"
    header = b"SFDP" + bytes([0, 1, 1 if vendor_table else 0, 0xFF])
    header += bytes([0x00, 0, 1, len(table) // 4]) + table_at.to_bytes(3, "little") + b"\xff"
    if vendor_table:
        header += bytes([manufacturer, 0, 1, 0]) + (table_at + len(table)).to_bytes(3, "little") + b"\xff"
    return header.ljust(table_at, b"\xff") + table


def _nor(
    name: str,
    jedec_id: int,
    size: int,
    *,
    page_us: tuple[int, int],
    sector_ms: tuple[int, int],
    block32_ms: tuple[int, int],
    block64_ms: tuple[int, int],
    chip_s: tuple[int, int],
    status_ms: tuple[int, int],
    source: str,
    status_default: tuple[int, int, int] = (0, 0, 0),
    vendor_table: bool = True,
) -> FlashPart:
    """Make a part from (typical, maximum) pairs in the units in which data sheets print them."""
    return FlashPart(
        name=name,
        jedec_id=jedec_id,
        size=size,
        page_program_ns=page_us[0] * US,
        page_program_max_ns=page_us[1] * US,
        sector_erase_ns=sector_ms[0] * MS,
        sector_erase_max_ns=sector_ms[1] * MS,
        block32_erase_ns=block32_ms[0] * MS,
        block32_erase_max_ns=block32_ms[1] * MS,
        block64_erase_ns=block64_ms[0] * MS,
        block64_erase_max_ns=block64_ms[1] * MS,
        chip_erase_ns=chip_s[0] * S,
        chip_erase_max_ns=chip_s[1] * S,
        status_write_ns=status_ms[0] * MS,
        status_write_max_ns=status_ms[1] * MS,
        status_default=status_default,
        sfdp=build_sfdp(
            manufacturer=jedec_id >> 16,
            size=size,
            erase_ms=(sector_ms[0], block32_ms[0], block64_ms[0]),
            vendor_table=vendor_table,
        ),
        source=source,
    )


def _winbond(name: str, jedec_id: int, size: int, chip_s: tuple[int, int]) -> FlashPart:
    """Make a W25QxxJV-IQ: the family shares all times but that of the chip erase; QE is set in the factory."""
    return _nor(
        name,
        jedec_id,
        size,
        page_us=(400, 3_000),
        sector_ms=(45, 400),
        block32_ms=(120, 1_600),
        block64_ms=(150, 2_000),
        chip_s=chip_s,
        status_ms=(10, 15),
        status_default=(0x00, 0x02, 0x60),
        vendor_table=False,
        source=f"Winbond {name} data sheet (JV family), AC characteristics and status register tables",
    )


def _gigadevice(name: str, jedec_id: int, size: int, chip_s: tuple[int, int]) -> FlashPart:
    """Make a GD25QxxC."""
    return _nor(
        name,
        jedec_id,
        size,
        page_us=(600, 2_400),
        sector_ms=(50, 300),
        block32_ms=(150, 800),
        block64_ms=(200, 1_200),
        chip_s=chip_s,
        status_ms=(5, 30),
        source=f"GigaDevice {name} data sheet, AC characteristics",
    )


def _ideal() -> FlashPart:
    return FlashPart(
        name="ideal-4mb",
        jedec_id=0xC84016,
        size=4 * MIB,
        page_program_ns=0,
        sector_erase_ns=0,
        block32_erase_ns=0,
        block64_erase_ns=0,
        chip_erase_ns=0,
        status_write_ns=0,
        page_program_max_ns=0,
        sector_erase_max_ns=0,
        block32_erase_max_ns=0,
        block64_erase_max_ns=0,
        chip_erase_max_ns=0,
        status_write_max_ns=0,
        floating=0x00,
        source="oracle, Limits (flash is instant); rom_reg.json flash_id_via_spi_regs (id), "
        "esptool_5.6.0_wire.txt (SFDP reads as zeros)",
    )


_CATALOGUE = (
    _winbond("W25Q16", 0xEF4015, 2 * MIB, (5, 25)),
    _winbond("W25Q32JV", 0xEF4016, 4 * MIB, (10, 50)),
    _winbond("W25Q64", 0xEF4017, 8 * MIB, (20, 100)),
    _winbond("W25Q128JV", 0xEF4018, 16 * MIB, (40, 200)),
    _gigadevice("GD25Q16C", 0xC84015, 2 * MIB, (7, 20)),
    _gigadevice("GD25Q32C", 0xC84016, 4 * MIB, (15, 50)),
    _gigadevice("GD25Q64C", 0xC84017, 8 * MIB, (25, 60)),
    _gigadevice("GD25Q128C", 0xC84018, 16 * MIB, (60, 120)),
    _nor(
        "XM25QH32B",
        0x204016,
        4 * MIB,
        page_us=(500, 3_000),
        sector_ms=(40, 300),
        block32_ms=(120, 800),
        block64_ms=(150, 1_000),
        chip_s=(12, 40),
        status_ms=(8, 15),
        source="XMC XM25QH32B data sheet, AC characteristics",
    ),
    _ideal(),
)

PARTS: Mapping[str, FlashPart] = MappingProxyType({entry.name: entry for entry in _CATALOGUE})
"""Every known part by name."""


def part(name: str) -> FlashPart:
    """Look a part up by its exact name.

    Args:
        name: A key of `PARTS`.

    Returns:
        The part.

    Raises:
        ScenarioError: There is none; the message lists all, the hint names the nearest.
    """
    try:
        return PARTS[name]
    except KeyError:
        raise unknown("flash part", name, PARTS) from None
