"""What stores to the RTC controller set off: a reset by software, and the RTC watchdog.

A loader that wants a chip left alone opens the watchdog's registers with a key, switches it off and closes them; one that
wants a reset without lines sets a short time-out and waits. Without the key the registers keep what they hold.

Source: technical reference manual, chapters "Reset and Clock" and "Watchdog Timers". Fidelity: from data sheet. Only stage 0
is modelled, with the action that loaders use (reset of chip and RTC); the slow clock runs at its nominal 150 kHz.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.chip.registers import (
    RTC_CNTL,
    RTC_OPTIONS0,
    RTC_WDT_CONFIG0,
    RTC_WDT_CONFIG1,
    RTC_WDT_FEED,
    RTC_WDT_KEY,
    RTC_WDT_PROTECT,
    Registers,
)
from simulator.kernel import US, Kernel, S, Timer

SOFTWARE_RESET = 1 << 31
"""Bit of `RTC_OPTIONS0` that resets the chip."""
ENABLE = 1 << 31
"""Bit of `RTC_WDT_CONFIG0` that starts the watchdog."""
SLOW_CLOCK_HZ = 150_000
"""RTC slow clock, nominal. Source: data sheet."""

_OFF, _INTERRUPT, _RESET_ALL = 0, 1, 4


class RtcControl:
    """The parts of the RTC controller that act.

    Args:
        registers: Where they are seen.
        kernel: Time.
        by_software: Called for a reset by software.
        by_watchdog: Called for a reset by the watchdog.
        note: Called with (kind, text) for what is worth recording.
    """

    def __init__(
        self,
        registers: Registers,
        kernel: Kernel,
        *,
        by_software: Callable[[], None],
        by_watchdog: Callable[[], None],
        note: Callable[[str, str], None],
    ) -> None:
        self._block = registers.block(RTC_CNTL)
        self._kernel = kernel
        self._by_software = by_software
        self._by_watchdog = by_watchdog
        self._note = note
        self._timer: Timer | None = None
        self._held = {RTC_WDT_CONFIG0: 0, RTC_WDT_CONFIG1: 0}
        self.configured = False
        """Whether a program has set the watchdog up, or off, since the last reset."""
        self._block.watch(RTC_OPTIONS0, self._options)
        self._block.watch(RTC_WDT_FEED, lambda _: self._feed())
        for address in self._held:
            self._block.watch(address, self._configure(address))

    def stop(self) -> None:
        """Forget what was set off: the chip is being reset."""
        self._held = dict.fromkeys(self._held, 0)
        self.configured = False
        self._cancel()

    @property
    def _open(self) -> bool:
        return self._block.read(RTC_WDT_PROTECT - RTC_CNTL) == RTC_WDT_KEY

    def _options(self, word: int) -> None:
        if word & SOFTWARE_RESET:
            # Not at once: the store belongs to a command that must come to its end in the caller first.
            self._timer = self._kernel.after(US, self._by_software)

    def _configure(self, address: int) -> Callable[[int], None]:
        def changed(word: int) -> None:
            if not self._open:
                self._block.poke(address, self._held[address])
                return
            self._held[address] = word
            self.configured = True
            self._feed()

        return changed

    def _feed(self) -> None:
        """Start the watchdog's time anew."""
        if not self._open:
            return
        self._cancel()
        config, cycles = self._held[RTC_WDT_CONFIG0], self._held[RTC_WDT_CONFIG1]
        action = config >> 28 & 7
        if not config & ENABLE or action in (_OFF, _INTERRUPT):
            return
        if action != _RESET_ALL:
            self._note("gap", f"RTC watchdog with action {action}: taken for a reset of chip and RTC")
        self._timer = self._kernel.after(cycles * S // SLOW_CLOCK_HZ, self._by_watchdog)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
