"""Reading firmware images: what a bootloader does before it runs one, without running it.

An image is an 8-byte header (magic E9), a 16-byte extended header, up to 16 segments of 8 bytes of header and their data,
padding so that the XOR checksum is the last byte of a 16-byte line, and if the extended header says so the SHA-256 of all
that. `parse` refuses what has no such structure and says at which offset; `Firmware.check` refuses one that is damaged.
Bytes behind the image are ignored, since files are padded and flash goes on.
Source: ESP-IDF documentation, "App Image Format"; oracle ``rom_boot.json`` flashboot_*.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import Enum, IntEnum, unique

from flashcore.chips import ESP32, ChipSpec, KnownChip, MemoryKind, by_image_id
from flashcore.chips.spec import FLASH_SIZES, FREQUENCIES
from flashcore.errors import BadHeaderError
from flashcore.image.descriptor import AppDescriptor

MAGIC = 0xE9
"""First byte of every image."""
MAX_SEGMENTS = 16
"""More are refused by the bootloaders."""
MAX_SEGMENT_SIZE = 16 << 20
"""Bytes; no chip maps more."""
CHECKSUM_SEED = 0xEF
"""Where the XOR over all segment data starts."""
DIGEST_SIZE = 32
"""Bytes of a SHA-256."""

_HEADER = struct.Struct("<BBBBIB3sHBHH4xB")
_SEGMENT = struct.Struct("<II")
_DIGEST_FLAG = 23


@unique
class FlashMode(IntEnum):
    """How the flash chip is read."""

    QIO = 0
    QOUT = 1
    DIO = 2
    DOUT = 3
    FAST_READ = 4
    SLOW_READ = 5


@unique
class Role(Enum):
    """What an image is meant to be."""

    BOOTLOADER = "bootloader"
    """Runs from RAM alone, so the ROM can start it."""
    APP = "app"
    """Has segments mapped from flash or an app descriptor, so only a bootloader can start it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first 24 bytes.

    Args:
        segment_count: As the header says.
        flash_mode: An unknown code stays a number.
        flash_size_code: High nibble of byte 3.
        flash_frequency_code: Low nibble of byte 3.
        entry: Where the CPU jumps to.
        wp_pin: GPIO of the flash chip's WP pin, 0xEE for none.
        drive: Three bytes of pin drive strengths.
        chip_id: Which chip it was built for.
        min_revision: Lowest chip revision, times 100; older images count whole revisions and leave this 0.
        max_revision: Highest chip revision, times 100; 0 or 65535 for any.
        has_digest: Whether a SHA-256 is appended.
    """

    segment_count: int
    flash_mode: FlashMode | int
    flash_size_code: int
    flash_frequency_code: int
    entry: int
    wp_pin: int
    drive: bytes
    chip_id: int
    min_revision: int
    max_revision: int
    has_digest: bool

    @property
    def flash_size(self) -> int | None:
        """Flash size in bytes that the image expects, ``None`` if the code is unknown."""
        return FLASH_SIZES.get(self.flash_size_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of the image and where it goes.

    Args:
        offset: Start of its data in the image, in bytes.
        address: Where the CPU sees it.
        length: Bytes of data.
        kind: What lies at that address.
    """

    offset: int
    address: int
    length: int
    kind: MemoryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """A parsed image.

    Args:
        header: The two headers.
        segments: In file order.
        checksum: The stored XOR checksum.
        actual_checksum: The one computed from the data.
        digest: The stored SHA-256, empty if there is none.
        actual_digest: The one computed from the data, empty if none is stored.
        size: Bytes from the magic to the end of the digest or the checksum.
        chip: Whom it was built for, ``None`` for an unknown chip id.
        descriptor: What an app says about itself.
    """

    header: Header
    segments: tuple[Segment, ...]
    checksum: int
    actual_checksum: int
    digest: bytes
    actual_digest: bytes
    size: int
    chip: KnownChip | None
    descriptor: AppDescriptor | None

    @property
    def entry(self) -> int:
        """Where the CPU jumps to."""
        return self.header.entry

    @property
    def is_intact(self) -> bool:
        """Whether checksum and digest fit the data."""
        return self.checksum == self.actual_checksum and self.digest == self.actual_digest

    @property
    def role(self) -> Role:
        """What it is meant to be."""
        mapped = any(segment.kind.is_flash_mapped for segment in self.segments)
        return Role.APP if mapped or self.descriptor else Role.BOOTLOADER

    @property
    def rom_loads(self) -> tuple[tuple[int, int], ...]:
        """Address and length of each segment that the ROM copies to RAM and announces as ``load:0x...,len:...``."""
        return tuple((segment.address, segment.length) for segment in self.segments if segment.kind.is_ram)

    @property
    def rom_log(self) -> str:
        """The lines that the ROM prints while it loads and starts the image.

        Source: ``rom_boot.json`` flashboot_good_image_13.
        """
        loads = "".join(f"load:0x{address:08x},len:{length}\r\n" for address, length in self.rom_loads)
        return f"{loads}entry 0x{self.entry:08x}\r\n"

    @property
    def flash_frequency(self) -> str:
        """The SPI clock that the image asks for, in words."""
        names = self.chip.flash_frequencies if self.chip else FREQUENCIES
        return names.get(self.header.flash_frequency_code, f"unknown (0x{self.header.flash_frequency_code:x})")

    def check(self, name: str = "image") -> None:
        """Refuse a damaged image.

        Args:
            name: What to call it in the message.

        Raises:
            BadHeaderError: Checksum (``image.bad_checksum``) or digest (``image.bad_digest``) do not fit the data.
        """
        hint = "the file is damaged: build or download it again"
        if self.checksum != self.actual_checksum:
            raise BadHeaderError(
                f"{name}: the checksum is 0x{self.checksum:02x}, expected 0x{self.actual_checksum:02x} for these segments",
                hint=hint,
                code="image.bad_checksum",
                context={"name": name, "stored": self.checksum, "computed": self.actual_checksum},
            )
        if self.digest != self.actual_digest:
            raise BadHeaderError(
                f"{name}: the SHA-256 is {self.digest.hex()}, expected {self.actual_digest.hex()} for this data",
                hint=hint,
                code="image.bad_digest",
                context={"name": name, "stored": self.digest.hex(), "computed": self.actual_digest.hex()},
            )


