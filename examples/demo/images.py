"""Firmware for the demo, put together by the esptool of the demo's own environment.

A linker's output is imitated (ELF files whose sections lie where ESP-IDF puts them); from there on it is the way that
every firmware goes: ``esptool elf2image`` makes the images with segments, checksum and digest, ``esptool image-info``
must find them valid. The partition table is written here, as ESP-IDF's tool for it is no part of esptool.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = "thread-5517"
"""Name by which the app calls itself when it starts."""
VERSION = "1.0.0"

BOOTLOADER_OFFSET = 0x1000
TABLE_OFFSET = 0x8000
APP_OFFSET = 0x10000

_ENTRY = 0x400805E4
_RODATA, _TEXT = 0x3F400020, 0x400D0020


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file and where in flash it goes.

    Args:
        what: What it is, in words.
        offset: Where it goes.
        path: The file.
        data: Its content.
        note: What esptool's ``image-info`` says about it.
    """

    what: str
    offset: int
    path: Path
    data: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of an ELF file."""

    name: str
    address: int
    data: bytes


class ImageToolError(Exception):
    """esptool's image tools did not do what was asked."""


def bootloader_sections() -> tuple[Section, ...]:
    """Return a second stage boot loader: everything in RAM, at ESP-IDF's addresses."""
    return (
        Section(name=".dram0.data", address=0x3FFF0030, data=content("boot loader data", 0x16DC)),
        Section(name=".iram_loader.text", address=0x40078000, data=content("boot loader", 0x3A20)),
        Section(name=".iram.text", address=0x40080400, data=content("boot loader start", 0xE4C)),
    )


def app_sections() -> tuple[Section, ...]:
    """Return an app: constants and code mapped from flash, code and data in RAM, and a description of itself in front."""
    description = struct.pack(
        "<II8x32s32s16s16s32s32s80x",
        0xABCD5432,
        0,
        VERSION.encode(),
        PROJECT.encode(),
        b"12:00:00",
        b"Jan  2 2025",
        b"v5.1.4",
        b"",
    )
    return (
        Section(name=".flash.appdesc", address=_RODATA, data=description),
        Section(name=".flash.rodata", address=_RODATA + len(description), data=content("constants", 0x2800)),
        Section(name=".dram0.data", address=0x3FFB0000, data=content("data", 0x1400)),
        Section(name=".iram0.vectors", address=0x40080000, data=content("vectors", 0x404)),
        Section(name=".iram0.text", address=0x40080404, data=content("fast code", 0x4BFC)),
        Section(name=".flash.text", address=_TEXT, data=content("code", 0x6000)),
    )


def content(name: str, size: int) -> bytes:
    """Return `size` bytes that depend on `name` only and compress as firmware does: every other 256 bytes repeat."""
    dice = hashlib.shake_256(name.encode()).digest(size)
    repeated = (name.encode() + b"\x00\x36\x41\x00\x1d\xf0") * 64
    parts = [dice[at : at + 256] + repeated[:256] for at in range(0, size, 512)]
    return b"".join(parts)[:size]


def partition_table() -> bytes:
    """Return ESP-IDF's "single factory app, no OTA", with its MD5."""
    rows = (
        (1, 0x02, 0x9000, 0x6000, "nvs"),
        (1, 0x01, 0xF000, 0x1000, "phy_init"),
        (0, 0x00, APP_OFFSET, 0x100000, "factory"),
    )
    table = b"".join(struct.pack("<HBBII16sI", 0x50AA, *row[:4], row[4].encode(), 0) for row in rows)
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    return table.ljust(0xC00, b"\xff")


def elf(sections: Sequence[Section], entry: int) -> bytes:
    """Return an ELF file for the ESP32 (32 bits, little endian, Xtensa) with these sections and no more than it needs."""
    names = b"\0" + b"".join(section.name.encode() + b"\0" for section in sections) + b".shstrtab\0"
    header_size, entry_size = 52, 40
    data = b""
    table = bytes(entry_size)
    for section in sections:
        name = names.index(section.name.encode() + b"\0")
        place = header_size + len(data)
        table += struct.pack("<10I", name, 1, 2, section.address, place, len(section.data), 0, 0, 4, 0)
        data += section.data.ljust(-len(section.data) % 4 + len(section.data), b"\0")
    place = header_size + len(data)
    table += struct.pack("<10I", names.index(b".shstrtab\0"), 3, 0, 0, place, len(names), 0, 0, 1, 0)
    data += names.ljust(-len(names) % 4 + len(names), b"\0")
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01",
        2,
        94,
        1,
        entry,
        0,
        header_size + len(data),
        0,
        header_size,
        0,
        0,
        entry_size,
        len(sections) + 2,
        len(sections) + 1,
    )
    return header + data + table


def make(folder: Path, esptool: Path) -> tuple[Piece, ...]:
    """Make boot loader, partition table and app in `folder` with the program `esptool` (5.x).

    Raises:
        ImageToolError: esptool refuses, or finds its own image invalid.
    """
    boot = _image(esptool, folder / "bootloader.elf", elf(bootloader_sections(), _ENTRY))
    app = _image(esptool, folder / "app.elf", elf(app_sections(), 0x40080404), "--elf-sha256-offset", "0xb0")
    table = folder / "partition-table.bin"
    table.write_bytes(partition_table())
    return (
        Piece(what="boot loader", offset=BOOTLOADER_OFFSET, path=boot, data=boot.read_bytes(), note=_examine(esptool, boot)),
        Piece(what="partition table", offset=TABLE_OFFSET, path=table, data=table.read_bytes(), note="3 entries, MD5"),
        Piece(what="app", offset=APP_OFFSET, path=app, data=app.read_bytes(), note=_examine(esptool, app)),
    )


def _image(esptool: Path, source: Path, content_of_elf: bytes, *options: str) -> Path:
    source.write_bytes(content_of_elf)
    target = source.with_suffix(".bin")
    header = ("--flash-mode", "dio", "--flash-freq", "40m", "--flash-size", "4MB")
    _call(esptool, "--chip", "esp32", "elf2image", *header, *options, "--output", str(target), str(source))
    return target


def _examine(esptool: Path, image: Path) -> str:
    """Return what ``image-info`` says: number of segments, checksum and digest, both of which must be valid."""
    text = _call(esptool, "--chip", "esp32", "image-info", str(image))
    checksum = [line for line in text.splitlines() if line.startswith("Checksum:") and line.endswith("(valid)")]
    digest = [line for line in text.splitlines() if line.startswith("Validation hash:") and line.endswith("(valid)")]
    if not checksum or not digest:
        raise ImageToolError(f"image-info does not find {image.name} valid:\n{text}")
    segments = image.read_bytes()[1]
    return f"{segments} segments, checksum and digest valid"


def _call(esptool: Path, *arguments: str) -> str:
    done = subprocess.run([str(esptool), *arguments], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise ImageToolError(f"esptool {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
