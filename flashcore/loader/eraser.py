"""Erasing flash, and making sure that the right part is blank afterwards."""

from __future__ import annotations

import hashlib

from flashcore.chips import SECTOR_SIZE
from flashcore.errors import (
    CancelledError,
    DeviceError,
    DoesNotFitError,
    FlashcoreError,
    TransferError,
    UsageError,
    VerifyError,
)
from flashcore.loader import flash_health
from flashcore.loader.progress import RegionDone, RegionStarted
from flashcore.loader.target import RECOVERABLE, Target
from flashcore.port import NS_PER_S


def require_inside(target: Target, offset: int, size: int, action: str) -> None:
    """Refuse a range of flash that there is not.

    Args:
        target: The chip.
        offset: First byte.
        size: How many.
        action: What was to be done with it, for the message.

    Raises:
        UsageError: One of the numbers is negative.
        DoesNotFitError: There is not that much flash.
        TransferError: No flash chip answers.
    """
    if offset < 0 or size < 0:
        raise UsageError(f"cannot {action} {size} bytes at {offset}: both must be 0 or more", code="usage.range")
    if offset + size > target.flash_size():
        raise DoesNotFitError(
            f"cannot {action} 0x{size:x} bytes at 0x{offset:x}: the flash ends at 0x{target.flash_size():x}",
            hint="check address and size",
            context={"offset": offset, "size": size, "flash_size": target.flash_size()},
        )


def digest(target: Target, offset: int, size: int) -> bytes:
    """Return the MD5 of flash, coming back from lost and damaged answers.

    Raises:
        TransferError: The device gives none.
    """
    return target.insist(lambda loader: loader.md5(offset, size))


def erase(target: Target, offset: int | None, size: int | None, *, unprotect: bool = False) -> None:
    """Erase `size` bytes at `offset`, or the whole flash if both are ``None``, after clearing protection bits if `unprotect`.

    Raises:
        UsageError: Only one of the two is given, or one is not a multiple of 4096.
        DoesNotFitError: There is not that much flash.
        DeviceError: The loader refuses.
        VerifyError: The flash is not blank afterwards.
        TransferError: No answer comes.
    """
    session, flash_size = target.session, target.flash_size()
    started = session.clock.now_ns()
    if (offset is None) != (size is None):
        raise UsageError("erasing a part takes both an address and a size", code="usage.erase")
    whole = offset is None or size is None
    start, length = (0, flash_size) if offset is None or size is None else (offset, size)
    for what, number in (("address", start), ("size", length)):
        if number % SECTOR_SIZE:
            nearest = round(number / SECTOR_SIZE) * SECTOR_SIZE
            raise UsageError(
                f"flash is erased in sectors of 0x{SECTOR_SIZE:x} bytes, {what} 0x{number:x} is no multiple of that",
                hint=f"the nearest is 0x{nearest:x}",
                code="usage.unaligned",
                context={"value": number, "nearest": nearest},
            )
    require_inside(target, start, length, "erase")
    session.emit(RegionStarted(action="erase", offset=start, size=length, on_wire=0))

    try:
        if unprotect:
            flash_health.unprotect(target)
        _carry_out(target, start, length, whole=whole)
        _require_blank(target, start, length)
    except KeyboardInterrupt:
        raise CancelledError(
            f"stopped while erasing; flash from 0x{start:x} to 0x{start + length:x} is erased in part or as a whole",
            hint="erase again before the board is used",
        ) from None
    elapsed = (session.clock.now_ns() - started) / NS_PER_S
    session.emit(RegionDone(action="erase", offset=start, size=length, seconds=elapsed))


def _carry_out(target: Target, start: int, length: int, *, whole: bool) -> None:
    """Erase; after a lost answer look at the flash before erasing again."""
    failure: FlashcoreError | None = None
    for _ in range(target.policy.ask_tries):
        try:
            _erase_once(target, start, length, whole=whole)
            return
        except RECOVERABLE as lost:
            failure = lost
            target.recover(lost)
            if _blank_digest(length) == digest(target, start, length):
                return
    assert failure is not None
    if isinstance(failure, DeviceError):
        raise failure
    raise TransferError(failure.message, hint=failure.hint, code=failure.code, context=failure.context) from failure


def _erase_once(target: Target, start: int, length: int, *, whole: bool) -> None:
    if not length:
        return
    step = target.lessons.part_size(length)
    if whole and step == length:
        target.loader.erase_all(length)
        return
    for at in range(start, start + length, step):
        target.loader.erase(at, min(step, start + length - at))
        target.rest()


def _blank_digest(length: int) -> bytes:
    return hashlib.md5(b"\xff" * length, usedforsecurity=False).digest()


def _require_blank(target: Target, start: int, length: int) -> None:
    """Make sure that an erase was carried out where it was meant to: a damaged command may have named another place."""
    if not length:
        return
    expected = _blank_digest(length)
    actual = digest(target, start, length)
    if actual != expected:
        actual = digest(target, start, length)
    if actual == expected:
        return
    cause = flash_health.cause(target)
    known = f": {cause.text}" if cause.code else ""
    raise VerifyError(
        f"flash from 0x{start:x} to 0x{start + length:x} is not blank, although it was erased{known}",
        hint=cause.hint
        if cause.code
        else "the command was damaged on its way and may have erased another part, or the flash chip is worn out: "
        "erase again, and write again what the flash should hold elsewhere",
        offset=start,
        size=length,
        expected=expected.hex(),
        actual=actual.hex(),
        code=cause.code or "verify.not_blank",
    )
