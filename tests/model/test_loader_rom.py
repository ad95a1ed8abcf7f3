"""The ROM loader's dialect against the virtual chip: write, read, erase, verify, and what must not be touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from flashcore.errors import DoesNotFitError, OverlapError, UsageError, VerifyError
from flashcore.image import Region
from flashcore.loader import Options
from flashcore.loader.progress import BlockDone, FlashFound, RegionDone, Verified
from tests.model.loader_world import OFFSET, ROM_ONLY, bench, firmware

SIZES = [1, 4093, 4096, 0x7FFC, 0x8000, 0x8001, 0x18000, 0x1A35B]


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "plain"])
@pytest.mark.parametrize("size", SIZES)
def test_a_written_image_is_in_flash_and_nothing_else_is(size: int, compress: bool) -> None:
    desk, data = bench(), firmware(size)
    with desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=compress)
    assert desk.flash(OFFSET, size) == data
    assert desk.is_erased_but_for(OFFSET, size)


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "plain"])
def test_what_lies_around_the_written_sectors_stays(tmp_path: Path, compress: bool) -> None:
    old = tmp_path / "old.bin"
    old.write_bytes(b"\x5a" * 0x80000)
    desk, data = bench(flash=str(old)), firmware(0x9000 + 10)
    with desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=compress)
    assert desk.flash(0, OFFSET) == b"\x5a" * OFFSET
    assert desk.flash(OFFSET, len(data)) == data
    end = OFFSET + 0xA000
    assert desk.flash(OFFSET + len(data), end - OFFSET - len(data)).strip(b"\xff") == b""
    assert desk.flash(end, 0x80000 - end) == b"\x5a" * (0x80000 - end)


def test_compressing_saves_time_on_the_wire() -> None:
    seconds = []
    for compress in (True, False):
        desk = bench()
        with desk.open(ROM_ONLY) as flasher:
            flasher.write([Region(offset=OFFSET, data=firmware(0x20000))], compress=compress)
        seconds.append(desk.of(RegionDone)[0].seconds)
    assert seconds[0] < 0.85 * seconds[1]


def test_several_regions_are_written_in_order_and_each_is_verified() -> None:
    desk = bench()
    regions = [Region(offset=offset, data=firmware(size)) for offset, size in ((0x20000, 5000), (0x9000, 70), (0x40000, 40000))]
    with desk.open(ROM_ONLY) as flasher:
        flasher.write(regions)
        flasher.verify(regions)
    done = desk.of(Verified)
    assert [event.offset for event in done] == [0x20000, 0x9000, 0x40000] * 2
    for region in regions:
        assert desk.flash(region.offset, region.size) == region.data
    assert done[3].md5 == hashlib.md5(regions[0].data).hexdigest()


def test_progress_never_goes_back_and_ends_at_the_size() -> None:
    desk = bench()
    with desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(0x9001))])
    done = [event.done for event in desk.of(BlockDone)]
    assert done == sorted(done)
    assert done[-1] == 0x9001


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0xFFF, 70), (0x1234, 5000), (0x3FFFFF, 1), (0, 0)])
def test_reading_returns_what_is_in_flash(tmp_path: Path, offset: int, size: int) -> None:
    content = (firmware(0x10000) * 64)[: 4 << 20]
    image = tmp_path / "flash.bin"
    image.write_bytes(content)
    desk = bench(flash=str(image))
    with desk.open(ROM_ONLY) as flasher:
        assert flasher.read(offset, size) == content[offset : offset + size]


def test_erasing_a_range_erases_just_that(tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    image.write_bytes(b"\0" * 0x40000)
    desk = bench(flash=str(image))
    with desk.open(ROM_ONLY) as flasher:
        flasher.erase(0x11000, 0x3000)
    assert desk.flash(0, 0x40000) == b"\0" * 0x11000 + b"\xff" * 0x3000 + b"\0" * (0x40000 - 0x14000)


def test_erasing_without_a_range_erases_all(tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    image.write_bytes(b"\0" * (4 << 20))
    desk = bench(flash=str(image))
    with desk.open(ROM_ONLY) as flasher:
        flasher.erase()
    assert desk.world.flash_image() == b"\xff" * (4 << 20)


def test_info_names_package_mac_crystal_and_flash() -> None:
    desk = bench()
    with desk.open(ROM_ONLY) as flasher:
        info = flasher.info()
    assert str(info.silicon) == "ESP32-D0WDQ6-V3 revision 3.0"
    assert info.silicon.mac_text == "d8:a0:1d:40:8f:1c"
    assert info.silicon.mac_valid
    assert (info.crystal.nominal, info.crystal.is_plausible) == (40, True)
    assert desk.of(FlashFound) == [FlashFound(jedec_id=0xEF4016, size=4 << 20)]


def test_a_flash_of_8_mb_is_used_to_its_end() -> None:
    desk, data = bench(board="heltec-wifi-lora-32-v2"), firmware(0x1000)
    with desk.open(ROM_ONLY) as flasher:
        assert flasher.flash_size == 8 << 20
        flasher.write([Region(offset=0x7FF000, data=data)])
        flasher.verify([Region(offset=0x7FFFF1, data=data[0xFF1:])])
    assert desk.flash(0x7FF000, 0x1000) == data


def test_verify_says_where_flash_differs() -> None:
    desk, data = bench(), bytearray(firmware(0x20000))
    with desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=bytes(data))])
        data[0x5000] ^= 1
        with pytest.raises(VerifyError, match="0x15000-0x16000") as caught:
            flasher.verify([Region(offset=OFFSET, data=bytes(data), name="app.bin")])
    assert caught.value.context["offset"] == OFFSET
    assert caught.value.context["expected"] != caught.value.context["actual"]


def test_what_cannot_be_written_is_refused_before_the_first_erase() -> None:
    desk = bench()
    operations = desk.world.board.soc.flash.operations  # type: ignore[union-attr]
    with desk.open(ROM_ONLY) as flasher:
        with pytest.raises(DoesNotFitError):
            flasher.write([Region(offset=0x3FF000, data=bytes(0x1001))])
        with pytest.raises(UsageError, match="multiple of 0x1000"):
            flasher.write([Region(offset=0x10001, data=b"x")])
        with pytest.raises(OverlapError):
            flasher.write([Region(offset=0x10000, data=bytes(0x1001)), Region(offset=0x11000, data=b"x")])
        for offset, size in ((0x1001, 0x1000), (0x1000, 10)):
            with pytest.raises(UsageError):
                flasher.erase(offset, size)
        with pytest.raises(UsageError):
            flasher.erase(0x1000)
        for offset, size in ((0x3FF000, 0x1001), (4 << 20, 1)):
            with pytest.raises(DoesNotFitError):
                flasher.read(offset, size)
    assert desk.world.board.soc.flash.operations == operations  # type: ignore[union-attr]


def test_a_higher_baud_rate_is_faster_and_changes_both_sides() -> None:
    seconds = []
    for rate in (115200, 921600):
        desk, data = bench(), firmware(0x8000)
        with desk.open(Options(use_stub=False, baudrate=rate)) as flasher:
            flasher.write([Region(offset=OFFSET, data=data)], compress=False)
            assert desk.port.baudrate == rate
        assert desk.flash(OFFSET, len(data)) == data
        seconds.append(desk.of(RegionDone)[0].seconds)
    assert seconds[1] < 0.5 * seconds[0]
