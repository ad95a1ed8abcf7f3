"""The short text form of a fault: ``where:when(...):what(...)``, with options behind it where needed.

Examples: ``h2d:nth_frame(MEM_DATA,3):corrupt(mask=0x01)``, ``d2h:always:drop:permanent``,
``chip:after(nth_frame(SYNC,1),0.5):brownout``, ``d2h:always:noise(above=230400):heals=lower_baud(230400)``.
Names and arguments are those of the classes in `simulator.faults.registry`; `parse` and `format` are inverse to each other.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from flashcore.errors import PlanError
from simulator.faults import model, triggers
from simulator.faults.arguments import Value, shown, value
from simulator.faults.heals import Heals, Never
from simulator.faults.model import SHORT_PLACES, Fault, Where
from simulator.faults.nearest import nearest
from simulator.faults.registry import ACTIONS, HEALS, TRIGGERS, places, suits
from simulator.faults.triggers import ONCE, AfterTrigger, Trigger

_CALL = re.compile(r"^([a-z_]+)(?:\((.*)\))?$", re.DOTALL)
_T = TypeVar("_T")

_SHORTHAND = {triggers.NthFrame: "any", triggers.FlashOp: "any"}
"""Triggers that take one number alone, with what stands in front of it then."""

_NEVER: Heals = Never()

_DEEP = 4
"""How many triggers may stand in one another."""


def parse(text: str) -> Fault:
    """Return the fault that `text` describes.

    Raises:
        PlanError: The text does not follow the form, or a name or value in it is unknown.
    """
    parts = _split(text, ":")
    if len(parts) < 3:
        raise PlanError(
            f"fault {text!r} has {len(parts)} of 3 parts",
            hint="write where:when:what, for example h2d:nth_frame(MEM_DATA,3):corrupt(mask=0x01)",
        )
    where, when, what, *options = (part.strip() for part in parts)
    trigger = _trigger(when, text)
    times = 1 if isinstance(trigger, ONCE) else model.UNLIMITED
    transient, heals = True, _NEVER
    for option in options:
        key, _, given = option.partition("=")
        if key == "times" and given.isdecimal():
            times = int(given)
        elif key in ("permanent", "transient") and not given:
            transient = key == "transient"
        elif key == "heals":
            heals = _build(given, HEALS, "rule", text)
        else:
            raise PlanError(
                f"fault {text!r}: unknown option {option!r}", hint="options are times=N, heals=RULE, permanent, transient"
            )
    place, action = _place(where, text), _build(what, ACTIONS, "action", text)
    _check(place, trigger, type(action), what, text)
    return Fault(where=place, when=trigger, what=action, times=times, heals=heals, transient=transient, name=text)


def format(fault: Fault) -> str:  # noqa: A001 - the inverse of parse
    """Return the text form of `fault`."""
    default_times = 1 if isinstance(fault.when, ONCE) else model.UNLIMITED
    text = f"{_short(fault.where)}:{_trigger_text(fault.when)}:{_call(fault.what, ACTIONS)}"
    if fault.times != default_times:
        text += f":times={fault.times}"
    if not isinstance(fault.heals, Never):
        text += f":heals={_call(fault.heals, HEALS)}"
    return text if fault.transient else text + ":permanent"


def _short(where: Where) -> str:
    return next((short for short, place in SHORT_PLACES.items() if place is where), where.value)


def _place(name: str, text: str) -> Where:
    if name in SHORT_PLACES:
        return SHORT_PLACES[name]
    try:
        return Where(name)
    except ValueError:
        known = [*SHORT_PLACES, *(where.value for where in Where)]
        raise PlanError(f"fault {text!r}: unknown place {name!r}", hint=nearest(name, known)) from None


def _check(where: Where, trigger: Trigger, action: type[model.Action], what: str, text: str) -> None:
    allowed = places(action)
    if where not in allowed:
        raise PlanError(
            f"fault {text!r}: {what} cannot happen at {_short(where)}", hint="it can at " + ", ".join(map(_short, allowed))
        )
    if not suits(trigger, where):
        raise PlanError(f"fault {text!r}: {_trigger_text(trigger)} means nothing at {_short(where)}")


def _split(text: str, separator: str) -> list[str]:
    parts = [""]
    depth = 0
    for piece in re.split(r"([():,])", text):
        depth += (piece == "(") - (piece == ")")
        if piece == separator and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _trigger(text: str, whole: str, depth: int = 0) -> Trigger:
    found = _CALL.match(text)
    arguments = [part.strip() for part in _split(found[2] or "", ",")] if found else []
    if found and found[1] == "after" and len(arguments) == 2:
        if depth >= _DEEP:
            raise PlanError(f"fault {whole!r}: more than {_DEEP} triggers stand in one another")
        inner = arguments[0].removeprefix("trigger=")
        seconds = value("seconds", arguments[1].removeprefix("seconds="), whole)
        assert isinstance(seconds, int | float), "seconds are a number"
        return AfterTrigger(_trigger(inner, whole, depth + 1), seconds)
    return _build(text, TRIGGERS, "trigger", whole)


def _build(text: str, known: Mapping[str, type[_T]], kind: str, whole: str) -> _T:
    found = _CALL.match(text)
    name = found[1] if found else text
    if not found or name not in known:
        raise PlanError(f"fault {whole!r}: unknown {kind} {name!r}", hint=nearest(name, list(known)))
    cls: Any = known[name]
    fields = [field.name for field in dataclasses.fields(cls)]
    values: dict[str, Value] = {}
    arguments = [part.strip() for part in _split(found[2] or "", ",") if part.strip()]
    if cls in _SHORTHAND and len(arguments) == 1:
        arguments.insert(0, _SHORTHAND[cls])
    for position, argument in enumerate(arguments):
        key, equals, given = argument.partition("=")
        if not equals:
            key, given = (fields[position] if position < len(fields) else ""), argument
        if key not in fields:
            raise PlanError(
                f"fault {whole!r}: {name} takes no argument {argument!r}", hint="it takes " + (", ".join(fields) or "none")
            )
        values[key] = value(key, given.strip(), whole)
    try:
        result: _T = cls(**values)
    except TypeError:
        raise PlanError(f"fault {whole!r}: {name} needs {', '.join(fields)}") from None
    return result


def _trigger_text(trigger: Trigger) -> str:
    if isinstance(trigger, AfterTrigger):
        return f"after({_trigger_text(trigger.trigger)},{shown('seconds', trigger.seconds)})"
    return _call(trigger, TRIGGERS)


def _call(item: Any, known: Mapping[str, type[Any]]) -> str:
    name = next(name for name, cls in known.items() if cls is type(item))
    arguments = [
        f"{field.name}={shown(field.name, getattr(item, field.name))}"
        for field in dataclasses.fields(item)
        if field.default is dataclasses.MISSING or getattr(item, field.name) != field.default
    ]
    return f"{name}({','.join(arguments)})" if arguments else name
