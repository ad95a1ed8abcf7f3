"""The cells of a SPI NOR flash and the rules of the technology.

Programming only clears bits, erasing sets whole sectors to FF, and both take the part's time: each operation returns
how long the chip is busy, and waiting is the caller's business. Operations that touch the protected area are ignored.
Only sectors that were written are stored, so an idle chip costs no memory. The fault hook sees every operation just
before it happens and may have it ignored, slowed or damaged. The way in by raw SPI commands is
`simulator.chip.nor_flash`.

Fidelity: from data sheet (Winbond W25QxxJV, GigaDevice GD25QxxC); the oracle's sessions agree with it where they touch
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from simulator.chip.flash_effect import UNHARMED, FlashEffect, FlashOperation, Hook
from simulator.chip.flash_parts import FlashPart
from simulator.chip.flash_status import StatusRegisters

PAGE = 256
"""Program unit in bytes."""
SECTOR = 0x1000
"""Smallest erase unit in bytes."""
BLOCK32 = 0x8000
"""Half block erase unit in bytes."""
BLOCK64 = 0x1_0000
"""Block erase unit in bytes."""

_BLANK = b"\xff" * SECTOR
_BLANK_RUN = memoryview(b"\xff" * BLOCK64)


class FlashArray:
    """The cells of one flash chip.

    Args:
        part: What is soldered on.
        worst_case: Use the part's maximum times in place of the typical ones.
    """

    def __init__(self, part: FlashPart, *, worst_case: bool = False) -> None:
        self.part = part
        """What is soldered on."""
        self.size = part.size
        """Capacity in bytes."""
        self.operations = 0
        """Operations so far; ignored ones count too."""
        self.hook: Hook | None = None
        """Asked before each operation: kind, offset, length."""
        self.silent: Callable[[], bool] | None = None
        """Whether nothing reaches the chip at the moment, so that it reads as FF and takes nothing."""
        self._failed = False
        self.status = StatusRegisters(part.status_default)
        self._sectors: dict[int, bytearray] = {}
        self._page_ns = part.page_program_max_ns if worst_case else part.page_program_ns
        self._sector_ns = part.sector_erase_max_ns if worst_case else part.sector_erase_ns
        self._block32_ns = part.block32_erase_max_ns if worst_case else part.block32_erase_ns
        self._block64_ns = part.block64_erase_max_ns if worst_case else part.block64_erase_ns
        self._chip_ns = part.chip_erase_max_ns if worst_case else part.chip_erase_ns
        self._status_ns = part.status_write_max_ns if worst_case else part.status_write_ns

    @property
    def is_silent(self) -> bool:
        """Whether nothing reaches the chip at the moment."""
        return self.silent is not None and self.silent()

    def take_failure(self) -> bool:
        """Return whether an operation failed since this was last asked."""
        failed, self._failed = self._failed, False
        return failed

    # What the cells hold

    def read(self, offset: int, length: int) -> bytes:
        """Read cells.

        Args:
            offset: First byte.
            length: Number of bytes; the range must lie inside the chip.

        Returns:
            The bytes.

        Raises:
            ValueError: The range leaves the chip.
        """
        self._check(offset, length)
        if self.is_silent:
            return b"\xff" * length
        return b"".join(self._runs(offset, length))

    def md5(self, offset: int, length: int) -> bytes:
        """Digest of a range.

        Args:
            offset: First byte.
            length: Number of bytes.

        Returns:
            The 16 raw bytes.

        Raises:
            ValueError: The range leaves the chip.
        """
        self._check(offset, length)
        digest = hashlib.md5(usedforsecurity=False)
        if self.is_silent:
            digest.update(b"\xff" * length)
            return digest.digest()
        for run in self._runs(offset, length):
            digest.update(run)
        return digest.digest()

    def is_blank(self, offset: int, length: int) -> bool:
        """Say whether a range holds FF only.

        Raises:
            ValueError: The range leaves the chip.
        """
        self._check(offset, length)
        if self.is_silent:
            return True
        for number, start, end in _pieces(offset, length, SECTOR):
            held = self._sectors.get(number)
            if held is not None and not _BLANK.startswith(held[start:end]):
                return False
        return True

    def image(self) -> bytes:
        """Return the whole content of the cells, whoever can read it."""
        return b"".join(self._runs(0, self.size))

    def touched(self) -> list[tuple[int, int]]:
        """Return the half-open ranges ``(start, end)`` that hold something other than FF, ascending.

        Neighbouring sectors make one range; its first and last byte are not FF, FF inside it is not cut out.
        """
        ranges: list[tuple[int, int]] = []
        joins = -1
        for number in sorted(self._sectors):
            held = bytes(self._sectors[number])
            tail = len(held.rstrip(b"\xff"))
            if not tail:
                continue
            start = number * SECTOR + SECTOR - len(held.lstrip(b"\xff"))
            end = number * SECTOR + tail
            if joins == number:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((start, end))
            joins = number + 1
        return ranges

    def load(self, offset: int, data: bytes) -> None:
        """Set cells through the back door: no rules, no time, no operation counted.

        Raises:
            ValueError: The range leaves the chip.
        """
        self._check(offset, len(data))
        view = memoryview(data)
        position = 0
        for number, start, end in _pieces(offset, len(data), SECTOR):
            self._sector(number)[start:end] = view[position : position + end - start]
            position += end - start

    # Operations

    def program(self, offset: int, data: bytes) -> int:
        """Program cells page by page: bits are cleared, never set.

        Args:
            offset: First byte.
            data: Any length that fits; split at page borders for time and count.

        Returns:
            Busy time in nanoseconds.

        Raises:
            ValueError: The range leaves the chip.

        Source: oracle facts 28, 36, 43 (content is ANDed); data sheet for the time.
        """
        self._check(offset, len(data))
        if not data:
            return 0
        protected = self.status.protected(self.size)
        if self.hook is None and not self.is_silent and not _overlaps(protected, offset, len(data)):
            pages = (offset + len(data) - 1) // PAGE - offset // PAGE + 1
            self.operations += pages
            self._and(offset, data)
            return pages * self._page_ns
        busy = 0
        position = 0
        for number, start, end in _pieces(offset, len(data), PAGE):
            page = data[position : position + end - start]
            busy += self._operate(FlashOperation.PROGRAM, number * PAGE + start, len(page), self._page_ns, page)
            position += end - start
        return busy

    def erase(self, offset: int, length: int) -> int:
        """Erase all sectors that a range touches, with 64 KiB blocks where they fit.

        Args:
            offset: First byte; rounded down to its sector.
            length: Number of bytes; the end is rounded up to a sector.

        Returns:
            Busy time in nanoseconds.

        Raises:
            ValueError: The range leaves the chip.
        """
        self._check(offset, length)
        if not length:
            return 0
        at = offset - offset % SECTOR
        end = -(-(offset + length) // SECTOR) * SECTOR
        busy = 0
        while at < end:
            if at % BLOCK64 == 0 and end - at >= BLOCK64:
                busy += self.erase_block64(at)
                at += BLOCK64
            else:
                busy += self.erase_sector(at)
                at += SECTOR
        return busy

    def erase_sector(self, offset: int) -> int:
        """Erase the 4 KiB sector that holds `offset`; return the busy time in nanoseconds.

        Raises:
            ValueError: The offset is outside the chip.
        """
        return self._erase(FlashOperation.SECTOR_ERASE, offset, SECTOR, self._sector_ns)

    def erase_block32(self, offset: int) -> int:
        """Erase the 32 KiB block that holds `offset`; return the busy time in nanoseconds.

        Raises:
            ValueError: The offset is outside the chip.
        """
        return self._erase(FlashOperation.BLOCK_ERASE, offset, BLOCK32, self._block32_ns)

    def erase_block64(self, offset: int) -> int:
        """Erase the 64 KiB block that holds `offset`; return the busy time in nanoseconds.

        Raises:
            ValueError: The offset is outside the chip.
        """
        return self._erase(FlashOperation.BLOCK_ERASE, offset, BLOCK64, self._block64_ns)

    def erase_chip(self) -> int:
        """Erase everything, unless any part of it is protected; return the busy time in nanoseconds."""
        return self._erase(FlashOperation.CHIP_ERASE, 0, self.size, self._chip_ns)

    def write_status(self, number: int, values: bytes, *, volatile: bool = False) -> int:
        """Write status registers.

        Args:
            number: First register, 1..3.
            values: One byte per register, from that one on; what would lie behind register 3 is dropped.
            volatile: Whether only the live values change, which takes no time.

        Returns:
            Busy time in nanoseconds.
        """
        values = values[: 4 - number]
        effect = self._announce(FlashOperation.STATUS_WRITE, number, len(values))
        if effect.ignore or self.is_silent:
            return 0
        for index, value in enumerate(values):
            self.status.write(number + index, value, volatile=volatile)
        return (0 if volatile else self._status_ns) + effect.extra_ns

    def unlock(self) -> None:
        """Clear the protection bits, as the ROM does before an erase; takes no time here."""
        self.status.unlock()

    # Inside

    def _erase(self, kind: FlashOperation, offset: int, unit: int, busy_ns: int) -> int:
        self._check(offset, 1)
        return self._operate(kind, offset - offset % unit, unit, busy_ns, None)

    def _operate(self, kind: FlashOperation, offset: int, length: int, busy_ns: int, data: bytes | None) -> int:
        """Do one operation: erase where `data` is None, else program one page."""
        effect = self._announce(kind, offset, length)
        self._failed = self._failed or effect.fails
        if effect.ignore or effect.fails or self.is_silent or _overlaps(self.status.protected(self.size), offset, length):
            return 0
        if effect.damage is not None:
            before = b"".join(self._runs(offset, length))
            wanted = b"\xff" * length if data is None else _and_bytes(before, data)
            held = effect.damage(before, wanted)
            assert len(held) == length, "a damaged operation keeps its length"
            self.load(offset, held)
        elif data is None:
            for number in range(offset // SECTOR, (offset + length) // SECTOR):
                self._sectors.pop(number, None)
        else:
            self._and(offset, data)
        return round(busy_ns * effect.slower) + effect.extra_ns

    def _announce(self, kind: FlashOperation, offset: int, length: int) -> FlashEffect:
        self.operations += 1
        effect = None if self.hook is None else self.hook(kind, offset, length)
        return UNHARMED if effect is None else effect

    def _and(self, offset: int, data: bytes) -> None:
        position = 0
        for number, start, end in _pieces(offset, len(data), SECTOR):
            piece = data[position : position + end - start]
            position += end - start
            held = self._sectors.get(number)
            if held is not None:
                held[start:end] = _and_bytes(held[start:end], piece)
            elif not _BLANK.startswith(piece):
                self._sector(number)[start:end] = piece

    def _sector(self, number: int) -> bytearray:
        held = self._sectors.get(number)
        if held is None:
            held = self._sectors[number] = bytearray(_BLANK)
        return held

    def _runs(self, offset: int, length: int) -> Iterator[memoryview]:
        """Yield the content in pieces, long blank stretches in pieces of 64 KiB."""
        blank = 0
        for number, start, end in _pieces(offset, length, SECTOR):
            held = self._sectors.get(number)
            if held is None:
                blank += end - start
                if blank >= BLOCK64:
                    yield _BLANK_RUN
                    blank -= BLOCK64
                continue
            if blank:
                yield _BLANK_RUN[:blank]
                blank = 0
            yield memoryview(held)[start:end]
        if blank:
            yield _BLANK_RUN[:blank]

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"0x{offset:x} + 0x{length:x} bytes leave the flash of 0x{self.size:x} bytes")


def _pieces(offset: int, length: int, unit: int) -> Iterator[tuple[int, int, int]]:
    """Split a range at unit borders: unit number, first and end byte inside the unit."""
    end = offset + length
    while offset < end:
        number, start = divmod(offset, unit)
        stop = min(unit, start + end - offset)
        yield number, start, stop
        offset += stop - start


def _and_bytes(left: bytes | bytearray, right: bytes) -> bytes:
    return (int.from_bytes(left, "little") & int.from_bytes(right, "little")).to_bytes(len(left), "little")


def _overlaps(area: tuple[int, int], offset: int, length: int) -> bool:
    return area[0] < offset + length and offset < area[1] and area[0] < area[1]
