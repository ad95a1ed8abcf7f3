"""What every stub says alike: its greeting, its answers, and the text of an exception.

An answer's status is two bytes, the code and a zero, and its value is zero but for READ_REG. Texts of exceptions come
from the ROM's handler, which prints where the CPU was.
Source: oracle facts 50, 51, 60; stub_*.json ohai, sync, read_zero.
"""

from __future__ import annotations

from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import HEADER, RESPONSE
from flashcore.protocol.slip import encode

OHAI = encode(b"OHAI")
"""What a stub sends when it starts."""

STATUS_LENGTH = 2
"""Status bytes of an answer."""

LOAD_PROHIBITED = 28
STORE_PROHIBITED = 29
ILLEGAL_INSTRUCTION = 0
"""Exception causes. Source: Xtensa ISA summary; read_zero (28)."""

_CAUSES = {
    ILLEGAL_INSTRUCTION: "IllegalInstruction",
    LOAD_PROHIBITED: "LoadProhibited",
    STORE_PROHIBITED: "StoreProhibited",
}


def header(opcode: int, length: int, value: int = 0) -> bytes:
    """Return the eight bytes that begin an answer, without framing."""
    return HEADER.pack(RESPONSE, opcode, length, value)


def answer(opcode: int, status: int, *, value: int = 0, data: bytes = b"") -> bytes:
    """Return a whole answer as a frame.

    Args:
        opcode: The command that is answered.
        status: Its code; 0 is success.
        value: The value word.
        data: Bytes before the status.
    """
    return encode(header(opcode, len(data) + STATUS_LENGTH, value) + data + bytes((status, 0)))


SYNC_ANSWERS = answer(Opcode.SYNC, 0) * 8
"""Eight answers to one SYNC."""


def exception_text(cause: int, pc: int, address: int) -> bytes:
    """Return what the ROM's exception handler prints.

    Args:
        cause: Exception cause number.
        pc: Address of the instruction.
        address: Address of the access that failed.

    Fidelity: recorded for loads from address 0; the same form for the others is guessed.
    """
    text = (
        f"Fatal exception ({cause}): {_CAUSES[cause]}\r\n"
        f"epc1=0x{pc:08x}, epc2=0x00000000, epc3=0x00000000, excvaddr=0x{address:08x}, depc=0x00000000\r\n"
    )
    return text.encode("ascii")
