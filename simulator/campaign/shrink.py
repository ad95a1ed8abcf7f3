"""Reducing a case to a smallest one that still gets the same verdict.

First the plan: delta debugging over its faults, halves first, then ever smaller parts, until no single fault can be left out.
Then the job: half the image as long as that will do. Then each fault: an earlier frame, a plainer deed, the first seed.
Whatever is tried is a case like any other, so what is left can be repeated by its command.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace

from simulator.campaign.case import Case
from simulator.campaign.oracle import Verdict, judge, limit_s
from simulator.campaign.run import CLEAN_LIMIT_S
from simulator.faults.actions_stream import Corrupt, Delay, Drop, Truncate
from simulator.faults.model import STREAMS, Fault
from simulator.faults.text import format as text_of
from simulator.faults.text import parse
from simulator.flashers.adapter import Adapter
from simulator.flashers.task import usual_image

SMALLEST = 1024
"""Bytes below which an image is not halved."""
MOST_RUNS = 300
"""After so many cases what is smallest by then is taken; no plan of a sweep has taken a hundred."""

VerdictOf = Callable[[Case], Verdict]
"""Runs a case."""


def shrink(case: Case, wanted: Verdict, verdict_of: VerdictOf) -> Case:
    """Return the smallest case found that gets the verdict `wanted`.

    Args:
        case: A case that gets it.
        wanted: The verdict.
        verdict_of: Runs a case.
    """
    runs = 0

    def holds(candidate: Case) -> bool:
        nonlocal runs
        runs += 1
        return runs <= MOST_RUNS and verdict_of(candidate) is wanted

    case = _fewer_faults(case, holds)
    smaller: Case | None = case
    while smaller is not None:
        case = smaller
        smaller = next((candidate for candidate in _smaller(case) if holds(candidate)), None)
    return case


def _fewer_faults(case: Case, holds: Callable[[Case], bool]) -> Case:
    faults = case.faults
    parts = 2
    while len(faults) > 1:
        size = -(-len(faults) // parts)
        for start in range(0, len(faults), size):
            fewer = faults[:start] + faults[start + size :]
            if fewer and holds(replace(case, faults=fewer)):
                faults, parts = fewer, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(faults), 2 * parts)
    return replace(case, faults=faults)


def _smaller(case: Case) -> Iterator[Case]:
    """Yield cases that are a little simpler than `case`, the simplest first."""
    job, size = case.job, case.job.size
    if job.images == (usual_image(size, case.seed),) and size >= 2 * SMALLEST:
        yield replace(case, job=replace(job, images=(usual_image(size // 2, case.seed),)))
    if len(case.faults) > 1 and all(":" in text for text in case.faults):
        # Faults that make a failure together often have to meet in one frame.
        parsed = [parse(text) for text in case.faults]
        if {getattr(fault.when, "n", 1) for fault in parsed} != {1}:
            first = tuple(text_of(_at(fault, 1)) if hasattr(fault.when, "n") else text_of(fault) for fault in parsed)
            yield replace(case, faults=first)
    for number, text in enumerate(case.faults):
        if ":" in text:
            for plainer in _plainer(parse(text)):
                yield replace(case, faults=(*case.faults[:number], text_of(plainer), *case.faults[number + 1 :]))
    if case.seed and job.images == (usual_image(size, case.seed),):
        yield replace(case, seed=0, job=replace(job, images=(usual_image(size, 0),)))


def _at(fault: Fault, number: int) -> Fault:
    """Return `fault` with `number` as which of its things it strikes."""
    return replace(fault, name="", when=dataclasses.replace(fault.when, n=number))  # type: ignore[arg-type]


def _plainer(fault: Fault) -> Iterator[Fault]:
    """Yield faults that are a little simpler than `fault`: an earlier one, or one that does something plainer."""
    fault = replace(fault, name="")
    number = getattr(fault.when, "n", 1)
    for earlier in dict.fromkeys((1, number // 2)):
        if 0 < earlier < number:
            yield _at(fault, earlier)
    if fault.where not in STREAMS:
        return
    match fault.what:
        case Corrupt(mask, int(at)) if at:
            yield replace(fault, what=Corrupt(mask=mask, at=0))
            yield replace(fault, what=Corrupt(mask=mask, at=at // 2))
        case Truncate(keep, delimiter) if keep:
            yield replace(fault, what=Truncate(keep=keep // 2, delimiter=delimiter))
        case Delay(seconds) if seconds > 1:
            yield replace(fault, what=Delay(seconds / 2))
        case _:
            pass
    if not isinstance(fault.what, Drop):
        yield replace(fault, what=Drop())


def by_running(adapter: Adapter) -> VerdictOf:
    """Return a function that runs a case with `adapter` and gives the verdict, each case and each job once.

    Args:
        adapter: The flasher.
    """
    verdicts: dict[str, Verdict] = {}
    clean_s: dict[str, float] = {}

    def verdict_of(case: Case) -> Verdict:
        clean = case.clean
        if clean.id not in clean_s:
            (result,) = adapter.run([clean.task(CLEAN_LIMIT_S)])
            clean_s[clean.id] = result.evidence.virtual_s
        if case.id not in verdicts:
            (result,) = adapter.run([case.task(limit_s(clean_s[clean.id]) + 1)])
            verdicts[case.id] = judge(case, result, clean_s[clean.id]).verdict
        return verdicts[case.id]

    return verdict_of
