"""Making a simulated computer known to the pyserial of this process: its ports to open, and its list of ports as the only one.

Real ports disappear from the list, so that a flasher left to find its port by itself cannot touch real hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import serial

from simulator.flashers import line_ioctl, terminal_settings
from simulator.host.virtual_host import VirtualHost
from simulator.links import protocol_sim
from simulator.links.protocol_sim import Endpoint
from simulator.preload import port_list
from simulator.preload.environment import shown_by


def plug_in(name: str, host: VirtualHost, undo: ExitStack | None = None) -> Endpoint:
    """Register the ports of `host`, and the one that leads to its device as ``sim://name``.

    Args:
        name: What stands behind ``sim://``.
        host: The computer.
        undo: Is given what leaves pyserial as it was, ports closed; without it the host stays until the process ends.
    """
    endpoint = protocol_sim.register(name, host)
    packages = serial.protocol_handler_packages
    packages.append("simulator.links")
    restore = [
        lambda: packages.remove("simulator.links"),
        line_ioctl.install(),
        terminal_settings.install(),
        _open_by_path(),
        port_list.show_only(lambda: shown_by(host)),
    ]
    if undo is not None:
        undo.callback(protocol_sim.unregister, host)
        for step in restore:
            undo.callback(step)
    return endpoint


def by_name(endpoint: Endpoint, words: Sequence[str]) -> list[str]:
    """Return `words` with the port's name in place of its URL, where the computer is one that a preset describes.

    There the name is part of the matter: users write it down, systems and flashers repeat it in their errors.
    """
    if not endpoint.host.described or not endpoint.path:
        return list(words)
    return [word.replace(endpoint.url, endpoint.path) for word in words]


def _open_by_path() -> Callable[[], None]:
    """Let pyserial's own port class, asked for a virtual device file, give a virtual port instead; return the way back."""
    original: Any = serial.Serial
    own = vars(original).get("__new__")
    inherited = original.__new__

    def make(cls: Any, port: Any = None, *args: Any, **settings: Any) -> Any:
        if isinstance(port, str) and protocol_sim.find(port) is not None:
            # Not an instance of `cls`, so Python leaves it as it is.
            return protocol_sim.Serial(port, *args, **settings)
        return inherited(cls)

    original.__new__ = staticmethod(make)
    by_url = serial.serial_for_url

    def serial_for_url(url: Any, *args: Any, **settings: Any) -> Any:
        endpoint = protocol_sim.find(url) if isinstance(url, str) else None
        return by_url(endpoint.url if endpoint is not None else url, *args, **settings)

    serial.serial_for_url = serial_for_url

    def restore() -> None:
        serial.serial_for_url = by_url
        if own is None:
            del original.__new__
        else:
            original.__new__ = own

    return restore
