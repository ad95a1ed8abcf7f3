"""FLASH_*, SPI_*, SPI_FLASH_MD5 and READ_FLASH of the ROM.

Source: oracle facts 33 to 40, rom_flash.json. Fidelity: recorded, where not stated otherwise.
"""

from __future__ import annotations

from flashcore.protocol.opcodes import RomStatus
from flashcore.protocol.packet import checksum
from simulator.chip.registers import FLASHCHIP
from simulator.chip.rom import flash_access, mem
from simulator.chip.rom.state import BODY, MAX_BLOCK, MAX_DATA_SIZE, RomState, Transfer
from simulator.chip.soc import ResetCause

READ_LENGTH = 64
"""Data bytes in each READ_FLASH answer. Source: oracle fact 39."""

MD5_LENGTH = 32
"""Hexadecimal digits in an SPI_FLASH_MD5 answer. Source: oracle fact 38."""

_EMPTY_MD5 = b"d41d8cd98f00b204e9800998ecf8427e"


def begin_transfer(rom: RomState, transfer: Transfer) -> int | None:
    """FLASH_BEGIN and FLASH_DEFL_BEGIN: size, number of blocks, block size, offset.

    A refused erase leaves the session open, so the blocks that follow are programmed all the same.

    Returns:
        Busy time in nanoseconds, or ``None`` if no session was opened.

    Source: oracle facts 34, 48; rom_flash.json flash_erase_extent_*, flash_unaligned_offset.
    """
    if rom.size != 16 or rom.word(2) > MAX_BLOCK:
        rom.refuse(RomStatus.MALFORMED)
        return None
    transfer.begin(rom.word(0), rom.word(1), rom.word(2), rom.word(3))
    busy = flash_access.erase(rom.soc, transfer.address, transfer.size)
    if busy is None or rom.soc.flash.take_failure():
        rom.refuse(RomStatus.ERASE_FAILED)
        return busy or 0
    rom.succeed()
    return busy


def begin(rom: RomState) -> int:
    """FLASH_BEGIN."""
    return begin_transfer(rom, rom.transfer) or 0


def data(rom: RomState) -> int:
    """FLASH_DATA: program one block, read it back, compare checksums.

    A block that can't be read back, because it lies beyond the end, passes.

    Source: oracle facts 35, 36; rom_flash.json flash_write_not_erased, flash_write_over_end.
    """
    soc = rom.soc
    transfer = rom.transfer
    payload = rom.next_block(transfer, multiple_of=4)
    if payload is None:
        return 0
    busy = flash_access.program(soc, transfer.address, payload)
    soc.flash.take_failure()  # reading back shows it too
    busy += len(payload) * soc.config.times.flash_read_per_byte
    held = flash_access.read(soc, transfer.address, len(payload))
    if held is not None and held != payload and checksum(held) != checksum(payload):
        rom.refuse(RomStatus.READ_BACK_DIFFERS)
        return busy
    transfer.address = (transfer.address + len(payload)) & 0xFFFF_FFFF
    transfer.written += len(payload)
    rom.succeed()
    return busy


def end(rom: RomState) -> int:
    """FLASH_END: flag (0 resets the chip). The ROM leaves its loop in any case but a complete write with flag 0.

    Source: oracle fact 37, rom_flash.json flash_end_*, flash_begin_0_end_0. Fidelity: recorded; that an END without any
    BEGIN is refused for want of one, and not of blocks, is derived.
    """
    soc = rom.soc
    transfer = rom.transfer
    complete = transfer.begun and transfer.sequence == transfer.blocks and transfer.written == transfer.size
    if complete:
        rom.succeed()
    else:
        rom.refuse(RomStatus.ERASE_FAILED)
    if complete and not rom.word(0) & 0xFF:
        rom.afterwards = lambda: reboot(rom)
    else:
        rom.afterwards = lambda: mem.leave(soc)
    return 0


def reboot(rom: RomState) -> int:
    """Send an empty frame, then reset the chip. Source: oracle facts 37, 47."""
    soc = rom.soc

    def reset() -> int:
        soc.reset(ResetCause.SW_RESET)
        return 0

    rom.afterwards = reset
    return soc.uart.send(b"\xc0\xc0") - soc.kernel.now


def attach(rom: RomState) -> int:
    """SPI_ATTACH: pin configuration (0: the default pins).

    Source: oracle fact 40. Fidelity: guessed that other pins than the default ones lead to no flash; recorded is only
    the answer.
    """
    spi = rom.soc.spi
    spi.attached = not rom.soc.config.needs_attach or not rom.word(0)
    rom.succeed_clean()
    return 0


def set_params(rom: RomState) -> int:
    """SPI_SET_PARAMS: id, size, block, sector, page, status mask; stored and nothing else.

    Source: oracle fact 33, rom_reg.json set_params_effect.
    """
    if rom.size != 24:
        rom.refuse(RomStatus.MALFORMED)
        return 0
    rom.soc.memory.load(FLASHCHIP, bytes(rom.receiver.buffer[BODY : BODY + 24]))
    rom.succeed()
    return 0


def digest(rom: RomState) -> int:
    """SPI_FLASH_MD5: offset, size. A range that can't be read leaves the text of the last one in the answer.

    Source: oracle fact 38, rom_flash.json md5_ranges, md5_body_len_*.
    """
    rom.data_length = MD5_LENGTH
    if rom.size > MAX_DATA_SIZE:
        rom.refuse(RomStatus.MALFORMED)
        return 0
    soc = rom.soc
    offset, size = rom.word(0), rom.word(1)
    if size >> 31:
        size = 0
    text = flash_access.md5(soc, offset, size) if size else _EMPTY_MD5
    if text is None:
        rom.refuse(RomStatus.FLASH_READ_FAILED)
        size = max(0, min(size, flash_access.chip_size(soc) - offset))
    else:
        rom.answer[:MD5_LENGTH] = text
        rom.succeed_clean()
    return size * soc.config.times.md5_per_byte


def read(rom: RomState) -> int:
    """READ_FLASH: offset, length up to 64. The answer always holds 64 bytes; what was not read now is older.

    Source: oracle fact 39, rom_flash.json read_flash_0e, read_flash_0e_first. Fidelity: recorded; guessed that a length
    that is no multiple of four overwrites as many old bytes as were read.
    """
    rom.data_length = READ_LENGTH
    offset, length = rom.word(0), rom.word(1)
    if length > READ_LENGTH:
        rom.refuse(RomStatus.READ_TOO_LONG)
        return 0
    held = flash_access.read(rom.soc, offset, -(-length // 4) * 4)
    if held is None:
        rom.refuse(RomStatus.FLASH_READ_FAILED)
        return 0
    rom.answer[: len(held)] = held
    rom.succeed_clean()
    return len(held) * rom.soc.config.times.flash_read_per_byte
