"""What an image or a partition table says, laid out for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass

from flashcore.image import parser, partition_table
from flashcore.image.firmware import Firmware, FlashMode
from flashcore.image.partition_table import PartitionTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Something described twice: as text to be printed, and as plain values.

    Args:
        title: What it is, in a few words.
        fields: Labels and values.
        columns: Headings of `rows`.
        rows: One line per segment or partition.
        problems: What is wrong with it, empty if it is sound.
        values: The same for `to_json`.
    """

    title: str
    fields: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    values: dict[str, object]

    def to_json(self) -> dict[str, object]:
        """Return plain values that `json.dumps` takes."""
        return self.values


def describe_bytes(data: bytes, name: str = "image") -> Description:
    """Return the description of whatever `data` starts with.

    Raises:
        BadHeaderError: It is neither a firmware image nor a partition table.
    """
    if partition_table.is_table(data):
        return describe(partition_table.parse(data, name))
    return describe(parser.parse(data, name))


def describe(subject: Firmware | PartitionTable) -> Description:
    """Return the description of a firmware image or a partition table."""
    return _firmware(subject) if isinstance(subject, Firmware) else _table(subject)


def _firmware(firmware: Firmware) -> Description:
    header = firmware.header
    chip = firmware.chip.name if firmware.chip else f"unknown (id {header.chip_id})"
    mode = header.flash_mode.name if isinstance(header.flash_mode, FlashMode) else f"unknown (0x{header.flash_mode:02x})"
    size = f"{header.flash_size >> 20} MB" if header.flash_size else f"unknown (0x{header.flash_size_code:x})"
    checksum_ok = firmware.checksum == firmware.actual_checksum
    digest_ok = firmware.digest == firmware.actual_digest
    fields = [
        ("Chip", chip),
        ("Kind", firmware.role.value),
        ("Size", f"{firmware.size} bytes"),
        ("Entry point", f"0x{firmware.entry:08x}"),
        ("Flash", f"{mode}, {firmware.flash_frequency}, {size}"),
        ("Chip revision", _revisions(header.min_revision, header.max_revision)),
        ("Checksum", f"0x{firmware.checksum:02x} ({_verdict(checksum_ok)})"),
        ("SHA-256", f"{firmware.digest.hex()} ({_verdict(digest_ok)})" if firmware.digest else "none"),
    ]
    values: dict[str, object] = {
        "kind": firmware.role.value,
        "chip": firmware.chip.name if firmware.chip else None,
        "chip_id": header.chip_id,
        "size": firmware.size,
        "entry": firmware.entry,
        "flash_mode": mode,
        "flash_frequency": firmware.flash_frequency,
        "flash_size": header.flash_size,
        "min_revision": header.min_revision,
        "max_revision": header.max_revision,
        "checksum": firmware.checksum,
        "checksum_ok": checksum_ok,
        "digest": firmware.digest.hex() or None,
        "digest_ok": digest_ok if firmware.digest else None,
        "segments": [
            {
                "offset": segment.offset,
                "address": segment.address,
                "length": segment.length,
                "kind": segment.kind.value,
            }
            for segment in firmware.segments
        ],
        "app": None,
    }
    if app := firmware.descriptor:
        fields += [
            ("Project", app.project),
            ("Version", app.version),
            ("Built", f"{app.date} {app.time}"),
            ("ESP-IDF", app.idf),
            ("ELF SHA-256", app.elf_sha256.hex()),
        ]
        values["app"] = {
            "project": app.project,
            "version": app.version,
            "date": app.date,
            "time": app.time,
            "idf": app.idf,
            "secure_version": app.secure_version,
            "elf_sha256": app.elf_sha256.hex(),
        }
    problems = []
    if not checksum_ok:
        problems.append(f"the checksum is 0x{firmware.checksum:02x}, expected 0x{firmware.actual_checksum:02x}")
    if not digest_ok:
        problems.append(f"the SHA-256 does not fit the data, expected {firmware.actual_digest.hex()}")
    return Description(
        title=f"{chip} {firmware.role.value} image",
        fields=tuple(fields),
        columns=("Segment", "Offset", "Address", "Length", "Memory"),
        rows=tuple(
            (str(number), f"0x{part.offset:06x}", f"0x{part.address:08x}", str(part.length), part.kind.value)
            for number, part in enumerate(firmware.segments)
        ),
        problems=tuple(problems),
        values=values,
    )


def _table(table: PartitionTable) -> Description:
    return Description(
        title="partition table",
        fields=(("Partitions", str(len(table.partitions))), ("MD5", "valid" if table.has_md5 else "none")),
        columns=("Name", "Type", "Subtype", "Offset", "Size", "Flags"),
        rows=tuple(
            (
                part.name,
                part.type_name,
                part.subtype_name,
                f"0x{part.offset:06x}",
                f"0x{part.size:06x}",
                f"0x{part.flags:x}" if part.flags else "",
            )
            for part in table.partitions
        ),
        problems=(),
        values={
            "kind": "partition table",
            "has_md5": table.has_md5,
            "partitions": [
                {
                    "name": part.name,
                    "type": part.type_name,
                    "subtype": part.subtype_name,
                    "offset": part.offset,
                    "size": part.size,
                    "flags": part.flags,
                }
                for part in table.partitions
            ],
        },
    )


def _verdict(good: bool) -> str:
    return "valid" if good else "INVALID"


def _revisions(low: int, high: int) -> str:
    lowest = f"v{low // 100}.{low % 100}"
    return f"{lowest} or newer" if high in (0, 0xFFFF) else f"{lowest} to v{high // 100}.{high % 100}"
