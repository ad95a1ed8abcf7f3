"""What a fault is: where it sits, when it strikes, and what it does. Plain frozen values.

A fault says nothing about how it is carried out; `simulator.faults.plan` turns it into a tap on a running device. Every fault
is transient (a flasher must get over it) or permanent (it must stop with the right diagnosis), and counts how often it fired.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

UNLIMITED = 0
"""Value of ``times`` for a fault that may strike without end."""


@unique
class Where(StrEnum):
    """The place at which a fault sits."""

    HOST_TO_BRIDGE = "host_to_bridge"
    BRIDGE_TO_CHIP = "bridge_to_chip"
    CHIP_TO_BRIDGE = "chip_to_bridge"
    BRIDGE_TO_HOST = "bridge_to_host"


SHORT_PLACES = {"h2d": Where.HOST_TO_BRIDGE, "d2h": Where.BRIDGE_TO_HOST}
"""Short names for the two ends that a flasher sees."""


@dataclass(frozen=True, slots=True)
class Always:
    """At everything that passes."""


@dataclass(frozen=True, slots=True)
class NthFrame:
    """At one frame.

    Args:
        opcode: Which command's frames are counted; ``None`` counts all.
        n: Which of them, from 1.
    """

    opcode: int | None
    n: int


@dataclass(frozen=True, slots=True)
class Every:
    """At every n-th frame."""

    n: int


@dataclass(frozen=True, slots=True)
class Chance:
    """At each frame with this probability, drawn from the fault's own dice."""

    probability: float


@dataclass(frozen=True, slots=True)
class NthByte:
    """At the n-th byte that passes, from 1."""

    n: int


@dataclass(frozen=True, slots=True)
class After:
    """At everything that passes from this moment on, in seconds since the start of the run."""

    seconds: float


Trigger = Always | NthFrame | Every | Chance | NthByte | After


@dataclass(frozen=True, slots=True)
class Drop:
    """The bytes are lost."""


@dataclass(frozen=True, slots=True)
class Corrupt:
    """One byte changes.

    Args:
        mask: Bits that flip.
        at: Which byte of the frame as sent, delimiters counted; negative counts from the end; ``None`` lets the dice choose.
    """

    mask: int = 0x01
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Foreign bytes come first."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The bytes come twice."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The bytes come later by this many seconds; what is behind them waits its turn."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Truncate:
    """Only the first bytes arrive, and the closing delimiter if `delimiter`."""

    keep: int
    delimiter: bool = True


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing passes any more."""


@dataclass(frozen=True, slots=True)
class LongBurst:
    """Long writes lose bytes: what some drivers do to them.

    Args:
        burst_ok: Bytes since the last pause that pass unharmed.
        gap_ms: Silence that counts as a pause, in milliseconds.
        probability: Chance of damage for each USB packet behind that.
        packet: Bytes of a USB packet.
        lose: Most bytes lost from a damaged packet.
    """

    burst_ok: int = 1024
    gap_ms: float = 5.0
    probability: float = 0.1
    packet: int = 64
    lose: int = 8


Action = Drop | Corrupt | Insert | Duplicate | Delay | Truncate | Stall | LongBurst


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Args:
        where: The place.
        when: What sets it off.
        what: What happens then.
        times: How often it may strike; 0 is without limit.
        transient: Whether a flasher is expected to get over it.
        name: What reports call it; by default its text form.
    """

    where: Where
    when: Trigger
    what: Action
    times: int = UNLIMITED
    transient: bool = True
    name: str = ""
