"""A fault of a stream at work: a tap that counts what passes, and does to some of it what the fault does."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.faults import triggers
from simulator.faults.actions_flow import FlowAction
from simulator.faults.actions_stream import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Effect,
    Lose,
    Stall,
    Truncate,
    corrupt,
    lose,
    truncate,
)
from simulator.faults.active import ActiveFault
from simulator.faults.bench import Bench
from simulator.faults.choose import picks_at, picks_frame, watch
from simulator.faults.frames import FrameFollower, FrameId, Part
from simulator.faults.model import Fault
from simulator.kernel import S
from simulator.rng import Dice
from simulator.wire import Chunk


class StreamFault(ActiveFault):
    """One fault of a stream at work.

    Args:
        fault: What it is.
        bench: What it is at work on.
        dice: Its own randomness.
        effect: What it does to a chunk.
    """

    def __init__(self, fault: Fault, bench: Bench, dice: Dice, effect: Effect) -> None:
        super().__init__(fault, bench)
        self._dice = dice
        self._effect = effect
        self._follower = FrameFollower()
        self._passed = 0
        self._stalled = False
        self._free_ns = 0
        self._begun = False
        self.on_heal(self._let_go)
        if not isinstance(fault.when, triggers.Always | triggers.After) and not picks_at(fault.when, fault.where):
            watch(fault.where, fault.when, bench, dice, self._begin)

    def _begin(self) -> None:
        self._begun = True

    def _let_go(self) -> None:
        self._free_ns = 0

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        """Let `chunk` pass, or do to it what the fault does."""
        if self.over:
            return (self._queued(chunk),)
        if self._stalled:
            return ()
        match self.fault.when:
            case triggers.Always():
                return self._strike(chunk)
            case triggers.After(seconds):
                return self._strike(chunk) if chunk.start_ns >= seconds * S else (self._queued(chunk),)
            case triggers.NthByte(n):
                return self._at_byte(chunk, n)
            case triggers.NthFrame() | triggers.Every() | triggers.Chance():
                return self._at_frames(chunk)
            case _:
                return self._strike(chunk) if self._begun else (self._queued(chunk),)

    def _at_byte(self, chunk: Chunk, n: int) -> Sequence[Chunk]:
        before = self._passed
        self._passed += len(chunk.data)
        if not before < n <= self._passed:
            return (self._queued(chunk),)
        head, rest = chunk.split(n - 1 - before)
        hit, tail = rest.split(1)
        passed = [self._queued(head), *self._strike(hit)]
        return [part for part in (*passed, self._queued(tail)) if part.data]

    def _at_frames(self, chunk: Chunk) -> Sequence[Chunk]:
        result: list[Chunk] = []
        for part in self._follower.follow(chunk):
            if self._stalled:
                continue
            if part.frame is None or not self._chosen(part.frame):
                result.append(self._queued(part.chunk))
            else:
                result.extend(self._on_frame(part, part.frame))
        return result

    def _on_frame(self, part: Part, frame: FrameId) -> Sequence[Chunk]:
        """Do to one part what the fault does to its frame, which a chip may send in several chunks."""
        chunk, before, struck = part.chunk, frame.passed, frame.struck
        size = len(chunk.data)
        frame.passed += size
        frame.struck = True
        match self.fault.what:
            case Corrupt(mask, int(at)) if not struck:
                index = at - before if at >= 0 else size + at if part.last else -1
                frame.struck = 0 <= index < size
                return self._strike(chunk, lambda hit: [corrupt(hit, mask, index)]) if frame.struck else (self._queued(chunk),)
            case Lose(first, count) if not struck:
                index = first - before if first >= 0 else size + first if part.last else -1
                frame.struck = 0 <= index < size
                return self._strike(chunk, lambda hit: [lose(hit, index, count)]) if frame.struck else (self._queued(chunk),)
            case Truncate(keep, delimiter) if not struck:
                frame.struck = before + size > keep
                cut = keep - before
                return (
                    self._strike(chunk, lambda hit: [truncate(hit, cut, delimiter)]) if frame.struck else (self._queued(chunk),)
                )
            case Truncate(_, delimiter):
                return (self._queued(truncate(chunk, 0, delimiter)),)
            case Duplicate():
                frame.data += chunk.data
                if not part.last:
                    return (self._queued(chunk),)
                return self._strike(chunk, lambda hit: [hit, hit.with_data(frame.data).delayed(size * hit.byte_ns)])
            case Drop() if struck:
                return ()
            case what if struck and not isinstance(what, FlowAction):
                return (self._queued(chunk),)
            case _:
                return self._strike(chunk)

    def _chosen(self, frame: FrameId) -> bool:
        if frame.chosen is None and frame.opcode is not None:
            frame.chosen = self.holds and picks_frame(self.fault.when, frame, frame.opcode, self._dice)
        return bool(frame.chosen)

    def _strike(self, chunk: Chunk, how: Effect | None = None) -> Sequence[Chunk]:
        if not self.holds or self.spares(chunk.baud, len(chunk.data)):
            return (self._queued(chunk),)
        if isinstance(self.fault.what, Delay):
            # From when it would have come by itself: delays do not add up.
            result = [self._queued(late) for late in self._effect(chunk)]
        else:
            chunk = self._queued(chunk)
            result = (how or self._effect)(chunk)
        if len(result) == 1 and result[0] is chunk:
            return result
        self.struck(f"{len(chunk.data)} bytes")
        self._stalled = isinstance(self.fault.what, Stall)
        if result:
            self._free_ns = max(self._free_ns, result[-1].end_ns)
        return result

    def _queued(self, chunk: Chunk) -> Chunk:
        """Return `chunk`, not before what this fault has held up is through: bytes never overtake each other."""
        if chunk.start_ns >= self._free_ns:
            return chunk
        late = chunk.delayed(self._free_ns - chunk.start_ns)
        self._free_ns = late.end_ns
        return late
