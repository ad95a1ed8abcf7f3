"""What faults do to the flow of a stream: its pace, its loss over time, and foreign talk on the line.

Source: fault catalogue rows 6, 11, 26, 27, 40, 42, 52. Fidelity: guessed where a figure depends on a part that is not named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from simulator.faults.actions_stream import Effect
from simulator.kernel import S
from simulator.rng import Dice
from simulator.wire import Chunk

if TYPE_CHECKING:
    from simulator.board.adapter import SerialAdapter


@dataclass(frozen=True, slots=True)
class Chunked:
    """Bytes come in small pieces with pauses between.

    Args:
        size: Bytes of a piece.
        seconds: From one piece to the next.
    """

    size: int = 1
    seconds: float = 0.001


@dataclass(frozen=True, slots=True)
class Hold:
    """Bytes pile up, and are handed over together.

    Args:
        count: As soon as so many are there.
        seconds: Or so long after the first of them.
    """

    count: int = 62
    seconds: float = 0.016


@dataclass(frozen=True, slots=True)
class Overflow:
    """A buffer on the way is emptied slower than it is filled, and what it has no room for is lost.

    Args:
        size: Bytes that it holds.
        rate: Bytes per second at which it is emptied.
    """

    size: int = 256
    rate: int = 11_520


@dataclass(frozen=True, slots=True)
class Noise:
    """Single bits flip above a rate.

    Args:
        above: In baud; at this rate and below nothing is harmed.
        probability: Chance for each byte.
    """

    above: int = 0
    probability: float = 0.001


@dataclass(frozen=True, slots=True)
class Stuck:
    """The driver takes so many bytes more, then nothing: each write blocks, and what it was to send is lost."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class DeafAfterClose:
    """Closing the port while bytes arrive leaves the adapter deaf: nothing comes to the host any more.

    Args:
        seconds: How long behind the close bytes still do it.
    """

    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Chatter:
    """Somebody else talks on the line.

    Args:
        source: What is said, see `SOURCES`.
        period: Seconds from one line to the next.
        seconds: For how long; 0 is without end.
        baud: Rate of the talker; 0 is the rate of whoever sends there anyway.
        data: What is said instead of a source.
    """

    source: str = "log"
    period: float = 0.1
    seconds: float = 0.0
    baud: int = 0
    data: bytes = b""


FlowAction = Chunked | Hold | Overflow | Noise | Stuck | DeafAfterClose | Chatter

SOURCES: dict[str, bytes] = {
    "log": b"I (4711) app: heap 181204, uptime 4.7 s, temperature 23.5\r\n",
    "colour": b"\x1b[0;32mI (4711) wifi:state: auth -> assoc (0)\x1b[0m\r\n",
    "nmea": b"$GPGGA,120000.00,4807.03810,N,01131.00000,E,1,08,0.9,545.4,M,46.9,M,,*5F\r\n",
    "at": b"AT\r",
    "newline": b"\n" * 64,
    "binary": b"\xdb\x00\xc0\x01\xdb\xdc\x7e\xc0\xff\xdb\xdd\x55\xaa\xc0",
    "zeros": bytes(32),
    "ones": b"\xff" * 32,
}
"""What a foreign talker says: a plain and a coloured log, a GPS receiver, a modem manager, line feeds without end, and binary
telemetry in which the delimiters of frames occur."""


def flow_effect(action: FlowAction, dice: Dice, adapter: SerialAdapter, now: Callable[[], int]) -> Effect:
    """Return the function that carries out `action` on each chunk.

    Args:
        action: What to do; `Chatter` does nothing to chunks.
        dice: Its randomness.
        adapter: Where the stream passes.
        now: Returns the time in nanoseconds.
    """
    match action:
        case Chunked(size, seconds):
            return lambda chunk: _chunked(chunk, size, round(seconds * S))
        case Hold(count, seconds):
            return lambda chunk: _held(chunk, count, round(seconds * S))
        case Overflow(size, rate):
            return _Buffer(size, rate)
        case Noise(above, probability):
            return lambda chunk: [_noisy(chunk, probability, dice)] if chunk.baud > above else [chunk]
        case Stuck(after):
            return _Blocked(after, adapter)
        case DeafAfterClose(seconds):
            return _Deaf(round(seconds * S), adapter, now)
        case Chatter():
            return lambda chunk: [chunk]
        case _:
            assert_never(action)