def parse(data: bytes, name: str = "image") -> Firmware:
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


def is_esp8266(data: bytes) -> bool:
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
        flash_mode=FlashMode(mode) if mode in FlashMode._value2member_map_ else mode,
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


def _walk(
    view: memoryview, offset: int, count: int, chip: KnownChip | None, name: str
) -> tuple[tuple[Segment, ...], int]:
    """Return `count` segments from `offset` on and the offset behind the last one."""
    segments = []
    for number in range(count):
        _need(view, offset, _SEGMENT.size, f"the header of segment {number}", name)
        address, length = _SEGMENT.unpack_from(view, offset)
        if length % 4 or length >= MAX_SEGMENT_SIZE:
            raise _bad(
                name, offset + 4, f"a multiple of 4 below 16 MiB as length of segment {number}", f"0x{length:08x}"
            )
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
    """Fold all segment data in halves, as big integers, down to one byte."""
    result = CHECKSUM_SEED
    for segment in segments:
        value = int.from_bytes(view[segment.offset : segment.offset + segment.length], "little")
        bits = 8 * segment.length
        while bits > 8:
            bits = (bits // 2 + 7) & ~7
            value = value >> bits ^ value & (1 << bits) - 1
        result ^= value
    return result


def _digest_flag_lost(view: memoryview, digest_at: int) -> bool:
    stored = view[digest_at : digest_at + DIGEST_SIZE]
    if len(stored) < DIGEST_SIZE or stored == b"\xff" * DIGEST_SIZE:
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
            f"{name}: the file ends after {len(view)} bytes; expected {what} at offset 0x{offset:x}, {length - have} more bytes",
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
