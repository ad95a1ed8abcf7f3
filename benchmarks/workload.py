"""What the benchmarks work on: the same bytes in every run, on every machine.

The image is half incompressible (as encrypted or already packed data is) and half like machine code: instructions from a small
stock, with operands that vary, between constants and strings. zlib packs that half about as well as it packs real firmware.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

KIB = 1024
MIB = KIB * KIB
SEED = 20_240_601

IMAGE_SIZE = MIB
BLOCK_SIZE = 16 * KIB
PACKET_SIZE = 4 * KIB
STREAM_PACKETS = MIB // PACKET_SIZE


def half_random_image(size: int = IMAGE_SIZE, seed: int = SEED) -> bytes:
    """Return `size` bytes: the first half random, the second like machine code."""
    dice = random.Random(seed)
    noise = dice.randbytes(size // 2)
    return noise + code_like(size - len(noise), seed + 1)


def code_like(size: int, seed: int = SEED) -> bytes:
    """Return `size` bytes that compress about like machine code with its constants and strings."""
    dice = random.Random(seed)
    stock = [dice.randbytes(3) for _ in range(192)]
    usual = [1.0 / (rank + 1) for rank in range(len(stock))]
    words = [b"wifi", b"init", b"error", b"%s:%d", b"task", b"queue", b"timeout", b"spi_flash", b"nvs", b"0x%08x", b"heap"]
    parts: list[bytes] = []
    length = 0
    while length < size:
        routine = b"".join(
            instruction if dice.random() < 0.75 else instruction[:2] + dice.randbytes(1)
            for instruction in dice.choices(stock, usual, k=160)
        )
        literals = struct.pack("<8I", *(0x3FFB0000 + 4 * dice.randrange(0x4000) for _ in range(8)))
        text = b"\0".join(dice.choices(words, k=6)) + b"\0"
        part = routine + literals + text
        parts.append(part)
        length += len(part)
    return b"".join(parts)[:size]


def random_blocks(count: int, size: int = BLOCK_SIZE, seed: int = SEED) -> list[bytes]:
    """Return `count` blocks of `size` random bytes each."""
    dice = random.Random(seed)
    return [dice.randbytes(size) for _ in range(count)]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield `data` in pieces of `size` bytes, the last one shorter if need be."""
    return (data[start : start + size] for start in range(0, len(data), size))
