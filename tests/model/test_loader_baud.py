"""Higher rates: proved before they are trusted, and left for lower ones where they do not work."""

from __future__ import annotations

import pytest

from flashcore.errors import RemoteProtocolError, TransferError
from flashcore.image import Region
from flashcore.loader import Before, Options, baud
from flashcore.loader.base import Loader
from flashcore.loader.progress import BaudrateChanged, Connected, Recovery
from simulator.board.board import Board
from tests.model.loader_world import OFFSET, Bench, bench, firmware
from tests.model.test_loader_stub import stub

STUBS = {"rom": None, "stub1": stub(1), "stub2": stub(2)}


def options(loader: str, rate: int = 921600, **more: object) -> Options:
    return Options(  # type: ignore[misc]
        use_stub=loader != "rom",
        stub=STUBS[loader],
        baudrate=rate,
        boot_check=False,
        **more,  # type: ignore[arg-type]
    )


def limited(desk: Bench, monkeypatch: pytest.MonkeyPatch, highest: int) -> None:
    """Let the bridge miss every rate above `highest` by 8 %."""
    board = desk.world.board
    assert isinstance(board, Board)
    real = board.adapter.set_baudrate
    monkeypatch.setattr(board.adapter, "set_baudrate", lambda rate: real(rate if rate <= highest else rate * 108 // 100))


def written(desk: Bench, choice: Options, size: int = 0x6000) -> tuple[list[str], bool]:
    data = firmware(size)
    with desk.open(choice) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], compress=False)
    return [finding.code for finding in flasher.findings], desk.flash(OFFSET, size) == data


@pytest.mark.parametrize("loader", STUBS)
@pytest.mark.parametrize("highest", [115200, 230400, 460800])
def test_the_highest_rate_that_works_is_found(loader: str, highest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench()
    limited(desk, monkeypatch, highest)
    codes, right = written(desk, options(loader))
    assert right
    assert codes == ["link.baudrate_too_high"]
    assert [event.baudrate for event in desk.of(BaudrateChanged)] == ([] if highest == 115200 else [highest])


@pytest.mark.parametrize("loader", STUBS)
@pytest.mark.parametrize("way", ["h2d", "d2h"])
def test_one_lost_frame_does_not_condemn_a_rate(loader: str, way: str) -> None:
    desk = bench(f"{way}:nth_frame(CHANGE_BAUDRATE,1):drop")
    codes, right = written(desk, options(loader))
    assert right
    assert codes == []
    assert desk.fired == 1
    assert [event.baudrate for event in desk.of(BaudrateChanged)] == [921600]
    assert len(desk.of(Connected)) == 1


def test_without_reset_lines_the_loader_is_found_back_at_the_old_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench(download=True)

    def fail(loader: Loader) -> None:
        raise RemoteProtocolError("20 readings of one register gave 2 values")

    monkeypatch.setattr(baud, "prove", fail)
    codes, right = written(desk, options("stub2", before=Before.NO_RESET))
    assert (codes, right) == (["link.baudrate_too_high"], True)
    assert desk.port.baudrate == 115200


def test_without_reset_lines_a_loader_lost_at_a_rate_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench(download=True)
    limited(desk, monkeypatch, 115200)
    with pytest.raises(TransferError, match="cannot reset the chip") as caught:
        written(desk, options("stub2", before=Before.NO_RESET))
    assert caught.value.code == "link.baudrate_too_high"


@pytest.mark.parametrize("loader", ["stub1", "stub2"])
def test_a_rate_at_which_only_long_frames_break_is_lowered_while_writing(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = bench()
    board = desk.world.board
    assert isinstance(board, Board)
    real = board.adapter.write

    def write(data: bytes) -> int:
        if len(data) > 2000 and board.adapter.baudrate > 460800:
            data = data[:1000] + b"\x00" + data[1001:]
        return real(data)

    monkeypatch.setattr(board.adapter, "write", write)
    codes, right = written(desk, options(loader), size=0x18000)
    assert right
    assert codes == ["link.baudrate_too_high"]
    assert [event.baudrate for event in desk.of(BaudrateChanged)] == [921600, 460800]
    assert any("921600 baud does not work" in event.text for event in desk.of(Recovery))
