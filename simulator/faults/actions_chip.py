"""What faults do to the chip: to single commands of its loaders, and to what it is.

Source: fault catalogue rows 10, 31, 32, 48, 59, 63. Fidelity: from source where a row names it, else guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, assert_never

from flashcore.protocol.opcodes import Opcode
from simulator.kernel import S

if TYPE_CHECKING:
    from simulator.chip.gate import CommandEffect
    from simulator.chip.soc import Soc
    from simulator.rng import Dice


@dataclass(frozen=True, slots=True)
class NoReply:
    """The loader neither does the command nor answers."""


@dataclass(frozen=True, slots=True)
class Status:
    """The loader refuses the command.

    Args:
        code: Status code, in the place where the loader that runs has it.
        below: Only if its body has fewer bytes; 0: whatever it has.
    """

    code: int
    below: int = 0


@dataclass(frozen=True, slots=True)
class LateReply:
    """The loader takes so many seconds longer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """The loader has no such command."""


@dataclass(frozen=True, slots=True)
class SecureDownload:
    """Secure download mode: the ROM has only the few commands that write flash, see `SECURE_COMMANDS`."""


ChipAction = NoReply | Status | LateReply | Unknown | SecureDownload

SECURE_COMMANDS = frozenset(
    {
        Opcode.FLASH_BEGIN,
        Opcode.FLASH_DATA,
        Opcode.FLASH_END,
        Opcode.FLASH_DEFL_BEGIN,
        Opcode.FLASH_DEFL_DATA,
        Opcode.FLASH_DEFL_END,
        Opcode.SYNC,
        Opcode.SPI_SET_PARAMS,
        Opcode.SPI_ATTACH,
        Opcode.CHANGE_BAUDRATE,
        Opcode.GET_SECURITY_INFO,
    }
)
"""What remains in secure download mode. Source: ESP-IDF documentation, "UART ROM Download Mode". The ESP32 has no such mode of
its own (revision 3 can only turn download off), so this is the mode of later chips on an ESP32's ROM."""


@dataclass(frozen=True, slots=True)
class Register:
    """A word of the address space reads wrong.

    Args:
        address: Where.
        value: What it reads as.
        random: Bits that are different each time.
    """

    address: int
    value: int
    random: int = 0


@dataclass(frozen=True, slots=True)
class ClockError:
    """The chip's clock is off, and with it the rate of its UART.

    Args:
        percent: How much too fast it is; negative: too slow.
    """

    percent: float


@dataclass(frozen=True, slots=True)
class LatchStraps:
    """A start by EN keeps the straps of the start before; only a watchdog or power samples them, as in chips with USB."""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """The RTC watchdog runs in the ROM loader and resets the chip, unless its registers are written or a stub takes over.

    Args:
        seconds: Its time-out.
    """

    seconds: float


ChipState = Register | ClockError | LatchStraps | Watchdog


def command_effect(action: ChipAction, opcode: int, size: int) -> CommandEffect:
    """Return what `action` does to the command `opcode` with a body of `size` bytes."""
    from simulator.chip.gate import UNHARMED, CommandEffect

    match action:
        case NoReply():
            return CommandEffect(silent=True)
        case Status(code, below):
            return UNHARMED if below and size >= below else CommandEffect(status=code)
        case LateReply(seconds):
            return CommandEffect(late_ns=round(seconds * S))
        case Unknown():
            return CommandEffect(unknown=True)
        case SecureDownload():
            return UNHARMED if opcode in SECURE_COMMANDS else CommandEffect(unknown=True)
        case _:
            assert_never(action)


def enter_chip_state(
    action: ChipState, soc: Soc, dice: Dice, holds: Callable[[], bool], struck: Callable[[str], None]
) -> Callable[[], None]:
    """Let `action` be so from now on, for as long as `holds` says; return what undoes it for good.

    Args:
        action: What is so.
        soc: Of which chip.
        dice: Its randomness.
        holds: Whether it still is.
        struck: Called with a text each time it has an effect.
    """
    match action:
        case Register():
            soc.memory.overrides[action.address] = partial(_misread, action, dice, holds, struck)
        case ClockError(percent):
            soc.uart.clock_error = percent / 100
            soc.on_start.append(lambda: struck(f"the clock is {percent:g} % off") if holds() else None)
        case LatchStraps():
            soc.keeps_straps = partial(_keep, holds, struck)
        case Watchdog(seconds):
            soc.on_start.append(lambda: _arm(soc, round(seconds * S), holds, struck))
        case _:
            assert_never(action)

    def undo() -> None:
        if isinstance(action, ClockError):
            soc.uart.clock_error = 0.0

    return undo


def _misread(action: Register, dice: Dice, holds: Callable[[], bool], struck: Callable[[str], None], word: int) -> int:
    if not holds():
        return word
    struck(f"0x{action.address:08x} read wrong")
    return action.value ^ (int.from_bytes(dice.bytes(4), "little") & action.random)


def _keep(holds: Callable[[], bool], struck: Callable[[str], None]) -> bool:
    if holds():
        struck("straps not sampled")
    return holds()


def _arm(soc: Soc, after_ns: int, holds: Callable[[], bool], struck: Callable[[str], None]) -> None:
    from simulator.chip.rom.loader import RomLoader
    from simulator.chip.soc import ResetCause

    life = soc.boots

    def bite() -> None:
        if soc.boots == life and holds() and not soc.rtc.configured and isinstance(soc.program, RomLoader):
            struck("the watchdog reset the chip")
            soc.reset(ResetCause.RTCWDT_RTC_RESET)

    soc.kernel.after(after_ns, bite)
