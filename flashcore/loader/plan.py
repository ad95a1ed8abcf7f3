"""From bytes and an offset to the blocks that travel.

A stub takes everything compressed in one stream, if that is smaller. The ROM writes inflated data only in whole windows of
32 KiB, with the last announced block one more, and what its window held before (oracle fact 43), so whatever it does not fill
is programmed with rubbish behind the image. Therefore only whole windows are sent to it compressed, with one block more
announced than ever comes, so that the extra window is never written; the rest of the image follows plain. The stream is
complete when its last block ends, and nothing follows it, since bytes behind its end would hang the ROM (fact 46).
Source: ``rom_defl.json`` defl_exact_0x8000, defl_tail_window; fact 43 for when a window is written.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import Enum, unique

from flashcore.loader.policy import DEFAULT_POLICY

ROM_WINDOW = 0x8000
"""Bytes that the ROM inflates before it writes them."""
LEVEL = 6
"""Compression level: on machine code 9 takes twice the time of 6 for 0.3 % less, which even a slow wire hardly sees."""
ALIGNMENT = 4
"""The ROM takes only multiples of this many bytes (oracle fact 35)."""

_WORTHWHILE = 0.9
"""Share of the plain size below which compressing for the ROM pays for its extra MD5 and erase."""


@unique
class Mode(Enum):
    """How a part travels."""

    PLAIN = "plain"
    COMPRESSED = "compressed"


@dataclass(frozen=True, slots=True)
class Block:
    """One data command.

    Args:
        payload: What it carries.
        until: How many bytes of its part are in flash when it has been carried out.
    """

    payload: bytes
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one BEGIN opens.

    Args:
        mode: Plain or compressed.
        offset: Where in flash, a multiple of 4096.
        size: How many bytes of flash.
        block_size: Largest payload.
        announced: Number of blocks to announce.
        blocks: The blocks to send.
    """

    mode: Mode
    offset: int
    size: int
    block_size: int
    announced: int
    blocks: tuple[Block, ...]

    @property
    def on_wire(self) -> int:
        """Bytes of payload that travel."""
        return sum(len(block.payload) for block in self.blocks)


def pad(data: bytes) -> bytes:
    """Return `data` made a multiple of four long with FF, which leaves erased flash as it is."""
    return data + b"\xff" * (-len(data) % ALIGNMENT)


def plan_stub(
    data: bytes, offset: int, *, block_size: int, compress: bool, limit: int = DEFAULT_POLICY.inflate_limit
) -> tuple[Part, ...]:
    """Return how `data` goes to `offset` through a stub.

    Args:
        data: A multiple of four bytes.
        offset: A multiple of 4096.
        block_size: Largest payload that the stub takes.
        compress: Whether to compress where that helps.
        limit: Most bytes of flash that one compressed block may turn into.
    """
    if compress:
        packed = zlib.compress(data, LEVEL)
        if len(packed) < len(data):
            return (_compressed(packed, offset, len(data), block_size, spare=0, limit=limit),)
    return (_plain(data, offset, block_size),)


def plan_rom(
    data: bytes, offset: int, *, block_size: int, compress: bool, limit: int = DEFAULT_POLICY.inflate_limit
) -> tuple[Part, ...]:
    """Return how `data` goes to `offset` through the ROM, without touching what lies behind its last sector.

    Args:
        data: A multiple of four bytes.
        offset: A multiple of 4096.
        block_size: Largest payload.
        compress: Whether to compress whole windows where that pays.
        limit: Most bytes of flash that one compressed block may turn into.
    """
    whole = len(data) // ROM_WINDOW * ROM_WINDOW
    if compress and whole:
        packed = zlib.compress(data[:whole], LEVEL)
        if len(packed) < _WORTHWHILE * whole:
            windows = _compressed(packed, offset, whole, block_size, spare=1, limit=limit)
            rest = data[whole:]
            return (windows, _plain(rest, offset + whole, block_size)) if rest else (windows,)
    return (_plain(data, offset, block_size),)


def _plain(data: bytes, offset: int, block_size: int) -> Part:
    blocks = tuple(
        Block(data[start : start + block_size], min(start + block_size, len(data))) for start in range(0, len(data), block_size)
    )
    return Part(mode=Mode.PLAIN, offset=offset, size=len(data), block_size=block_size, announced=len(blocks), blocks=blocks)


def _compressed(packed: bytes, offset: int, size: int, block_size: int, *, spare: int, limit: int) -> Part:
    """Cut a stream into blocks, shorter ones where it expands so much that a loader would be busy for long."""
    inflate, until, blocks = zlib.decompressobj(), 0, []
    start = 0
    while start < len(packed):
        payload = packed[start : start + block_size]
        until += len(inflate.decompress(payload, limit))
        payload = payload[: len(payload) - len(inflate.unconsumed_tail)]
        start += len(payload)
        if payload:
            blocks.append(Block(payload, until))
        else:
            # Nothing but what the stream before already stands for.
            blocks[-1] = replace(blocks[-1], until=until)
    blocks[-1] = replace(blocks[-1], until=size)
    return Part(
        mode=Mode.COMPRESSED,
        offset=offset,
        size=size,
        block_size=block_size,
        announced=len(blocks) + spare,
        blocks=tuple(blocks),
    )
