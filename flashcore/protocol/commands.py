"""The commands of the bootloader protocol as requests, one function each.

Argument order and widths are those on the wire; all words are little-endian and 32 bits wide. Lengths that a loader insists on
are noted with the recording that shows it.
"""

from __future__ import annotations

from struct import Struct

from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request

SYNC_BODY = bytes((0x07, 0x07, 0x12, 0x20)) + b"\x55" * 32
"""Body of SYNC: the ROM ignores it but for its edges, a stub insists on its 36 bytes (oracle facts 4, 51)."""

_ONE = Struct("<I")
_TWO = Struct("<II")
_FOUR = Struct("<IIII")
_SIX = Struct("<IIIIII")


def sync() -> Request:
    """Return SYNC, which every loader answers eight times."""
    return Request(Opcode.SYNC, SYNC_BODY)


def read_reg(address: int) -> Request:
    """Return READ_REG of the word at `address`; the answer's value field holds the word."""
    return Request(Opcode.READ_REG, _ONE.pack(address))


def write_reg(address: int, value: int, *, mask: int = 0xFFFFFFFF, delay_us: int = 0) -> Request:
    """Return WRITE_REG of `value` under `mask` to `address`, followed by a wait of `delay_us`."""
    return Request(Opcode.WRITE_REG, _FOUR.pack(address, value, mask, delay_us))


def spi_attach(*, stub: bool) -> Request:
    """Return SPI_ATTACH for the standard pins: 8 bytes for the ROM, exactly 4 for a stub (oracle facts 40, 74)."""
    return Request(Opcode.SPI_ATTACH, b"\0" * (4 if stub else 8))


def spi_set_params(flash_size: int) -> Request:
    """Return SPI_SET_PARAMS for a flash of `flash_size` bytes with the usual block, sector and page sizes."""
    return Request(Opcode.SPI_SET_PARAMS, _SIX.pack(0, flash_size, 0x10000, 0x1000, 0x100, 0xFFFF))


def mem_begin(size: int, blocks: int, block_size: int, address: int) -> Request:
    """Return MEM_BEGIN: `size` bytes in `blocks` blocks of `block_size` to RAM at `address`."""
    return Request(Opcode.MEM_BEGIN, _FOUR.pack(size, blocks, block_size, address))


def mem_end(entry: int) -> Request:
    """Return MEM_END: jump to `entry`, or stay in the loader if it is 0."""
    return Request(Opcode.MEM_END, _TWO.pack(int(entry == 0), entry))


def flash_begin(size: int, blocks: int, block_size: int, offset: int) -> Request:
    """Return FLASH_BEGIN: erase for `size` bytes at `offset`, then expect `blocks` blocks of `block_size`."""
    return Request(Opcode.FLASH_BEGIN, _FOUR.pack(size, blocks, block_size, offset))


def flash_end(*, stay: bool) -> Request:
    """Return FLASH_END. The ROM leaves its loader whatever `stay` says (oracle fact 37)."""
    return Request(Opcode.FLASH_END, _ONE.pack(int(stay)))


def flash_defl_begin(size: int, blocks: int, block_size: int, offset: int) -> Request:
    """Return FLASH_DEFL_BEGIN.

    Args:
        size: Bytes to erase for (ROM) or bytes after inflating (stub).
        blocks: Number of compressed blocks.
        block_size: Longest compressed block, in bytes.
        offset: Where the inflated data goes.
    """
    return Request(Opcode.FLASH_DEFL_BEGIN, _FOUR.pack(size, blocks, block_size, offset))


def flash_defl_end(*, stay: bool) -> Request:
    """Return FLASH_DEFL_END, which with `stay` keeps the loader running (oracle fact 47)."""
    return Request(Opcode.FLASH_DEFL_END, _ONE.pack(int(stay)))


def spi_flash_md5(offset: int, size: int) -> Request:
    """Return SPI_FLASH_MD5 over `size` bytes at `offset`: 32 hexadecimal characters from the ROM, 16 raw bytes from a stub."""
    return Request(Opcode.SPI_FLASH_MD5, _FOUR.pack(offset, size, 0, 0))


def read_flash_slow(offset: int, size: int) -> Request:
    """Return the ROM's READ_FLASH of at most 64 bytes (oracle fact 39)."""
    return Request(Opcode.READ_FLASH_SLOW, _TWO.pack(offset, size))


def change_baudrate(new: int, old: int) -> Request:
    """Return CHANGE_BAUDRATE to `new` baud; `old` is 0 for the ROM and the present rate for a stub (oracle facts 41, 69)."""
    return Request(Opcode.CHANGE_BAUDRATE, _TWO.pack(new, old))


def get_security_info() -> Request:
    """Return GET_SECURITY_INFO, which the ESP32's ROM does not know."""
    return Request(Opcode.GET_SECURITY_INFO)


def erase_flash() -> Request:
    """Return ERASE_FLASH (stub only): the whole chip."""
    return Request(Opcode.ERASE_FLASH)


def erase_region(offset: int, size: int) -> Request:
    """Return ERASE_REGION (stub only); both in bytes, multiples of 4096."""
    return Request(Opcode.ERASE_REGION, _TWO.pack(offset, size))


def read_flash(offset: int, size: int, block_size: int, in_flight: int) -> Request:
    """Return READ_FLASH (stub only): `size` bytes in frames of `block_size`, at most `in_flight` of them unacknowledged."""
    return Request(Opcode.READ_FLASH, _FOUR.pack(offset, size, block_size, in_flight))
