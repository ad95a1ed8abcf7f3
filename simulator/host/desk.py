"""Setting up a computer as a preset describes it: devices, drivers, names, and what goes wrong at single ports."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flashcore.errors import ScenarioError
from simulator.board.board import AdapterDevice, Board, EventSink
from simulator.board.bridge import Driver
from simulator.board.decoys import Decoy
from simulator.board.presets import preset
from simulator.faults.presets.host_table import DeviceSetup, HostSetup, PortSetup
from simulator.host.system import DRIVERS, FIRST_NUMBER, NUMBER_STEP, Os
from simulator.host.unit import Identity, PortNode, Unit
from simulator.host.virtual_host import VirtualHost
from simulator.kernel import S
from simulator.rng import Rng


@dataclass(slots=True)
class _Names:
    """Counts ports of one pattern, as a system does."""

    os: Os
    taken: dict[str, int]

    def next(self, device: AdapterDevice, driver: Driver) -> str:
        pattern = device.adapter.spec.ports[driver]
        number = self.taken.get(pattern, FIRST_NUMBER[self.os])
        self.taken[pattern] = number + NUMBER_STEP[self.os]
        return device.adapter.spec.port_name(driver, number) or ""


def host_for(setup: HostSetup, device: AdapterDevice, rng: Rng, sink: EventSink) -> VirtualHost:
    """Return the computer that `setup` describes.

    Args:
        setup: The preset's table.
        device: The device that the world is about: the first board, or whatever stands in its place.
        rng: The run's dice; each further device gets a branch of its own.
        sink: Where events of further devices go.

    Raises:
        ScenarioError: A further board's preset is unknown, or there is no driver for an adapter.
    """
    os = Os(setup.os)
    host = VirtualHost(device, os=os, running=setup.running, group=setup.group)
    host.described = True
    names = _Names(os, {})
    placed = False
    for number, item in enumerate(setup.devices, 1):
        first = item.kind == "board" and not placed
        placed = placed or first
        there = device if first else _another(item, device, rng.branch(f"device{number}"), sink)
        host.add(_unit(item, there, number, names))
    return host


def _another(item: DeviceSetup, primary: AdapterDevice, rng: Rng, sink: EventSink) -> AdapterDevice:
    if item.kind != "board":
        return Decoy(item.kind, kernel=primary.kernel, rng=rng, sink=sink)
    if item.board or not isinstance(primary, Board):
        return Board(preset(item.board or "esp32-devkitc"), kernel=primary.kernel, rng=rng, sink=sink)
    own = primary.preset
    sibling = replace(own, chip=replace(own.chip, mac=_next_mac(own.chip.mac)))
    return Board(sibling, kernel=primary.kernel, rng=rng, sink=sink)


def _next_mac(mac: str) -> str:
    """Return the address of the next board of the same batch."""
    head, _, last = mac.rpartition(":")
    return f"{head}:{(int(last, 16) + 4) & 0xFF:02x}"


def _unit(item: DeviceSetup, device: AdapterDevice, number: int, names: _Names) -> Unit:
    spec = device.adapter.spec
    vid, pid = (int(part, 16) for part in item.usb_id.split(":")) if item.usb_id else (spec.vid, spec.pid)
    identity = Identity(
        vid=vid,
        pid=pid,
        is_usb=spec.vid != 0,
        serial=spec.serial if item.serial is None else item.serial,
        manufacturer=spec.manufacturer,
        product=spec.product,
        location=(item.location or f"1-{number}") if spec.vid else "",
    )
    unit = Unit(device, identity, present=item.plugged, shy=item.shy)
    if item.driver:
        unit.nodes.extend(
            PortNode(_name(port, device, names), unit, round(port.open_s * S), port.faults) for port in item.ports
        )
    return unit


def _name(port: PortSetup, device: AdapterDevice, names: _Names) -> str:
    if port.name:
        return port.name
    spec = device.adapter.spec
    wanted = [Driver(port.driver)] if port.driver else DRIVERS[names.os]
    driver = next((driver for driver in wanted if driver in spec.ports), None)
    if driver is None:
        raise ScenarioError(
            f"the adapter {spec.name} has no driver called {' or '.join(driver.value for driver in wanted)}",
            hint="the fault needs a port there: choose a board with another adapter, `espsim boards` tells which each has",
        )
    return names.next(device, driver)
