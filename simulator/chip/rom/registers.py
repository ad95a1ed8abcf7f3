"""SYNC, READ_REG, WRITE_REG and CHANGE_BAUDRATE.

Source: oracle facts 4, 15, 20, 23, 41; rom_sync.json, rom_reg.json, rom_misc.json. Fidelity: recorded, where not stated
otherwise.
"""

from __future__ import annotations

from simulator.chip.registers import UART0, UART_CLKDIV
from simulator.chip.rom.slip import BUFFER_SIZE
from simulator.chip.rom.state import BODY, RomState
from simulator.chip.soc import Soc
from simulator.chip.uart import DEFAULT_BAUD

ENTRY_LENGTH = 16
"""Bytes of one WRITE_REG entry: address, value, mask, delay."""

MAX_ENTRIES = (BUFFER_SIZE - BODY) // ENTRY_LENGTH
"""WRITE_REG entries that the receive buffer can hold."""

_WORD = 0xFFFF_FFFF
_CRYSTAL_STEP = 4096
"""Resolution in hertz with which the ROM knows its crystal. Source: derived from rom_misc.json baud_*, which fit 25 997
312 Hz."""


def sync(rom: RomState) -> int:
    """SYNC: whatever its payload, the first four bytes become the value word."""
    rom.value = rom.word(0)
    rom.succeed_clean()
    return 0


def read(rom: RomState) -> int:
    """READ_REG: address."""
    rom.value = rom.soc.memory.read32(rom.word(0))
    rom.succeed_clean()
    return 0


def write(rom: RomState) -> int:
    """WRITE_REG: entries of address, value, mask and delay in microseconds; as many as the size field holds.

    Fidelity: recorded up to three entries; entries beyond the receive buffer are taken as zeros, so the first of them
    is fatal.
    """
    memory = rom.soc.memory
    busy = 0
    for entry in range(rom.size // ENTRY_LENGTH):
        if entry >= MAX_ENTRIES:
            memory.write32(0, 0)
        address, value, mask, delay_us = rom.words(4 * entry)
        if mask != _WORD:
            value = memory.read32(address) & ~mask | value & mask
        memory.write32(address, value)
        busy += delay_us * 1_000
    rom.succeed_clean()
    return busy


def change_baudrate(rom: RomState) -> int:
    """CHANGE_BAUDRATE: rate, and a word whose low byte makes the first one a raw divider. A rate of 0 kills the ROM.

    Source: oracle fact 41, rom_misc.json baud_*.
    """
    soc = rom.soc
    rate = rom.word(0)
    if rom.word(1) & 0xFF:
        sixteenths = rate
    elif rate:
        sixteenths = (soc.config.crystal_mhz * 1_000_000 // _CRYSTAL_STEP << 16) // rate
    else:
        soc.die("division by zero")
        return 0
    rom.succeed_clean()
    if sixteenths:
        rom.afterwards = lambda: _switch(rom, sixteenths)
    return 0


def divider_word(sixteenths: int) -> int:
    """Return what the ROM writes to UART_CLKDIV for a divider in sixteenths; bits that don't fit are lost.

    Source: rom_misc.json baud_*.
    """
    return sixteenths >> 4 & 0xF_FFFF | (sixteenths & 0xF) << 20


def follow_divider(soc: Soc) -> None:
    """Keep UART0's rate in step with stores to UART_CLKDIV from now on.

    The rate at which UART0 works now belongs to the divider that is set now; where the recording has a constant there,
    as in the oracle's chip, that takes the crystal's place.

    Source: rom_reg.json write_reg_clkdiv.
    """
    block = soc.registers.block(UART0)
    clock = soc.uart.baud * _sixteenths(block.read(UART_CLKDIV - UART0))

    def changed(word: int) -> None:
        divider = _sixteenths(word)
        if divider:
            _set_rate(soc, clock // divider)

    block.watch(UART_CLKDIV, changed)


def _switch(rom: RomState, sixteenths: int) -> int:
    """Send an empty frame at the old rate, then change the divider. Source: oracle fact 41."""
    soc = rom.soc

    def change() -> int:
        word = divider_word(sixteenths)
        soc.registers.poke(UART_CLKDIV, word)
        _set_rate(soc, soc.config.crystal_mhz * 16_000_000 // max(_sixteenths(word), 1))
        follow_divider(soc)
        return 0

    rom.afterwards = change
    return soc.uart.send(b"\xc0\xc0") - soc.kernel.now


def _set_rate(soc: Soc, baud: int) -> None:
    """Set UART0's rate; the recorded chip never went below its start (oracle, Limits)."""
    soc.uart.baud = max(baud, DEFAULT_BAUD if soc.config.clkdiv is not None else 1)


def _sixteenths(word: int) -> int:
    return (word & 0xF_FFFF) << 4 | word >> 20 & 0xF
