"""Making a scorecard of the records of a campaign."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata

from simulator.campaign.case import CLEAN
from simulator.campaign.oracle import worst_first
from simulator.campaign.store import Record
from simulator.faults import presets
from simulator.record.ladder import Step
from simulator.scorecard.card import About, Card, Entry, Meta
from simulator.scorecard.grade import coverage, of

LADDERS = 400
"""Most cases for which a card has ladders: with them a page stays in single megabytes."""


def collect(
    records: Sequence[Record],
    *,
    planned: Mapping[str, int],
    versions: Mapping[str, str],
    cases: Iterable[str],
    complete: bool,
    ladders: Mapping[tuple[str, str], Sequence[Step]] | None = None,
) -> Card:
    """Return the card of a campaign.

    Args:
        records: The finished cases, each flasher's run without faults among them.
        planned: How many fault points there are for each flasher.
        versions: The flashers' releases, by their names.
        cases: The ids of all cases that were to run.
        complete: Whether all of them did.
        ladders: What happened on the line, by the records' keys.
    """
    entries = tuple(_entry(record, tuple((ladders or {}).get(record.key, ()))) for record in records)
    base = next(record.case for record in records if record.case.preset == CLEAN)
    named = dict.fromkeys(name for record in records for name in record.case.faults if ":" not in name)
    meta = Meta(
        espsim=metadata.version("flashcore"),
        date=_date(),
        suite=base.suite,
        board=base.board,
        seed=base.seed,
        size=base.job.size,
        plan=hashlib.blake2b("\n".join(sorted(cases)).encode(), digest_size=8).hexdigest(),
        complete=complete,
        flashers=dict(versions),
        planned=dict(planned),
        coverage={name: coverage(of(entries, name), planned[name]) for name in planned},
        presets={name: _about(presets.preset(name)) for name in named},
    )
    return Card(meta=meta, cases=entries)


def worth_a_ladder(records: Sequence[Record]) -> list[Record]:
    """Return the records of which a reader wants to see what happened: the bad ones, then those that are one of a kind.

    A sweep has thousands of good cases that differ in a number; of these none is shown. There are at most `LADDERS`.
    """
    many = Counter((record.case.flasher, record.case.preset) for record in records)
    own = [record for record in records if not record.verdict.is_bad and many[record.case.flasher, record.case.preset] == 1]
    return [*worst_first(records), *own][:LADDERS]


def _entry(record: Record, ladder: tuple[Step, ...]) -> Entry:
    evidence = record.result.evidence
    return Entry(
        flasher=record.case.flasher,
        version=record.version,
        suite=record.case.suite,
        preset=record.case.preset,
        case=record.case.id,
        verdict=record.verdict,
        diagnosis=record.judgement.diagnosis,
        virtual_s=evidence.virtual_s,
        clean_virtual_s=record.clean_s,
        after_fault_s=record.result.evidence.after_fault_s,
        fired=evidence.fired,
        repeat=record.case.repeat(),
        reason=record.judgement.reason,
        transient=record.case.transient,
        exercised=evidence.exercised,
        faults=record.case.faults,
        ladder=ladder,
    )


def _about(row: presets.FaultPreset) -> About:
    return About(
        title=row.title,
        rank=row.rank,
        kind=row.class_,
        duty=row.duty,
        transient=row.transient,
        evidence=row.evidence,
        modelled=row.modelled,
        faults=row.faults,
        device=row.device,
    )


def _date() -> str:
    """Return the day that a reproducible build gives as its own; the time of a run is no part of a card."""
    stamp = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(stamp), UTC).date().isoformat() if stamp.isdecimal() else ""
