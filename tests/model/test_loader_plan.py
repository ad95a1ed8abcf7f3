"""The plan of a write: what travels, in which blocks, and that nothing beyond the image is ever meant."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.loader.plan import ROM_WINDOW, Mode, Part, pad, plan_rom, plan_stub
from tests.model.loader_world import firmware


def rebuilt(parts: tuple[Part, ...]) -> bytes:
    whole = b""
    for part in parts:
        payload = b"".join(block.payload for block in part.blocks)
        whole += zlib.decompress(payload) if part.mode is Mode.COMPRESSED else payload
    return whole


@given(st.integers(0, 5), st.integers(0, 0x2000), st.booleans(), st.booleans())
def test_the_parts_hold_the_data_back_to_back(windows: int, rest: int, compress: bool, rom: bool) -> None:
    data = pad(firmware(windows * ROM_WINDOW + rest + 1))
    plan = plan_rom if rom else plan_stub
    parts = plan(data, 0x10000, block_size=0x400, compress=compress)
    assert rebuilt(parts) == data
    at = 0x10000
    for part in parts:
        assert part.offset == at
        assert part.offset % 0x1000 == 0
        assert part.blocks[-1].until == part.size
        assert all(0 < len(block.payload) <= 0x400 for block in part.blocks)
        at += part.size


def test_the_rom_gets_whole_windows_compressed_and_the_rest_plain() -> None:
    data = firmware(3 * ROM_WINDOW + 0x1234)
    windows, rest = plan_rom(data, 0x20000, block_size=0x400, compress=True)
    assert (windows.mode, windows.size) == (Mode.COMPRESSED, 3 * ROM_WINDOW)
    assert (rest.mode, rest.offset, rest.size) == (Mode.PLAIN, 0x20000 + 3 * ROM_WINDOW, 0x1234)


def test_the_rom_is_told_of_one_block_more_than_comes_so_that_it_never_writes_its_last_window() -> None:
    (part,) = plan_rom(firmware(ROM_WINDOW), 0, block_size=0x400, compress=True)
    assert part.announced == len(part.blocks) + 1


def test_a_stub_is_told_of_what_comes() -> None:
    (part,) = plan_stub(firmware(0x9000), 0, block_size=0x4000, compress=True)
    assert part.announced == len(part.blocks)


def test_less_than_a_window_goes_to_the_rom_plain() -> None:
    (part,) = plan_rom(b"\0" * (ROM_WINDOW - 4), 0, block_size=0x400, compress=True)
    assert part.mode is Mode.PLAIN


def test_data_that_does_not_shrink_travels_plain() -> None:
    noise = firmware(0x400)[:512]
    assert plan_stub(noise, 0, block_size=0x4000, compress=True)[0].mode is Mode.PLAIN
    random = b"".join(firmware(0x10000)[start : start + 512] for start in range(0, 0x10000, 1024))
    assert plan_rom(random, 0, block_size=0x400, compress=True)[0].mode is Mode.PLAIN


@pytest.mark.parametrize(("size", "padding"), [(0, 0), (1, 3), (4, 0), (4095, 1)])
def test_padding_is_ff_up_to_a_word(size: int, padding: int) -> None:
    assert pad(b"a" * size) == b"a" * size + b"\xff" * padding
