"""The computer that the flasher runs on, as a preset describes it: its system, the devices plugged in, and their ports."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from flashcore.errors import PlanError
from simulator.faults.presets.tables import Limits, Table
from simulator.faults.text import parse

Seconds = Annotated[float, Limits(least=0)]
PortDriver = Literal["linux", "macos-apple", "macos-vendor", "windows"]


class PortSetup(Table):
    """One name under which the system offers a device.

    Args:
        name: The name; empty for what the driver calls it.
        driver: Which driver made it; empty for the one that comes with the system.
        open_s: How long opening takes, in seconds.
        faults: What goes wrong at this port and no other, in text form.
    """

    name: str = ""
    driver: Literal["", PortDriver] = ""
    open_s: Seconds = 0.0
    faults: tuple[str, ...] = ()


class DeviceSetup(Table):
    """A device on the desk.

    Args:
        kind: What it is. The first ``board`` is the run's; others are no part of the job.
        board: Board preset of a further board; empty for that of the run's.
        usb_id: USB id in place of the adapter's own, for example ``10C4:EA60``; ``0000:0000`` for one that the system could
            not read.
        serial: Serial number in place of the adapter's own.
        location: Where it is plugged in; by default the next free socket.
        plugged: Whether the system sees it.
        shy: Whether it leaves the USB for two seconds when DTR is asserted.
        driver: Whether the system has a driver, so that there is a port.
        ports: Its ports; by default one, from the system's own driver.
    """

    kind: Literal["board", "modem", "gps", "echo", "probe", "bluetooth", "uart"] = "board"
    board: str = ""
    usb_id: str = ""
    serial: str | None = None
    location: str = ""
    plugged: bool = True
    shy: bool = False
    driver: bool = True
    ports: tuple[PortSetup, ...] = (PortSetup(),)


class HostSetup(Table):
    """What the operating system shows.

    Args:
        os: Whose names and error texts the ports have.
        running: Programs in its list of processes, for example ``brltty``.
        group: Group that owns the ports.
        devices: What is there; the run's board alone by default.
    """

    os: Literal["linux", "macos", "windows"] = "linux"
    running: tuple[str, ...] = ()
    group: str = "dialout"
    devices: tuple[DeviceSetup, ...] = (DeviceSetup(),)


_USB_ID = re.compile(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}")


def check_host(setup: HostSetup, *, source: str) -> None:
    """Check what the types of the table's fields do not say.

    Raises:
        PlanError: A USB id is none, or a port's fault cannot be read; the message names the field's path.
    """
    for number, device in enumerate(setup.devices):
        where = f"{source}: host.devices[{number}]"
        if device.usb_id and not _USB_ID.fullmatch(device.usb_id):
            raise PlanError(
                f"{where}.usb_id: {device.usb_id!r} is no USB id", hint="write four hexadecimal digits twice: 10C4:EA60"
            )
        for index, port in enumerate(device.ports):
            for place, fault in enumerate(port.faults):
                try:
                    parse(fault)
                except PlanError as error:
                    raise PlanError(f"{where}.ports[{index}].faults[{place}]: {error.message}", hint=error.hint) from error
