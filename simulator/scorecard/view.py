"""What the page shows, worked out beforehand so that its template only places it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from simulator.campaign.oracle import Verdict, worst_first
from simulator.scorecard.card import About, Card, Entry
from simulator.scorecard.grade import Bad, Duty, Row, bad_kinds, duty, flashers, of, rows, visited
from simulator.scorecard.marks import MARKS, Mark
from simulator.scorecard.text import plural

DETAILS = 600
"""Most cases that a page describes one by one."""

_THREAD = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")


@dataclass(frozen=True, slots=True)
class Panel:
    """The figures of one flasher.

    Args:
        name: Its name.
        title: Its name with its release.
        counts: How often it got each verdict, the worst first.
        visited: How many fault points were visited.
        planned: Of how many.
        duty: How far it did what is expected of it.
        virtual_s: Virtual seconds in all.
    """

    name: str
    title: str
    counts: tuple[tuple[Verdict, int], ...]
    visited: int
    planned: int
    duty: Duty
    virtual_s: float

    @property
    def total(self) -> int:
        """How many cases."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class Point:
    """A case of a sweep, as a small cell.

    Args:
        entry: The case.
        mark: How its verdict looks.
        target: Where it is described; empty if nowhere.
        number: Its number in the sweep.
    """

    entry: Entry
    mark: Mark
    target: str
    number: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of the matrix.

    Args:
        flasher: The column.
        row: Its cases; ``None`` where there are none.
        target: Where its worst case is described; empty if nowhere.
        points: One for each case where there are several.
        words: What there is to read.
    """

    flasher: str
    row: Row | None
    target: str = ""
    points: tuple[Point, ...] = ()
    words: str = ""

    @property
    def letters(self) -> str:
        """The letters of its verdicts."""
        return "".join(MARKS[verdict].letter for verdict in self.row.verdicts) if self.row else ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the matrix.

    Args:
        preset: What was done to the flashers.
        about: What is known about it, if it has a name.
        cells: One for each flasher.
    """

    preset: str
    about: About | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The cases under one preset that are described.

    Args:
        preset: The preset.
        about: What is known about it, if it has a name.
        evidence: Where it was seen, as text and address; the address may be empty.
        entries: The cases.
    """

    preset: str
    about: About | None
    evidence: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]


class View:
    """A card as the page shows it.

    Args:
        card: The card.
    """

    def __init__(self, card: Card) -> None:
        self.card = card
        self.columns = flashers(card)
        self._rows = {(row.preset, row.flasher): row for row in rows(card.cases)}
        self.described = self._described()
        self.lies = sum(entry.verdict is Verdict.FALSE_SUCCESS for entry in card.cases)

    def _described(self) -> Mapping[str, Entry]:
        """Return the cases that are described one by one, by their anchors."""
        alone = [row.entries[0] for row in self._rows.values() if len(row.entries) == 1]
        chosen = [*worst_first(self.card.cases), *(entry for entry in alone if not entry.verdict.is_bad)]
        return {anchor(entry): entry for entry in chosen[:DETAILS]}

    @property
    def left_out(self) -> str:
        """A sentence on cases that are not described, or have no ladder; empty if there are none."""
        sentences = []
        rest = sum(1 for entry in self.card.cases if entry.verdict.is_bad and anchor(entry) not in self.described)
        if rest:
            sentences.append(f"{plural(rest, 'bad case')} more than a page of {DETAILS} has room for are in the JSON file.")
        bare = sum(1 for entry in self.described.values() if not entry.ladder)
        if bare:
            sentences.append(f"{plural(bare, 'case')} here {'has' if bare == 1 else 'have'} no ladder.")
        many = sum(len(row.entries) for row in self._rows.values() if len(row.entries) > 1)
        if many:
            sentences.append("Of a sweep only the bad cases are described; the others are points of the matrix.")
        return " ".join(sentences)

    def panels(self) -> Iterator[Panel]:
        """Yield the figures of each flasher."""
        for name, title in self.columns:
            own = of(self.card.cases, name)
            counted = Counter(entry.verdict for entry in own)
            yield Panel(
                name=name,
                title=title,
                counts=tuple((verdict, counted[verdict]) for verdict in MARKS if counted[verdict]),
                visited=visited(own),
                planned=self.card.meta.planned.get(name, len(own)),
                duty=duty(own),
                virtual_s=sum(entry.virtual_s for entry in own),
            )

    def worst(self) -> list[tuple[Bad, str]]:
        """Return what is bad, each kind with the anchor of its first case."""
        return [(bad, self._target(bad.entry)) for bad in bad_kinds(self.card.cases)]

    def lines(self) -> Iterator[Line]:
        """Yield the lines of the matrix, the run without faults first."""
        for preset in dict.fromkeys(preset for preset, _ in self._rows):
            yield Line(preset, self.card.meta.presets.get(preset), tuple(self._cell(preset, name) for name, _ in self.columns))

    def _cell(self, preset: str, flasher: str) -> Cell:
        row = self._rows.get((preset, flasher))
        if row is None:
            return Cell(flasher, None)
        if len(row.entries) == 1:
            return Cell(flasher, row, self._target(row.worst))
        points = tuple(
            Point(entry, MARKS[entry.verdict], self._target(entry), number) for number, entry in enumerate(row.entries, 1)
        )
        words = ", ".join(f"{count} {verdict}" for verdict, count in row.verdicts.items())
        return Cell(flasher, row, self._target(row.worst), points, words)

    def groups(self) -> Iterator[Group]:
        """Yield the cases that are described, by preset, in the order of the matrix."""
        found: dict[str, list[Entry]] = {}
        for entry in self.card.cases:
            if anchor(entry) in self.described:
                found.setdefault(entry.preset, []).append(entry)
        for preset, entries in found.items():
            about = self.card.meta.presets.get(preset)
            evidence = tuple((text, _address(text)) for text in (about.evidence if about else ()))
            yield Group(preset, about, evidence, tuple(entries))

    def _target(self, entry: Entry) -> str:
        name = anchor(entry)
        return name if name in self.described else ""

    @property
    def has_sweep(self) -> bool:
        """Whether a field of the matrix has many cases."""
        return any(len(row.entries) > 1 for row in self._rows.values())


def anchor(entry: Entry) -> str:
    """Return the anchor of a case: its id, which knows the flasher but not its release, and the release."""
    return re.sub(r"[^\w.-]", "-", f"c-{entry.case}-{entry.version}")


def searched(entry: Entry, about: About | None) -> str:
    """Return the text of a case that the filter looks into."""
    parts: Sequence[str] = (entry.preset, about.title if about else "", entry.diagnosis, entry.reason, *entry.faults)
    return " ".join(part for part in parts if part).lower()


def _address(thread: str) -> str:
    """Return the address of a report given as repository#number; empty for anything else."""
    found = _THREAD.fullmatch(thread)
    return f"https://github.com/{found[1]}/issues/{found[2]}" if found else ""