def _chunked(chunk: Chunk, size: int, gap_ns: int) -> list[Chunk]:
    if size == 1:
        return [Chunk(chunk.data, chunk.start_ns, max(gap_ns, chunk.byte_ns), chunk.baud)]
    pieces: list[Chunk] = []
    at = chunk.start_ns
    for start in range(0, len(chunk.data), size):
        piece = Chunk(chunk.data[start : start + size], at, chunk.byte_ns, chunk.baud)
        pieces.append(piece)
        at = max(at + gap_ns, piece.end_ns)
    return pieces


def _held(chunk: Chunk, count: int, wait_ns: int) -> list[Chunk]:
    """Hand over whole groups when they are complete and the rest when its time is up; each chunk by itself."""
    pieces: list[Chunk] = []
    for start in range(0, len(chunk.data), count):
        data = chunk.data[start : start + count]
        begun = chunk.start_ns + start * chunk.byte_ns
        done = begun + len(data) * chunk.byte_ns
        pieces.append(Chunk(data, done if len(data) == count else max(done, begun + wait_ns), 0, chunk.baud))
    return pieces


def _noisy(chunk: Chunk, probability: float, dice: Dice) -> Chunk:
    """Flip one bit in each byte that is hit; draws once per hit, not per byte."""
    if not probability:
        return chunk
    data: bytearray | None = None
    at = _gap(probability, dice)
    while at < len(chunk.data):
        data = data or bytearray(chunk.data)
        data[at] ^= 1 << dice.below(8)
        at += 1 + _gap(probability, dice)
    return chunk if data is None else chunk.with_data(bytes(data))


def _gap(probability: float, dice: Dice) -> int:
    """Return how many bytes pass before the next hit."""
    if probability >= 1:
        return 0
    return int(math.log((1 + dice.below(1 << 40)) / (1 << 40)) / math.log1p(-probability))


class _Buffer:
    """A queue with an outlet of a fixed rate; a piece that finds it full loses its end."""

    def __init__(self, size: int, rate: int) -> None:
        self._size = size
        self._rate = rate
        self._level = 0.0
        self._seen_ns = 0

    def __call__(self, chunk: Chunk) -> list[Chunk]:
        self._level = max(0.0, self._level - (chunk.start_ns - self._seen_ns) * self._rate / S)
        length = len(chunk.data)
        drained = length * chunk.byte_ns * self._rate / S
        kept = min(length, max(0, int(self._size - self._level + drained)))
        self._seen_ns = chunk.end_ns
        self._level = max(0.0, self._level + kept - drained)
        return [chunk] if kept == length else [chunk.with_data(chunk.data[:kept])]


class _Blocked:
    """A driver that stops taking bytes."""

    FOR_EVER_NS = 1 << 62

    def __init__(self, after: int, adapter: SerialAdapter) -> None:
        self._left = after
        self._adapter = adapter

    def __call__(self, chunk: Chunk) -> list[Chunk]:
        taken = chunk.data[: self._left]
        self._left -= len(taken)
        if len(taken) == len(chunk.data):
            return [chunk]
        self._adapter.blocked_ns = self.FOR_EVER_NS
        return [chunk.with_data(taken)]


class _Deaf:
    """An adapter that goes deaf when it is closed at a bad moment."""

    def __init__(self, within_ns: int, adapter: SerialAdapter, now: Callable[[], int]) -> None:
        self._within_ns = within_ns
        self._adapter = adapter
        self._now = now
        self._closed_ns: int | None = None
        self._deaf = False
        adapter.on_close.append(self._closed)

    def _closed(self) -> None:
        self._closed_ns = self._now()
        self._deaf = self._deaf or self._adapter.incoming

    def __call__(self, chunk: Chunk) -> list[Chunk]:
        if not self._adapter.is_open and self._closed_ns is not None:
            self._deaf = self._deaf or chunk.start_ns <= self._closed_ns + self._within_ns
        return [] if self._deaf else [chunk]
