"""A fault preset as a value, and how it is read from TOML."""

from __future__ import annotations

import re
import tomllib

import msgspec

from flashcore.errors import PlanError
from simulator.faults.model import Fault
from simulator.faults.presets.schema import BoardSetup, Count, HostSetup, JobSetup, StartSetup, Table
from simulator.faults.text import nearest, parse


class FaultPreset(Table, frozen=True, kw_only=True):
    """One row of the catalogue, ready to run.

    Args:
        id: Its name.
        title: What goes wrong, in one line.
        rank: Its row in the catalogue; how common it is.
        class_: Kind of failure.
        duty: What a robust flasher does about it.
        transient: Whether a flasher is expected to get over it.
        accept: Regular expressions of which a right diagnosis matches one, whatever the case of its letters and the number
            of blanks between its words.
        evidence: Reports of it, as repository#number.
        variant: Whether it is another form of a row that has its preset already; such are no part of the catalogue suite.
        modelled: What the model leaves out; empty where it is whole.
        faults: The faults, in text form.
        any: Whether it is enough that one of the faults fires.
        state: Whether something *is* wrong rather than happens: then nothing needs to strike, it is enough that the flasher
            looked.
        device: What is at the port instead of the board, if anything.
        board: How the board differs.
        start: What the flasher finds.
        host: What the operating system shows; ``None`` for one board on one port.
        job: What the flasher is asked to do.
    """

    id: str
    title: str
    rank: Count
    class_: str = msgspec.field(name="class")
    duty: str = ""
    transient: bool = True
    accept: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    variant: bool = False
    modelled: str = ""
    faults: tuple[str, ...] = ()
    any: bool = False
    state: bool = False
    device: str = ""
    board: BoardSetup = msgspec.field(default_factory=BoardSetup)
    start: StartSetup = msgspec.field(default_factory=StartSetup)
    host: HostSetup | None = None
    job: JobSetup = msgspec.field(default_factory=JobSetup)

    def plan(self) -> list[Fault]:
        """Return the faults of this row as values."""
        suffix = "" if self.transient else ":permanent"
        return [parse(text + suffix) for text in self.faults]


_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`")


def parse_preset(text: str, *, source: str) -> FaultPreset:
    """Return the preset that a TOML text describes.

    Args:
        text: The file's content.
        source: Its name, for errors.

    Raises:
        PlanError: The text is no TOML, or a field is missing, unknown, or of the wrong type; the message names its path.
    """
    try:
        result = msgspec.convert(tomllib.loads(text), FaultPreset, strict=True)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{source}: {error}") from error
    except msgspec.ValidationError as error:
        raise _refused(source, str(error)) from error
    for number, pattern in enumerate(result.accept):
        try:
            re.compile(pattern)
        except re.error as error:
            raise PlanError(f"{source}: accept[{number}] is no regular expression: {error}") from error
    for number, fault in enumerate(result.faults):
        try:
            parse(fault)
        except PlanError as error:
            raise PlanError(f"{source}: faults[{number}]: {error.message}", hint=error.hint) from error
    return result


def _refused(source: str, text: str) -> PlanError:
    found = _PLACE.match(text)
    what, path = (found["what"], found["path"] or "") if found else (text, "")
    where = f"{source}: {path}" if path else source
    unknown = _UNKNOWN.match(what)
    if not unknown:
        return PlanError(f"{where}: {what[:1].lower()}{what[1:]}")
    return PlanError(f"{where}: unknown field {unknown['name']!r}", hint=nearest(unknown["name"], _fields(path)))


def _fields(path: str) -> list[str]:
    """Return what may stand in the table at `path`, for example ``job.images[0]``."""
    table: type[Table] = FaultPreset
    tables = _tables(FaultPreset)
    for name in (part.partition("[")[0] for part in path.split(".") if part):
        table = tables[name]
    return [field.encode_name for field in msgspec.structs.fields(table)]


def _tables(table: type[Table]) -> dict[str, type[Table]]:
    found: dict[str, type[Table]] = {}
    for field in msgspec.structs.fields(table):
        for kind in _kinds(msgspec.inspect.type_info(field.type)):
            found[field.encode_name] = kind
            found.update(_tables(kind))
    return found


def _kinds(info: msgspec.inspect.Type) -> list[type[Table]]:
    match info:
        case msgspec.inspect.StructType(cls=cls) if issubclass(cls, Table):
            return [cls]
        case msgspec.inspect.UnionType(types=types):
            return [kind for item in types for kind in _kinds(item)]
        case msgspec.inspect.VarTupleType(item_type=item):
            return _kinds(item)
        case _:
            return []
