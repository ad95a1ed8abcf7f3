"""The verdict on a run: from the flash array and the clock, with exit status and messages as what the flasher claims.

The worst that is true counts. A claim of success where the job is not done is a false success, whatever else happened. A board
that a clean session cannot flash afterwards is bricked, and so is one that the flasher keeps from everybody: held in reset, or
behind a port that it left open. A wait that nothing ends, or work beyond any reasonable time, is a hang. A failure is clean if
the flasher stops in time, without a traceback, says one of the things that the fault's preset accepts, and has not begun what
it should have refused. A run whose fault never struck proves nothing, and neither does one in which the model did not know
what the real thing does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol, TypeVar

from simulator.campaign.case import Case
from simulator.flashers.adapter import Evidence, Result

SLOWER, GRACE_S = 10, 60.0
"""How many times the clean time a flasher may take to get over a transient fault, and virtual seconds on top of that. The
slowest recoveries of flashcore in a sweep take three times the clean time."""
STOP_SLOWER, STOP_GRACE_S = 20, 300.0
"""The same for everything else: until it stops, or has found a way around a permanent fault. esptool waits up to 120 s for one
answer, and connects seven times."""


@unique
class Verdict(StrEnum):
    """What a run shows about a flasher, from best to worst; the last two show nothing."""

    RECOVERED = "RECOVERED"
    """Finished in time, and the flash is right."""
    FAILED_CLEAN = "FAILED_CLEAN"
    """Stopped in time, with a right diagnosis."""
    FAILED_MISDIAGNOSED = "FAILED_MISDIAGNOSED"
    """Stopped in time, and named another cause or none."""
    CRASHED = "CRASHED"
    """Ended in a traceback, or killed by the system."""
    HUNG = "HUNG"
    """Did not end in time."""
    BRICKED = "BRICKED"
    """Left a board that is of no use any more: it cannot be flashed, or is held in reset, or its port is kept open."""
    FALSE_SUCCESS = "FALSE_SUCCESS"
    """Said that it worked; it did not."""
    NOT_EXERCISED = "NOT_EXERCISED"
    """The planned fault did not strike, or the flasher cannot be given the job."""
    MODEL_GAP = "MODEL_GAP"
    """The simulator does not know what the real thing does."""

    @property
    def badness(self) -> int:
        """0 for the best; the two that show nothing rank between failing cleanly and failing badly."""
        return _RANKS[self]

    @property
    def is_bad(self) -> bool:
        """Whether the flasher should have done better."""
        return self not in (Verdict.RECOVERED, Verdict.FAILED_CLEAN, Verdict.NOT_EXERCISED, Verdict.MODEL_GAP)


_ORDER = (
    Verdict.RECOVERED,
    Verdict.FAILED_CLEAN,
    Verdict.NOT_EXERCISED,
    Verdict.MODEL_GAP,
    Verdict.FAILED_MISDIAGNOSED,
    Verdict.CRASHED,
    Verdict.HUNG,
    Verdict.BRICKED,
    Verdict.FALSE_SUCCESS,
)
_RANKS = {verdict: rank for rank, verdict in enumerate(_ORDER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on.

    Args:
        verdict: The verdict.
        diagnosis: What the flasher gave as its reason, in one line; empty after success.
        reason: Why the verdict is this one.
    """

    verdict: Verdict
    diagnosis: str
    reason: str


class Judged(Protocol):
    """Whatever has a verdict."""

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        ...


_J = TypeVar("_J", bound=Judged)


def worst_first(judged: Iterable[_J]) -> list[_J]:
    """Return what the flashers should have done better, false successes first."""
    return sorted((item for item in judged if item.verdict.is_bad), key=lambda item: -item.verdict.badness)


def limit_s(clean_s: float) -> float:
    """Return how many virtual seconds any run may take where a clean one takes `clean_s`."""
    return STOP_SLOWER * clean_s + STOP_GRACE_S


def judge(case: Case, result: Result, clean_s: float) -> Judgement:
    """Return the verdict on `result`.

    Args:
        case: What was asked.
        result: What came of it.
        clean_s: How long the same job takes without faults, in virtual seconds.
    """
    verdict, reason = _verdict(case, result, clean_s)
    after_s = result.evidence.after_fault_s
    if result.status and after_s is not None and not result.problem:
        reason += f"; it ended {after_s:.1f} s after the fault first struck"
    said = diagnosis_in("\n".join(result.errors) or result.messages) if result.status else ""
    return Judgement(verdict=verdict, diagnosis=said, reason=reason)


