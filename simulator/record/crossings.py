"""Watching bytes at both ends of the way, so that what was sent can be told from what arrived.

The journal has what the host wrote and what reached it. What a fault swallowed of the chip's answer, or did to a frame on its
way to the chip, is in neither. A recorder sits in front of the first fault and behind the last, each way. Every run of bytes is
then one crossing: what went in, and what came out of it, which is nothing for bytes that were lost. Bytes are kept by reference
and nothing is changed, so a recorded run is the same run as an unrecorded one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique

from simulator.board.board import AdapterDevice, Device
from simulator.record.events import Event, Journal
from simulator.wire import Chunk, Tap, rates_agree


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
        line: Name of the port, where it is not the one that the run is about.
        arrived: What is left of it behind all faults.
        misheard: At which rate the host listened, in baud, where that is not the rate at which the chip sent; else 0.
    """

    way: Way
    position: int
    sent: Chunk | None
    line: str = ""
    arrived: list[Chunk] = field(default_factory=list)
    misheard: int = 0


class Recorder:
    """Records what crosses from one side of a cable to the other, until it is stopped.

    Args:
        device: The device that the run is about, with its faults installed.
        journal: The run's journal, which keeps its events.
    """

    def __init__(self, device: Device, journal: Journal) -> None:
        self.crossings: list[Crossing] = []
        """What crossed so far, in order."""
        self.lines: dict[int, str] = {}
        """Of events that are not of the line that the run is about: the name of their port, by their positions."""
        self._journal = journal
        self._end: int | None = None
        self._exits: list[tuple[list[Tap], Tap]] = []
        self.watch(device)

    def watch(self, device: Device, line: str = "") -> None:
        """Record what crosses the cable of a device.

        Args:
            device: The device, with its faults installed.
            line: Name of its port, where it is not the one that the run is about.
        """
        taps = device.adapter.taps
        for way, first, last in (
            (Way.TO_CHIP, taps.host_to_bridge, taps.bridge_to_chip),
            (Way.TO_HOST, taps.chip_to_bridge, taps.bridge_to_host),
        ):
            end = _Ends(self, device, way, line)
            first.insert(0, end.entry)
            last.append(end.exit)
            self._exits.append((last, end.exit))
        if line and isinstance(device, AdapterDevice):
            device.announce = lambda: self._belongs(line)

    @property
    def events(self) -> Sequence[Event]:
        """The journal's events up to the moment at which the recorder was stopped."""
        return self._journal.events[: self._end]

    def _belongs(self, line: str) -> None:
        if self.position is not None:
            self.lines[self.position] = line

    @property
    def position(self) -> int | None:
        """How many events there are by now; ``None`` when nothing is recorded any more."""
        return len(self._journal.events) if self._end is None else None

    def stay_outside(self) -> None:
        """Go behind the faults that have been installed since."""
        for taps, mine in self._exits:
            taps.remove(mine)
            taps.append(mine)

    def stop(self) -> None:
        """Record no more."""
        self._end = len(self._journal.events)


class _Ends:
    """The two ends of one way of one line."""

    def __init__(self, recorder: Recorder, device: Device, way: Way, line: str) -> None:
        self._recorder = recorder
        self._kernel = device.kernel
        self._adapter = device.adapter
        self._way = way
        self._line = line
        self._latest: Crossing | None = None
        self._set_out_ns = 0

    def entry(self, chunk: Chunk) -> Sequence[Chunk]:
        """Note what sets out; what a chip says to a closed port goes nowhere."""
        if self._way is Way.TO_HOST and not self._adapter.is_open:
            self._latest = None
            return (chunk,)
        self._begin(chunk)
        heard_at = self._adapter.baudrate
        if self._latest is not None and self._way is Way.TO_HOST and not rates_agree(chunk.baud, heard_at):
            self._latest.misheard = heard_at
        return (chunk,)

    def exit(self, chunk: Chunk) -> Sequence[Chunk]:
        """Note what arrives."""
        if chunk.data and (self._way is Way.TO_CHIP or self._adapter.is_open):
            # Whatever comes out at another moment than bytes went in is a fault's own.
            if self._latest is None or self._set_out_ns != self._kernel.now:
                self._begin(None)
            if self._latest is not None and self._recorder.position is not None:
                self._latest.arrived.append(chunk)
        return (chunk,)

    def _begin(self, chunk: Chunk | None) -> None:
        position = self._recorder.position
        if position is not None:
            self._latest, self._set_out_ns = Crossing(self._way, position, chunk, self._line), self._kernel.now
            self._recorder.crossings.append(self._latest)
