"""A rig: which boards there are, where, and what may be done to them. Read from TOML, checked to the last field.

A mistake in this file can cost somebody a firmware, so nothing is guessed: unknown keys are refused, every error names the
field it is about, and writing needs a region, a permission and the board's own MAC address. A port may hold ``$NAME``, which
is taken from the environment, so that one file serves a bench on which names move.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import TypeVar

from flashcore.chips import SECTOR_SIZE
from flashcore.errors import ScenarioError
from simulator.board.presets import BoardPreset, preset
from simulator.chip.flash_parts import part

LARGEST_REGION = 1 << 20
"""Longest region that tests may touch, in bytes: it is saved and put back at each run."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")

T = TypeVar("T")


class RigError(ValueError):
    """A rig file is missing or wrong; the text names the file and the field."""


@unique
class Action(StrEnum):
    """What may be done to a board's flash, inside its region."""

    READ = "read"
    WRITE = "write"
    ERASE = "erase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the flash, in whole sectors.

    Args:
        start: Offset of its first byte.
        size: Length in bytes.
    """

    start: int
    size: int

    @property
    def end(self) -> int:
        """Offset behind its last byte."""
        return self.start + self.size

    def __str__(self) -> str:
        return f"0x{self.start:x} to 0x{self.end:x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board of a rig.

    Args:
        name: How tests call it.
        port: Path or URL, variables put in.
        preset: What the simulator would take for it.
        mac: Its MAC address as ``24:6f:28:aa:bb:cc``; nothing is written to a chip with another one.
        allowed: What may be done to its flash.
        region: Where; ``None`` if nothing may be done.
    """

    name: str
    port: str
    preset: BoardPreset
    mac: str
    allowed: frozenset[Action]
    region: Span | None

    @property
    def is_recording(self) -> bool:
        """Whether it has the conditions of the recordings, and not those of silicon."""
        return not self.preset.chip.autobaud


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """All boards of a file.

    Args:
        path: The file.
        boards: Its boards, in order.
    """

    path: Path
    boards: tuple[Board, ...]


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Rig:
    """Return the rig in the file `path`.

    Args:
        path: A TOML file; hil/boards.example.toml shows all there is.
        environment: Where variables in ports come from.

    Raises:
        RigError: The file cannot be read, or something in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RigError(f"{path}: cannot be read: {error}") from None
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RigError(f"{path}: is no TOML: {error}") from None
    try:
        return Rig(path=path, boards=_boards(_Table("", fields), environment))
    except _FieldError as error:
        raise RigError(f"{path}: {error}") from None


class _FieldError(ValueError):
    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)


class _Table:
    """A TOML table that knows its place in the file, and is empty once all its keys were taken."""

    def __init__(self, place: str, fields: object) -> None:
        if not isinstance(fields, dict):
            raise _FieldError(place, f"must be a table, not {_show(fields)}")
        self.place = place
        self._fields: dict[str, object] = dict(fields)

    def take(self, key: str, wanted: type[T], what: str) -> T:
        """Take the value of `key`, which must be there."""
        if key not in self._fields:
            raise _FieldError(self.field(key), f"is missing; it must be {what}")
        value = self._fields.pop(key)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise _FieldError(self.field(key), f"must be {what}, not {_show(value)}")
        return value

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def field(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def done(self, known: tuple[str, ...]) -> None:
        """Refuse what is left."""
        for key in self._fields:
            raise _FieldError(self.field(key), f"is unknown; there are: {', '.join(known)}")


def _show(value: object) -> str:
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."


def _boards(top: _Table, environment: Mapping[str, str]) -> tuple[Board, ...]:
    rows = top.take("board", list, "one [[board]] table or more")
    top.done(("board",))
    boards: list[Board] = []
    for number, row in enumerate(rows):
        board = _board(_Table(f"board[{number}]", row), environment)
        for field, same in (("name", lambda a, b: a.name == b.name), ("port", lambda a, b: a.port == b.port)):
            _refuse_twin(boards, board, f"board[{number}].{field}", same)
        boards.append(board)
    if not boards:
        raise _FieldError("board", "the rig has no boards")
    return tuple(boards)


def _refuse_twin(boards: list[Board], board: Board, field: str, same: Callable[[Board, Board], bool]) -> None:
    for number, other in enumerate(boards):
        if same(other, board):
            raise _FieldError(field, f"is that of board[{number}] too")


_KEYS = ("name", "port", "preset", "mac", "allowed", "region")


def _board(table: _Table, environment: Mapping[str, str]) -> Board:
    name = table.take("name", str, "a short name")
    if not _NAME.fullmatch(name):
        raise _FieldError(table.field("name"), f"must consist of letters, digits and . _ -, not {name!r}")
    port = _port(table.field("port"), table.take("port", str, "a path or URL"), environment)
    try:
        kind = preset(table.take("preset", str, "the name of a board preset, see `espsim boards`"))
    except ScenarioError as error:
        raise _FieldError(table.field("preset"), f"{error.message}; {error.hint}" if error.hint else error.message) from None
    mac = table.take("mac", str, "a MAC address such as 24:6f:28:aa:bb:cc").lower()
    if not _MAC.fullmatch(mac):
        raise _FieldError(table.field("mac"), f"must be a MAC address such as 24:6f:28:aa:bb:cc, not {mac!r}")
    allowed = _allowed(table)
    region = _region(table, kind) if "region" in table else None
    if allowed and region is None:
        raise _FieldError(table.field("region"), f"is missing; {' and '.join(sorted(allowed))} must be told where")
    table.done(_KEYS)
    return Board(name=name, port=port, preset=kind, mac=mac, allowed=allowed, region=region)


def _port(field: str, text: str, environment: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in environment:
            raise _FieldError(field, f"names the environment variable {name}, which is not set")
        return environment[name]

    port = _VARIABLE.sub(value, text)
    if not port:
        raise _FieldError(field, "must be a path or URL, not empty")
    return port


def _allowed(table: _Table) -> frozenset[Action]:
    known = ", ".join(repr(action.value) for action in Action)
    names = table.take("allowed", list, f"a list of {known}")
    for position, name in enumerate(names):
        if name not in [action.value for action in Action]:
            raise _FieldError(f"{table.field('allowed')}[{position}]", f"must be one of {known}, not {_show(name)}")
    allowed = frozenset(Action(name) for name in names)
    if allowed - {Action.READ} and Action.READ not in allowed:
        raise _FieldError(table.field("allowed"), "must include 'read' where flash is changed: what was there is saved first")
    if Action.ERASE in allowed and Action.WRITE not in allowed:
        raise _FieldError(table.field("allowed"), "must include 'write' beside 'erase': what was there is put back")
    return allowed


def _region(table: _Table, kind: BoardPreset) -> Span:
    inner = _Table(table.field("region"), table.take("region", dict, "a table { start = ..., size = ... }"))
    span = Span(start=inner.take("start", int, "an offset"), size=inner.take("size", int, "a length in bytes"))
    inner.done(("start", "size"))
    for key, number in (("start", span.start), ("size", span.size)):
        if number < 0 or number % SECTOR_SIZE:
            raise _FieldError(inner.field(key), f"must be a multiple of 0x{SECTOR_SIZE:x}, not {number:#x}")
    if not 0 < span.size <= LARGEST_REGION:
        raise _FieldError(inner.field("size"), f"must be 0x{SECTOR_SIZE:x} to 0x{LARGEST_REGION:x}, not {span.size:#x}")
    flash = part(kind.chip.flash).size
    if span.end > flash:
        raise _FieldError(inner.field("size"), f"reaches to 0x{span.end:x}, but the flash of {kind.name} ends at 0x{flash:x}")
    return span
