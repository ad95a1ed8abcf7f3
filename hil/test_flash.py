"""Writing, reading and erasing inside the board's region, with and without a stub; what was there is put back."""

from __future__ import annotations

import hashlib
import random

import pytest

from flashcore.chips import SECTOR_SIZE
from flashcore.image import Region
from hil.bench import Bench
from hil.rig import Action, Span

LOADERS = pytest.mark.parametrize("use_stub", [True, False], ids=["stub", "rom"])

SLIP_TRAPS = bytes.fromhex("c0dbdcddc0c0dbdb")
"""Bytes that SLIP escapes, and those that it escapes to."""


def span_of(board: Bench) -> Span:
    assert board.board.region is not None, "what is allowed has a region"
    return board.board.region


def image(size: int, seed: int) -> bytes:
    """Return bytes that neither compress well nor avoid what the protocol escapes."""
    noise = random.Random(seed).randbytes(size)
    return (SLIP_TRAPS * 64 + noise)[:size]


@LOADERS
def test_what_is_read_has_the_digest_that_the_chip_computes(board: Bench, use_stub: bool) -> None:
    board.require(Action.READ)
    span = span_of(board)
    with board.flasher(use_stub=use_stub) as flasher:
        data = flasher.read(span.start, SECTOR_SIZE)
        assert hashlib.md5(data).hexdigest() == flasher.md5(span.start, SECTOR_SIZE)


@LOADERS
@pytest.mark.parametrize("size", [1, SECTOR_SIZE, SECTOR_SIZE + 1])
def test_what_is_written_is_read_back(board: Bench, saved: bytes, use_stub: bool, size: int) -> None:
    span = span_of(board)
    if size > span.size:
        pytest.skip(f"the region from {span} is too short")
    data = image(size, seed=size + use_stub)
    with board.flasher(use_stub=use_stub) as flasher:
        flasher.write([Region(offset=span.start, data=data, name="image")], force=True)
        assert flasher.read(span.start, size) == data


def test_what_is_erased_is_blank_and_its_neighbour_is_not(board: Bench, saved: bytes) -> None:
    board.require(Action.ERASE)
    span = span_of(board)
    if span.size < 2 * SECTOR_SIZE:
        pytest.skip(f"the region from {span} has no two sectors")
    data = image(2 * SECTOR_SIZE, seed=7)
    with board.flasher() as flasher:
        flasher.write([Region(offset=span.start, data=data, name="image")], force=True)
        flasher.erase(span.start, SECTOR_SIZE)
        assert flasher.read(span.start, 2 * SECTOR_SIZE) == b"\xff" * SECTOR_SIZE + data[SECTOR_SIZE:]
