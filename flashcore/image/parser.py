"""Reading firmware images: what a bootloader does before it runs one, without running it.

`parse` refuses what does not have the structure of an image and says at which offset. Bytes behind the image are ignored,
since files are padded and flash goes on. An image whose header lost the digest flag, but that is still followed by a
digest that would fit, is refused too: otherwise this one byte would go unprotected.
"""

from __future__ import annotations

import hashlib
import struct

from flashcore.chips import ESP32, ChipSpec, KnownChip, MemoryKind, by_image_id
from flashcore.errors import BadHeaderError
from flashcore.image.descriptor import AppDescriptor
from flashcore.image.firmware import Firmware, FlashMode, Header, Segment
from flashcore.protocol.packet import checksum

MAGIC = 0xE9
"""First byte of every image."""
MAX_SEGMENTS = 16
"""More are refused by the bootloaders."""
MAX_SEGMENT_SIZE = 16 << 20
"""Bytes; no chip maps more."""
DIGEST_SIZE = 32
"""Bytes of a SHA-256."""

_HEADER = struct.Struct("<BBBBIB3sHBHH4xB")
_SEGMENT = struct.Struct("<II")
_DIGEST_FLAG = 23


def parse(data: bytes | memoryview, name: str = "image") -> Firmware:
    """Return what the image at the start of `data` says.

    Checksum and digest are computed but not judged, so that a damaged image can still be shown; see `Firmware.check`.

    Args:
        data: The image, and whatever follows it.
        name: What to call it in messages.

    Raises:
        BadHeaderError: `data` does not have the structure of an image, or ends before the image does.
    """
    view = memoryview(data)
    header = _parse_header(view, name)
    chip = by_image_id(header.chip_id)
    segments, end = _walk(view, _HEADER.size, header.segment_count, chip, name)
    checksum_at = end | 0xF
    _need(view, checksum_at, 1, "the checksum byte", name)
    digest_at = checksum_at + 1
    digest = actual_digest = b""
    if header.has_digest:
        _need(view, digest_at, DIGEST_SIZE, "a SHA-256 digest of 32 bytes", name)
        digest = bytes(view[digest_at : digest_at + DIGEST_SIZE])
        actual_digest = hashlib.sha256(view[:digest_at]).digest()
    elif _digest_flag_lost(view, digest_at):
        raise _bad(name, _DIGEST_FLAG, "0x01, since a fitting SHA-256 digest follows the image", "0x00")
    return Firmware(
        header=header,
        segments=segments,
        checksum=view[checksum_at],
        actual_checksum=_xor(view, segments),
        digest=digest,
        actual_digest=actual_digest,
        size=digest_at + len(digest),
        chip=chip,
        descriptor=_find_descriptor(view, segments),
    )


def looks_like_image(data: bytes | memoryview) -> bool:
    """Whether `data` starts with a sound image header for a known chip, even if what follows is damaged or cut off."""
    try:
        header = _parse_header(memoryview(data), "image")
    except BadHeaderError:
        return False
    return isinstance(header.flash_mode, FlashMode) and by_image_id(header.chip_id) is not None


def is_esp8266(data: bytes | memoryview) -> bool:
    """Whether `data` starts with an intact image for the ESP8266, which has the same magic but no extended header."""
    view = memoryview(data)
    if len(view) < 8 or view[0] != MAGIC or not 1 <= view[1] <= MAX_SEGMENTS:
        return False
    try:
        segments, end = _walk(view, 8, view[1], None, "image")
        checksum_at = end | 0xF
        _need(view, checksum_at, 1, "the checksum byte", "image")
    except BadHeaderError:
        return False
    return view[checksum_at] == _xor(view, segments)


