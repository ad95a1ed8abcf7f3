"""The machine that this runs on, as a `flashcore.host.Host`."""

from __future__ import annotations

import os
import sys

from flashcore.host import PortInfo, UsbDevice
from flashcore.port import Clock, SystemClock
from flashcore.ports import processes, serial_port, sysfs
from flashcore.ports.discovery import list_ports


class SystemHost:
    """This machine's serial ports and USB devices."""

    def __init__(self) -> None:
        self._clock = SystemClock()

    @property
    def clock(self) -> Clock:
        """The machine's monotonic clock."""
        return self._clock

    def ports(self) -> list[PortInfo]:
        """Return the serial ports that there are now."""
        return list_ports()

    def usb_devices(self) -> list[UsbDevice] | None:
        """Return the USB devices that there are now, without hubs; ``None`` where the system does not tell."""
        return sysfs.usb_devices() if sys.platform == "linux" else None

    def open(self, name: str, baudrate: int = 115200) -> serial_port.SerialPort:
        """Open a port for nobody but the caller.

        Raises:
            PortNotFoundError: There is none of that name.
            PortBusyError: Another program has it open.
            PortDeniedError: The operating system refuses.
            PortError: It cannot be opened for another reason.
        """
        return serial_port.open_port(name, baudrate)

    def holder(self, name: str) -> str:
        """Return the program that has the port open; empty if that is unknown."""
        return processes.holder(name) if sys.platform == "linux" else ""

    def permission_hint(self, name: str) -> str:
        """Return what the user must do to be allowed to open the port; empty if nothing is known."""
        if sys.platform == "win32":
            return ""
        import grp
        import stat

        try:
            found = os.stat(name)
            group = grp.getgrgid(found.st_gid).gr_name
        except (OSError, KeyError):
            return ""
        if found.st_gid and found.st_mode & stat.S_IRGRP and found.st_mode & stat.S_IWGRP:
            return f"sudo usermod -aG {group} {_user()}"
        return f"sudo chmod a+rw {name}"

    def meddlers(self) -> list[str]:
        """Return the names of running programs known to take serial ports away."""
        return processes.meddlers() if sys.platform == "linux" else []


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "$USER"
