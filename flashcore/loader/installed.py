"""The partition table that is on the flash already, against which a lone app is checked.

An update is often the app alone, and whether its address is right depends on a table that came with an earlier install. So the
table is read, as far as it goes, but only when an image is to be written and no table comes with it. Source: fault catalogue
row 15.
"""

from __future__ import annotations

from collections.abc import Sequence

from flashcore.errors import ImageError
from flashcore.image import PartitionTable, Region, parse_partition_table
from flashcore.image.parser import MAGIC
from flashcore.image.partition_table import TABLE_SIZE, is_table
from flashcore.loader import reader
from flashcore.loader.target import Target

_STEP = 0x100
"""How much is read at a time: room for seven entries, a usual table with its MD5."""


def table(target: Target, regions: Sequence[Region]) -> PartitionTable | None:
    """Return the table on the flash, if `regions` should be checked against it and it is whole.

    Raises:
        TransferError: No flash chip answers.
        PortError: The port cannot be used any more.
    """
    place = target.chip.partition_table_offset
    if any(region.offset <= place < region.end for region in regions):
        return None
    if not any(region.data[:1] == bytes([MAGIC]) for region in regions):
        return None
    target.flash_size()
    data = b""
    while len(data) < TABLE_SIZE:
        more = reader.piece(target, place + len(data), _STEP)
        if more is None or not is_table(data + more):
            return None
        data += more
        if more.endswith(b"\xff" * 32):
            break
    try:
        return parse_partition_table(data.ljust(TABLE_SIZE, b"\xff"), "the partition table on the flash")
    except ImageError:
        return None
