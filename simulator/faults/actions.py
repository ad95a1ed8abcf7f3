"""What faults do to a stream: one function each, from a chunk to the chunks that go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from simulator.faults import model
from simulator.kernel import MS, S
from simulator.rng import Dice
from simulator.wire import DELIMITER, Chunk

Effect = Callable[[Chunk], list[Chunk]]
"""Carries out an action on bytes that were hit."""


def effect(action: model.Action, dice: Dice) -> Effect:
    """Return the function that carries out `action`, drawing from `dice`."""
    match action:
        case model.Drop() | model.Stall():
            return lambda chunk: []
        case model.Corrupt(mask, at):
            return lambda chunk: [corrupt(chunk, mask, _position(chunk, mask, at, dice))]
        case model.Insert(data):
            return lambda chunk: [chunk.with_data(data), chunk.delayed(len(data) * chunk.byte_ns)]
        case model.Duplicate():
            return lambda chunk: [chunk, chunk.delayed(len(chunk.data) * chunk.byte_ns)]
        case model.Delay(seconds):
            return lambda chunk: [chunk.delayed(round(seconds * S))]
        case model.Truncate(keep, delimiter):
            return lambda chunk: [truncate(chunk, keep, delimiter)]
        case model.LongBurst():
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

    def __init__(self, settings: model.LongBurst, dice: Dice) -> None:
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
        kept = [chunk.data[:safe]]
        for start in range(safe, len(chunk.data), settings.packet):
            packet = chunk.data[start : start + settings.packet]
            if self._dice.chance(settings.probability):
                packet = self._damage(packet)
            kept.append(packet)
        return [chunk.with_data(b"".join(kept))]

    def _damage(self, packet: bytes) -> bytes:
        lost = self._dice.between(1, min(self._settings.lose, len(packet)))
        start = self._dice.below(len(packet) - lost + 1)
        gone = packet[start : start + lost]
        return packet[:start] + DELIMITER * gone.count(DELIMITER) + packet[start + lost :]
