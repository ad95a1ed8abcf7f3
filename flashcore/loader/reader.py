"""Reading flash so that what arrives is what is there.

A stub sends chunks with its own MD5 behind each, the ROM 64 bytes at a time without any. Neither tells whether the loader
understood the right address, so each chunk is checked by a second question, the MD5 over the same range. A chunk that does not
fit is read again, whatever the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from flashcore.errors import ChipResetError, FlashcoreError, PortLostError, TransferError
from flashcore.loader.policy import ROM_BAUDRATE
from flashcore.loader.progress import BlockDone, Recovery, RegionDone, RegionStarted
from flashcore.loader.stub import StubLoader
from flashcore.loader.target import RECOVERABLE, Target
from flashcore.port import NS_PER_S

_SMALL_CHUNK = 0x1000
_RELIEVE_AT = 2


def read(target: Target, offset: int, size: int) -> Iterator[bytes]:
    """Yield the `size` bytes of flash at `offset` in checked pieces, in order.

    Raises:
        TransferError: A piece cannot be read.
        PortError: The port cannot be used any more.
    """
    session, policy = target.session, target.policy
    started = session.clock.now_ns()
    session.emit(RegionStarted(action="read", offset=offset, size=size, on_wire=size))
    done, failures = 0, 0
    while done < size:
        largest = _SMALL_CHUNK if failures or not target.loader.is_stub else policy.read_chunk
        length = min(largest, size - done)
        try:
            data = _chunk(target, offset + done, length)
        except (*RECOVERABLE, TransferError) as failure:
            failures += 1
            if failures > policy.stalls:
                raise _hopeless(failure, offset + done) from failure
            session.emit(
                Recovery(
                    cause=failure.code,
                    text=f"{failure.message}; reading again at 0x{offset + done:x}",
                    resumes_at=offset + done,
                )
            )
            target.recover(_leave_read(target, failure, length))
            if failures >= _RELIEVE_AT and session.port.baudrate > ROM_BAUDRATE:
                target.relieve()
            continue
        failures = 0
        done += length
        session.emit(BlockDone(offset=offset, done=done, size=size))
        yield data
    elapsed = (session.clock.now_ns() - started) / NS_PER_S
    session.emit(RegionDone(action="read", offset=offset, size=size, seconds=elapsed))


def _leave_read(target: Target, failure: FlashcoreError, size: int) -> FlashcoreError:
    """Make a stub that may wait for acknowledgements give up; return what there is to recover from then."""
    if isinstance(target.loader, StubLoader) and not isinstance(failure, ChipResetError | PortLostError):
        try:
            target.session.drain()
            target.loader.stop_reading(size)
        except PortLostError as lost:
            return lost
    return failure


def piece(target: Target, offset: int, size: int) -> bytes | None:
    """Return `size` bytes of flash for the session's own use, checked and without events; ``None`` if they cannot be had."""
    for _ in range(target.policy.ask_tries):
        try:
            return target.insist(lambda _: _chunk(target, offset, size))
        except (*RECOVERABLE, TransferError):
            continue
    return None


def _chunk(target: Target, offset: int, size: int) -> bytes:
    data = b"".join(target.loader.read_flash(offset, size))
    target.session.clear_recent()
    if hashlib.md5(data, usedforsecurity=False).digest() != target.loader.md5(offset, size):
        raise TransferError(f"flash read at 0x{offset:x} was damaged on the way")
    return data


def _hopeless(failure: FlashcoreError, offset: int) -> TransferError:
    return TransferError(
        f"flash at 0x{offset:x} cannot be read: {failure.message}",
        hint=failure.hint or "try a lower baud rate, another cable or another USB port",
        code=failure.code,
        context={**failure.context, "offset": offset},
    )
