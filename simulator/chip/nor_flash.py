"""A SPI NOR flash chip: the cells of `simulator.chip.flash_array` behind its command set.

There are two ways in. The loaders call `program`, `erase` and their like and wait out the time that these return. The
SPI controller calls `command` with the raw opcode and the present time: there the write enable latch counts, an
operation makes the chip busy until a moment, a busy chip answers nothing but its status, and a chip in deep power-down
nothing but its release. Time is an argument, so the chip needs no clock.

Fidelity: from data sheet (Winbond W25QxxJV); RDID and the status-less zero answers of ``ideal-4mb`` recorded.
Simplified: dummy cycles are not counted (the answer starts where the host reads), suspend/resume, quad and QPI opcodes
are unknown to the chip.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.chip.flash_array import PAGE, FlashArray
from simulator.chip.flash_effect import FlashEffect, FlashOperation, Hook
from simulator.chip.flash_parts import FlashPart
from simulator.chip.flash_status import BUSY, WEL

__all__ = ["FlashEffect", "FlashOperation", "Hook", "NorFlash"]

DEFAULT_UNIQUE_ID = 0xD165_3C4E_2F8A_9B70
"""Factory number answered to opcode 4B, 64 bits, first byte on the wire = most significant."""

_READ_STATUS = {0x05: 0, 0x35: 1, 0x15: 2}
_WRITE_STATUS = {0x01: 1, 0x31: 2, 0x11: 3}
_RESET = frozenset((0x66, 0x99))
_WHILE_BUSY = frozenset((*_READ_STATUS, *_RESET))


class NorFlash(FlashArray):
    """One flash chip.

    Args:
        part: What is soldered on.
        unique_id: 64-bit factory number.
        worst_case: Use the part's maximum times in place of the typical ones.
    """

    def __init__(self, part: FlashPart, *, unique_id: int = DEFAULT_UNIQUE_ID, worst_case: bool = False) -> None:
        super().__init__(part, worst_case=worst_case)
        self.unique_id = unique_id
        """64-bit factory number."""
        self.busy_until = 0
        """Moment in nanoseconds at which the operation begun by the last command ends."""
        self.answers: Callable[[int, bytes], bytes] | None = None
        """Given the opcode of a transaction and its answer, returns what the host reads instead."""
        self._powered_down = False
        self._stuck_in_mode = False
        self._write_enabled = False
        self._volatile_enabled = False
        self._reset_enabled = False

    def power_down(self) -> None:
        """Enter deep power-down, from which only AB wakes it."""
        self._powered_down = True

    def stay_in_mode(self) -> None:
        """Be in a mode of another bus width, as a program left it: nothing is understood but the reset by 66 and 99."""
        self._stuck_in_mode = True

    @property
    def is_silent(self) -> bool:
        """Whether nothing reaches the chip at the moment, be it for the state that it is in."""
        return self._powered_down or self._stuck_in_mode or (self.silent is not None and self.silent())

    @property
    def powered_down(self) -> bool:
        """Whether the chip is in deep power-down."""
        return self._powered_down

    def power_cycle(self) -> None:
        """Supply off and on: latches and modes go, cells and non-volatile status bits stay."""
        self._forget()
        self.busy_until = 0

    def command(self, opcode: int, address: int | None, data_out: bytes, read_len: int, *, now_ns: int | None = None) -> bytes:
        """Run one SPI transaction.

        Args:
            opcode: First byte.
            address: 24-bit address, or None if the host clocked none.
            data_out: What the host sends behind the address.
            read_len: How many bytes the host then clocks in.
            now_ns: Present time; without it the chip is never found busy.

        Returns:
            Exactly `read_len` bytes; those that the chip does not drive are the part's `FlashPart.floating`.

        Source: from data sheet (Winbond W25Q32JV, instruction set tables); RDID: rom_reg.json flash_id_via_spi_regs.
        """
        answer = self._transaction(opcode, address, data_out, read_len, now_ns)
        return answer if self.answers is None else self.answers(opcode, answer)

    def _transaction(self, opcode: int, address: int | None, data_out: bytes, read_len: int, now_ns: int | None) -> bytes:
        now = self.busy_until if now_ns is None else now_ns
        reset_enabled, self._reset_enabled = self._reset_enabled, False
        answer = b""
        if (self._powered_down and opcode != 0xAB) or (self._stuck_in_mode and opcode not in _RESET) or super().is_silent:
            return self._padded(answer, read_len)
        if now < self.busy_until and opcode not in _WHILE_BUSY:
            return self._padded(answer, read_len)
        match opcode:
            case 0x9F:
                answer = self.part.jedec_id.to_bytes(3, "big")
            case 0x05 | 0x35 | 0x15:
                return self._status_byte(opcode, now) * read_len
            case 0x06:
                self._write_enabled = True
            case 0x50:
                self._volatile_enabled = True
            case 0x04:
                self._disable()
            case 0x03 | 0x0B:
                return self._read_wrapping(address or 0, read_len)
            case 0x5A:
                answer = self._sfdp(address or 0, read_len)
            case 0x4B:
                answer = self.unique_id.to_bytes(8, "big")
            case 0x90:
                pair = bytes([self.part.manufacturer, self.part.device_id])
                answer = (pair[::-1] if address and address & 1 else pair) * (read_len // 2 + 1)
            case 0xAB:
                self._powered_down = False
                answer = bytes([self.part.device_id]) * read_len
            case 0xB9:
                self._powered_down = True
            case 0x66:
                self._reset_enabled = True
            case 0x99 if reset_enabled:
                self._forget()
                self.busy_until = min(self.busy_until, now)
            case 0x01 | 0x31 | 0x11 if data_out:
                self._begin(now, self._write_status(opcode, data_out))
            case 0x02 | 0x20 | 0x52 | 0xD8 | 0xC7 | 0x60 if self._write_enabled:
                self._begin(now, self._modify(opcode, address, data_out))
        return self._padded(answer, read_len)

    def _begin(self, now: int, busy_ns: int) -> None:
        self._disable()
        self.busy_until = now + busy_ns

    def _modify(self, opcode: int, address: int | None, data: bytes) -> int:
        """Program or erase by opcode; return the busy time."""
        if opcode in (0xC7, 0x60):
            return self.erase_chip()
        if address is None:
            return 0
        offset = address % self.size
        match opcode:
            case 0x02:
                return self._program_page(offset, data)
            case 0x20:
                return self.erase_sector(offset)
            case 0x52:
                return self.erase_block32(offset)
            case _:
                return self.erase_block64(offset)

    def _program_page(self, offset: int, data: bytes) -> int:
        """Program inside one page: the column wraps, and of more than a page only the last 256 bytes count."""
        if not data:
            return 0
        column = (offset + max(0, len(data) - PAGE)) % PAGE
        data = data[-PAGE:]
        page = bytearray(b"\xff" * PAGE)
        first = min(len(data), PAGE - column)
        page[column : column + first] = data[:first]
        page[: len(data) - first] = data[first:]
        base = offset - offset % PAGE
        if first == len(data):
            return self.program(base + column, data)
        return self.program(base, bytes(page))

    def _write_status(self, opcode: int, data: bytes) -> int:
        """Write status registers if a latch allows it; return the busy time."""
        if not (self._write_enabled or self._volatile_enabled):
            return 0
        values = data[:2] if opcode == 0x01 else data[:1]
        return self.write_status(_WRITE_STATUS[opcode], values, volatile=not self._write_enabled)

    def _status_byte(self, opcode: int, now: int) -> bytes:
        index = _READ_STATUS[opcode]
        value = self.status.live[index]
        if index == 0:
            busy = now < self.busy_until
            value |= (BUSY if busy else 0) | (WEL if busy or self._write_enabled else 0)
        return bytes([value])

    def _read_wrapping(self, address: int, length: int) -> bytes:
        offset = address % self.size
        head = self.read(offset, min(length, self.size - offset))
        return head + self._read_wrapping(0, length - len(head)) if len(head) < length else head

    def _sfdp(self, address: int, length: int) -> bytes:
        if not self.part.sfdp:
            return b""
        area = self.part.sfdp.ljust(PAGE, b"\xff")
        start = address % PAGE
        return (area * (length // PAGE + 2))[start : start + length]

    def _padded(self, answer: bytes, length: int) -> bytes:
        return answer[:length].ljust(length, bytes([self.part.floating]))

    def _disable(self) -> None:
        self._write_enabled = False
        self._volatile_enabled = False

    def _forget(self) -> None:
        self._disable()
        self._powered_down = False
        self._stuck_in_mode = False
        self._reset_enabled = False
        self.status.reload()
