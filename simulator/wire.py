"""Bytes in motion: a run of bytes with the moment and the pace at which it crosses a wire.

A chunk says when its first bit starts and how long each byte lasts, so a megabyte is one value and still has exact times for
every byte in it. Everything that changes bytes on their way (a baud mismatch, a fault) maps chunks to chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.rng import Dice

BITS_PER_BYTE = 10
"""One start bit, eight data bits, one stop bit."""

TOLERANCE = 0.03
"""Relative difference of two baud rates up to which a UART still reads bytes right: half a bit over ten bits, less some margin
for jitter. Fidelity: from data sheet (ESP32 and bridge makers give 2 to 3 %)."""

DELIMITER = b"\xc0"
"""The SLIP delimiter, at which host data is cut so that a frame's end is an event of its own."""


def byte_time(baud: int) -> int:
    """Return how long one byte lasts at `baud`, in nanoseconds."""
    return BITS_PER_BYTE * 1_000_000_000 // max(baud, 1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of bytes on a wire.

    Args:
        data: The bytes.
        start_ns: When the first bit of the first byte starts.
        byte_ns: How long each byte lasts; 0 where bytes arrive all at once.
        baud: The sender's rate, for the receiver's judgement.
    """

    data: bytes
    start_ns: int
    byte_ns: int
    baud: int

    @property
    def end_ns(self) -> int:
        """When the last bit of the last byte ends."""
        return self.start_ns + len(self.data) * self.byte_ns

    def received_by(self, at_ns: int) -> int:
        """Return how many bytes are complete at `at_ns`."""
        past = at_ns - self.start_ns
        size = len(self.data)
        if past >= size * self.byte_ns:
            return size
        return past // self.byte_ns if past > 0 else 0

    def behind(self, count: int) -> Chunk:
        """Return what comes behind the first `count` bytes."""
        return Chunk(self.data[count:], self.start_ns + count * self.byte_ns, self.byte_ns, self.baud)

    def split(self, count: int) -> tuple[Chunk, Chunk]:
        """Return the first `count` bytes and the rest, each with its own start."""
        return (
            Chunk(self.data[:count], self.start_ns, self.byte_ns, self.baud),
            self.behind(count),
        )

    def pieces(self) -> list[Chunk]:
        """Return the chunk cut behind each delimiter that ends something.

        A delimiter that opens a frame stays with the bytes behind it, so a whole frame is one piece.
        """
        parts = self.data.split(DELIMITER)
        tail = parts.pop()
        if not parts:
            return [self] if tail else []
        cuts: list[bytes] = []
        opened = False
        for part in parts:
            if part or opened:
                cuts.append((DELIMITER if opened else b"") + part + DELIMITER)
                opened = False
            else:
                opened = True
        if tail or opened:
            cuts.append((DELIMITER if opened else b"") + tail)
        if len(cuts) == 1:
            return [self]
        result: list[Chunk] = []
        start = self.start_ns
        for data in cuts:
            result.append(Chunk(data, start, self.byte_ns, self.baud))
            start += len(data) * self.byte_ns
        return result

    def with_data(self, data: bytes) -> Chunk:
        """Return a chunk that starts at the same time with other bytes."""
        return Chunk(data, self.start_ns, self.byte_ns, self.baud)

    def delayed(self, delay_ns: int) -> Chunk:
        """Return the same bytes, `delay_ns` later."""
        return Chunk(self.data, self.start_ns + delay_ns, self.byte_ns, self.baud)


def rates_agree(sender: int, receiver: int) -> bool:
    """Tell whether a UART set to `receiver` baud reads what comes at `sender` baud."""
    return sender == receiver or abs(sender - receiver) <= TOLERANCE * receiver


def as_received(chunk: Chunk, receiver_baud: int, dice: Dice) -> bytes:
    """Return the bytes that a UART set to `receiver_baud` makes of `chunk`.

    Within the tolerance they arrive unharmed. Beyond it every byte is damaged, and the receiver sees more of them than were
    sent if it is faster, fewer if it is slower.

    Fidelity: guessed; that nothing usable arrives is certain, which bytes do is not.
    """
    if rates_agree(chunk.baud, receiver_baud):
        return chunk.data
    count = max(1, min(len(chunk.data) * receiver_baud // max(chunk.baud, 1), 4 * len(chunk.data)))
    return dice.bytes(count)


Tap = Callable[[Chunk], Sequence[Chunk]]
"""What a fault does to a stream: each chunk becomes the chunks that go on."""


@dataclass(frozen=True, slots=True)
class LineChange:
    """A change of the modem lines on its way to the chip.

    Args:
        at_ns: When it takes effect.
        dtr: Whether DTR is asserted then.
        rts: The same for RTS.
    """

    at_ns: int
    dtr: bool
    rts: bool


LineTap = Callable[[LineChange], Sequence[LineChange]]
"""What a fault does to the modem lines: each change becomes the changes that go on, in the order of their times."""


class Taps:
    """The faults along the way, by the place where they sit, in the order in which they were installed."""

    __slots__ = ("bridge_to_chip", "bridge_to_host", "chip_to_bridge", "host_to_bridge", "lines")

    def __init__(self) -> None:
        self.host_to_bridge: list[Tap] = []
        self.bridge_to_chip: list[Tap] = []
        self.chip_to_bridge: list[Tap] = []
        self.bridge_to_host: list[Tap] = []
        self.lines: list[LineTap] = []


def through(taps: Sequence[Tap], chunk: Chunk) -> Sequence[Chunk]:
    """Return what comes out behind `taps` for `chunk`."""
    chunks: Sequence[Chunk] = (chunk,)
    for tap in taps:
        chunks = [result for item in chunks for result in tap(item)]
    return chunks
