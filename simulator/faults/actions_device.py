"""Deeds that befall the board as a whole, set off by any trigger at any place: resets, a crash of what runs, loss of supply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from simulator.kernel import S

if TYPE_CHECKING:
    from simulator.board.board import Board


@dataclass(frozen=True, slots=True)
class ResetChip:
    """The chip starts anew, as by a watchdog: the straps are sampled as they stand."""


@dataclass(frozen=True, slots=True)
class Brownout:
    """The supply dips: the brown-out detector resets the chip, and the ROM's banner says so.

    Source: technical reference manual, reset causes; ESP-IDF prints the same cause as ``rst:0xf``.
    """


@dataclass(frozen=True, slots=True)
class PowerCut:
    """Chip and flash lose their supply; the USB adapter keeps its own.

    Args:
        seconds: Until it is back.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class CrashStub:
    """What runs on the chip crashes with a panic text.

    At the place ``chip`` it strikes a command, which is not carried out; of MEM_END the program that it starts. Elsewhere it
    strikes whatever runs.

    Args:
        back: Seconds until the chip starts anew; negative: it hangs.
    """

    back: float = 1.0


DeviceAction = ResetChip | Brownout | PowerCut | CrashStub

PANIC = (
    b"\r\nGuru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\r\n"
    b"Core  0 register dump:\r\n"
    b"PC      : 0x400be598  PS      : 0x00060330  A0      : 0x80007a1f  A1      : 0x3ffe3a10\r\n"
    b"EXCVADDR: 0x00000000\r\n\r\nRebooting...\r\n"
)
"""What a crash prints. Fidelity: from source for the first line, which flashers look for; the rest shortened."""


def carry_out(action: DeviceAction, board: Board) -> None:
    """Let `action` befall `board` now."""
    from simulator.chip.soc import ResetCause

    soc = board.soc
    match action:
        case ResetChip():
            soc.reset(ResetCause.RTCWDT_RTC_RESET)
        case Brownout():
            soc.reset(ResetCause.RTCWDT_BROWN_OUT_RESET)
        case PowerCut(seconds):
            board.power_off()
            board.kernel.after(round(seconds * S), lambda: restore(board))
        case CrashStub():
            soc.crash(PANIC, restart_ns(action))
        case _:
            assert_never(action)


def restore(board: Board) -> None:
    """Bring the supply back, should it be away."""
    if not board.powered:
        board.power_on()


def restart_ns(action: CrashStub) -> int | None:
    """Return how long after a crash the chip starts anew, in nanoseconds, or ``None`` for never."""
    return None if action.back < 0 else round(action.back * S)
