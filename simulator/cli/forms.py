"""The forms of a scorecard that can be asked for, and writing them: each file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from simulator.scorecard.card import Card

_F = TypeVar("_F", bound=Callable[..., object])

_FORMS = {
    "html": "one page that needs nothing else",
    "json": "all results; espsim report makes the other forms of it",
    "junit": "JUnit XML, for CI",
    "markdown": "a summary for a pull request",
}


def form_options(function: _F) -> _F:
    """Give a command the options for all forms, and for a card to compare with."""
    function = click.option(
        "--baseline",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="An older JSON file: say what got worse since.",
    )(function)
    for name, text in reversed(_FORMS.items()):
        option = click.option(
            f"--{name}",
            f"{name}_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help=f"Write FILE: {text}.",
        )
        function = option(function)
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Which files are to be written.

    Args:
        html_file: The page.
        json_file: All results.
        junit_file: JUnit XML.
        markdown_file: The summary.
        baseline: A JSON file to compare with.
    """

    html_file: Path | None = None
    json_file: Path | None = None
    junit_file: Path | None = None
    markdown_file: Path | None = None
    baseline: Path | None = None

    @property
    def need_ladders(self) -> bool:
        """Whether any of them shows what happened on the line."""
        return self.html_file is not None or self.json_file is not None

    def check(self) -> None:
        """Check what can be checked before anything runs.

        Raises:
            click.UsageError: A folder is missing, or in the place of a file.
            ScenarioError: The card to compare with cannot be read.
        """
        for path in (self.html_file, self.json_file, self.junit_file, self.markdown_file):
            if path is not None and not path.absolute().parent.is_dir():
                raise click.UsageError(f"cannot write {path}: there is no such folder")
            if path is not None and path.is_dir():
                raise click.UsageError(f"cannot write {path}: it is a folder")
        self.before()

    def before(self) -> Card | None:
        """Return the card to compare with, if there is one.

        Raises:
            ScenarioError: It cannot be read.
        """
        if self.baseline is None:
            return None
        from simulator.scorecard.card import Card

        return Card.read(self.baseline)

    def write(self, card: Card) -> None:
        """Write the files.

        Raises:
            ScenarioError: One cannot be written.
        """
        if self.json_file is not None:
            _write(self.json_file, card.to_json())
        if self.html_file is not None:
            from simulator.scorecard.html import html

            _write(self.html_file, html(card))
        if self.junit_file is not None:
            from simulator.scorecard.junit import junit

            _write(self.junit_file, junit(card))
        if self.markdown_file is not None:
            from simulator.scorecard.markdown import markdown

            _write(self.markdown_file, markdown(card, self.before()))


def _write(path: Path, text: str) -> None:
    from flashcore.errors import ScenarioError
    from flashcore.whole_file import write_whole

    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise ScenarioError(f"cannot write {path}: {error.strerror}") from error
