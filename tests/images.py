"""ESP images for the tests, assembled by the installed esptool and not by flashcore.

The segments of an app lie where ESP-IDF's linker scripts put them, so the images pass every check of a real bootloader:
segment headers, alignment of flash-mapped pages, XOR checksum, SHA-256 digest. Contents are half random and half
repetitive, so that they compress like firmware does, and depend only on the arguments.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BOOTLOADER_OFFSET = 0x1000
"""Where an ESP32 expects its second stage bootloader in flash."""
PARTITION_TABLE_OFFSET = 0x8000
"""Where the partition table lies by default."""
APP_OFFSET = 0x10000
"""Where the first app of `make_partition_table` lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    image_class: str
    drom: int
    irom: int
    iram: int
    dram: int


_LAYOUTS = {
    "esp32": _Layout(image_class="ESP32FirmwareImage", drom=0x3F400020, irom=0x400D0020, iram=0x40080000, dram=0x3FFB0000),
    "esp32s2": _Layout(image_class="ESP32S2FirmwareImage", drom=0x3F000020, irom=0x40080020, iram=0x40028000, dram=0x3FFC8000),
    "esp32s3": _Layout(image_class="ESP32S3FirmwareImage", drom=0x3C000020, irom=0x42010020, iram=0x40374000, dram=0x3FC88000),
    "esp32c3": _Layout(image_class="ESP32C3FirmwareImage", drom=0x3C000020, irom=0x42010020, iram=0x40380000, dram=0x3FC80000),
}

_MODES = {"qio": 0, "qout": 1, "dio": 2, "dout": 3}
_SIZES = {"1MB": 0x00, "2MB": 0x10, "4MB": 0x20, "8MB": 0x30, "16MB": 0x40}
_FREQUENCY_80M = 0x0F


