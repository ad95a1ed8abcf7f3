"""Writing a region: what a BEGIN opened, the blocks that follow, and the sectors erased for them.

Both stubs take blocks in the order in which they arrive, cut the last one to the announced size, collect inflated
output in a window of 32 KB, and erase lazily. They differ in when they erase, in how they program, and in what they
do with an error, so each has a writer of its own on this base. Time is an argument, as in `flash_access`.
Source: oracle facts 53 to 57, 62, 69, 76, 77, 79.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from flashcore.protocol.opcodes import StubStatus
from simulator.chip.config import ChipTimes
from simulator.chip.flash_encryption import UNIT, FlashCipher
from simulator.chip.stub.flash_access import BLOCK, SECTOR, FlashAccess
from simulator.chip.stub.inflate import WINDOW, Inflater, Status

LONG_BEGIN = 20
"""Length in bytes of a BEGIN whose last word says whether the data are to be encrypted on their way to the flash. Source: from
source (esptool 5 sends it to stubs)."""

SECTORS_PER_BLOCK = BLOCK // SECTOR


class Writer(ABC):
    """The write in progress, if there is one.

    Args:
        flash: The flash behind the stub.
        times: Durations of the CPU's own work.
    """

    checks_adler = True
    """Whether a wrong Adler-32 is noticed."""

    def __init__(self, flash: FlashAccess, times: ChipTimes) -> None:
        self._flash = flash
        self._times = times
        self.open = False
        """Whether a BEGIN was accepted and no END yet."""
        self.cipher: FlashCipher | None = None
        """The flash encryption unit, while what is written goes through it."""
        self.remaining = 0
        """Announced bytes that have not been written yet."""
        self._offset = 0
        self._next_sector = 0
        self._sectors_left = 0
        self._compressed_left = 0
        self._inflater = Inflater(check_adler=self.checks_adler)
        self._window = bytearray()

    def begin(self, size: int, offset: int, at: int, *, compressed: int = 0) -> int:
        """Open a write.

        Args:
            size: Bytes to come, after inflating.
            offset: Where they go.
            at: The present.
            compressed: Announced length of the compressed stream.

        Returns:
            The status.
        """
        self.open = True
        self.remaining = size
        self._offset = offset
        self._next_sector = offset // SECTOR
        self._sectors_left = -(-(offset % SECTOR + size) // SECTOR)
        self._compressed_left = compressed
        self._inflater = Inflater(check_adler=self.checks_adler)
        return 0

    @abstractmethod
    def write(self, data: bytes, at: int) -> int:
        """Write one block; return when the CPU is done with it."""

    def _take(self, data: bytes) -> bytes:
        return data if len(data) <= self.remaining else data[: self.remaining]

    def _sealed(self, data: bytes) -> bytes | None:
        """Return what the flash must hold, or None where the encryption unit can't write a piece of that shape."""
        if self.cipher is None:
            return data
        if self._offset % UNIT or len(data) % UNIT:
            return None
        return self.cipher.write(self._offset, data)

    def _advance(self, length: int) -> None:
        self._offset += length
        self.remaining -= length

    def _unit(self) -> int:
        """Return how many sectors the next erase takes."""
        aligned = self._next_sector % SECTORS_PER_BLOCK == 0
        return SECTORS_PER_BLOCK if aligned and self._sectors_left >= SECTORS_PER_BLOCK else 1

    def _erased(self, sectors: int) -> None:
        self._next_sector += sectors
        self._sectors_left -= sectors

    def _inflate(self, data: bytes) -> tuple[Status, bytes, int]:
        """Inflate into the window; return where the stream stands, what input is left, and how long it took in
        nanoseconds."""
        more = self._compressed_left > len(data)
        status, output, rest = self._inflater.step(data, WINDOW - len(self._window), more_follows=more)
        self._compressed_left -= len(data) - len(rest)
        self._window += output
        return status, rest, len(output) * self._times.inflate_per_byte

    def _window_ready(self, status: Status) -> bool:
        return status is Status.DONE or len(self._window) == WINDOW

    def _take_window(self) -> bytes:
        data = bytes(self._window)
        self._window.clear()
        return data


