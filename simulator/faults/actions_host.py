"""Faults of USB and of the operating system's port: settings alone, since the host view carries them out.

`HostSide` is what that view offers. Those at ``usb`` are about a device and all its ports, those at ``port`` about one of them.
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
        usb_id: USB id that it has then, for example ``303A:1001``; empty for the same.
        hub: Whether all devices of the host go and come with it, and their ports get their names in the reverse order.
        swap: Whether they also come back in each other's sockets.
    """

    back: float = -1.0
    name: str = ""
    keeps_power: bool = False
    usb_id: str = ""
    hub: bool = False
    swap: bool = False


@dataclass(frozen=True, slots=True)
class Appear:
    """The device is on the bus for moments only, until its chip waits for a download: an app takes the USB pins, or sleeps.

    Args:
        up: Seconds for which it is there.
        every: Seconds from one time to the next; it is away at first.
    """

    up: float
    every: float


@dataclass(frozen=True, slots=True)
class Grab:
    """Another driver takes the device: it stays on the bus, and its ports vanish.

    Args:
        delay: Seconds from its arrival until then.
    """

    delay: float


@dataclass(frozen=True, slots=True)
class Busy:
    """Another program holds the port, so that it can't be opened.

    Args:
        lasts: For so many seconds; 0 for ever.
        by: What the program is called, if the system tells.
    """

    lasts: float = 0.0
    by: str = ""


@dataclass(frozen=True, slots=True)
class Denied:
    """The system does not let the user open the port.

    Args:
        lasts: For so many seconds; 0 for ever.
    """

    lasts: float = 0.0


@dataclass(frozen=True, slots=True)
class Missing:
    """The device is on the bus, but has no port."""


@dataclass(frozen=True, slots=True)
class RefuseConfig:
    """The driver refuses to set the port up."""


@dataclass(frozen=True, slots=True)
class Steal:
    """Another program reads from the port too, and some of what arrives goes to it.

    Args:
        share: Probability for each USB packet.
    """

    share: float


HostAction = Disconnect | Appear | Grab | Busy | Denied | Missing | RefuseConfig | Steal

LASTING = (Busy, Denied, Missing, RefuseConfig, Steal)
"""Conditions; the others are deeds, or courses of events that begin with one."""


class HostSide(Protocol):
    """The host view, as faults see it."""

    def carry_out(self, action: HostAction, holds: Callable[[], bool], struck: Callable[[str], None]) -> None:
        """Carry out `action` from now on.

        Args:
            action: What to do. Those of `LASTING` are conditions, the others are done at once.
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
