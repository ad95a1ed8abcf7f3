"""What becomes of a region that tests may change: it is put back, however they end, and what cannot be put back has a copy."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashcore.errors import PortNotFoundError
from flashcore.image import Region
from flashcore.loader import After, Flasher, Options
from flashcore.port import NS_PER_S
from hil.keeper import Keeper, NotPutBackError
from hil.rig import Span
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario

SPAN = Span(start=0x1_0000, size=0x2000)
CONTENT = random.Random(3).randbytes(0x1_4000)
HELD = CONTENT[SPAN.start : SPAN.end]

HALF_A_BLOCK = bytes.fromhex("c0000310040000000000040000000000000000000000000000") + bytes(200)
"""The start of a FLASH_DATA of 1024 bytes."""


class Board:
    """A virtual board whose cable can be pulled."""

    def __init__(self, folder: Path) -> None:
        image = folder / "flash.bin"
        image.write_bytes(CONTENT)
        self.world = Scenario(board="ttgo-lora32-v1", flash=str(image)).build()
        self.plugged = True
        self.copy = folder / "saved" / "copy.bin"
        self.keeper = Keeper(self.connect, SPAN, self.copy, port="/dev/test")

    @contextmanager
    def connect(self) -> Iterator[Flasher]:
        if not self.plugged:
            raise PortNotFoundError("there is no port /dev/test")
        self.port = VirtualPort(self.world.device, name="/dev/test")
        with Flasher.open(self.port, Options(use_stub=False, after=After.NO_RESET)) as flasher:
            yield flasher

    def spoil(self) -> None:
        """Overwrite the region."""
        with self.connect() as flasher:
            flasher.write([Region(offset=SPAN.start, data=b"\xc0" * SPAN.size, name="spoilt")], force=True)
        assert self.region == b"\xc0" * SPAN.size

    @property
    def region(self) -> bytes:
        return self.world.flash_image()[SPAN.start : SPAN.end]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_what_was_there_is_handed_out_and_put_back(board: Board) -> None:
    with board.keeper.kept() as data:
        assert data == HELD
        assert board.copy.read_bytes() == HELD
        board.spoil()
    assert board.world.flash_image()[: len(CONTENT)] == CONTENT
    assert not board.copy.parent.exists()


@pytest.mark.parametrize("end", [AssertionError, KeyboardInterrupt, SystemExit])
def test_it_is_put_back_however_the_tests_end(board: Board, end: type[BaseException]) -> None:
    with pytest.raises(end), board.keeper.kept():  # noqa: PT012
        board.spoil()
        raise end
    assert board.region == HELD


def test_it_is_put_back_after_a_session_that_ended_in_the_middle_of_a_frame(board: Board) -> None:
    with board.keeper.kept():
        board.spoil()
        with board.connect():
            board.port.write(HALF_A_BLOCK, board.port.clock.now_ns() + NS_PER_S)
    assert board.region == HELD


def test_a_region_that_cannot_be_put_back_leaves_its_copy_and_says_how_to_use_it(board: Board) -> None:
    with pytest.raises(NotPutBackError) as caught, board.keeper.kept():  # noqa: PT012
        board.spoil()
        board.plugged = False
    assert "the flash from 0x10000 to 0x12000 could not be put back (there is no port /dev/test)" in str(caught.value)
    assert f"flashcore --port /dev/test write 0x10000 {board.copy}" in str(caught.value)
    assert board.copy.read_bytes() == HELD


def test_a_copy_that_is_left_over_is_put_back_first(board: Board) -> None:
    with pytest.raises(NotPutBackError), board.keeper.kept():  # noqa: PT012
        board.spoil()
        board.plugged = False
    board.plugged = True
    with board.keeper.kept() as data:
        assert data == board.region == HELD


def test_a_copy_of_another_length_is_not_written(board: Board) -> None:
    board.copy.parent.mkdir()
    board.copy.write_bytes(b"short")
    with pytest.raises(NotPutBackError, match="holds 5 bytes, the region 8192"), board.keeper.kept():
        pytest.fail("it must not get here")
    assert board.region == HELD


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_putting_back_waits_until_that_is_done(
    board: Board, kind: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Flasher.write

    def interrupted(*arguments: object, **named: object) -> object:
        os.kill(os.getpid(), kind)
        return write(*arguments, **named)  # type: ignore[arg-type]

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), board.keeper.kept():  # noqa: PT012
            board.spoil()
            monkeypatch.setattr(Flasher, "write", interrupted)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert board.region == HELD
    assert not board.copy.exists()
