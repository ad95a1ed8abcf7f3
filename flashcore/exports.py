"""The names of the package, each loaded when it is first asked for.

``import flashcore`` happens before every command line and in every test, most of which need a small part of it. The types of
these names are in ``__init__.pyi``, which lists the same ones.
"""

from __future__ import annotations

import sys
from importlib import import_module

EXPORTS = {
    "After": "flashcore.loader",
    "Before": "flashcore.loader",
    "ChipInfo": "flashcore.loader",
    "ChipSpec": "flashcore.chips",
    "Event": "flashcore.loader",
    "Finding": "flashcore.loader",
    "FlashcoreError": "flashcore.errors",
    "Flasher": "flashcore.loader",
    "Options": "flashcore.loader",
    "Host": "flashcore.host",
    "Port": "flashcore.port",
    "Region": "flashcore.image",
    "SystemHost": "flashcore.ports",
    "chip": "flashcore.chips",
    "list_ports": "flashcore.ports",
    "load_regions": "flashcore.image",
    "open_port": "flashcore.ports",
    "reach": "flashcore.approach",
}
"""Each name with the module that holds it."""


def __getattr__(name: str) -> object:
    """Return the export called `name`, and keep it in the package.

    Raises:
        AttributeError: There is none.
    """
    if name not in EXPORTS:
        raise AttributeError(f"module 'flashcore' has no attribute {name!r}")
    value: object = getattr(import_module(EXPORTS[name]), name)
    setattr(sys.modules["flashcore"], name, value)
    return value


def __dir__() -> list[str]:
    """Return the names of the package, for completion."""
    return sorted(EXPORTS)
