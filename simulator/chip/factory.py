"""Images that a chip boots, and what is on the flash of a board as somebody used it before.

The images are valid in every field that the chip checks and hold no code: what an app does is its profile, which its
description of itself names.

Source: ESP-IDF documentation, "App Image Format" and "Partition Tables".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from struct import Struct

from flashcore.image.partition_table import Partition, PartitionTable, PartitionType
from flashcore.protocol.packet import CHECKSUM_SEED, checksum
from simulator.chip.boot import IMAGE_OFFSET, SECOND_STAGE_LOADER
from simulator.chip.boot_image import IMAGE_MAGIC, SEGMENT_HEADER
from simulator.chip.efuse import Efuse
from simulator.chip.firmware import profile
from simulator.chip.flash_encryption import UNIT, cipher_of, is_encrypted
from simulator.chip.second_stage import TABLE_OFFSET

APP_OFFSET = 0x10000
"""Where the app lies."""

_HEADER = Struct("<BBBBIB3sHBHH4sB")
_DESCRIPTOR = Struct("<II8x32s32s16s16s32s32s80x")
_DESCRIPTOR_MAGIC = 0xABCD5432
_DIO, _SIZE_4MB_80MHZ, _WP_DISABLED = 2, 0x2F, 0xEE
_DROM, _DRAM, _IRAM = 0x3F40_0020, 0x3FFF_0030, 0x4008_0400
_S3_CHIP_ID, _S3_DROM, _S3_IRAM = 9, 0x3C00_0020, 0x4037_4000


def build_image(segments: Sequence[tuple[int, bytes]], entry: int, *, chip_id: int = 0) -> bytes:
    """Return an image with checksum and digest.

    Args:
        segments: Address and content of each; contents are multiples of 4 bytes.
        entry: Entry address.
        chip_id: Chip that it says it is for; 0 is the ESP32.
    """
    any_revision = 0xFFFF
    parts = [
        _HEADER.pack(
            IMAGE_MAGIC,
            len(segments),
            _DIO,
            _SIZE_4MB_80MHZ,
            entry,
            _WP_DISABLED,
            bytes(3),
            chip_id,
            0,
            0,
            any_revision,
            bytes(4),
            1,
        )
    ]
    folded = CHECKSUM_SEED
    for address, data in segments:
        parts += (SEGMENT_HEADER.pack(address, len(data)), data)
        folded ^= checksum(data) ^ CHECKSUM_SEED
    image = b"".join(parts)
    image += bytes(15 - len(image) % 16) + bytes([folded])
    return image + hashlib.sha256(image).digest()


def app_image(firmware: str, *, constants: bytes = bytes(768), for_s3: bool = False) -> bytes:
    """Return an app that runs the profile called `firmware`.

    Args:
        firmware: The profile.
        constants: What it holds besides, a multiple of 4 bytes.
        for_s3: Whether it is built for the ESP32-S3, which the boot loader of an ESP32 refuses.

    Raises:
        ScenarioError: There is no such profile.
    """
    name = profile(firmware).name.encode()
    descriptor = _DESCRIPTOR.pack(
        _DESCRIPTOR_MAGIC, 0, b"1.0", name, b"12:34:56", b"Jan  2 2025", b"v5.1.4", hashlib.sha256(name).digest()
    )
    rodata, code = (_S3_DROM, _S3_IRAM) if for_s3 else (_DROM, _IRAM)
    segments = ((rodata, descriptor + constants), (code, bytes(16384)))
    return build_image(segments, code, chip_id=_S3_CHIP_ID if for_s3 else 0)


def boot_loader_image(*, code: bytes = bytes(4096)) -> bytes:
    """Return a second stage boot loader; `code` is a multiple of 4 bytes."""
    return build_image(((_DRAM, bytes(64)), (SECOND_STAGE_LOADER, code), (_IRAM, bytes(1024))), _IRAM)


def partition_table() -> bytes:
    """Return the table "single factory app, no OTA"."""
    return PartitionTable(
        partitions=(
            Partition(name="nvs", type=PartitionType.DATA, subtype=2, offset=0x9000, size=0x6000),
            Partition(name="phy_init", type=PartitionType.DATA, subtype=1, offset=0xF000, size=0x1000),
            Partition(name="factory", type=PartitionType.APP, subtype=0, offset=APP_OFFSET, size=0x100000),
        )
    ).build()


def factory_flash(firmware: str) -> tuple[tuple[int, bytes], ...]:
    """Return what a board holds that runs the profile called `firmware`, as (offset, content).

    Raises:
        ScenarioError: There is no such profile.
    """
    app = app_image(firmware)
    return ((IMAGE_OFFSET, boot_loader_image()), (TABLE_OFFSET, partition_table()), (APP_OFFSET, app))


def installed(firmware: str, efuse: Efuse) -> tuple[tuple[int, bytes], ...]:
    """Return `factory_flash` as it lies in the flash of a chip with these eFuses: in ciphertext where they ask for it.

    Raises:
        ScenarioError: There is no such profile.
    """
    pieces = factory_flash(firmware)
    if not is_encrypted(efuse):
        return pieces
    cipher = cipher_of(efuse)
    return tuple((offset, cipher.write(offset, data + bytes(-len(data) % UNIT))) for offset, data in pieces)
