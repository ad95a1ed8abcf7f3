"""The scorecard as one HTML file that needs nothing else: no network, no script to be read, no colour to be understood."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from simulator.record.ladder import Step
from simulator.scorecard.card import Card, Entry
from simulator.scorecard.grade import called, missing
from simulator.scorecard.ladder_svg import SHAPES, ladder_svg
from simulator.scorecard.marks import MARKS
from simulator.scorecard.text import plural, visible
from simulator.scorecard.view import View, anchor, searched

if TYPE_CHECKING:
    # It takes longer to load than a table takes to print.
    from jinja2 import Environment
    from markupsafe import Markup


def html(card: Card) -> str:
    """Return the card as a page."""
    from markupsafe import Markup

    style, script = _part("style.css"), _part("filter.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Style and script are our own files, and their digests are on the page: nothing else may run.
    page = _environment().get_template("scorecard.html")
    return page.render(
        view=View(card),
        card=card,
        meta=card.meta,
        missing=list(missing(card)),
        partly=[(preset, about) for preset, about in card.meta.presets.items() if about.modelled],
        style=Markup(style),
        script=Markup(script),
        script_digest=f"sha256-{digest}",
        shapes=Markup(SHAPES),
    )


@cache
def _part(name: str) -> str:
    return files("simulator.scorecard").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("simulator.scorecard", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.globals.update(marks=MARKS, called=called, anchor=anchor, searched=searched, drawing=_drawing)
    environment.filters["plural"] = plural
    return environment


def _harmless(value: object) -> object:
    """Make what a flasher printed visible; escaping it is the environment's work."""
    from markupsafe import Markup

    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _drawing(entry: Entry) -> Markup:
    from markupsafe import Markup

    steps: tuple[Step, ...] = entry.ladder
    return Markup(ladder_svg(steps, f"Ladder of {entry.flasher} under {entry.preset}"))
