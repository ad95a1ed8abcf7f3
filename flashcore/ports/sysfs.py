"""USB devices as Linux lists them, with or without a serial port.

Source: the kernel's documentation of ``/sys/bus/usb/devices`` (Documentation/ABI/testing/sysfs-bus-usb): a folder per device,
named by its place (``1-1.2``), and one per interface (``1-1.2:1.0``), below which its terminals are.
"""

from __future__ import annotations

import os
from pathlib import Path

from flashcore.host import UsbDevice

VARIABLE = "SYSFS_PATH"
"""Environment variable that names another place for ``/sys``, as for the tools of sysfsutils."""

_HUB = "09"


def usb_devices() -> list[UsbDevice] | None:
    """Return the USB devices without hubs, by their places; ``None`` where the system does not tell."""
    folder = Path(os.environ.get(VARIABLE, "/sys"), "bus/usb/devices")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    result = []
    for name in names:
        if ":" in name or name.startswith("usb"):
            continue
        device = folder / name
        vid, pid = _text(device / "idVendor"), _text(device / "idProduct")
        if not vid or not pid or _text(device / "bDeviceClass") == _HUB:
            continue
        result.append(
            UsbDevice(
                vid=int(vid, 16),
                pid=int(pid, 16),
                serial_number=_text(device / "serial"),
                product=_text(device / "product"),
                location=name,
                ports=tuple(_terminals(folder, name)),
            )
        )
    return result


def _terminals(folder: Path, device: str) -> list[str]:
    """Return the names of the device's serial ports: ``ttyUSB0`` lies in its interface, ``ttyACM0`` in ``tty`` there."""
    found = []
    for name in sorted(os.listdir(folder)):
        if not name.startswith(f"{device}:"):
            continue
        for place in (folder / name, folder / name / "tty"):
            try:
                found += [f"/dev/{entry}" for entry in os.listdir(place) if entry.startswith("tty") and entry != "tty"]
            except OSError:
                continue
    return sorted(found)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
