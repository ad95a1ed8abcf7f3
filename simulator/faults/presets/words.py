"""What a preset says beyond its faults, as short texts for people: only what differs from the usual desk."""

from __future__ import annotations

import dataclasses

from simulator.faults.presets.preset import FaultPreset
from simulator.faults.presets.tables import Table


def desk(row: FaultPreset) -> dict[str, str]:
    """Return what `row` says of board, start, computer and job, by the table's name, without those that say nothing."""
    tables = {"board": row.board, "start": row.start, "host": row.host, "job": row.job}
    told = {name: ", ".join(_told(table)) for name, table in tables.items() if table is not None}
    return {name: text for name, text in told.items() if text}


def _told(table: Table) -> list[str]:
    texts: list[str] = []
    for field in dataclasses.fields(table):  # type: ignore[arg-type]
        value, name = getattr(table, field.name), field.name.rstrip("_")
        factory = field.default_factory
        usual = field.default if factory is dataclasses.MISSING else factory()
        if value == usual:
            continue
        if isinstance(value, Table):
            texts += [f"{name}.{text}" for text in _told(value)]
        elif isinstance(value, tuple):
            parts = [f"({', '.join(_told(item)) or 'as usual'})" if isinstance(item, Table) else str(item) for item in value]
            texts.append(f"{name} {' '.join(parts)}")
        elif name == "offset":
            texts.append(f"{name} 0x{value:x}")
        elif isinstance(value, bool):
            texts.append(name if value else f"no {name}")
        else:
            texts.append(f"{name} {value}")
    return texts
