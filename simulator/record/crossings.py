"""Watching bytes at both ends of the way, so that what was sent can be told from what arrived.

The journal has what the host wrote and what reached it. What a fault swallowed of the chip's answer, or did to a frame on its
way to the chip, is in neither. A recorder sits in front of the first fault and behind the last, each way. Every run of bytes is
then one crossing: what went in, and what came out of it, which is nothing for bytes that were lost. Bytes are kept by reference
and nothing is changed, so a recorded run is the same run as an unrecorded one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique

from simulator.board.board import AdapterDevice
from simulator.record.events import Event, Journal
from simulator.wire import Chunk, Tap


@unique
class Way(StrEnum):
    """In which direction bytes go; the values are those of the journal."""

    TO_CHIP = "h2d"
    TO_HOST = "d2h"


@dataclass(slots=True)
class Crossing:
    """A run of bytes on its way.

    Args:
        way: Where they go.
        position: How many events the journal had when they set out.
        sent: What set out; ``None`` for bytes that a fault made.
        arrived: What is left of it behind all faults.
    """

    way: Way
    position: int
    sent: Chunk | None
    arrived: list[Chunk] = field(default_factory=list)


class Recorder:
    """Records what crosses from one side of a device's cable to the other, until it is stopped.

    Args:
        device: The device, with its faults installed.
        journal: The run's journal, which keeps its events.
    """

    def __init__(self, device: AdapterDevice, journal: Journal) -> None:
        self.crossings: list[Crossing] = []
        """What crossed so far, in order."""
        self._journal = journal
        self._kernel = device.kernel
        self._end: int | None = None
        self._latest: dict[Way, tuple[int, Crossing]] = {}
        taps = device.adapter.taps
        ends = (
            (Way.TO_CHIP, taps.host_to_bridge, taps.bridge_to_chip),
            (Way.TO_HOST, taps.chip_to_bridge, taps.bridge_to_host),
        )
        for way, first, last in ends:
            first.insert(0, self._entry(way))
            last.append(self._exit(way))

    @property
    def events(self) -> Sequence[Event]:
        """The journal's events up to the moment at which the recorder was stopped."""
        return self._journal.events[: self._end]

    def stop(self) -> None:
        """Record no more."""
        self._end = len(self._journal.events)

    def _entry(self, way: Way) -> Tap:
        def tap(chunk: Chunk) -> Sequence[Chunk]:
            if self._end is None:
                crossing = Crossing(way, len(self._journal.events), chunk)
                self.crossings.append(crossing)
                self._latest[way] = self._kernel.now, crossing
            return (chunk,)

        return tap

    def _exit(self, way: Way) -> Tap:
        def tap(chunk: Chunk) -> Sequence[Chunk]:
            if self._end is None and chunk.data:
                set_out_ns, crossing = self._latest.get(way, (-1, None))
                # Whatever comes out at another moment than bytes went in is a fault's own.
                if crossing is None or set_out_ns != self._kernel.now:
                    crossing = Crossing(way, len(self._journal.events), None)
                    self.crossings.append(crossing)
                    self._latest[way] = self._kernel.now, crossing
                crossing.arrived.append(chunk)
            return (chunk,)

        return tap


def of_transcript(events: Iterable[Event]) -> list[Crossing]:
    """Return the crossings of a run of which only the journal is left; all bytes arrive as they were sent."""
    crossings: list[Crossing] = []
    for position, event in enumerate(events):
        if event.kind in (Way.TO_CHIP, Way.TO_HOST):
            chunk = Chunk(event.content, event.at_ns, 0, 0)
            crossings.append(Crossing(Way(event.kind), position, chunk, [chunk]))
    return crossings
