"""The test of a test: did what was to go wrong go wrong at all?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from simulator.chip.names import unknown
from simulator.scenario import PlannedFault


class Planned(Protocol):
    """A world, or a board in one, with its faults."""

    @property
    def planned(self) -> Sequence[PlannedFault]:
        """The faults that were asked for."""
        ...


@contextmanager
def expect_fired(world: Planned, *faults: str, times: int | None = None) -> Iterator[None]:
    """Fail unless faults strike while the block runs.

    A block that raises is not looked at: what it raises goes through.

    Args:
        world: A `simulator.scenario.World` or a `simulator.testing.VirtualBoard`.
        faults: Which, by the name or text that they were planned under; all of them by default.
        times: How often each must strike; ``None`` for at least once.

    Raises:
        ScenarioError: No such fault is planned, or none at all.
        AssertionError: A fault did not strike, or not as often.
    """
    before = {name: fault.fired for name, fault in _chosen(world, faults).items()}
    yield
    found = {name: fault.fired - before.get(name, 0) for name, fault in _chosen(world, faults).items()}
    wrong = [
        f"{name} struck {_count(fired)}, expected {'at least once' if times is None else _count(times)}"
        for name, fired in found.items()
        if (not fired if times is None else fired != times)
    ]
    if wrong:
        raise AssertionError("\n".join(wrong))


def _chosen(world: Planned, names: Sequence[str]) -> dict[str, PlannedFault]:
    planned = {fault.name: fault for fault in world.planned}
    for name in names or ([] if planned else ["any"]):
        if name not in planned:
            raise unknown("planned fault", name, planned)
    return {name: planned[name] for name in names or planned}


def _count(times: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")
