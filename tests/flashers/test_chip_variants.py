"""Revisions, packages, crystals and flash sizes, as the real esptool names them: an old release and the newest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.board.presets import PRESETS, preset
from tests import peers
from tests.flashers.board_runs import run

pytestmark = pytest.mark.peers


@dataclass(frozen=True, kw_only=True)
class Named:
    """What esptool says about a board.

    Args:
        chip: Package, as it names it.
        revision: Major silicon revision.
        features: Between ``BT`` and the calibration, in the words of esptool 3.3.
        crystal: In MHz.
        flash_id: Manufacturer and device.
        flash_mb: Size in MB.
    """

    chip: str
    revision: int
    features: str = "Dual Core, 240MHz"
    crystal: int = 40
    flash_id: tuple[str, str]
    flash_mb: int = 4


WINBOND, GIGADEVICE, XMC = "ef", "c8", "20"
INSIDE = "Dual Core, 240MHz, Embedded Flash"

BOARDS = {
    "esp32-devkitc": Named(chip="ESP32-D0WD-V3", revision=3, flash_id=(XMC, "4016")),
    "ttgo-lora32-v1": Named(chip="ESP32-D0WDQ6-V3", revision=3, flash_id=(WINBOND, "4016")),
    "heltec-wifi-lora-32-v2": Named(chip="ESP32-D0WDQ6-V3", revision=3, flash_id=(WINBOND, "4017"), flash_mb=8),
    "ttgo-t-display-16mb": Named(chip="ESP32-D0WDQ6-V3", revision=3, flash_id=(WINBOND, "4018"), flash_mb=16),
    "esp32-d0wdq6": Named(chip="ESP32-D0WDQ6", revision=1, flash_id=(GIGADEVICE, "4016")),
    "esp32-26mhz": Named(chip="ESP32-D0WDQ6", revision=1, crystal=26, flash_id=(WINBOND, "4016")),
    "esp32-d2wd": Named(
        chip="ESP32-D2WD",
        revision=1,
        features="Dual Core, 160MHz, Embedded Flash",
        flash_id=(WINBOND, "4015"),
        flash_mb=2,
    ),
    "esp32-pico-d4": Named(chip="ESP32-PICO-D4", revision=1, features=INSIDE, flash_id=(GIGADEVICE, "4016")),
    "esp32-u4wdh": Named(chip="ESP32-U4WDH", revision=3, features=INSIDE, flash_id=(XMC, "4016")),
}


def said(text: str, pattern: str) -> str:
    """Return what follows `pattern` on its line."""
    found = re.search(pattern + r" *(.*)", text)
    assert found, text
    return found[1].strip()


@pytest.mark.parametrize("board", BOARDS)
def test_esptool_5_names_the_board_s_parts(board: str, tmp_path: Path) -> None:
    expected = BOARDS[board]
    ran = run(tmp_path, [*peers.esptool(peers.INSTALLED).words, "--port", "{port}", "flash-id"], board=board)
    assert ran.status == 0, ran.text
    assert said(ran.text, "Chip type:") == f"{expected.chip} (revision v{expected.revision}.0)"
    features = expected.features.replace("Core,", "Core + LP Core,")
    assert said(ran.text, "Features:") == f"Wi-Fi, BT, {features}, Vref calibration in eFuse, Coding Scheme None"
    assert said(ran.text, "Crystal frequency:") == f"{expected.crystal}MHz"
    assert said(ran.text, "MAC:") == preset(board).chip.mac
    assert (said(ran.text, "Manufacturer:"), said(ran.text, "Device:")) == expected.flash_id
    assert said(ran.text, "Detected flash size:") == f"{expected.flash_mb}MB"
    assert "WARNING" not in ran.text


@pytest.mark.parametrize("board", BOARDS)
def test_esptool_3_names_the_board_s_parts(board: str, tmp_path: Path) -> None:
    expected = BOARDS[board]
    ran = run(tmp_path, [*peers.esptool("3.3").words, "--port", "{port}", "flash_id"], board=board)
    assert ran.status == 0, ran.text
    assert said(ran.text, "Chip is") == f"{expected.chip} (revision {expected.revision})"
    assert said(ran.text, "Features:") == f"WiFi, BT, {expected.features}, VRef calibration in efuse, Coding Scheme None"
    assert said(ran.text, "Crystal is") == f"{expected.crystal}MHz"
    assert said(ran.text, "MAC:") == preset(board).chip.mac
    assert (said(ran.text, "Manufacturer:"), said(ran.text, "Device:")) == expected.flash_id
    assert said(ran.text, "Detected flash size:") == f"{expected.flash_mb}MB"


def test_every_chip_and_flash_size_of_a_preset_is_looked_at() -> None:
    looked_at = {(preset(name).chip.efuse, preset(name).chip.crystal_mhz) for name in BOARDS}
    assert {(board.chip.efuse, board.chip.crystal_mhz) for board in PRESETS.values()} - looked_at == {("D0WDQ6-V3", 26)}
    assert {named.flash_mb for named in BOARDS.values()} == {2, 4, 8, 16}
