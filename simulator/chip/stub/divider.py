"""The UART's clock divider, from which both stubs make a new rate, each in its own way.

The register holds whole and sixteenths; the rate on the line is clock / divider, and only the legacy stub never knows
the clock.
Source: oracle facts 61, 69; stub_*.json baud_*.
"""

from __future__ import annotations

from simulator.chip.registers import UART_CLKDIV, uart_divider
from simulator.chip.soc import Soc

FULL_CLOCK = 80_000_000
"""UART clock once the newer stub has set the CPU's, in hertz. Source: stub_e5_2.json baud_921600_115200
(0x00c00056)."""

_STOPPED = 1
"""Rate that stands for a UART whose divider is 0."""


def _sixteenths(word: int) -> int:
    return (word & 0xF_FFFF) << 4 | word >> 20 & 0xF


def _word(sixteenths: int) -> int:
    return (sixteenths >> 4 & 0xF_FFFF) | (sixteenths & 0xF) << 20


def written(soc: Soc, word: int) -> None:
    """Follow a divider written by the host.

    Fidelity: guessed: as if the clock were the crystal's.
    """
    value = _sixteenths(word)
    soc.uart.baud = round(soc.config.crystal_mhz * 16_000_000 / value) if value else _STOPPED


def change_by_old_rate(soc: Soc, new: int, old: int) -> bool:
    """Scale the divider by `old` / `new`, as the legacy stub does.

    Args:
        soc: The chip.
        new: Wanted rate.
        old: What the host says the present rate is.

    Returns:
        Whether the stub lives on: `new` = 0 is a division by zero.

    Fidelity: divider recorded. Guessed: with a divider of 0 (`old` = 0) the line stands still on silicon; the
    recording goes on."""
    if not new:
        soc.die("division by zero in CHANGE_BAUDRATE")
        return False
    before = _sixteenths(soc.memory.read32(UART_CLKDIV))
    after = (before * old & 0xFFFF_FFFF) // new
    soc.registers.poke(UART_CLKDIV, _word(after))
    if after:
        soc.uart.baud = max(1, round(soc.uart.baud * before / after))
    else:
        soc.note("gap", "UART divider 0")
        soc.uart.baud = _STOPPED
    return True


def set_rate(soc: Soc, baud: int) -> bool:
    """Set the divider for `baud` from the full clock, as the newer stub does; return whether the stub lives on."""
    if not baud:
        soc.die("division by zero in CHANGE_BAUDRATE")
        return False
    word = uart_divider(FULL_CLOCK, baud)
    soc.registers.poke(UART_CLKDIV, word)
    value = _sixteenths(word)
    soc.uart.baud = round(FULL_CLOCK * 16 / value) if value else _STOPPED
    return True
