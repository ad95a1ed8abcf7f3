"""The scorecard as a value. Every form in which it is written is made from this and from nothing else.

As JSON it is ``{"meta": {...}, "cases": [...]}``, and it comes back from that whole, so a file that was kept can be turned into
every other form later, by another version of the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from flashcore.errors import ScenarioError
from simulator.campaign.oracle import Verdict
from simulator.record.ladder import Step


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a card. Fields that a newer release writes besides are passed over."""


class Entry(Part, frozen=True, kw_only=True):
    """One case.

    Args:
        flasher: Name of the flasher.
        version: Its release.
        suite: What the case belongs to.
        preset: Name of the fault preset, of the kind of fault in a sweep, or ``clean``.
        case: The case's id.
        verdict: The verdict.
        diagnosis: What the flasher gave as its reason, in one line; empty after success.
        virtual_s: How long it took, in virtual seconds.
        clean_virtual_s: How long the job takes without faults.
        fired: How often faults struck.
        repeat: The command that repeats it.
        after_fault_s: Virtual seconds from the first strike of a fault until it gave up or was done; ``None`` if none struck.
        reason: Why the verdict is this one.
        transient: Whether the flasher was expected to get over it.
        exercised: Whether every planned fault struck as it was meant to.
        faults: The faults, as text or by name.
        ladder: What happened on the line, in short; empty where that was not looked at.
    """

    flasher: str
    version: str
    suite: str
    preset: str
    case: str
    verdict: Verdict
    diagnosis: str
    virtual_s: float
    clean_virtual_s: float
    fired: int
    repeat: str
    after_fault_s: float | None = None
    reason: str = ""
    transient: bool = True
    exercised: bool = True
    faults: tuple[str, ...] = ()
    ladder: tuple[Step, ...] = ()

    @property
    def falls_short(self) -> bool:
        """Whether it stopped as a flasher should, at a fault that it should have got over."""
        return self.transient and self.verdict is Verdict.FAILED_CLEAN


class About(Part, frozen=True, kw_only=True):
    """What is known about a named fault.

    Args:
        title: What goes wrong, in one line.
        rank: Its row in the catalogue.
        kind: Kind of failure.
        duty: What a robust flasher does about it.
        transient: Whether a flasher is expected to get over it.
        evidence: Reports of it, as repository#number.
        modelled: What the model leaves out.
        faults: The faults in text form.
        device: What is at the port instead of the board, if anything.
    """

    title: str
    rank: int = 0
    kind: str = ""
    duty: str = ""
    transient: bool = True
    evidence: tuple[str, ...] = ()
    modelled: str = ""
    faults: tuple[str, ...] = ()
    device: str = ""


class Meta(Part, frozen=True, kw_only=True):
    """What holds for the whole card.

    Args:
        espsim: Release of the simulator.
        date: Day of that release, as ``YYYY-MM-DD``, where the build says it.
        suite: Which cases there are.
        board: The board.
        seed: The runs' only randomness.
        size: Bytes that a case writes, unless its fault says otherwise.
        plan: Hash over all cases that were to run; equal plans have equal hashes.
        complete: Whether all of them did.
        flashers: The flashers with their releases, in the order in which they were named.
        planned: How many fault points there are for each flasher, run or not.
        coverage: For each flasher in words how many of them were visited.
        presets: What is known about the faults that have names.
    """

    espsim: str
    date: str = ""
    suite: str
    board: str
    seed: int
    size: int
    plan: str
    complete: bool
    flashers: dict[str, str]
    planned: dict[str, int]
    coverage: dict[str, str]
    presets: dict[str, About] = {}


class Card(Part, frozen=True, kw_only=True):
    """A scorecard."""

    meta: Meta
    cases: tuple[Entry, ...]

    def to_json(self) -> str:
        """Return the card as JSON, one case on a line."""
        cases = [json.dumps(_fields(entry)) for entry in self.cases]
        meta = json.dumps(msgspec.to_builtins(self.meta), indent=1)
        return '{"meta": ' + meta + ',\n"cases": [\n' + ",\n".join(cases) + "\n]}\n"

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Card:
        """Return the card that `to_json` wrote.

        Args:
            text: The file's content.
            source: Its name, for errors.

        Raises:
            ScenarioError: It is no scorecard; the message names the place.
        """
        try:
            return msgspec.json.decode(text.encode(), type=cls)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise ScenarioError(
                f"{source} is no scorecard: {error}", hint="give a file that espsim score --json has written"
            ) from error

    @classmethod
    def read(cls, path: Path) -> Card:
        """Return the card in a file.

        Raises:
            ScenarioError: The file cannot be read, or is no scorecard.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ScenarioError(f"cannot read {path}: {reason}") from error
        return cls.from_json(text, source=str(path))


def _fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    if entry.ladder:
        fields["ladder"] = [step.to_fields() for step in entry.ladder]
    else:
        del fields["ladder"]
    return fields
