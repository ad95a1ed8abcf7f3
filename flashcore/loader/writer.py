"""Writing regions, and coming back from whatever goes wrong meanwhile.

A block that the loader says arrived damaged is sent again: a stub has not consumed it (oracle fact 53), the ROM takes it under
the next number (fact 35), and only the ROM's compressed stream has to start over (fact 42). Anything else, a lost or damaged
answer above all, leaves open whether the block was carried out, and a stub would happily carry it out twice. So nothing is
sent again blindly: the link is brought back into step, the chip is asked by MD5 up to which sector the flash is right, and the
write goes on from there with a new BEGIN. The same bisection repairs a region whose final MD5 does not fit, once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flashcore.chips import SECTOR_SIZE
from flashcore.errors import ChipResetError, DeadlineExceededError, DeviceError, FlashcoreError, TransferError, VerifyError
from flashcore.image import Region
from flashcore.loader import flash_health
from flashcore.loader.base import Loader
from flashcore.loader.eraser import digest
from flashcore.loader.flash_health import Cause
from flashcore.loader.plan import Mode, Part, pad, plan_rom, plan_stub
from flashcore.loader.policy import ROM_BAUDRATE
from flashcore.loader.progress import BlockDone, Recovery, RegionDone, RegionStarted, Verified
from flashcore.loader.target import RECOVERABLE, Target
from flashcore.port import NS_PER_S
from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode, RomStatus, StubStatus
from flashcore.protocol.packet import data_request

_COARSE = 0x10000
"""First step of a bisection: the block that flash chips erase fastest."""
_PACE_AT = 2
_PLAIN_AT = 3
_OVERHEAD = 26


@dataclass(slots=True)
class Held:
    """What the flash holds of the region being written.

    Args:
        region: The region.
        done: Bytes from its start that were written as far as we know.
        verified: Whether its MD5 was right.
    """

    region: Region
    done: int = 0
    verified: bool = False

    def __str__(self) -> str:
        if self.verified:
            return "written and verified"
        if self.done >= self.region.size:
            return "written, not verified"
        return (
            f"first 0x{self.done:x} of 0x{self.region.size:x} bytes written, not verified; "
            "the rest is as before, erased or written in part"
        )


class Writer:
    """Writes regions to a target.

    Args:
        target: A target whose flash size is known.
        compress: Whether to compress where that helps.
    """

    def __init__(self, target: Target, *, compress: bool = True) -> None:
        self._target = target
        self._compress = compress
        self.held: list[Held] = []
        """What the flash holds of each region begun so far."""
        self._streams: list[tuple[int, int]] = []
        self._flash_failed = False
        """Whether the flash itself failed in this region: then a stub may write rubbish, and to the right place."""
        self.astray: list[Region] = []
        """Regions of which a whole stream was taken, but went to another address: BEGIN carries no checksum."""

    def write(self, region: Region) -> None:
        """Write `region` and verify it by MD5, from where an earlier write of it ended.

        Raises:
            VerifyError: The flash differs, also after a repair.
            TransferError: The transfer failed for good.
            DeviceError: The loader keeps refusing.
            PortError: The port cannot be used any more.
        """
        session = self._target.session
        started = session.clock.now_ns()
        data = pad(region.data)
        self.held.append(Held(region))
        self._streams.clear()
        self._flash_failed = False
        start = self._there_already(region, data)
        parts = self._plan(data[start:], region.offset + start, compress=self._compress)
        on_wire = sum(part.on_wire for part in parts)
        session.emit(RegionStarted(action="write", offset=region.offset, size=region.size, on_wire=on_wire, name=region.name))
        if start:
            done = self.held[-1].done = min(start, region.size)
            session.emit(BlockDone(offset=region.offset, done=done, size=region.size))
        self._write_range(region, data, start, len(data), parts)
        digest = self.verify(region, data)
        session.report_pacing()
        self.held[-1].verified = True
        session.emit(Verified(offset=region.offset, size=region.size, md5=digest))
        elapsed = (session.clock.now_ns() - started) / NS_PER_S
        session.emit(RegionDone(action="write", offset=region.offset, size=region.size, seconds=elapsed))

    def _there_already(self, region: Region, data: bytes) -> int:
        """Return how much of `data` the flash holds from the start on, as after an interrupted write of the same.

        That is asked only if the first sector is right, so a write of something new costs one question more.
        """
        first = data[:SECTOR_SIZE]
        if len(data) <= SECTOR_SIZE or digest(self._target, region.offset, len(first)) != _md5(first):
            return 0
        start = self._target.insist(lambda loader: self._good_until(loader, region.offset, data, 0, len(data)))
        self._target.session.found(
            "write.resumed", "part of what was to be written is in flash already, so the write went on from there"
        )
        return start

    # --- sending ----------------------------------------------------------------------------------------------------

    def _write_range(self, region: Region, data: bytes, start: int, end: int, parts: tuple[Part, ...] | None = None) -> None:
        """Write data[start:end] of `region`; `start` is a multiple of 4096, and `parts` the plan if there is one already."""
        session, policy = self._target.session, self._target.policy
        compress, stalls, recoveries, allowed = self._compress, 0, 0, policy.stalls
        progress = _Progress(start)
        while start < end:
            try:
                for part in parts or self._plan(data[start:end], region.offset + start, compress=compress):
                    self._send(part, region, progress)
                return
            except RECOVERABLE as cause:
                parts = None
                recoveries += 1
                if isinstance(cause, DeviceError) and cause.status == StubStatus.SPI_FAILED:
                    self._flash_failed = True
                good = self._recover(cause, region, data, start, min(end, progress.reached))
                stalls = 0 if good > start else stalls + 1
                if stalls >= allowed or recoveries >= policy.recoveries:
                    raise self._hopeless(cause, region, good) from cause
                if not isinstance(cause, ChipResetError) and (
                    stalls >= _PACE_AT or session.link.damaged >= policy.damage_limit
                ):
                    allowed += self._target.relieve() * policy.stalls_per_step
                compress = compress and stalls < _PLAIN_AT
                start = good
                progress = _Progress(start)
                if self.held:
                    self.held[-1].done = start

    def _plan(self, data: bytes, offset: int, *, compress: bool) -> tuple[Part, ...]:
        target, policy = self._target, self._target.policy
        step = target.lessons.part_size(len(data))
        parts: list[Part] = []
        for start in range(0, len(data), step):
            piece, at = data[start : start + step], offset + start
            if target.loader.is_stub:
                size = policy.stub_block_paced if target.session.link.paced else policy.stub_block
                parts += plan_stub(piece, at, block_size=size, compress=compress, limit=policy.inflate_limit)
            else:
                parts += plan_rom(piece, at, block_size=policy.rom_block, compress=compress, limit=policy.inflate_limit)
        return tuple(parts)

    def _send(self, part: Part, region: Region, progress: _Progress) -> None:
        """Send one part from BEGIN to the answer of its last block."""
        session, policy, loader = self._target.session, self._target.policy, self._target.loader
        packed = part.mode is Mode.COMPRESSED
        begin = commands.flash_defl_begin if packed else commands.flash_begin
        opcode = Opcode.FLASH_DEFL_DATA if packed else Opcode.FLASH_DATA
        before = part.offset - region.offset
        progress.reached = before
        erase_wait = policy.command_s + policy.erase_64k_s if loader.is_stub else policy.erase_wait(part.size)
        longest = policy.longest_erase(0x10000 if loader.is_stub else part.size)
        session.command(begin(part.size, part.announced, part.block_size, part.offset), erase_wait, longest_s=longest)
        sequence, previous, done = 0, 0, 0
        hidden = policy.erase_64k_s if loader.is_stub else 0.0
        for block in part.blocks:
            work = block.until - done
            progress.reached = before + block.until
            wait, longest = hidden + policy.program_wait(work + previous), hidden + policy.longest_program(work + previous)
            sequence = self._send_block(opcode, block.payload, sequence, wait, longest)
            previous, done = work, block.until
            if self.held and before + done > self.held[-1].done:
                self.held[-1].done = min(before + done, region.size)
            session.emit(BlockDone(offset=region.offset, done=min(before + done, region.size), size=region.size))
        if loader.is_stub:
            end = commands.flash_defl_end if packed else commands.flash_end
            longest = hidden + policy.longest_program(previous)
            session.command(end(stay=True), hidden + policy.program_wait(previous), longest_s=longest)
        self._streams.append((before, before + part.size))
        self._target.rest()

    def _send_block(self, opcode: Opcode, payload: bytes, sequence: int, wait_s: float, longest_s: float) -> int:
        """Send one block, again if it arrived damaged, and return the next sequence number."""
        session, is_stub = self._target.session, self._target.loader.is_stub
        length = len(payload) + _OVERHEAD
        for left in reversed(range(self._target.policy.block_tries)):
            try:
                session.command(data_request(opcode, payload, sequence), wait_s, longest_s=longest_s)
            except DeadlineExceededError:
                session.damaged(length)
                raise
            except DeviceError as refused:
                if refused.status != (StubStatus.BAD_CHECKSUM if is_stub else RomStatus.BAD_CHECKSUM):
                    raise
                session.damaged(length)
                if not left or (opcode is Opcode.FLASH_DEFL_DATA and not is_stub):
                    raise
                session.resync()
                sequence += 0 if is_stub else 1
            else:
                session.link.note_passed(length)
                return sequence + 1
        raise AssertionError("the last try returns or raises")

    # --- coming back ------------------------------------------------------------------------------------------------

    def _recover(self, cause: FlashcoreError, region: Region, data: bytes, low: int, high: int) -> int:
        """Get the chip back and return up to where the flash is right, as an offset into `data`."""
        target = self._target
        failure = cause
        for _ in range(target.policy.ask_tries):
            target.recover(failure)
            try:
                good = self._good_until(target.loader, region.offset, data, low, high)
            except RECOVERABLE as again:
                failure = again
                continue
            at = region.offset + good
            target.session.emit(Recovery(cause=cause.code, text=f"{cause.message}; going on at 0x{at:x}", resumes_at=at))
            return good
        raise TransferError(failure.message, hint=failure.hint, code=failure.code, context=failure.context) from failure

    def _good_until(self, loader: Loader, offset: int, data: bytes, low: int, high: int) -> int:
        """Return the end of the right part of data[low:high], a multiple of 4096 or the end of the data."""
        if high < len(data):
            high -= high % SECTOR_SIZE
        if high <= low:
            return low
        if self._matches(loader, offset, data, low, high):
            return high
        while high - low > SECTOR_SIZE:
            step = _COARSE if high - low > _COARSE else SECTOR_SIZE
            middle = low + max(step, (high - low) // 2 // step * step)
            if self._matches(loader, offset, data, low, middle):
                low = middle
            else:
                high = middle
        return low

    def _matches(self, loader: Loader, offset: int, data: bytes, low: int, high: int) -> bool:
        return loader.md5(offset + low, high - low) == _md5(data[low:high])

    def _hopeless(self, cause: FlashcoreError, region: Region, good: int) -> FlashcoreError:
        where = f"writing {region.name} at 0x{region.offset + good:x} gets no further"
        context = {**cause.context, "offset": region.offset, "done": good, "size": region.size}
        if isinstance(cause, DeviceError):
            health = flash_health.cause(self._target)
            return DeviceError(
                f"{where}: {cause.message}" + (f"; {health.text}" if health.text else ""),
                opcode=cause.opcode,
                status=cause.status,
                hint=health.hint
                if health.code
                else "if the flash is worn out no retry helps; else try --no-stub, or another supply",
                code=health.code or None,
                context=context,
            )
        return TransferError(
            f"{where}: {cause.message}",
            hint=cause.hint or "try a lower baud rate, another cable, another USB port, or --no-stub",
            code=cause.code,
            context=context,
        )

    # --- verifying --------------------------------------------------------------------------------------------------

    def verify(self, region: Region, data: bytes, *, repair: bool = True) -> str:
        """Compare the flash with `data` by MD5, rewriting wrong sectors once, and return the MD5 as text.

        Raises:
            VerifyError: They differ.
        """
        expected = _md5(data)
        actual = digest(self._target, region.offset, len(data))
        if actual != expected and repair:
            wrong = self._differing(region, data)
            whole = any(low <= start and end <= high for start, end in self._streams for low, high in wrong)
            if whole and not self._flash_failed:
                self.astray.append(region)
            if self._target.session.port.baudrate > ROM_BAUDRATE:
                self._target.relieve(blame=False)
            for low, high in wrong:
                self._target.session.emit(
                    Recovery(
                        cause=VerifyError.code,
                        text=f"flash differs from the image at 0x{region.offset + low:x} to 0x{region.offset + high:x}; "
                        "writing that again",
                        resumes_at=region.offset + low,
                    )
                )
                self._write_range(region, data, low, high)
            actual = digest(self._target, region.offset, len(data))
        bad = self._differing(region, data) if actual != expected else []
        if actual != expected and not bad:
            actual = digest(self._target, region.offset, len(data))
        if actual != expected:
            blank = actual == _md5(b"\xff" * len(data))
            cause = flash_health.cause(self._target, blank=blank) if repair else Cause()
            spots = ", ".join(f"0x{region.offset + low:x}-0x{region.offset + high:x}" for low, high in bad[:4])
            raise VerifyError(
                f"{region.name}: flash at 0x{region.offset:x} differs from the image"
                + (f" in {spots}" + (" and more" if len(bad) > 4 else "") if spots else "")
                + (f": {cause.text}" if cause.text else ""),
                offset=region.offset,
                size=region.size,
                expected=expected.hex(),
                actual=actual.hex(),
                hint=cause.hint or "write the image again",
                code=cause.code or None,
            )
        return actual.hex()

    def _differing(self, region: Region, data: bytes) -> list[tuple[int, int]]:
        """Return the ranges of wrong sectors in `data`, neighbours joined."""
        ranges: list[tuple[int, int]] = []
        for block in range(0, len(data), _COARSE):
            block_end = min(block + _COARSE, len(data))
            if digest(self._target, region.offset + block, block_end - block) == _md5(data[block:block_end]):
                continue
            for low in range(block, block_end, SECTOR_SIZE):
                high = min(low + SECTOR_SIZE, block_end)
                if digest(self._target, region.offset + low, high - low) != _md5(data[low:high]):
                    if ranges and ranges[-1][1] == low:
                        ranges[-1] = (ranges[-1][0], high)
                    else:
                        ranges.append((low, high))
        return ranges


@dataclass(slots=True)
class _Progress:
    """How far into a region's data the flash can have been changed by the present stream."""

    reached: int


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
