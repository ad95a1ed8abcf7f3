"""Counting, in a run, what a fault may strike: the points of a sweep. The counters are taps that change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.faults.frames import FrameFollower
from simulator.wire import Chunk, LineChange


class FrameCounter:
    """Counts frames and bytes of a stream, as faults do."""

    def __init__(self) -> None:
        self.count = 0
        """Frames so far, those that came without a command among them."""
        self.bytes = 0
        """Bytes so far."""
        self.passed: list[tuple[int, int]] = []
        """Command and size of each frame that has passed whole."""
        self._follower = FrameFollower()
        self._size = 0
        self._stopped = False

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        """Count what passes."""
        if self._stopped:
            return (chunk,)
        self.bytes += len(chunk.data)
        for part in self._follower.follow(chunk):
            self._size = len(part.chunk.data) + (0 if part.first else self._size)
            if part.frame is None or part.frame.opcode is None:
                continue
            self.count = part.frame.number
            if part.last:
                self.passed.append((part.frame.opcode, self._size))
        return (chunk,)

    def stop(self) -> None:
        """Count no more."""
        self._stopped = True


class EdgeCounter:
    """Counts the changes of the modem lines that the host asks for, as faults do."""

    def __init__(self) -> None:
        self.count = 0
        """Changes so far."""
        self.lines = (False, False)
        """DTR and RTS as the host wants them."""
        self._stopped = False

    def __call__(self, change: LineChange) -> Sequence[LineChange]:
        """Count a change, if it is one."""
        lines = (change.dtr, change.rts)
        self.count += not self._stopped and lines != self.lines
        self.lines = lines
        return (change,)

    def released(self) -> None:
        """The adapter was pulled: what the host wanted of its lines is over."""
        self.lines = (False, False)

    def stop(self) -> None:
        """Count no more."""
        self._stopped = True
