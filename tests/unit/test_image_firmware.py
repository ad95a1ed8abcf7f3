"""Claims about reading firmware images, against images that esptool assembled."""

from __future__ import annotations

import hashlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.chips import ESP32, MemoryKind
from flashcore.errors import BadHeaderError, ExitCode, ImageError
from flashcore.image import Firmware, FlashMode, Role, describe, describe_bytes, parse_firmware, parse_partition_table
from flashcore.image.parser import is_esp8266, looks_like_image
from flashcore.protocol import boot_log
from tests import images, oracle

APP = images.make_app()
BOOTLOADER = images.make_bootloader()
SMALL = images.make_app(drom_size=0x200, irom_size=0, iram_size=0x100, dram_size=0)


def intact(data: bytes) -> Firmware:
    firmware = parse_firmware(data)
    firmware.check()
    return firmware


def test_the_headers_of_an_app_are_read() -> None:
    firmware = intact(images.make_app(min_rev_full=100, max_rev_full=399))
    header = firmware.header
    assert firmware.chip is ESP32
    assert (header.flash_mode, header.flash_size, firmware.flash_frequency) == (FlashMode.DIO, 4 << 20, "80 MHz")
    assert (header.min_revision, header.max_revision) == (100, 399)
    assert (header.wp_pin, header.drive, header.entry) == (0xEE, b"\0\0\0", 0x40080004)
    assert firmware.size == len(APP)
    assert firmware.role is Role.APP


def test_segments_have_address_length_kind_and_place() -> None:
    assert [(part.offset, part.address, part.length, part.kind) for part in intact(APP).segments] == [
        (0x20, 0x3F400020, 0x2400, MemoryKind.DROM),
        (0x2428, 0x3FFB0000, 0x1200, MemoryKind.DRAM),
        (0x3630, 0x40080000, 0x3000, MemoryKind.IRAM),
        (0x6638, 0x00000000, 0x99E0, MemoryKind.PADDING),
        (0x10020, 0x400D0020, 0x5000, MemoryKind.IROM),
    ]


def test_the_app_descriptor_is_read() -> None:
    app = intact(images.make_app(project="softrf", version="1.0")).descriptor
    assert app is not None
    assert (app.project, app.version, app.idf, app.date, app.time) == (
        "softrf",
        "1.0",
        "v5.3.1",
        "Jan  2 2025",
        "12:34:56",
    )
    assert app.elf_sha256 == hashlib.sha256(b"softrf").digest()


@pytest.mark.parametrize(("chip", "name"), [("esp32s2", "ESP32-S2"), ("esp32s3", "ESP32-S3"), ("esp32c3", "ESP32-C3")])
def test_images_for_other_chips_are_recognised(chip: str, name: str) -> None:
    app = intact(images.make_app(chip=chip))
    assert app.chip is not None
    assert app.chip.name == name
    assert app.role is Role.APP
    assert intact(images.make_bootloader(chip=chip)).role is Role.BOOTLOADER


def test_a_bootloader_runs_from_ram_alone_and_the_rom_announces_each_segment() -> None:
    firmware = intact(BOOTLOADER)
    assert firmware.role is Role.BOOTLOADER
    assert firmware.rom_loads == ((0x3FFF0030, 0x16DC), (0x40078000, 0x3A20), (0x40080400, 0xE4C))
    assert firmware.rom_log == (
        "load:0x3fff0030,len:5852\r\nload:0x40078000,len:14880\r\nload:0x40080400,len:3660\r\nentry 0x400805e4\r\n"
    )


def test_the_rom_does_not_announce_what_is_mapped_from_flash() -> None:
    assert intact(APP).rom_loads == ((0x3FFB0000, 0x1200), (0x40080000, 0x3000))


