"""SLIP framing: packets to wire bytes and back.

A frame lies between two C0 delimiters; inside it C0 travels as DB DC and DB as DB DD. The decoder takes a stream in any pieces
and hands out what it finds in order: whole frames, and everything that is not one, as `Junk` with the reason, since on a
damaged line the junk is the diagnosis. A delimiter both ends one frame and may begin the next, so that one lost delimiter costs
one frame at most. All work is done by `split` and `replace` over whole chunks; nothing here looks at single bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

END = b"\xc0"
"""Frame delimiter."""
ESC = b"\xdb"
"""First byte of an escape pair."""
ESC_END = b"\xdb\xdc"
"""C0 inside a frame."""
ESC_ESC = b"\xdb\xdd"
"""DB inside a frame."""

DEFAULT_LIMIT = 0x20000
"""Longest raw frame that a decoder keeps, in bytes: above every frame of the protocol, below what could hurt."""


_ESCAPED = {0xDC: END, 0xDD: ESC}
_DENSE_RUN = 32
"""Mean distance of escapes, in bytes, below which searching for pairs beats a step per escape."""


def encode(packet: bytes) -> bytes:
    """Return the wire bytes of one packet, with both delimiters.

    Source: oracle facts 9 to 12.
    """
    return END + packet.replace(ESC, ESC_ESC).replace(END, ESC_END) + END


def unescape(raw: bytes) -> bytes | None:
    """Return the packet inside a raw frame, or ``None`` if it holds an escape that SLIP does not know."""
    first, *runs = raw.split(ESC)
    if not runs:
        return raw
    if len(runs) * _DENSE_RUN > len(raw):
        packet = raw.replace(ESC_END, END).replace(ESC_ESC, ESC)
        return packet if len(raw) - len(packet) == len(runs) else None
    parts = [first]
    try:
        for run in runs:
            parts += (_ESCAPED[run[0]], run[1:])
    except LookupError:
        return None
    return b"".join(parts)


@unique
class JunkReason(Enum):
    """Why bytes are not a frame."""

    OUTSIDE = "outside"
    """They came before the first delimiter."""
    BAD_ESCAPE = "bad_escape"
    """They are a frame with an escape that SLIP does not know."""
    TOO_LONG = "too_long"
    """They ran past the longest frame that is accepted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's packet, with escapes undone."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Junk:
    """Raw bytes that are not part of a frame."""

    data: bytes
    reason: JunkReason


class Decoder:
    """Cut a stream into frames, whatever pieces it comes in.

    Args:
        limit: Longest raw frame accepted, in bytes on the wire.
    """

    __slots__ = ("_held", "_limit", "_parts", "_synced")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0
        self._synced = False

    @property
    def pending(self) -> bytes:
        """Raw bytes received since the last delimiter."""
        return b"".join(self._parts)

    def reset(self) -> None:
        """Forget what was received and wait for the next delimiter."""
        self._parts.clear()
        self._held = 0
        self._synced = False

    def feed(self, chunk: bytes) -> list[Frame | Junk]:
        """Take the next bytes of the stream and return what they complete, in order."""
        if END not in chunk:
            if not chunk:
                return []
            held = self._held + len(chunk)
            if not self._synced or held > self._limit:
                return self._overrun(chunk)
            self._parts.append(chunk)
            self._held = held
            return []
        *pieces, last = chunk.split(END)
        if self._held:
            self._parts.append(pieces[0])
            pieces[0] = b"".join(self._parts)
            self._parts.clear()
            self._held = 0
        events: list[Frame | Junk] = []
        for raw in pieces:
            if raw:
                events.append(self._close(raw))
            self._synced = True
        if len(last) > self._limit:
            events += self._overrun(last)
        elif last:
            self._parts.append(last)
            self._held = len(last)
        return events

    def _overrun(self, data: bytes) -> list[Frame | Junk]:
        if not self._synced:
            return [Junk(data, JunkReason.OUTSIDE)]
        raw = self.pending + data
        self.reset()
        return [Junk(raw, JunkReason.TOO_LONG)]

    def _close(self, raw: bytes) -> Frame | Junk:
        if not self._synced:
            return Junk(raw, JunkReason.OUTSIDE)
        if len(raw) > self._limit:
            return Junk(raw, JunkReason.TOO_LONG)
        packet = unescape(raw)
        return Junk(raw, JunkReason.BAD_ESCAPE) if packet is None else Frame(packet)
