"""``espsim faults``: what can go wrong on purpose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simulator.faults.presets import FaultPreset


@click.command("faults")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one list of objects.")
def command(*, name: str | None, as_json: bool) -> None:
    """List the faults that `--fault` knows by name, the most common first; or show the one called NAME."""
    from simulator.faults import presets
    from simulator.faults.presets.tables import plain
    from simulator.faults.presets.words import desk

    rows = [presets.preset(item) for item in ([name] if name else presets.names())]
    if as_json:
        click.echo(json.dumps([plain(row) for row in rows], indent=2))
    elif name:
        row = rows[0]
        fields = {
            "name": row.id,
            "what": row.title,
            "class": row.class_,
            "flasher must": row.duty,
            "faults": "\n".join(row.faults),
            "exercised": _exercised(row),
            "device": row.device,
            **desk(row),
            "transient": "yes" if row.transient else "no",
            "row": f"{row.rank}, a variant" if row.variant else str(row.rank),
            "in the model": row.modelled,
            "right words": "\n".join(row.accept),
            "evidence": ", ".join(row.evidence),
        }
        from simulator.cli.tables import show_fields

        show_fields(fields)
    else:
        from simulator.cli.tables import show_table

        show_table(
            ("row", "fault", "what goes wrong", "transient"),
            [(str(row.rank), _indented(row), row.title, "yes" if row.transient else "no") for row in rows],
        )
        click.echo("Or in text form, for example h2d:nth_frame(MEM_DATA,3):corrupt(mask=0x01)")


def _indented(row: FaultPreset) -> str:
    """Return the name, set in where it is a variant."""
    return f"  {row.id}" if row.variant else row.id


def _exercised(row: FaultPreset) -> str:
    if row.state or row.device:
        return "when a flasher has met with it"
    return "when any one of these struck" if row.any else "when each of these struck"
