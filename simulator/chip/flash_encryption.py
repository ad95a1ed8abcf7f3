"""Flash encryption of the ESP32: AES-256 with a key that depends on the place in flash.

For each 32 bytes of flash the bits 5 to 23 of their offset flip bits of the key; FLASH_CRYPT_CONFIG says in which parts of it.
What is read is AES-*encrypted*, so what is written is AES-*decrypted*, and each block of 16 bytes goes through back to front.
The chip reads all it runs through this unit while FLASH_CRYPT_CNT has an odd number of ones; a loader that reads the flash
sees the ciphertext.

Source: ESP-IDF, security guide "Flash Encryption" for the ESP32, section on the algorithm; technical reference manual,
"External Memory Encryption and Decryption". Fidelity: from source; compared with espsecure in the tests. A key of 192 bits
(eFuse coding scheme 3/4) is not modelled.
"""

from __future__ import annotations

from typing import Protocol

from simulator.chip.aes import BLOCK, backwards, crypt, expand
from simulator.chip.efuse import Efuse

UNIT = 32
"""Bytes of flash that share one key."""

_FIRST_BIT, _LAST_BIT = 5, 23
_PART_ENDS = (14, 12, 10, 8)
"""The offset bits run from 23 down to 5 three times per part of the key, and then once more, from these down to 5."""


class Readable(Protocol):
    """Flash content as the chip's CPU sees it."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""
        ...


def _masks(config: int) -> dict[int, int]:
    """Return for each offset bit the key bits that it flips."""
    masks = dict.fromkeys(range(_FIRST_BIT, _LAST_BIT + 1), 0)
    key_bit = 255
    for part, end in enumerate(_PART_ENDS):
        run = [*range(_LAST_BIT, _FIRST_BIT - 1, -1)] * 3 + [*range(end, _FIRST_BIT - 1, -1)]
        for offset_bit in run:
            if config >> part & 1:
                masks[offset_bit] |= 1 << key_bit
            key_bit -= 1
    return masks


class FlashCipher:
    """The encryption unit with one key.

    Args:
        key: 32 bytes, as a key file holds them; BLOCK1 of the eFuses holds them back to front.
        config: FLASH_CRYPT_CONFIG.
    """

    def __init__(self, key: bytes, config: int) -> None:
        self._key = int.from_bytes(key, "big")
        self._masks = _masks(config)

    def read(self, offset: int, data: bytes) -> bytes:
        """Return what the CPU sees where the flash holds `data`; offset and length are multiples of 16."""
        return self._run(offset, data, inverse=False)

    def write(self, offset: int, data: bytes) -> bytes:
        """Return what the flash must hold for the CPU to see `data`; offset and length are multiples of 16."""
        return self._run(offset, data, inverse=True)

    def _run(self, offset: int, data: bytes, *, inverse: bool) -> bytes:
        out = []
        words: list[int] = []
        unit = -1
        for at in range(0, len(data), BLOCK):
            place = offset + at
            if place // UNIT != unit:
                unit = place // UNIT
                words = self._words(unit * UNIT)
                if inverse:
                    words = backwards(words)
            out.append(crypt(words, data[at : at + BLOCK][::-1], inverse=inverse)[::-1])
        return b"".join(out)

    def _words(self, place: int) -> list[int]:
        key = self._key
        for bit, mask in self._masks.items():
            if place >> bit & 1:
                key ^= mask
        return expand(key.to_bytes(32, "big"))


class DecryptedFlash:
    """Flash content behind the encryption unit.

    Args:
        flash: The flash part.
        cipher: The unit.
    """

    def __init__(self, flash: Readable, cipher: FlashCipher) -> None:
        self._flash = flash
        self._cipher = cipher

    @property
    def size(self) -> int:
        """Bytes."""
        return self._flash.size

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, decrypted."""
        start = offset - offset % BLOCK
        end = -(-(offset + length) // BLOCK) * BLOCK
        plain = self._cipher.read(start, self._flash.read(start, end - start))
        return plain[offset - start : offset - start + length]


def cipher_of(efuse: Efuse) -> FlashCipher:
    """Return the unit with the key that the eFuses hold."""
    return FlashCipher(efuse.field("BLOCK1").to_bytes(32, "big"), efuse.field("FLASH_CRYPT_CONFIG"))


def is_encrypted(efuse: Efuse) -> bool:
    """Return whether the chip decrypts what it reads from flash."""
    return efuse.field("FLASH_CRYPT_CNT").bit_count() % 2 == 1


def as_the_cpu_sees_it(flash: Readable, efuse: Efuse) -> Readable:
    """Return the flash content as the boot sees it: through the encryption unit if that is on."""
    return DecryptedFlash(flash, cipher_of(efuse)) if is_encrypted(efuse) else flash


def download_cipher(efuse: Efuse) -> FlashCipher | None:
    """Return the unit with which a loader writes encrypted, or ``None`` where the eFuses forbid that.

    Fidelity: that DISABLE_DL_ENCRYPT switches the unit off is from the technical reference manual; that the data are then
    written as they are is guessed.
    """
    return None if efuse.field("DISABLE_DL_ENCRYPT") else cipher_of(efuse)
