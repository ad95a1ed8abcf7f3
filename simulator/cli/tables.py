"""Tables on the terminal; plain text without frames where standard output is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*header)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    for line in (header, *rows):
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def show_fields(fields: Mapping[str, str]) -> None:
    """Print names with their values, leaving out what is empty."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        for position, line in enumerate(value.splitlines()):
            click.echo(f"{name if not position else '':{width}}  {line}")
