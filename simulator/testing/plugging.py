"""Hands at the computer of a test: they plug in more boards and other devices, and pull cables."""

from __future__ import annotations

from dataclasses import dataclass

from flashcore.errors import ScenarioError
from flashcore.port import ns
from simulator.board.board import AdapterDevice, Board
from simulator.board.decoys import DECOYS, Decoy
from simulator.board.presets import PRESETS
from simulator.chip.names import unknown
from simulator.host.system import DRIVERS, FIRST_NUMBER, NUMBER_STEP
from simulator.host.unit import PortNode, Unit
from simulator.host.virtual_host import VirtualHost, identity_of
from simulator.testing.virtual_board import VirtualBoard


@dataclass(frozen=True, slots=True)
class Plugged:
    """A device that a test has plugged in.

    Args:
        port: Name of its port.
        device: The device.
    """

    port: str
    device: AdapterDevice

    @property
    def flash(self) -> bytes:
        """All that its flash holds, read behind everybody's back; empty for what is no board."""
        return self.device.soc.flash.image() if isinstance(self.device, Board) else b""


def plug(board: VirtualBoard, what: str) -> Plugged:
    """Plug one more device into the computer that `board` is on, with its power just switched on.

    Args:
        board: The test's board.
        what: Name of a board preset, or what else it is: ``gps``, ``modem``, ``echo`` and so on.

    Raises:
        ScenarioError: There is nothing of that name.
    """
    world = board.world
    host, kernel = world.host, world.device.kernel
    number = len(host.units)
    rng = world.device.rng.branch(f"plugged{number}")
    device: AdapterDevice
    if what in PRESETS:
        device = Board(PRESETS[what], kernel=kernel, rng=rng, sink=world.journal)
    elif what in DECOYS:
        device = Decoy(what, kernel=kernel, rng=rng, sink=world.journal)
    else:
        raise unknown("device", what, [*PRESETS, *DECOYS])
    unit = Unit(device, identity_of(device, f"2-{number}"))
    name = _free_name(host, device)
    unit.nodes.append(PortNode(name, unit))
    board.recorder.watch(device, name)
    host.add(unit)
    return Plugged(name, device)


def unplug(board: VirtualBoard, port: str, *, back_s: float | None = None) -> None:
    """Pull the cable of the device behind a port; a board loses its power.

    Args:
        board: The test's board, for its computer.
        port: Name of the port.
        back_s: After how many seconds it is plugged in again; ``None`` if it is not.

    Raises:
        ScenarioError: There is no such port now.
    """
    host = board.world.host
    node = host.node(port)
    if node is None:
        raise unknown("port", port, [shown.name for _, shown in host.shown()] or ["none"])
    host.remove(node.unit, back_ns=None if back_s is None else ns(back_s), powered=False)


def _free_name(host: VirtualHost, device: AdapterDevice) -> str:
    """Return the name that the system's own driver gives the next port of this kind."""
    os, spec = host.os, device.adapter.spec
    driver = next((driver for driver in DRIVERS[os] if driver in spec.ports), None)
    if driver is None:
        raise ScenarioError(f"{spec.name} has no driver on {os.value}, so it gets no port")
    number = FIRST_NUMBER[os]
    while True:
        name = spec.port_name(driver, number) or ""
        if not host.knows(name):
            return name
        if name == spec.port_name(driver, number + NUMBER_STEP[os]):
            raise ScenarioError(f"a port called {name} is there already, and this driver numbers none")
        number += NUMBER_STEP[os]
