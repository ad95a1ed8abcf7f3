"""Firmware images as the chip itself reads them from its flash: nothing is believed, nothing is refused early.

The ROM and the second stage act on whatever bytes they find, header by header, and say so as they go; a parser that checks a
whole file first would lose that. So this reads one piece at a time, from a flash that wraps at its end as a real part does.

Source: ESP-IDF documentation, "App Image Format"; oracle ``rom_boot.json`` flashboot_*.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from simulator.chip.flash_encryption import Readable

IMAGE_MAGIC = 0xE9
"""First byte of an image."""
HEADER_SIZE = 24
"""Bytes of the header with its extension."""
SEGMENT_HEADER = Struct("<II")
"""Address and length of a segment."""

_HEADER = Struct("<BBBBIB3sHBHH4sB")

MODES = {0: "QIO", 1: "QOUT", 2: "DIO", 3: "DOUT", 4: "FAST READ", 5: "SLOW READ"}
"""Flash modes in words."""
SPEEDS = {0x0: 40, 0x1: 26, 0x2: 20, 0xF: 80}
"""Flash clock in MHz."""

BUS_CLOCK_MHZ = 80
"""Clock that the flash clock is divided from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootHeader:
    """An image header, right or wrong.

    Args:
        first_word: The first four bytes, which the ROM prints if they are wrong.
        segments: Number of segments.
        mode: Flash mode code.
        speed: Flash speed code.
        size_code: Flash size code.
        entry: Entry address.
        wp_pin: Number of the write protect pin.
        drive: Six drive strengths: CLK, Q, D, CS0, HD, WP.
        chip_id: Chip that the image was built for; 0 is the ESP32.
        min_revision: Lowest chip revision, times 100.
        max_revision: Highest chip revision, times 100; 0 or 65535 means any.
        has_digest: Whether a SHA-256 follows the image.
    """

    first_word: int
    segments: int
    mode: int
    speed: int
    size_code: int
    entry: int
    wp_pin: int
    drive: tuple[int, ...]
    chip_id: int
    min_revision: int
    max_revision: int
    has_digest: bool

    @classmethod
    def parse(cls, data: bytes) -> BootHeader:
        """Read the first 24 bytes of `data`."""
        _, segments, mode, flash, entry, wp_pin, drive, chip_id, _, low, high, _, digest = _HEADER.unpack_from(data)
        return cls(
            first_word=int.from_bytes(data[:4], "little"),
            segments=segments,
            mode=mode,
            speed=flash & 0xF,
            size_code=flash >> 4,
            entry=entry,
            wp_pin=wp_pin,
            drive=tuple(nibble for byte in drive for nibble in (byte & 0xF, byte >> 4)),
            chip_id=chip_id,
            min_revision=low,
            max_revision=high,
            has_digest=digest == 1,
        )

    @property
    def valid(self) -> bool:
        """Whether the magic byte is right."""
        return self.first_word & 0xFF == IMAGE_MAGIC

    @property
    def mode_name(self) -> str:
        """Flash mode in words."""
        return MODES.get(self.mode, "SLOW READ")

    @property
    def speed_mhz(self) -> int:
        """Flash clock in MHz."""
        return SPEEDS.get(self.speed, 20)

    @property
    def flash_size(self) -> int:
        """Flash size in bytes, as the header claims."""
        return 0x100000 << min(self.size_code, 7)


def read(flash: Readable, offset: int, length: int) -> bytes:
    """Return `length` bytes from `offset` on; addresses beyond the part wrap, as its unused address bits are ignored."""
    offset %= flash.size
    if offset + length <= flash.size:
        return flash.read(offset, length)
    head = flash.read(offset, flash.size - offset)
    return head + read(flash, 0, length - len(head))
