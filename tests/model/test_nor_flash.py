"""NOR rules, protection, commands and the parts' data."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashcore.errors import ScenarioError
from simulator.chip.flash_parts import MS, PARTS, US, FlashPart, part
from simulator.chip.nor_flash import FlashEffect, FlashOperation, NorFlash

W25Q32 = part("W25Q32JV")
SECTOR = 0x1000
BLOCK = 0x10000


@pytest.fixture
def flash() -> NorFlash:
    return NorFlash(W25Q32)


def naive_and(left: bytes, right: bytes) -> bytes:
    return bytes(a & b for a, b in zip(left, right, strict=True))


class TestParts:
    @pytest.mark.parametrize("entry", PARTS.values(), ids=PARTS)
    def test_capacity_code_names_the_size(self, entry: FlashPart) -> None:
        assert 1 << (entry.jedec_id & 0xFF) == entry.size

    @pytest.mark.parametrize("entry", PARTS.values(), ids=PARTS)
    def test_no_typical_time_exceeds_its_maximum(self, entry: FlashPart) -> None:
        for name in ("page_program", "sector_erase", "block32_erase", "block64_erase", "chip_erase", "status_write"):
            assert getattr(entry, f"{name}_ns") <= getattr(entry, f"{name}_max_ns"), name

    @pytest.mark.parametrize("entry", PARTS.values(), ids=PARTS)
    def test_every_part_names_its_source(self, entry: FlashPart) -> None:
        assert "data sheet" in entry.source or "oracle" in entry.source

    def test_the_oracle_part_is_the_recorded_one_and_takes_no_time(self) -> None:
        ideal = part("ideal-4mb")
        assert (ideal.jedec_id, ideal.size) == (0xC84016, 4 << 20)
        flash = NorFlash(ideal)
        assert flash.program(0, bytes(1000)) == flash.erase(0, 1 << 20) == flash.erase_chip() == 0

    def test_an_unknown_part_names_its_neighbours(self) -> None:
        with pytest.raises(ScenarioError, match="W25Q32JV"):
            part("w25q32")

    @pytest.mark.parametrize("name", ["W25Q32JV", "GD25Q32C", "XM25QH32B"])
    def test_sfdp_describes_size_and_erase_commands_where_jesd216_says(self, name: str) -> None:
        entry = part(name)
        area = entry.sfdp
        assert area[:4] == b"SFDP"
        assert area[8] == 0x00
        pointer = int.from_bytes(area[12:15], "little")
        table = area[pointer : pointer + 4 * area[11]]
        assert len(table) == 36
        assert int.from_bytes(table[4:8], "little") + 1 == entry.size * 8
        assert table[0] & 3 == 1
        assert table[1] == 0x20
        assert table[28:36] == bytes([12, 0x20, 15, 0x52, 16, 0xD8, 0, 0xFF])
        assert (area[0x10] == entry.manufacturer) == (area[6] == 1)


class TestCells:
    def test_a_new_chip_is_blank_and_stores_nothing(self, flash: NorFlash) -> None:
        assert flash.image() == b"\xff" * (4 << 20)
        assert flash.is_blank(0, flash.size)
        assert flash.touched() == []

    def test_programming_only_clears_bits(self, flash: NorFlash) -> None:
        flash.program(0x100, b"\xf0\x0f\xaa")
        flash.program(0x100, b"\xff\x3c\x55")
        assert flash.read(0x0FF, 5) == b"\xff\xf0\x0c\x00\xff"

    def test_erase_sets_whole_sectors(self, flash: NorFlash) -> None:
        flash.program(0, bytes(3 * SECTOR))
        flash.erase(SECTOR + 1, 1)
        assert flash.read(0, 3 * SECTOR) == bytes(SECTOR) + b"\xff" * SECTOR + bytes(SECTOR)

    def test_programming_ff_changes_nothing(self, flash: NorFlash) -> None:
        flash.program(0x10, b"text")
        flash.program(0, b"\xff" * 0x4000)
        assert flash.touched() == [(0x10, 0x14)]

    def test_touched_joins_neighbouring_sectors_and_trims_blank_ends(self, flash: NorFlash) -> None:
        flash.load(0x0FFE, b"abcd")
        flash.load(0x8000, b"\xff\x00")
        assert flash.touched() == [(0x0FFE, 0x1002), (0x8001, 0x8002)]
        flash.load(0x8001, b"\xff")
        assert flash.touched() == [(0x0FFE, 0x1002)]
        assert flash.is_blank(0x1002, flash.size - 0x1002)
        assert not flash.is_blank(0x1001, 1)

    def test_md5_equals_the_digest_of_what_is_read(self, flash: NorFlash) -> None:
        flash.load(0x1FFF0, b"some content" * 700)
        for offset, length in [(0, 0), (0, flash.size), (0x1FFF1, 8401), (3, 0x30001), (flash.size - 1, 1)]:
            assert flash.md5(offset, length) == hashlib.md5(flash.read(offset, length)).digest()

    @pytest.mark.parametrize("call", ["read", "md5", "is_blank", "erase"])
    @pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (4 << 20, 1), ((4 << 20) - 1, 2)])
    def test_leaving_the_chip_is_an_error(self, flash: NorFlash, call: str, offset: int, length: int) -> None:
        with pytest.raises(ValueError, match="leave the flash"):
            getattr(flash, call)(offset, length)

    def test_programming_over_the_end_is_an_error_and_changes_nothing(self, flash: NorFlash) -> None:
        with pytest.raises(ValueError, match="leave the flash"):
            flash.program(flash.size - 1, b"\0\0")
        with pytest.raises(ValueError, match="leave the flash"):
            flash.load(flash.size - 1, b"\0\0")
        with pytest.raises(ValueError, match="leave the flash"):
            flash.erase_sector(flash.size)
        assert flash.touched() == []
        assert flash.operations == 0


class TestTimeAndCount:
    def test_program_takes_a_page_time_for_each_page_touched(self, flash: NorFlash) -> None:
        assert flash.program(0x00FF, b"\0\0") == 2 * 400 * US
        assert flash.operations == 2
        assert flash.program(0x1000, bytes(0x400)) == 4 * 400 * US
        assert flash.operations == 6
        assert flash.program(0, b"") == 0
        assert flash.operations == 6

    def test_erase_uses_blocks_where_they_fit(self, flash: NorFlash) -> None:
        assert flash.erase(BLOCK - SECTOR, 2 * BLOCK) == 45 * MS + 150 * MS + 15 * 45 * MS
        assert flash.operations == 1 + 1 + 15
        assert flash.erase(5, 0) == 0

    def test_worst_case_uses_the_maximum(self) -> None:
        slow = NorFlash(W25Q32, worst_case=True)
        assert slow.erase_sector(0) == 400 * MS
        assert slow.erase_block32(0) == 1600 * MS
        assert slow.erase_block64(0) == 2000 * MS
        assert slow.erase_chip() == 50_000 * MS
        assert slow.program(0, b"\0") == 3 * MS

    def test_back_door_is_not_an_operation(self, flash: NorFlash) -> None:
        flash.load(0, bytes(SECTOR))
        flash.load(0, b"\xff")
        assert flash.read(0, 2) == b"\xff\x00"
        assert flash.operations == 0


class TestHook:
    def test_it_sees_every_operation_before_it_happens(self, flash: NorFlash) -> None:
        seen: list[tuple[FlashOperation, int, int]] = []

        def hook(kind: FlashOperation, offset: int, length: int) -> None:
            assert flash.is_blank(0, 0x100)
            seen.append((kind, offset, length))

        flash.hook = hook
        flash.erase_chip()
        flash.erase_block64(BLOCK + 5)
        flash.erase_block32(0x9000)
        flash.erase_sector(0x1234)
        flash.program(0x01F0, bytes(0x20))
        flash.write_status(1, b"\x00")
        assert seen == [
            (FlashOperation.CHIP_ERASE, 0, 4 << 20),
            (FlashOperation.BLOCK_ERASE, BLOCK, BLOCK),
            (FlashOperation.BLOCK_ERASE, 0x8000, 0x8000),
            (FlashOperation.SECTOR_ERASE, 0x1000, SECTOR),
            (FlashOperation.PROGRAM, 0x1F0, 0x10),
            (FlashOperation.PROGRAM, 0x200, 0x10),
            (FlashOperation.STATUS_WRITE, 1, 1),
        ]
        assert flash.operations == 7

    def test_a_passive_hook_changes_neither_time_nor_content(self, flash: NorFlash) -> None:
        watched = NorFlash(W25Q32)
        watched.hook = lambda _kind, _offset, _length: None
        data = bytes(range(256)) * 40
        for chip in (flash, watched):
            chip.erase(0, 0x3000)
        assert flash.program(0x77, data) == watched.program(0x77, data)
        assert flash.image() == watched.image()
        assert flash.operations == watched.operations

    def test_an_ignored_operation_takes_no_time(self, flash: NorFlash) -> None:
        flash.hook = lambda _kind, offset, _length: FlashEffect(ignore=offset == 0x100)
        assert flash.program(0, bytes(0x300)) == 2 * 400 * US
        assert flash.read(0, 0x300) == bytes(0x100) + b"\xff" * 0x100 + bytes(0x100)
        assert flash.operations == 3

    def test_a_slow_operation_takes_longer(self, flash: NorFlash) -> None:
        flash.hook = lambda _kind, _offset, _length: FlashEffect(extra_ns=7)
        assert flash.erase_sector(0) == 45 * MS + 7

    def test_damage_decides_what_the_cells_hold(self, flash: NorFlash) -> None:
        flash.program(0, b"\x0f" * 4)
        seen: list[tuple[bytes, bytes]] = []

        def half(before: bytes, wanted: bytes) -> bytes:
            seen.append((before, wanted))
            return wanted[:2] + before[2:]

        flash.hook = lambda _kind, _offset, _length: FlashEffect(damage=half)
        flash.program(0, b"\xf3" * 4)
        assert seen == [(b"\x0f" * 4, b"\x03" * 4)]
        assert flash.read(0, 4) == b"\x03\x03\x0f\x0f"
        flash.erase_sector(0)
        assert flash.read(0, 4) == b"\xff\xff\x0f\x0f"


PROTECTION = [
    (0x04, 0x00, (0x3F0000, 0x400000)),
    (0x08, 0x00, (0x3E0000, 0x400000)),
    (0x18, 0x00, (0x200000, 0x400000)),
    (0x1C, 0x00, (0x000000, 0x400000)),
    (0x24, 0x00, (0x000000, 0x010000)),
    (0x34, 0x00, (0x000000, 0x100000)),
    (0x44, 0x00, (0x3FF000, 0x400000)),
    (0x50, 0x00, (0x3F8000, 0x400000)),
    (0x64, 0x00, (0x000000, 0x001000)),
    (0x04, 0x40, (0x000000, 0x3F0000)),
    (0x24, 0x40, (0x010000, 0x400000)),
    (0x00, 0x40, (0x000000, 0x400000)),
]
"""Status 1, status 2, protected area of a 4 MiB part. Source: W25Q32JV data sheet, block protection tables."""


class TestProtection:
    @pytest.mark.parametrize(("first", "second", "area"), PROTECTION)
    def test_bits_name_the_area_of_the_data_sheet(self, first: int, second: int, area: tuple[int, int]) -> None:
        flash = NorFlash(W25Q32)
        flash.write_status(1, bytes([first, second]))
        assert flash.status.protected(flash.size) == area

    def test_a_small_part_protects_at_least_one_block(self) -> None:
        flash = NorFlash(part("W25Q16"))
        flash.write_status(1, b"\x04")
        assert flash.status.protected(flash.size) == (0x1F0000, 0x200000)

    def test_protected_cells_ignore_program_and_erase(self, flash: NorFlash) -> None:
        flash.program(0, bytes(0x100))
        flash.write_status(1, b"\x24")
        assert flash.program(0x200, bytes(0x100)) == 0
        assert flash.erase_sector(0) == flash.erase_block64(0) == flash.erase_chip() == 0
        assert flash.read(0, 0x300) == bytes(0x100) + b"\xff" * 0x200

    def test_a_program_over_the_border_fills_only_the_free_pages(self, flash: NorFlash) -> None:
        flash.write_status(1, b"\x24")
        assert flash.program(BLOCK - 0x100, bytes(0x200)) == 400 * US
        assert flash.touched() == [(BLOCK, BLOCK + 0x100)]

    def test_unlock_frees_the_chip_and_keeps_quad_enable(self, flash: NorFlash) -> None:
        flash.write_status(1, b"\x7c\x42")
        flash.unlock()
        assert flash.status.protected(flash.size) == (flash.size, flash.size)
        assert flash.status.live[1] == 0x02
        flash.power_cycle()
        assert flash.status.live[0] == 0


class TestCommands:
    def test_identity(self, flash: NorFlash) -> None:
        assert flash.command(0x9F, None, b"", 3) == bytes.fromhex("ef4016")
        assert flash.command(0x9F, None, b"", 5) == bytes.fromhex("ef4016ffff")
        assert flash.command(0x90, 0, b"", 2) == bytes.fromhex("ef15")
        assert flash.command(0x90, 1, b"", 4) == bytes.fromhex("15ef15ef")
        assert flash.command(0xAB, None, b"", 1) == b"\x15"
        assert NorFlash(W25Q32, unique_id=0x0102030405060708).command(0x4B, None, b"", 8) == bytes(range(1, 9))

    def test_sfdp_reads_from_any_address_and_ff_behind_its_end(self, flash: NorFlash) -> None:
        assert flash.command(0x5A, 0, b"", 4) == b"SFDP"
        assert flash.command(0x5A, 2, b"", 2) == b"DP"
        assert flash.command(0x5A, 0xF0, b"", 0x14) == b"\xff" * 0x10 + b"SFDP"

    def test_the_oracle_part_answers_zeros_to_sfdp(self) -> None:
        assert NorFlash(part("ideal-4mb")).command(0x5A, 0, b"", 4) == bytes(4)

    def test_program_and_erase_need_write_enable_each_time(self, flash: NorFlash) -> None:
        flash.command(0x02, 0, b"\x12", 0)
        assert flash.read(0, 1) == b"\xff"
        flash.command(0x06, None, b"", 0)
        flash.command(0x02, 0, b"\x12", 0)
        flash.command(0x02, 1, b"\x34", 0)
        assert flash.command(0x03, 0, b"", 2) == b"\x12\xff"
        flash.command(0x20, 0, b"", 0)
        assert flash.read(0, 1) == b"\x12"
        flash.command(0x06, None, b"", 0)
        flash.command(0x04, None, b"", 0)
        flash.command(0x20, 0, b"", 0)
        assert flash.read(0, 1) == b"\x12"
        flash.command(0x06, None, b"", 0)
        flash.command(0x20, 0xABC, b"", 0)
        assert flash.read(0, 1) == b"\xff"

    @pytest.mark.parametrize(("opcode", "size"), [(0x20, 0x1000), (0x52, 0x8000), (0xD8, 0x10000), (0xC7, 4 << 20)])
    def test_erase_commands_erase_their_unit(self, flash: NorFlash, opcode: int, size: int) -> None:
        flash.load(0, bytes(0x20000))
        flash.command(0x06, None, b"", 0)
        flash.command(opcode, 0x123, b"", 0)
        assert flash.is_blank(0, size)
        assert size >= 0x20000 or flash.read(size, 1) == b"\0"

    def test_page_program_wraps_inside_its_page(self, flash: NorFlash) -> None:
        flash.command(0x06, None, b"", 0)
        flash.command(0x02, 0x1FE, b"abcd", 0)
        assert flash.read(0x100, 2) == b"cd"
        assert flash.read(0x1FE, 4) == b"ab\xff\xff"

    def test_of_more_than_a_page_only_the_last_256_bytes_count(self, flash: NorFlash) -> None:
        flash.command(0x06, None, b"", 0)
        flash.command(0x02, 0, b"xy" + bytes(range(256)), 0)
        assert flash.read(0, 4) == bytes([254, 255, 0, 1])
        assert flash.read(254, 3) == bytes([252, 253, 255])

    def test_reading_wraps_at_the_end_of_the_chip(self, flash: NorFlash) -> None:
        flash.load(flash.size - 2, b"yz")
        flash.load(0, b"ab")
        assert flash.command(0x0B, flash.size - 2, b"", 4) == b"yzab"

    def test_a_busy_chip_answers_nothing_but_its_status(self, flash: NorFlash) -> None:
        flash.command(0x06, None, b"", 0, now_ns=1000)
        assert flash.command(0x05, None, b"", 1, now_ns=1000) == b"\x02"
        flash.command(0x20, 0, b"", 0, now_ns=1000)
        assert flash.busy_until == 1000 + 45 * MS
        assert flash.command(0x05, None, b"", 2, now_ns=2000) == b"\x03\x03"
        assert flash.command(0x9F, None, b"", 3, now_ns=2000) == b"\xff\xff\xff"
        flash.command(0x06, None, b"", 0, now_ns=2000)
        assert flash.command(0x05, None, b"", 1, now_ns=1000 + 45 * MS) == b"\x00"
        assert flash.command(0x9F, None, b"", 3, now_ns=1000 + 45 * MS) == bytes.fromhex("ef4016")

    def test_deep_power_down_leaves_only_the_release(self, flash: NorFlash) -> None:
        flash.command(0xB9, None, b"", 0)
        assert flash.powered_down
        assert flash.command(0x9F, None, b"", 3) == b"\xff\xff\xff"
        assert flash.command(0x05, None, b"", 1) == b"\xff"
        flash.command(0xAB, None, b"", 0)
        assert flash.command(0x9F, None, b"", 3) == bytes.fromhex("ef4016")

    def test_status_registers_by_command(self, flash: NorFlash) -> None:
        assert [flash.command(op, None, b"", 1)[0] for op in (0x05, 0x35, 0x15)] == [0x00, 0x02, 0x60]
        flash.command(0x01, None, b"\x1c", 0)
        assert flash.command(0x05, None, b"", 1) == b"\x00"
        flash.command(0x06, None, b"", 0)
        flash.command(0x01, None, b"\x1f\x42", 0)
        assert [flash.command(op, None, b"", 1)[0] for op in (0x05, 0x35, 0x15)] == [0x1C, 0x42, 0x60]
        for enable, write, value in ((0x06, 0x31, b"\x00"), (0x06, 0x11, b"\x04")):
            flash.command(enable, None, b"", 0)
            flash.command(write, None, value, 0)
        assert [flash.command(op, None, b"", 1)[0] for op in (0x05, 0x35, 0x15)] == [0x1C, 0x00, 0x04]

    def test_volatile_status_is_lost_at_reset_and_lock_bits_stay_set(self, flash: NorFlash) -> None:
        flash.command(0x50, None, b"", 0)
        flash.command(0x01, None, b"\x1c", 0)
        assert flash.command(0x05, None, b"", 1) == b"\x1c"
        flash.command(0x66, None, b"", 0)
        flash.command(0x05, None, b"", 1)
        flash.command(0x99, None, b"", 0)
        assert flash.command(0x05, None, b"", 1) == b"\x1c", "66 and 99 must follow each other"
        flash.command(0x66, None, b"", 0)
        flash.command(0x99, None, b"", 0)
        assert flash.command(0x05, None, b"", 1) == b"\x00"
        flash.write_status(2, b"\x08")
        flash.write_status(2, b"\x00")
        assert flash.command(0x35, None, b"", 1) == b"\x08"

    def test_reset_ends_an_erase(self, flash: NorFlash) -> None:
        flash.command(0x06, None, b"", 0, now_ns=0)
        flash.command(0xC7, None, b"", 0, now_ns=0)
        flash.command(0x66, None, b"", 0, now_ns=10)
        flash.command(0x99, None, b"", 0, now_ns=10)
        assert flash.command(0x05, None, b"", 1, now_ns=10) == b"\x00"

    def test_power_cycle_ends_everything_but_the_content(self, flash: NorFlash) -> None:
        flash.command(0x06, None, b"", 0, now_ns=0)
        flash.command(0x02, 0, b"kept", 0, now_ns=0)
        flash.command(0xB9, None, b"", 0)
        flash.power_cycle()
        assert flash.command(0x03, 0, b"", 4, now_ns=1) == b"kept"


Step = tuple[str, int, bytes]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("program"), st.integers(0, 0x1FFFF), st.binary(max_size=700)),
        st.tuples(st.just("fill"), st.integers(0, 0x1FFFF), st.just(b"\x5a") | st.just(b"\xff")),
        st.tuples(st.just("sector"), st.integers(0, 0x1FFFF), st.just(b"")),
        st.tuples(st.just("block"), st.integers(0, 0x1FFFF), st.just(b"")),
        st.tuples(st.just("erase"), st.integers(0, 0x1FFFF), st.binary(max_size=2)),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(steps, st.booleans())
def test_the_array_is_a_naive_array(program: list[Step], hooked: bool) -> None:
    flash = NorFlash(part("W25Q16"))
    if hooked:
        flash.hook = lambda _kind, _offset, _length: None
    naive = bytearray(b"\xff" * 0x40000)
    for kind, offset, data in program:
        match kind:
            case "program" | "fill":
                data = data * 0x2345 if kind == "fill" else data
                flash.program(offset, data)
                naive[offset : offset + len(data)] = naive_and(naive[offset : offset + len(data)], data)
                continue
            case "sector":
                flash.erase_sector(offset)
                start, end = offset // SECTOR * SECTOR, offset // SECTOR * SECTOR + SECTOR
            case "block":
                flash.erase_block64(offset)
                start, end = offset // BLOCK * BLOCK, offset // BLOCK * BLOCK + BLOCK
            case _:
                length = int.from_bytes(data, "little")
                flash.erase(offset, length)
                start = offset // SECTOR * SECTOR
                end = -(-(offset + length) // SECTOR) * SECTOR if length else start
        naive[start:end] = b"\xff" * (end - start)
    assert flash.read(0, len(naive)) == naive
    assert flash.md5(5, 0x30000) == hashlib.md5(naive[5 : 5 + 0x30000]).digest()
    outside = bytearray(naive)
    for start, end in flash.touched():
        assert naive[start] != 0xFF
        assert naive[end - 1] != 0xFF
        outside[start:end] = b"\xff" * (end - start)
    assert outside == b"\xff" * len(naive)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0x06, 0x50, 0x02, 0x20, 0x52, 0xD8, 0xC7, 0x01, 0x31, 0x11, 0xB9, 0xAB, 0x66, 0x99])
            | st.integers(0, 255),
            st.none() | st.integers(0, 0xFFFFFF),
            st.binary(max_size=300),
            st.integers(0, 300),
            st.integers(0, 10**10),
        ),
        max_size=20,
    )
)
def test_any_command_answers_exactly_what_was_clocked(
    commands: list[tuple[int, int | None, bytes, int, int]],
) -> None:
    flash = NorFlash(part("W25Q16"))
    for opcode, address, data, count, now in commands:
        assert len(flash.command(opcode, address, data, count, now_ns=now)) == count
    assert len(flash.image()) == flash.size
