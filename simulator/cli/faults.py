"""``espsim faults``: what can go wrong on purpose."""

from __future__ import annotations

import json

import click


@click.command("faults")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one list of objects.")
def command(*, name: str | None, as_json: bool) -> None:
    """List the faults that `--fault` knows by name, the most common first; or show the one called NAME."""
    from simulator.faults import presets
    from simulator.faults.presets.tables import plain

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
            "device": row.device,
            "transient": "yes" if row.transient else "no",
            "evidence": ", ".join(row.evidence),
        }
        from simulator.cli.tables import show_fields

        show_fields(fields)
    else:
        from simulator.cli.tables import show_table

        show_table(
            ("fault", "what goes wrong", "transient"), [(row.id, row.title, "yes" if row.transient else "no") for row in rows]
        )
        click.echo("Or in text form, for example h2d:nth_frame(MEM_DATA,3):corrupt(mask=0x01)")
