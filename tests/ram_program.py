"""Small programs for an ESP32's RAM: an assembler of one instruction per function, and an ELF file around the result.

Encodings follow the instruction formats of the Xtensa ISA summary, independent of the interpreter that they test.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

CODE = 0x4008_0400
"""Where the code lies, in instruction RAM."""
DATA = 0x3FFC_0000
"""Where the texts lie, in data RAM."""

PRINTF = 0x4000_7D54
"""ROM function ets_printf."""
DELAY = 0x4000_8534
"""ROM function ets_delay_us."""
ONE_CHARACTER = 0x4000_9200
"""ROM function uart_tx_one_char."""


def _bytes3(word: int) -> bytes:
    return (word & 0xFF_FFFF).to_bytes(3, "little")


def entry(frame: int) -> bytes:
    """ENTRY a1, frame."""
    return _bytes3((frame // 8) << 12 | 1 << 8 | 0x36)


def retw() -> bytes:
    """RETW."""
    return _bytes3(0x000090)


def retw_n() -> bytes:
    """RETW.N."""
    return b"\x1d\xf0"


def l32r(at: int, register: int, literal: int) -> bytes:
    """L32R: load the word at `literal` into `register`; the instruction lies at `at`."""
    distance = literal - ((at + 3) & ~3)
    assert -0x4_0000 <= distance < 0
    assert distance % 4 == 0
    return _bytes3((distance >> 2 & 0xFFFF) << 8 | register << 4 | 0x1)


def callx8(register: int) -> bytes:
    """CALLX8 register."""
    return _bytes3(register << 8 | 0xE0)


def call8(at: int, target: int) -> bytes:
    """CALL8 target."""
    return _bytes3(((target - (at & ~3) - 4) // 4 & 0x3FFFF) << 6 | 0x25)


def movi(register: int, value: int) -> bytes:
    """MOVI register, value."""
    return _bytes3((value & 0xFF) << 16 | 0xA << 12 | (value >> 8 & 0xF) << 8 | register << 4 | 0x2)


def movi_n(register: int, value: int) -> bytes:
    """MOVI.N register, value (-32 to 95)."""
    value &= 0x7F
    return bytes([(value >> 4) << 4 | 0x0C, (value & 0xF) << 4 | register])


def addi(to: int, register: int, value: int) -> bytes:
    """ADDI to, register, value."""
    return _bytes3((value & 0xFF) << 16 | 0xC << 12 | register << 8 | to << 4 | 0x2)


def mov_n(to: int, register: int) -> bytes:
    """MOV.N to, register."""
    return bytes([to << 4 | 0xD, register])


def bnez(at: int, register: int, target: int) -> bytes:
    """BNEZ register, target."""
    return _bytes3((target - at - 4 & 0xFFF) << 12 | register << 8 | 1 << 6 | 0x16)


def s32i(value: int, base: int, offset: int) -> bytes:
    """S32I value, base, offset."""
    return _bytes3((offset // 4) << 16 | 0x6 << 12 | base << 8 | value << 4 | 0x2)


def l32i_n(to: int, base: int, offset: int) -> bytes:
    """L32I.N to, base, offset."""
    return bytes([to << 4 | 0x8, (offset // 4) << 4 | base])


def jump(at: int, target: int) -> bytes:
    """J target."""
    return _bytes3((target - at - 4 & 0x3FFFF) << 6 | 0x6)


def loop(at: int, register: int, end: int) -> bytes:
    """LOOP register, end."""
    return _bytes3((end - at - 4) << 16 | 0x8 << 12 | register << 8 | 0x76)


class Program:
    """Code behind a table of literals.

    Args:
        literals: Words, which `load` refers to by number.
    """

    def __init__(self, *literals: int) -> None:
        self.literals = literals
        self.start = CODE + (4 * len(literals) + 15 & ~15)
        self.code = b""

    @property
    def here(self) -> int:
        """Address of the next instruction."""
        return self.start + len(self.code)

    def add(self, *instructions: bytes) -> Program:
        """Append instructions."""
        for instruction in instructions:
            self.code += instruction
        return self

    def load(self, register: int, literal: int) -> Program:
        """Append an L32R of a literal."""
        return self.add(l32r(self.here, register, CODE + 4 * literal))

    def image(self) -> bytes:
        """Return literals and code as they lie from `CODE` on, padded to whole words."""
        table = struct.pack(f"<{len(self.literals)}I", *self.literals)
        whole = table.ljust(self.start - CODE, b"\0") + self.code
        return whole + bytes(-len(whole) % 4)


def hello_world() -> tuple[Program, bytes]:
    """Return a program that prints a greeting with a counter three times, then loops for ever; and its data."""
    text = b"Hello world %d from %s!\n\0"
    data = text + b"ESP32\0"
    program = Program(PRINTF, DATA, DATA + len(text), DELAY, 5000)
    program.add(entry(32), movi_n(3, 3))
    again = program.here
    program.load(10, 1).add(mov_n(11, 3)).load(12, 2).load(8, 0).add(callx8(8))
    program.load(10, 4).load(8, 3).add(callx8(8))
    program.add(addi(3, 3, -1))
    program.add(bnez(program.here, 3, again))
    program.add(jump(program.here, program.here))
    return program, data


def elf(segments: Sequence[tuple[str, int, bytes, bool]], start: int) -> bytes:
    """Return an Xtensa ELF file.

    Args:
        segments: Name, address, content, and whether it is code.
        start: Entry address.
    """
    names = b"\0"
    rows: list[tuple[int, int, int, int, int, int]] = [(0, 0, 0, 0, 0, 0)]
    programs, content = b"", b""
    position = 52 + 32 * len(segments)
    for name, address, data, code in segments:
        rows.append((len(names), 1, 0x6 if code else 0x3, address, position, len(data)))
        programs += struct.pack("<8I", 1, position, address, address, len(data), len(data), 5 if code else 6, 4)
        names += name.encode() + b"\0"
        content += data
        position += len(data)
    rows.append((len(names), 3, 0, 0, position, len(names) + len(b".shstrtab\0")))
    names += b".shstrtab\0"
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01",
        2,
        94,
        1,
        start,
        52,
        position + len(names),
        0,
        52,
        32,
        len(segments),
        40,
        len(rows),
        len(rows) - 1,
    )
    table = b"".join(struct.pack("<10I", *row, 0, 0, 4, 0) for row in rows)
    return header + programs + content + names + table
