"""Faults of USB and of the operating system's port: settings alone, since the host view carries them out.

`HostSide` is what that view offers. A world without one, in which a single port leads to the board, can't carry these out and
says so when it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The device leaves the bus, and the host's handle on its port is dead.

    Args:
        back: Seconds until it comes back; negative: never.
        name: Name of its port then; empty for the same.
        keeps_power: Whether the chip runs on meanwhile, as behind a hub that stumbles.
    """

    back: float = -1.0
    name: str = ""
    keeps_power: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """Another program holds the port, so that it can't be opened."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The system does not let the user open the port."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The device is on the bus, but has no port."""


@dataclass(frozen=True, slots=True)
class RefuseConfig:
    """The driver refuses to set the port up."""


HostAction = Disconnect | Busy | Denied | Missing | RefuseConfig


class HostSide(Protocol):
    """The host view, as faults see it."""

    def carry_out(self, action: HostAction, holds: Callable[[], bool], struck: Callable[[str], None]) -> None:
        """Carry out `action` from now on.

        Args:
            action: What to do. A `Disconnect` is done at once; the others are conditions that last.
            holds: Whether a condition still holds; asked each time that it would matter.
            struck: To be called with a text each time it has an effect.
        """
        ...

    def on_replug(self, call: Callable[[], None]) -> None:
        """Have `call` called each time the device comes back to the bus."""
        ...

    def on_other_port(self, call: Callable[[], None]) -> None:
        """Have `call` called each time the host opens another port of the device than the one before."""
        ...
