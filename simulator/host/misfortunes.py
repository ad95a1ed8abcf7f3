"""Faults of USB and ports at work: the host's side of `simulator.faults.actions_host`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from simulator.board.board import AdapterDevice, Board
from simulator.chip.rom import RomLoader
from simulator.chip.stub import LegacyStub, ModernStub
from simulator.faults.actions_host import (
    Appear,
    Busy,
    Denied,
    Disconnect,
    Grab,
    HostAction,
    Missing,
    RefuseConfig,
    Steal,
)
from simulator.host.system import Refusal
from simulator.host.unit import PortNode, Unit
from simulator.host.virtual_host import VirtualHost
from simulator.kernel import S
from simulator.rng import Dice
from simulator.wire import Chunk

Holds = Callable[[], bool]
Struck = Callable[[str], None]


class Misfortunes:
    """What faults can do to one device and its ports, or to one of these alone.

    Args:
        host: The computer.
        unit: The device.
        nodes: The ports concerned.
        dice: For what is left to chance.
    """

    def __init__(self, host: VirtualHost, unit: Unit, nodes: Sequence[PortNode], dice: Dice) -> None:
        self._host = host
        self._unit = unit
        self._nodes = nodes
        self._dice = dice

    def carry_out(self, action: HostAction, holds: Holds, struck: Struck) -> None:
        """Carry out `action` from now on.

        Args:
            action: What to do.
            holds: Whether a condition still holds; asked each time that it would matter.
            struck: Called with a text each time it has an effect.
        """
        match action:
            case Disconnect():
                struck("the USB")
                self._disconnect(action)
            case Appear():
                _Appearances(self._host, self._unit, action, holds, struck).begin()
            case Grab(delay):
                self._grab(round(delay * S), holds, struck)
            case Busy(lasts, by):
                self._stand_in_the_way(Refusal.BUSY, lasts, holds, struck, by)
            case Denied(lasts):
                self._stand_in_the_way(Refusal.DENIED, lasts, holds, struck)
            case Missing():
                self._stand_in_the_way(Refusal.MISSING, 0.0, holds, struck)
            case RefuseConfig():
                self._stand_in_the_way(Refusal.CONFIG, 0.0, holds, struck)
            case Steal(share):
                for node in self._nodes:
                    thief = _Thief(node, share, self._dice, holds, struck)
                    self._unit.device.adapter.taps.bridge_to_host.append(thief)
            case _:
                assert_never(action)

    def on_replug(self, call: Callable[[], None]) -> None:
        """Have `call` called each time the device comes back to the bus."""
        self._unit.on_arrival.append(call)

    def on_other_port(self, call: Callable[[], None]) -> None:
        """Have `call` called each time the host opens another port of the device than the one before."""
        self._unit.on_other_port.append(call)

    def _stand_in_the_way(self, refusal: Refusal, lasts: float, holds: Holds, struck: Struck, by: str = "") -> None:
        kernel = self._unit.device.kernel
        until_ns = kernel.now + round(lasts * S) if lasts else None
        for node in self._nodes:
            node.gates.append(_Obstacle(refusal, by, lambda: until_ns is None or kernel.now < until_ns, holds, struck))

    def _disconnect(self, action: Disconnect) -> None:
        back_ns = round(action.back * S) if action.back >= 0 else None
        if not action.hub:
            identity = self._unit.identity
            if action.usb_id:
                vid, pid = (int(part, 16) for part in action.usb_id.split(":"))
                identity = replace(identity, vid=vid, pid=pid)
            names = [action.name] if action.name else []
            self._host.remove(self._unit, back_ns=back_ns, names=names, identity=identity, powered=action.keeps_power)
            return
        there = [unit for unit in self._host.units if unit.present and unit.identity.is_usb]
        named = [unit for unit in there if unit.nodes]
        names_then = dict(zip(map(id, named), ([node.name for node in unit.nodes] for unit in reversed(named)), strict=True))
        places = dict(zip(map(id, there), (unit.identity.location for unit in reversed(there)), strict=True))
        for unit in there:
            identity = replace(unit.identity, location=places[id(unit)]) if action.swap else unit.identity
            self._host.remove(
                unit, back_ns=back_ns, names=names_then.get(id(unit), []), identity=identity, powered=action.keeps_power
            )

    def _grab(self, delay_ns: int, holds: Holds, struck: Struck) -> None:
        host, unit, nodes = self._host, self._unit, self._nodes

        def take() -> None:
            if holds() and unit.present:
                struck("the port")
                for node in nodes:
                    host.hide(node)

        def arrived() -> None:
            for node in nodes:
                node.hidden = False
            unit.device.kernel.after(delay_ns, take)

        unit.on_arrival.append(arrived)
        arrived()


@dataclass(slots=True)
class _Obstacle:
    """A `Gate` that a fault closes."""

    refusal: Refusal
    by: str
    in_time: Callable[[], bool]
    holds: Holds
    struck: Struck

    @property
    def holder(self) -> str:
        """Who has the port."""
        return self.by if self.in_time() else ""

    @property
    def hides(self) -> bool:
        """Whether the port is not even listed."""
        return self.refusal is Refusal.MISSING and self._closed()

    def opening(self) -> Refusal | None:
        """Tell whether the port opens."""
        return None if self.refusal is Refusal.CONFIG else self._ask()

    def configuring(self) -> Refusal | None:
        """Tell whether the driver takes new settings."""
        return self._ask() if self.refusal is Refusal.CONFIG else None

    def _ask(self) -> Refusal | None:
        return self.refusal if self._closed() else None

    def _closed(self) -> bool:
        if not self.in_time() or not self.holds():
            return False
        self.struck(f"the port: {self.refusal.value}")
        return True


class _Thief:
    """A tap at the host's end that gives some of what arrives to another reader."""

    def __init__(self, node: PortNode, share: float, dice: Dice, holds: Holds, struck: Struck) -> None:
        self._node = node
        self._share = share
        self._dice = dice
        self._holds = holds
        self._struck = struck

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        if not self._node.opened:
            return (chunk,)
        spec = self._node.unit.device.adapter.spec
        kept: list[Chunk] = []
        while chunk.data:
            packet, chunk = chunk.split(min(spec.packet_bytes, len(chunk.data)))
            if self._dice.chance(self._share) and self._holds():
                self._struck(f"{len(packet.data)} bytes")
                interval = spec.latency_ns
                arrival = -(-packet.end_ns // interval) * interval if interval else packet.end_ns
                for port in self._node.opened:
                    port.announce(arrival)
            else:
                kept.append(packet)
        return kept


class _Appearances:
    """The comings and goings of a device whose app has the USB most of the time."""

    def __init__(self, host: VirtualHost, unit: Unit, action: Appear, holds: Holds, struck: Struck) -> None:
        self._host = host
        self._unit = unit
        self._up_ns = round(action.up * S)
        self._away_ns = max(1, round(action.every * S) - self._up_ns)
        self._holds = holds
        self._struck = struck
        self._missed = False
        """Whether somebody has looked for the device since it went."""

    def begin(self) -> None:
        """The device is away now."""
        self._host.on_look.append(self._looked_for)
        self._go()

    def _looked_for(self) -> None:
        if not self._unit.present and not self._missed and self._holds():
            self._missed = True
            self._struck("whoever looked for the port")

    def _go(self) -> None:
        if not self._holds():
            self._host.bring(self._unit)
            return
        if self._waits():
            return
        if self._unit.opened:
            self._struck("an open port")
        self._missed = False
        self._host.remove(self._unit)
        self._unit.device.kernel.after(self._away_ns, self._come)

    def _come(self) -> None:
        self._host.bring(self._unit)
        self._unit.device.kernel.after(self._up_ns, self._go)

    def _waits(self) -> bool:
        """Whether the app is not running: the chip waits for a download, works for a flasher, or is held in reset."""
        device = self._unit.device
        if not isinstance(device, Board):
            return False
        return not device.soc.enabled or isinstance(device.soc.program, RomLoader | LegacyStub | ModernStub)


def misfortunes_of(host: VirtualHost, device: AdapterDevice, dice: Dice) -> Misfortunes:
    """Return what faults can do to `device` and all its ports."""
    unit = next(unit for unit in host.units if unit.device is device)
    return Misfortunes(host, unit, unit.nodes, dice)
