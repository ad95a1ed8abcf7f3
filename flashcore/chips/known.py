"""Chips that flashcore recognises without being able to flash them, so that it can say "this image is for ESP32-S3".

Source: image chip ids, bootloader offsets and clocks from Espressif's documentation of the image format; magic words as
the chips were shipped, newer batches of the same chip may read otherwise.
"""

from __future__ import annotations

from flashcore.chips.spec import KnownChip

_C2_CLOCKS = {0x0: "30 MHz", 0x1: "20 MHz", 0x2: "15 MHz", 0xF: "60 MHz"}
_C5_CLOCKS = {0x0: "40 MHz", 0x2: "20 MHz", 0xF: "80 MHz"}
_C6_CLOCKS = {0x0: "40 or 80 MHz", 0x2: "20 MHz"}
_H2_CLOCKS = {0x0: "24 MHz", 0x1: "16 MHz", 0x2: "12 MHz", 0xF: "48 MHz"}

KNOWN_CHIPS: tuple[KnownChip, ...] = (
    KnownChip(name="ESP8266", image_chip_id=None, bootloader_offset=0x0, magic_values=(0xFFF0C101,)),
    KnownChip(name="ESP32-S2", image_chip_id=2, bootloader_offset=0x1000, magic_values=(0x000007C6,)),
    KnownChip(name="ESP32-S3", image_chip_id=9, bootloader_offset=0x0, magic_values=(0x00000009,)),
    KnownChip(
        name="ESP32-C2",
        image_chip_id=12,
        bootloader_offset=0x0,
        magic_values=(0x6F51306F, 0x7C41A06F, 0x0C21E06F),
        flash_frequencies=_C2_CLOCKS,
    ),
    KnownChip(
        name="ESP32-C3",
        image_chip_id=5,
        bootloader_offset=0x0,
        magic_values=(0x6921506F, 0x1B31506F, 0x4881606F, 0x4361606F),
    ),
    KnownChip(
        name="ESP32-C5",
        image_chip_id=23,
        bootloader_offset=0x2000,
        magic_values=(0x1101406F,),
        flash_frequencies=_C5_CLOCKS,
    ),
    KnownChip(
        name="ESP32-C6",
        image_chip_id=13,
        bootloader_offset=0x0,
        magic_values=(0x2CE0806F,),
        flash_frequencies=_C6_CLOCKS,
    ),
    KnownChip(
        name="ESP32-H2",
        image_chip_id=16,
        bootloader_offset=0x0,
        magic_values=(0xD7B73E80,),
        flash_frequencies=_H2_CLOCKS,
    ),
    KnownChip(name="ESP32-P4", image_chip_id=18, bootloader_offset=0x2000, magic_values=(0x0ADDBAD0,)),
)
"""Every chip with a name but without a `ChipSpec`."""
