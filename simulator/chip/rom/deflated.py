"""FLASH_DEFL_*: writing flash from a zlib stream.

Source: oracle facts 42 to 48, rom_defl.json. Fidelity: recorded.
"""

from __future__ import annotations

from flashcore.protocol.opcodes import RomStatus
from simulator.chip.rom import flash, flash_access
from simulator.chip.rom.deflate import WINDOW, Inflated
from simulator.chip.rom.state import RomState


def begin(rom: RomState) -> int:
    """FLASH_DEFL_BEGIN: size once inflated, number of blocks, block size, offset."""
    busy = flash.begin_transfer(rom, rom.deflated)
    if busy is None:
        return 0
    rom.inflator.begin()
    return busy


def data(rom: RomState) -> int:
    """FLASH_DEFL_DATA: inflate one block and program each full window, and one more with the last announced block.

    Nothing is read back, and the announced size is not looked at.

    Source: oracle facts 43 to 46.
    """
    soc = rom.soc
    transfer = rom.deflated
    payload = rom.next_block(transfer)
    if payload is None:
        return 0
    inflator = rom.inflator
    produced = inflator.produced
    busy = 0

    def write(window: bytes) -> None:
        nonlocal busy
        busy += flash_access.program(soc, transfer.address, window)
        soc.flash.take_failure()  # guessed: nobody looks
        transfer.address = (transfer.address + WINDOW) & 0xFFFF_FFFF

    outcome = inflator.feed(payload, last=transfer.sequence >= transfer.blocks, write=write)
    busy += (inflator.produced - produced) * soc.config.times.inflate_per_byte
    match outcome:
        case Inflated.TAKEN:
            rom.succeed()
        case Inflated.BROKEN:
            rom.refuse(RomStatus.INFLATE_FAILED)
        case Inflated.WRONG_ADLER:
            rom.refuse(RomStatus.ADLER_WRONG)
        case Inflated.STUCK:
            soc.die("the ROM waits for ever for its decoder to take the bytes behind the end of the stream")
    return busy


def end(rom: RomState) -> int:
    """FLASH_DEFL_END: flag (0 resets the chip); refused while blocks are missing. Unlike FLASH_END it stays in the
    loop.

    Source: oracle fact 47, rom_defl.json defl_end_early, defl_end_without_begin.
    """
    transfer = rom.deflated
    if transfer.sequence < transfer.blocks:
        rom.refuse(RomStatus.ERASE_FAILED)
        return 0
    rom.succeed()
    if not rom.word(0) & 0xFF:
        rom.afterwards = lambda: flash.reboot(rom)
    return 0