def test_the_announcement_has_the_recorded_form_and_is_read_back_by_the_boot_log_parser() -> None:
    probe = next(probe for probe in oracle.probes("rom_boot") if probe["name"] == "flashboot_good_image_13")
    recorded = b"".join(oracle.expand(exchange["recv"]) for exchange in probe["exchanges"])
    # The recorded image, rebuilt: one segment of 16 bytes at 0x40080400, which is also its entry.
    body = bytes(16)
    header = struct.pack("<BBBBIB3sHBHH4xB", 0xE9, 1, 2, 0x20, 0x40080400, 0xEE, b"\0\0\0", 0, 0, 0, 0, 0)
    image = header + struct.pack("<II", 0x40080400, 16) + body + bytes(15) + b"\xef"
    firmware = intact(image)
    assert recorded.endswith(firmware.rom_log.encode())
    report = boot_log.parse(recorded)
    assert report is not None
    assert (report.loads, report.entry) == (firmware.rom_loads, firmware.entry)


def test_an_image_without_digest_is_read() -> None:
    firmware = intact(images.make_app(digest=False))
    assert firmware.digest == b""
    assert firmware.size == len(APP) - 32


@pytest.mark.parametrize("padding", [b"", b"\xff" * 4096, b"\x00" * 100, bytes(range(256))])
def test_what_follows_an_image_is_ignored(padding: bytes) -> None:
    assert intact(SMALL + padding) == intact(SMALL)
    assert intact(images.make_bootloader(digest=False) + padding).digest == b""


def test_checksum_and_digest_agree_with_esptool() -> None:
    from esptool.bin_image import LoadFirmwareImage

    for data in (APP, BOOTLOADER, SMALL):
        theirs, ours = LoadFirmwareImage("esp32", data), intact(data)
        assert ours.actual_checksum == theirs.calculate_checksum()
        assert ours.actual_digest == theirs.calc_digest
        assert [(part.address, part.length) for part in ours.segments] == [
            (part.addr, len(part.data)) for part in theirs.segments
        ]


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_corrupted_byte_is_noticed(offset: int, mask: int) -> None:
    damaged = bytearray(SMALL)
    damaged[offset] ^= mask
    with pytest.raises(BadHeaderError):
        intact(bytes(damaged))


def test_a_lost_digest_flag_is_noticed() -> None:
    damaged = bytearray(SMALL)
    damaged[23] = 0
    with pytest.raises(BadHeaderError, match=r"expected 0x01, since a fitting SHA-256 digest follows .* at offset 0x17"):
        parse_firmware(bytes(damaged))


@given(st.integers(0, len(SMALL) - 1))
def test_a_truncated_image_is_noticed(size: int) -> None:
    with pytest.raises(BadHeaderError) as caught:
        parse_firmware(SMALL[:size])
    assert caught.value.code == ("image.truncated" if size else "image.bad_header")


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda tail: b"\xe9" + tail),
        st.tuples(st.integers(1, 16), st.binary(max_size=300)).map(lambda pair: b"\xe9" + bytes(pair[:1]) + pair[1]),
        st.tuples(st.integers(0, 200), st.binary(max_size=80)).map(lambda pair: SMALL[: pair[0]] + pair[1]),
    )
)
def test_any_bytes_give_a_firmware_or_an_image_error(blob: bytes) -> None:
    refusals = []
    for read in (parse_firmware, parse_partition_table, describe_bytes):
        try:
            read(blob)
        except ImageError as error:
            refusals.append(error)
    assert all(error.exit_code == ExitCode.IMAGE and error.message and error.hint for error in refusals)
    assert isinstance(looks_like_image(blob), bool)
    assert isinstance(is_esp8266(blob), bool)


@given(st.integers(0, 120), st.binary(min_size=1, max_size=8))
def test_any_change_of_the_headers_gives_a_description_or_an_image_error(offset: int, change: bytes) -> None:
    damaged = SMALL[:offset] + change + SMALL[offset + len(change) :]
    try:
        description = describe_bytes(damaged)
    except ImageError:
        return
    assert json.loads(json.dumps(description.to_json())) == description.to_json()


