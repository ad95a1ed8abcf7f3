"""What faults do to the bytes of a frame: from a chunk to the chunks that go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from simulator.kernel import MS, S
from simulator.rng import Dice
from simulator.wire import DELIMITER, Chunk


@dataclass(frozen=True, slots=True)
class Drop:
    """The bytes are lost."""


@dataclass(frozen=True, slots=True)
class Corrupt:
    """One byte changes.

    Args:
        mask: Bits that flip.
        at: Which byte of the frame as sent, delimiters counted; negative counts from the end; ``None`` lets the dice choose.
    """

    mask: int = 0x01
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Lose:
    """Some bytes of a frame are lost.

    Args:
        first: The first of them in the frame as sent, delimiters counted; negative counts from the end.
        count: How many.
    """

    first: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Insert:
    """Foreign bytes come first."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The bytes come twice."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The bytes come later by this many seconds; what is behind them waits its turn."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Truncate:
    """Only the first bytes arrive, and the closing delimiter if `delimiter`.

    Args:
        keep: How many bytes arrive.
        delimiter: Whether the delimiter arrives all the same.
    """

    keep: int
    delimiter: bool = True


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing passes any more."""


@dataclass(frozen=True, slots=True)
class LongBurst:
    """Long writes lose bytes: what some drivers do to them.

    Args:
        burst_ok: Bytes since the last pause that pass unharmed.
        gap_ms: Silence that counts as a pause, in milliseconds.
        probability: Chance of damage for each USB packet behind that.
        packet: Bytes of a USB packet.
        lose: Most bytes lost from a damaged packet.
        swap: Whether a damaged packet changes places with the next instead, which no checksum by XOR can see.
    """

    burst_ok: int = 1024
    gap_ms: float = 5.0
    probability: float = 0.1
    packet: int = 64
    lose: int = 8
    swap: bool = False


StreamAction = Drop | Corrupt | Lose | Insert | Duplicate | Delay | Truncate | Stall | LongBurst

Effect = Callable[[Chunk], list[Chunk]]
"""Carries out an action on bytes that were hit."""


def stream_effect(action: StreamAction, dice: Dice) -> Effect:
    """Return the function that carries out `action`, drawing from `dice`."""
    match action:
        case Drop() | Stall():
            return lambda chunk: []
        case Corrupt(mask, at):
            return lambda chunk: [corrupt(chunk, mask, _position(chunk, mask, at, dice))]
        case Lose(first, count):
            return lambda chunk: [lose(chunk, first, count)]
        case Insert(data):
            return lambda chunk: [chunk.with_data(data), chunk.delayed(len(data) * chunk.byte_ns)]
        case Duplicate():
            return lambda chunk: [chunk, chunk.delayed(len(chunk.data) * chunk.byte_ns)]
        case Delay(seconds):
            return lambda chunk: [chunk.delayed(round(seconds * S))]
        case Truncate(keep, delimiter):
            return lambda chunk: [truncate(chunk, keep, delimiter)]
        case LongBurst():
            return _LongBurst(action, dice)
        case _:
            assert_never(action)


def corrupt(chunk: Chunk, mask: int, at: int) -> Chunk:
    """Flip the bits of `mask` in byte `at` of `chunk`."""
    if not -len(chunk.data) <= at < len(chunk.data):
        return chunk
    data = bytearray(chunk.data)
    data[at] ^= mask
    return chunk.with_data(bytes(data))


def lose(chunk: Chunk, at: int, count: int) -> Chunk:
    """Take `count` bytes from byte `at` on out of `chunk`, as far as there are so many."""
    start = at if at >= 0 else len(chunk.data) + at
    if not 0 <= start < len(chunk.data):
        return chunk
    return chunk.with_data(chunk.data[:start] + chunk.data[start + count :])


def truncate(chunk: Chunk, keep: int, delimiter: bool) -> Chunk:
    """Keep the first `keep` bytes, and the closing delimiter if wanted and there."""
    data = chunk.data[:keep]
    if delimiter and chunk.data.endswith(DELIMITER) and len(chunk.data) > keep:
        data += DELIMITER
    return chunk.with_data(data)


_PAYLOAD_AT = 25
"""Where a data block's payload starts in its frame: delimiter, packet header, data header."""


def _position(chunk: Chunk, mask: int, at: int | None, dice: Dice) -> int:
    """Return where to strike: as told, or in the payload where no delimiter and no escape is hit or made."""
    if at is not None:
        return at
    data = chunk.data
    special = (0xC0, 0xDB, 0xC0 ^ mask, 0xDB ^ mask)
    start = _PAYLOAD_AT if len(data) > _PAYLOAD_AT + 1 else 1
    window = range(start, min(len(data), start + 4096))
    plain = [index for index in window if data[index] not in special and data[index - 1] != 0xDB]
    return plain[dice.below(len(plain))] if plain else 0


class _LongBurst:
    """Count the bytes since the last pause, and damage the USB packets behind the limit."""

    def __init__(self, settings: LongBurst, dice: Dice) -> None:
        self._settings = settings
        self._dice = dice
        self._sent = 0
        self._last_ns = -(1 << 62)

    def __call__(self, chunk: Chunk) -> list[Chunk]:
        settings = self._settings
        if chunk.start_ns - self._last_ns >= settings.gap_ms * MS:
            self._sent = 0
        self._last_ns = chunk.end_ns
        safe = max(0, settings.burst_ok - self._sent)
        self._sent += len(chunk.data)
        if len(chunk.data) <= safe:
            return [chunk]
        packets = [chunk.data[start : start + settings.packet] for start in range(safe, len(chunk.data), settings.packet)]
        for number in range(len(packets)):
            if not self._dice.chance(settings.probability):
                continue
            if not settings.swap:
                packets[number] = self._damage(packets[number])
            elif number + 2 < len(packets):
                # The last one ends the frame: what is behind the delimiter would be another frame.
                packets[number], packets[number + 1] = packets[number + 1], packets[number]
        return [chunk.with_data(chunk.data[:safe] + b"".join(packets))]

    def _damage(self, packet: bytes) -> bytes:
        lost = self._dice.between(1, min(self._settings.lose, len(packet)))
        start = self._dice.below(len(packet) - lost + 1)
        gone = packet[start : start + lost]
        return packet[:start] + DELIMITER * gone.count(DELIMITER) + packet[start + lost :]
