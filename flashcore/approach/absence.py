"""Why there is no port to open: told by the USB devices that are there without one.

Source: fault catalogue rows 7 (no driver), 18 (charge-only cable), 23 (a program that takes ports away).
"""

from __future__ import annotations

from collections.abc import Sequence

from flashcore.approach.candidates import why_not
from flashcore.errors import PortError, PortNotFoundError
from flashcore.host import Host, PortInfo, UsbDevice

DRIVERS = {
    0x1A86: "https://www.wch-ic.com/downloads (CH34x, CH9102: CH343SER)",
    0x10C4: "https://www.silabs.com/developer-tools/usb-to-uart-bridge-vcp-drivers",
    0x0403: "https://ftdichip.com/drivers/vcp-drivers/",
}
"""Where the makers of adapters offer their drivers, by vendor id."""


def without_port(devices: Sequence[UsbDevice] | None) -> list[UsbDevice]:
    """Return the adapters known from Espressif boards that have no serial port."""
    return [device for device in devices or () if device.bridge and not device.ports]


def absence(host: Host, wanted: str) -> PortError:
    """Return the error that explains why there is nothing to open.

    Args:
        host: The computer.
        wanted: The port's name; ``auto`` for any.
    """
    devices, ports = host.usb_devices(), host.ports()
    bare = without_port(devices)
    if bare:
        return _bare(bare, host.meddlers())
    names = ", ".join(port.device for port in ports)
    if wanted != "auto":
        missing = f"there is no port {wanted}"
        if names:
            return PortNotFoundError(missing, hint=f"there are: {names}", context={"port": wanted, "ports": names})
    else:
        missing = "no serial port looks like an Espressif board" if names else "there is no serial port at all"
    if devices is not None and not any(device.bridge for device in devices):
        others = f" ({_strangers(ports)})" if ports else ""
        return PortNotFoundError(
            f"{missing}{others}, and no board is on the USB",
            hint="use another cable: many carry power only and no data; then another USB socket, without a hub; "
            "does a light on the board come on?" + (f" Or name the port with --port: {names}" if names else ""),
            code="port.no_usb_device",
            context={"port": wanted, "ports": names, "usb_devices": len(devices)},
        )
    hint = (
        f"choose one with --port; there are: {_strangers(ports)}"
        if names
        else "is the board plugged in, with a cable that carries data, and is the driver of its USB adapter installed?"
    )
    return PortNotFoundError(missing, hint=hint, context={"port": wanted, "ports": names})


def _bare(devices: Sequence[UsbDevice], meddlers: Sequence[str]) -> PortError:
    device = devices[0]
    context: dict[str, str | int | float | bool | None] = {"usb_id": device.usb_id, "location": device.location}
    if "brltty" in meddlers:
        return grabbed(f"a {device.bridge} ({device.usb_id}) is plugged in but has no serial port", meddlers)
    return PortNotFoundError(
        f"a {device.bridge} ({device.usb_id}) is plugged in but has no serial port: its driver is missing",
        hint=f"install the driver: {DRIVERS.get(device.vid, 'see the maker of the board')}; on Linux it is part of the kernel: "
        "was the kernel updated without a restart?",
        code="port.no_driver",
        context=context,
    )


def grabbed(what: str, meddlers: Sequence[str]) -> PortError:
    """Return the error for a port that another program took away.

    Args:
        what: What was seen, as the beginning of a sentence.
        meddlers: Programs known to do so that run now; may be none.
    """
    if "brltty" in meddlers:
        who = "brltty, a driver for Braille displays, runs and takes such adapters for one"
        hint = "remove it (sudo apt remove brltty), or stop it (sudo systemctl stop brltty-udev), and plug the board in again"
    elif meddlers:
        who = f"{' and '.join(meddlers)} is running and may have taken it"
        hint = f"stop it (sudo systemctl stop {meddlers[0]}), and plug the board in again"
    else:
        who = "something took it away"
        hint = "look for programs that use serial ports by themselves (brltty, ModemManager), and at the cable"
    return PortError(f"{what}: {who}", hint=hint, code="port.grabbed", context={"programs": ", ".join(meddlers)})


def _strangers(ports: Sequence[PortInfo]) -> str:
    return ", ".join(f"{port.device} ({port.bridge or why_not(port)})" for port in ports)
