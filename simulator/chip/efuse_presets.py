"""eFuses as a factory or a first boot leaves them where security features are on.

Keys are fixed and public, so that what a board holds can be read and made outside. Protection bits hide them from the host as
on real boards.

Source: ESP-IDF, security guides "Flash Encryption", "Secure Boot V2" and "UART ROM Download Mode" for the ESP32: which eFuses
the boot loader burns in which mode. Fidelity: from source.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FLASH_KEY = bytes(range(0x20, 0x40))
"""Flash encryption key as a key file holds it; BLOCK1 holds it back to front."""

BOOT_KEY_DIGEST = bytes(range(0x80, 0xA0))
"""Digest of the secure boot key, in BLOCK2."""

_HIDE_BLOCK1 = 1 << 0
_FREEZE_CRYPT_COUNT, _FREEZE_READ_PROTECTION, _FREEZE_BLOCK1, _FREEZE_BLOCK2 = 1 << 2, 1 << 0, 1 << 7, 1 << 8

ENCRYPTED: Mapping[str, int] = MappingProxyType(
    {
        "BLOCK1": int.from_bytes(FLASH_KEY, "big"),
        "FLASH_CRYPT_CNT": 0x01,
        "FLASH_CRYPT_CONFIG": 0xF,
        "RD_DIS": _HIDE_BLOCK1,
        "WR_DIS": _FREEZE_BLOCK1,
        "DISABLE_DL_DECRYPT": 1,
        "DISABLE_DL_CACHE": 1,
        "JTAG_DISABLE": 1,
    }
)
"""Flash encryption, development mode: the loader may still encrypt what it writes."""

ENCRYPTED_RELEASE: Mapping[str, int] = MappingProxyType(
    {
        **ENCRYPTED,
        "FLASH_CRYPT_CNT": 0x7F,
        "DISABLE_DL_ENCRYPT": 1,
        "WR_DIS": _FREEZE_BLOCK1 | _FREEZE_CRYPT_COUNT,
    }
)
"""Flash encryption, release mode: it can't be turned off, and the loader writes as it is told."""

SECURE_BOOT: Mapping[str, int] = MappingProxyType(
    {
        "BLOCK2": int.from_bytes(BOOT_KEY_DIGEST, "little"),
        "ABS_DONE_1": 1,
        "WR_DIS": _FREEZE_BLOCK2 | _FREEZE_READ_PROTECTION,
        "JTAG_DISABLE": 1,
    }
)
"""Secure boot V2 (revision 3). The digest must stay readable, so the read protection itself is frozen."""

NO_DOWNLOAD: Mapping[str, int] = MappingProxyType({"UART_DOWNLOAD_DIS": 1})
"""UART download mode off for good (revision 3)."""
