"""Tables of a TOML file as frozen values, checked as they are read, with the path of the field in each error.

Own code, since a world is built in the flasher's own interpreter as well, where there is nothing but the standard library and
what the flasher needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from flashcore.errors import PlanError
from simulator.faults.nearest import nearest


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
class Table:
    """One table of a preset: a frozen value whose fields are given by name."""

    def __init_subclass__(cls) -> None:
        """Make a frozen dataclass of the class."""
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a number must be, as the annotation of a field.

    Args:
        least: The smallest.
        most: The largest.
    """

    least: float | None = None
    most: float | None = None

    def complaint(self, value: float) -> str:
        """Return what `value` should have been; nothing if it is within these limits."""
        if self.least is not None and value < self.least:
            return f">= {self.least:g}"
        if self.most is not None and value > self.most:
            return f"<= {self.most:g}"
        return ""


T = TypeVar("T", bound=Table)


def convert(raw: Mapping[str, object], table: type[T], *, source: str, path: str = "") -> T:
    """Return the value that `raw` describes.

    Args:
        raw: A table as TOML or JSON has it.
        table: Its class. A field whose name is no word of its own in Python ends in an underscore there.
        source: Name of the file, for errors.
        path: Where in the file the table is; empty for the whole.

    Raises:
        PlanError: A field is missing, unknown, or not as it should be; the message names its path.
    """
    where = f"{source}: {path}" if path else source
    fields = _fields(table)
    values: dict[str, Any] = {}
    for key, item in raw.items():
        if key not in fields:
            raise PlanError(f"{where}: unknown field {key!r}", hint=nearest(key, list(fields)))
        name, hint, _ = fields[key]
        try:
            values[name] = _value(hint, item, f"{path}.{key}" if path else key, source)
        except _RefusedError as refused:
            raise PlanError(f"{source}: {refused.path}: {refused}") from None
    for key, (name, _, needed) in fields.items():
        if needed and name not in values:
            raise PlanError(f"{where}: field {key!r} is missing")
    return table(**values)


def plain(value: object) -> Any:
    """Return a table as JSON may have it, with the names of the file."""
    if isinstance(value, Table):
        return {key: plain(getattr(value, name)) for key, (name, _, _) in _fields(type(value)).items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


class _RefusedError(Exception):
    """A value is not as it should be."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(text)
        self.path = path


_Field = tuple[str, Any, bool]
"""Name of a field in Python, its type, and whether it must be given."""
_KNOWN: dict[type[Table], dict[str, _Field]] = {}


def _fields(table: type[Table]) -> dict[str, _Field]:
    """Return what may stand in a table, by its name there."""
    found = _KNOWN.get(table)
    if found is None:
        hints = get_type_hints(table, include_extras=True)
        missing = dataclasses.MISSING
        found = _KNOWN[table] = {
            field.name.rstrip("_"): (
                field.name,
                hints[field.name],
                field.default is missing and field.default_factory is missing,
            )
            for field in dataclasses.fields(table)  # type: ignore[arg-type]
        }
    return found


def _value(hint: Any, item: object, path: str, source: str) -> object:
    origin = get_origin(hint)
    if origin is Annotated:
        kind, *notes = get_args(hint)
        value = _value(kind, item, path, source)
        for note in notes:
            if isinstance(note, Limits) and isinstance(value, int | float) and (complaint := note.complaint(value)):
                raise _RefusedError(path, f"must be {complaint}, not {value:g}")
        return value
    if origin is Literal:
        if item not in get_args(hint):
            known = [str(choice) for choice in get_args(hint)]
            raise _RefusedError(path, f"unknown value {item!r}; {nearest(str(item), known)}")
        return item
    if origin in (Union, UnionType):
        (kind,) = (each for each in get_args(hint) if each is not NoneType)
        return _value(kind, item, path, source)
    if origin is tuple:
        if not isinstance(item, list | tuple):
            raise _RefusedError(path, f"expected a list, not {_name(item)}")
        kind = get_args(hint)[0]
        return tuple(_value(kind, each, f"{path}[{number}]", source) for number, each in enumerate(item))
    if isinstance(hint, type) and issubclass(hint, Table):
        if not isinstance(item, Mapping):
            raise _RefusedError(path, f"expected a table, not {_name(item)}")
        return convert(item, hint, source=source, path=path)
    return _simple(hint, item, path)


def _simple(kind: type, item: object, path: str) -> object:
    if kind is float and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    if type(item) is not kind:
        raise _RefusedError(path, f"expected {_NAMES[kind]}, not {_name(item)}")
    return item


_NAMES: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _name(item: object) -> str:
    return _NAMES.get(type(item), type(item).__name__)
