"""Weak supplies, slow and protected flash, stubs that crash: what the session does about them, and what it says."""

from __future__ import annotations

from random import Random

import pytest

from flashcore.errors import TransferError, VerifyError
from flashcore.image import Region
from flashcore.loader import Options
from flashcore.loader.plan import plan_stub
from flashcore.loader.progress import Recovery, RegionStarted
from simulator.chip.factory import factory_flash
from simulator.chip.flash_array import FlashOperation
from tests.model.loader_world import OFFSET, ROM_ONLY, Bench, bench, firmware
from tests.model.test_loader_stub import with_stub

LOADERS = {"rom": ROM_ONLY, "stub1": with_stub(1), "stub2": with_stub(2)}
SIZE = 0x10000


def written(desk: Bench, loader: str | Options, data: bytes = b"", *, unprotect: bool = False) -> list[str]:
    """Write, expect the flash to be right, and return the codes of the findings."""
    data = data or firmware(SIZE)
    options = LOADERS[loader] if isinstance(loader, str) else loader
    with desk.open(options) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], unprotect=unprotect)
    assert desk.flash(OFFSET, len(data)) == data
    return [finding.code for finding in flasher.findings]


# --- power ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", ["rom", "stub1"])
def test_a_weak_supply_is_worked_around_in_small_parts_and_named(loader: str) -> None:
    desk = bench("power:always:weak_supply(charge=0.1,recover=0.05)")
    assert "power.brownout" in written(desk, loader)
    assert desk.fired > 0


def test_a_supply_that_never_holds_is_the_diagnosis() -> None:
    desk = bench("power:always:weak_supply(charge=0.02,recover=0.001)")
    with pytest.raises(TransferError) as caught:
        written(desk, "rom")
    assert caught.value.code == "transfer.brownout"
    assert "supply" in caught.value.hint
    assert desk.seconds < 200


# --- stubs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", ["stub1", "stub2"])
@pytest.mark.parametrize("command", ["MEM_END", "FLASH_DEFL_BEGIN", "FLASH_DEFL_DATA"])
@pytest.mark.parametrize("back", [1.0, -1.0], ids=["restarts", "hangs"])
def test_a_stub_that_crashes_is_done_without_and_the_link_is_not_blamed(loader: str, command: str, back: float) -> None:
    desk = bench(f"chip:nth_frame({command},1):crash_stub(back={back}):times=2")
    codes = written(desk, loader)
    assert "stub.failed" in codes
    assert "link.damages_long_writes" not in codes
    assert desk.fired == 2


def test_text_of_a_panic_in_the_flash_that_is_read_is_no_crash() -> None:
    text = b"\r\nGuru Meditation Error: Core  %d panic'ed (%s)\r\nBrownout detector was triggered\r\nrst:0x%x\r\n" * 40
    desk = bench()
    assert desk.world.board is not None
    desk.world.board.soc.flash.load(OFFSET, text)
    for options in LOADERS.values():
        with desk.open(options) as flasher:
            assert flasher.read(OFFSET, len(text)) == text
        assert desk.of(Recovery) == []
        desk.port = type(desk.port)(desk.world.device)


# --- flash ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", LOADERS)
def test_a_flash_that_erases_very_slowly_is_waited_for(loader: str) -> None:
    desk = bench("flash:always:slow_erase(9)")
    assert desk.world.board is not None
    desk.world.board.soc.flash.load(0, Random(1).randbytes(0x80000))
    written(desk, loader, firmware(0x40000))
    assert {event.cause for event in desk.of(Recovery)} <= {"transfer.busy"}


@pytest.mark.parametrize("loader", LOADERS)
def test_an_erase_whose_answer_is_lost_is_not_repeated_when_the_flash_is_blank(loader: str) -> None:
    command = "FLASH_BEGIN" if loader == "rom" else "ERASE_REGION"
    desk = bench(f"d2h:nth_frame({command},1):drop")
    board = desk.world.board
    assert board is not None
    board.soc.flash.load(OFFSET, Random(1).randbytes(SIZE))
    erased: list[int] = []

    def count(kind: FlashOperation, offset: int, length: int) -> None:
        if kind.name.endswith("ERASE"):
            erased.append(offset)

    board.soc.flash.hook = count
    with desk.open(LOADERS[loader]) as flasher:
        flasher.erase(OFFSET, SIZE)
    assert desk.flash(OFFSET, SIZE) == b"\xff" * SIZE
    assert desk.fired == 1
    assert len(erased) == len(set(erased))


