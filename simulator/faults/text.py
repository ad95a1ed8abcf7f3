"""The short text form of a fault: ``where:when(...):what(...)``, with ``:times=N`` and ``:permanent`` behind it where needed.

Examples: ``h2d:nth_frame(MEM_DATA,3):corrupt(mask=0x01)``, ``d2h:always:drop:permanent``,
``d2h:nth_frame(FLASH_DEFL_DATA,2):delay(3.5)``.
Names and arguments are those of the classes in `simulator.faults.model`; `parse` and `format` are inverse to each other.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from typing import TypeVar

from flashcore.errors import PlanError
from flashcore.protocol.opcodes import Opcode
from simulator.faults import model
from simulator.faults.model import SHORT_PLACES, Action, Fault, Trigger, Where

_CALL = re.compile(r"^([a-z_]+)(?:\((.*)\))?$", re.DOTALL)
_Value = int | float | bytes | bool | None
_T = TypeVar("_T")

TRIGGERS: dict[str, type[Trigger]] = {
    "always": model.Always,
    "nth_frame": model.NthFrame,
    "every": model.Every,
    "chance": model.Chance,
    "nth_byte": model.NthByte,
    "after": model.After,
}
"""What may stand in the second place."""

ACTIONS: dict[str, type[Action]] = {
    "drop": model.Drop,
    "corrupt": model.Corrupt,
    "insert": model.Insert,
    "duplicate": model.Duplicate,
    "delay": model.Delay,
    "truncate": model.Truncate,
    "stall": model.Stall,
    "long_burst": model.LongBurst,
}
"""What may stand in the third place."""

_RANGES: dict[str, tuple[float, float]] = {
    "n": (1, 1 << 40),
    "probability": (0, 1),
    "mask": (1, 0xFF),
    "seconds": (0, 1e6),
    "keep": (0, 1 << 20),
    "burst_ok": (0, 1 << 20),
    "gap_ms": (0, 1e6),
    "packet": (1, 4096),
    "lose": (1, 4096),
    "opcode": (0, 0xFF),
    "at": (-(1 << 20), 1 << 20),
}
_FRACTIONS = ("probability", "seconds", "gap_ms")
"""What need not be a whole number."""


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
    trigger = _build(when, TRIGGERS, "trigger", text)
    times = 1 if isinstance(trigger, model.NthFrame | model.NthByte) else model.UNLIMITED
    transient = True
    for option in options:
        key, _, value = option.partition("=")
        if key == "times" and value.isdecimal():
            times = int(value)
        elif key in ("permanent", "transient") and not value:
            transient = key == "transient"
        else:
            raise PlanError(f"fault {text!r}: unknown option {option!r}", hint="options are times=N, permanent, transient")
    return Fault(
        where=_place(where, text),
        when=trigger,
        what=_build(what, ACTIONS, "action", text),
        times=times,
        transient=transient,
        name=text,
    )


def format(fault: Fault) -> str:  # noqa: A001 - the inverse of parse
    """Return the text form of `fault`."""
    place = next((short for short, where in SHORT_PLACES.items() if where is fault.where), fault.where.value)
    default_times = 1 if isinstance(fault.when, model.NthFrame | model.NthByte) else model.UNLIMITED
    text = f"{place}:{_call(fault.when, TRIGGERS)}:{_call(fault.what, ACTIONS)}"
    if fault.times != default_times:
        text += f":times={fault.times}"
    return text if fault.transient else text + ":permanent"


def nearest(name: str, known: list[str]) -> str:
    """Return a sentence that names the closest of `known` to `name`, or all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(known)


def _place(name: str, text: str) -> Where:
    if name in SHORT_PLACES:
        return SHORT_PLACES[name]
    try:
        return Where(name)
    except ValueError:
        known = [*SHORT_PLACES, *(where.value for where in Where)]
        raise PlanError(f"fault {text!r}: unknown place {name!r}", hint=nearest(name, known)) from None


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


def _build(text: str, known: dict[str, type[_T]], kind: str, whole: str) -> _T:
    found = _CALL.match(text)
    name = found[1] if found else text
    if not found or name not in known:
        raise PlanError(f"fault {whole!r}: unknown {kind} {name!r}", hint=nearest(name, list(known)))
    cls = known[name]
    fields = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    values: dict[str, _Value] = {}
    arguments = [part.strip() for part in _split(found[2] or "", ",") if part.strip()]
    if cls is model.NthFrame and len(arguments) == 1:
        arguments.insert(0, "any")
    for position, argument in enumerate(arguments):
        key, equals, value = argument.partition("=")
        if not equals:
            key, value = (fields[position] if position < len(fields) else ""), argument
        if key not in fields:
            raise PlanError(
                f"fault {whole!r}: {name} takes no argument {argument!r}", hint="it takes " + (", ".join(fields) or "none")
            )
        values[key] = _value(key, value.strip(), whole)
    try:
        return cls(**values)
    except TypeError:
        raise PlanError(f"fault {whole!r}: {name} needs {', '.join(fields)}") from None


def _value(key: str, text: str, whole: str) -> _Value:
    if key == "data":
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise PlanError(f"fault {whole!r}: data must be hexadecimal, not {text!r}") from None
    if key == "delimiter":
        return text.lower() in ("true", "1", "yes")
    if key == "opcode" and text.upper() in Opcode.__members__:
        return int(Opcode[text.upper()])
    if key == "opcode" and text == "any":
        return None
    try:
        number: int | float = int(text, 0)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            hint = nearest(text.upper(), list(Opcode.__members__)) if key == "opcode" else ""
            raise PlanError(f"fault {whole!r}: {key} must be a number, not {text!r}", hint=hint) from None
    if isinstance(number, float) and key not in _FRACTIONS:
        raise PlanError(f"fault {whole!r}: {key} must be a whole number, not {text!r}")
    low, high = _RANGES.get(key, (float("-inf"), float("inf")))
    if not low <= number <= high:
        raise PlanError(f"fault {whole!r}: {key} must lie between {low:g} and {high:g}, not {text}")
    return number


def _call(value: Trigger | Action, known: dict[str, type[_T]]) -> str:
    name = next(name for name, cls in known.items() if cls is type(value))
    arguments = []
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if field.default is not dataclasses.MISSING and item == field.default:
            continue
        if isinstance(item, bytes):
            shown = item.hex()
        elif field.name == "opcode":
            shown = "any" if item is None else Opcode(item).name if item in set(Opcode) else f"0x{item:02x}"
        elif field.name == "mask":
            shown = f"0x{item:02x}"
        else:
            shown = str(item)
        arguments.append(f"{field.name}={shown}")
    return f"{name}({','.join(arguments)})" if arguments else name
