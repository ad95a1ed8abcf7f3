"""Flash encryption: the unit, what boots through it, and the eFuses that close ways in."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.board.board import Board, HostBaud, HostOpen
from simulator.board.presets import preset
from simulator.chip.aes import backwards, crypt, expand
from simulator.chip.efuse_presets import FLASH_KEY
from simulator.chip.factory import factory_flash
from simulator.chip.flash_encryption import DecryptedFlash, FlashCipher
from simulator.kernel import MS

CIPHER = FlashCipher(FLASH_KEY, 0xF)


def said(name: str, *pieces: tuple[int, bytes], download: bool = False, ms: int = 800) -> str:
    """Return what a board with this flash content says after power-on."""
    board = Board(preset(name), download=download)
    for offset, data in pieces:
        board.soc.flash.load(offset, data)
    board.submit(HostBaud(115_200))
    board.submit(HostOpen())
    board.advance(ms * MS)
    return board.drain().decode()


def whole_units(data: bytes) -> bytes:
    return data + bytes(-len(data) % 32)


def test_aes_256_is_that_of_the_standard() -> None:
    words = expand(bytes(range(32)))
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    sealed = bytes.fromhex("8ea2b7ca516745bfeafc49904b496089")
    assert crypt(words, plain, inverse=False) == sealed
    assert crypt(backwards(words), sealed, inverse=True) == plain


@pytest.mark.parametrize(
    ("config", "offset", "digest"),
    [
        (0xF, 0x10000, "d745811b3b0b4d73"),
        (0xF, 0xFFFF00, "8497d78d33201196"),
        (0x5, 0x3A7FE0, "ace408c6af3c44cc"),
        (0x0, 0x1000, "8268cc7442ee14e8"),
    ],
)
def test_the_ciphertext_is_that_of_espsecure(config: int, offset: int, digest: str) -> None:
    """Digests of what ``espsecure encrypt-flash-data`` of esptool 5.6.0 makes of 256 counted bytes with this key."""
    sealed = FlashCipher(FLASH_KEY, config).write(offset, bytes(range(256)))
    assert hashlib.sha256(sealed).hexdigest()[:16] == digest


@given(data=st.binary(min_size=1, max_size=96), unit=st.integers(0, 1 << 19), start=st.integers(0, 40))
def test_what_is_written_through_the_unit_is_read_through_it_from_anywhere(data: bytes, unit: int, start: int) -> None:
    padded = data + bytes(-len(data) % 16)
    offset = 16 * unit

    class Flash:
        size = 16 << 20

        def read(self, at: int, length: int) -> bytes:
            return CIPHER.write(offset, padded)[at - offset : at - offset + length]

    start %= len(data)
    assert DecryptedFlash(Flash(), CIPHER).read(offset + start, len(data) - start) == data[start:]


def test_an_encrypted_chip_boots_what_was_encrypted_for_its_places() -> None:
    pieces = [(offset, CIPHER.write(offset, whole_units(data))) for offset, data in factory_flash("arduino")]
    text = said("esp32-encrypted", *pieces)
    assert "entry 0x40080400" in text
    assert "flash_encrypt: flash encryption is enabled (3 plaintext flashes left)" in text


def test_in_release_mode_no_plaintext_flash_is_left() -> None:
    pieces = [(offset, CIPHER.write(offset, whole_units(data))) for offset, data in factory_flash("arduino")]
    assert "(0 plaintext flashes left)" in said("esp32-encrypted-release", *pieces)


def test_an_encrypted_chip_does_not_boot_plaintext() -> None:
    text = said("esp32-encrypted", *factory_flash("arduino"))
    assert "invalid header: 0x" in text
    assert "invalid header: 0xffffffff" not in text
    assert "load:" not in text


def test_a_chip_without_encryption_does_not_boot_ciphertext() -> None:
    pieces = [(offset, CIPHER.write(offset, whole_units(data))) for offset, data in factory_flash("arduino")]
    assert "load:" not in said("esp32-devkitc", *pieces)


def test_without_download_mode_the_rom_does_not_wait_for_a_flasher() -> None:
    text = said("esp32-no-download", download=True)
    assert "DOWNLOAD_BOOT" in text
    assert "waiting for download" not in text
    assert "waiting for download" in said("esp32-devkitc", download=True)
