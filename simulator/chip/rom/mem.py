"""MEM_BEGIN, MEM_DATA, MEM_END: writing to memory and jumping there.

Source: oracle facts 24 to 28, rom_mem.json. Fidelity: recorded; code other than a known stub is interpreted.
"""

from __future__ import annotations

from flashcore.protocol.opcodes import RomStatus
from simulator.chip.memory import BusFault
from simulator.chip.rom.state import MAX_BLOCK, RomState
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.xtensa import RamProgram

SOFTWARE_RESET = 0x4000_824C
"""Entry of the ROM function that resets the chip. Source: rom_mem.json mem_end_run_reset."""

LEFT_LOADER = b"ets_main.c 397 \r\n"
"""What the ROM prints when it leaves the download loop. Source: oracle facts 27, 37."""

_FETCH_FAULT = (
    "Fatal exception (14): InstrPIFAddrError\r\n"
    "epc1=0x{0:08x}, epc2=0x00000000, epc3=0x00000000, excvaddr=0x{0:08x}, depc=0x00000000\r\n"
)
"""Printed after a jump to where nothing is. Source: rom_opcodes.json, op 06 after READ_REG."""


def begin(rom: RomState) -> int:
    """MEM_BEGIN: size, number of blocks, block size, address."""
    if rom.size != 16 or rom.word(2) > MAX_BLOCK:
        rom.refuse(RomStatus.MALFORMED)
        return 0
    rom.transfer.begin(rom.word(0), rom.word(1), rom.word(2), rom.word(3))
    rom.succeed()
    return 0


def data(rom: RomState) -> int:
    """MEM_DATA: one block."""
    transfer = rom.transfer
    payload = rom.next_block(transfer)
    if payload is None:
        return 0
    rom.soc.memory.load(transfer.address, payload)
    transfer.address = (transfer.address + len(payload)) & 0xFFFF_FFFF
    transfer.written += len(payload)
    rom.succeed()
    return 0


def end(rom: RomState) -> int:
    """MEM_END: flag (0 runs the code), entry point."""
    if rom.size > 8:
        rom.refuse(RomStatus.MALFORMED)
        return 0
    rom.succeed()
    if not rom.word(0) & 0xFF:
        entry = rom.word(1)
        rom.afterwards = lambda: _run(rom.soc, entry)
    return 0


def leave(soc: Soc) -> int:
    """Leave the download loop for good, as the ROM does when there is nothing to run."""
    soc.uart.send(LEFT_LOADER)
    soc.die("the ROM left its download loop")
    return 0


def _run(soc: Soc, entry: int) -> int:
    if not entry:
        return leave(soc)
    if entry == SOFTWARE_RESET:
        soc.reset(ResetCause.SW_RESET)
        return 0
    from simulator.chip.stub import program_at

    program = program_at(soc, entry)
    if program is not None:
        soc.jump(program)
        return 0
    try:
        soc.memory.read32(entry)
    except BusFault:
        soc.uart.send(_FETCH_FAULT.format(entry).encode())
        soc.die(f"jump to 0x{entry:08x}, where nothing is mapped")
        return 0
    soc.jump(RamProgram(soc, entry))
    return 0
