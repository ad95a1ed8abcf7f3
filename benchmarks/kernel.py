"""The kernel's events beside those of the standard library's scheduler and of simpy.

Many timers at once, each of which plans the next one when it is due, by delays from a fixed list: what a board does with bytes,
answers and time-outs. All three keep a heap; what is compared is what they put around it.
"""

from __future__ import annotations

import random
import sched
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import simpy

from benchmarks.measure import Table, at_least, compare, in_turn, rate
from simulator.kernel import Kernel

OURS, SCHED, SIMPY = "espsim kernel", "sched", "simpy"

_DELAYS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much to do.

    Args:
        timers: How many are planned at any time.
        events: How many are carried out.
        rounds: How often.
    """

    timers: int = 100
    events: int = 100_000
    rounds: int = 7


def measure(setup: Setup) -> Table:
    """Measure and compare.

    Raises:
        AssertionError: A contender carried out another number of events than it should.
    """
    dice = random.Random(1)
    delays = [dice.randrange(1, 1_000_000) for _ in range(_DELAYS)]
    contenders = {OURS: _kernel, SCHED: _sched, SIMPY: _simpy}
    found = in_turn({name: _sampler(work, setup, delays) for name, work in contenders.items()}, setup.rounds)
    title = f"events per second of CPU time, {setup.timers} timers at once"
    rows = tuple(compare("events", "1/s", found, OURS, other, at_least(1)) for other in (SCHED, SIMPY))
    return Table(name="kernel", title=title, rows=rows)


def _sampler(work: Callable[[Setup, list[int]], int], setup: Setup, delays: list[int]) -> Callable[[], float]:
    def once() -> None:
        done = work(setup, delays)
        if done < setup.events:
            raise AssertionError(f"{work.__name__} carried out {done} events of {setup.events}")

    return lambda: rate(once, setup.events, least_s=0)


def _kernel(setup: Setup, delays: list[int]) -> int:
    kernel = Kernel()
    pick = _endless(delays)

    def tick() -> None:
        kernel.after(next(pick), tick)

    for _ in range(setup.timers):
        tick()
    while kernel.executed < setup.events:
        upcoming = kernel.next_deadline()
        assert upcoming is not None
        kernel.advance(upcoming)
    return kernel.executed


def _sched(setup: Setup, delays: list[int]) -> int:
    now = executed = 0

    def let_pass(delay: float) -> None:
        nonlocal now
        now += int(delay)

    scheduler = sched.scheduler(lambda: now, let_pass)
    pick = _endless(delays)

    def plan() -> None:
        scheduler.enter(next(pick), 0, tick)

    def tick() -> None:
        nonlocal executed
        executed += 1
        if executed < setup.events:
            plan()

    for _ in range(setup.timers):
        plan()
    scheduler.run()
    return executed


def _simpy(setup: Setup, delays: list[int]) -> int:
    environment = simpy.Environment()
    pick = _endless(delays)
    executed = 0

    def process() -> Iterator[simpy.Event]:
        nonlocal executed
        while True:
            yield environment.timeout(next(pick))
            executed += 1

    for _ in range(setup.timers):
        environment.process(process())
    while executed < setup.events:
        environment.step()
    return executed


def _endless(delays: list[int]) -> Iterator[int]:
    while True:
        yield from delays
