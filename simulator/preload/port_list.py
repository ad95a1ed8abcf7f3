"""Which ports pyserial lists: chosen ones, and no others, so that a program left to find its port cannot touch real hardware.

This file runs in interpreters that know nothing of this project, from Python 3.7 on, so it imports the standard library only
and changes pyserial's module when that is imported, if ever. All lists of pyserial on POSIX come from that one module.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serial.tools.list_ports_common import ListPortInfo

    Comports = Callable[..., Sequence[ListPortInfo]]

VARIABLE = "ESPSIM_PORTS"
"""Environment variable with the ports as a list in JSON, in which a text names a file with more of the same."""

SYSFS = "SYSFS_PATH"
"""Environment variable that names another place for ``/sys``, where flashcore finds the USB devices."""

_ORIGIN = "serial.tools.list_ports_posix"


@dataclass(frozen=True)
class ListedPort:
    """A port as a list of ports shows it.

    Args:
        device: What a client opens.
        vid: USB vendor id of the adapter; ``None`` for what is no USB device.
        pid: USB product id.
        serial_number: Of the adapter, empty if it has none.
        manufacturer: As the adapter calls its maker.
        product: As the adapter calls itself.
        location: Where the adapter is plugged in, empty if that is unknown.
    """

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    manufacturer: str = ""
    product: str = ""
    location: str = ""


def to_json(ports: Sequence[ListedPort | str]) -> str:
    """Return `ports`, and the names of files with more, as a value for `VARIABLE`."""
    return json.dumps([port if isinstance(port, str) else asdict(port) for port in ports])


def show_what_the_environment_says() -> None:
    """List the ports that `VARIABLE` holds; do nothing where it is not set."""
    text = os.environ.get(VARIABLE)
    if text:
        show_only(lambda: _said(text))


def _said(text: str) -> list[ListedPort]:
    """Return the ports in `text`, those of each file that it names as they are now."""
    found: list[ListedPort] = []
    for entry in json.loads(text):
        if isinstance(entry, str):
            with open(entry, encoding="utf-8") as file:
                found += _said(file.read())
        else:
            found.append(ListedPort(**entry))
    return found


def show_only(ports: Callable[[], Sequence[ListedPort]]) -> Callable[[], None]:
    """Let pyserial list what `ports` returns then and nothing else, whether it is imported or not; return the way back."""

    def comports(include_links: bool = False) -> list[ListPortInfo]:
        return [_shown(port) for port in ports()]

    original = vars(sys.modules[_ORIGIN])["comports"] if _ORIGIN in sys.modules else None
    finder = _Finder(comports) if original is None else None
    if finder is not None:
        sys.meta_path.insert(0, finder)
    else:
        _replace(original, comports)

    def restore() -> None:
        if finder is not None:
            sys.meta_path.remove(finder)
        _replace(comports, finder.original if finder is not None else original)

    return restore


def _replace(old: object, new: object) -> None:
    """Put `new` in place of `old` in every module that has it, also under another name: many take it out of pyserial's."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is old:
                setattr(module, name, new)


def _shown(port: ListedPort) -> ListPortInfo:
    from serial.tools.list_ports_common import ListPortInfo

    info = ListPortInfo(port.device)
    if port.vid is None:
        info.description = port.product or info.description
        return info
    info.vid, info.pid = port.vid, port.pid
    info.serial_number = port.serial_number or None
    info.manufacturer, info.product = port.manufacturer, port.product
    info.location = port.location or None
    info.description = port.product or info.name
    info.hwid = info.usb_info()
    return info


class _Finder:
    """Finds pyserial's module as Python would, and has it changed once it is loaded."""

    def __init__(self, comports: Comports) -> None:
        self._comports = comports
        self.original: Comports | None = None
        """What the module listed by itself, once it is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == _ORIGIN else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self.original = module.comports
            module.comports = self._comports  # type: ignore[attr-defined]

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
