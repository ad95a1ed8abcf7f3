"""Figures of a scorecard: what is bad, what was visited, what was not and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simulator.campaign.case import CLEAN
from simulator.campaign.oracle import Verdict, worst_first
from simulator.scorecard.card import Card, Entry

SHOWS_NOTHING = (Verdict.NOT_EXERCISED, Verdict.MODEL_GAP)
"""Verdicts that say nothing about a flasher."""


@dataclass(frozen=True, slots=True)
class Row:
    """All cases of one flasher under one preset or kind of fault.

    Args:
        preset: What was done to the flasher.
        flasher: Its name.
        entries: The cases, in the order in which they were planned.
    """

    preset: str
    flasher: str
    entries: tuple[Entry, ...]

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How often each verdict was given, the worst first."""
        counted = Counter(entry.verdict for entry in self.entries)
        return Counter({verdict: counted[verdict] for verdict in sorted(counted, key=lambda item: -item.badness)})

    @property
    def worst(self) -> Entry:
        """The case with the worst verdict, the first of them."""
        return max(self.entries, key=lambda entry: entry.verdict.badness)


def rows(entries: Iterable[Entry]) -> list[Row]:
    """Return one row for each preset and flasher, in the order in which they come."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.preset, entry.flasher), []).append(entry)
    return [Row(preset, flasher, tuple(some)) for (preset, flasher), some in found.items()]


def verdicts_in_words(verdicts: Counter[Verdict]) -> str:
    """Return verdicts with their counts, the worst first; a single one without a count."""
    if verdicts.total() == 1:
        return str(next(iter(verdicts)))
    return ", ".join(f"{verdict} {count}" for verdict, count in verdicts.items())


@dataclass(frozen=True, slots=True)
class Bad:
    """Bad cases of one kind: of one flasher, with one verdict, under one preset or kind of fault.

    Args:
        entry: The first of them.
        count: How many.
    """

    entry: Entry
    count: int


def bad_kinds(entries: Iterable[Entry]) -> list[Bad]:
    """Return what the flashers should have done better, cases of one kind together, false successes first."""
    found: dict[tuple[Verdict, str, str], list[Entry]] = {}
    for entry in worst_first(entries):
        found.setdefault((entry.verdict, entry.flasher, entry.preset), []).append(entry)
    return [Bad(some[0], len(some)) for some in found.values()]


def of(entries: Iterable[Entry], flasher: str) -> list[Entry]:
    """Return the cases of one flasher."""
    return [entry for entry in entries if entry.flasher == flasher]


def visited(entries: Iterable[Entry]) -> int:
    """Return how many fault points the cases visited."""
    return sum(map(_struck, entries))


def _struck(entry: Entry) -> bool:
    return entry.preset != CLEAN and entry.exercised and entry.verdict not in SHOWS_NOTHING


@dataclass(frozen=True, slots=True)
class Duty:
    """How far a flasher did what is expected of it, over the faults that struck.

    Args:
        survived: Faults that pass, and that it got over.
        passing: How many pass.
        told: Faults that last, and that it got around, or stopped at with a right diagnosis.
        lasting: How many last.
    """

    survived: int
    passing: int
    told: int
    lasting: int

    @property
    def parts(self) -> tuple[tuple[str, int, int, str], ...]:
        """What it did, by how many, of how many, and which; without those of which there were none."""
        parts = (("got over", self.survived, self.passing, "that pass"), ("did right by", self.told, self.lasting, "that last"))
        return tuple(part for part in parts if part[2])

    def __str__(self) -> str:
        """Return it in words; empty where nothing struck."""
        return ", ".join(f"{did} {done} of {total} {which}" for did, done, total, which in self.parts)


def duty(entries: Iterable[Entry]) -> Duty:
    """Return how far the flasher of `entries` did its duty."""
    struck = [entry for entry in entries if _struck(entry)]
    passing = [entry.verdict for entry in struck if entry.transient]
    lasting = [entry.verdict for entry in struck if not entry.transient]
    right = (Verdict.RECOVERED, Verdict.FAILED_CLEAN)
    return Duty(
        survived=passing.count(Verdict.RECOVERED),
        passing=len(passing),
        told=sum(verdict in right for verdict in lasting),
        lasting=len(lasting),
    )


def coverage(entries: Iterable[Entry], planned: int) -> str:
    """Return how many of the `planned` fault points the cases visited, as ``N of N points``."""
    return f"{visited(entries)} of {planned} points"


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was not exercised.

    Args:
        flasher: Name of the flasher.
        what: The preset, or a number of points.
        why: The reason.
        count: How many cases.
    """

    flasher: str
    what: str
    why: str
    count: int = 1


def missing(card: Card) -> Iterator[Missing]:
    """Yield what was not exercised, equal ones together."""
    for flasher, planned in card.meta.planned.items():
        own = of(card.cases, flasher)
        counted = Counter((entry.preset, entry.reason) for entry in own if entry.verdict in SHOWS_NOTHING)
        yield from (Missing(flasher, preset, why, count) for (preset, why), count in counted.items())
        left_out = planned - sum(entry.preset != CLEAN for entry in own)
        if left_out > 0:
            why = "left out by --limit" if card.meta.complete else "not run: interrupted, or left out by --limit"
            yield Missing(flasher, "points of the plan", why, left_out)


@dataclass(frozen=True, slots=True)
class Change:
    """A case whose verdict is not what it was.

    Args:
        before: The case in the older card.
        after: The case in the newer one.
    """

    before: Entry
    after: Entry

    @property
    def is_worse(self) -> bool:
        """Whether it is a step back."""
        return self.after.verdict.badness > self.before.verdict.badness


def changes(before: Card, after: Card) -> list[Change]:
    """Return the cases in both cards whose verdicts differ, steps back first, the worst of them first.

    Cases are the same if flasher and repeat command are; the flasher's release may differ.
    """
    known = {_key(entry): entry for entry in before.cases}
    found = [
        Change(known[_key(entry)], entry)
        for entry in after.cases
        if _key(entry) in known and known[_key(entry)].verdict is not entry.verdict
    ]
    return sorted(found, key=lambda change: (not change.is_worse, -change.after.verdict.badness))


def _key(entry: Entry) -> tuple[str, str]:
    return entry.flasher, entry.repeat


def called(flasher: str, version: str) -> str:
    """Return what a flasher is called in headings: its name, with its release where that is no part of it."""
    return flasher if "@" in flasher else f"{flasher} {version}"


def flashers(card: Card) -> Sequence[tuple[str, str]]:
    """Return each flasher's name with what it is called in headings."""
    return [(name, called(name, version)) for name, version in card.meta.flashers.items()]
