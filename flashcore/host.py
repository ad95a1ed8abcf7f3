"""The seam between the way to a port and the computer that has it: which ports and USB devices there are, and how one opens.

`flashcore.ports.SystemHost` is the machine that this runs on; a simulated one has the same methods. Lists are taken anew at
each call, since devices come and go, and time belongs to the host, so that waiting for a device is testable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from flashcore import usb_ids
from flashcore.errors import FlashcoreError
from flashcore.port import Clock, Port


@dataclass(frozen=True, slots=True, kw_only=True)
class PortInfo:
    """One serial port.

    Args:
        device: Its name, to be given as ``--port``.
        vid: USB vendor id, if it is a USB device.
        pid: USB product id.
        serial_number: What the device says its serial number is.
        description: What the system calls it.
        location: Where the device is plugged in, for example ``1-1.2``; empty if the system does not say.
    """

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    description: str = ""
    location: str = ""

    @property
    def bridge(self) -> str:
        """The adapter's name if it is one of those on ESP boards, else empty."""
        return usb_ids.bridge(self.vid, self.pid)

    @property
    def usb_id(self) -> str:
        """USB id as ``1A86:55D4``, empty for other ports."""
        return usb_ids.text(self.vid, self.pid)

    def to_json(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {
            "device": self.device,
            "usb_id": self.usb_id,
            "bridge": self.bridge,
            "serial_number": self.serial_number,
            "description": self.description,
            "location": self.location,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """A device on the USB, with or without a serial port.

    Args:
        vid: Vendor id.
        pid: Product id.
        serial_number: What it says its serial number is.
        product: What it calls itself.
        location: Where it is plugged in, as in `PortInfo`.
        ports: Names of its serial ports.
    """

    vid: int
    pid: int
    serial_number: str = ""
    product: str = ""
    location: str = ""
    ports: tuple[str, ...] = ()

    @property
    def bridge(self) -> str:
        """The adapter's name if it is one of those on ESP boards, else empty."""
        return usb_ids.bridge(self.vid, self.pid)

    @property
    def usb_id(self) -> str:
        """USB id as ``1A86:55D4``."""
        return usb_ids.text(self.vid, self.pid)

    def to_json(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {
            "usb_id": self.usb_id,
            "bridge": self.bridge,
            "serial_number": self.serial_number,
            "product": self.product,
            "location": self.location,
            "ports": list(self.ports),
        }


class Host(Protocol):
    """A computer with serial ports."""

    @property
    def clock(self) -> Clock:
        """The clock on which waiting for a device is measured; that of the ports that it opens."""
        ...

    def ports(self) -> Sequence[PortInfo]:
        """Return the serial ports that there are now."""
        ...

    def usb_devices(self) -> Sequence[UsbDevice] | None:
        """Return the USB devices that there are now, without hubs; ``None`` where the system does not tell."""
        ...

    def open(self, name: str, baudrate: int = 115200) -> Port:
        """Open a port for nobody but the caller.

        Raises:
            PortNotFoundError: There is none of that name.
            PortBusyError: Another program has it open.
            PortDeniedError: The operating system refuses.
            PortError: It cannot be opened for another reason.
        """
        ...

    def holder(self, name: str) -> str:
        """Return the program that has the port open, for example ``minicom (pid 4711)``; empty if that is unknown."""
        ...

    def permission_hint(self, name: str) -> str:
        """Return what the user must do to be allowed to open the port; empty if nothing is known."""
        ...

    def meddlers(self) -> Sequence[str]:
        """Return the names of running programs known to take serial ports away: ``brltty``, ``ModemManager``."""
        ...


@runtime_checkable
class ReturningPort(Protocol):
    """A port that can be brought back after it was lost, and changed for another one that leads to the same device."""

    def bring_back(self, cause: FlashcoreError) -> bool:
        """Wait until the port is there again and open it, at the rate that it had; nothing is in its buffers then.

        Args:
            cause: Why that is needed.

        Returns:
            Whether the port went because of what was done to it, so that the chip may be waiting in its loader now.

        Raises:
            PortError: It does not come back in time, or cannot be opened again.
        """
        ...

    def change_over(self) -> bool:
        """Go on through another port of the same device, if there is one; tell whether that was done."""
        ...
