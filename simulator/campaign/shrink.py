"""Reducing a plan of several faults to a smallest one that still gets the same verdict.

Delta debugging over the faults: halves are tried first, then ever smaller parts, until no single fault can be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulator.campaign.case import Case
from simulator.campaign.oracle import Verdict, judge, limit_s
from simulator.flashers.adapter import Adapter


def shrink(case: Case, wanted: Verdict, verdict_of: Callable[[Case], Verdict]) -> Case:
    """Return `case` with as few of its faults as still give the verdict `wanted`.

    Args:
        case: A case that gives it.
        wanted: The verdict.
        verdict_of: Runs a case.
    """
    faults = case.faults
    parts = 2
    while len(faults) > 1:
        size = -(-len(faults) // parts)
        for start in range(0, len(faults), size):
            fewer = faults[:start] + faults[start + size :]
            if fewer and verdict_of(replace(case, faults=fewer)) is wanted:
                faults, parts = fewer, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(faults), 2 * parts)
    return replace(case, faults=faults)


def by_running(adapter: Adapter, clean_s: float) -> Callable[[Case], Verdict]:
    """Return a function that runs a case with `adapter` and gives the verdict.

    Args:
        adapter: The flasher.
        clean_s: How long the job takes without faults, in virtual seconds.
    """

    def verdict_of(case: Case) -> Verdict:
        (result,) = adapter.run([case.task(limit_s(clean_s) + 1)])
        return judge(case, result, clean_s).verdict

    return verdict_of
