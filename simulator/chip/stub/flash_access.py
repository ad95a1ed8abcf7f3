"""The flash as a stub sees it: a chip of the size that SPI_SET_PARAMS announced, which may be busy for a while.

A stub that has been told nothing believes in 16 MB. Addresses beyond the real chip wrap, as its address lines do.
Time runs along as an argument: each operation takes the moment at which the CPU wants it and returns the moment at
which the CPU goes on; what keeps only the chip busy is kept in `NorFlash.busy_until`."""

from __future__ import annotations

from flashcore.protocol.opcodes import StubStatus
from simulator.chip.config import ChipTimes
from simulator.chip.nor_flash import NorFlash

SECTOR = 0x1000
BLOCK = 0x1_0000
PAGE = 0x100

DEFAULT_SIZE = 16 << 20
"""Size assumed before SPI_SET_PARAMS, in bytes. Fidelity: from source (the stub passes it to the ROM's geometry)."""


class FlashAccess:
    """The flash behind one stub.

    Args:
        flash: The chip.
        times: Durations of the CPU's own work.
    """

    def __init__(self, flash: NorFlash, times: ChipTimes) -> None:
        self._flash = flash
        self._times = times
        self.size = DEFAULT_SIZE
        """Size of the chip as the stub was told."""

    def set_size(self, size: int) -> None:
        """Believe in a chip of `size` bytes, at most the 16 MB that three address bytes reach."""
        self.size = min(size, DEFAULT_SIZE)

    def inside(self, offset: int, length: int) -> bool:
        """Whether a range lies within the announced size."""
        return offset + length <= self.size

    def is_ready(self, at: int) -> bool:
        """Whether the chip is idle at `at`."""
        return self._flash.busy_until <= at

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, wrapping at the end of the real chip."""
        size = self._flash.size
        offset %= size
        if offset + length <= size:
            return self._flash.read(offset, length)
        whole = self._flash.image()
        return ((whole[offset:] + whole[:offset]) * (length // size + 1))[:length]

    def read_ns(self, length: int) -> int:
        """Return how long it takes to read `length` bytes."""
        return length * self._times.flash_read_per_byte

    def md5(self, offset: int, length: int, at: int) -> tuple[bytes | None, int]:
        """Digest a range.

        Returns:
            The 16 bytes, or None if the range leaves the announced size; and when that is known.

        Source: oracle fact 58, md5_ranges.
        """
        at = max(at, self._flash.busy_until)
        done = at + min(length, max(0, self.size - offset)) * self._times.md5_per_byte
        if not self.inside(offset, length):
            return None, done
        size = self._flash.size
        start = offset % size
        if start + length <= size:
            return self._flash.md5(start, length), done
        import hashlib

        return hashlib.md5(self.read(offset, length), usedforsecurity=False).digest(), done

    def is_blank(self, offset: int, length: int) -> bool:
        """Whether a range holds nothing but FF; it must not cross the end of the real chip."""
        return self._flash.is_blank(offset % self._flash.size, length)

    def erase_unit(self, offset: int, length: int, at: int) -> int:
        """Start erasing one sector or block once the chip is idle.

        Returns:
            When it has been started; the CPU need not wait for its end.
        """
        at = max(at, self._flash.busy_until)
        offset %= self._flash.size
        took = self._flash.erase_block64(offset) if length == BLOCK else self._flash.erase_sector(offset)
        self._flash.busy_until = at + took
        return at

    def erase_range(self, offset: int, length: int, at: int) -> int:
        """Erase whole sectors and wait for the end of it; a range longer than any chip wraps once at most."""
        end = offset + min(length, DEFAULT_SIZE)
        while offset < end:
            unit = BLOCK if offset % BLOCK == 0 and end - offset >= BLOCK else SECTOR
            at = self.erase_unit(offset, unit, at)
            offset += unit
        return max(at, self._flash.busy_until)

    def erase_chip(self, at: int) -> int:
        """Erase everything and wait for the end of it."""
        at = max(at, self._flash.busy_until)
        self._flash.busy_until = at + self._flash.erase_chip()
        return self._flash.busy_until

    def program(self, offset: int, data: bytes, at: int) -> int:
        """Program bytes and wait for the end of it, wrapping at the end of the real chip."""
        at = max(at, self._flash.busy_until)
        size = self._flash.size
        while data:
            start = offset % size
            piece = data[: size - start]
            at += self._flash.program(start, piece)
            offset += len(piece)
            data = data[len(piece) :]
        self._flash.busy_until = at
        return at

    def program_by_words(self, offset: int, data: bytes, at: int) -> tuple[int, int]:
        """Program as the ROM's routine does: page by page, and no piece whose length is not a multiple of four.

        Returns:
            The status, and when the CPU goes on.

        Source: stub_e3.json flash_block_len (two bytes in the last page are not written and make an error),
        flash_erase_extent_1_at_0, flash_over_end.
        """
        if not self.inside(offset, len(data)):
            return StubStatus.SPI_FAILED, at
        first = min(len(data), PAGE - offset % PAGE)
        if first % 4:
            return StubStatus.SPI_FAILED, at
        tail = (len(data) - first) % PAGE
        if tail % 4:
            return StubStatus.SPI_FAILED, self.program(offset, data[: len(data) - tail], at)
        done = self.program(offset, data, at)
        return (StubStatus.SPI_FAILED if self.take_failure() else 0), done

    def take_failure(self) -> bool:
        """Return whether an operation failed since this was last asked."""
        return self._flash.take_failure()
