"""Claims about what is noticed before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.chips import ESP32
from flashcore.errors import (
    BadHeaderError,
    DoesNotFitError,
    ImageError,
    OverlapError,
    UsageError,
    WrongChipError,
    WrongOffsetError,
)
from flashcore.image import ImageWarning, PartitionTable, Region, check, load_regions, parse_partition_table
from tests import images

FLASH = 4 << 20
APP = images.make_app()
BOOTLOADER = images.make_bootloader()
TABLE = images.make_partition_table(images.TWO_OTA)
SMALL = images.make_app(drom_size=0x200, irom_size=0, iram_size=0x100, dram_size=0)


def region(offset: int, data: bytes, name: str = "fw.bin") -> Region:
    return Region(offset=offset, data=data, name=name)


def run(
    *regions: Region, flash_size: int = FLASH, force: bool = False, installed: PartitionTable | None = None
) -> list[ImageWarning]:
    return check(regions, ESP32, flash_size, force=force, installed=installed)


def codes(*regions: Region, flash_size: int = FLASH, force: bool = False) -> list[str]:
    return [warning.code for warning in run(*regions, flash_size=flash_size, force=force)]


FULL = (region(0x1000, BOOTLOADER, "boot.bin"), region(0x8000, TABLE, "table.bin"), region(0x10000, APP, "app.bin"))


def merged(start: int = 0) -> bytes:
    flash = bytearray(b"\xff" * (0x10000 + len(APP)))
    for part in FULL:
        flash[part.offset : part.end] = part.data
    return bytes(flash[start:])


def test_a_complete_set_passes_without_warnings() -> None:
    assert run(*FULL) == []


def test_a_lone_app_and_a_lone_bootloader_pass_without_warnings() -> None:
    assert run(region(0x10000, APP)) == []
    assert run(region(0x1000, BOOTLOADER)) == []
    assert run(region(0x8000, TABLE)) == []


def test_a_merged_image_passes_without_warnings() -> None:
    assert run(region(0, merged())) == []
    assert run(region(0x1000, merged(0x1000))) == []


def test_plain_data_passes_anywhere_without_warnings() -> None:
    assert run(region(0x290000, b"littlefs" * 1000), region(0x9000, b"\xff" * 100), region(0x10000, b"data")) == []
    assert run() == []


def test_data_that_merely_starts_like_an_image_passes_where_no_image_is_looked_for() -> None:
    lookalike = b"\xe9\x01\x02\x20" + b"\xa5" * 19 + b"\x01" + b"\xa5" * 0x100
    assert run(region(0, bytes(0x1000) + b"\xe9" * 0x100)) == []
    assert run(region(0x20000, lookalike)) == []
    for offset in (0x1000, 0x10000):
        with pytest.raises(BadHeaderError):
            run(region(offset, lookalike))
        with pytest.raises(BadHeaderError):
            run(region(0x8000, TABLE), region(offset, lookalike))


def test_a_bootloader_that_reaches_into_the_partition_table_is_warned_about() -> None:
    image = images.make_bootloader(iram_size=0x4000)
    (warning,) = run(region(0x1000, image))
    assert warning.code == "image.covers_table"
    assert "into the partition table at 0x8000" in warning.message


def test_an_image_for_another_chip_is_refused_and_both_chips_are_named() -> None:
    with pytest.raises(WrongChipError, match=r"fw.bin: this image is for ESP32-S3, expected one for ESP32") as caught:
        run(region(0x10000, images.make_app(chip="esp32s3")))
    assert caught.value.context == {"name": "fw.bin", "image_chip": "ESP32-S3", "chip": "ESP32"}
    for offset in (0, 0x1000, 0x20000):
        with pytest.raises(WrongChipError):
            run(region(offset, images.make_bootloader(chip="esp32c3")))


def test_an_image_for_the_esp8266_is_refused_by_name() -> None:
    for offset in (0, 0x1000, 0x10000):
        with pytest.raises(WrongChipError, match="for ESP8266"):
            run(region(offset, images.make_esp8266_image()))


def test_an_image_for_an_unknown_chip_is_refused_with_its_id() -> None:
    image = bytearray(images.make_bootloader(digest=False))
    image[12:14] = b"\x77\x00"
    with pytest.raises(WrongChipError, match=r"an unknown chip \(id 119\)"):
        run(region(0x1000, bytes(image)))


def test_an_image_for_another_chip_is_let_through_as_data_of_a_partition() -> None:
    payload = region(0x290000, images.make_app(chip="esp32c3"), "coprocessor.bin")
    assert codes(region(0x8000, TABLE), payload) == ["image.wrong_chip"]


@pytest.mark.parametrize("size", [100, 0x3000, len(APP) - 1])
@pytest.mark.parametrize("offset", [0x10000, 0x20000])
def test_a_truncated_app_is_refused(offset: int, size: int) -> None:
    with pytest.raises(BadHeaderError, match=r"app\.bin: the data ends after") as caught:
        run(region(offset, APP[:size], "app.bin"))
    assert caught.value.code == "image.truncated"


def test_a_truncated_bootloader_and_a_truncated_second_app_are_refused() -> None:
    with pytest.raises(BadHeaderError):
        run(region(0x1000, BOOTLOADER[:-1]))
    with pytest.raises(BadHeaderError):
        run(region(0x8000, TABLE), region(0x150000, APP[:-1]))


def test_a_damaged_image_inside_a_merged_file_is_refused() -> None:
    for offset in (0x1100, 0x8004, 0x10100):
        damaged = bytearray(merged())
        damaged[offset] ^= 1
        with pytest.raises(BadHeaderError):
            run(region(0, bytes(damaged), "merged.bin"))


def test_damage_becomes_a_warning_when_forced() -> None:
    damaged = bytes([*APP[:-1], APP[-1] ^ 1])
    with pytest.raises(BadHeaderError):
        run(region(0x10000, damaged))
    assert codes(region(0x10000, damaged), force=True) == ["image.bad_digest"]
    assert codes(region(0x10000, images.make_app(chip="esp32s3")), force=True) == ["image.wrong_chip"]


@pytest.mark.parametrize(
    ("start", "what"),
    [(b"\x7fELF\x01", "an ELF file"), (b"<!DOCTYPE html>", "a web page"), (b":1000000000", "an Intel HEX file")],
)
def test_files_of_other_kinds_are_named(start: bytes, what: str) -> None:
    with pytest.raises(BadHeaderError, match=f"fw.bin: this is {what}, expected a firmware image") as caught:
        run(region(0x10000, start + bytes(100)))
    assert caught.value.hint
    assert run(region(0x290000, start + bytes(100))) == []


def test_data_where_the_bootloader_belongs_is_warned_about() -> None:
    (warning,) = run(region(0x1000, b"\x12" * 100))
    assert warning.code == "image.not_firmware"
    assert "will not boot" in warning.message


def test_a_bootloader_at_0_is_refused_with_the_right_place() -> None:
    with pytest.raises(WrongOffsetError, match="a bootloader at 0x0, expected at 0x1000 on the ESP32") as caught:
        run(region(0, BOOTLOADER))
    assert caught.value.hint.startswith("write it to 0x1000")
    assert codes(region(0, BOOTLOADER), force=True) == ["image.wrong_offset"]


@pytest.mark.parametrize("offset", [0, 0x1000, 0x8000, 0x11000])
def test_an_app_where_none_can_start_is_refused_and_only_warned_about_when_forced(offset: int) -> None:
    with pytest.raises(WrongOffsetError, match=f"an app at 0x{offset:x}") as caught:
        run(region(offset, SMALL))
    assert caught.value.context == {"name": "fw.bin", "offset": offset}
    (warning,) = run(region(offset, SMALL), force=True)
    assert warning.to_json() == {
        "code": "image.wrong_offset",
        "message": warning.message,
        "region": "fw.bin",
        "offset": offset,
    }


def test_an_app_beside_the_app_partitions_is_refused_with_their_places() -> None:
    with pytest.raises(WrongOffsetError, match=r"0x10000 \(app0\), 0x150000 \(app1\)"):
        run(region(0x8000, TABLE), region(0x20000, SMALL))
    assert run(region(0x8000, TABLE), region(0x150000, SMALL)) == []


def test_an_app_in_a_partition_for_data_is_only_warned_about() -> None:
    rows = [
        images.PartitionRow(name="factory", type=0, subtype=0, offset=0x10000, size=0x100000),
        images.PartitionRow(name="storage", type=1, subtype=0x82, offset=0x200000, size=0x100000),
    ]
    assert codes(region(0x8000, images.make_partition_table(rows)), region(0x200000, SMALL)) == ["image.wrong_offset"]


def test_the_table_on_the_flash_counts_where_none_is_written() -> None:
    installed = parse_partition_table(TABLE)
    assert run(region(0x150000, SMALL), installed=installed) == []
    with pytest.raises(WrongOffsetError, match="app0"):
        run(region(0x20000, SMALL), installed=installed)
    assert run(region(0x20000, SMALL)) == []


def test_a_bootloader_at_an_odd_place_is_refused() -> None:
    with pytest.raises(WrongOffsetError, match="expected at 0x1000"):
        run(region(0x2000, BOOTLOADER))
    assert codes(region(0x2000, BOOTLOADER), force=True) == ["image.wrong_offset"]


@pytest.mark.parametrize("offset", [0x0, 0x9000, 0x10000, 0x200000])
def test_a_partition_table_on_its_own_partitions_is_refused(offset: int) -> None:
    with pytest.raises(WrongOffsetError, match="expected at 0x8000"):
        run(region(offset, TABLE))


def test_a_partition_table_that_a_project_moved_passes() -> None:
    row = images.PartitionRow(name="factory", type=0, subtype=0, offset=0x20000, size=0x100000)
    assert run(region(0x10000, images.make_partition_table([row]))) == []


def test_an_app_larger_than_its_partition_is_refused_with_the_excess() -> None:
    row = images.PartitionRow(name="tiny", type=0, subtype=0, offset=0x10000, size=0x10000)
    table = images.make_partition_table([row])
    with pytest.raises(DoesNotFitError, match=f"{len(APP) - 0x10000} too many for partition 'tiny'"):
        run(region(0x8000, table), region(0x10000, APP))


def test_a_region_beyond_the_flash_is_refused_with_the_excess() -> None:
    with pytest.raises(DoesNotFitError, match="5 bytes too many for the flash of 2 MiB") as caught:
        run(region(0x1FF000, bytes(0x1005)), flash_size=2 << 20)
    assert caught.value.context["too_many"] == 5
    assert run(region(0x1FF000, bytes(0x1000)), flash_size=2 << 20) == []


def test_a_table_for_a_larger_flash_is_refused() -> None:
    with pytest.raises(DoesNotFitError, match="beyond the flash"):
        run(region(0x8000, TABLE), flash_size=2 << 20)


def test_an_image_built_for_a_larger_flash_is_warned_about() -> None:
    image = images.make_bootloader(flash_size="16MB")
    (warning,) = run(region(0x1000, image))
    assert warning.code == "image.flash_size"
    assert "built for 16 MiB of flash, but there are 4 MiB" in warning.message


def test_something_else_than_a_table_at_the_tables_place_is_warned_about() -> None:
    assert codes(region(0x8000, b"\x00" * 0xC00)) == ["image.not_a_table"]


@pytest.mark.parametrize(("size", "second"), [(0x1001, 0x11000), (0x5000, 0x12000), (1, 0x10000)])
def test_regions_that_share_a_sector_are_refused(size: int, second: int) -> None:
    first, other = region(0x10000, bytes(size), "a.bin"), region(second, bytes(8), "b.bin")
    for order in ((first, other), (other, first)):
        with pytest.raises(OverlapError, match="want the same flash sectors") as caught:
            run(*order)
        assert {caught.value.context["first"], caught.value.context["second"]} == {"a.bin", "b.bin"}


def test_regions_in_neighbouring_sectors_pass() -> None:
    assert run(region(0x20000, bytes(0x1000)), region(0x21000, bytes(1))) == []


@pytest.mark.parametrize(("offset", "nearest"), [(0x10001, "0x10000"), (0x10FFF, "0x11000"), (-1, "0x0"), (1, "0x0")])
def test_an_odd_address_is_refused_with_the_nearest(offset: int, nearest: str) -> None:
    for force in (False, True):
        with pytest.raises(UsageError) as caught:
            run(region(offset, bytes(8)), force=force)
        assert caught.value.hint == f"the nearest is {nearest}"
        assert caught.value.code == "usage.unaligned"


blobs = st.one_of(
    st.binary(max_size=64),
    st.binary(max_size=64).map(lambda tail: b"\xe9" + tail),
    st.tuples(st.integers(0, len(SMALL)), st.binary(max_size=9)).map(lambda cut: SMALL[: cut[0]] + cut[1]),
    st.tuples(st.integers(0, 200), st.binary(max_size=40)).map(lambda cut: TABLE[: cut[0]] + cut[1]),
)
places = st.one_of(st.sampled_from([0, 0x1000, 0x8000, 0x10000, 0x20000, 0x290000]), st.integers(-5, 1 << 23))


@given(st.lists(st.builds(region, places, blobs), max_size=4), st.booleans())
def test_any_regions_give_warnings_or_an_error_of_ours(regions: list[Region], force: bool) -> None:
    try:
        warnings = check(regions, ESP32, FLASH, force=force)
    except (ImageError, UsageError) as error:
        warnings, hint = [], error.hint
    else:
        hint = "not needed"
    assert hint
    assert all(warning.message and warning.code.startswith("image.") for warning in warnings)


def test_files_become_regions_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"aa")
    (tmp_path / "b.bin").write_bytes(b"b")
    regions = load_regions([(0x2000, tmp_path / "b.bin"), (0x1000, str(tmp_path / "a.bin"))])
    assert [(part.offset, part.data, part.end, part.size) for part in regions] == [
        (0x2000, b"b", 0x2001, 1),
        (0x1000, b"aa", 0x1002, 2),
    ]
    assert regions[1].name == str(tmp_path / "a.bin")


def test_a_missing_file_is_refused_and_the_nearest_one_named(tmp_path: Path) -> None:
    (tmp_path / "firmware.bin").write_bytes(b"x")
    with pytest.raises(ImageError) as caught:
        load_regions([(0, tmp_path / "firmwear.bin")])
    assert caught.value.code == "image.not_found"
    assert caught.value.hint == f"did you mean {tmp_path / 'firmware.bin'}?"
    with pytest.raises(ImageError) as caught:
        load_regions([(0, tmp_path / "nowhere" / "x.bin")])
    assert caught.value.code == "image.not_found"
    assert "there is no folder" in caught.value.hint


def test_a_folder_an_empty_file_and_an_impossible_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.bin").touch()
    for path, code in (
        (tmp_path, "image.unreadable"),
        (tmp_path / "empty.bin", "image.empty"),
        ("a\0b", "image.unreadable"),
    ):
        with pytest.raises(ImageError) as caught:
            load_regions([(0, path)])
        assert caught.value.code == code
        assert caught.value.hint
