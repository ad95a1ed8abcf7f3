"""``espsim report``: a kept scorecard in every other form."""

from __future__ import annotations

from pathlib import Path

import click

from simulator.cli.forms import Forms, form_options

EPILOG = """\b
Examples:
  espsim report score.json
  espsim report score.json --html score.html --markdown comment.md --baseline main.json
"""


@click.command("report", epilog=EPILOG)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@form_options
def command(*, file: Path, **files: Path | None) -> None:
    """Show the scorecard in FILE, which `espsim score --json` has written, and write it in other forms. Nothing runs."""
    forms = Forms(**files)
    forms.check()
    from simulator.cli.verdicts import show
    from simulator.scorecard.card import Card

    card = Card.read(file)
    forms.write(card)
    show(card, forms.before())
