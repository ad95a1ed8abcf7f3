"""What can differ between one ESP32 and another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

US = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipTimes:
    """How long the loaders' own work takes, in nanoseconds.

    Fidelity: guessed from public logs of esptool sessions where not stated otherwise; flash times are the part's own.
    """

    reset_to_banner: int = 1_000_000
    """From the release of EN to the first byte of the banner."""
    command: int = 60 * US
    """From the end of a request to the start of its answer, where there is no other work."""
    md5_per_byte: int = 400
    """MD5 over flash, per byte (ROM and stubs): reading as below, and some 12 cycles of hashing at 80 MHz."""
    inflate_per_byte: int = 60
    """Inflating, per byte of output."""
    flash_read_per_byte: int = 250
    """Reading flash as the loaders do, per byte: one data line at 40 MHz (200 ns), and 64 bytes per transaction with some
    microseconds between two. Fidelity: from data sheet for the line, guessed for the rest."""
    uart_poll: int = 0
    """How often the ROM, until it has seen a SYNC, turns from UART0 to UART1 and back; 0: never (oracle fact 8)."""
    uart_poll_deaf: int = 0
    """How long each time what arrives on UART0 is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipConfig:
    """One chip with its flash.

    Args:
        efuse: Name of the eFuse preset: package and revision.
        efuse_fields: Further eFuse fields that are burnt, by name, see `simulator.chip.efuse_fields`.
        mac: Factory MAC address.
        crystal_mhz: 26 or 40.
        flash: Name of the flash part, see `simulator.chip.flash_parts`.
        autobaud: Whether the ROM measures the host's rate first, as silicon does; the first SYNC is spent on that. False models
            the recording (oracle, Limits).
        watchdog: Whether the RTC watchdog restarts a failed flash boot, as on silicon.
        needs_attach: Whether the flash stays unreachable until SPI_ATTACH, as on silicon.
        clkdiv: UART_CLKDIV after autobaud where it is not what the rate gives; the recording has a constant.
        rtc_cali: RTC_CALI where it is not what the crystal gives.
        firmware: Profile of apps that no profile knows by their own description, see `simulator.chip.firmware`.
        times: Durations.
    """

    efuse: str = "D0WDQ6-V3"
    efuse_fields: Mapping[str, int] = field(default_factory=dict)
    mac: str = "24:6f:28:aa:bb:cc"
    crystal_mhz: int = 40
    flash: str = "W25Q32JV"
    autobaud: bool = True
    watchdog: bool = True
    needs_attach: bool = True
    clkdiv: int | None = None
    rtc_cali: int | None = None
    firmware: str = "esp-idf"
    times: ChipTimes = field(default_factory=ChipTimes)


ORACLE = ChipConfig(
    crystal_mhz=26,
    flash="ideal-4mb",
    autobaud=False,
    watchdog=False,
    needs_attach=False,
    clkdiv=0x15A,
    rtc_cali=0x0002_8000,
)
"""The recorded chip, under the conditions of the recording: instant flash, no baud detection, no watchdog, a misjudged crystal.

Source: oracle, Limits; rom_reg.json read_efuse, read_uart, read_misc."""
