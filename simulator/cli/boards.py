"""``espsim boards``: what can be simulated."""

from __future__ import annotations

import json

import click


@click.command("boards")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one list of objects.")
def command(*, name: str | None, as_json: bool) -> None:
    """List the boards, or show the one called NAME."""
    from simulator.board.presets import PRESETS, preset
    from simulator.cli.board_fields import fields

    rows = [fields(preset(item)) for item in ([name] if name else PRESETS)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from simulator.cli.tables import show_fields, show_table

    if name:
        show_fields({key.replace("_", " "): value for key, value in rows[0].items()})
    else:
        columns = ("name", "bridge", "usb_id", "chip", "flash", "board")
        show_table(tuple(column.replace("_", " ") for column in columns), [[row[column] for column in columns] for row in rows])
