"""Partition tables: which part of the flash holds what.

A table is at most 95 entries of 32 bytes (magic AA 50), an optional MD5 of them (magic EB EB), and FF to the end of its
0xC00 bytes. `parse` refuses what is damaged, `PartitionTable.build` makes the bytes, `PartitionTable.validate` refuses
tables that a bootloader would refuse.
Source: ESP-IDF documentation, "Partition Tables".
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass
from enum import IntEnum, unique

from flashcore.errors import BadHeaderError, DoesNotFitError, ImageError, OverlapError

TABLE_SIZE = 0xC00
"""Bytes that a table occupies."""
ENTRY_SIZE = 32
"""Bytes of one entry."""
APP_ALIGNMENT = 0x10000
"""Apps start on a page of the flash mapping."""
ALIGNMENT = 0x1000
"""Everything else starts on a sector."""

_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC = b"\xaa\x50"
_MD5_START = b"\xeb\xeb" + b"\xff" * 14
_END = b"\xff" * ENTRY_SIZE
_LABEL_SIZE = 16
_FIXED = (2, 3)


@unique
class PartitionType(IntEnum):
    """What a partition is for; 0x40 to 0xFE are free for applications."""

    APP = 0
    DATA = 1
    BOOTLOADER = 2
    PARTITION_TABLE = 3


_DATA_SUBTYPES = {
    0x00: "ota",
    0x01: "phy",
    0x02: "nvs",
    0x03: "coredump",
    0x04: "nvs_keys",
    0x05: "efuse",
    0x06: "undefined",
    0x80: "esphttpd",
    0x81: "fat",
    0x82: "spiffs",
    0x83: "littlefs",
}
_APP_SUBTYPES = {0x00: "factory", 0x20: "test"} | {0x10 + slot: f"ota_{slot}" for slot in range(16)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One entry of a table.

    Args:
        name: Label, at most 16 bytes.
        type: An unknown type stays a number.
        subtype: Meaning depends on the type.
        offset: Start in flash, in bytes.
        size: Length in bytes.
        flags: Bit 0: encrypted, bit 1: read-only.
    """

    name: str
    type: PartitionType | int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self.offset + self.size

    @property
    def is_app(self) -> bool:
        """Whether it holds an app."""
        return self.type == PartitionType.APP

    @property
    def type_name(self) -> str:
        """Type in words."""
        return self.type.name.lower() if isinstance(self.type, PartitionType) else f"0x{self.type:02x}"

    @property
    def subtype_name(self) -> str:
        """Subtype in words."""
        match self.type:
            case PartitionType.APP:
                names = _APP_SUBTYPES
            case PartitionType.DATA:
                names = _DATA_SUBTYPES
            case _:
                names = {}
        return names.get(self.subtype, f"0x{self.subtype:02x}")

    def build(self) -> bytes:
        """Return the 32 bytes of the entry.

        Raises:
            ImageError: A field does not fit (``image.bad_partition``).
        """
        label = self.name.encode()
        if len(label) > _LABEL_SIZE:
            raise ImageError(
                f"partition name {self.name!r} has {len(label)} bytes, expected at most {_LABEL_SIZE}",
                hint="shorten the name",
                code="image.bad_partition",
            )
        try:
            return _ENTRY.pack(_MAGIC, self.type, self.subtype, self.offset, self.size, label, self.flags)
        except struct.error as error:
            raise ImageError(
                f"partition {self.name!r} has a field out of range: {error}",
                hint="types are 8 bit; offset, size and flags are 32 bit",
                code="image.bad_partition",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTable:
    """A partition table.

    Args:
        partitions: In the order of the table.
        has_md5: Whether an MD5 protects it.
    """

    partitions: tuple[Partition, ...]
    has_md5: bool = True

    @property
    def apps(self) -> tuple[Partition, ...]:
        """The partitions that hold apps."""
        return tuple(partition for partition in self.partitions if partition.is_app)

    def build(self) -> bytes:
        """Return the 0xC00 bytes of the table.

        Raises:
            ImageError: Too many entries, or a field does not fit.
        """
        entries = b"".join(partition.build() for partition in self.partitions)
        if self.has_md5:
            entries += _MD5_START + hashlib.md5(entries, usedforsecurity=False).digest()
        if len(entries) > TABLE_SIZE - ENTRY_SIZE:
            raise ImageError(
                f"{len(self.partitions)} partitions do not fit in a table of 0x{TABLE_SIZE:x} bytes",
                hint=f"keep at most {TABLE_SIZE // ENTRY_SIZE - 1 - self.has_md5}",
                code="image.bad_partition",
            )
        return entries.ljust(TABLE_SIZE, b"\xff")

    def validate(self, *, flash_size: int | None = None, table_offset: int = 0x8000, name: str = "partition table") -> None:
        """Refuse a table that cannot work.

        Args:
            flash_size: Bytes of flash, ``None`` if unknown.
            table_offset: Where the table itself lies, in bytes.
            name: What to call it in messages.

        Raises:
            BadHeaderError: A partition is empty or not aligned.
            OverlapError: Two partitions overlap, or one covers the table.
            DoesNotFitError: A partition reaches beyond the flash.
        """
        for partition in self.partitions:
            _validate_place(partition, flash_size, name)
        table = Partition(
            name="partition table", type=PartitionType.PARTITION_TABLE, subtype=0, offset=table_offset, size=ALIGNMENT
        )
        occupied = [partition for partition in self.partitions if partition.type not in _FIXED]
        by_offset = sorted([table, *occupied], key=lambda partition: partition.offset)
        for left, right in itertools.pairwise(by_offset):
            if left.end > right.offset:
                raise OverlapError(
                    f"{name}: {left.name!r} ends at 0x{left.end:x}, but {right.name!r} starts at 0x{right.offset:x}",
                    hint="move or shrink one of the two",
                    context={"name": name, "first": left.name, "second": right.name},
                )


def parse(data: bytes, name: str = "partition table") -> PartitionTable:
    """Return the table at the start of `data`.

    Args:
        data: The table, and whatever follows it.
        name: What to call it in messages.

    Raises:
        BadHeaderError: `data` is no partition table, ends too early, or does not fit its MD5.
    """
    view = memoryview(data)[:TABLE_SIZE]
    partitions: list[Partition] = []
    md5_at: int | None = None
    for offset in range(0, TABLE_SIZE, ENTRY_SIZE):
        entry = bytes(view[offset : offset + ENTRY_SIZE])
        if len(entry) < ENTRY_SIZE:
            raise _bad(
                name,
                offset,
                "an entry of 32 bytes or 32 times 0xff as the end",
                f"{len(entry)} bytes",
                "image.truncated",
            )
        if entry == _END:
            if not partitions:
                raise _bad(name, offset, "a partition, magic aa 50,", "the end of the table")
            break
        if md5_at is not None:
            raise _bad(name, offset, "the end of the table (0xff) after the MD5", entry[:2].hex(" "))
        if entry.startswith(_MD5_START):
            md5_at = offset
            _check_md5(view, offset, name)
        elif entry.startswith(_MAGIC):
            partitions.append(_parse_entry(entry))
        else:
            raise _bad(name, offset, "a partition (aa 50), an MD5 (eb eb) or the end (ff ff)", entry[:2].hex(" "))
    return PartitionTable(partitions=tuple(partitions), has_md5=md5_at is not None)


def is_table(data: bytes) -> bool:
    """Whether `data` starts like a partition table."""
    return data.startswith(_MAGIC)


def _parse_entry(entry: bytes) -> Partition:
    _, kind, subtype, offset, size, label, flags = _ENTRY.unpack(entry)
    return Partition(
        name=label.partition(b"\0")[0].decode("utf-8", "backslashreplace"),
        type=_type(kind),
        subtype=subtype,
        offset=offset,
        size=size,
        flags=flags,
    )


def _type(code: int) -> PartitionType | int:
    try:
        return PartitionType(code)
    except ValueError:
        return code


def _check_md5(view: memoryview, offset: int, name: str) -> None:
    stored = bytes(view[offset + len(_MD5_START) : offset + ENTRY_SIZE])
    computed = hashlib.md5(view[:offset], usedforsecurity=False).digest()
    if stored != computed:
        raise _bad(name, offset + len(_MD5_START), f"the MD5 {computed.hex()}", stored.hex(), "image.bad_digest")


def _validate_place(partition: Partition, flash_size: int | None, name: str) -> None:
    alignment = APP_ALIGNMENT if partition.is_app else ALIGNMENT
    if partition.offset % alignment:
        raise BadHeaderError(
            f"{name}: {partition.name!r} starts at 0x{partition.offset:x}, expected a multiple of 0x{alignment:x}",
            hint=f"the nearest below is 0x{partition.offset // alignment * alignment:x}",
            context={"name": name, "partition": partition.name, "offset": partition.offset},
        )
    if partition.size == 0:
        raise BadHeaderError(
            f"{name}: {partition.name!r} is empty, expected a size above 0",
            hint="give it a size, or remove it",
            context={"name": name, "partition": partition.name},
        )
    if flash_size is not None and partition.end > flash_size:
        raise DoesNotFitError(
            f"{name}: {partition.name!r} ends at 0x{partition.end:x}, {partition.end - flash_size} bytes "
            f"beyond the flash of 0x{flash_size:x} bytes",
            hint="use the partition table that was made for this flash size",
            context={"name": name, "partition": partition.name, "too_many": partition.end - flash_size},
        )


def _bad(name: str, offset: int, expected: str, found: str, code: str = "image.bad_header") -> BadHeaderError:
    return BadHeaderError(
        f"{name}: expected {expected} at offset 0x{offset:x}, found {found}",
        hint="give a binary partition table as gen_esp32part.py makes it",
        code=code,
        context={"name": name, "offset": offset, "expected": expected, "found": found},
    )
