"""What a strap value says about the pins of a board.

The ROM prints the levels that it sampled when EN rose: ``boot:0x13``. If the chip waits for a download only when certain pins
are low, a part that holds one of them high keeps it out, whatever DTR and RTS do; so the value names the culprit.
Source: technical reference manual of the ESP32, GPIO_STRAP_REG and "Strapping Pins"; oracle ``rom_boot.json`` banner_strap_*;
fault catalogue rows 45 and 55.
"""

from __future__ import annotations

from dataclasses import dataclass

MTDI = 0x20
"""GPIO12: high makes the chip feed its flash with 1.8 V."""
IO0 = 0x10
"""GPIO0: low asks for a download."""
IO2 = 0x08
"""GPIO2: must be low as well, or floating."""
IO4 = 0x04
"""GPIO4: counts only among the modes of manufacturing."""
MTDO = 0x02
"""GPIO15: low silences the ROM in flash boot."""
IO5 = 0x01
"""GPIO5."""

_UART_ONLY = 0xF
"""GPIO0 low and all of the others high: a download all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """The pin that keeps a chip out of download mode.

    Args:
        pin: Its name, ``GPIO0``.
        level: The level it had, ``high``.
        advice: What to do about it.
    """

    pin: str
    level: str
    advice: str


def culprit(strap: int) -> Culprit | None:
    """Return which pin kept an ESP32 with the strap value `strap` out of download mode; ``None`` if it is in it."""
    if strap & IO0:
        return Culprit(
            pin="GPIO0",
            level="high",
            advice="GPIO0 was not low when the reset ended: the reset circuit did not pull it, or not in time",
        )
    if strap & IO2 and strap & 0xF != _UART_ONLY:
        return Culprit(
            pin="GPIO2",
            level="high",
            advice="something on the board holds the strapping pin GPIO2 high: disconnect what is wired to it "
            "(an LED, an SD card, a pull-up), it must be low or open for a download",
        )
    return None


def low_voltage_flash(strap: int) -> bool:
    """Tell whether the strap value makes the chip feed its flash with 1.8 V, unless eFuses say otherwise."""
    return bool(strap & MTDI)
