"""What faults do to the flash: to single operations, and to what the chip is.

Source: fault catalogue rows 14, 16, 20, 49, 55, 56, 65. Fidelity: guessed, but for the commands that end an odd state (data
sheets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from simulator.faults.sharing import also_hook

if TYPE_CHECKING:
    from simulator.chip.flash_effect import FlashEffect, FlashOperation
    from simulator.chip.nor_flash import NorFlash
    from simulator.rng import Dice


@dataclass(frozen=True, slots=True)
class IgnoreOperation:
    """The chip does nothing, and nobody is told."""


@dataclass(frozen=True, slots=True)
class FailOperation:
    """The chip does nothing, and the loader learns of it: a stub says so at the next command."""


@dataclass(frozen=True, slots=True)
class SlowErase:
    """Erasing takes so many times as long."""

    factor: float


@dataclass(frozen=True, slots=True)
class SlowProgram:
    """Programming takes so many times as long."""

    factor: float


@dataclass(frozen=True, slots=True)
class BitRot:
    """One bit of what is written comes out wrong."""


@dataclass(frozen=True, slots=True)
class StuckBits:
    """Some bits of one sector stay 0, whatever is written.

    Args:
        offset: An address in that sector.
        mask: Which bits of its first byte.
    """

    offset: int
    mask: int = 0x10


@dataclass(frozen=True, slots=True)
class BadSector:
    """One sector keeps what it holds: it can be neither erased nor written.

    Args:
        offset: An address in it.
    """

    offset: int


FlashAction = IgnoreOperation | FailOperation | SlowErase | SlowProgram | BitRot | StuckBits | BadSector


@dataclass(frozen=True, slots=True)
class WrongId:
    """The chip says that it is another.

    Args:
        id: Its answer to RDID, 24 bits.
        random: Bits that are different each time.
    """

    id: int
    random: int = 0


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing reaches the chip: it reads as ones and takes nothing."""


@dataclass(frozen=True, slots=True)
class WriteProtect:
    """The block protection bits are set, in a layout that the loaders' own unlocking does not clear.

    Args:
        locked: Whether a write of the status register has no effect either, as with the chip's WP pin low.
    """

    locked: bool = False


@dataclass(frozen=True, slots=True)
class PowerDown:
    """The chip was left in deep power-down; only AB wakes it."""


@dataclass(frozen=True, slots=True)
class OddMode:
    """The chip was left in a mode of another bus width; only a reset by 66 and 99 ends it."""


FlashState = WrongId | Silent | WriteProtect | PowerDown | OddMode

SECTOR = 0x1000


def matches(kind: str, operation: FlashOperation) -> bool:
    """Return whether an operation is of a kind that a trigger names."""
    name = operation.name.lower()
    return kind in ("any", name) or (kind == "erase" and name.endswith("_erase"))


def concerns(action: FlashAction, operation: FlashOperation, offset: int, length: int) -> bool:
    """Return whether `action` could do anything to this operation."""
    match action:
        case SlowErase():
            return matches("erase", operation)
        case BitRot() | SlowProgram():
            return matches("program", operation)
        case StuckBits(at) | BadSector(at):
            sector = at - at % SECTOR
            return not matches("status_write", operation) and offset < sector + SECTOR and sector < offset + length
        case IgnoreOperation() | FailOperation():
            return True
        case _:
            assert_never(action)


def flash_effect(action: FlashAction, dice: Dice, offset: int, length: int) -> FlashEffect:
    """Return what `action` does to an operation on `length` bytes from `offset` on."""
    from simulator.chip.flash_effect import FlashEffect

    match action:
        case IgnoreOperation():
            return FlashEffect(ignore=True)
        case FailOperation():
            return FlashEffect(fails=True)
        case SlowErase(factor) | SlowProgram(factor):
            return FlashEffect(slower=factor)
        case BitRot():
            at, mask = dice.below(length), 1 << dice.below(8)
            return FlashEffect(damage=lambda before, wanted: _put(wanted, at, wanted[at] ^ mask))
        case StuckBits(at, mask):
            inside = at - offset
            if not 0 <= inside < length:
                return FlashEffect()
            return FlashEffect(damage=lambda before, wanted: _put(wanted, inside, wanted[inside] & ~mask))
        case BadSector(at):
            first = max(at - at % SECTOR - offset, 0)
            last = min(at - at % SECTOR + SECTOR - offset, length)
            return FlashEffect(damage=lambda before, wanted: wanted[:first] + before[first:last] + wanted[last:])
        case _:
            assert_never(action)


def _put(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value & 0xFF]) + data[at + 1 :]


def enter_flash_state(
    action: FlashState, flash: NorFlash, dice: Dice, holds: Callable[[], bool], struck: Callable[[str], None]
) -> Callable[[], None]:
    """Let `action` be so from now on, for as long as `holds` says; return what undoes it for good.

    Args:
        action: What is so.
        flash: Of which chip.
        dice: Its randomness.
        holds: Whether it still is.
        struck: Called with a text each time it has an effect.
    """
    undo: Callable[[], None] = flash.power_cycle
    earlier = flash.answers

    def answered(opcode: int, answer: bytes) -> bytes:
        answer = answer if earlier is None else earlier(opcode, answer)
        if not holds():
            return answer
        match action:
            case WrongId(identity, random) if opcode == _RDID:
                struck("wrong id told")
                wrong = identity ^ (int.from_bytes(dice.bytes(3), "big") & random)
                return (wrong.to_bytes(3, "big") * len(answer))[: len(answer)]
            case Silent() | PowerDown() | OddMode() if opcode == _RDID and flash.is_silent:
                struck("asked, and did not answer")
        return answer

    flash.answers = answered
    match action:
        case Silent():
            flash.silent = holds
        case WriteProtect(locked):
            undo = _protect(flash, locked=locked, holds=holds, struck=struck)
        case PowerDown():
            flash.power_down()
        case OddMode():
            flash.stay_in_mode()
        case WrongId():
            pass
        case _:
            assert_never(action)
    return undo


_RDID = 0x9F
_PROTECT_ALL = 0x1C


def _protect(flash: NorFlash, *, locked: bool, holds: Callable[[], bool], struck: Callable[[str], None]) -> Callable[[], None]:
    from simulator.chip.flash_effect import FlashEffect, FlashOperation

    def asked(operation: FlashOperation, _offset: int, _length: int) -> FlashEffect | None:
        if not holds():
            return None
        if operation is FlashOperation.STATUS_WRITE:
            return FlashEffect(ignore=True) if locked else None
        if flash.status.protects_all:
            struck("protected")
        return None

    flash.status.write(1, _PROTECT_ALL, volatile=False)
    flash.status.keeps_protection = holds
    flash.hook = also_hook(flash.hook, asked)

    def undo() -> None:
        flash.status.keeps_protection = None
        flash.status.unlock()

    return undo
