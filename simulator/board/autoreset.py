"""The reset circuit: how the modem lines, two buttons and a capacitor decide when the chip starts and what it finds on IO0.

The lines pull EN and IO0 low by the truth table of the wiring. EN falls at once, but when nothing pulls it any more it rises
through R into C, and counts as high only at 0.75 VDD, ln(4) R C later. IO0 has no capacitor: its level is whatever it is when
EN crosses. Hence the race of the classic sequence: between its two writes EN is released while IO0 is still high, and all
depends on whether the second write comes before the crossing.

Source: docs/sources.md, Reset circuit; fault catalogue row 2 (autoreset-race). Fidelity: from data sheet (threshold 0.75 VDD);
the discharge through a transistor takes microseconds on real boards and no time here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, unique
from types import MappingProxyType

from simulator.kernel import MS, Kernel, S, Timer

EN_THRESHOLD = 0.75
"""Part of VDD above which EN counts as high. Source: data sheet of the ESP32, V_IH of CHIP_PU."""

TAP_NS = 100 * MS
"""How long a finger stays on a button that is tapped."""


@unique
class Wiring(Enum):
    """How DTR and RTS reach EN and IO0."""

    TRANSISTORS = "transistors"
    """Two NPN transistors, as on Espressif's boards: each line works only while the other is released."""
    DIRECT = "direct"
    """RTS on EN, DTR on IO0, without transistors: asserted pulls low."""
    CROSSED = "crossed"
    """Two transistors with the lines exchanged."""
    INVERTED = "inverted"
    """As direct, behind an inverter: *released* pulls low."""
    NONE = "none"
    """The lines end nowhere."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """What a state of the lines pulls to ground."""

    en: bool
    io0: bool


_RUN = Pulls(en=False, io0=False)
_RESET = Pulls(en=True, io0=False)
_BOOT = Pulls(en=False, io0=True)
_BOTH = Pulls(en=True, io0=True)

TRUTH: Mapping[Wiring, Mapping[tuple[bool, bool], Pulls]] = MappingProxyType(
    {
        wiring: MappingProxyType(dict(zip(((False, False), (False, True), (True, False), (True, True)), row, strict=True)))
        for wiring, row in {
            Wiring.TRANSISTORS: (_RUN, _RESET, _BOOT, _RUN),
            Wiring.DIRECT: (_RUN, _RESET, _BOOT, _BOTH),
            Wiring.CROSSED: (_RUN, _BOOT, _RESET, _RUN),
            Wiring.INVERTED: (_BOTH, _BOOT, _RESET, _RUN),
            Wiring.NONE: (_RUN, _RUN, _RUN, _RUN),
        }.items()
    }
)
"""By wiring, then by (DTR, RTS), true is asserted. Source: docs/sources.md, Reset circuit; inverted and crossed derived
from it."""


def rise_ns(r_ohm: float, c_farad: float) -> int:
    """Return how long EN takes from ground to its threshold through `r_ohm` and `c_farad`, in nanoseconds."""
    return round(-math.log(1 - EN_THRESHOLD) * r_ohm * c_farad * S)


class AutoReset:
    """The circuit of one board. It has no supply until `power_on`.

    Args:
        kernel: Time.
        wiring: How the lines are connected.
        r_ohm: Pull-up of EN.
        c_farad: Capacitor from EN to ground; 0 makes EN rise at once.
        on_enable: Called with the logical level of EN each time it changes.
    """

    def __init__(
        self, kernel: Kernel, *, wiring: Wiring, r_ohm: float, c_farad: float, on_enable: Callable[[bool], None]
    ) -> None:
        self.rise_ns = rise_ns(r_ohm, c_farad)
        """From the release of EN to its crossing."""
        self._kernel = kernel
        self._truth = TRUTH[wiring]
        self._on_enable = on_enable
        self._lines = _RUN if wiring is not Wiring.INVERTED else _BOTH
        self._boot_held = False
        self._reset_held = False
        self._powered = False
        self._enabled = False
        self._rising: Timer | None = None

    @property
    def enabled(self) -> bool:
        """Whether EN counts as high."""
        return self._enabled

    @property
    def io0_low(self) -> bool:
        """Whether a line or the BOOT button pulls IO0 to ground now."""
        return self._lines.io0 or self._boot_held

    @property
    def powered(self) -> bool:
        """Whether there is a supply."""
        return self._powered

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """Take new states of both lines, in one step; true is asserted."""
        self._lines = self._truth[dtr, rts]
        self._settle()

    def hold_boot(self, held: bool) -> None:
        """Press (true) or release the BOOT button."""
        self._boot_held = held

    def hold_reset(self, held: bool) -> None:
        """Press (true) or release the RESET button."""
        self._reset_held = held
        self._settle()

    def press_reset(self) -> None:
        """Tap the RESET button."""
        self.hold_reset(True)
        self._kernel.after(TAP_NS, lambda: self.hold_reset(False))

    def power_on(self) -> None:
        """Apply power, and skip the rise of EN: the chip starts at once unless something pulls EN."""
        self._powered = True
        self._settle(at_once=True)

    def power_off(self) -> None:
        """Take power away: EN falls."""
        self._powered = False
        self._settle()

    def _settle(self, *, at_once: bool = False) -> None:
        if not self._powered or self._lines.en or self._reset_held:
            if self._rising is not None:
                self._rising.cancel()
                self._rising = None
            if self._enabled:
                self._enabled = False
                self._on_enable(False)
        elif not self._enabled and self._rising is None:
            if at_once or not self.rise_ns:
                self._cross()
            else:
                self._rising = self._kernel.after(self.rise_ns, self._cross)

    def _cross(self) -> None:
        self._rising = None
        self._enabled = True
        self._on_enable(True)
