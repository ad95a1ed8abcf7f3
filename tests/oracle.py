"""Recorded answers of the real ROM and stubs, as the tests read them.

The files under ``tests/data/oracle`` hold byte strings as hex, as ``@id`` references into ``blobs.json``, or as lists of
``[hex-or-@id, repeat]`` pairs; `expand` turns any of them into bytes.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "oracle"


@functools.cache
def load(name: str) -> dict[str, Any]:
    """Return the parsed vector file `name`, for example ``rom_sync``."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def probes(name: str) -> list[dict[str, Any]]:
    """Return all probes of the vector file `name`."""
    return load(name)["probes"]


def expand(value: str | list[list[Any]]) -> bytes:
    """Return the bytes that a ``send`` or ``recv`` value stands for."""
    if isinstance(value, str):
        return bytes.fromhex(load("blobs")[value] if value.startswith("@") else value)
    return b"".join(expand(part) * count for part, count in value)