def _parse_header(view: memoryview, name: str) -> Header:
    if not view:
        raise _bad(name, 0, f"the magic byte 0x{MAGIC:02x} of an image", "an empty file")
    if view[0] != MAGIC:
        raise _bad(name, 0, f"the magic byte 0x{MAGIC:02x} of an image", f"0x{view[0]:02x}")
    _need(view, 0, _HEADER.size, "a header of 24 bytes", name)
    _, count, mode, size_and_speed, entry, wp_pin, drive, chip_id, _, low, high, digest = _HEADER.unpack_from(view)
    if not 1 <= count <= MAX_SEGMENTS:
        raise _bad(name, 1, f"1 to {MAX_SEGMENTS} segments", f"{count}")
    if digest > 1:
        raise _bad(name, _DIGEST_FLAG, "0 or 1 (whether a digest is appended)", f"0x{digest:02x}")
    return Header(
        segment_count=count,
        flash_mode=_flash_mode(mode),
        flash_size_code=size_and_speed >> 4,
        flash_frequency_code=size_and_speed & 0xF,
        entry=entry,
        wp_pin=wp_pin,
        drive=drive,
        chip_id=chip_id,
        min_revision=low,
        max_revision=high,
        has_digest=digest == 1,
    )


def _flash_mode(code: int) -> FlashMode | int:
    try:
        return FlashMode(code)
    except ValueError:
        return code


def _walk(view: memoryview, offset: int, count: int, chip: KnownChip | None, name: str) -> tuple[tuple[Segment, ...], int]:
    """Return `count` segments from `offset` on and the offset behind the last one."""
    segments = []
    for number in range(count):
        _need(view, offset, _SEGMENT.size, f"the header of segment {number}", name)
        address, length = _SEGMENT.unpack_from(view, offset)
        if length % 4 or length >= MAX_SEGMENT_SIZE:
            raise _bad(name, offset + 4, f"a multiple of 4 below 16 MiB as length of segment {number}", f"0x{length:08x}")
        offset += _SEGMENT.size
        _need(view, offset, length, f"the {length} bytes of segment {number}", name)
        segments.append(Segment(offset=offset, address=address, length=length, kind=_kind(chip, address)))
        offset += length
    return tuple(segments), offset


def _kind(chip: KnownChip | None, address: int) -> MemoryKind:
    if isinstance(chip, ChipSpec):
        return chip.kind_of(address)
    return MemoryKind.PADDING if ESP32.kind_of(address) is MemoryKind.PADDING else MemoryKind.UNKNOWN


def _xor(view: memoryview, segments: tuple[Segment, ...]) -> int:
    return checksum(b"".join(view[segment.offset : segment.offset + segment.length] for segment in segments))


def _digest_flag_lost(view: memoryview, digest_at: int) -> bool:
    stored = view[digest_at : digest_at + DIGEST_SIZE]
    if len(stored) < DIGEST_SIZE:
        return False
    digest = hashlib.sha256(view[:_DIGEST_FLAG])
    digest.update(b"\x01")
    digest.update(view[_DIGEST_FLAG + 1 : digest_at])
    return digest.digest() == stored


def _find_descriptor(view: memoryview, segments: tuple[Segment, ...]) -> AppDescriptor | None:
    for segment in segments:
        found = AppDescriptor.parse(view[segment.offset : segment.offset + segment.length])
        if found:
            return found
    return None


def _need(view: memoryview, offset: int, length: int, what: str, name: str) -> None:
    if offset + length > len(view):
        have = max(0, len(view) - offset)
        raise BadHeaderError(
            f"{name}: the data ends after {len(view)} bytes, {length - have} too early: expected {what} at offset 0x{offset:x}",
            hint="the file is cut off: build or download it again",
            code="image.truncated",
            context={"name": name, "offset": offset, "missing": length - have},
        )


def _bad(name: str, offset: int, expected: str, found: str) -> BadHeaderError:
    return BadHeaderError(
        f"{name}: expected {expected} at offset 0x{offset:x}, found {found}",
        hint="give a firmware image (.bin) as the build system makes it",
        context={"name": name, "offset": offset, "expected": expected, "found": found},
    )
