"""Which serial ports there are."""

from __future__ import annotations

from flashcore.host import PortInfo


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
            location=found.location or "",
        )
        for found in comports()
    ]
    return sorted(ports, key=lambda port: (not port.bridge, port.device))
