"""How benchmarks measure, compare and judge.

A machine's speed drifts, and other programs take their share of it, so what is compared is run in turn, A B A B, and each
ratio is the median over the rounds of the ratio within one round. That is more robust than the ratio of the medians, from
which it may differ a little in the table. Work that only computes is timed by its process's own CPU time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Sampler = Callable[[], float]
"""Does the work once and returns the figure."""

Rounds = Mapping[str, Sequence[float]]
"""For each contender its figure in each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a ratio has to be.

    Args:
        bound: Whether `ratio` is the least or the most that is allowed.
        ratio: Our figure divided by the baseline's.
    """

    bound: Literal[">=", "<="]
    ratio: float

    def met_by(self, ratio: float) -> bool:
        """Tell whether `ratio` is good enough."""
        return ratio >= self.ratio if self.bound == ">=" else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{self.bound} {self.ratio:g}"


def at_least(ratio: float) -> Target:
    """Return the target of a figure of which more is better."""
    return Target(bound=">=", ratio=ratio)


def at_most(ratio: float) -> Target:
    """Return the target of a figure of which less is better."""
    return Target(bound="<=", ratio=ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison.

    Args:
        figure: What was measured.
        unit: Of both figures.
        ours: Our figure, the median over the rounds.
        baseline: What it is compared with.
        theirs: The baseline's figure, the median over the rounds.
        ratio: Ours divided by theirs, the median over the rounds.
        target: What the ratio has to be; ``None`` if it is shown for information.
    """

    figure: str
    unit: str
    ours: float
    baseline: str
    theirs: float
    ratio: float
    target: Target | None

    @property
    def met(self) -> bool:
        """Whether the target is met, or there is none."""
        return self.target is None or self.target.met_by(self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What one benchmark found.

    Args:
        name: The benchmark's name.
        title: What it is about, in one line.
        rows: Its comparisons.
    """

    name: str
    title: str
    rows: tuple[Row, ...]

    @property
    def met(self) -> bool:
        """Whether all targets are met."""
        return all(row.met for row in self.rows)

    def as_json(self) -> dict[str, object]:
        """Return the table as plain data."""
        return {"name": self.name, "title": self.title, "rows": [{**asdict(row), "met": row.met} for row in self.rows]}


def in_turn(contenders: Mapping[str, Sampler], rounds: int) -> dict[str, list[float]]:
    """Run every contender `rounds` times, one after the other in each round, after one round that does not count."""
    for sample in contenders.values():
        sample()
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, sample in contenders.items():
            figures[name].append(sample())
    return figures


def compare(figure: str, unit: str, rounds: Rounds, ours: str, baseline: str, target: Target | None) -> Row:
    """Return the row for `ours` beside `baseline`."""
    pairs = zip(rounds[ours], rounds[baseline], strict=True)
    return Row(
        figure=figure,
        unit=unit,
        ours=statistics.median(rounds[ours]),
        baseline=baseline,
        theirs=statistics.median(rounds[baseline]),
        ratio=statistics.median(mine / theirs for mine, theirs in pairs),
        target=target,
    )


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU time that `work` takes in this process, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def wall_s(work: Callable[[], object]) -> float:
    """Return the wall time that `work` takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rate(work: Callable[[], object], amount: float, *, least_s: float) -> float:
    """Return how much of `amount` is done per second of CPU time.

    Args:
        work: Does `amount` of it once.
        amount: In any unit.
        least_s: For how long to repeat it, in seconds of CPU time.
    """
    times = 0
    start = now = time.process_time()
    while not times or now - start < least_s:
        work()
        times += 1
        now = time.process_time()
    return amount * times / max(now - start, 1e-9)


def lines(table: Table) -> list[str]:
    """Return the table as aligned text."""
    head = ("figure", "ours", "", "baseline", "baseline's", "ratio", "target", "met")
    body = [_cells(row) for row in table.rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    rule = "  ".join("-" * width for width in widths)
    return [f"{table.name}: {table.title}", _aligned(head, widths), rule, *(_aligned(cells, widths) for cells in body)]


def _cells(row: Row) -> tuple[str, ...]:
    met = "-" if row.target is None else "yes" if row.met else "NO"
    return (
        row.figure,
        _number(row.ours),
        row.unit,
        row.baseline,
        _number(row.theirs),
        _number(row.ratio),
        str(row.target or "-"),
        met,
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _aligned(cells: Iterable[str], widths: Sequence[int]) -> str:
    numbers = {1, 4, 5}
    padded = (
        cell.rjust(width) if index in numbers else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
