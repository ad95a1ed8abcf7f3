"""The real espefuse against the board's eFuses: it shows what the preset says, and what it burns stays burnt."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from simulator.board.presets import preset
from simulator.chip.efuse import mac_crc, parse_mac
from simulator.chip.efuse_fields import variant
from tests.flashers.board_runs import BIN, Ran, in_turn, run

pytestmark = pytest.mark.peers

ASK = "espefuse --port {port} "
BURN = ASK + "--do-not-confirm "


def espefuse(folder: Path, *commands: str, board: str = "esp32-devkitc") -> Ran:
    """Run commands of espefuse one after the other against one board; each connects, and so resets the chip, anew."""
    return run(folder, in_turn(*commands), board=board)


def shown(text: str) -> dict[str, str]:
    """Return the last summary in `text`: value by name of the field."""
    flat = re.sub(r"\n\s+=", " =", text[text.rindex("EFUSE_NAME") :])
    return {name: value.strip() for name, value in re.findall(r"^([A-Z0-9_]+) \(BLOCK\d\).* = (.*?) (?:R|-)/", flat, re.M)}


@pytest.mark.parametrize(
    "board",
    [
        "esp32-devkitc",
        "esp32-d0wdq6",
        "esp32-d2wd",
        "esp32-pico-d4",
        "esp32-u4wdh",
        "esp32-encrypted-release",
        "esp32-secure-boot",
    ],
)
def test_the_summary_is_the_preset(board: str, tmp_path: Path) -> None:
    chip = preset(board).chip
    kind = variant(chip.efuse)
    ran = espefuse(tmp_path, ASK + "summary", board=board)
    assert ran.status == 0, ran.text
    fields = shown(ran.text)
    fuses = {**kind.fields, **chip.efuse_fields}
    assert fields["MAC"] == f"{chip.mac} (CRC 0x{mac_crc(parse_mac(chip.mac)):02x} OK)"
    assert fields["CHIP_PACKAGE"] == str(kind.package & 7)
    assert fields["PKG_VERSION"] == str(kind.package)
    assert fields["WAFER_VERSION_MAJOR"] == str(kind.revision)
    assert fields["CHIP_VER_REV1"] == str(kind.revision >= 1)
    assert fields["CHIP_VER_REV2"] == str(kind.revision >= 2)
    assert fields["CODING_SCHEME"] == "NONE (BLK1-3 len=256 bits)"
    assert fields["ADC_VREF"] == "1156"
    assert fields["CONSOLE_DEBUG_DISABLE"] == "True"
    assert fields["CHIP_CPU_FREQ_LOW"] == str(bool(fuses.get("CPU_FREQ_LOW")))
    for name in ("FLASH_CRYPT_CNT", "FLASH_CRYPT_CONFIG", "SPI_PAD_CONFIG_CLK", "SPI_PAD_CONFIG_HD", "RD_DIS", "WR_DIS"):
        assert fields[name] == str(fuses.get(name.replace("_CONFIG_", "_"), 0)), name
    for name in ("ABS_DONE_0", "ABS_DONE_1", "JTAG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"):
        assert fields[name] == str(bool(fuses.get(name))), name


def test_a_key_that_is_hidden_is_not_shown(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, ASK + "summary", board="esp32-encrypted")
    assert re.search(r"BLOCK1 \(BLOCK1\).*\n\s+= \?\? \?\?.* -/-", ran.text), ran.text


def test_the_dump_holds_the_words_of_all_blocks(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, ASK + "dump")
    assert "dump: 00000000 552b1044 003794b5 0000a200 00000836 00100000 00000004" in ran.text
    assert len(re.findall(r"dump: 00000000( 00000000){7}\s", ran.text)) == 3


def test_a_custom_mac_is_burnt_and_stays(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, ASK + "get-custom-mac", BURN + "burn-custom-mac aa:bb:cc:dd:ee:f0", ASK + "get-custom-mac")
    assert ran.status == 0, ran.text
    before, after = ran.text.split("burn-custom-mac", 1)
    assert "Custom MAC Address is not set in the device." in before
    assert after.count("Custom MAC Address version 1: aa:bb:cc:dd:ee:f0 (CRC 0x53 OK)") == 2


def test_bits_are_only_ever_set(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, BURN + "burn-bit BLOCK3 3 64", BURN + "burn-bit BLOCK3 5", ASK + "dump")
    assert ran.status == 0, ran.text
    assert "[3 ] dump: 00000028 00000000 00000001 00000000" in ran.text


def test_a_field_is_burnt_and_a_protected_one_is_not(tmp_path: Path) -> None:
    ran = espefuse(
        tmp_path,
        BURN + "burn-efuse DISABLE_BT 1",
        BURN + "write-protect-efuse DISABLE_BT",
        BURN + "burn-efuse DISABLE_APP_CPU 1",
        "expect 2",
        ASK + "summary",
    )
    assert ran.status == 0, ran.text
    fields = shown(ran.text)
    assert (fields["DISABLE_BT"], fields["DISABLE_APP_CPU"], fields["WR_DIS"]) == ("True", "False", "8")


def test_what_espefuse_burns_esptool_sees(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, BURN + "burn-efuse DISABLE_BT 1", "esptool --port {port} chip-id")
    features = ran.text[ran.text.rindex("Features:") :].splitlines()[0]
    assert "BT" not in features
    assert "Wi-Fi, Dual Core" in features


def test_a_key_is_burnt_and_hidden(tmp_path: Path) -> None:
    (tmp_path / "key.bin").write_bytes(bytes(range(32)))
    ran = espefuse(tmp_path, BURN + "burn-key flash_encryption key.bin", ASK + "summary")
    assert ran.status == 0, ran.text
    fields = shown(ran.text)
    assert fields["RD_DIS"] == "1"
    assert fields["WR_DIS"] == str(1 << 7)


def test_the_flash_voltage_is_fixed_by_efuses_and_esptool_says_so(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, BURN + "set-flash-voltage 3.3V", "esptool --port {port} flash-id")
    assert ran.status == 0, ran.text
    assert "Flash voltage set by eFuse: 3.3V" in ran.text


def test_no_command_of_espefuse_touches_the_flash_or_finds_an_error(tmp_path: Path) -> None:
    ran = espefuse(tmp_path, ASK + "check-error", ASK + "adc-info")
    assert "No errors detected." in ran.text
    assert "ADC VRef calibration: 1156mV" in ran.text
    assert ran.flash == b"\xff" * (4 << 20)


def test_what_is_burnt_outlives_the_run(tmp_path: Path) -> None:
    words = [str(BIN / "espsim"), "run", "--timeout", "100"]
    first = [*words, "--save-efuse", "fuses.bin", "--", *in_turn(BURN + "burn-custom-mac aa:bb:cc:dd:ee:f0")]
    commands = (ASK + "get-custom-mac", ASK + "dump --format joint --file-name dump.bin")
    second = [*words, "--efuse", "fuses.bin", "--", *in_turn(*commands)]
    for command in (first, second):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Custom MAC Address version 1: aa:bb:cc:dd:ee:f0" in done.stdout
    assert (tmp_path / "dump.bin").read_bytes() == (tmp_path / "fuses.bin").read_bytes()
