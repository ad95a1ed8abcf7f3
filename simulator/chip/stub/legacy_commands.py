"""What each command of the legacy stub does.

A command's arguments are words in the receive buffer, its length is what the header claims. Work before the answer
happens in `LegacyCommands.run`, work behind it in the job's `then`: writing blocks, sending flash content, changing
the rate, leaving.
Source: oracle facts 51 to 62, 66, 67, 69, 80; stub_e3.json op_*, flash_*, defl_*, erase_*, baud_*, mem*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct

from flashcore.protocol.opcodes import Opcode, StubStatus
from flashcore.protocol.packet import HEADER, checksum
from simulator.chip.flash_encryption import download_cipher
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.stub import divider
from simulator.chip.stub.flash_access import SECTOR, FlashAccess
from simulator.chip.stub.legacy_reader import MAX_BLOCK as MAX_READ_BLOCK
from simulator.chip.stub.legacy_reader import LegacyReader
from simulator.chip.stub.legacy_receiver import MAX_BLOCK
from simulator.chip.stub.legacy_version import REFUSED, LegacyVersion
from simulator.chip.stub.ram import WRITE_LENGTH, Upload, enter, write_registers
from simulator.chip.stub.writer import LONG_BEGIN, LegacyWriter
from simulator.kernel import MS

FLASH_ENCRYPT_DATA = 0xD4
"""As FLASH_DATA, for a chip that encrypts its flash. Source: encrypt_data (refused where the BEGIN before it was)."""

_SETTLE_NS = 10 * MS
"""How long it waits behind the answer before it resets or changes the rate. Fidelity: from source."""

_WORDS = Struct("<IIII")
_BODY = HEADER.size
_PAYLOAD = HEADER.size + 16
_SYNC_LENGTH = 36

Then = Callable[[int, Callable[[], None]], int | None]
"""Work behind an answer: given when the answer has left and what to call when idle again, does it and returns when it
is over, or None if it calls by itself or never comes back."""


@dataclass(frozen=True, slots=True)
class Job:
    """One command's outcome.

    Args:
        status: First status byte.
        done_ns: When status and data can be sent.
        data: Bytes before the status.
        then: Work behind the answer.
        is_sync: Whether the answer is that of SYNC, eight times.
    """

    status: int
    done_ns: int = 0
    data: bytes = b""
    then: Then | None = None
    is_sync: bool = False


class LegacyCommands:
    """The commands and what they share.

    Args:
        soc: The chip.
        version: Which build.
    """

    def __init__(self, soc: Soc, version: LegacyVersion) -> None:
        self._soc = soc
        self._version = version
        self._flash = FlashAccess(soc.flash, soc.config.times)
        self._writer = LegacyWriter(self._flash, soc.config.times)
        self._upload = Upload(soc.memory)
        self.reader: LegacyReader | None = None
        """A READ_FLASH that is in progress."""
        self.deaf = False
        """Whether it has stopped receiving for good (read_flash_block_big)."""

    def register_value(self, opcode: int, length: int, buffer: bytearray) -> int:
        """Return the answer's value word, which only READ_REG sets.

        Raises:
            BusFault: The address is not mapped.
        """
        if opcode == Opcode.READ_REG and length == 4:
            return self._soc.memory.read32(_WORDS.unpack_from(buffer, _BODY)[0])
        return 0

    def clock_divider_written(self, word: int) -> None:
        """Follow a divider that the host wrote by WRITE_REG."""
        divider.written(self._soc, word)

    def run(self, opcode: int, length: int, checksum_field: int, buffer: bytearray) -> Job:
        """Do what `opcode` asks for.

        Raises:
            BusFault: It stores to, or loads from, where nothing is.
        """
        first, second, third, fourth = _WORDS.unpack_from(buffer, _BODY)
        now = self._soc.kernel.now
        match opcode:
            case Opcode.FLASH_DATA | Opcode.FLASH_DEFL_DATA | 0xD4:
                return self._data(opcode, length, checksum_field, buffer)
            case Opcode.READ_REG:
                return Job(0 if length == 4 else StubStatus.BAD_LENGTH)
            case Opcode.WRITE_REG:
                if length % WRITE_LENGTH:
                    return Job(StubStatus.BAD_LENGTH)
                delay = write_registers(self._soc.memory, bytes(buffer[_BODY : _BODY + length]))
                return Job(0, now + delay)
            case Opcode.SYNC:
                return Job(0, is_sync=True) if length == _SYNC_LENGTH else Job(StubStatus.BAD_LENGTH)
            case Opcode.FLASH_BEGIN | Opcode.FLASH_DEFL_BEGIN:
                self._writer.cipher = None
                if length == LONG_BEGIN and _WORDS.unpack_from(buffer, _BODY + 4)[3]:
                    self._writer.cipher = download_cipher(self._soc.efuse)
                return self._begin(opcode, length, first, second, third, fourth)
            case Opcode.FLASH_END | Opcode.FLASH_DEFL_END:
                status = self._writer.end()
                return Job(status, then=self._restart if not status and first == 0 else None)
            case Opcode.MEM_BEGIN | Opcode.MEM_DATA | Opcode.MEM_END:
                return self._memory(opcode, length, buffer)
            case Opcode.SPI_FLASH_MD5:
                if length != 16:
                    return Job(REFUSED)
                digest, done = self._flash.md5(first, second, now)
                return Job(REFUSED, done) if digest is None else Job(0, done, digest)
            case Opcode.READ_FLASH:
                if length != 16:
                    return Job(StubStatus.BAD_LENGTH)
                return Job(0, then=partial(self._read, first, second, third, fourth))
            case Opcode.SPI_SET_PARAMS:
                if length == 24:
                    self._flash.set_size(second)
                return Job(0 if length == 24 else REFUSED)
            case Opcode.SPI_ATTACH:
                return Job(0 if length == 4 else REFUSED)
            case Opcode.CHANGE_BAUDRATE:
                if length != 8:
                    return Job(StubStatus.BAD_LENGTH)
                return Job(0, then=partial(self._change_rate, first, second))
            case Opcode.ERASE_FLASH:
                if length:
                    return Job(REFUSED)
                done = self._flash.erase_chip(now)
                return Job(REFUSED if self._flash.take_failure() else 0, done)
            case Opcode.ERASE_REGION:
                return self._erase(first, second) if length == 8 else Job(REFUSED)
            case _:
                return Job(StubStatus.NOT_IMPLEMENTED)

    def _begin(self, opcode: int, length: int, size: int, blocks: int, block: int, offset: int) -> Job:
        if length not in self._version.begin_lengths:
            return Job(self._version.begin_refusal)
        if block > MAX_BLOCK:
            return Job(StubStatus.BAD_BLOCK_SIZE)
        compressed = (blocks * block) & 0xFFFF_FFFF if opcode == Opcode.FLASH_DEFL_BEGIN else 0
        return Job(self._writer.begin(size, offset, self._soc.kernel.now, compressed=compressed))

    def _data(self, opcode: int, length: int, checksum_field: int, buffer: bytearray) -> Job:
        if not self._writer.open:
            return Job(StubStatus.NOT_BEGUN)
        claimed = _WORDS.unpack_from(buffer, _BODY)[0]
        payload = bytes(buffer[_PAYLOAD : _BODY + length]) if length >= 16 else b""
        status = self._writer.error
        if claimed != length - 16:
            status = StubStatus.BAD_LENGTH
        if checksum(payload) != checksum_field:
            status = StubStatus.BAD_CHECKSUM
        if status:
            return Job(status)
        if opcode == FLASH_ENCRYPT_DATA:
            self._writer.cipher = download_cipher(self._soc.efuse)
        if opcode == Opcode.FLASH_DEFL_DATA:
            return Job(0, then=lambda _, __: self._writer.write_compressed(payload, self._soc.kernel.now))
        return Job(0, then=lambda _, __: self._writer.write(payload, self._soc.kernel.now))

    def _memory(self, opcode: int, length: int, buffer: bytearray) -> Job:
        first, entry, _, address = _WORDS.unpack_from(buffer, _BODY)
        if opcode == Opcode.MEM_BEGIN:
            if length != 16:
                return Job(REFUSED)
            self._upload.begin(first, address)
            return Job(0)
        if opcode == Opcode.MEM_DATA:
            if not self._upload.address and length != 16:
                return Job(StubStatus.NOT_BEGUN)
            if length < 16:
                return Job(StubStatus.TOO_MUCH_DATA)
            return Job(self._upload.data(bytes(buffer[_PAYLOAD : _BODY + length])))
        if length != 8:
            return Job(REFUSED)
        if not self._upload.end():
            return Job(REFUSED)
        return Job(0, then=partial(self._enter, entry) if entry else None)

    def _erase(self, offset: int, length: int) -> Job:
        if offset % SECTOR or length % SECTOR:
            return Job(REFUSED)
        inside = min(length, max(0, self._flash.size - offset))
        done = self._flash.erase_range(offset, inside, self._soc.kernel.now)
        return Job(0 if inside == length and not self._flash.take_failure() else REFUSED, done)

    def _read(self, offset: int, length: int, block: int, in_flight: int, _sent_ns: int, idle: Callable[[], None]) -> None:
        if block > MAX_READ_BLOCK:
            self.deaf = True
            self._soc.note("chip", f"stub deaf: READ_FLASH with a block size of 0x{block:x}")
            return

        def done() -> None:
            self.reader = None
            idle()

        self.reader = LegacyReader(
            self._soc, self._flash, offset=offset, length=length, block=block, in_flight=in_flight, done=done
        )
        self.reader.start()

    def _change_rate(self, new: int, old: int, _sent_ns: int, idle: Callable[[], None]) -> None:
        def change() -> None:
            if divider.change_by_old_rate(self._soc, new, old):
                self._soc.after(MS, idle)

        self._soc.after(_SETTLE_NS, change)

    def _restart(self, _sent_ns: int, _idle: Callable[[], None]) -> None:
        self._soc.after(_SETTLE_NS, lambda: self._soc.reset(ResetCause.SW_RESET))

    def _enter(self, entry: int, _sent_ns: int, _idle: Callable[[], None]) -> None:
        self._soc.after(_SETTLE_NS, lambda: enter(self._soc, entry))
