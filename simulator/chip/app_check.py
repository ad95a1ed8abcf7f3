"""How the second stage loads an app: header, segments, checksum, digest, each with the line that it logs when it is wrong.

Source: log lines of ESP-IDF 4.4 to 5.1 as public logs show them; ESP-IDF documentation, "App Image Format".
Fidelity: from source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass

from flashcore.image.descriptor import AppDescriptor
from flashcore.protocol.packet import CHECKSUM_SEED, checksum
from simulator.chip.boot_image import HEADER_SIZE, IMAGE_MAGIC, SEGMENT_HEADER, BootHeader, read
from simulator.chip.idf_log import IdfLog
from simulator.chip.script import Step
from simulator.chip.soc import Soc

ESP32_CHIP_ID = 0
MAX_SEGMENTS = 16
MMU_PAGE = 0x10000
"""Flash is mapped in pages of this size, so mapped data must lie at the same place within a page in flash and in memory."""
LOAD_NS_PER_BYTE = 500
"""Reading, hashing and copying. Fidelity: guessed from time stamps of public boot logs (40 MHz, DIO)."""

_SIXTEEN_MB = 0x100_0000
_DIGEST_SIZE = 32
_BLOCK = 16
_ANY_REVISION = (0, 0xFFFF)
_MAPPED = ((0x3F40_0000, 0x3F80_0000), (0x400D_0000, 0x4040_0000))
_LOADED_FROM = 0x1000_0000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedApp:
    """A good app.

    Args:
        descriptor: What it says about itself; ``None`` if it carries no description.
    """

    descriptor: AppDescriptor | None


class _AppError(Exception):
    """The app is refused: tag and text of the line that the loader logs."""

    def __init__(self, text: str, tag: str = "esp_image") -> None:
        super().__init__(text)
        self.tag = tag


def check_app(soc: Soc, log: IdfLog, offset: int, size: int) -> Generator[Step, None, LoadedApp | None]:
    """Load the app at `offset` in a partition of `size` bytes, logging on the way.

    Returns:
        The app, or ``None`` if it cannot be booted.
    """
    try:
        return (yield from _check(soc, log, offset, size))
    except _AppError as error:
        yield log.error(error.tag, str(error))
        return None


def _check(soc: Soc, log: IdfLog, offset: int, size: int) -> Generator[Step, None, LoadedApp]:
    raw = read(soc.boot_flash, offset, HEADER_SIZE)
    header = BootHeader.parse(raw)
    _check_header(header, offset, log.revision)
    digest = hashlib.sha256(raw)
    folded = CHECKSUM_SEED
    position = HEADER_SIZE
    descriptor: AppDescriptor | None = None
    for number in range(header.segments):
        raw = read(soc.boot_flash, offset + position, SEGMENT_HEADER.size)
        address, length = SEGMENT_HEADER.unpack(raw)
        position += SEGMENT_HEADER.size
        place = offset + position
        mapped = any(low <= address < high for low, high in _MAPPED)
        if length % 4 or length >= _SIXTEEN_MB:
            raise _AppError(f"invalid segment length 0x{length:x}")
        if mapped and place % MMU_PAGE != address % MMU_PAGE:
            raise _AppError(f"Segment {number} load address 0x{address:08x}, doesn't match data 0x{place:08x}")
        how = "map" if mapped else "load" if address >= _LOADED_FROM else ""
        yield log.info(
            "esp_image",
            f"segment {number}: paddr={place:08x} vaddr={address:08x} size={length:05x}h ({length:6d}) {how}",
        )
        if place + length > soc.flash.size:
            raise _AppError(f"bootloader_mmap(0x{place:x}, 0x{length:x}) failed")
        data = read(soc.boot_flash, place, length)
        yield Step(b"", length * LOAD_NS_PER_BYTE)
        digest.update(raw)
        digest.update(data)
        folded ^= checksum(data) ^ CHECKSUM_SEED
        position += length
        if number == 0:
            descriptor = AppDescriptor.parse(memoryview(data))
    end = (position | _BLOCK - 1) + 1
    padding = read(soc.boot_flash, offset + position, end - position)
    digest.update(padding)
    if end + _DIGEST_SIZE * header.has_digest > size:
        raise _AppError(f"Image length {end + _DIGEST_SIZE * header.has_digest} doesn't fit in partition length {size}")
    if padding[-1] != folded:
        raise _AppError(f"Checksum failed. Calculated 0x{folded:x} read 0x{padding[-1]:x}")
    if header.has_digest and read(soc.boot_flash, offset + end, _DIGEST_SIZE) != digest.digest():
        raise _AppError("Image hash failed - image is corrupt")
    return LoadedApp(descriptor=descriptor)


def _check_header(header: BootHeader, offset: int, revision: int) -> None:
    if header.first_word & 0xFF != IMAGE_MAGIC:
        raise _AppError(f"image at 0x{offset:x} has invalid magic byte (nothing flashed here?)")
    if header.chip_id != ESP32_CHIP_ID:
        raise _AppError(f"mismatch chip ID, expected {ESP32_CHIP_ID}, found {header.chip_id}", "boot_comm")
    if revision < header.min_revision:
        raise _revision_error(">=", header.min_revision, revision)
    if header.max_revision not in _ANY_REVISION and revision > header.max_revision:
        raise _revision_error("<=", header.max_revision, revision)
    if header.segments > MAX_SEGMENTS:
        raise _AppError(f"image at 0x{offset:x} segment count {header.segments} exceeds max {MAX_SEGMENTS}")


def _revision_error(relation: str, wanted: int, revision: int) -> _AppError:
    wanted_text, have = ("v{}.{}".format(*divmod(value, 100)) for value in (wanted, revision))
    return _AppError(f"Image requires chip rev {relation} {wanted_text}, but chip is {have}", "boot_comm")