@pytest.mark.parametrize(
    ("offset", "change", "message"),
    [
        (0, b"\x7f", r"fw.bin: expected the magic byte 0xe9 of an image at offset 0x0, found 0x7f"),
        (1, b"\x00", r"fw.bin: expected 1 to 16 segments at offset 0x1, found 0"),
        (1, b"\x11", r"fw.bin: expected 1 to 16 segments at offset 0x1, found 17"),
        (23, b"\x02", r"fw.bin: expected 0 or 1 .* at offset 0x17, found 0x02"),
        (28, b"\x01", r"fw.bin: expected a multiple of 4 below 16 MiB as length of segment 0 at offset 0x1c, found 0x0+201"),
        (31, b"\x01", r"fw.bin: expected a multiple of 4 below 16 MiB as length of segment 0 at offset 0x1c, found 0x01"),
        (30, b"\x10", r"fw.bin: the data ends after \d+ bytes, \d+ too early: expected the 1049088 bytes of segment 0"),
    ],
)
def test_errors_say_where_and_what_was_expected(offset: int, change: bytes, message: str) -> None:
    with pytest.raises(BadHeaderError, match=message) as caught:
        parse_firmware(SMALL[:offset] + change + SMALL[offset + 1 :], "fw.bin")
    assert caught.value.hint


def test_a_truncated_image_says_how_many_bytes_are_missing() -> None:
    with pytest.raises(BadHeaderError, match=f"the data ends after {len(SMALL) - 5} bytes, 5 too early") as caught:
        parse_firmware(SMALL[:-5])
    assert caught.value.context["missing"] == 5


def test_a_wrong_checksum_and_a_wrong_digest_have_codes_of_their_own() -> None:
    for offset, code in ((0x40, "image.bad_checksum"), (len(SMALL) - 1, "image.bad_digest"), (8, "image.bad_digest")):
        damaged = bytearray(SMALL)
        damaged[offset] ^= 1
        firmware = parse_firmware(bytes(damaged))
        assert describe(firmware).problems
        with pytest.raises(BadHeaderError) as caught:
            firmware.check("fw.bin")
        assert caught.value.code == code
        assert caught.value.message.startswith("fw.bin: ")


def test_an_image_for_the_esp8266_is_recognised() -> None:
    from esptool.bin_image import LoadFirmwareImage

    image = images.make_esp8266_image()
    theirs = LoadFirmwareImage("esp8266", image)
    assert theirs.checksum == theirs.calculate_checksum()
    assert is_esp8266(image)
    assert not is_esp8266(image[:-1] + b"\0")
    assert not is_esp8266(SMALL)


def test_an_image_is_described_for_people_and_programs() -> None:
    description = describe(intact(APP))
    assert description.title == "ESP32 app image"
    assert description.problems == ()
    assert dict(description.fields) | {"SHA-256": "", "Checksum": "", "ELF SHA-256": ""} == {
        "Chip": "ESP32",
        "Kind": "app",
        "Size": "86096 bytes",
        "Entry point": "0x40080004",
        "Flash": "DIO, 80 MHz, 4 MB",
        "Chip revision": "v0.0 to v3.99",
        "Checksum": "",
        "SHA-256": "",
        "Project": "blink",
        "Version": "1.2.3",
        "Built": "Jan  2 2025 12:34:56",
        "ESP-IDF": "v5.3.1",
        "ELF SHA-256": "",
    }
    assert description.rows[0] == ("0", "0x000020", "0x3f400020", "9216", "DROM")
    assert all(len(row) == len(description.columns) for row in description.rows)
    values = json.loads(json.dumps(description.to_json()))
    assert values["chip"] == "ESP32"
    assert values["app"]["project"] == "blink"
    assert values["checksum_ok"] is True
    assert values["digest_ok"] is True


def test_a_partition_table_is_described_for_people_and_programs() -> None:
    description = describe_bytes(images.make_partition_table())
    assert description.title == "partition table"
    assert description.rows[2] == ("factory", "app", "factory", "0x010000", "0x100000", "")
    assert json.loads(json.dumps(description.to_json()))["partitions"][0]["name"] == "nvs"


def test_a_boot_log_damaged_by_noise_is_read_as_far_as_it_goes() -> None:
    report = boot_log.parse(b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_\xc5LASH_BOOT)\r\nGuru Meditation Error: \xff\r\n")
    assert report is not None
    assert (report.strap, report.mode) == (0x13, "SPI_FAST_�LASH_BOOT")
    assert report.problems == ("Guru Meditation Error: �",)
