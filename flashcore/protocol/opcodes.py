"""The codes of the bootloader protocol: commands and the reasons for which loaders refuse them."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Opcode(IntEnum):
    """Commands. Source: oracle ``rom_opcodes.json`` for the ROM, ``stub_*.json`` for 0xD0 and above."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUDRATE = 0x0F
    FLASH_DEFL_BEGIN = 0x10
    FLASH_DEFL_DATA = 0x11
    FLASH_DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


DATA_OPCODES = frozenset({Opcode.FLASH_DATA, Opcode.MEM_DATA, Opcode.FLASH_DEFL_DATA})
"""Commands whose packet carries a checksum over its payload (oracle fact 17)."""


@unique
class RomStatus(IntEnum):
    """Second status byte of the ESP32 ROM when the first is 1. Source: oracle fact 22."""

    MALFORMED = 0x05
    ERASE_FAILED = 0x06
    BAD_CHECKSUM = 0x07
    READ_BACK_DIFFERS = 0x08
    FLASH_READ_FAILED = 0x09
    READ_TOO_LONG = 0x0A
    INFLATE_FAILED = 0x0B
    ADLER_WRONG = 0x0C


@unique
class StubStatus(IntEnum):
    """First status byte of a stub loader. Source: oracle fact 52."""

    BAD_LENGTH = 0xC0
    BAD_CHECKSUM = 0xC1
    BAD_BLOCK_SIZE = 0xC2
    BAD_COMMAND = 0xC3
    SPI_FAILED = 0xC4
    NOT_BEGUN = 0xC6
    INFLATE_FAILED = 0xC7
    NOT_ENOUGH_DATA = 0xC8
    TOO_MUCH_DATA = 0xC9
    NOT_IMPLEMENTED = 0xFF


def name_of(opcode: int) -> str:
    """Return the command's name, or its code in hexadecimal where it has none."""
    try:
        return Opcode(opcode).name
    except ValueError:
        return f"0x{opcode:02X}"


STATUS_TEXT: dict[int, str] = {
    RomStatus.MALFORMED: "malformed command",
    RomStatus.ERASE_FAILED: "erase failed",
    RomStatus.BAD_CHECKSUM: "checksum of the block wrong",
    RomStatus.READ_BACK_DIFFERS: "flash read back differs",
    RomStatus.FLASH_READ_FAILED: "flash read failed",
    RomStatus.READ_TOO_LONG: "read too long",
    RomStatus.INFLATE_FAILED: "compressed stream broken",
    RomStatus.ADLER_WRONG: "checksum of the compressed stream wrong",
    StubStatus.BAD_LENGTH: "length wrong",
    StubStatus.BAD_CHECKSUM: "checksum of the block wrong",
    StubStatus.BAD_BLOCK_SIZE: "block size wrong",
    StubStatus.BAD_COMMAND: "unknown command",
    StubStatus.SPI_FAILED: "flash operation failed",
    StubStatus.NOT_BEGUN: "no write in progress",
    StubStatus.INFLATE_FAILED: "compressed stream broken",
    StubStatus.NOT_ENOUGH_DATA: "data missing at the end",
    StubStatus.TOO_MUCH_DATA: "more data than announced",
    StubStatus.NOT_IMPLEMENTED: "not implemented",
}
"""What each refusal means, in words for people."""
