"""What a campaign came to: as JSON for programs, and as figures for a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.campaign.case import CLEAN
from simulator.campaign.oracle import Verdict
from simulator.campaign.store import Record


def to_json(records: Sequence[Record], meta: dict[str, object]) -> dict[str, object]:
    """Return a campaign as plain values.

    Args:
        records: The finished cases.
        meta: What is to be said about the whole.
    """
    return {"meta": meta, "cases": [_case(record) for record in records]}


def _case(record: Record) -> dict[str, object]:
    evidence = record.result.evidence
    return {
        "flasher": record.case.flasher,
        "version": record.version,
        "suite": record.case.suite,
        "preset": record.case.preset,
        "case": record.case.id,
        "verdict": record.judgement.verdict,
        "diagnosis": record.judgement.diagnosis,
        "virtual_s": evidence.virtual_s,
        "clean_virtual_s": record.clean_s,
        "fired": evidence.fired,
        "repeat": record.case.repeat(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the summary.

    Args:
        preset: What was done to the flasher.
        flasher: Its name.
        verdicts: How often each verdict was given.
    """

    preset: str
    flasher: str
    verdicts: Counter[Verdict]

    @property
    def worst(self) -> Verdict:
        """The worst verdict of the line."""
        return max(self.verdicts, key=lambda verdict: verdict.badness)


def rows(records: Iterable[Record]) -> list[Row]:
    """Return one line for each preset and flasher, in the order in which they come."""
    found: dict[tuple[str, str], Counter[Verdict]] = {}
    for record in records:
        key = record.case.preset, record.case.flasher
        found.setdefault(key, Counter())[record.judgement.verdict] += 1
    return [Row(preset=preset, flasher=flasher, verdicts=verdicts) for (preset, flasher), verdicts in found.items()]


def worst_first(records: Iterable[Record]) -> list[Record]:
    """Return what the flashers should have done better, false successes first."""
    bad = [record for record in records if record.judgement.verdict.is_bad]
    return sorted(bad, key=lambda record: -record.judgement.verdict.badness)


def coverage(records: Iterable[Record], planned: int) -> str:
    """Return how many of the `planned` fault points the cases visited, as ``N of N points``."""
    shows_nothing = (Verdict.NOT_EXERCISED, Verdict.MODEL_GAP)
    visited = sum(
        record.case.preset != CLEAN and record.result.evidence.exercised and record.judgement.verdict not in shows_nothing
        for record in records
    )
    return f"{visited} of {planned} points"