class LegacyWriter(Writer):
    """How the legacy stub writes: errors stay until the next BEGIN and refuse every block that follows.

    Fidelity: recorded; that output which was never written is still in the window when the next compressed write
    begins is from source."""

    def __init__(self, flash: FlashAccess, times: ChipTimes) -> None:
        super().__init__(flash, times)
        self.error = 0
        """Status of the last failure since BEGIN."""

    def begin(self, size: int, offset: int, at: int, *, compressed: int = 0) -> int:
        """Open a write; nothing is erased yet (oracle fact 62)."""
        self.error = 0
        return super().begin(size, offset, at, compressed=compressed)

    def end(self) -> int:
        """Close the write if it is complete; return the status."""
        if not self.open:
            return StubStatus.NOT_BEGUN
        if self.remaining:
            return StubStatus.NOT_ENOUGH_DATA
        self.open = False
        return self.error

    def write(self, data: bytes, at: int) -> int:
        """Erase what is missing, then program."""
        data = self._take(data)
        if not data:
            return at
        last = -(-(self._offset + len(data)) // SECTOR)
        while self._next_sector < last and self._sectors_left:
            at = self._erase_next(at)
        sealed = self._sealed(data)
        status: int = StubStatus.SPI_FAILED
        if sealed is not None:
            status, at = self._flash.program_by_words(self._offset, sealed, at)
        if status:
            self.error = status
        self._advance(len(data))
        return at

    def write_compressed(self, data: bytes, at: int) -> int:
        """Inflate one block, writing each full window; an erase runs ahead in the background."""
        status = Status.NEEDS_INPUT
        while data and self.remaining and status in (Status.NEEDS_INPUT, Status.MORE_OUTPUT):
            if self._sectors_left and self._flash.is_ready(at):
                at = self._erase_next(at)
            status, data, took = self._inflate(data)
            at += took
            if self._window_ready(status):
                at = self.write(self._take_window(), at)
        if status is Status.FAILED:
            self.error = StubStatus.INFLATE_FAILED
        elif status is Status.DONE and self.remaining:
            self.error = StubStatus.NOT_ENOUGH_DATA
        elif status is not Status.DONE and not self.remaining:
            self.error = StubStatus.TOO_MUCH_DATA
        return at

    def _erase_next(self, at: int) -> int:
        sectors = self._unit()
        at = self._flash.erase_unit(self._next_sector * SECTOR, sectors * SECTOR, at)
        if self._flash.take_failure():
            self.error = StubStatus.SPI_FAILED
        self._erased(sectors)
        return at


class ModernWriter(Writer):
    """How the newer stub writes: it erases at BEGIN already, skips blank sectors, and reports an error once.

    Fidelity: recorded; skipping of blank sectors from source (its notes, oracle fact 76).
    """

    checks_adler = False

    def __init__(self, flash: FlashAccess, times: ChipTimes) -> None:
        super().__init__(flash, times)
        self.error = 0
        """Status of a failure that no command has reported yet."""
        self.hung = False
        """Whether it will never come back: the stream held more than was announced (oracle fact 79)."""

    def begin(self, size: int, offset: int, at: int, *, compressed: int = 0) -> int:
        """Open a write and start the first erase; a first sector beyond the chip is refused, but the write is open."""
        super().begin(size, offset, at, compressed=compressed)
        self._window.clear()
        if not self._sectors_left:
            return 0
        return StubStatus.SPI_FAILED if self._erase_next(at) is None else 0

    def write(self, data: bytes, at: int) -> int:
        """Erase what is missing, then program."""
        data = self._take(data)
        if not data:
            return at
        last = -(-(self._offset + len(data)) // SECTOR)
        while self._next_sector < last and self._sectors_left:
            erased = self._erase_next(at)
            if erased is None:
                self.error = StubStatus.SPI_FAILED
                return at
            at = erased
        sealed = self._sealed(data)
        if sealed is not None and self._flash.inside(self._offset, len(data)):
            at = self._flash.program(self._offset, sealed, at)
        else:
            self.error = StubStatus.SPI_FAILED
        if self._flash.take_failure():
            self.error = StubStatus.SPI_FAILED
        self._advance(len(data))
        return at

    def write_compressed(self, data: bytes, at: int) -> int:
        """Inflate one block, writing each full window."""
        status = Status.NEEDS_INPUT
        while data and self.remaining and status in (Status.NEEDS_INPUT, Status.MORE_OUTPUT):
            status, data, took = self._inflate(data)
            at += took
            if self._window_ready(status):
                if len(self._window) > self.remaining:
                    self.hung = True
                    return at
                at = self.write(self._take_window(), at)
        if status is Status.FAILED:
            self.error = StubStatus.INFLATE_FAILED
        return at

    def _erase_next(self, at: int) -> int | None:
        """Erase the next unit unless it is blank; return when the CPU goes on, or None beyond the end of the chip."""
        sectors = self._unit()
        offset, length = self._next_sector * SECTOR, sectors * SECTOR
        if not self._flash.inside(offset, SECTOR):
            return None
        at += self._flash.read_ns(length)
        if not self._flash.is_blank(offset, length):
            at = self._flash.erase_unit(offset, length, at)
            if self._flash.take_failure():
                self.error = StubStatus.SPI_FAILED
        self._erased(sectors)
        return at
