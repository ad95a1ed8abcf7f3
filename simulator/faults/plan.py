"""Putting faults into a running device.

Each fault becomes one tap at its place, with dice of its own, so that adding a fault does not change the others. The taps keep
count: a fault that was planned but never fired proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from simulator.faults import model
from simulator.faults.actions import Effect, corrupt, effect, truncate
from simulator.faults.frames import FrameFollower, FrameId, Part
from simulator.faults.model import Fault, Where
from simulator.faults.text import format as text_of
from simulator.kernel import S
from simulator.rng import Dice, Rng
from simulator.wire import Chunk, Taps


class ActiveFault:
    """One fault at work.

    Args:
        fault: What it is.
        dice: Its own randomness.
        report: Called with a text each time it strikes.
    """

    def __init__(self, fault: Fault, dice: Dice, report: Callable[[str], None]) -> None:
        self.fault = fault
        self.name = fault.name or text_of(fault)
        self.fired = 0
        """How often it has struck."""
        self._dice = dice
        self._report = report
        self._effect = effect(fault.what, dice)
        self._follower = FrameFollower()
        self._passed = 0
        self._stalled = False
        self._free_ns = 0

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        """Let `chunk` pass, or do to it what the fault does."""
        if self._stalled:
            return ()
        match self.fault.when:
            case model.Always():
                return self._strike(chunk)
            case model.After(seconds):
                return self._strike(chunk) if chunk.start_ns >= seconds * S else (self._queued(chunk),)
            case model.NthByte(n):
                return self._at_byte(chunk, n)
            case model.NthFrame() | model.Every() | model.Chance() as trigger:
                return self._at_frames(chunk, trigger)
            case other:
                assert_never(other)

    def _at_byte(self, chunk: Chunk, n: int) -> Sequence[Chunk]:
        before = self._passed
        self._passed += len(chunk.data)
        if not before < n <= self._passed:
            return (self._queued(chunk),)
        head, rest = chunk.split(n - 1 - before)
        hit, tail = rest.split(1)
        passed = [self._queued(head), *self._strike(hit)]
        return [part for part in (*passed, self._queued(tail)) if part.data]

    def _at_frames(self, chunk: Chunk, trigger: model.NthFrame | model.Every | model.Chance) -> Sequence[Chunk]:
        result: list[Chunk] = []
        for part in self._follower.follow(chunk):
            if self._stalled:
                continue
            if part.frame is None or not self._chosen(part.frame, trigger):
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
            case model.Corrupt(mask, int(at)) if not struck:
                index = at - before if at >= 0 else size + at if part.last else -1
                frame.struck = 0 <= index < size
                return self._strike(chunk, lambda hit: [corrupt(hit, mask, index)]) if frame.struck else (self._queued(chunk),)
            case model.Truncate(keep, delimiter) if not struck:
                frame.struck = before + size > keep
                cut = keep - before
                return (
                    self._strike(chunk, lambda hit: [truncate(hit, cut, delimiter)]) if frame.struck else (self._queued(chunk),)
                )
            case model.Truncate(_, delimiter):
                return (self._queued(truncate(chunk, 0, delimiter)),)
            case model.Duplicate():
                frame.data += chunk.data
                if not part.last:
                    return (self._queued(chunk),)
                return self._strike(chunk, lambda hit: [hit, hit.with_data(frame.data).delayed(size * hit.byte_ns)])
            case model.Drop() if struck:
                return ()
            case _ if struck:
                return (self._queued(chunk),)
            case _:
                return self._strike(chunk)

    def _chosen(self, frame: FrameId, trigger: model.NthFrame | model.Every | model.Chance) -> bool:
        if frame.chosen is None and frame.opcode is not None:
            spent = self.fault.times and self.fired >= self.fault.times
            frame.chosen = not spent and self._choose(frame, frame.opcode, trigger)
        return bool(frame.chosen)

    def _choose(self, frame: FrameId, opcode: int, trigger: model.NthFrame | model.Every | model.Chance) -> bool:
        match trigger:
            case model.NthFrame(None, n):
                return frame.number >= n
            case model.NthFrame(wanted, n):
                return opcode == wanted and frame.of_opcode >= n
            case model.Every(n):
                return frame.number % n == 0
            case model.Chance(probability):
                return self._dice.chance(probability)

    def _strike(self, chunk: Chunk, how: Effect | None = None) -> Sequence[Chunk]:
        chunk = self._queued(chunk)
        if self.fault.times and self.fired >= self.fault.times:
            return (chunk,)
        result = (how or self._effect)(chunk)
        if len(result) == 1 and result[0] is chunk:
            return result
        self.fired += 1
        self._report(f"{self.name} struck {len(chunk.data)} bytes")
        self._stalled = isinstance(self.fault.what, model.Stall)
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


def install(
    taps: Taps, faults: Sequence[Fault], rng: Rng, report: Callable[[str], None], *, prefix: str = "plan"
) -> list[ActiveFault]:
    """Put `faults` into streams, in their order.

    Args:
        taps: The streams of one adapter.
        faults: Which faults.
        rng: The run's randomness; each fault gets the stream ``fault.<prefix>.<number>``.
        report: Called with a text each time one strikes.
        prefix: Name of the plan, which sets its dice apart from those of others.

    Returns:
        The faults at work, whose ``fired`` tells afterwards whether they struck.
    """
    places = {
        Where.HOST_TO_BRIDGE: taps.host_to_bridge,
        Where.BRIDGE_TO_CHIP: taps.bridge_to_chip,
        Where.CHIP_TO_BRIDGE: taps.chip_to_bridge,
        Where.BRIDGE_TO_HOST: taps.bridge_to_host,
    }
    active = [ActiveFault(fault, rng.stream(f"fault.{prefix}.{index}"), report) for index, fault in enumerate(faults)]
    for item in active:
        places[item.fault.where].append(item)
    return active
