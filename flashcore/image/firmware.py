"""What a firmware image is, as values: header, segments, checksum, digest, and what the ROM does with it.

An image is an 8-byte header (magic E9), a 16-byte extended header, up to 16 segments of 8 bytes of header and their
data, padding so that the XOR checksum is the last byte of a 16-byte line, and if the extended header says so the SHA-256
of all that. `parser.parse` makes a `Firmware` of bytes; `Firmware.check` refuses one that is damaged.
Source: ESP-IDF documentation, "App Image Format"; oracle ``rom_boot.json`` flashboot_*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, unique

from flashcore.chips import KnownChip, MemoryKind
from flashcore.chips.spec import FLASH_SIZES, FREQUENCIES
from flashcore.errors import BadHeaderError
from flashcore.image.descriptor import AppDescriptor


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
                f"{name}: the checksum is 0x{self.checksum:02x}, expected 0x{self.actual_checksum:02x} for this data",
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
