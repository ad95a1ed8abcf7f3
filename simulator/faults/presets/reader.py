"""Reading the fault presets that come with the package."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from flashcore.errors import PlanError
from simulator.faults.model import Fault
from simulator.faults.text import nearest, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPreset:
    """One row of the catalogue, ready to run.

    Args:
        id: Its name.
        title: What goes wrong, in one line.
        rank: Its row in the catalogue; how common it is.
        class_: Kind of failure.
        faults: The faults, in text form.
        device: What is at the port instead of the board, if anything.
        any: Whether it is enough that one of the faults fires.
        transient: Whether a flasher is expected to get over it.
        duty: What a robust flasher does about it.
        accept: Regular expressions of which a right diagnosis matches one, whatever the case of its letters and the number
            of blanks between its words.
        evidence: Reports of it, as repository#number.
    """

    id: str
    title: str
    rank: int
    class_: str
    faults: tuple[str, ...] = ()
    device: str = ""
    any: bool = False
    transient: bool = True
    duty: str = ""
    accept: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    def plan(self) -> list[Fault]:
        """Return the faults of this row as values."""
        suffix = "" if self.transient else ":permanent"
        return [parse(text + suffix) for text in self.faults]


_TYPES: dict[str, type] = {
    "id": str,
    "title": str,
    "rank": int,
    "class_": str,
    "faults": list,
    "device": str,
    "any": bool,
    "transient": bool,
    "duty": str,
    "accept": list,
    "evidence": list,
}


def parse_preset(text: str, *, source: str) -> FaultPreset:
    """Return the preset that a TOML text describes.

    Args:
        text: The file's content.
        source: Its name, for errors.

    Raises:
        PlanError: The text is no TOML, or a field is missing, unknown, or of the wrong type.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{source}: {error}") from error
    values: dict[str, object] = {("class_" if key == "class" else key): value for key, value in raw.items()}
    known = [field.name for field in fields(FaultPreset)]
    for key, value in values.items():
        if key not in known:
            raise PlanError(f"{source}: unknown field {key.rstrip('_')!r}", hint=nearest(key, known))
        if not isinstance(value, _TYPES[key]) or (_TYPES[key] is int and isinstance(value, bool)):
            raise PlanError(f"{source}: {key.rstrip('_')} must be {_TYPES[key].__name__}, not {type(value).__name__}")
        if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                raise PlanError(f"{source}: {key} must hold strings only")
            values[key] = tuple(value)
    missing = [name for name in ("id", "title", "rank", "class_") if name not in values]
    if missing:
        raise PlanError(f"{source}: field {missing[0].rstrip('_')!r} is missing")
    for number, pattern in enumerate(values.get("accept", ())):  # type: ignore[arg-type, var-annotated]
        try:
            re.compile(pattern)
        except re.error as error:
            raise PlanError(f"{source}: accept[{number}] is no regular expression: {error}") from error
    result = FaultPreset(**values)  # type: ignore[arg-type]
    result.plan()
    return result


@cache
def _all() -> dict[str, FaultPreset]:
    folder = files("simulator.faults.presets")
    found = [
        parse_preset(file.read_text("utf-8"), source=file.name) for file in folder.iterdir() if file.name.endswith(".toml")
    ]
    return {item.id: item for item in sorted(found, key=lambda item: (item.rank, item.id))}


def names() -> list[str]:
    """Return the names of all presets, the most common failure first."""
    return list(_all())


def preset(name: str) -> FaultPreset:
    """Return the preset called `name`.

    Raises:
        PlanError: There is none; the error names the nearest.
    """
    try:
        return _all()[name]
    except KeyError:
        raise PlanError(f"unknown fault {name!r}", hint=nearest(name, names())) from None
