"""Which ports an Espressif chip is likely behind, and why not the others.

A port is a candidate if its USB id is that of an adapter found on such boards; nothing is sent to any other unless the user
names it. One device can show up under several names, its twins: through the system's driver and through the vendor's, or as the
two halves of one adapter. They are one candidate, the better name first: WCH's own driver passes long writes that Apple's
damages, and the first half of an FT2232H is JTAG. Source: fault catalogue rows 1, 3, 35; docs/sources.md, Bridges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flashcore import usb_ids
from flashcore.host import PortInfo

_VENDOR = re.compile(r"wchusbserial|SLAB_USBtoUART|ttyCH34\dUSB")
_CALL_IN = re.compile(r"(^|/)tty\.")
_DUAL = (0x0403, 0x6010)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One device, with the names under which it can be reached.

    Args:
        ports: The ports, the best first.
    """

    ports: tuple[PortInfo, ...]

    @property
    def best(self) -> PortInfo:
        """The port to try first."""
        return self.ports[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The names, the best first."""
        return tuple(port.device for port in self.ports)


def candidates(ports: Iterable[PortInfo]) -> list[Candidate]:
    """Return the devices behind which an Espressif chip is likely, each once."""
    groups: list[list[PortInfo]] = []
    for port in ports:
        if not port.bridge or usb_ids.STRANGERS.get(port.vid or 0):
            continue
        group = next((group for group in groups if same_device(group[0], port)), None)
        if group is None:
            groups.append([port])
        else:
            group.append(port)
    return [Candidate(ports=tuple(sorted(group, key=_goodness))) for group in groups]


def twins(port: PortInfo, ports: Iterable[PortInfo]) -> list[str]:
    """Return the names of the other ports of the same device, the best first."""
    return [other.device for other in sorted(ports, key=_goodness) if other.device != port.device and same_device(port, other)]


def same_device(one: PortInfo, other: PortInfo) -> bool:
    """Tell whether two ports lead to the same device, as far as the system lets us know."""
    if (one.vid, one.pid, one.serial_number) != (other.vid, other.pid, other.serial_number) or one.vid is None:
        return False
    if one.location and other.location:
        return socket(one.location) == socket(other.location)
    # Without a place, two drivers' names for one identity are taken for twins, two names of one driver for two devices.
    return bool(_VENDOR.search(one.device)) != bool(_VENDOR.search(other.device))


def socket(location: str) -> str:
    """Return where a device is plugged in, without the part of it: ``1-1`` for ``1-1:1.0``."""
    return location.partition(":")[0]


def why_not(port: PortInfo) -> str:
    """Return why `port` is no candidate, in a few words."""
    if port.vid is None:
        return "no USB device"
    stranger = usb_ids.STRANGERS.get(port.vid)
    if stranger:
        return stranger
    return f"USB device {port.usb_id}, not known from Espressif boards"


def _goodness(port: PortInfo) -> tuple[bool, bool, str]:
    """Sort key: the better port of one device first."""
    number = "".join(chr(0x10FFFF - ord(char)) for char in port.device) if (port.vid, port.pid) == _DUAL else port.device
    return (bool(_CALL_IN.search(port.device)), not _VENDOR.search(port.device), number)
