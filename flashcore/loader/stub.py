"""The stub's dialect, and how a stub gets to run.

Upload: MEM_BEGIN and MEM_DATA per segment. After a bad checksum the ROM has already counted the block (oracle fact 25), so
nothing is ever resent: the whole upload starts over, on the next rung of `Policy.ram_ladder`. RAM is read back in samples
before the jump, since the XOR checksum does not see lost zeros or swapped packets. The stub greets with OHAI; if the greeting
is damaged or late, SYNC tells whether it runs (catalogue row 25). Then: MD5 in raw bytes, real erase commands, and READ_FLASH
as a stream of raw frames that wants acknowledgements (fact 59).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import Enum, unique
from struct import Struct

from flashcore.errors import BadPacketError, DeadlineExceededError, DeviceError, TransferError
from flashcore.loader.base import Loader
from flashcore.loader.policy import RamRung
from flashcore.loader.progress import Recovery
from flashcore.loader.session import Session
from flashcore.loader.stub_image import Segment, StubImage
from flashcore.port import ns
from flashcore.protocol import commands
from flashcore.protocol.exchange import Dialect
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import data_request
from flashcore.protocol.slip import encode

GREETING = b"OHAI"
"""Content of the frame with which a stub says that it runs (oracle fact 50)."""

_ACKNOWLEDGE = Struct("<I")
_SAMPLES = 12
_FRAME_OVERHEAD = 26
_JUMPS = 2


@unique
class Start(Enum):
    """How an attempt to start a stub ended."""

    RUNNING = "running"
    NOT_LOADED = "not loaded"
    """No rung brought the code into RAM undamaged; the ROM still answers."""
    DEAD = "dead"
    """After the jump nothing answers: only a reset helps."""


def start(session: Session, image: StubImage, *, first_rung: int = 0) -> Start:
    """Upload `image` and run it.

    Args:
        session: A session with the ROM loader.
        image: What to run.
        first_rung: Where to begin on `Policy.ram_ladder`.

    Raises:
        DeadlineExceededError: The ROM fell silent.
        ChipResetError: The chip restarted.
    """
    for rung in session.policy.ram_ladder[first_rung:]:
        if rung.paced:
            session.pace()
        try:
            for segment in image.segments:
                _load(session, segment, rung)
            for segment in image.segments:
                _check(session, segment, rung)
        except (DeviceError, DeadlineExceededError, TransferError) as error:
            session.emit(Recovery(cause=error.code, text=f"loading the stub: {error.message}; starting over"))
            session.resync()
            continue
        session.report_pacing()
        return _jump(session, image.entry)
    return Start.NOT_LOADED


def _load(session: Session, segment: Segment, rung: RamRung) -> None:
    data, size = segment.data, rung.block_size
    session.command(commands.mem_begin(len(data), -(-len(data) // size), size, segment.address))
    for number, start_at in enumerate(range(0, len(data), size)):
        block = data[start_at : start_at + size]
        try:
            session.command(data_request(Opcode.MEM_DATA, block, number))
        except (DeviceError, DeadlineExceededError):
            session.damaged(len(block) + _FRAME_OVERHEAD)
            raise
        session.link.note_passed(len(block) + _FRAME_OVERHEAD)


def _check(session: Session, segment: Segment, rung: RamRung) -> None:
    words = len(segment.data) // 4
    step = 1 if rung.full_check else max(1, words // _SAMPLES)
    indexes = sorted({*range(0, words, step), *range(rung.block_size // 4 - 1, words, rung.block_size // 4), words - 1})
    for index in indexes:
        if index < 0:
            continue
        expected = int.from_bytes(segment.data[4 * index : 4 * index + 4], "little")
        address = segment.address + 4 * index
        found = session.ask(commands.read_reg(address)).value
        if found != expected:
            session.damaged(rung.block_size + _FRAME_OVERHEAD)
            raise TransferError(
                f"RAM at 0x{address:08x} holds 0x{found:08x}, expected 0x{expected:08x}: a block arrived changed unnoticed",
                code="transfer.ram_differs",
            )


def _jump(session: Session, entry: int) -> Start:
    policy, clock = session.policy, session.clock
    for _ in range(_JUMPS):
        session.clear_input()
        session.transmit(encode(commands.mem_end(entry).pack()))
        deadline = clock.now_ns() + ns(policy.greeting_s)
        while data := session.receive(deadline):
            session.exchange.feed(data)
            while (frame := session.exchange.next_frame()) is not None:
                if frame == GREETING:
                    session.exchange.forget()
                    session.dialect = Dialect.STUB
                    return Start.RUNNING
        who = None
        for wait in policy.sync_s:
            who = session.sync_once(wait)
            if who is not None:
                session.drain()
                break
        if who is None:
            return Start.DEAD
        if who.dialect is Dialect.STUB:
            session.dialect = Dialect.STUB
            session.emit(Recovery(cause="stub.no_greeting", text="the stub's greeting was lost, but it answers SYNC"))
            return Start.RUNNING
    return Start.NOT_LOADED


class StubLoader(Loader):
    """A stub in the chip's RAM."""

    name = "stub"
    is_stub = True

    def md5(self, offset: int, size: int) -> bytes:
        """Return the MD5 of `size` bytes of flash at `offset`, 16 bytes.

        Raises:
            BadPacketError: The answer is no MD5.
        """
        digest = self.session.ask(commands.spi_flash_md5(offset, size), self.policy.md5_wait(size)).data
        if len(digest) != 16:
            raise BadPacketError(f"the answer to an MD5 of 0x{size:x} bytes is no MD5: {digest[:40].hex()}")
        return digest

    def erase(self, offset: int, size: int) -> None:
        """Erase `size` bytes at `offset`, both multiples of 4096."""
        policy = self.policy
        request = commands.erase_region(offset, size)
        self.session.command(request, policy.erase_wait(size), longest_s=policy.longest_erase(size))

    def erase_all(self, flash_size: int) -> None:
        """Erase the whole chip."""
        policy = self.policy
        wait = max(policy.erase_chip_s, policy.erase_wait(flash_size))
        self.session.command(commands.erase_flash(), wait, longest_s=max(policy.slowest_chip_erase_s, wait))

    def read_flash(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes of flash from `offset` on, frame by frame; the stub's own MD5 is checked at the end.

        Raises:
            TransferError: A frame has the wrong length, or the MD5 does not fit.
            DeadlineExceededError: A frame is missing.
        """
        session, policy = self.session, self.policy
        session.command(commands.read_flash(offset, size, policy.read_block, policy.read_in_flight))
        digest, done = hashlib.md5(usedforsecurity=False), 0
        while done < size:
            frame = session.next_frame(policy.command_s)
            if len(frame) != min(policy.read_block, size - done):
                raise TransferError(f"a frame of {len(frame)} bytes came while reading flash at 0x{offset + done:x}")
            done += len(frame)
            session.transmit(encode(_ACKNOWLEDGE.pack(done)))
            digest.update(frame)
            yield frame
        if session.next_frame(policy.md5_wait(size)) != digest.digest():
            raise TransferError(f"flash read at 0x{offset:x} was damaged on the way")

    def stop_reading(self, size: int) -> None:
        """Make a stub that waits for acknowledgements of a broken read come to an end."""
        self.session.transmit(encode(_ACKNOWLEDGE.pack(size)))
        self.session.drain()

    def change_baudrate(self, new: int, old: int) -> None:
        """Make the chip talk at `new` baud; the port still has to follow."""
        self.session.command(commands.change_baudrate(new, old))
