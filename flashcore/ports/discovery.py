"""Which serial ports there are, and which of them an Espressif chip is likely behind.

A port is a candidate if its USB id is that of a bridge found on such boards. One device can show up twice on macOS, through
Apple's driver and through the vendor's; then the vendor's is the better one, since Apple's damages long writes to some bridges
(fault catalogue row 1). Source: docs/sources.md, Bridges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flashcore.errors import PortError, PortNotFoundError

BRIDGES: dict[tuple[int, int], str] = {
    (0x1A86, 0x55D4): "WCH CH9102",
    (0x1A86, 0x55D3): "WCH CH343",
    (0x1A86, 0x7523): "WCH CH340",
    (0x1A86, 0x7522): "WCH CH340",
    (0x1A86, 0x5523): "WCH CH341",
    (0x10C4, 0xEA60): "Silicon Labs CP210x",
    (0x10C4, 0xEA64): "Silicon Labs CP2102C",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6015): "FTDI FT231X",
    (0x0403, 0x6010): "FTDI FT2232H",
    (0x067B, 0x2303): "Prolific PL2303",
    (0x303A, 0x1001): "Espressif USB-Serial/JTAG",
    (0x303A, 0x0002): "Espressif USB-OTG",
    (0x303A, 0x0009): "Espressif USB-OTG",
    (0x303A, 0x0012): "Espressif USB-OTG",
}
"""Bridges by (vendor id, product id)."""

_APPLE_TWIN = re.compile(r"usbmodem|usbserial")
_VENDOR_TWIN = re.compile(r"wchusbserial|SLAB_USBtoUART")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortInfo:
    """One serial port.

    Args:
        device: Its name, to be given as ``--port``.
        vid: USB vendor id, if it is a USB device.
        pid: USB product id.
        serial_number: What the device says its serial number is.
        description: What the system calls it.
    """

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    description: str = ""

    @property
    def bridge(self) -> str:
        """The bridge's name if it is one of those on ESP boards, else empty."""
        return BRIDGES.get((self.vid, self.pid), "") if self.vid is not None and self.pid is not None else ""

    @property
    def usb_id(self) -> str:
        """USB id as ``1A86:55D4``, empty for other ports."""
        return f"{self.vid:04X}:{self.pid:04X}" if self.vid is not None and self.pid is not None else ""

    def to_json(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {
            "device": self.device,
            "usb_id": self.usb_id,
            "bridge": self.bridge,
            "serial_number": self.serial_number,
            "description": self.description,
        }


def list_ports() -> list[PortInfo]:
    """Return all serial ports of this machine, likely ones first."""
    from serial.tools.list_ports import comports

    ports = [
        PortInfo(
            device=found.device,
            vid=found.vid,
            pid=found.pid,
            serial_number=found.serial_number or "",
            description=found.description if found.description != "n/a" else "",
        )
        for found in comports()
    ]
    return sorted(ports, key=lambda port: (not port.bridge, port.device))


def candidates(ports: Iterable[PortInfo]) -> list[PortInfo]:
    """Return the ports behind which an Espressif chip is likely, each device once."""
    likely = [port for port in ports if port.bridge]
    return [port for port in likely if not any(_is_better_twin(other, port) for other in likely)]


def _is_better_twin(other: PortInfo, port: PortInfo) -> bool:
    same = (other.vid, other.pid, other.serial_number) == (port.vid, port.pid, port.serial_number)
    return (
        other is not port
        and same
        and bool(_VENDOR_TWIN.search(other.device))
        and not _VENDOR_TWIN.search(port.device)
        and bool(_APPLE_TWIN.search(port.device))
    )


def pick(ports: Iterable[PortInfo]) -> PortInfo:
    """Return the one candidate among `ports`.

    Raises:
        PortNotFoundError: There is none.
        PortError: There is more than one.
    """
    known = list(ports)
    found = candidates(known)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(port.device for port in found)
        raise PortError(
            f"{len(found)} ports may have an Espressif chip behind them: {names}",
            hint="choose one with --port",
            code="port.ambiguous",
            context={"candidates": names},
        )
    names = ", ".join(port.device for port in known)
    raise PortNotFoundError(
        "no serial port looks like an Espressif board",
        hint=f"choose one with --port; there are: {names}"
        if names
        else "no serial port is there at all: is the board plugged in, with a data cable, and its driver installed?",
        context={"ports": names},
    )
