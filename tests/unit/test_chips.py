"""Claims about the chip data: lookups, and reading an ESP32's eFuses as the installed esptool reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.chips import CHIPS, ESP32, ChipSpec, MemoryKind, by_image_id, by_magic, chip
from flashcore.chips.esp32 import crystal, identify, mac_crc
from flashcore.chips.known import KNOWN_CHIPS
from flashcore.errors import ExitCode, UsageError
from tests import oracle

V3_WORDS = [0, 0x28AABBCC, 0x00AC246F, 0x0000A000, 0x00000836, 0x00100000, 0x00000004]
APB_DATE = 0x96042000
words = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize("name", ["ESP32", "esp32", "Esp-32", "esp_32"])
def test_a_chip_is_found_by_any_spelling_of_its_name(name: str) -> None:
    assert chip(name) is ESP32


def test_an_unknown_name_names_the_nearest_chip() -> None:
    with pytest.raises(UsageError) as caught:
        chip("esp23-s3")
    assert caught.value.code == "usage.unknown_chip"
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint == "did you mean ESP32-S3?"
    assert "esp23-s3" in caught.value.message
    assert "ESP32" in caught.value.message


def test_any_text_as_name_gives_a_chip_or_a_usage_error() -> None:
    for name in ["", "?", "\0", "x" * 1000, "ESP", "esp32s33"]:
        with pytest.raises(UsageError):
            chip(name)


def test_a_chip_that_cannot_be_flashed_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="ESP32-S3 is not supported") as caught:
        chip("esp32s3")
    assert caught.value.code == "usage.unsupported_chip"


def test_chips_are_found_by_the_magic_word_of_their_rom() -> None:
    assert by_magic(0x00F01D83) is ESP32
    s3 = by_magic(9)
    assert s3 is not None
    assert s3.name == "ESP32-S3"
    assert not isinstance(s3, ChipSpec)
    assert by_magic(0) is None
    assert by_magic(0xFFFFFFFF) is None


def test_chips_are_found_by_the_chip_id_of_their_images() -> None:
    assert by_image_id(0) is ESP32
    names = {number: by_image_id(number) for number in (2, 5, 9, 12, 13, 16, 18, 23)}
    assert {number: entry.name for number, entry in names.items() if entry} == {
        2: "ESP32-S2",
        5: "ESP32-C3",
        9: "ESP32-S3",
        12: "ESP32-C2",
        13: "ESP32-C6",
        16: "ESP32-H2",
        18: "ESP32-P4",
        23: "ESP32-C5",
    }
    assert by_image_id(0xFFFF) is None


def test_image_ids_and_bootloader_offsets_agree_with_esptool() -> None:
    from esptool.targets import CHIP_DEFS

    theirs = {rom.CHIP_NAME: rom for rom in CHIP_DEFS.values()}
    for entry in (*CHIPS, *KNOWN_CHIPS):
        assert entry.image_chip_id == theirs[entry.name].IMAGE_CHIP_ID, entry.name
        assert entry.bootloader_offset == theirs[entry.name].BOOTLOADER_FLASH_OFFSET, entry.name


def test_names_ids_and_magic_values_are_unique() -> None:
    everyone = [*CHIPS, *KNOWN_CHIPS]
    for values in (
        [entry.name for entry in everyone],
        [entry.image_chip_id for entry in everyone],
        [value for entry in everyone for value in entry.magic_values],
    ):
        assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (0, MemoryKind.PADDING),
        (0x3F400020, MemoryKind.DROM),
        (0x3F7FFFFF, MemoryKind.DROM),
        (0x3FFB0000, MemoryKind.DRAM),
        (0x40078000, MemoryKind.CACHE),
        (0x40080000, MemoryKind.IRAM),
        (0x400D0020, MemoryKind.IROM),
        (0x40400000, MemoryKind.UNKNOWN),
        (0x50000000, MemoryKind.RTC_SLOW),
    ],
)
def test_addresses_have_a_kind(address: int, kind: MemoryKind) -> None:
    assert ESP32.kind_of(address) is kind


def test_the_recorded_chip_is_identified() -> None:
    def register(address: int) -> int:
        for name in ("read_efuse", "read_misc"):
            for exchange in next(probe for probe in oracle.probes("rom_reg") if probe["name"] == name)["exchanges"]:
                if exchange["note"] == f"READ_REG 0x{address:08x}":
                    return int.from_bytes(oracle.expand(exchange["recv"])[5:9], "little")
        raise AssertionError(f"0x{address:08x} was not recorded")

    recorded = [register(ESP32.efuse_base + 4 * word) for word in range(ESP32.efuse_words)]
    silicon = identify(recorded, register(ESP32.apb_date_register))
    assert str(silicon) == "ESP32-D0WDQ6-V3 revision 3.0"
    assert silicon.mac_text == "24:6f:28:aa:bb:cc"
    assert silicon.mac_valid


def test_the_chip_of_the_forum_thread_is_described() -> None:
    silicon = identify([*V3_WORDS[:4], 0x00001236, *V3_WORDS[5:]], APB_DATE)
    assert silicon.features == (
        "WiFi",
        "BT",
        "Dual Core",
        "240 MHz",
        "VRef calibration in eFuse",
        "Coding Scheme None",
    )
    assert silicon.revision == 300
    assert silicon.to_json() == {
        "package": "ESP32-D0WDQ6-V3",
        "revision": "3.0",
        "features": list(silicon.features),
        "mac": "24:6f:28:aa:bb:cc",
        "mac_valid": True,
    }


def test_a_damaged_mac_address_is_noticed() -> None:
    assert not identify([0, 0x28AABBCD, *V3_WORDS[2:]], APB_DATE).mac_valid
    assert mac_crc(bytes.fromhex("246f28aabbcc")) == 0xAC


def test_too_few_efuse_words_are_refused() -> None:
    with pytest.raises(ValueError, match="first 7 eFuse words"):
        identify(V3_WORDS[:6], APB_DATE)


@given(st.lists(words, min_size=7, max_size=7), words)
def test_any_efuse_words_are_read_as_esptool_reads_them(efuses: list[int], date: int) -> None:
    from esptool.targets import ESP32ROM

    class Recorded(ESP32ROM):  # type: ignore[misc]
        def __init__(self) -> None: ...

        def read_reg(self, addr: int, timeout: float = 0) -> int:
            return date if addr == ESP32.apb_date_register else efuses[(addr - ESP32.efuse_base) // 4]

    silicon, theirs = identify(efuses, date), Recorded()
    expected = theirs.get_chip_description()
    if "Unknown" in expected:
        assert silicon.package.startswith("ESP32 in unknown package")
    else:
        assert f"{silicon.package} (revision v{silicon.major}.{silicon.minor})" == expected
    assert tuple(silicon.mac) == theirs.read_mac()
    spelled = {feature.replace(" ", "").lower().replace("wi-fi", "wifi") for feature in theirs.get_chip_features()}
    for feature in silicon.features:
        if feature in ("Embedded PSRAM", "Single Core", "Dual Core") or feature.startswith("Coding Scheme"):
            continue
        assert feature.replace(" ", "").lower() in spelled


@pytest.mark.parametrize(
    ("divider", "baud", "nominal", "plausible"),
    [
        (0x15B, 115200, 40, True),
        (0x0E2, 115200, 26, True),
        (0x12B, 115200, 40, False),
        (43, 921600, 40, True),
    ],
)
def test_the_crystal_follows_from_the_uart_divider(divider: int, baud: int, nominal: int, plausible: bool) -> None:
    found = crystal(divider, baud)
    assert (found.nominal, found.is_plausible) == (nominal, plausible)


def test_the_fraction_bits_of_the_uart_divider_do_not_count() -> None:
    assert crystal(0xF0015B, 115200) == crystal(0x15B, 115200)
