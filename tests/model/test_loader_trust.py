"""What flashcore says is true: about the chip, about the flash, about a session that was cut short."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from flashcore.errors import CancelledError, FlashcoreError, NoAnswerError, TransferError, VerifyError
from flashcore.image import Region
from flashcore.loader import After, Before, ChipInfo, Flasher, Options
from flashcore.loader.progress import Closed, FlashFound, Verified
from simulator.links.virtual import VirtualPort
from tests.model.loader_world import OFFSET, ROM_ONLY, Bench, bench, firmware
from tests.model.test_loader_stub import stub, with_stub

LOADERS = {"rom": ROM_ONLY, "stub1": with_stub(1), "stub2": with_stub(2)}
SIZE = 0x3123
FILLED = 0x40000


def filled(*faults: str) -> Bench:
    """Return a bench whose flash holds something else where the tests work, and around it."""
    desk = bench(*faults)
    assert desk.world.board is not None
    desk.world.board.soc.flash.load(0, Random(1).randbytes(FILLED))
    return desk


# --- the chip -------------------------------------------------------------------------------------------------------


def info(desk: Bench, loader: str) -> ChipInfo:
    with desk.open(LOADERS[loader]) as flasher:
        return flasher.info()


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("fault", ["h2d:nth_frame({}):insert(data=c0)", "d2h:nth_frame({}):corrupt(mask=0x04,at=5)"])
def test_no_single_hit_makes_the_chip_look_like_another(loader: str, fault: str) -> None:
    clean = info(bench(), loader)
    for number in range(3, 75, 2):
        assert info(bench(fault.format(number)), loader) == clean, number


@pytest.mark.parametrize("number", range(44, 56))
def test_an_answer_that_comes_after_its_deadline_does_not_put_a_stub_out_of_step_for_good(number: int) -> None:
    desk = bench(f"d2h:nth_frame({number}):delay(4)")
    assert info(desk, "stub1").flash_size == 4 << 20
    assert desk.fired == 1


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("board", "mhz"), [("esp32-26mhz", 26), ("esp32-devkitc", 40)])
@pytest.mark.parametrize("baudrate", [115200, 921600, 2_000_000])
def test_the_crystal_is_told_whatever_clock_the_loader_uses(loader: str, board: str, mhz: int, baudrate: int) -> None:
    options = Options(stub=LOADERS[loader].stub, use_stub=loader != "rom", baudrate=baudrate)
    with bench(board=board).open(options) as flasher:
        crystal = flasher.info().crystal
    assert crystal is not None
    assert (crystal.nominal, crystal.is_plausible) == (mhz, True)


def test_a_stub_that_runs_already_and_hides_the_crystal_leaves_it_unknown() -> None:
    desk = bench()
    with desk.open(Options(stub=stub(2), after=After.NO_RESET)):
        pass
    desk.port = VirtualPort(desk.world.device)
    with desk.open(Options(before=Before.NO_RESET)) as flasher:
        found = flasher.info()
    assert found.loader == "stub"
    assert found.crystal is None
    assert found.to_json()["crystal_mhz"] is None


def test_a_flash_size_that_was_given_is_believed_as_far_as_the_flash_goes() -> None:
    desk = bench()
    with desk.open(Options(use_stub=False, flash_size=2 << 20)) as flasher:
        assert flasher.flash_size == 2 << 20
    assert desk.of(FlashFound) == [FlashFound(jedec_id=0xEF4016, size=2 << 20)]
    desk = bench()
    with pytest.raises(TransferError, match="has 4 MB") as caught, desk.open(Options(flash_size=16 << 20)) as flasher:
        flasher.write([Region(offset=0x500000, data=firmware(0x1000))])
    assert caught.value.code == "flash.smaller"
    assert desk.is_erased_but_for(0, 0)


def test_a_flash_whose_id_says_nothing_is_taken_for_what_the_user_knows() -> None:
    desk = bench("flash:always:wrong_id(id=0x252c0f)")
    with desk.open(Options(use_stub=False, flash_size=4 << 20)) as flasher:
        assert flasher.flash_size == 4 << 20


@pytest.mark.parametrize("fault", ["d2h:nth_frame(READ_REG,1):corrupt(mask=0x02,at=9)", "h2d:nth_frame(4):truncate(keep=6)"])
def test_a_damaged_answer_or_attach_is_no_refusal_and_no_missing_flash(fault: str) -> None:
    assert info(bench(fault), "rom").flash_size == 4 << 20


# --- the flash ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", LOADERS)
def test_a_damaged_digest_is_not_taken_for_damaged_flash(loader: str) -> None:
    desk = bench("d2h:nth_frame(SPI_FLASH_MD5,1):corrupt(mask=0x01,at=12)")
    data = firmware(SIZE)
    assert desk.world.board is not None
    desk.world.board.soc.flash.load(OFFSET, data)
    with desk.open(LOADERS[loader]) as flasher:
        flasher.verify([Region(offset=OFFSET, data=data)])
    assert desk.fired == 1


@pytest.mark.parametrize("loader", LOADERS)
def test_a_write_that_went_elsewhere_is_made_good_and_is_no_success(loader: str) -> None:
    opcode = "FLASH_BEGIN" if loader == "rom" else "FLASH_DEFL_BEGIN"
    desk = filled(f"h2d:nth_frame({opcode},2):corrupt(mask=0x01,at=23)")
    regions = [Region(offset=0, data=firmware(SIZE)), Region(offset=OFFSET, data=firmware(SIZE))]
    with pytest.raises(VerifyError) as caught, desk.open(LOADERS[loader]) as flasher:
        flasher.write(regions, force=True)
    assert caught.value.code == "verify.elsewhere"
    assert [desk.flash(region.offset, SIZE) == region.data for region in regions] == [True, True]


@pytest.mark.parametrize("loader", LOADERS)
def test_an_erase_that_went_elsewhere_is_no_success(loader: str) -> None:
    fault = "FLASH_BEGIN,1):corrupt(mask=0x01,at=23)" if loader == "rom" else "ERASE_REGION,1):corrupt(mask=0x01,at=11)"
    desk = filled(f"h2d:nth_frame({fault}")
    with pytest.raises(VerifyError) as caught, desk.open(LOADERS[loader]) as flasher:
        flasher.erase(OFFSET, 0x2000)
    assert caught.value.code == "verify.not_blank"


ACTIONS = [
    "drop",
    "corrupt(mask=0x01)",
    "corrupt(mask=0x10,at=3)",
    "corrupt(mask=0xff,at=0)",
    "corrupt(mask=0x20,at=-2)",
    "duplicate",
    "truncate(keep=6)",
    "truncate(keep=6,delimiter=false)",
    "insert(data=c0)",
    "insert(data=4852)",
    "delay(0.3)",
    "delay(4)",
    "stall",
]
BOUND_S = 90.0
"""Virtual time within which every session below has to end."""


def write(flasher: Flasher) -> bytes:
    flasher.write([Region(offset=OFFSET, data=firmware(SIZE))])
    return b""


def read(flasher: Flasher) -> bytes:
    return flasher.read(OFFSET, SIZE)


def erase(flasher: Flasher) -> bytes:
    flasher.erase(OFFSET, 0x4000)
    return b""


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("work", [write, read, erase])
def test_whatever_two_faults_do_success_means_success(loader: str, work: Callable[[Flasher], bytes]) -> None:
    before = filled().flash(OFFSET, SIZE)
    right: dict[Callable[[Flasher], bytes], Callable[[Bench, bytes], bool]] = {
        write: lambda desk, _: desk.flash(OFFSET, SIZE) == firmware(SIZE),
        read: lambda _, result: result == before,
        erase: lambda desk, _: desk.flash(OFFSET, 0x4000) == b"\xff" * 0x4000,
    }
    dice = Random(f"{loader} {work.__name__}")
    for _ in range(25):
        faults = [f"{dice.choice(('h2d', 'd2h'))}:nth_frame({dice.randint(1, 60)}):{dice.choice(ACTIONS)}" for _ in range(2)]
        desk = filled(*faults)
        try:
            with desk.open(LOADERS[loader]) as flasher:
                result = work(flasher)
        except FlashcoreError:
            pass
        else:
            assert right[work](desk, result), faults
        assert desk.seconds < BOUND_S, faults
        assert len(desk.of(Closed)) == 1, faults


# --- the end --------------------------------------------------------------------------------------------------------


def test_a_session_that_never_was_leaves_no_chip_in_a_loader() -> None:
    desk = bench("d2h:always:drop:permanent")
    with pytest.raises(NoAnswerError), desk.open(ROM_ONLY):
        pass
    assert desk.of(Closed) == [Closed(reset=False, in_loader=False)]


def test_a_chip_that_was_lost_is_not_said_to_wait_in_its_loader() -> None:
    desk = bench("d2h:nth_frame(FLASH_DATA,1):stall:permanent")
    with pytest.raises(FlashcoreError), desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(SIZE))], compress=False)
    assert desk.of(Closed) == [Closed(reset=False, in_loader=False)]


@pytest.mark.parametrize(("verified", "first"), [(1, "written and verified"), (2, "written and verified")])
def test_an_interruption_says_of_each_region_what_the_flash_holds(verified: int, first: str) -> None:
    desk = bench()

    class Interrupting(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            super().append(event)
            if isinstance(event, Verified) and len(desk.of(Verified)) == verified:
                raise KeyboardInterrupt

    desk.events = Interrupting()
    regions = [Region(offset=OFFSET + 0x10000 * index, data=firmware(SIZE), name=f"r{index}") for index in range(3)]
    with pytest.raises(CancelledError) as caught, desk.open(ROM_ONLY) as flasher:
        flasher.write(regions)
    parts = caught.value.message.partition("; ")[2].split("; ")
    assert parts == [
        f"region at 0x{region.offset:x} ({region.name}): {first if index < verified else 'as before'}"
        for index, region in enumerate(regions)
    ]
    for index, region in enumerate(regions):
        assert (desk.flash(region.offset, SIZE) == region.data) is (index < verified)
