"""Strapping pins: which levels at reset lead to which boot mode, and what the ROM calls it.

Six pins are latched into one value when the chip starts: MTDI (bit 5), IO0 (4), IO2 (3), IO4 (2), MTDO (1), IO5 (0). IO0 high
boots from flash; IO0 low with IO2 low waits for a host on the UART; the rest are modes for manufacturing. MTDO low silences the
ROM in flash boot. MTDI only selects the flash voltage, so it changes the printed value and nothing else here.

Source: oracle ``rom_boot.json`` banner_strap_*; bit order from the technical reference manual (GPIO_STRAP_REG).
Fidelity: recorded for 00..17, 1a, 1b, 1e, 1f, 33, 37; the values between them follow the same bits, guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from types import MappingProxyType

MTDI = 0x20
IO0 = 0x10
IO2 = 0x08
IO4 = 0x04
MTDO = 0x02
IO5 = 0x01


@unique
class BootTarget(Enum):
    """Where the ROM goes after its banner."""

    DOWNLOAD = "download"
    """The ROM loader, UART and SDIO."""
    UART = "uart"
    """The ROM loader on UART0 alone."""
    FLASH = "flash"
    """The image in the flash on the usual pins."""
    NO_FLASH = "no flash"
    """The image in a flash on the HSPI pins, where no board has one."""
    SDIO = "sdio"
    """An SDIO host, for ever."""
    STOP = "stop"
    """Nowhere: the ROM prints where it gave up and stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootMode:
    """What the ROM does with one strap value.

    Args:
        target: Where it goes.
        name: The mode as printed behind ``boot:0x..``; empty where no banner is printed at all.
        text: What follows the banner, without the texts of a boot from flash.
        silent: Whether the ROM prints nothing.
    """

    target: BootTarget
    name: str
    text: bytes = b""
    silent: bool = False

    @property
    def is_download(self) -> bool:
        """Whether the chip will talk to a flasher on UART0."""
        return self.target in (BootTarget.DOWNLOAD, BootTarget.UART)


def _download(sdio: str) -> BootMode:
    return BootMode(
        target=BootTarget.DOWNLOAD, name=f"DOWNLOAD_BOOT(UART0/UART1/SDIO_{sdio}_V2)", text=b"waiting for download\r\n"
    )


_BY_SDIO_EDGES = tuple(_download(edges) for edges in ("FEI_FEO", "FEI_REO", "REI_FEO", "REI_REO"))
"""By MTDO and IO5: falling or rising edge for input and output of the SDIO slave."""

_HSPI = BootMode(target=BootTarget.NO_FLASH, name="HSPI_FLASH_BOOT")
_HSPI_SILENT = BootMode(target=BootTarget.NO_FLASH, name="HSPI_FLASH_BOOT", silent=True)

_IO0_LOW: Mapping[int, BootMode] = MappingProxyType(
    {
        **{value: _BY_SDIO_EDGES[value & (MTDO | IO5)] for value in range(8)},
        0x8: _HSPI_SILENT,
        0x9: _HSPI_SILENT,
        0xA: _HSPI,
        0xB: _HSPI,
        0xC: BootMode(target=BootTarget.STOP, name="SPI_FLASH_BOOT", text=b"ets_main.c 397 \r\n"),
        0xD: BootMode(target=BootTarget.SDIO, name="SDIO_REI_FEO_V1_BOOT", text=b"waiting for sdio host\r\n"),
        0xE: BootMode(target=BootTarget.STOP, name="", text=b"ets_main.c 246 \r\n"),
        0xF: BootMode(target=BootTarget.UART, name="UART_BOOT(UART0)"),
    }
)
"""By IO2, IO4, MTDO and IO5."""

_FLASH = BootMode(target=BootTarget.FLASH, name="SPI_FAST_FLASH_BOOT")
_FLASH_SILENT = BootMode(target=BootTarget.FLASH, name="SPI_FAST_FLASH_BOOT", silent=True)


def boot_mode(strap: int) -> BootMode:
    """Return what the ROM does with the strap value `strap` (6 bits)."""
    if strap & IO0:
        return _FLASH if strap & MTDO else _FLASH_SILENT
    return _IO0_LOW[strap & 0xF]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrapPins:
    """Levels of the strapping pins on a board, as its resistors and parts leave them; true is high.

    The defaults are the chip's own weak pull-ups and pull-downs, strap value 0x13.

    Source: data sheet of the ESP32, section "Strapping Pins".
    """

    mtdi: bool = False
    io0: bool = True
    io2: bool = False
    io4: bool = False
    mtdo: bool = True
    io5: bool = True

    def value(self, *, io0_low: bool = False) -> int:
        """Return the strap value, with IO0 pulled down by button or autoreset if `io0_low`."""
        levels = (self.io5, self.mtdo, self.io4, self.io2, self.io0 and not io0_low, self.mtdi)
        return sum(level << bit for bit, level in enumerate(levels))