def content(name: str, size: int) -> bytes:
    """Return `size` bytes that depend on `name` only: per KiB, 512 random ones and 512 repetitive ones."""
    random = hashlib.shake_256(name.encode()).digest((size // 1024 + 1) * 512)
    repetitive = (name.encode() + b" \x00\x36\x41\x00") * 512
    parts = [random[i : i + 512] + repetitive[i // 512 % 7 :][:512] for i in range(0, len(random), 512)]
    return b"".join(parts)[:size]


def app_descriptor(*, project: str = "blink", version: str = "1.2.3", idf: str = "v5.3.1", elf_sha256: bytes = b"") -> bytes:
    """Return ESP-IDF's 256-byte description of an app, as it starts the DROM segment."""
    return struct.pack(
        "<II8x32s32s16s16s32s32sHHB3x72x",
        0xABCD5432,
        0,
        version.encode(),
        project.encode(),
        b"12:34:56",
        b"Jan  2 2025",
        idf.encode(),
        elf_sha256 or hashlib.sha256(project.encode()).digest(),
        0,
        0xFFFF,
        0,
    )


def make_app(
    *,
    chip: str = "esp32",
    project: str = "blink",
    version: str = "1.2.3",
    drom_size: int = 0x2400,
    irom_size: int = 0x5000,
    iram_size: int = 0x3000,
    dram_size: int = 0x1200,
    flash_mode: str = "dio",
    flash_size: str = "4MB",
    min_rev_full: int = 0,
    max_rev_full: int = 399,
    digest: bool = True,
) -> bytes:
    """Return an app image with an app descriptor, checksum and digest.

    Args:
        chip: ``esp32``, ``esp32s2``, ``esp32s3`` or ``esp32c3``.
        project: Project name in the descriptor; also the seed of the contents.
        version: App version in the descriptor.
        drom_size: Bytes of constants, at least 256.
        irom_size: Bytes of code mapped from flash. It starts on a 64 KiB page of its own, so the image has at least
            64 KiB; 0 leaves it out and allows an image of a few KiB.
        iram_size: Bytes of code in RAM, 0 leaves them out.
        dram_size: Bytes of data in RAM, 0 leaves them out.
        flash_mode: ``qio``, ``qout``, ``dio`` or ``dout``.
        flash_size: ``1MB`` to ``16MB``, as the header says it.
        min_rev_full: Lowest chip revision the image claims to run on, times 100.
        max_rev_full: Highest one.
        digest: Append the SHA-256 digest.
    """
    layout = _LAYOUTS[chip]
    descriptor = app_descriptor(project=project, version=version)
    segments = [
        (".flash.rodata", layout.drom, descriptor + content(f"{project} drom", drom_size - len(descriptor))),
        (".dram0.data", layout.dram, content(f"{project} dram", dram_size)),
        (".iram0.text", layout.iram, content(f"{project} iram", iram_size)),
        (".flash.text", layout.irom, content(f"{project} irom", irom_size)),
    ]
    revisions = {"min_rev_full": min_rev_full, "max_rev_full": max_rev_full}
    return _save(chip, segments, layout.iram + 4, flash_mode, flash_size, digest, revisions)


def make_bootloader(
    *,
    chip: str = "esp32",
    name: str = "bootloader",
    iram_size: int = 0xE4C,
    flash_mode: str = "dio",
    flash_size: str = "4MB",
    digest: bool = True,
) -> bytes:
    """Return a second stage bootloader: RAM segments only, about 24 KiB, for `BOOTLOADER_OFFSET`.

    Args:
        chip: As for `make_app`.
        name: Seed of the contents.
        iram_size: Bytes of the last segment, to make it larger.
        flash_mode: As for `make_app`.
        flash_size: As for `make_app`.
        digest: Append the SHA-256 digest.
    """
    if chip == "esp32":
        dram, loader, iram, entry = 0x3FFF0030, 0x40078000, 0x40080400, 0x400805E4
    else:
        layout = _LAYOUTS[chip]
        dram, loader, iram, entry = layout.dram, layout.iram, layout.iram + 0x8000, layout.iram + 0x8004
    segments = [
        (".dram0.data", dram, content(f"{name} dram", 0x16DC)),
        (".iram_loader.text", loader, content(f"{name} loader", 0x3A20)),
        (".iram.text", iram, content(f"{name} iram", iram_size)),
    ]
    return _save(chip, segments, entry, flash_mode, flash_size, digest, {})


def make_esp8266_image() -> bytes:
    """Return a small image for the ESP8266, which has the magic of the others but no extended header."""
    body = content("esp8266", 64)
    image = struct.pack("<BBBBIII", 0xE9, 1, 2, 0x40, 0x40100004, 0x40100000, len(body)) + body
    image = image.ljust(len(image) | 0xF, b"\0")
    checksum = 0xEF
    for byte in body:
        checksum ^= byte
    return image + bytes([checksum])


@functools.cache
def _esptool_classes() -> tuple[Any, Any]:
    import esptool.bin_image

    return esptool.bin_image, esptool.bin_image.ELFSection


def _save(
    chip: str,
    segments: Sequence[tuple[str, int, bytes]],
    entry: int,
    flash_mode: str,
    flash_size: str,
    digest: bool,
    revisions: dict[str, int],
) -> bytes:
    bin_image, section = _esptool_classes()
    image = getattr(bin_image, _LAYOUTS[chip].image_class)()
    image.segments = [section(name.encode(), address, data, 0) for name, address, data in segments if data]
    image.entrypoint = entry
    image.flash_mode = _MODES[flash_mode]
    image.flash_size_freq = _SIZES[flash_size] | _FREQUENCY_80M
    image.append_digest = digest
    for name, value in revisions.items():
        setattr(image, name, value)
    saved = image.save(None)
    assert isinstance(saved, bytes), "esptool 5.2 or newer returns the image as bytes"
    return saved


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRow:
    """One line of a partition table, with the raw type and subtype numbers."""

    name: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0


SINGLE_APP: tuple[PartitionRow, ...] = (
    PartitionRow(name="nvs", type=1, subtype=0x02, offset=0x9000, size=0x6000),
    PartitionRow(name="phy_init", type=1, subtype=0x01, offset=0xF000, size=0x1000),
    PartitionRow(name="factory", type=0, subtype=0x00, offset=APP_OFFSET, size=0x100000),
)
"""ESP-IDF's "Single factory app, no OTA"."""

TWO_OTA: tuple[PartitionRow, ...] = (
    PartitionRow(name="nvs", type=1, subtype=0x02, offset=0x9000, size=0x5000),
    PartitionRow(name="otadata", type=1, subtype=0x00, offset=0xE000, size=0x2000),
    PartitionRow(name="app0", type=0, subtype=0x10, offset=APP_OFFSET, size=0x140000),
    PartitionRow(name="app1", type=0, subtype=0x11, offset=0x150000, size=0x140000),
    PartitionRow(name="spiffs", type=1, subtype=0x82, offset=0x290000, size=0x160000),
    PartitionRow(name="coredump", type=1, subtype=0x03, offset=0x3F0000, size=0x10000),
)
"""The default of Arduino for 4 MB: two apps that take turns, and a file system."""


def make_partition_table(rows: Sequence[PartitionRow] = SINGLE_APP, *, md5: bool = True) -> bytes:
    """Return a partition table of 0xC00 bytes for `PARTITION_TABLE_OFFSET`."""
    table = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, row.type, row.subtype, row.offset, row.size, row.name.encode(), row.flags)
        for row in rows
    )
    if md5:
        table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    return table.ljust(0xC00, b"\xff")
