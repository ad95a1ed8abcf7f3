"""One fault at a time, anywhere in a session: the image ends up in flash, or the error is honest. Never a false success."""

from __future__ import annotations

import pytest

from flashcore.errors import ChipResetError, DeviceError, FlashcoreError, TransferError, VerifyError
from flashcore.image import Region
from flashcore.loader import Before, Options
from flashcore.loader.progress import BlockDone, Recovery, Verified
from simulator.board.board import Board
from simulator.chip.flash_effect import FlashEffect, FlashOperation
from tests.model.loader_world import OFFSET, ROM_ONLY, Bench, bench, firmware
from tests.model.test_loader_stub import stub, with_stub

LOADERS = {"rom": ROM_ONLY, "stub1": with_stub(1), "stub2": with_stub(2)}
SIZE = 0xA123


def write(desk: Bench, loader: str, *, compress: bool = True, size: int = SIZE) -> bytes:
    data = firmware(size)
    with desk.open(LOADERS[loader]) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=compress)
    return data


FAULTS = [
    "h2d:nth_frame({op},2):corrupt(mask=0x01)",
    "h2d:nth_frame({op},2):corrupt(mask=0x04,at=-1)",
    "h2d:nth_frame({op},2):corrupt(mask=0x10,at=4)",
    "h2d:nth_frame({op},2):drop",
    "h2d:nth_frame({op},2):duplicate",
    "h2d:nth_frame({op},2):truncate(keep=40)",
    "h2d:nth_frame({op},2):truncate(keep=40,delimiter=false)",
    "h2d:nth_frame({op},2):insert(data=c0)",
    "h2d:nth_frame({op},1):insert(data=00c055c0)",
    "d2h:nth_frame({op},2):drop",
    "d2h:nth_frame({op},2):corrupt(mask=0x01,at=2)",
    "d2h:nth_frame({op},2):corrupt(mask=0xff,at=-2)",
    "d2h:nth_frame({op},2):insert(data=e0)",
    "d2h:nth_frame({op},2):duplicate",
    "d2h:nth_frame({op},2):truncate(keep=5)",
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "plain"])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_hit_on_a_data_block_is_recovered(loader: str, compress: bool, fault: str) -> None:
    desk = bench(fault.format(op="FLASH_DEFL_DATA" if compress else "FLASH_DATA"))
    data = write(desk, loader, compress=compress)
    assert desk.fired >= 1
    assert desk.flash(OFFSET, SIZE) == data
    assert desk.is_erased_but_for(OFFSET, SIZE)
    assert len(desk.of(Verified)) == 1


OTHERS = [
    "SYNC",
    "READ_REG",
    "WRITE_REG",
    "SPI_ATTACH",
    "SPI_SET_PARAMS",
    "FLASH_DEFL_BEGIN",
    "FLASH_DEFL_END",
    "SPI_FLASH_MD5",
]


@pytest.mark.parametrize("what", ["h2d:{}:drop", "h2d:{}:corrupt(mask=0x01)", "d2h:{}:drop", "d2h:{}:corrupt(mask=0x40,at=-3)"])
@pytest.mark.parametrize(
    ("loader", "opcode"),
    [(loader, opcode) for loader in LOADERS for opcode in OTHERS if (loader, opcode) != ("rom", "FLASH_DEFL_END")],
)
def test_a_hit_on_another_command_is_recovered(loader: str, opcode: str, what: str) -> None:
    desk = bench(what.format(f"nth_frame({opcode},1)"))
    data = write(desk, loader)
    assert desk.fired >= 1
    assert desk.flash(OFFSET, SIZE) == data
    assert desk.is_erased_but_for(OFFSET, SIZE)


def test_a_refused_block_is_sent_again_to_a_stub_without_starting_over() -> None:
    desk = bench("h2d:nth_frame(FLASH_DEFL_DATA,2):corrupt(mask=0x01)")
    write(desk, "stub2")
    assert desk.of(Recovery) == []


def test_after_a_lost_answer_the_write_goes_on_at_the_last_good_sector() -> None:
    desk = bench("d2h:nth_frame(FLASH_DATA,3):drop")
    write(desk, "stub2", compress=False, size=0x14000)
    busy, recovery = desk.of(Recovery)
    assert busy.cause == "transfer.busy"
    assert recovery.resumes_at is not None
    assert OFFSET + 0x8000 <= recovery.resumes_at <= OFFSET + 0xC000
    assert recovery.resumes_at % 0x1000 == 0


def test_the_rom_takes_a_refused_block_under_the_next_number() -> None:
    desk = bench("h2d:nth_frame(FLASH_DATA,5):corrupt(mask=0x01)")
    write(desk, "rom", compress=False)
    assert desk.of(Recovery) == []


