"""How the legacy stub receives: an interrupt per byte, two buffers in turn, no memory of what was not taken in time.

A C0 outside a frame opens one, a C0 inside ends it, so a surplus C0 swaps inside and outside until the next one. A
frame is written over what its buffer holds, and a command reads its arguments from the buffer, so a short or empty
frame runs with the rest of an old one. A finished frame is the newest command, whether or not the one before it was
taken.
Source: oracle facts 63 to 65, 69; stub_e3.json slip_*, desync_*.
"""

from __future__ import annotations

import re

from flashcore.protocol.slip import END, ESC, ESC_END, ESC_ESC

MAX_BLOCK = 0x4000
"""Longest payload of a data block, in bytes. Source: flash_begin_block_4000, flash_begin_block_4001."""

BUFFER = MAX_BLOCK + 64
"""Size of a buffer; a frame that fills it is finished there and then, and what follows is another one.

Source: slip_long_4010, slip_long_4040, slip_long_8000."""

_ENDS_ESCAPE = re.compile(rb"[\xdc\xdd]")


class LegacyReceiver:
    """Bytes in, finished buffers out."""

    def __init__(self) -> None:
        self._buffers = (bytearray(BUFFER), bytearray(BUFFER))
        self._turn = 0
        self._fill = 0
        self._inside = False
        self._escaping = False

    def feed(self, data: bytes) -> bytearray | None:
        """Take bytes that arrive in one go.

        Returns:
            The buffer that was finished last, or None. It is written again two frames later.
        """
        done = None
        while data:
            body, end, data = data.partition(END)
            if self._inside and body:
                done = self._store(self._unescape(body)) or done
            if not end:
                break
            if self._inside:
                done = self._finish()
            self._inside = not self._inside
            self._escaping = False
        return done

    def _store(self, decoded: bytes) -> bytearray | None:
        done = None
        while self._fill + len(decoded) >= BUFFER:
            room = BUFFER - self._fill
            self._buffers[self._turn][self._fill :] = decoded[:room]
            decoded = decoded[room:]
            done = self._finish()
        self._buffers[self._turn][self._fill : self._fill + len(decoded)] = decoded
        self._fill += len(decoded)
        return done

    def _finish(self) -> bytearray:
        done = self._buffers[self._turn]
        self._turn ^= 1
        self._fill = 0
        return done

    def _unescape(self, body: bytes) -> bytes:
        """Undo escapes; after a DB that neither DC nor DD follows, everything up to the next of these is lost."""
        if not self._escaping:
            if ESC not in body:
                return body
            if body.count(ESC) == body.count(ESC_END) + body.count(ESC_ESC):
                return body.replace(ESC_END, END).replace(ESC_ESC, ESC)
        parts: list[bytes] = []
        at = 0
        while True:
            if self._escaping:
                found = _ENDS_ESCAPE.search(body, at)
                if found is None:
                    return b"".join(parts)
                parts.append(END if found[0] == b"\xdc" else ESC)
                at = found.end()
                self._escaping = False
            escape = body.find(ESC, at)
            if escape < 0:
                parts.append(body[at:])
                return b"".join(parts)
            parts.append(body[at:escape])
            at = escape + 1
            self._escaping = True
