"""Finding the fault presets that come with the package."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files

from flashcore.errors import PlanError
from simulator.faults.nearest import nearest
from simulator.faults.presets.preset import FaultPreset, parse_preset
from simulator.faults.presets.tables import plain


@cache
def _all() -> dict[str, FaultPreset]:
    folder = files("simulator.faults.presets")
    found = [
        parse_preset(file.read_text("utf-8"), source=file.name) for file in folder.iterdir() if file.name.endswith(".toml")
    ]
    return {item.id: item for item in sorted(found, key=lambda item: (item.rank, item.variant, item.id))}


def names() -> list[str]:
    """Return the names of all presets, the most common failure first, variants behind the row that they belong to."""
    return list(_all())


def preset(name: str) -> FaultPreset:
    """Return the preset called `name`.

    Raises:
        PlanError: There is none; the error names the nearest.
    """
    try:
        return _all()[name]
    except KeyError:
        raise PlanError(f"unknown fault {name!r}", hint=nearest(name, names())) from None


@cache
def fingerprint(name: str) -> str:
    """Return a hash of all that the preset called `name` says; empty if there is none."""
    found = _all().get(name)
    return hashlib.blake2b(json.dumps(plain(found)).encode(), digest_size=8).hexdigest() if found else ""
