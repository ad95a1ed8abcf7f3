"""How the ROM cuts its input into frames, with all its oddities.

Outside a frame everything up to a C0 is dropped. The C0 opens a frame; further ones before the first byte are ignored.
The next C0 closes it, so each frame needs an opening delimiter of its own. Inside, DB DC and DB DD are the usual
escapes and DB before anything else is just dropped, even before a C0, which then belongs to the frame. Bytes go
straight into one buffer of 8192 bytes that is never cleared and never overrun: what does not fit is dropped, what is
not overwritten stays.

The work is done by `find` and `unescape` on whole pieces; only frames with broken escapes take a slower way.

Source: oracle facts 9 to 14, rom_slip.json. Fidelity: recorded.
"""

from __future__ import annotations

import re

from flashcore.protocol.slip import END, ESC, unescape

BUFFER_SIZE = 8192
"""Size of the receive buffer in bytes. Source: oracle fact 14, rom_slip.json long_readreg_2000."""

_ESCAPE = re.compile(rb"\xdb(.)", re.DOTALL)
_SECOND = {0xDC: END, 0xDD: ESC}


class SlipReceiver:
    """The receive buffer and the state between two pieces of input."""

    __slots__ = ("_escaped", "_inside", "buffer", "length")

    def __init__(self) -> None:
        self.buffer = bytearray(BUFFER_SIZE)
        """The last frame, unescaped, and behind it what older ones left."""
        self.length = 0
        """Bytes of the present frame so far, at most `BUFFER_SIZE`."""
        self._inside = False
        self._escaped = False

    def feed(self, data: bytes, start: int = 0) -> int:
        """Take input until a frame is complete.

        Args:
            data: Input.
            start: Where to begin in it.

        Returns:
            Position behind the delimiter that closed a frame, or -1 if the input ended first.
        """
        if not self._inside:
            start = data.find(END, start) + 1
            if not start:
                return -1
            self._inside = True
            self.length = 0
        while True:
            if self._escaped:
                if start >= len(data):
                    return -1
                self._escaped = False
                self._append(_plain(data[start]))
                start += 1
            end = data.find(END, start)
            piece = data[start:] if end < 0 else data[start:end]
            if piece:
                self._append(piece if ESC not in piece else self._unescape(piece))
            if end < 0:
                return -1
            start = end + 1
            if self._escaped:
                self._escaped = False
                self._append(END)
            elif self.length:
                self._inside = False
                return start

    def _append(self, piece: bytes) -> None:
        length = self.length
        room = BUFFER_SIZE - length
        if len(piece) > room:
            piece = piece[:room]
        self.length = length + len(piece)
        self.buffer[length : self.length] = piece

    def _unescape(self, piece: bytes) -> bytes:
        packet = unescape(piece)
        if packet is not None:
            return packet
        plain = _ESCAPE.sub(lambda pair: _plain(pair.group(1)[0]), piece)
        rest = _ESCAPE.sub(b"", piece)
        if rest.endswith(ESC):
            self._escaped = True
            return plain[:-1]
        return plain


def _plain(second: int) -> bytes:
    """Return what an escape pair with this second byte stands for."""
    return _SECOND.get(second) or bytes((second,))
