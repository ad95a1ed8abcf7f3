"""One whole session, and the hash of everything that happened in it: run as a script by other interpreters.

Prints one JSON object: fault name to hash and how often it struck. Uses the ROM loader, so that no esptool is needed where it
runs.
"""

from __future__ import annotations

import json
import random
import sys

from flashcore.errors import FlashcoreError
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from simulator.faults import presets
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario

EXTRA = ("h2d:chance(0.05):corrupt", "d2h:chance(0.05):truncate(9)", "d2h:every(9):delay(0.3)")
"""Faults that draw from their dice, besides the presets."""


def session(fault: str, seed: int) -> str:
    """Return the hash of all events of a session that writes 9 KiB behind `fault`, and how often that struck."""
    world = Scenario(board="ttgo-lora32-v1", faults=(fault,) if fault else (), seed=seed).build()
    data = random.Random(5).randbytes(9 * 1024)
    try:
        with Flasher.open(VirtualPort(world.device), Options(use_stub=False)) as flasher:
            flasher.write([Region(offset=0x20000, data=data)])
    except FlashcoreError:
        pass
    struck = sum(item.fired for planned in world.planned for item in planned.active)
    return f"{world.journal.digest()} {struck}"


def all_sessions(seed: int = 1) -> dict[str, str]:
    """Return the hash of a session behind each preset and each extra fault."""
    return {fault: session(fault, seed) for fault in (*presets.names(), *EXTRA)}


if __name__ == "__main__":
    json.dump(all_sessions(), sys.stdout)