@pytest.mark.parametrize("loader", LOADERS)
def test_reading_survives_a_hit_in_either_direction(loader: str) -> None:
    opcode = "READ_FLASH_SLOW" if loader == "rom" else "READ_FLASH"
    for fault in (f"h2d:nth_frame({opcode},1):corrupt(mask=0x01)", f"d2h:nth_frame({opcode},1):drop"):
        desk = bench(fault)
        data = firmware(0x3000)
        board = desk.world.board
        assert isinstance(board, Board)
        board.soc.flash.load(OFFSET, data)
        with desk.open(LOADERS[loader]) as flasher:
            assert flasher.read(OFFSET, len(data)) == data
        assert desk.fired >= 1


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("loader", ["stub1", "stub2"])
def test_reading_survives_a_damaged_data_frame(loader: str, number: int) -> None:
    clean = bench()
    with clean.open(LOADERS[loader]):
        pass
    data = firmware(0x8000)
    desk = bench(f"d2h:after({clean.seconds - 0.15 + number * 0.2:.3f}):corrupt(mask=0x10):times=1")
    board = desk.world.board
    assert isinstance(board, Board)
    board.soc.flash.load(OFFSET, data)
    with desk.open(LOADERS[loader]) as flasher:
        assert flasher.read(OFFSET, len(data)) == data
    assert desk.fired == 1


# --- the chip itself ------------------------------------------------------------------------------------------------


def press_reset_after(desk: Bench, blocks: int) -> None:
    """Tap the RESET button when so many blocks have been taken."""
    seen = 0
    append = desk.events.append

    class Watching(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            nonlocal seen
            append(event)  # type: ignore[arg-type]
            seen += isinstance(event, BlockDone)
            if seen == blocks and isinstance(event, BlockDone):
                board = desk.world.board
                assert board is not None
                board.press_reset()

    desk.events = Watching()


@pytest.mark.parametrize("loader", LOADERS)
def test_a_chip_that_restarts_in_a_write_is_fetched_back_and_finished(loader: str) -> None:
    desk = bench()
    press_reset_after(desk, 2)
    data = firmware(0x14000)
    with desk.open(LOADERS[loader]) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=False)
    assert desk.flash(OFFSET, len(data)) == data
    assert [finding.code for finding in flasher.findings] == ["session.chip_restarted"]


def test_a_chip_that_restarts_and_cannot_be_reset_is_reported_as_restarted() -> None:
    desk = bench(download=True)
    press_reset_after(desk, 2)
    with (
        pytest.raises(TransferError) as caught,
        desk.open(Options(stub=stub(2), before=Before.NO_RESET)) as flasher,
    ):
        flasher.write([Region(offset=OFFSET, data=firmware(0x14000))], compress=False)
    assert caught.value.code == ChipResetError.code
    assert "restarted in the middle" in caught.value.message


@pytest.mark.parametrize("loader", LOADERS)
def test_a_line_that_dies_ends_in_an_error_within_a_bound(loader: str) -> None:
    desk = bench("d2h:nth_frame(FLASH_DATA,2):stall:permanent")
    with pytest.raises(TransferError) as caught:
        write(desk, loader, compress=False)
    assert caught.value.code == "transfer.fell_silent"
    assert "could not be reached again: not one byte came back" in caught.value.message
    assert desk.seconds < 45


@pytest.mark.parametrize("loader", LOADERS)
def test_a_sector_that_loses_bits_once_is_repaired(loader: str) -> None:
    desk = bench()
    board = desk.world.board
    assert board is not None
    count = 0

    def lose_once(kind: FlashOperation, offset: int, length: int) -> FlashEffect | None:
        nonlocal count
        if kind is FlashOperation.PROGRAM and offset <= OFFSET + 0x3000 < offset + length:
            count += 1
            return FlashEffect(ignore=True) if count == 1 else None
        return None

    board.soc.flash.hook = lose_once
    data = write(desk, loader)
    assert count > 1
    assert desk.flash(OFFSET, SIZE) == data
    assert desk.of(Recovery)[0].resumes_at == OFFSET + 0x3000 or loader == "rom"


@pytest.mark.parametrize("loader", LOADERS)
def test_a_sector_that_keeps_nothing_is_an_error_that_names_the_place(loader: str) -> None:
    desk = bench()
    board = desk.world.board
    assert board is not None

    def ignore(kind: FlashOperation, offset: int, length: int) -> FlashEffect | None:
        hit = kind is FlashOperation.PROGRAM and offset <= OFFSET + 0x3000 < offset + length
        return FlashEffect(ignore=True) if hit else None

    board.soc.flash.hook = ignore
    with pytest.raises((VerifyError, DeviceError)) as caught:
        write(desk, loader)
    assert "0x13000" in caught.value.message


def test_a_line_that_damages_every_tenth_frame_is_never_a_false_success() -> None:
    for seed in range(6):
        desk = bench("h2d:every(10):corrupt(mask=0x20)", "d2h:every(10):corrupt(mask=0x20)", seed=seed)
        try:
            data = write(desk, "stub2", compress=False)
        except FlashcoreError:
            assert desk.of(Verified) == []
        else:
            assert desk.flash(OFFSET, SIZE) == data
