"""Making the cases of a campaign: one per preset, or count-then-sweep.

A fault is an index, not a probability: a clean run counts the frames that go each way, then each kind of fault strikes each
frame once. All points together are what coverage is measured against. Pairs of such faults are too many for that, so some
are drawn by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from simulator.campaign import singles
from simulator.campaign.case import CLEAN, Case
from simulator.campaign.jobs import job_of
from simulator.faults import presets
from simulator.flashers.adapter import Evidence
from simulator.flashers.task import Job
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


SMOKE = (
    "mac-cdc-long-frame",
    "wrong-port",
    "silent-line",
    "reply-lost-mid-write",
    "corrupt-to-device",
)
"""Rows of the smoke suite: the commonest failures, of each kind of duty one."""


def smoke(base: Case) -> list[Case]:
    """Return a case for each row of `SMOKE`.

    Args:
        base: The clean case.
    """
    return [row(base, name) for name in SMOKE]


def catalogue(base: Case) -> list[Case]:
    """Return a case for each row of the fault catalogue.

    Args:
        base: The clean case.
    """
    return [row(base, name) for name in presets.names() if not presets.preset(name).variant]


def single(base: Case) -> list[Case]:
    """Return a case for each single fault whose effect on today's flashers is known.

    Args:
        base: The clean case.
    """
    struck = [replace(base, preset=name, faults=(fault,)) for name, fault in singles.ON_THE_WIRE.items()]
    return struck + [row(base, name) for name in (*singles.SILENT, *singles.NO_CHIP)]


def row(base: Case, name: str) -> Case:
    """Return the case of the fault preset called `name`, with its job, its expectation and its accepted diagnoses."""
    found = presets.preset(name)
    return replace(
        base,
        preset=found.id,
        faults=(found.id,),
        job=job_of(found.job, base.job, base.seed),
        transient=found.transient,
        accept=found.accept,
    )


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
