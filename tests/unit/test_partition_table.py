"""Claims about partition tables: reading, building, and refusing what cannot work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.errors import BadHeaderError, DoesNotFitError, ImageError, OverlapError
from flashcore.image import Partition, PartitionTable, PartitionType, parse_partition_table
from tests import images

TABLE = images.make_partition_table(images.TWO_OTA)
PROTECTED = len(images.TWO_OTA) * 32 + 32


def app(offset: int, size: int, name: str = "app") -> Partition:
    return Partition(name=name, type=PartitionType.APP, subtype=0, offset=offset, size=size)


def data(offset: int, size: int, name: str = "data") -> Partition:
    return Partition(name=name, type=PartitionType.DATA, subtype=2, offset=offset, size=size)


def test_a_table_is_read() -> None:
    table = parse_partition_table(TABLE)
    assert [(part.name, part.type_name, part.subtype_name, part.offset, part.size) for part in table.partitions] == [
        ("nvs", "data", "nvs", 0x9000, 0x5000),
        ("otadata", "data", "ota", 0xE000, 0x2000),
        ("app0", "app", "ota_0", 0x10000, 0x140000),
        ("app1", "app", "ota_1", 0x150000, 0x140000),
        ("spiffs", "data", "spiffs", 0x290000, 0x160000),
        ("coredump", "data", "coredump", 0x3F0000, 0x10000),
    ]
    assert [part.name for part in table.apps] == ["app0", "app1"]
    assert table.has_md5
    table.validate(flash_size=4 << 20)


def test_a_built_table_has_the_bytes_of_a_table_built_elsewhere() -> None:
    assert parse_partition_table(TABLE).build() == TABLE
    assert parse_partition_table(images.make_partition_table(md5=False)).build() == images.make_partition_table(md5=False)


def test_what_follows_the_table_is_ignored() -> None:
    assert parse_partition_table(TABLE + b"\x12" * 5000) == parse_partition_table(TABLE)


@given(st.integers(0, PROTECTED - 1), st.integers(1, 255))
def test_a_corrupted_byte_is_noticed(offset: int, mask: int) -> None:
    damaged = bytearray(TABLE)
    damaged[offset] ^= mask
    with pytest.raises(BadHeaderError):
        parse_partition_table(bytes(damaged))


@given(st.integers(0, PROTECTED + 31))
def test_a_truncated_table_is_noticed(size: int) -> None:
    with pytest.raises(BadHeaderError):
        parse_partition_table(TABLE[:size])


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda tail: TABLE[:96] + tail)))
def test_any_bytes_give_a_table_or_an_image_error(blob: bytes) -> None:
    try:
        table = parse_partition_table(blob)
    except ImageError:
        return
    assert table.partitions


labels = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=16)
numbers = st.integers(0, 0xFFFFFFFF)
partitions = st.builds(
    Partition,
    name=labels,
    type=st.sampled_from([*PartitionType, 0x40, 0xFE]),
    subtype=st.integers(0, 255),
    offset=numbers,
    size=numbers,
    flags=numbers,
)


@given(st.lists(partitions, min_size=1, max_size=20).map(tuple), st.booleans())
def test_a_built_table_reads_back_the_same(rows: tuple[Partition, ...], has_md5: bool) -> None:
    table = PartitionTable(partitions=rows, has_md5=has_md5)
    assert parse_partition_table(table.build()) == table
    for part in rows:
        assert part.subtype_name


def test_the_largest_table_has_94_entries_and_an_md5() -> None:
    rows = tuple(data(0x9000 + number * 0x1000, 0x1000) for number in range(95))
    table = PartitionTable(partitions=rows[:94])
    assert parse_partition_table(table.build()) == table
    with pytest.raises(ImageError, match="95 partitions do not fit"):
        PartitionTable(partitions=rows).build()
    assert parse_partition_table(PartitionTable(partitions=rows, has_md5=False).build()).partitions == rows


@pytest.mark.parametrize(
    "part",
    [data(0x9000, 0x1000, "seventeen letters"), data(-1, 0x1000), data(1 << 32, 0x1000), data(0, 0x1000, "ü" * 9)],
)
def test_a_partition_that_does_not_fit_its_entry_is_refused(part: Partition) -> None:
    with pytest.raises(ImageError) as caught:
        PartitionTable(partitions=(part,)).build()
    assert caught.value.code == "image.bad_partition"


def test_overlapping_partitions_are_refused_by_name() -> None:
    table = PartitionTable(partitions=(app(0x20000, 0x10000, "late"), app(0x10000, 0x11000, "early")))
    with pytest.raises(OverlapError, match=r"'early' ends at 0x21000, but 'late' starts at 0x20000"):
        table.validate()


def test_a_partition_over_the_table_itself_is_refused() -> None:
    with pytest.raises(OverlapError, match=r"'partition table' ends at 0x9000, but 'nvs' starts at 0x8000"):
        PartitionTable(partitions=(data(0x8000, 0x1000, "nvs"),)).validate()
    PartitionTable(partitions=(data(0x8000, 0x1000, "nvs"),)).validate(table_offset=0x10000)


@pytest.mark.parametrize(
    ("part", "expected"),
    [(app(0x11000, 0x1000), "0x10000"), (data(0x9100, 0x1000), "0x9000")],
)
def test_a_misaligned_partition_is_refused_with_the_nearest_place(part: Partition, expected: str) -> None:
    with pytest.raises(BadHeaderError, match="expected a multiple of") as caught:
        PartitionTable(partitions=(part,)).validate()
    assert expected in caught.value.hint


def test_entries_for_bootloader_and_table_may_cover_their_own_place() -> None:
    boot = Partition(name="boot", type=PartitionType.BOOTLOADER, subtype=0, offset=0x1000, size=0x7000)
    table = Partition(name="table", type=PartitionType.PARTITION_TABLE, subtype=0, offset=0x8000, size=0x1000)
    PartitionTable(partitions=(boot, table, data(0x9000, 0x1000))).validate()


def test_a_table_without_partitions_is_refused() -> None:
    with pytest.raises(BadHeaderError, match="expected a partition, magic aa 50, at offset 0x0, found the end"):
        parse_partition_table(b"\xff" * 0xC00)


def test_entries_behind_the_md5_are_refused() -> None:
    table = TABLE[:PROTECTED] + data(0x3FF000, 0x1000).build() + b"\xff" * 64
    with pytest.raises(BadHeaderError, match="after the MD5"):
        parse_partition_table(table)


def test_an_empty_partition_is_refused() -> None:
    with pytest.raises(BadHeaderError, match="'data' is empty"):
        PartitionTable(partitions=(data(0x9000, 0),)).validate()


def test_a_table_for_a_larger_flash_is_refused_with_the_excess() -> None:
    with pytest.raises(DoesNotFitError, match="'app1' ends at 0x290000, 589824 bytes beyond") as caught:
        parse_partition_table(TABLE).validate(flash_size=2 << 20)
    assert caught.value.context == {"name": "partition table", "partition": "app1", "too_many": 0x90000}


def test_an_unknown_type_stays_a_number() -> None:
    table = PartitionTable(partitions=(Partition(name="x", type=0x40, subtype=7, offset=0x9000, size=0x1000),))
    part = parse_partition_table(table.build()).partitions[0]
    assert (part.type, part.type_name, part.subtype_name) == (0x40, "0x40", "0x07")
