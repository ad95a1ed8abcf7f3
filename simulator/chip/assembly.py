"""Putting one chip together: flash, address space, eFuses and controllers, wired as on the die."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from simulator.chip import efuse as efuse_block
from simulator.chip import spi_regs
from simulator.chip.config import ChipConfig
from simulator.chip.efuse import Efuse
from simulator.chip.flash_parts import part
from simulator.chip.memory import Memory
from simulator.chip.nor_flash import NorFlash
from simulator.chip.registers import BoardRegisters, Registers
from simulator.chip.spi_regs import SpiController

SPI_BASES = (0x3FF4_2000, 0x3FF4_3000)
"""SPI1, which the loaders use, and SPI0, the cache's. Source: technical reference manual; oracle ``rom_reg.json`` read_spi1."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a chip is made of, besides its CPU."""

    flash: NorFlash
    memory: Memory
    efuse: Efuse
    registers: Registers
    spi: SpiController


def assemble(config: ChipConfig, now: Callable[[], int]) -> Parts:
    """Return the parts of one chip, wired to each other.

    Args:
        config: Which chip.
        now: Returns the time in nanoseconds, for the flash part.
    """
    flash = NorFlash(part(config.flash))
    memory = Memory()
    efuse = Efuse(_factory_cells(config.efuse, config.mac, tuple(config.efuse_fields.items())))
    registers = Registers(memory, board_registers(config, efuse, strap=0))
    memory.attach(efuse_block.BASE, efuse_block.BLOCK_SIZE, efuse.read, efuse.write)
    spi = SpiController(flash, now, attached=not config.needs_attach)
    for base in SPI_BASES:
        memory.attach(base, spi_regs.BLOCK_SIZE, spi.read, spi.write)
    return Parts(flash, memory, efuse, registers, spi)


@cache
def _factory_cells(variant: str, mac: str, fields: tuple[tuple[str, int], ...]) -> tuple[tuple[int, ...], ...]:
    """Return what is burnt at the factory; many boards of one kind are made in a campaign."""
    return Efuse.for_chip(variant, mac=mac, fields=dict(fields)).cells


def board_registers(config: ChipConfig, efuse: Efuse, *, strap: int) -> BoardRegisters:
    """Return the register values that depend on the board and on the straps sampled at reset."""
    return BoardRegisters(
        strap=strap,
        revision=efuse.revision,
        crystal_hz=config.crystal_mhz * 1_000_000,
        clkdiv=config.clkdiv,
        rtc_cali=config.rtc_cali,
    )