@pytest.mark.parametrize("loader", LOADERS)
def test_write_protection_is_named_and_cleared_with_consent(loader: str) -> None:
    desk = bench("flash:always:write_protect")
    with pytest.raises(VerifyError) as caught:
        written(desk, loader)
    assert caught.value.code == "flash.write_protected"
    assert "--unprotect" in caught.value.hint
    again = bench("flash:always:write_protect")
    assert written(again, loader, unprotect=True) == ["flash.unprotected"]


def test_protection_that_cannot_be_cleared_is_an_error_before_anything_is_written() -> None:
    desk = bench("flash:always:write_protect(locked=True)")
    with pytest.raises(TransferError, match="stays write-protected") as caught:
        written(desk, "stub2", unprotect=True)
    assert caught.value.code == "flash.write_protected"
    assert desk.of(RegionStarted) == []


@pytest.mark.parametrize("loader", LOADERS)
def test_a_bad_sector_is_named_and_no_other_cause_is_claimed(loader: str) -> None:
    desk = bench("flash:always:bad_sector(offset=0x13000)")
    board = desk.world.board
    assert board is not None
    board.soc.flash.load(0x13000, bytes(0x1000))
    with pytest.raises(Exception, match="0x13000") as caught:
        written(desk, loader)
    assert getattr(caught.value, "code", "") in ("verify.mismatch", "device.refused")


def test_one_compressed_block_never_stands_for_more_flash_than_the_waits_allow() -> None:
    for data in (bytes(0x200000), b"\xff" * 0x100000 + firmware(0x10000) + bytes(0x100000)):
        (part,) = plan_stub(data, 0, block_size=0x4000, compress=True, limit=0x40000)
        steps = [block.until for block in part.blocks]
        assert steps[-1] == len(data)
        assert all(later - earlier <= 0x40000 + 0x8000 for earlier, later in zip([0, *steps], steps, strict=False))


@pytest.mark.parametrize("loader", ["stub1", "stub2"])
def test_megabytes_of_zeros_are_written_without_a_wait_too_long(loader: str) -> None:
    desk = bench()
    written(desk, loader, bytes(0x180000))
    assert desk.of(Recovery) == []


# --- order ----------------------------------------------------------------------------------------------------------


def test_the_boot_loader_is_written_last_and_the_partition_table_before_it() -> None:
    desk = bench()
    regions = [Region(offset=offset, data=data) for offset, data in factory_flash("arduino")]
    with desk.open(ROM_ONLY) as flasher:
        flasher.write(regions)
    assert [event.offset for event in desk.of(RegionStarted)] == [0x10000, 0x8000, 0x1000]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("there", [0x6000, 0x6123, SIZE])
def test_an_interrupted_write_goes_on_from_what_the_flash_holds(loader: str, there: int) -> None:
    desk = bench()
    board = desk.world.board
    assert board is not None
    data = firmware(SIZE)
    board.soc.flash.load(OFFSET, data[:there])
    touched: list[int] = []

    def note(kind: FlashOperation, offset: int, length: int) -> None:
        touched.append(offset)

    board.soc.flash.hook = note
    assert written(desk, loader, data) == ["write.resumed"]
    if there == SIZE:
        assert touched == []
    else:
        assert min(touched) == OFFSET + 0x6000


def test_a_first_sector_that_differs_is_no_reason_to_ask_further() -> None:
    desk = bench()
    board = desk.world.board
    assert board is not None
    data = firmware(SIZE)
    board.soc.flash.load(OFFSET, b"\x00" + data[1:])
    assert written(desk, "rom", data) == []
