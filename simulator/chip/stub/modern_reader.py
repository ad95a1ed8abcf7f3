"""READ_FLASH of the newer stub: a block, then an acknowledgement, and the digest when all is acknowledged.

It waits after each block unless the number in the last acknowledgement is within `in_flight` bytes of what was sent.
Any frame that is not four bytes long ends the read with the digest of what was sent; a failure ends it without a
word.
Source: oracle fact 59; stub_e5_2.json read_flash_*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from flashcore.protocol.opcodes import StubStatus
from flashcore.protocol.slip import encode
from simulator.chip.soc import Soc
from simulator.chip.stub.flash_access import FlashAccess

MAX_BLOCK = 0x4000
"""Longest block, in bytes. Fidelity: guessed; read_flash_block_big shows that 0x8000 is too long."""


class ModernReader:
    """One READ_FLASH in progress.

    Args:
        soc: The chip.
        flash: Its flash.
        offset: First byte.
        length: Number of bytes.
        block: Bytes per frame.
        in_flight: How many bytes may be unacknowledged before it waits.
        waits: Called when it begins to wait for an acknowledgement.
        done: Called at the end with a status for the next command to report, or 0.
    """

    def __init__(
        self,
        soc: Soc,
        flash: FlashAccess,
        *,
        offset: int,
        length: int,
        block: int,
        in_flight: int,
        waits: Callable[[], None],
        done: Callable[[int], None],
    ) -> None:
        self._soc = soc
        self._flash = flash
        self._offset = offset
        self._length = length
        self._block = block
        self._in_flight = in_flight
        self._waits = waits
        self._done = done
        self.waiting = False
        """Whether it can take an acknowledgement."""
        self._sent = 0
        self._acknowledged = 0
        self._digest = hashlib.md5(usedforsecurity=False)

    def start(self) -> None:
        """Begin to send."""
        if self._block > MAX_BLOCK:
            self._done(StubStatus.BAD_LENGTH)
        else:
            self._turn()

    def acknowledge(self, frame: bytes) -> None:
        """Take a frame from the host, while it waits for one."""
        self.waiting = False
        if len(frame) != 4:
            self._finish()
            return
        self._acknowledged = int.from_bytes(frame, "little")
        self._turn()

    def _turn(self) -> None:
        if self._sent < self._length:
            count = min(self._block, self._length - self._sent)
            if self._flash.inside(self._offset, count):
                self._soc.after(self._flash.read_ns(count), self._send)
            else:
                self._done(StubStatus.SPI_FAILED)
        elif self._acknowledged >= self._length:
            self._finish()
        else:
            self._wait()

    def _wait(self) -> None:
        self.waiting = True
        self._waits()

    def _send(self) -> None:
        count = min(self._block, self._length - self._sent)
        data = self._flash.read(self._offset, count)
        self._digest.update(data)
        self._offset += count
        self._sent += count
        free_ns = self._soc.uart.send(encode(data))
        missing = self._sent - self._acknowledged
        if count and missing < max(self._in_flight, 1):
            self._soc.after(max(0, free_ns - self._soc.kernel.now), self._turn)
        else:
            self._wait()

    def _finish(self) -> None:
        self._soc.uart.send(encode(self._digest.digest()))
        self._done(0)
