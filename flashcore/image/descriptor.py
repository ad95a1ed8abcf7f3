"""What an app says about itself: the 256 bytes that ESP-IDF puts at the start of its first segment.

Source: ESP-IDF documentation, "App Image Format", section "Application Description".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = 0xABCD5432
"""First word of an app descriptor."""

_LAYOUT = struct.Struct("<II8x32s32s16s16s32s32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDescriptor:
    """The self-description of an app.

    Args:
        project: Name of the project.
        version: Version of the app.
        idf: Version of ESP-IDF that built it.
        date: Day of the build, as the compiler writes it.
        time: Time of the build.
        secure_version: Counter against roll-back.
        elf_sha256: Digest of the ELF file, 32 bytes.
    """

    project: str
    version: str
    idf: str
    date: str
    time: str
    secure_version: int
    elf_sha256: bytes

    @classmethod
    def parse(cls, data: memoryview) -> AppDescriptor | None:
        """Return the descriptor at the start of `data`, or ``None`` if there is none."""
        if len(data) < _LAYOUT.size:
            return None
        magic, secure_version, version, project, time, date, idf, elf_sha256 = _LAYOUT.unpack_from(data)
        if magic != MAGIC:
            return None
        return cls(
            project=_text(project),
            version=_text(version),
            idf=_text(idf),
            date=_text(date),
            time=_text(time),
            secure_version=secure_version,
            elf_sha256=elf_sha256,
        )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")
