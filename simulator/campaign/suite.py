"""What the command line asks for, turned into cases: a suite, or faults given one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum, unique

from flashcore.errors import PlanError
from simulator.campaign import generate, sweep
from simulator.campaign.case import DEFAULT_BOARD, Case
from simulator.faults.text import parse
from simulator.flashers.adapter import Evidence
from simulator.flashers.task import Job


@unique
class Suite(StrEnum):
    """Which cases there are."""

    SMOKE = "smoke"
    """The commonest failures, one case each."""
    CATALOGUE = "catalogue"
    """One case per row of the fault catalogue."""
    SINGLES = "singles"
    """Single faults whose effect on today's flashers is known."""
    SWEEP = "sweep"
    """Each kind of fault at each frame each way, each change of the lines, each operation of the flash."""
    EXHAUSTIVE = "exhaustive"
    """Everything that may happen to the frames by which one block is written, taken together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run for each flasher.

    Args:
        suite: Which cases.
        faults: These faults together as the only case, instead of a suite.
        board: Name of the board preset.
        seed: The runs' only randomness.
        size: Bytes to write; by default what the suite is made for.
        used: Whether the flash holds something else before, as it always does in a sweep, so that there is something to erase.
        pairs: In a sweep, how many pairs of faults besides.
        frame: In a sweep, the bytes of this frame and nothing else.
        limit: Most cases for a flasher, spread evenly; all by default.
    """

    suite: Suite = Suite.SMOKE
    faults: tuple[str, ...] = ()
    board: str = DEFAULT_BOARD
    seed: int = 0
    size: int | None = None
    used: bool = False
    pairs: int = 0
    frame: str = ""
    limit: int | None = None

    @property
    def name(self) -> str:
        """What reports call the suite."""
        return "faults" if self.faults else self.suite.value

    def clean(self, flasher: str) -> Case:
        """Return the run without faults of `flasher`."""
        sizes = {Suite.SWEEP: sweep.SIZE, Suite.EXHAUSTIVE: sweep.SMALL_SIZE}
        usual = generate.SMOKE_SIZE if self.faults else sizes.get(self.suite, generate.SMOKE_SIZE)
        used = self.used or (self.suite in sizes and not self.faults)
        job = replace(Job.of_size(self.size or usual, self.seed), used=used)
        return generate.clean(flasher, suite=self.name, board=self.board, seed=self.seed, job=job)

    def points(self, flasher: str, counted: Evidence) -> list[Case]:
        """Return all the cases of `flasher`, before any limit.

        Args:
            flasher: Its name.
            counted: What its run without faults showed.

        Raises:
            PlanError: A fault or a frame is unknown or malformed, or two presets ask for different jobs.
        """
        base = self.clean(flasher)
        if self.faults:
            return [_together(base, self.faults)]
        match self.suite:
            case Suite.SMOKE:
                return generate.smoke(base)
            case Suite.CATALOGUE:
                return generate.catalogue(base)
            case Suite.SINGLES:
                return generate.single(base)
            case Suite.SWEEP:
                singles = sweep.sweep_bytes(base, self.frame, counted) if self.frame else sweep.sweep(base, counted)
                return singles + sweep.pairs(singles, self.pairs, self.seed)
            case Suite.EXHAUSTIVE:
                return sweep.exhaustive(base, counted)

    def cases(self, flasher: str, counted: Evidence) -> list[Case]:
        """Return the cases of `flasher` that are to run; see `points`."""
        return generate.spread(self.points(flasher, counted), self.limit)


def _together(base: Case, faults: tuple[str, ...]) -> Case:
    """Return the case in which all of `faults` are planned; any one that is permanent makes it so.

    Raises:
        PlanError: Two presets ask for different jobs.
    """
    names = [name for name in faults if ":" not in name]
    rows = [generate.row(base, name) for name in names]
    # With several faults, or one that has no accepted diagnoses, nobody can say which of them is to be named.
    if len(faults) == len(rows) == 1:
        return rows[0]
    jobs = {case.job: name for case, name in zip(rows, names, strict=True) if case.job != base.job}
    if len(jobs) > 1:
        raise PlanError(f"{' and '.join(jobs.values())} ask for different jobs", hint="give them one by one")
    lasting = any(not case.transient for case in rows) or any(not parse(text).transient for text in faults if ":" in text)
    return replace(base, preset="faults", faults=faults, job=next(iter(jobs), base.job), transient=not lasting)
