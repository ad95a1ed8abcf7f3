"""What ``run`` and ``serve`` share about time limits: the option's type."""

from __future__ import annotations

import click

LONGEST_S = 1_000_000
"""Eleven days; the systems below count in 31 bits of milliseconds, which is twice that."""


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases of click
    """A time limit: a number of seconds above zero."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` as a number."""
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= LONGEST_S:
            self.fail(f"{value!r} is no number of seconds above 0 and up to {LONGEST_S}", param, ctx)
        return seconds
