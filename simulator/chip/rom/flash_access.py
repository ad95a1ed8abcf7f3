"""The ROM's own flash routines: what they refuse, and what they do without saying so.

They believe in the geometry that SPI_SET_PARAMS stored (2 MiB before), not in the part that is soldered on. Beyond the
believed end nothing is touched; beyond the real end addresses wrap, as the part ignores the upper bits. Programs want a
multiple of four as address, reads are rounded up to four bytes. An unreachable flash (no SPI_ATTACH on silicon) reads
as ones and can't be erased.

Source: oracle facts 33, 34, 38, 39; rom_flash.json flash_erase_extent_*, md5_ranges, flash_unaligned_offset_2,
flash_write_over_end. Fidelity: recorded; wrapping from data sheets; the unreachable flash guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from simulator.chip.registers import FLASHCHIP
from simulator.chip.soc import Soc

SECTOR = 0x1000
"""Erase unit in bytes."""

ADDRESS_SPACE = 0x100_0000
"""What three address bytes reach; larger geometries are cut to it."""

_BLANK = b"\xff" * 0x1_0000


def chip_size(soc: Soc) -> int:
    """Return the size that the ROM believes in, in bytes. Source: oracle fact 33, rom_reg.json set_params_effect."""
    return min(soc.memory.read32(FLASHCHIP + 4), ADDRESS_SPACE)


def inside(soc: Soc, offset: int, length: int) -> bool:
    """Say whether a range, rounded up to four bytes, lies in the believed chip."""
    return offset + -(-length // 4) * 4 <= chip_size(soc)


def erase(soc: Soc, offset: int, size: int) -> int | None:
    """Erase all sectors of a range.

    Args:
        soc: The chip.
        offset: Start, a multiple of a sector.
        size: Bytes, rounded up to a sector.

    Returns:
        Busy time in nanoseconds, or ``None`` if the ROM refuses.
    """
    length = -(-size // SECTOR) * SECTOR
    if offset % SECTOR or offset + length > chip_size(soc) or not soc.spi.attached:
        return None
    soc.flash.unlock()
    return sum(soc.flash.erase(at, count) for at, count in _pieces(soc, offset, length))


def program(soc: Soc, offset: int, data: bytes) -> int:
    """Program a range, or silently do nothing where the ROM can't.

    Returns:
        Busy time in nanoseconds.
    """
    if offset % 4 or offset + len(data) > chip_size(soc) or not soc.spi.attached:
        return 0
    busy = 0
    position = 0
    for at, count in _pieces(soc, offset, len(data)):
        busy += soc.flash.program(at, data[position : position + count])
        position += count
    return busy


def read(soc: Soc, offset: int, length: int) -> bytes | None:
    """Return the content of a range, or ``None`` if the ROM can't read it."""
    if not inside(soc, offset, length):
        return None
    return b"".join(_content(soc, offset, length))


def md5(soc: Soc, offset: int, length: int) -> bytes | None:
    """Return the digest of a range in hexadecimal, or ``None`` if the ROM can't read it."""
    if not inside(soc, offset, length):
        return None
    if soc.spi.attached and offset + length <= soc.flash.size:
        return soc.flash.md5(offset, length).hex().encode()
    digest = hashlib.md5(usedforsecurity=False)
    for part in _content(soc, offset, length):
        digest.update(part)
    return digest.hexdigest().encode()


def _content(soc: Soc, offset: int, length: int) -> Iterator[bytes]:
    if soc.spi.attached:
        for at, count in _pieces(soc, offset, length):
            yield soc.flash.read(at, count)
        return
    for done in range(0, length, len(_BLANK)):
        yield _BLANK[: length - done]


def _pieces(soc: Soc, offset: int, length: int) -> Iterator[tuple[int, int]]:
    """Split a range where it wraps round the end of the real part."""
    while length:
        at = offset % soc.flash.size
        count = min(length, soc.flash.size - at)
        yield at, count
        offset += count
        length -= count
