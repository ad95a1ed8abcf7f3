"""The scorecard for a pull request: what got worse and what is bad in sight, the rest folded away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from simulator.campaign.oracle import Verdict
from simulator.scorecard.card import Card, Entry
from simulator.scorecard.grade import (
    Bad,
    Change,
    bad_kinds,
    called,
    changes,
    duty,
    flashers,
    missing,
    of,
    rows,
    verdicts_in_words,
)
from simulator.scorecard.text import one_line, plural, visible

SHOWN = 10
"""Kinds of bad cases in sight; more are left to the other forms."""

_PLAIN = re.compile(r"(?:[A-Za-z0-9 ,;=%()'-]|[.:](?=\d| |$))*")
_SPECIAL = re.compile(r"[^A-Za-z0-9 ,;=%()-]")
_WORST_FIRST = sorted(Verdict, key=lambda verdict: -verdict.badness)


def markdown(card: Card, before: Card | None = None) -> str:
    """Return the card as Markdown.

    Args:
        card: The card.
        before: An older one to compare it with.
    """
    return "\n".join(_lines(card, before)) + "\n"


def escaped(text: str) -> str:
    """Return `text` as Markdown that shows it: no markup, no link and no HTML comes of it, and nobody is mentioned.

    Mentions and links are found after entities are resolved, but never within code, so everything but plain words is code.
    """
    line = one_line(text)
    if _PLAIN.fullmatch(line):
        return line
    return f"<code>{_SPECIAL.sub(lambda found: f'&#{ord(found[0])};', line)}</code>"


def _lines(card: Card, before: Card | None) -> Iterator[str]:
    meta = card.meta
    yield f"### espsim scorecard: {escaped(meta.suite)} on {escaped(meta.board)}"
    yield ""
    if not meta.complete:
        yield "**Interrupted: not all cases have run.**"
        yield ""
    yield from _counts(card)
    bad = bad_kinds(card.cases)
    yield ""
    if before is not None:
        yield from _changes(changes(before, card))
    lies = sum(entry.verdict is Verdict.FALSE_SUCCESS for entry in card.cases)
    if lies:
        yield f"**{plural(lies, 'FALSE_SUCCESS')}: success was reported over a wrong flash.**"
        yield ""
    if bad:
        yield from _table(("verdict", "flasher", "fault", "why"), [_row(kind) for kind in bad[:SHOWN]])
        if len(bad) > SHOWN:
            yield ""
            yield f"... and {plural(len(bad) - SHOWN, 'kind')} more."
    else:
        yield "Nothing is bad: every case either recovered or stopped in time with a right diagnosis."
    yield from _folded("Every fault", _matrix(card))
    if bad:
        yield from _folded("Commands that repeat the bad cases", _commands(kind.entry for kind in bad[:SHOWN]))
    left = list(missing(card))
    if left:
        lines = [f"* {escaped(item.flasher)}: {item.count} \u00d7 {escaped(item.what)} ({escaped(item.why)})" for item in left]
        yield from _folded("Not exercised", lines)
    yield ""
    yield f"<sub>espsim {escaped(meta.espsim)}, seed {meta.seed}, plan `{meta.plan}`</sub>"


def _counts(card: Card) -> Iterator[str]:
    counted = {name: Counter(entry.verdict for entry in of(card.cases, name)) for name in card.meta.flashers}
    given = [verdict for verdict in _WORST_FIRST if any(some[verdict] for some in counted.values())]
    header = ("flasher", *(f"{verdict}" for verdict in given), "exercised", "duty")
    table = [
        (
            escaped(title),
            *(str(counted[name][verdict] or "") for verdict in given),
            card.meta.coverage.get(name, ""),
            str(duty(of(card.cases, name))),
        )
        for name, title in flashers(card)
    ]
    yield from _table(header, table)


def _changes(found: Sequence[Change]) -> Iterator[str]:
    worse = [change for change in found if change.is_worse]
    better = len(found) - len(worse)
    yield f"Against the card before: **{plural(len(worse), 'case')} worse**, {better} better."
    yield ""
    if worse:
        table = [
            (
                escaped(change.after.flasher),
                escaped(_fault(change.after)),
                str(change.before.verdict),
                str(change.after.verdict),
            )
            for change in worse[:SHOWN]
        ]
        yield from _table(("flasher", "fault", "was", "is"), table)
        yield ""


def _row(kind: Bad) -> tuple[str, ...]:
    entry = kind.entry
    why = escaped(entry.reason) + (f"<br>it said: {escaped(entry.diagnosis)}" if entry.diagnosis else "")
    verdict = f"{entry.verdict} \u00d7{kind.count}" if kind.count > 1 else str(entry.verdict)
    fault = _fault(entry) if kind.count == 1 else entry.preset
    return verdict, escaped(called(entry.flasher, entry.version)), escaped(fault), why


def _fault(entry: Entry) -> str:
    return ", ".join(entry.faults) or entry.preset


def _matrix(card: Card) -> list[str]:
    cells = {(row.preset, row.flasher): row for row in rows(card.cases)}
    names = flashers(card)
    table = []
    for preset in dict.fromkeys(preset for preset, _ in cells):
        found = [cells.get((preset, name)) for name, _ in names]
        table.append((escaped(preset), *("" if row is None else verdicts_in_words(row.verdicts) for row in found)))
    return list(_table(("fault", *(escaped(title) for _, title in names)), table))


def _commands(entries: Iterable[Entry]) -> list[str]:
    return ["```sh", *(visible(entry.repeat).replace("\n", " ") for entry in entries), "```"]


def _folded(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def _table(header: Sequence[str], table: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in table:
        yield "| " + " | ".join(row) + " |"
