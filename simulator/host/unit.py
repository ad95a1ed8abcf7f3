"""Devices and their names: what is plugged into the computer, and the ports that its drivers make of it.

A `Unit` is one device; it may have no port (no driver) or two (two drivers, each with its own name and its own faults). What
the drivers do wrong belongs to the `PortNode`, not to the device behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flashcore import usb_ids
from simulator.board.board import Device
from simulator.host.system import Refusal


class Gate(Protocol):
    """What stands between a program and a port: asked at each opening and each change of settings, may refuse."""

    @property
    def holder(self) -> str:
        """Who has the port, if it is refused because somebody has it."""
        ...

    @property
    def hides(self) -> bool:
        """Whether the port is not even listed."""
        ...

    def opening(self) -> Refusal | None:
        """Tell whether the port opens."""
        ...

    def configuring(self) -> Refusal | None:
        """Tell whether the driver takes new settings, the first ones at the opening counted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a device says it is.

    Args:
        vid: USB vendor id; 0 where the system could not read it, or there is none.
        pid: USB product id.
        is_usb: Whether it is a USB device.
        serial: USB serial number, empty for none.
        manufacturer: As it calls its maker.
        product: As it calls itself.
        location: Where it is plugged in.
    """

    vid: int
    pid: int
    is_usb: bool = True
    serial: str = ""
    manufacturer: str = ""
    product: str = ""
    location: str = ""

    @property
    def usb_id(self) -> str:
        """USB id as ``1A86:55D4``."""
        return usb_ids.text(self.vid, self.pid) if self.is_usb else ""


@dataclass(slots=True, eq=False)
class PortNode:
    """A port under its name in the system.

    Args:
        name: The name now.
        unit: The device that it leads to.
        open_ns: How long opening takes.
        gates: What may refuse.
        faults: What goes wrong at this port alone, in text form.
        opened: What has it open.
        hidden: Whether another driver has taken it from the system.
    """

    name: str
    unit: Unit
    open_ns: int = 0
    faults: tuple[str, ...] = ()
    gates: list[Gate] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    hidden: bool = False
    opens: int = 0
    """How often it was opened."""

    @property
    def listed(self) -> bool:
        """Whether the system shows it, if the device is there."""
        return not self.hidden and not any(gate.hides for gate in self.gates)

    def refuses_opening(self) -> Refusal | None:
        """Ask every gate whether the port opens; return the first refusal."""
        return next((refusal for gate in self.gates if (refusal := gate.opening()) is not None), None)

    def refuses_settings(self) -> Refusal | None:
        """Ask every gate whether the driver takes new settings; return the first refusal."""
        return next((refusal for gate in self.gates if (refusal := gate.configuring()) is not None), None)


class Opened(Protocol):
    """A port that a program has open."""

    @property
    def exclusive(self) -> bool:
        """Whether the program wants it for itself."""
        ...

    def lose(self) -> None:
        """The device is gone."""
        ...

    def abandon(self) -> None:
        """The program has ended."""
        ...

    def announce(self, at_ns: int) -> None:
        """At this moment bytes are there that somebody else will have read."""
        ...


@dataclass(slots=True, eq=False)
class Unit:
    """A device that can be plugged in.

    Args:
        device: The device.
        identity: Who it says it is now.
        nodes: Its ports, in the order in which the system lists them.
        present: Whether the system sees it.
        shy: Whether it leaves when DTR is asserted.
    """

    device: Device
    identity: Identity
    nodes: list[PortNode] = field(default_factory=list)
    present: bool = True
    shy: bool = False
    on_arrival: list[Callable[[], None]] = field(default_factory=list)
    """Called when it has come back to the bus."""
    on_other_port: list[Callable[[], None]] = field(default_factory=list)
    """Called when another port of it is opened than the one before."""
    last_opened: PortNode | None = None

    @property
    def opened(self) -> Sequence[Opened]:
        """What programs have open of it, over all its names."""
        return [port for node in self.nodes for port in node.opened]
