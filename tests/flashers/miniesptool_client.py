"""Write a file with Adafruit's miniesptool: what a user of it on a computer would write, since it is a library only.

It is made for CircuitPython, where EN and IO0 are pins. Here they are DTR and RTS behind a board's autoreset circuit, and a
module in place of ``digitalio`` has the one name that miniesptool takes from it. Nothing here knows the simulator.
"""

from __future__ import annotations

import errno
import hashlib
import sys
import types
from pathlib import Path
from typing import Any

import serial


class Lines:
    """DTR and RTS, driven so that the circuit puts EN and IO0 where two pins would."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.enable = Pin(self)
        self.io0 = Pin(self)

    def follow(self) -> None:
        """Set the lines. With both asserted the circuit pulls nothing, so IO0 is pulled from when EN is let go."""
        download = self.enable.value and not self.io0.value
        try:
            if download:
                self._port.dtr = True
                self._port.rts = False
            else:
                self._port.rts = not self.enable.value
                self._port.dtr = False
        except OSError as error:
            # A pty has no lines: somebody held the button.
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise


class Pin:
    """A ``digitalio.DigitalInOut`` as far as miniesptool uses one."""

    direction: object = None

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._value = True

    @property
    def value(self) -> bool:
        return self._value

    @value.setter
    def value(self, value: bool) -> None:
        self._value = value
        self._lines.follow()


def main(url: str, baud: str, address: str, file: str) -> None:
    """Write `file` to `address` and compare the digest that the chip calculates."""
    digitalio = types.ModuleType("digitalio")
    digitalio.Direction = types.SimpleNamespace(OUTPUT="output")  # type: ignore[attr-defined]
    sys.modules["digitalio"] = digitalio
    from adafruit_miniesptool import miniesptool

    with serial.serial_for_url(url, baudrate=115200, timeout=1) as port:
        lines = Lines(port)
        chip = miniesptool(port, lines.io0, lines.enable, flashsize=4 << 20)
        chip.sync()
        print(chip.chip_name, bytes(chip.mac_addr).hex(":"))
        if int(baud) != 115200:
            chip.baudrate = int(baud)
        chip.flash_file(file, offset=int(address, 0), md5=hashlib.md5(Path(file).read_bytes()).hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])
