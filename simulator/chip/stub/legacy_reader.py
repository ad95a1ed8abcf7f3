"""READ_FLASH of the legacy stub, which stops receiving by interrupt and polls for acknowledgements meanwhile.

Blocks go out while fewer than `in_flight` *bytes* are unacknowledged, so every usual value makes it lockstep. An
acknowledgement is a frame of four bytes with the total received; anything shorter ends the read with the digest of
what was sent. A block size of 0 sends empty frames for ever.
Source: oracle facts 59, 66; stub_e3.json read_flash_*.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from flashcore.protocol.slip import END, encode, unescape
from simulator.chip.soc import Soc
from simulator.chip.stub.flash_access import FlashAccess

MAX_BLOCK = 0x1000
"""Longest block, in bytes. Source: read_flash_block_big."""

FLOOD = END * 4096
"""One event's worth of the empty frames that a block size of 0 makes."""

_WAITING = 32
"""Acknowledgements that are kept while the stub sends: what fits the UART's FIFO of 128 bytes, roughly."""


class LegacyReader:
    """One READ_FLASH in progress.

    Args:
        soc: The chip.
        flash: Its flash.
        offset: First byte.
        length: Number of bytes.
        block: Bytes per frame.
        in_flight: How many bytes may be unacknowledged before it waits.
        done: Called when the digest has been handed to the UART.
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
        done: Callable[[], None],
    ) -> None:
        self._soc = soc
        self._flash = flash
        self._offset = offset
        self._length = length
        self._block = block
        self._in_flight = in_flight
        self._done = done
        self._sent = 0
        self._acknowledged = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._raw = b""
        self._inside = False
        self._waiting: deque[bytes] = deque(maxlen=_WAITING)
        self._sending = False

    def start(self) -> None:
        """Begin to send."""
        self._turn()

    def feed(self, data: bytes) -> None:
        """Take bytes from the host: acknowledgements."""
        parts = data.split(END)
        for part in parts[:-1]:
            if self._inside:
                self._waiting.append(self._raw + part)
            self._raw = b""
            self._inside = not self._inside
        if self._inside:
            self._raw = (self._raw + parts[-1])[:16]
        if not self._sending:
            self._acknowledge()

    def _acknowledge(self) -> None:
        while self._waiting:
            frame = unescape(self._waiting.popleft()) or b""
            if len(frame) < 4:
                self._finish()
                return
            self._acknowledged = int.from_bytes(frame[:4], "little")
            if not self._turn():
                return

    def _turn(self) -> bool:
        """Decide what comes next; return whether it waits for an acknowledgement."""
        if self._acknowledged >= self._length or self._acknowledged > self._sent:
            self._finish()
            return False
        count = min(self._block, self._length - self._sent)
        more = self._sent < self._length and self._sent - self._acknowledged < self._in_flight
        if not more or not self._flash.inside(self._offset, count):
            return True
        self._sending = True
        self._soc.after(self._flash.read_ns(count), self._send)
        return False

    def _send(self) -> None:
        count = min(self._block, self._length - self._sent)
        if count:
            data = self._flash.read(self._offset, count)
            self._digest.update(data)
            self._offset += count
            self._sent += count
            free_ns = self._soc.uart.send(encode(data))
        else:
            free_ns = self._soc.uart.send(FLOOD)
        more = self._sent < self._length and self._sent - self._acknowledged < self._in_flight
        if more:
            self._soc.after(max(0, free_ns - self._soc.kernel.now), self._turn_again)
        else:
            self._turn_again()

    def _turn_again(self) -> None:
        self._sending = False
        if self._turn():
            self._acknowledge()

    def _finish(self) -> None:
        self._soc.uart.send(encode(self._digest.digest()))
        self._done()
