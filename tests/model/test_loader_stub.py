"""Stubs of both generations: where they come from, how they start, and what they do."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from flashcore.errors import UsageError
from flashcore.image import Region
from flashcore.loader import Options, StubImage, stub_image
from flashcore.loader.progress import Connected, Finding, Recovery, RegionDone, RegionStarted, StubRunning
from flashcore.loader.reset import parse_custom
from flashcore.loader.target import Target
from tests.model.loader_world import OFFSET, bench, firmware

GENERATIONS = [1, 2]


def stub(generation: int) -> StubImage:
    image = stub_image.find(generation=generation)
    assert image is not None, "the tests need an esptool with both stubs"
    return image


def with_stub(generation: int, **more: object) -> Options:
    return Options(stub=stub(generation), boot_check=False, **more)  # type: ignore[arg-type]


def test_the_installed_esptool_provides_both_generations() -> None:
    assert [stub(number).generation for number in GENERATIONS] == GENERATIONS
    assert stub(1).segments[0].address == 0x400BE000
    assert stub(2).segments[0].address == 0x400A8000
    assert stub_image.find() == stub(2)


def test_the_flat_layout_of_older_releases_is_found_too(tmp_path: Path) -> None:
    fields = {"entry": 5, "text": base64.b64encode(b"code").decode(), "text_start": 0x400BE000, "data": "", "data_start": 0}
    (tmp_path / "stub_flasher_32.json").write_text(json.dumps(fields))
    found = stub_image.find("esp32", stubs=tmp_path)
    assert found is not None
    assert (found.generation, found.entry, found.size) == (1, 5, 4)


def test_a_second_generation_of_another_kind_is_not_trusted(tmp_path: Path) -> None:
    for number, address in ((1, 0x400BE000), (2, 0x40082000)):
        (tmp_path / str(number)).mkdir()
        fields = {"entry": address + 0x2000, "text": base64.b64encode(b"code").decode(), "text_start": address}
        (tmp_path / str(number) / "esp32.json").write_text(json.dumps(fields))
    found = stub_image.find(stubs=tmp_path)
    assert found is not None
    assert found.generation == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"entry": 1, "text": "?", "text_start": 2}', '{"entry": "x"}'])
def test_a_file_that_is_no_stub_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "esp32.json").write_text(text)
    assert stub_image.find(stubs=tmp_path) is None
    with pytest.raises(ValueError):
        stub_image.parse(text, generation=1, source="x")


def test_there_is_no_third_generation() -> None:
    with pytest.raises(UsageError):
        stub_image.find(generation=3)


def test_without_an_esptool_the_rom_does_the_work_and_a_finding_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stub_image, "folder", lambda: None)
    desk, data = bench(), firmware(5000)
    with desk.open(Options(boot_check=False)) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)])
    assert desk.flash(OFFSET, 5000) == data
    assert [finding.code for finding in flasher.findings] == ["stub.not_installed"]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_clean_start_uploads_once_and_finds_nothing(generation: int) -> None:
    desk = bench()
    with desk.open(with_stub(generation)) as flasher:
        info = flasher.info()
    assert info.loader == "stub"
    assert (info.crystal.nominal, info.crystal.is_plausible) == (40, True)
    assert [event.uploaded for event in desk.of(StubRunning)] == [stub(generation).size]
    assert desk.of(Recovery) == []
    assert flasher.findings == ()


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "plain"])
@pytest.mark.parametrize("size", [1, 4096, 0x4000, 0x8000, 0x1A35B])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_written_image_is_in_flash_and_nothing_else_is(generation: int, size: int, compress: bool) -> None:
    desk, data = bench(), firmware(size)
    with desk.open(with_stub(generation)) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=compress)
        assert flasher.read(OFFSET, size) == data
    assert desk.flash(OFFSET, size) == data
    assert desk.is_erased_but_for(OFFSET, size)
    assert desk.of(Recovery) == []


@pytest.mark.parametrize("generation", GENERATIONS)
def test_writing_over_old_content_keeps_the_neighbours(tmp_path: Path, generation: int) -> None:
    old = tmp_path / "old.bin"
    old.write_bytes(b"\x5a" * 0x80000)
    desk, data = bench(flash=str(old)), firmware(0x9000)
    with desk.open(with_stub(generation)) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)])
    expected = b"\x5a" * OFFSET + data + b"\x5a" * (0x80000 - OFFSET - 0x9000)
    assert desk.flash(0, 0x80000) == expected


@pytest.mark.parametrize("generation", GENERATIONS)
def test_erase_and_odd_reads(tmp_path: Path, generation: int) -> None:
    content = firmware(0x40000)
    image = tmp_path / "flash.bin"
    image.write_bytes(content)
    desk = bench(flash=str(image))
    with desk.open(with_stub(generation)) as flasher:
        assert flasher.read(0x1001, 0x11003) == content[0x1001:0x12004]
        assert flasher.md5(0, 0x40000) == hashlib.md5(content).hexdigest()
        flasher.erase(0x3000, 0x1000)
        assert flasher.read(0x2FFF, 0x1002) == content[0x2FFF:0x3000] + b"\xff" * 0x1000 + content[0x4000:0x4001]
        flasher.erase()
    assert desk.world.flash_image() == b"\xff" * (4 << 20)


def test_the_size_on_the_wire_is_told_before_the_first_block() -> None:
    desk = bench()
    with desk.open(with_stub(2)) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(0x10000))])
    (started,) = desk.of(RegionStarted)
    assert started.on_wire < 0.7 * started.size


@pytest.mark.parametrize("generation", GENERATIONS)
def test_921600_baud_through_the_stub(generation: int) -> None:
    desk, data = bench(), firmware(0x20000)
    with desk.open(with_stub(generation, baudrate=921600)) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=False)
        assert flasher.read(OFFSET, 0x5000) == data[:0x5000]
    assert desk.flash(OFFSET, len(data)) == data
    assert desk.of(RegionDone)[0].seconds < 5


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_running_stub_is_recognised_and_not_uploaded_again(generation: int) -> None:
    desk = bench()
    Target(desk.port, with_stub(generation)).bring_up()
    with desk.open(with_stub(generation, before=parse_custom("W0"))) as flasher:
        assert flasher.info().loader == "stub"
    assert [event.loader for event in desk.of(Connected)] == ["stub"]
    assert desk.of(StubRunning) == []


# --- starting a stub on a bad line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "h2d:nth_frame(MEM_DATA,1):corrupt(mask=0x10)",
        "h2d:nth_frame(MEM_DATA,1):drop",
        "d2h:nth_frame(MEM_DATA,1):drop",
        "h2d:nth_frame(MEM_BEGIN,2):corrupt(mask=0x10,at=12)",
        "h2d:nth_frame(MEM_BEGIN,1):drop",
        "h2d:nth_frame(MEM_END,1):drop",
        "d2h:nth_frame(MEM_END,1):drop",
    ],
)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_one_hit_during_the_upload_costs_a_second_try_only(generation: int, fault: str) -> None:
    desk, data = bench(fault), firmware(0x3000)
    with desk.open(with_stub(generation)) as flasher:
        assert flasher.info().loader == "stub"
        flasher.write([Region(offset=OFFSET, data=data)])
    assert desk.fired == 1
    assert desk.flash(OFFSET, 0x3000) == data
    assert flasher.findings == ()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_port_that_damages_long_writes_is_survived_and_named(generation: int) -> None:
    desk, data = bench("mac-cdc-long-frame"), firmware(0x10000)
    desk.port.name = "/dev/cu.usbmodem53230050451"
    with desk.open(with_stub(generation)) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)])
        assert flasher.info().loader == "stub"
    assert desk.fired >= 1
    assert desk.flash(OFFSET, len(data)) == data
    (finding,) = flasher.findings
    assert finding.code == "link.damages_long_writes"
    assert "use /dev/cu.wchusbserial53230050451 instead" in finding.text


def test_a_block_that_arrives_changed_unnoticed_is_found_before_the_jump() -> None:
    # Two flips of the same bit leave the XOR checksum as it is.
    block = "h2d:nth_frame(MEM_DATA,1):corrupt(mask=0x08,at={})"
    image = stub(2)
    data = image.segments[0].data
    positions = [at for at in range(0x17FC, 0x1800) if data[at] not in (0xC0, 0xDB, 0xC8, 0xD3)][:2]
    escapes = [sum(data[:at].count(byte) for byte in (0xC0, 0xDB)) for at in positions]
    faults = [block.format(25 + at + extra) for at, extra in zip(positions, escapes, strict=True)]
    desk = bench(*faults)
    with desk.open(with_stub(2)) as flasher:
        assert flasher.info().loader == "stub"
    assert desk.fired == 2
    assert [event.cause for event in desk.of(Recovery)] == ["transfer.ram_differs"]


def test_a_stub_that_cannot_be_loaded_leaves_the_rom_loader() -> None:
    desk = bench(*(f"h2d:nth_frame(MEM_DATA,{number}):drop" for number in range(1, 40)))
    with desk.open(with_stub(2)) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(3000))])
        assert flasher.info().loader == "ROM loader"
    assert desk.flash(OFFSET, 3000) == firmware(3000)
    assert "stub.failed" in [finding.code for finding in flasher.findings]
    assert isinstance(flasher.findings[-1], Finding)