def _verdict(case: Case, result: Result, clean_s: float) -> tuple[Verdict, str]:
    evidence = result.evidence
    if result.skipped:
        return Verdict.NOT_EXERCISED, f"not run: {result.skipped}"
    if result.problem or evidence.gaps:
        return Verdict.MODEL_GAP, result.problem or evidence.gaps[0]
    if result.status == 0 and (missing := _missing(case, evidence)):
        return Verdict.FALSE_SUCCESS, f"success was reported, and {missing}"
    if evidence.recoverable is False:
        return Verdict.BRICKED, "a clean session could not flash the board afterwards"
    if evidence.left and not result.hung:
        return Verdict.BRICKED, f"it left the board of no use: {', '.join(evidence.left)}"
    if result.hung:
        return Verdict.HUNG, "it waited for something that never comes"
    if result.traceback:
        return Verdict.CRASHED, f"it ended in an error that it did not handle, exit status {result.status}"
    recovers = result.status == 0 and case.transient
    bound = SLOWER * clean_s + GRACE_S if recovers else limit_s(clean_s)
    if evidence.virtual_s > bound:
        return Verdict.HUNG, f"it took {evidence.virtual_s:.1f} s, more than {bound:.1f} s"
    if not evidence.exercised:
        missed = ", ".join(fault.name for fault in evidence.faults if not fault.exercised)
        return Verdict.NOT_EXERCISED, f"did not strike: {missed}"
    if result.status == 0:
        return Verdict.RECOVERED, f"the job is done after {evidence.virtual_s:.1f} s"
    return _of_failure(case, result)


def _missing(case: Case, evidence: Evidence) -> str:
    """Return what there is to be said against a claim of success; nothing where it is true."""
    job = case.job
    if job.action == "read":
        if not evidence.read_back:
            return "what was read is not what the flash holds"
        return "the flash changed, which was to be read" if evidence.touched else ""
    if not evidence.holds:
        return "the flash is not blank" if job.action == "erase" else "the flash does not hold the images"
    if evidence.astray:
        return "flash outside the images changed"
    if job.success == "boots" and not evidence.boots:
        return "the board starts no app when it is reset"
    if job.success == "runs" and not evidence.runs:
        return "no app is running"
    return ""


def _of_failure(case: Case, result: Result) -> tuple[Verdict, str]:
    if not case.faults and result.evidence.recoverable:
        return Verdict.FAILED_MISDIAGNOSED, f"it stopped with exit status {result.status}, and nothing was wrong"
    if case.job.untouched and result.evidence.touched:
        return Verdict.FAILED_MISDIAGNOSED, "it refused only when it had changed the flash already"
    if not case.accept:
        return Verdict.FAILED_CLEAN, f"it stopped with exit status {result.status}; any diagnosis will do here"
    if (pattern := told_by(case.accept, result.messages)) is not None:
        return Verdict.FAILED_CLEAN, f"the diagnosis matches {pattern!r}"
    return Verdict.FAILED_MISDIAGNOSED, "the diagnosis is none of those that the fault's preset accepts"


def told_by(accept: Iterable[str], messages: str) -> str | None:
    """Return the first pattern of `accept` that `messages` match, ``None`` if they match none.

    Case, and the number of blanks between words, are of no account, and neither is what a flasher says whatever is wrong.
    """
    text = " ".join(_BOILERPLATE.sub(" ", messages).split())
    return next((pattern for pattern in accept if re.search(pattern, text, re.IGNORECASE)), None)


_BOILERPLATE = re.compile(
    r"\bhttps?://\S+|It is likely not a problem with esptool, but with the hardware connection or drivers\."
    r"|the port is busy or doesn't exist|(?<=Serial data stream stopped): Possible serial noise or corruption"
)
"""What is said whatever is wrong, and so is no diagnosis: addresses of help pages, esptool's note to every error of a port, its
first line for each port that it cannot open, and what it adds whenever an answer does not come."""

_TELLING = re.compile(r"fatal error|serial exception|^[a-z_]+\.[a-z_.]+: |error|hangs: ", re.IGNORECASE)
_ASIDE = re.compile(r"^(?:hint|note): |^For troubleshooting steps ", re.IGNORECASE)
_LEAD = re.compile(r"^(?:ERROR: )?A (?:fatal|serial exception) error occurred:\s*", re.IGNORECASE)


def diagnosis_in(messages: str) -> str:
    """Return the line of `messages` that says why it failed: the last that speaks of an error, else the last of all."""
    lines = [line.strip() for line in messages.splitlines() if line.strip() and not _ASIDE.match(line.strip())]
    telling = [line for line in lines if _TELLING.search(line)]
    found = (telling or lines or [""])[-1]
    return _LEAD.sub("", found)[:300]
