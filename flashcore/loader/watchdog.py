"""The RTC watchdog: kept quiet while a loader works, and used to restart a chip whose reset line does not.

A chip that was reset into its loader by its own firmware may still count towards a watchdog reset (catalogue row 59), so it is
switched off first of all. Where the modem lines do not reach EN, or the reset that they give does not sample the straps again,
the watchdog can be told to reset chip and RTC at once (row 10), which does. Its registers accept a change only while the key
is in `WatchdogRegisters.protect`. Source: technical reference manual of the ESP32, chapter "Watchdog Timers".
"""

from __future__ import annotations

from flashcore.loader.base import Loader

_ENABLE = 1 << 31
_RESET_CHIP_AND_RTC = 4 << 28
_SYSTEM_RESET_LENGTH = 7 << 14
_CYCLES = 2000
"""Slow clock cycles until the reset, 13 ms: time for the loader to answer before."""


def disable(loader: Loader) -> None:
    """Stop the watchdog.

    Raises:
        DeadlineExceededError: No answer comes.
        DeviceError: The loader refuses.
        ChipResetError: The chip restarted.
    """
    watchdog = loader.chip.watchdog
    loader.write_reg(watchdog.protect, watchdog.key)
    loader.write_reg(watchdog.config0, 0)
    loader.write_reg(watchdog.protect, 0)


def restart(loader: Loader) -> None:
    """Let the watchdog reset chip and RTC, as at power-on, some milliseconds from now.

    Raises:
        DeadlineExceededError: No answer comes.
        DeviceError: The loader refuses.
        ChipResetError: The chip restarted.
    """
    watchdog = loader.chip.watchdog
    loader.write_reg(watchdog.protect, watchdog.key)
    loader.write_reg(watchdog.config1, _CYCLES)
    loader.write_reg(watchdog.config0, _ENABLE | _RESET_CHIP_AND_RTC | _SYSTEM_RESET_LENGTH)
