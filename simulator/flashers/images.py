"""Images for a job, made from a few words so that a case needs no file.

Most are meaningless bytes that compress as firmware does. Some must be more: an app that boots, a boot loader, an image for
another chip, or bytes whose compressed form has an awkward length.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import assert_never

from flashcore.errors import ScenarioError
from simulator.faults.presets.schema import ImageKind

FIRMWARE = "esp-idf"
"""Profile that an app of a job runs once it is started."""

BLOCK = 0x4000
"""Bytes of a compressed block that a stub is sent. Source: docs/sources.md, Time-outs."""
LEVEL = 9
"""Compression that flashers use."""

_RUN = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Bytes for one place of the flash.

    Args:
        offset: Where they go, a multiple of 4096.
        size: How many, in bytes; an app or a boot loader has at least as many as it needs, and then those of `data`.
        seed: Which ones.
        kind: What they are.
    """

    offset: int
    size: int
    seed: int = 0
    kind: ImageKind = "random"

    def data(self) -> bytes:
        """Return the bytes.

        Raises:
            ScenarioError: There are no bytes of this kind and size.
        """
        return _data(self.size, self.seed, self.kind)

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.offset + len(self.data())


@lru_cache(maxsize=32)
def _data(size: int, seed: int, kind: ImageKind) -> bytes:
    from simulator.chip import factory

    match kind:
        case "random":
            return _mixed(size, seed)
        case "zeros":
            return bytes(size)
        case "app" | "s3-app":
            bare = len(factory.app_image(FIRMWARE, constants=b""))
            return factory.app_image(FIRMWARE, constants=_mixed(_whole(size - bare), seed), for_s3=kind == "s3-app")
        case "bootloader":
            bare = len(factory.boot_loader_image(code=b""))
            return factory.boot_loader_image(code=_mixed(max(4096, _whole(size - bare)), seed))
        case "partitions":
            return factory.partition_table()
        case "c900":
            return _one_byte_over(size, seed)
        case _:
            assert_never(kind)


def _whole(size: int) -> int:
    """Return `size` cut to a multiple of 16, so that an image does not outgrow it by its padding."""
    return max(0, size // 16 * 16)


def _mixed(size: int, seed: int) -> bytes:
    """Return bytes that compress to about half: runs of random ones between repeated text."""
    name = f"campaign image {seed} ".encode()
    random = hashlib.shake_256(name).digest((size // (2 * _RUN) + 1) * _RUN)
    filler = (name * (_RUN // len(name) + 1))[:_RUN]
    return b"".join(filler + random[start : start + _RUN] for start in range(0, len(random), _RUN))[:size]


def _one_byte_over(size: int, seed: int) -> bytes:
    """Return `size` bytes that compress to whole blocks and one byte: random ones, then as many zeros as that takes.

    Raises:
        ScenarioError: `size` is too small for a whole block.
    """
    random = hashlib.shake_256(f"campaign c900 {seed}".encode()).digest(size)
    zeros = 0
    while zeros < size:
        data = random[: size - zeros] + bytes(zeros)
        length = len(zlib.compress(data, LEVEL))
        over = (length - 1) % BLOCK
        if not over and length > BLOCK:
            return data
        # Each random byte less is about one byte less of output; the last steps are taken singly.
        zeros += max(1, over - 16)
    raise ScenarioError(f"no image of {size} bytes compresses to whole blocks and one byte", hint="make it 64 KiB or more")


def file_of(image: Image, folder: Path) -> Path:
    """Return a file in `folder` that holds the bytes of `image`, made now if there is none."""
    path = folder / f"{image.kind}-{image.size}-{image.seed}.bin"
    if not path.exists():
        path.write_bytes(image.data())
    return path


def content(files: Sequence[str]) -> bytes | None:
    """Return what a flasher has written to `files`, in their order; ``None`` if there are none or one is missing."""
    try:
        parts = [Path(name).read_bytes() for name in files]
    except OSError:
        return None
    return b"".join(parts) if parts else None
