"""A fault preset as a value, and how it is read from TOML."""

from __future__ import annotations

import re
import tomllib
from dataclasses import field

from flashcore.errors import PlanError
from simulator.faults.model import Fault
from simulator.faults.presets.host_table import HostSetup, check_host
from simulator.faults.presets.schema import BoardSetup, Count, JobSetup, StartSetup
from simulator.faults.presets.tables import Table, convert
from simulator.faults.text import parse


class FaultPreset(Table):
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
    class_: str
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
    board: BoardSetup = field(default_factory=BoardSetup)
    start: StartSetup = field(default_factory=StartSetup)
    host: HostSetup | None = None
    job: JobSetup = field(default_factory=JobSetup)

    def plan(self) -> list[Fault]:
        """Return the faults of this row as values."""
        suffix = "" if self.transient else ":permanent"
        return [parse(text + suffix) for text in self.faults]


def parse_preset(text: str, *, source: str) -> FaultPreset:
    """Return the preset that a TOML text describes.

    Args:
        text: The file's content.
        source: Its name, for errors.

    Raises:
        PlanError: The text is no TOML, or a field is missing, unknown, or of the wrong type; the message names its path.
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanError(f"{source}: {error}") from error
    result = convert(raw, FaultPreset, source=source)
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
    if result.host is not None:
        check_host(result.host, source=source)
    return result
