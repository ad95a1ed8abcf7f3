"""Making the cases of a campaign: one per preset, or count-then-sweep.

A fault is an index, not a probability: a clean run counts the frames that go each way, then each kind of fault strikes each
frame once. All points together are what coverage is measured against. Pairs of such faults are too many for that, so some
are drawn by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from simulator.campaign.case import CLEAN, Case, Job
from simulator.faults import presets
from simulator.flashers.adapter import Evidence
from simulator.rng import Rng

KINDS = MappingProxyType(
    {
        "drop": "drop",
        "corrupt": "corrupt(mask=0x01)",
        "duplicate": "duplicate",
        "delay": "delay(7.0)",
        "truncate": "truncate(keep=6)",
        "insert": "insert(data=55aa00)",
    }
)
"""What strikes each frame in a sweep. The delay is longer than the waits for an ordinary answer of all flashers measured
(esptool 5 waits 6 s for a data block); what is inserted is noise without a delimiter."""

SMOKE_SIZE = 64 * 1024
"""Bytes that a case of the smoke suite writes: three blocks for a stub."""
SWEEP_SIZE = 256 * 1024
"""Bytes that a case of a sweep writes."""


def clean(flasher: str, *, suite: str, board: str, seed: int, job: Job) -> Case:
    """Return the run without faults that everything else is compared with."""
    return Case(flasher=flasher, suite=suite, preset=CLEAN, board=board, seed=seed, job=job)


def smoke(base: Case) -> list[Case]:
    """Return a case for each fault preset there is.

    Args:
        base: The clean case.
    """
    rows = [presets.preset(name) for name in presets.names()]
    return [replace(base, preset=row.id, faults=(row.id,), transient=row.transient, accept=row.accept) for row in rows]


def sweep(base: Case, counted: Evidence) -> list[Case]:
    """Return a case for each kind of fault at each frame in each direction.

    Args:
        base: The clean case.
        counted: What the clean run showed.
    """
    directions = (("h2d", counted.frames_to_device), ("d2h", counted.frames_to_host))
    return [
        replace(base, preset=f"{place}-{kind}", faults=(f"{place}:nth_frame(any,{number}):{action}",))
        for place, count in directions
        for kind, action in KINDS.items()
        for number in range(1, count + 1)
    ]


def pairs(singles: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Return `count` cases with two different faults of `singles` each, drawn by `seed`, none twice.

    There are fewer where `singles` has not so many pairs.
    """
    dice = Rng(seed).stream("campaign.pairs")
    found: dict[tuple[int, int], Case] = {}
    possible = len(singles) * (len(singles) - 1) // 2
    while len(found) < min(count, possible):
        one, other = sorted((dice.below(len(singles)), dice.below(len(singles))))
        if one != other and (one, other) not in found:
            faults = singles[one].faults + singles[other].faults
            found[one, other] = replace(singles[one], preset="pair", faults=faults)
    return list(found.values())


def spread(cases: Sequence[Case], count: int | None) -> list[Case]:
    """Return `count` of `cases` at even distances, or all of them."""
    if count is None or count >= len(cases):
        return list(cases)
    return [cases[index * len(cases) // count] for index in range(count)]
