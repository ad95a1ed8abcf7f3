"""How the newer stub receives: by interrupt in batches, and blind from the end of a frame to the end of its batch.

The UART collects up to 32 bytes before it interrupts, or fewer when the line falls silent. The interrupt handler reads them all;
once a frame is complete, or broken, it drops what else is in the batch, and everything until the main loop has taken the frame.
Only then does it look for a C0 again, and any C0 will do, so losing one turns inside and outside of frames around until another
single C0 comes.
Source: oracle facts 70 to 73; stub_e5_2.json slip_*, desync_*, pipe_*, flash_pipelined_*.

Fidelity: recorded with all of a burst in one batch. Guessed: batch size and silence (the recording's bursts do not show them).
"""

from __future__ import annotations

from collections.abc import Callable

from flashcore.protocol.slip import END, ESC, ESC_END, ESC_ESC

BATCH = 32
"""Bytes after which the UART interrupts. Fidelity: guessed from oracle fact 71."""

SILENCE_BYTES = 10
"""Length of the silence after which it interrupts for fewer, in byte times. Fidelity: guessed (a common setting)."""

CAPACITY = 0x4100
"""Longest frame, in decoded bytes. Source: slip_long_4100 (dropped within its last 9 bytes), slip_long_4040 (taken)."""


class ModernReceiver:
    """Bytes with their times in, frames out.

    Args:
        complete: Called with each frame; the receiver is blind from then until `release`.
        busy: Whether the main loop cannot take a frame now.
    """

    def __init__(self, complete: Callable[[bytes], None], busy: Callable[[], bool]) -> None:
        self._complete = complete
        self._busy = busy
        self._frame = bytearray()
        self._inside = False
        self._escaping = False
        self._blind = False
        self._waiting = False
        self._count = 0
        self._last_ns = -1

    def release(self) -> None:
        """The main loop has taken the frame: look for the next."""
        self._waiting = False
        self._blind = False

    def feed(self, data: bytes, first_ns: int, byte_ns: int) -> None:
        """Take bytes.

        Args:
            data: Bytes as received.
            first_ns: When the first of them was complete.
            byte_ns: Time between them; 0 where they came all at once, which makes them one batch.
        """
        if not data:
            return
        at_once = not byte_ns
        if first_ns != self._last_ns if at_once else first_ns - self._last_ns > SILENCE_BYTES * byte_ns:
            self._begin_batch()
        self._last_ns = first_ns + byte_ns * (len(data) - 1)
        while data:
            if self._blind:
                left = len(data) if at_once else BATCH - self._count
                self._pass(min(left, len(data)))
                data = data[left:]
                if data:
                    self._begin_batch()
                    if self._blind:
                        self._pass(len(data))
                        return
                continue
            data = self._take(data)

    def _begin_batch(self) -> None:
        self._count = 0
        if self._blind and not (self._waiting and self._busy()):
            self._blind = False

    def _pass(self, count: int) -> None:
        self._count = (self._count + count) % BATCH
        if not self._count and self._blind and not (self._waiting and self._busy()):
            self._blind = False

    def _take(self, data: bytes) -> bytes:
        """Take bytes up to the next C0 or error; return those behind it."""
        body, end, rest = data.partition(END)
        taken = len(body) + len(end)
        if self._inside and body:
            good = self._store(body)
            if good is not None:
                self._pass(min(good, len(data)))
                self._drop()
                return data[good:]
        self._pass(taken)
        if not end:
            return b""
        if not self._inside:
            self._inside = True
            return rest
        self._inside = False
        if self._escaping:
            self._drop()
        elif self._frame:
            frame = bytes(self._frame)
            self._frame.clear()
            self._blind = self._waiting = True
            self._complete(frame)
            if not self._count and not self._busy():
                self._blind = False
        return rest

    def _store(self, body: bytes) -> int | None:
        """Unescape into the frame; return None, or how many bytes were read when it broke."""
        at = 0
        if self._escaping:
            if body[0] not in b"\xdc\xdd":
                return 1
            self._frame += END if body[0] == 0xDC else ESC
            self._escaping = False
            at = 1
            body = body[1:]
        if ESC in body:
            self._escaping = body.endswith(ESC)
            whole = body[:-1] if self._escaping else body
            if whole.count(ESC) != whole.count(ESC_END) + whole.count(ESC_ESC):
                pieces = whole.replace(ESC_END, b"..").replace(ESC_ESC, b"..")
                return at + pieces.index(ESC) + 2
            body = whole.replace(ESC_END, END).replace(ESC_ESC, ESC)
        self._frame += body
        excess = len(self._frame) - CAPACITY
        if excess > 0:
            return at + max(1, len(body) - excess + 1)
        return None

    def _drop(self) -> None:
        self._frame.clear()
        self._inside = self._escaping = False
        self._blind = True
        self._waiting = False
