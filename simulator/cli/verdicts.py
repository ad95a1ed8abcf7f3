"""A scorecard on the terminal: lies first, then the table, then what else is bad, then what was visited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from simulator.campaign.oracle import Verdict
from simulator.cli.tables import show_table
from simulator.scorecard.card import Card
from simulator.scorecard.grade import Bad, bad_kinds, changes, duty, flashers, of, rows, verdicts_in_words
from simulator.scorecard.marks import MARKS
from simulator.scorecard.text import plural, visible

SHOWN = 10
"""How many kinds of bad cases are listed, each by its first; the JSON file has all."""


def show(card: Card, before: Card | None = None) -> None:
    """Print a card, and what changed since `before`."""
    bad = bad_kinds(card.cases)
    lies = [kind for kind in bad if kind.entry.verdict is Verdict.FALSE_SUCCESS]
    if lies:
        click.echo(plural(sum(kind.count for kind in lies), "FALSE SUCCESS"))
        _list(lies)
        click.echo()
    _show_table(card)
    others = bad[len(lies) :]
    if others:
        click.echo()
        _list(others)
    if before is not None:
        _show_changes(before, card)
    click.echo()
    for name, text in card.meta.coverage.items():
        click.echo(f"{name}: " + "; ".join(filter(None, (text, str(duty(of(card.cases, name)))))))
    if not card.meta.complete:
        click.echo("interrupted: not all cases have run")


def _show_table(card: Card) -> None:
    cells = {(row.preset, row.flasher): row.verdicts for row in rows(card.cases)}
    names = flashers(card)
    found = [
        (preset, [cells.get((preset, name), Counter()) for name, _ in names])
        for preset in dict.fromkeys(preset for preset, _ in cells)
    ]
    styles = [["", *(MARKS[next(iter(cell))].style if cell else "" for cell in line)] for _, line in found]
    show_table(
        ("fault", *(title for _, title in names)),
        [(preset, *(verdicts_in_words(cell) for cell in line)) for preset, line in found],
        styles=styles,
    )


def _list(kinds: Sequence[Bad]) -> None:
    for kind in kinds[:SHOWN]:
        entry = kind.entry
        times = f" x{kind.count}" if kind.count > 1 else ""
        click.echo(f"{entry.verdict}{times}  {entry.flasher}  {entry.preset}: {visible(entry.reason)}")
        if entry.diagnosis:
            click.echo(f"    it said: {visible(entry.diagnosis)}")
        click.echo(f"    {visible(entry.repeat)}")
    if len(kinds) > SHOWN:
        click.echo(f"... and {plural(len(kinds) - SHOWN, 'kind')} more")


def _show_changes(before: Card, card: Card) -> None:
    found = changes(before, card)
    worse = [change for change in found if change.is_worse]
    click.echo()
    click.echo(f"since the baseline: {len(worse)} worse, {len(found) - len(worse)} better")
    for change in worse[:SHOWN]:
        click.echo(f"    {change.after.flasher}  {change.after.preset}: {change.before.verdict} is now {change.after.verdict}")
