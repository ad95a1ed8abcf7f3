"""Tables on the terminal; plain text without frames where standard output is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, styles: Sequence[Sequence[str]] | None = None) -> None:
    """Print a table.

    Args:
        header: The columns' names.
        rows: Its lines.
        styles: For each cell how it looks on a terminal, in rich's words.
    """
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*header)
        for number, row in enumerate(rows):
            # Text and not markup: a cell may hold brackets.
            table.add_row(*(Text(cell, styles[number][column] if styles else "") for column, cell in enumerate(row)))
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
