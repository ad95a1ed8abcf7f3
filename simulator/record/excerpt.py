"""The part of a long ladder that is worth showing: how it began, what happened around each strike, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from simulator.record.ladder import Kind, Step

HEAD, TAIL = 8, 12
"""Steps that are always shown at the beginning and at the end."""
BEFORE, AFTER = 2, 4
"""Steps that are shown around each strike."""
NAMED = 3
"""Most kinds of steps that are named where some are left out."""

ALIKE = 3
"""Most steps with the same words that are shown for their own sake: struck by one fault, refused, or of the chip."""

SPARED = 2
"""Most steps in a row that are shown after all, as saying that they are left out takes no less room."""

LIMIT = 60
"""Steps of an excerpt, not counting those that say what is left out."""


def excerpt(steps: Sequence[Step], limit: int = LIMIT) -> list[Step]:
    """Return about `limit` steps: those that matter most, with a step of the kind ``skipped`` for each run left out.

    Args:
        steps: A whole ladder.
        limit: How many, about; the end and the beginning come first, then the earliest strikes.
    """
    if len(steps) <= limit:
        return list(steps)
    kept: set[int] = set()
    room = limit
    for index in _by_interest(steps):
        if room <= 0:
            break
        if index not in kept:
            # One that stands apart needs a line before it that says what is left out.
            room -= 1 if {index - 1, index + 1} & kept else 2
            kept.add(index)
    result: list[Step] = []
    left_out: list[Step] = []
    for index, step in enumerate(steps):
        if index not in kept:
            left_out.append(step)
            continue
        if left_out:
            result += [_skipped(left_out)] if len(left_out) > SPARED else left_out
            left_out = []
        result.append(step)
    return result


def _by_interest(steps: Sequence[Step]) -> Iterator[int]:
    count = len(steps)
    yield from range(count - 1, count - 1 - TAIL, -1)
    yield from range(HEAD)
    seen: Counter[tuple[str, str]] = Counter()
    for index, step in enumerate(steps):
        seen[step.title, step.fault] += step.strikes
        if step.strikes and seen[step.title, step.fault] <= ALIKE:
            yield from range(max(0, index - BEFORE), min(count, index + AFTER + 1))
    for index, step in enumerate(steps):
        if step.kind in (Kind.CHIP, Kind.PORT) or step.refused:
            seen[step.title, ""] += 1
            if seen[step.title, ""] <= ALIKE:
                yield index


def _skipped(steps: Sequence[Step]) -> Step:
    names: Counter[str] = Counter()
    for step in steps:
        names[step.title.partition(" #")[0]] += step.count
    common = "; ".join(f"{name} \u00d7{count}" if count > 1 else name for name, count in names.most_common(NAMED))
    more = "; ..." if len(names) > NAMED else ""
    count = sum(step.count for step in steps)
    return Step(at_ns=steps[0].at_ns, end_ns=steps[-1].end_ns, kind=Kind.SKIPPED, title=common + more, count=count)
