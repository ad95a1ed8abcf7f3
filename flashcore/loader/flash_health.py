"""Why a flash does not hold what it was told to hold: asked after the fact, when a repair was in vain too.

Protection bits make erase and write do nothing and report success; a supply of 1.8 V makes them do anything. Both can be read.
What is left is the chip itself, or power that breaks down under it. Source: fault catalogue rows 14, 55, 56.
"""

from __future__ import annotations

from dataclasses import dataclass

from flashcore.errors import DeadlineExceededError, DeviceError, TransferError
from flashcore.loader import flash_chip
from flashcore.loader.target import Target

WRITE_PROTECTED = "flash.write_protected"
"""Code of every error of a flash chip whose protection bits are set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why.

    Args:
        code: Code for the error, empty to leave it as it is.
        text: What was found, to be put behind the message; empty if nothing was.
        hint: What to do.
    """

    code: str = ""
    text: str = ""
    hint: str = ""


def cause(target: Target, *, blank: bool = False) -> Cause:
    """Return what can be found out.

    Args:
        target: The chip.
        blank: Whether the region that should hold something is blank.
    """
    try:
        bits = target.insist_in_step(flash_chip.protection)
        low = target.insist_in_step(flash_chip.low_voltage)
    except (DeadlineExceededError, DeviceError, TransferError):
        return Cause()
    if bits:
        return Cause(
            code=WRITE_PROTECTED,
            text=f"the flash chip is write-protected (protection bits 0x{bits:04x} are set in its status registers)",
            hint="use --unprotect to clear the bits; if they come back, the WP pin of the flash chip is low",
        )
    if low:
        return Cause(
            code="flash.low_voltage",
            text="the flash is fed with 1.8 V, since GPIO12 (MTDI) was high at reset or eFuses say so",
            hint="disconnect what pulls GPIO12 high (an SD card, an LED)",
        )
    return Cause(
        text="the region reads as blank" if blank else "",
        hint="the flash chip does not keep what is written: it is worn out or faulty, or its power supply breaks down under it",
    )


def unprotect(target: Target) -> None:
    """Clear the protection bits of the flash chip, if any are set.

    Raises:
        TransferError: They cannot be cleared, or the chip does not answer.
    """
    before = target.insist_in_step(flash_chip.protection)
    if not before:
        return
    if not target.insist_in_step(flash_chip.unprotect):
        raise TransferError(
            "the flash chip stays write-protected: its protection bits cannot be cleared",
            hint="its WP pin is held low, or its status register is locked: look at the board's schematic",
            code=WRITE_PROTECTED,
            context={"protection": before},
        )
    target.session.found("flash.unprotected", f"the flash chip was write-protected (bits 0x{before:04x}); they were cleared")
