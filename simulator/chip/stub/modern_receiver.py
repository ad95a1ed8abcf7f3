"""How the newer stub receives: by interrupt in batches, and blind from the end of a frame to the end of its batch.

The UART collects up to 32 bytes before it interrupts, or fewer when the line falls silent. The interrupt handler
reads them all; once a frame is complete, or broken, it drops what else is in the batch, and everything until the main
loop has taken the frame. Only then does it look for a C0 again, and any C0 will do, so losing one turns inside and
outside of frames around until another single C0 comes.
Source: oracle facts 70 to 73; stub_e5_2.json slip_*, desync_*, pipe_*, flash_pipelined_*.

Fidelity: recorded with all of a burst in one batch. Guessed: batch size and silence (the recording's bursts do not
show them)."""

from __future__ import annotations

from typing import Protocol

from flashcore.protocol.slip import END, ESC, ESC_END, ESC_ESC

BATCH = 32
"""Bytes after which the UART interrupts. Fidelity: guessed from oracle fact 71."""

SILENCE_BYTES = 10
"""Length of the silence after which it interrupts for fewer, in byte times. Fidelity: guessed (a common setting)."""

CAPACITY = 0x4100
"""Longest frame, in decoded bytes. Source: slip_long_4100 (dropped within its last 9 bytes), slip_long_4040 (taken)."""


class Owner(Protocol):
    """The main loop, as the receiver sees it."""

    def frame_complete(self, frame: bytes) -> None:
        """Keep `frame` until it can be taken; `ModernReceiver.release` must be called then."""
        ...

    def batch_ended(self) -> None:
        """The interrupt handler has returned while a frame waits: take it if there is nothing else to do."""
        ...


class ModernReceiver:
    """Bytes with their times in, frames out.

    Args:
        owner: Who takes the frames.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._frame = bytearray()
        self._inside = False
        self._escaping = False
        self._dropping = False
        self._held = False
        self._count = 0
        self._last_ns = -1

    def release(self) -> None:
        """The main loop has taken the frame: look for the next."""
        self._held = False

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
        if first_ns - self._last_ns > SILENCE_BYTES * byte_ns:
            self._begin_batch()
        self._last_ns = first_ns + byte_ns * (len(data) - 1)
        while data:
            if self._dropping or self._held:
                left = len(data) if at_once else min(len(data), BATCH - self._count)
                data = data[left:]
                self._pass(left, at_once=at_once)
                if data and self._held:
                    self._pass(len(data), at_once=at_once)
                    return
            else:
                data = self._look(data, at_once=at_once)

    def _begin_batch(self) -> None:
        self._count = 0
        self._dropping = False
        if self._held:
            self._owner.batch_ended()

    def _pass(self, count: int, *, at_once: bool) -> None:
        """Count bytes towards the batch, and end it where they fill it."""
        if at_once:
            return
        self._count += count
        if self._count >= BATCH:
            rest = self._count % BATCH
            self._begin_batch()
            self._count = rest

    def _look(self, data: bytes, *, at_once: bool) -> bytes:
        """Take bytes up to the next C0 or error; return those behind it."""
        body, end, rest = data.partition(END)
        if self._inside and body:
            broken = self._store(body)
            if broken is not None:
                self._pass(broken, at_once=at_once)
                self._drop()
                return data[broken:]
        self._pass(len(body) + len(end), at_once=at_once)
        if end:
            if self._inside and self._escaping:
                self._drop()
            elif self._inside and self._frame:
                self._inside = False
                frame = bytes(self._frame)
                self._frame.clear()
                self._held = self._dropping = True
                self._owner.frame_complete(frame)
            else:
                self._inside = not self._inside
        return rest

    def _store(self, body: bytes) -> int | None:
        """Unescape into the frame; return None, or how many bytes were read when it broke (at least 1)."""
        read = 0
        if self._escaping:
            if body[0] not in b"\xdc\xdd":
                return 1
            self._frame += END if body[0] == 0xDC else ESC
            self._escaping = False
            read = 1
            body = body[1:]
        if ESC in body:
            self._escaping = body.endswith(ESC)
            whole = body[:-1] if self._escaping else body
            if whole.count(ESC) != whole.count(ESC_END) + whole.count(ESC_ESC):
                pairs_gone = whole.replace(ESC_END, b"..").replace(ESC_ESC, b"..")
                return read + pairs_gone.index(ESC) + 2
            body = whole.replace(ESC_END, END).replace(ESC_ESC, ESC)
        self._frame += body
        excess = len(self._frame) - CAPACITY
        if excess > 0:
            return read + max(1, len(body) - excess + 1)
        return None

    def _drop(self) -> None:
        self._frame.clear()
        self._inside = self._escaping = False
        self._dropping = True
