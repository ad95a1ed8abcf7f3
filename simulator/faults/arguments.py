"""The arguments within the text form of a fault: how each is written, and what it may be."""

from __future__ import annotations

import re

from flashcore.errors import PlanError
from flashcore.protocol.opcodes import Opcode
from simulator.faults.actions_flow import SOURCES
from simulator.faults.nearest import nearest
from simulator.faults.triggers import FLASH_KINDS

Value = int | float | bytes | bool | str | None

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
    "first": (-(1 << 20), 1 << 20),
    "size": (1, 1 << 20),
    "count": (1, 1 << 20),
    "rate": (1, 100_000_000),
    "above": (0, 100_000_000),
    "baud": (0, 100_000_000),
    "after": (0, 1 << 30),
    "period": (0.0001, 1e6),
    "jitter": (0, 1e3),
    "code": (0, 0xFF),
    "below": (0, 0x1_0000),
    "address": (0, 0xFFFF_FFFC),
    "value": (0, 0xFFFF_FFFF),
    "random": (0, 0xFFFF_FFFF),
    "percent": (-10, 10),
    "factor": (1, 1e6),
    "offset": (0, 0xFF_FFFF),
    "id": (0, 0xFF_FFFF),
    "charge": (0.001, 1e6),
    "recover": (0, 1e3),
    "back": (-1, 1e6),
    "up": (0.001, 1e6),
    "every": (0.002, 1e6),
    "delay": (0, 1e6),
    "lasts": (0, 1e6),
    "share": (0, 1),
}
_FRACTIONS = (
    "probability",
    "seconds",
    "gap_ms",
    "period",
    "jitter",
    "percent",
    "factor",
    "charge",
    "recover",
    "back",
    "up",
    "every",
    "delay",
    "lasts",
    "share",
)
"""What need not be a whole number."""

_FLAGS = ("delimiter", "swap", "asserted", "locked", "keeps_power", "hub")
_WORDS: dict[str, tuple[str, ...]] = {"line": ("dtr", "rts"), "kind": FLASH_KINDS, "source": tuple(SOURCES)}
_HEXADECIMAL = {"mask": 2, "code": 2, "address": 8, "value": 8, "random": 8, "offset": 6, "id": 6}
"""What is shown so, with its number of digits."""

_NAMES = {
    "name": (re.compile(r"[\w./-]*"), "letters, digits and ./-_"),
    "by": (re.compile(r"[\w.-]*"), "letters, digits and .-_"),
    "usb_id": (re.compile(r"([0-9A-Fa-f]{4}:[0-9A-Fa-f]{4})?"), "four hexadecimal digits twice, as in 303A:1001"),
}
"""What texts may be, and how that is said."""


def value(key: str, text: str, whole: str) -> Value:
    """Return what `text` means as the argument `key`.

    Args:
        key: Name of the argument.
        text: What is written for it.
        whole: The fault, for errors.

    Raises:
        PlanError: It is not of the argument's kind, or out of its range.
    """
    if key == "data":
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise PlanError(f"fault {whole!r}: data must be hexadecimal, not {text!r}") from None
    if key in _FLAGS:
        return text.lower() in ("true", "1", "yes")
    if key in _WORDS:
        if text not in _WORDS[key]:
            raise PlanError(f"fault {whole!r}: unknown {key} {text!r}", hint=nearest(text, list(_WORDS[key])))
        return text
    if key in _NAMES:
        pattern, wanted = _NAMES[key]
        if not pattern.fullmatch(text):
            raise PlanError(f"fault {whole!r}: {key} must consist of {wanted}, not {text!r}")
        return text
    if key == "opcode" and text.upper() in Opcode.__members__:
        return int(Opcode[text.upper()])
    if key == "opcode" and text == "any":
        return None
    return _number(key, text, whole)


def _number(key: str, text: str, whole: str) -> int | float:
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


def shown(key: str, item: Value) -> str:
    """Return how the argument `key` is written; the inverse of `value`."""
    if isinstance(item, bytes):
        return item.hex()
    if key == "opcode":
        return "any" if item is None else next((op.name for op in Opcode if op == item), f"0x{item:02x}")
    if key in _HEXADECIMAL:
        return f"0x{item:0{_HEXADECIMAL[key]}x}"
    return str(item).lower() if isinstance(item, bool) else str(item)
