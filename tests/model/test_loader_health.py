"""What is found out about chip and flash before anything is written: silence, protection, power, security, watchdog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flashcore.errors import ChipMismatchError, DeviceError, ImageError, TransferError, WrongOffsetError
from flashcore.image import Region
from flashcore.loader import Options, flash_chip
from flashcore.protocol.opcodes import Opcode
from simulator.board.board import Board
from simulator.board.presets import preset
from simulator.chip.factory import factory_flash
from simulator.chip.registers import RTC_WDT_CONFIG0, RTC_WDT_CONFIG1, RTC_WDT_KEY, RTC_WDT_PROTECT
from simulator.chip.rom import loader as rom_loader
from simulator.chip.straps import StrapPins
from simulator.links.virtual import VirtualPort
from tests.model.loader_world import OFFSET, ROM_ONLY, Bench, bench, firmware
from tests.model.test_loader_stub import with_stub

LOADERS = {"rom": ROM_ONLY, "stub1": with_stub(1), "stub2": with_stub(2)}


def board_of(desk: Bench) -> Board:
    device = desk.port.device
    assert isinstance(device, Board)
    return device


def flash_answers(desk: Bench, monkeypatch: pytest.MonkeyPatch, *ids: int) -> None:
    """Let the flash chip answer RDID with these in turn, the last one for ever."""
    flash, left = board_of(desk).soc.flash, list(ids)
    command = flash.command

    def answer(opcode: int, address: int | None, out: bytes, count: int, *, now_ns: int | None = None) -> bytes:
        if opcode == 0x9F:
            return (left.pop(0) if len(left) > 1 else left[0]).to_bytes(3, "big")
        return command(opcode, address, out, count, now_ns=now_ns)

    monkeypatch.setattr(flash, "command", answer)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("silence", [0xFFFFFF, 0])
def test_a_silent_flash_chip_stops_the_work_before_anything_is_erased(
    loader: str, silence: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = bench()
    flash_answers(desk, monkeypatch, silence)
    with pytest.raises(TransferError, match="no flash chip answers") as caught, desk.open(LOADERS[loader]) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(0x1000))])
    assert caught.value.code == "flash.no_chip"
    assert "GPIO12" not in caught.value.hint


def test_an_id_that_changes_points_at_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench()
    flash_answers(desk, monkeypatch, 0x252C0F, 0x252C0F, 0x252C0F, 0x004A0F, 0x252C0F)
    with pytest.raises(TransferError) as caught, desk.open(ROM_ONLY) as flasher:
        flasher.info()
    assert caught.value.code == "flash.unstable_id"


def test_an_id_of_unknown_size_is_shown_and_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench()
    flash_answers(desk, monkeypatch, 0x252C0F)
    with pytest.raises(TransferError, match="0x252c0f") as caught, desk.open(ROM_ONLY) as flasher:
        flasher.info()
    assert caught.value.code == "flash.unknown_size"


def test_a_flash_at_1v8_names_gpio12(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(replace(preset("ttgo-lora32-v1"), strap=StrapPins(mtdi=True)))
    desk = Bench(world=bench().world, port=VirtualPort(board))
    flash_answers(desk, monkeypatch, 0xFFFFFF)
    with pytest.raises(TransferError) as caught, desk.open(ROM_ONLY) as flasher:
        flasher.info()
    assert caught.value.code == "flash.no_chip"
    assert "GPIO12" in caught.value.hint


@pytest.mark.parametrize("loader", LOADERS)
def test_a_flash_chip_in_deep_power_down_is_woken(loader: str) -> None:
    desk = bench()
    board_of(desk).soc.flash.command(0xB9, None, b"", 0)
    with desk.open(LOADERS[loader]) as flasher:
        assert flasher.info().jedec_id == 0xEF4016
        flasher.write([Region(offset=OFFSET, data=firmware(0x1000))])
    assert "flash.woken" in [finding.code for finding in flasher.findings]


@pytest.mark.parametrize("loader", LOADERS)
def test_protection_bits_are_read_and_cleared(loader: str) -> None:
    desk = bench()
    flash = board_of(desk).soc.flash
    flash.status.live[0] = flash.status.stored[0] = 0x1C
    flash.status.live[1] = flash.status.stored[1] = 0x42
    with desk.open(LOADERS[loader]) as flasher:
        assert flasher.flash_size
        target = flasher._target
        assert target.insist(flash_chip.protection) == 0x401C
        assert target.insist(flash_chip.unprotect)
        assert target.insist(flash_chip.protection) == 0
    assert flash.status.stored[1] == 0x02, "the quad enable bit stays"


# --- the chip -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ["esp32-encrypted", "esp32-secure-boot"])
def test_security_in_efuses_is_respected_before_the_first_byte(board: str) -> None:
    desk = bench(board=board)
    before = desk.world.flash_image()
    with pytest.raises(ImageError) as caught, desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=0x1000, data=firmware(0x1000))])
    assert caught.value.code == ("image.encrypted_flash" if board == "esp32-encrypted" else "image.secure_boot")
    assert desk.world.flash_image() == before


def test_with_force_a_secure_chip_is_written_and_the_findings_say_so() -> None:
    desk = bench(board="esp32-encrypted")
    with desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(0x1000))], force=True)
    assert "image.encrypted_flash" in [finding.code for finding in flasher.findings]


@pytest.mark.parametrize(
    ("board", "said"),
    [("esp32-devkitc", "none"), ("esp32-encrypted", "flash encryption"), ("esp32-secure-boot", "secure boot V2")],
)
def test_the_chip_says_what_its_efuses_forbid(board: str, said: str) -> None:
    with bench(board=board).open(ROM_ONLY) as flasher:
        info = flasher.info()
    assert str(info.security) == said
    assert info.to_json()["flash_encryption"] is (board == "esp32-encrypted")


def test_secure_boot_lets_an_app_through() -> None:
    desk = bench(board="esp32-secure-boot")
    with desk.open(ROM_ONLY) as flasher:
        flasher.write([Region(offset=OFFSET, data=firmware(0x1000))])
    assert flasher.findings == ()


def test_a_watchdog_that_still_counts_is_stopped() -> None:
    desk = bench(download=True)
    memory = board_of(desk).soc.memory

    def arm() -> None:
        for address, value in (
            (RTC_WDT_PROTECT, RTC_WDT_KEY),
            (RTC_WDT_CONFIG1, 150_000),
            (RTC_WDT_CONFIG0, 4 << 28 | 1 << 31),
            (RTC_WDT_PROTECT, 0),
        ):
            memory.write32(address, value)

    board_of(desk).kernel.after(200_000_000, arm)
    with desk.open(ROM_ONLY) as flasher:
        desk.port.clock.sleep_until(desk.port.clock.now_ns() + 2_000_000_000)
        boots = board_of(desk).soc.boots
        flasher.write([Region(offset=OFFSET, data=firmware(0x8000))])
        assert board_of(desk).soc.boots == boots
    assert flasher.findings == ()


def test_a_chip_that_refuses_every_register_is_in_secure_download_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {opcode: command for opcode, command in rom_loader.COMMANDS.items() if opcode is not Opcode.READ_REG}
    monkeypatch.setattr(rom_loader, "COMMANDS", known)
    desk = bench()
    with pytest.raises(DeviceError) as caught:
        desk.open(ROM_ONLY)
    assert caught.value.code == "device.secure_download"


def test_an_unknown_chip_is_named_by_its_value() -> None:
    desk = bench("d2h:nth_frame(READ_REG,1):corrupt(mask=0x01,at=5):times=2")
    with pytest.raises(ChipMismatchError, match="0x00f01d82") as caught:
        desk.open(Options(use_stub=False))
    assert caught.value.code == "connect.unknown_chip"


# --- what is on the flash already -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", LOADERS)
def test_a_lone_app_is_checked_against_the_table_on_the_flash(loader: str) -> None:
    desk = bench()
    loaded = dict(factory_flash("arduino"))
    for offset, data in loaded.items():
        board_of(desk).soc.flash.load(offset, data)
    before = desk.world.flash_image()
    with pytest.raises(WrongOffsetError, match=r"0x10000 \(factory\)"), desk.open(LOADERS[loader]) as flasher:
        flasher.write([Region(offset=0x20000, data=loaded[0x10000])])
    assert desk.world.flash_image() == before
    desk.port = VirtualPort(board_of(desk))
    with desk.open(LOADERS[loader]) as flasher:
        assert flasher.write([Region(offset=0x10000, data=loaded[0x10000])]) == []
