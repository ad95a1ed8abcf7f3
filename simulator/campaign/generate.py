"""The cases that are made from fault presets and from faults with a known effect, one each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.campaign import singles
from simulator.campaign.case import CLEAN, Case
from simulator.campaign.jobs import job_of
from simulator.faults import presets
from simulator.flashers.task import Job

SMOKE_SIZE = 64 * 1024
"""Bytes that a case of the smoke suite writes: three blocks for a stub."""


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


def spread(cases: Sequence[Case], count: int | None) -> list[Case]:
    """Return `count` of `cases` at even distances, or all of them."""
    if count is None or count >= len(cases):
        return list(cases)
    return [cases[index * len(cases) // count] for index in range(count)]
