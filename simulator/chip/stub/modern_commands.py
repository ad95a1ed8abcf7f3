"""What each command of the newer stub does.

Bodies must have exactly the length of their command. `ModernCommands.run` does the work before the answer, a job's
`then` what comes behind it.
Source: oracle facts 51 to 59, 61, 74 to 80; stub_e5_2.json op_*, flash_*, defl_*, erase_*, baud_*, mem*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct

from flashcore.protocol.opcodes import Opcode, StubStatus
from flashcore.protocol.packet import HEADER, REQUEST, checksum
from simulator.chip.flash_encryption import download_cipher
from simulator.chip.soc import Soc
from simulator.chip.stub import divider
from simulator.chip.stub.answers import SYNC_ANSWERS, answer
from simulator.chip.stub.flash_access import SECTOR, FlashAccess
from simulator.chip.stub.modern_reader import ModernReader
from simulator.chip.stub.ram import WRITE_LENGTH, Upload, enter, write_registers
from simulator.chip.stub.writer import LONG_BEGIN, ModernWriter
from simulator.kernel import MS

_RUN_USER_CODE = 0xD3
_PLUGINS = range(0xD5, 0xF0)
"""Opcodes kept for plug-ins: not implemented, where all others are bad commands (oracle fact 75)."""

_LENGTHS = {
    Opcode.SYNC: (36,),
    Opcode.READ_REG: (4,),
    Opcode.SPI_SET_PARAMS: (24,),
    Opcode.SPI_ATTACH: (4,),
    Opcode.CHANGE_BAUDRATE: (8,),
    Opcode.SPI_FLASH_MD5: (16,),
    Opcode.GET_SECURITY_INFO: (0,),
    Opcode.MEM_BEGIN: (16,),
    Opcode.MEM_END: (8,),
    Opcode.FLASH_BEGIN: (16, 20),
    Opcode.FLASH_DEFL_BEGIN: (16, 20),
    Opcode.FLASH_END: (4,),
    Opcode.FLASH_DEFL_END: (4,),
    Opcode.ERASE_REGION: (8,),
    Opcode.READ_FLASH: (16,),
}
"""Body lengths in bytes. Source: oracle fact 74; op_*, flash_begin_len_*."""

_ONE = Struct("<I")
_TWO = Struct("<II")
_FOUR = Struct("<IIII")

Then = Callable[[int, Callable[[], None]], int | None]
"""Work behind an answer: given when the answer has left and what to call when idle again, does it and returns when it
is over, or None if it calls by itself or never comes back."""


@dataclass(frozen=True, slots=True)
class Job:
    """One command's outcome.

    Args:
        answer: Bytes for the wire.
        done_ns: When they can be sent.
        then: Work behind the answer.
    """

    answer: bytes
    done_ns: int = 0
    then: Then | None = None


class ModernCommands:
    """The commands and what they share.

    Args:
        soc: The chip.
        waits: Called when READ_FLASH begins to wait for an acknowledgement.
    """

    def __init__(self, soc: Soc, waits: Callable[[], None]) -> None:
        self._soc = soc
        self._waits = waits
        self._flash = FlashAccess(soc.flash, soc.config.times)
        self._writer = ModernWriter(self._flash, soc.config.times)
        self._upload: Upload | None = None
        self._error = 0
        self.reader: ModernReader | None = None
        """A READ_FLASH that is in progress."""

    def run(self, frame: bytes) -> Job:
        """Do what a frame asks for, or report what went wrong behind the last one.

        Raises:
            BusFault: It stores to, or loads from, where nothing is.
        """
        opcode = frame[1] if len(frame) > 1 else 0
        body = frame[HEADER.size :]
        if frame[0] != REQUEST:
            return _refusal(opcode, StubStatus.BAD_COMMAND)
        if len(frame) < HEADER.size:
            return _refusal(opcode, StubStatus.BAD_LENGTH)
        _, _, length, checksum_field = HEADER.unpack_from(frame)
        if length != len(body):
            return _refusal(opcode, StubStatus.BAD_LENGTH)
        error = self._writer.error or self._error
        if error:
            self._writer.error = self._error = 0
            return _refusal(opcode, error)
        lengths = _LENGTHS.get(opcode)  # type: ignore[call-overload]
        if lengths is not None and length not in lengths:
            return _refusal(opcode, StubStatus.BAD_LENGTH)
        return self._dispatch(opcode, body, checksum_field)

    def _dispatch(self, opcode: int, body: bytes, checksum_field: int) -> Job:
        now = self._soc.kernel.now
        match opcode:
            case Opcode.FLASH_DATA | Opcode.FLASH_DEFL_DATA:
                return self._data(opcode, body, checksum_field)
            case Opcode.READ_REG:
                return Job(answer(opcode, 0, value=self._soc.memory.read32(_ONE.unpack(body)[0])))
            case Opcode.WRITE_REG:
                if not body or len(body) % WRITE_LENGTH:
                    return _refusal(opcode, StubStatus.NOT_ENOUGH_DATA)
                return Job(answer(opcode, 0), now + write_registers(self._soc.memory, body))
            case Opcode.SYNC:
                return Job(SYNC_ANSWERS)
            case Opcode.FLASH_BEGIN | Opcode.FLASH_DEFL_BEGIN:
                size, blocks, block, offset = _FOUR.unpack_from(body)
                compressed = (blocks * block) & 0xFFFF_FFFF if opcode == Opcode.FLASH_DEFL_BEGIN else 0
                encrypted = len(body) == LONG_BEGIN and any(body[_FOUR.size :])
                self._writer.cipher = download_cipher(self._soc.efuse) if encrypted else None
                return Job(answer(opcode, self._writer.begin(size, offset, now, compressed=compressed)))
            case Opcode.FLASH_END | Opcode.FLASH_DEFL_END:
                return Job(answer(opcode, self._end()))
            case Opcode.MEM_BEGIN | Opcode.MEM_DATA | Opcode.MEM_END:
                return self._memory(opcode, body)
            case Opcode.SPI_FLASH_MD5:
                offset, length, _, _ = _FOUR.unpack(body)
                digest, done = self._flash.md5(offset, length, now)
                if digest is None:
                    return Job(answer(opcode, StubStatus.SPI_FAILED), now)
                return Job(answer(opcode, 0, data=digest), done)
            case Opcode.READ_FLASH:
                return Job(answer(opcode, 0), then=partial(self._read, *_FOUR.unpack(body)))
            case Opcode.SPI_SET_PARAMS:
                self._flash.set_size(_ONE.unpack_from(body, 4)[0])
                return Job(answer(opcode, 0))
            case Opcode.SPI_ATTACH:
                return Job(answer(opcode, 0))
            case Opcode.CHANGE_BAUDRATE:
                return Job(answer(opcode, 0), then=partial(self._change_rate, _ONE.unpack_from(body)[0]))
            case Opcode.ERASE_FLASH:
                return self._erased(opcode, self._flash.erase_chip(now))
            case Opcode.ERASE_REGION:
                offset, length = _TWO.unpack(body)
                if offset % SECTOR or length % SECTOR:
                    return _refusal(opcode, StubStatus.BAD_LENGTH)
                return self._erased(opcode, self._flash.erase_range(offset, length, now))
            case Opcode.GET_SECURITY_INFO:
                return _refusal(opcode, StubStatus.NOT_IMPLEMENTED)
            case _ if opcode == _RUN_USER_CODE:
                return Job(b"")
            case _ if opcode in _PLUGINS:
                return _refusal(opcode, StubStatus.NOT_IMPLEMENTED)
            case _:
                return _refusal(opcode, StubStatus.BAD_COMMAND)

    def _data(self, opcode: int, body: bytes, checksum_field: int) -> Job:
        if len(body) < _FOUR.size:
            short = StubStatus.NOT_ENOUGH_DATA if opcode == Opcode.FLASH_DATA else StubStatus.BAD_LENGTH
            return _refusal(opcode, short)
        if not self._writer.open:
            return _refusal(opcode, StubStatus.NOT_BEGUN)
        payload = body[_FOUR.size :]
        if _ONE.unpack_from(body)[0] != len(payload):
            return _refusal(opcode, StubStatus.TOO_MUCH_DATA)
        if checksum(payload) != checksum_field:
            return _refusal(opcode, StubStatus.BAD_CHECKSUM)
        return Job(answer(opcode, 0), then=partial(self._store, opcode, payload))

    def _store(self, opcode: int, payload: bytes, _sent_ns: int, _idle: Callable[[], None]) -> int | None:
        now = self._soc.kernel.now
        if opcode == Opcode.FLASH_DATA:
            return self._writer.write(payload, now)
        done = self._writer.write_compressed(payload, now)
        if self._writer.hung:
            self._soc.die("compressed stream longer than announced")
            return None
        return done

    def _erased(self, opcode: int, done_ns: int) -> Job:
        return Job(answer(opcode, StubStatus.SPI_FAILED if self._flash.take_failure() else 0), done_ns)

    def _end(self) -> int:
        if not self._writer.open:
            return StubStatus.NOT_BEGUN
        if self._writer.remaining:
            return StubStatus.BAD_LENGTH
        self._writer.open = False
        return 0

    def _memory(self, opcode: int, body: bytes) -> Job:
        if opcode == Opcode.MEM_BEGIN:
            size, _, _, address = _FOUR.unpack(body)
            self._upload = Upload(self._soc.memory)
            self._upload.begin(size, address)
            return Job(answer(opcode, 0))
        if opcode == Opcode.MEM_DATA and len(body) < _FOUR.size:
            return _refusal(opcode, StubStatus.NOT_ENOUGH_DATA)
        if self._upload is None:
            return _refusal(opcode, StubStatus.NOT_BEGUN)
        if opcode == Opcode.MEM_DATA:
            return Job(answer(opcode, self._upload.data(body[_FOUR.size :])))
        complete = self._upload.end()
        self._upload = None
        if not complete:
            return _refusal(opcode, StubStatus.BAD_LENGTH)
        stay, entry = _TWO.unpack(body)
        return Job(answer(opcode, 0), then=None if stay or not entry else partial(self._enter, entry))

    def _read(self, offset: int, length: int, block: int, in_flight: int, _sent_ns: int, idle: Callable[[], None]) -> None:
        def done(error: int) -> None:
            self._error = error
            self.reader = None
            idle()

        self.reader = ModernReader(
            self._soc,
            self._flash,
            offset=offset,
            length=length,
            block=block,
            in_flight=in_flight,
            waits=self._waits,
            done=done,
        )
        self.reader.start()

    def _change_rate(self, baud: int, sent_ns: int, idle: Callable[[], None]) -> None:
        def change() -> None:
            if divider.set_rate(self._soc, baud):
                idle()

        self._soc.after(sent_ns - self._soc.kernel.now + MS, change)

    def _enter(self, entry: int, sent_ns: int, _idle: Callable[[], None]) -> None:
        self._soc.after(sent_ns - self._soc.kernel.now + MS, lambda: enter(self._soc, entry))


def _refusal(opcode: int, status: int) -> Job:
    return Job(answer(opcode, status))
