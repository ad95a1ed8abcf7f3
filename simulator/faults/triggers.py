"""What sets a fault off. Plain frozen values; `simulator.faults.choose` counts for them.

Some pick one of the things that pass at the fault's own place: a frame of a stream, a command at the chip, an operation of the
flash, a change of the lines, an opening of the port. The others, and these at any other place, name a moment of the run: at it
a fault strikes that is a deed (a reset), and from it on a fault holds that is done to what passes (loss of bytes).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Always:
    """At everything that passes."""


@dataclass(frozen=True, slots=True)
class NthFrame:
    """At one frame of a stream, or one command that the chip's loader has received.

    Args:
        opcode: Which command's frames are counted; ``None`` counts all.
        n: Which of them, from 1.
    """

    opcode: int | None
    n: int


@dataclass(frozen=True, slots=True)
class Every:
    """At every n-th frame, command, flash operation or change of lines.

    Args:
        n: How many make a round.
        opcode: Which command's frames are counted; ``None`` counts all.
    """

    n: int
    opcode: int | None = None


@dataclass(frozen=True, slots=True)
class Chance:
    """At each of them with this probability, drawn from the fault's own dice."""

    probability: float


@dataclass(frozen=True, slots=True)
class NthByte:
    """At the n-th byte that passes, from 1."""

    n: int


@dataclass(frozen=True, slots=True)
class After:
    """From this moment on, in seconds since the start of the run."""

    seconds: float


@dataclass(frozen=True, slots=True)
class At:
    """At this moment, in seconds since the start of the run; of a stream, at the first thing that passes from then on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FlashOp:
    """At an operation that changes the flash.

    Args:
        kind: Which kind is counted, see `FLASH_KINDS`; ``any`` counts all.
        n: Which of them, from 1.
    """

    kind: str
    n: int


FLASH_KINDS = ("any", "program", "erase", "sector_erase", "block_erase", "chip_erase", "status_write")
"""Kinds of flash operations: a page programmed, any erase, or one sort of it."""


@dataclass(frozen=True, slots=True)
class NthEdge:
    """At the n-th change of the modem lines, from 1."""

    n: int


@dataclass(frozen=True, slots=True)
class Session:
    """From the moment on at which the host opens the port for the n-th time, from 1."""

    n: int


@dataclass(frozen=True, slots=True)
class OnReset:
    """From the n-th start of the chip on, from 1, the one at power-on not counted."""

    n: int


@dataclass(frozen=True, slots=True)
class NthOpen:
    """At the n-th time that the host opens the port, from 1."""

    n: int


@dataclass(frozen=True, slots=True)
class NthReconfigure:
    """At the n-th time that the host sets the port's rate, from 1."""

    n: int


@dataclass(frozen=True, slots=True)
class AfterTrigger:
    """From some time behind another trigger on.

    Args:
        trigger: The other one.
        seconds: How long behind it.
    """

    trigger: Trigger
    seconds: float


Trigger = (
    Always
    | NthFrame
    | Every
    | Chance
    | NthByte
    | After
    | At
    | AfterTrigger
    | FlashOp
    | NthEdge
    | Session
    | OnReset
    | NthOpen
    | NthReconfigure
)
"""Anything that may set a fault off."""

ONCE = (NthFrame, NthByte, At, FlashOp, NthEdge, NthOpen, NthReconfigure)
"""Triggers after which a fault strikes once unless it says otherwise."""
