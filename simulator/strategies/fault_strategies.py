"""Faults and plans as strategies: anything that the text form can say and that can strike a board behind one port.

They yield text, since that is what a failing example should print and what `espsim run --fault` takes. Small numbers come
first, so examples shrink towards one early frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from flashcore.errors import PlanError
from flashcore.protocol.opcodes import Opcode
from simulator.faults import heals, triggers
from simulator.faults.actions_chip import ChipAction
from simulator.faults.actions_device import DeviceAction
from simulator.faults.actions_flash import FlashAction
from simulator.faults.actions_flow import SOURCES
from simulator.faults.actions_host import HostAction
from simulator.faults.actions_lines import LineAction
from simulator.faults.actions_stream import StreamAction
from simulator.faults.model import STREAMS, UNLIMITED, Action, Fault, Where
from simulator.faults.nearest import nearest
from simulator.faults.registry import ACTIONS, HEALS, TRIGGERS, places, suits
from simulator.faults.text import format as text_of
from simulator.strategies.needed import st

COMMANDS = (
    Opcode.SYNC,
    Opcode.READ_REG,
    Opcode.FLASH_BEGIN,
    Opcode.FLASH_DATA,
    Opcode.FLASH_END,
    Opcode.MEM_BEGIN,
    Opcode.MEM_DATA,
    Opcode.MEM_END,
    Opcode.FLASH_DEFL_BEGIN,
    Opcode.FLASH_DEFL_DATA,
    Opcode.FLASH_DEFL_END,
    Opcode.SPI_FLASH_MD5,
    Opcode.CHANGE_BAUDRATE,
    Opcode.READ_FLASH,
    Opcode.ERASE_REGION,
)
"""Commands of which a frame may be picked: those of a session that writes."""

ONE_PORT = (*STREAMS, Where.LINES, Where.CHIP, Where.FLASH, Where.POWER)
"""Places of a world with one port. What the operating system does with ports needs a host view."""

PASSING = tuple(
    name
    for name, kind in ACTIONS.items()
    if issubclass(kind, StreamAction | DeviceAction | LineAction | ChipAction | FlashAction)
)
"""Actions that are over when they are done; the others change what the board or its flash is."""


def _seconds(least_ms: int, most_ms: int) -> st.SearchStrategy[float]:
    return st.integers(least_ms, most_ms).map(lambda ms: ms / 1000)


_ARGUMENTS: Mapping[str, Callable[[], st.SearchStrategy[Any]]] = MappingProxyType(
    {
        "above": lambda: st.sampled_from((0, 115_200, 230_400, 460_800)),
        "action": st.nothing,
        "address": lambda: st.integers(0x3FF0_0000, 0x3FF7_FFFF).map(lambda address: address & ~3),
        "after": lambda: st.integers(0, 4096),
        "asserted": st.booleans,
        "at": lambda: st.none() | st.integers(0, 64) | st.integers(-8, -1),
        "back": lambda: _seconds(0, 5000),
        "baud": lambda: st.just(0),
        "below": lambda: st.integers(1, 4096),
        "burst_ok": lambda: st.sampled_from((64, 256, 1024, 4096)),
        "by": lambda: st.sampled_from(("", "modemmanager", "brltty")),
        "charge": lambda: _seconds(50, 2000),
        "code": lambda: st.integers(1, 0xFF),
        "count": lambda: st.integers(1, 512),
        "data": lambda: st.binary(min_size=1, max_size=8),
        "delay": lambda: _seconds(0, 2000),
        "delimiter": st.booleans,
        "every": lambda: _seconds(100, 5000),
        "factor": lambda: st.integers(1, 100),
        "first": lambda: st.integers(0, 64) | st.integers(-8, -1),
        "gap_ms": lambda: st.integers(1, 50),
        "hub": st.booleans,
        "id": lambda: st.integers(0, 0xFF_FFFF),
        "jitter": lambda: _seconds(0, 20),
        "keep": lambda: st.integers(0, 64),
        "keeps_power": st.booleans,
        "kind": lambda: st.sampled_from(triggers.FLASH_KINDS),
        "lasts": lambda: _seconds(0, 2000),
        "line": lambda: st.sampled_from(("dtr", "rts")),
        "locked": st.booleans,
        "lose": lambda: st.integers(1, 16),
        "mask": lambda: st.integers(1, 0xFF),
        "n": lambda: st.integers(1, 4) | st.integers(1, 40),
        "name": lambda: st.just(""),
        "offset": lambda: st.integers(0, 0x3F).map(lambda sector: 0x10000 + sector * 0x1000),
        "opcode": lambda: st.none() | st.sampled_from([int(opcode) for opcode in COMMANDS]),
        "packet": lambda: st.sampled_from((32, 64, 512)),
        "percent": lambda: st.integers(-5, 5),
        "period": lambda: _seconds(1, 1000),
        "probability": lambda: st.sampled_from((0.001, 0.01, 0.1, 0.5, 1)),
        "random": lambda: st.integers(0, 0xFF),
        "rate": lambda: st.sampled_from((9600, 57_600, 115_200, 230_400)),
        "recover": lambda: _seconds(10, 1000),
        "seconds": lambda: _seconds(1, 10_000),
        "share": lambda: st.sampled_from((0.0, 0.5, 1.0)),
        "size": lambda: st.sampled_from((1, 16, 64, 256, 1024)),
        "source": lambda: st.sampled_from(tuple(SOURCES)),
        "swap": st.booleans,
        "up": lambda: _seconds(50, 2000),
        "usb_id": lambda: st.sampled_from(("", "303A:1001")),
        "value": lambda: st.integers(0, 0xFFFF_FFFF),
    }
)
"""For each argument of a trigger, an action or a rule of healing: what it may be."""


def faults(
    *,
    where: Collection[Where] = ONE_PORT,
    actions: Collection[str] | None = None,
    when: Collection[str] | None = None,
    heal: bool | None = None,
) -> st.SearchStrategy[str]:
    """Return a strategy for single faults, in text form.

    Args:
        where: Places at which they may sit.
        actions: Names of what may happen, for example ``drop``; all by default.
        when: Names of what may set them off, for example ``nth_frame``; all by default.
        heal: Whether each must (or must not) strike a limited number of times; by default either may be.

    Raises:
        PlanError: A name is unknown, or no fault fits all of it.
    """
    allowed = _known("action", actions, ACTIONS)
    chosen = _known("trigger", when, TRIGGERS)
    with_ports = Where.USB in where or Where.PORT in where
    pairs = [
        (place, name)
        for name in allowed
        if with_ports or not issubclass(ACTIONS[name], HostAction)
        for place in places(ACTIONS[name])
        if place in where
    ]
    if not pairs or not chosen:
        raise PlanError("no fault can do any of this at any of these places", hint="allow more places or more actions")
    found = [_faults(place, name, fitting, heal) for place, name in pairs if (fitting := _fitting(chosen, place))]
    if not found:
        raise PlanError("none of these triggers means anything at these places", hint="allow more places or more triggers")
    return st.one_of(found).map(text_of)


def plans(*, max_size: int = 3, each: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[tuple[str, ...]]:
    """Return a strategy for plans: faults that act together, in text form, for `Scenario.faults`.

    Args:
        max_size: How many at most; none is possible.
        each: What one of them may be; `faults()` by default.
    """
    return st.lists(each if each is not None else faults(), max_size=max_size, unique=True).map(tuple)


def _known(kind: str, names: Collection[str] | None, known: Mapping[str, type]) -> list[str]:
    for name in names or ():
        if name not in known:
            raise PlanError(f"unknown {kind} {name!r}", hint=nearest(name, list(known)))
    return [name for name in known if names is None or name in names]


def _fitting(names: Collection[str], where: Where) -> list[type[triggers.Trigger]]:
    """Return the triggers that mean something at `where`, which depends on their kind alone."""
    return [TRIGGERS[name] for name in names if suits(object.__new__(TRIGGERS[name]), where)]


def _faults(where: Where, action: str, when: list[type[triggers.Trigger]], heal: bool | None) -> st.SearchStrategy[Fault]:
    never = st.just(heals.Never())
    rule = st.one_of(never, *(_of(HEALS[name]) for name in ("after", "reopen", "reset"))) if heal is None else never
    trigger = st.one_of([_of(kind) for kind in when])
    return st.builds(_fault, st.just(where), trigger, _of(ACTIONS[action]), st.integers(1, 3), rule, st.just(heal))


def _fault(where: Where, when: triggers.Trigger, what: Action, count: int, rule: heals.Heals, heal: bool | None) -> Fault:
    once = isinstance(when, triggers.ONCE)
    times = count if heal or (heal is None and once) else UNLIMITED
    return Fault(where=where, when=when, what=what, times=times, heals=rule)


def _of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a dataclass of the fault model."""
    # An argument that has a default and no strategy keeps its default.
    wanted = [field for field in dataclasses.fields(kind) if field.name in _ARGUMENTS or field.default is dataclasses.MISSING]
    return st.builds(kind, **{field.name: _ARGUMENTS[field.name]() for field in wanted})
