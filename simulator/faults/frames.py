"""Following the frames of a stream that passes by, so that a fault can name one of them.

The follower never holds bytes back: it cuts each chunk into parts that lie inside one frame, and says which one. The opening
delimiter belongs to the frame if the rest of its header comes in the same chunk, as it does with every flasher that writes
whole frames.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from simulator.wire import DELIMITER, Chunk


@dataclass(slots=True)
class FrameId:
    """Which frame a part belongs to.

    Args:
        opcode: Its command, or ``None`` while that is not known.
        number: How many frames there were so far, this one included.
        of_opcode: How many frames of this command there were so far, this one included.
        chosen: Whether the fault's trigger picked this frame; ``None`` until that is decided.
        struck: Whether the fault has struck here already.
        passed: How many of its bytes have come so far.
        data: Those bytes, where the fault needs them again.
    """

    opcode: int | None
    number: int
    of_opcode: int
    chosen: bool | None = None
    struck: bool = False
    passed: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes within one frame, or outside all frames.

    Args:
        chunk: The bytes and their times.
        frame: The frame, or ``None`` outside.
        first: Whether the frame begins here.
        last: Whether it ends here.
    """

    chunk: Chunk
    frame: FrameId | None
    first: bool
    last: bool


class FrameFollower:
    """Cut chunks at the borders of frames."""

    def __init__(self) -> None:
        self._head = b""
        self._inside = False
        self._frame: FrameId | None = None
        self._total = 0
        self._by_opcode: Counter[int] = Counter()

    def follow(self, chunk: Chunk) -> list[Part]:
        """Return the parts of `chunk`, in order; together they are the chunk."""
        parts: list[Part] = []
        rest = chunk
        while rest.data:
            if not self._inside:
                start = rest.data.find(DELIMITER)
                if start < 0:
                    parts.append(Part(rest, None, first=False, last=False))
                    break
                if start:
                    outside, rest = rest.split(start)
                    parts.append(Part(outside, None, first=False, last=False))
                self._inside = True
                self._head = b""
                self._frame = None
                first = True
            else:
                first = False
            body = len(rest.data) - len(rest.data.lstrip(DELIMITER)) if not self._head else 0
            end = rest.data.find(DELIMITER, body)
            if body == len(rest.data):
                parts.append(Part(rest, None, first=False, last=False))
                break
            self._identify(rest.data[body : body + 2])
            if end < 0:
                parts.append(Part(rest, self._frame, first=first, last=False))
                break
            inside, rest = rest.split(end + 1)
            parts.append(Part(inside, self._frame, first=first, last=True))
            self._inside = False
        return parts

    def _identify(self, data: bytes) -> None:
        if self._frame is not None and self._frame.opcode is not None:
            return
        self._head += data[: 2 - len(self._head)]
        if self._frame is None:
            self._total += 1
            self._frame = FrameId(None, self._total, 0)
        if len(self._head) == 2:
            self._frame.opcode = self._head[1]
            self._by_opcode[self._head[1]] += 1
            self._frame.of_opcode = self._by_opcode[self._head[1]]
