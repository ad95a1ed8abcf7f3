"""Environment variables that give a client modem lines on a pty, and put the pty into its list of ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.board.bridge import BridgeSpec
from simulator.preload import port_list
from simulator.preload.port_list import ListedPort

if TYPE_CHECKING:
    # What runs a flasher elsewhere needs a few names from here, and no world.
    from simulator.host.virtual_host import VirtualHost

SITE = Path(__file__).with_name("site")
"""Folder with the module that Python runs at its start."""


def for_lines(library: Path, sockets: Mapping[str, str]) -> dict[str, str]:
    """Return what gives a client DTR and RTS.

    Args:
        library: What `simulator.preload.build` made.
        sockets: By the path of each pty the socket that answers for its lines.
    """
    entries = ";".join(f"{port}={socket}" for port, socket in sockets.items())
    return {"LD_PRELOAD": _before(str(library), "LD_PRELOAD"), "ESPSIM_LINES": entries}


def for_list(ports: Sequence[ListedPort | str]) -> dict[str, str]:
    """Return what lets pyserial, in Python 3.7 or newer, list `ports`, those in files by the names of these, and no others."""
    return {"PYTHONPATH": _before(str(SITE), "PYTHONPATH"), port_list.VARIABLE: port_list.to_json(ports)}


def listed(device: str, spec: BridgeSpec) -> ListedPort:
    """Return how a list of ports shows the adapter `spec` behind `device`."""
    return ListedPort(device, spec.vid, spec.pid, spec.serial, spec.manufacturer, spec.product)


def shown_by(host: VirtualHost, path_of: Callable[[str], str] = str, *, quietly: bool = False) -> list[ListedPort]:
    """Return how a list of ports shows what `host` has now.

    Args:
        host: The computer.
        path_of: What a client opens for the port of that name; by default the name.
        quietly: Whether nobody looks who counts, but a list is made for later.
    """
    result = []
    for unit, node in host.shown() if quietly else host.look():
        who = unit.identity
        vid, pid = (who.vid, who.pid) if who.is_usb else (None, None)
        result.append(ListedPort(path_of(node.name), vid, pid, who.serial, who.manufacturer, who.product, who.location))
    return result


def _before(first: str, variable: str) -> str:
    rest = os.environ.get(variable)
    return f"{first}:{rest}" if rest else first
