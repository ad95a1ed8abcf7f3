"""SPI controller registers as a user-command engine: how hosts reach the flash by WRITE_REG and READ_REG.

A host writes the phases it wants (command, address, dummy, data out, data in) with their lengths in bits, then sets USR
in CMD. The controller runs the transaction against the flash at once and clears the bit. One flash chip hangs on SPI0
and SPI1 alike; each controller has registers of its own. Until the pins are routed (SPI_ATTACH, or what the stub does
by itself) silicon hears nothing.

Fidelity: register layout from the technical reference manual; reset values and RDID recorded (rom_reg.json read_spi1,
flash_id_via_spi_regs). Guessed: an unattached controller reads ones. Simplified: a transaction takes no time on the
bus.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.chip.nor_flash import NorFlash

SPI1_BASE = 0x3FF4_2000
"""Controller that flashers use. Source: oracle rom_reg.json read_spi1."""
SPI0_BASE = 0x3FF4_3000
"""Controller of the cache."""
BLOCK_SIZE = 0x1000
"""Bytes of address space of one controller."""

CMD, ADDR, CTRL, RD_STATUS = 0x00, 0x04, 0x08, 0x10
USER, USER1, USER2 = 0x1C, 0x20, 0x24
MOSI_DLEN, MISO_DLEN = 0x28, 0x2C
W0, W8, W_END = 0x80, 0xA0, 0xC0

CMD_USR = 1 << 18
"""CMD: run a user-defined transaction."""
USER_COMMAND, USER_ADDR, USER_DUMMY, USER_MISO, USER_MOSI = (1 << bit for bit in (31, 30, 29, 28, 27))
USER_MOSI_HIGH, USER_MISO_HIGH = 1 << 25, 1 << 24

RESET_VALUES = {USER1: 0x5C00_0007}
"""Registers that are not zero after reset. Source: rom_reg.json read_spi1."""

_FIXED = {1 << 30: 0x06, 1 << 29: 0x04, 1 << 22: 0xC7, 1 << 21: 0xB9, 1 << 20: 0xAB}
"""CMD bits that send one opcode and nothing else."""
_CMD_RDID, _CMD_RDSR = 1 << 28, 1 << 27

_BUFFER_BYTES = W_END - W0


class SpiController:
    """Register block of one SPI controller.

    Args:
        flash: The chip behind it.
        now: Returns the present time in nanoseconds.
        attached: Whether the pins are routed from the start.
    """

    def __init__(self, flash: NorFlash, now: Callable[[], int], *, attached: bool = False) -> None:
        self.flash = flash
        self.attached = attached
        """Whether the flash can be reached; set by SPI_ATTACH and by a starting stub."""
        self.transactions = 0
        """How many transactions were run."""
        self._now = now
        self._words: dict[int, int] = {}
        self._buffer = bytearray(_BUFFER_BYTES)
        self.reset()

    def reset(self) -> None:
        """Chip reset: registers as after power-on, pins not touched."""
        self._words = dict(RESET_VALUES)
        self._buffer[:] = bytes(_BUFFER_BYTES)

    def read(self, offset: int) -> int:
        """Read the register word at an aligned byte offset."""
        if W0 <= offset < W_END:
            return int.from_bytes(self._buffer[offset - W0 : offset - W0 + 4], "little")
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register word at an aligned byte offset; CMD starts what it names."""
        if offset == CMD:
            self._start(value)
        elif W0 <= offset < W_END:
            self._buffer[offset - W0 : offset - W0 + 4] = value.to_bytes(4, "little")
        else:
            self._words[offset] = value

    def _start(self, value: int) -> None:
        """Run the transactions that CMD names; all its bits clear themselves, so it always reads as zero."""
        for bit, opcode in _FIXED.items():
            if value & bit:
                self._transfer(opcode, None, b"", 0)
        if value & _CMD_RDID:
            self._buffer[0:4] = self._transfer(0x9F, None, b"", 3) + b"\x00"
        if value & _CMD_RDSR:
            self._words[RD_STATUS] = self._transfer(0x05, None, b"", 1)[0]
        if value & CMD_USR:
            self._run_user()

    def _run_user(self) -> None:
        user = self.read(USER)
        address: int | None = None
        if user & USER_ADDR:
            bits = (self.read(USER1) >> 26) + 1
            address = self.read(ADDR) >> max(0, 32 - bits)
        out = self._taken(user & USER_MOSI_HIGH, self.read(MOSI_DLEN)) if user & USER_MOSI else b""
        count = _bytes_of(self.read(MISO_DLEN)) if user & USER_MISO else 0
        if user & USER_COMMAND:
            answer = self._transfer(self.read(USER2) & 0xFF, address, out, count)
        else:
            answer = bytes([self.flash.part.floating]) * count
        start = W8 - W0 if user & USER_MISO_HIGH else 0
        answer = answer[: _BUFFER_BYTES - start]
        self._buffer[start : start + len(answer)] = answer

    def _taken(self, high: int, length_field: int) -> bytes:
        start = W8 - W0 if high else 0
        return bytes(self._buffer[start : start + _bytes_of(length_field)])

    def _transfer(self, opcode: int, address: int | None, out: bytes, read_len: int) -> bytes:
        if not self.attached:
            return b"\xff" * read_len
        self.transactions += 1
        return self.flash.command(opcode, address, out, read_len, now_ns=self._now())


def _bytes_of(length_field: int) -> int:
    """Turn a length register (bits less one) into whole bytes, at most the buffer's 64."""
    return min(((length_field & 0xFF_FFFF) + 8) // 8, _BUFFER_BYTES)
