"""Faults of single ports: what one driver does wrong, while another port of the same device is fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from simulator.board.board import Board
from simulator.faults.active import ActiveFault
from simulator.faults.bench import Bench
from simulator.faults.plan import install
from simulator.faults.text import parse
from simulator.host.misfortunes import Misfortunes
from simulator.host.unit import PortNode
from simulator.host.virtual_host import VirtualHost
from simulator.rng import Rng

_T = TypeVar("_T")


def install_at_ports(host: VirtualHost, rng: Rng, report: Callable[[str], None], *, prefix: str) -> list[ActiveFault]:
    """Put the faults of all ports to work, each only on what passes through its port.

    Args:
        host: The computer.
        rng: The run's randomness.
        report: Called with a text each time one strikes.
        prefix: Name of the plan, which sets its dice apart from those of others.

    Raises:
        PlanError: A fault needs a board, and there is none behind the port.
    """
    result: list[ActiveFault] = []
    for unit in host.units:
        for number, node in enumerate(unit.nodes):
            if not node.faults:
                continue
            name = f"{prefix}.{unit.identity.location}.{number}"
            adapter = unit.device.adapter
            bench = Bench(
                kernel=unit.device.kernel,
                adapter=adapter,
                board=unit.device if isinstance(unit.device, Board) else None,
                host=Misfortunes(host, unit, [node], rng.stream(f"host.{name}")),
                report=report,
            )
            taps = adapter.taps
            places = (taps.host_to_bridge, taps.bridge_to_chip, taps.chip_to_bridge, taps.bridge_to_host)
            before = [len(place) for place in places]
            result += install(bench, [parse(text) for text in node.faults], rng, prefix=name)
            for place, count in zip(places, before, strict=True):
                place[count:] = [_only_at(node, tap) for tap in place[count:]]
    return result


def _only_at(node: PortNode, tap: Callable[[_T], Sequence[_T]]) -> Callable[[_T], Sequence[_T]]:
    def passing(item: _T) -> Sequence[_T]:
        return tap(item) if node.opened else (item,)

    return passing
