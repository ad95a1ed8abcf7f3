"""What ends a fault. Plain frozen values.

A rule about what passes (a lower rate, a shorter write) lets it go unharmed; a rule about what happens (the port is opened
anew, the chip restarts) ends the fault for good once it has struck.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing does."""


@dataclass(frozen=True, slots=True)
class AfterHits:
    """It has struck n times."""

    n: int


@dataclass(frozen=True, slots=True)
class LowerBaud:
    """While the sender's rate is not above this, in baud, all passes unharmed."""

    rate: int


@dataclass(frozen=True, slots=True)
class Shorter:
    """What comes in one piece of not more than this many bytes passes unharmed."""

    n: int


@dataclass(frozen=True, slots=True)
class Reopen:
    """The host opens the port anew."""


@dataclass(frozen=True, slots=True)
class Replug:
    """The device is unplugged and plugged in again."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The chip starts anew."""


@dataclass(frozen=True, slots=True)
class OtherPort:
    """The host uses another of the device's ports."""


Heals = Never | AfterHits | LowerBaud | Shorter | Reopen | Replug | Reset | OtherPort
