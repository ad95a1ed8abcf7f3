"""What a chip's eFuses forbid, asked before anything is written.

Plain data written over encrypted flash cannot run, since the chip decrypts whatever it reads, and a boot loader without the
right signature never starts again: both are refused unless the user insists.
Source: technical reference manual of the ESP32, eFuse controller, BLK0 (FLASH_CRYPT_CNT, ABS_DONE_0, ABS_DONE_1); ESP-IDF
documentation, "Flash Encryption" and "Secure Boot"; fault catalogue row 44.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flashcore.errors import ImageError
from flashcore.image import Region
from flashcore.loader.base import Loader
from flashcore.loader.target import Target

CRYPT_WORD = 0
"""eFuse word that tells of flash encryption."""
DONE_WORD = 6
"""eFuse word that tells of secure boot."""
_CRYPT_SHIFT, _CRYPT_MASK = 20, 0x7F
_ABS_DONE_0, _ABS_DONE_1 = 1 << 4, 1 << 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What is burnt.

    Args:
        encrypted: Whether flash encryption is on.
        secure_boot: Version of secure boot, 0 for none.
    """

    encrypted: bool
    secure_boot: int

    def __str__(self) -> str:
        parts = ["flash encryption"] * self.encrypted + [f"secure boot V{self.secure_boot}"] * bool(self.secure_boot)
        return ", ".join(parts) or "none"


def read(target: Target) -> Security:
    """Ask the chip.

    Raises:
        TransferError: It gives no answer.
    """
    words = target.insist_in_step(_words)
    for _ in range(target.policy.ask_tries):
        # An answer to READ_REG carries no checksum over its value, so the words are believed when they come twice.
        before, words = words, target.insist_in_step(_words)
        if words == before:
            break
    return of(*words)


def of(crypt: int, done: int) -> Security:
    """Return what the eFuse words `CRYPT_WORD` and `DONE_WORD` say."""
    return Security(
        encrypted=(crypt >> _CRYPT_SHIFT & _CRYPT_MASK).bit_count() % 2 == 1,
        secure_boot=2 if done & _ABS_DONE_1 else int(bool(done & _ABS_DONE_0)),
    )


def check(target: Target, regions: Sequence[Region], *, force: bool) -> None:
    """Refuse to write what would stop the chip from starting; with `force` only note it.

    Raises:
        ImageError: Plain data for encrypted flash (``image.encrypted_flash``), or a boot loader for a chip with secure boot
            (``image.secure_boot``).
        TransferError: The chip gives no answer.
    """
    security = read(target)
    place, table = target.chip.bootloader_offset, target.chip.partition_table_offset
    if security.encrypted:
        error = ImageError(
            "flash encryption is on: the chip decrypts what it reads, so it cannot use plain data",
            hint="let the device update itself, or write pre-encrypted images; --force writes all the same",
            code="image.encrypted_flash",
        )
        _refuse(target, error, force=force)
    touches_bootloader = any(region.offset < table and region.end > place for region in regions)
    if security.secure_boot and touches_bootloader:
        error = ImageError(
            f"secure boot V{security.secure_boot} is on: a boot loader without the right signature makes the chip useless",
            hint="leave the boot loader out, it needs no update; --force writes it all the same",
            code="image.secure_boot",
        )
        _refuse(target, error, force=force)


def _refuse(target: Target, error: ImageError, *, force: bool) -> None:
    if not force:
        raise error
    target.session.found(error.code, error.message)


def _words(loader: Loader) -> tuple[int, int]:
    base = loader.chip.efuse_base
    return loader.read_reg(base + 4 * CRYPT_WORD), loader.read_reg(base + 4 * DONE_WORD)
