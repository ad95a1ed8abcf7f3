"""What can be known to be wrong before the first byte is written.

The checks look at the flash as it will be: a region may be a single image, or a merged file that covers bootloader,
partition table and apps at once, so images are sought at the places where the chip will look for them, in whatever region
covers that place, and besides at the start of each region. What cannot work raises; what may be meant becomes a
`ImageWarning`. Source: fault catalogue, rows wrong-offset, wrong-chip-or-board, does-not-fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from flashcore.chips import SECTOR_SIZE, ChipSpec
from flashcore.errors import (
    BadHeaderError,
    ContextValue,
    DoesNotFitError,
    ImageError,
    OverlapError,
    UsageError,
    WrongChipError,
    WrongOffsetError,
)
from flashcore.image import partition_table
from flashcore.image.firmware import Firmware, Role
from flashcore.image.parser import MAGIC, is_esp8266, looks_like_image, parse
from flashcore.image.partition_table import APP_ALIGNMENT, Partition, PartitionTable
from flashcore.image.region import Region

_USUAL_APP_OFFSET = 0x10000
_FOREIGN = (
    (b"\x7fELF", "an ELF file", "convert it with esptool elf2image, or take the .bin beside it"),
    (b"UF2\n", "a UF2 file", "take the .bin of the same build"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (b"\x1f\x8b", "a gzip file", "unpack it first"),
    (b":10", "an Intel HEX file", "convert it to .bin first"),
    (b":02", "an Intel HEX file", "convert it to .bin first"),
    (b"<!DOCTYPE", "a web page", "the download went wrong: fetch the raw file"),
    (b"<html", "a web page", "the download went wrong: fetch the raw file"),
    (b"\xea", "an image in the old format of the ESP8266", "take the file that was built for this chip"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWarning:
    """Something odd that may be meant.

    Args:
        code: Stable dotted code, of the same family as the errors.
        message: What is odd, and what was expected.
        region: Name of the region it is about.
        offset: Place in flash it is about.
    """

    code: str
    message: str
    region: str
    offset: int

    def to_json(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {"code": self.code, "message": self.message, "region": self.region, "offset": self.offset}


def check(
    regions: Sequence[Region],
    chip: ChipSpec,
    flash_size: int,
    *,
    force: bool = False,
    installed: PartitionTable | None = None,
) -> list[ImageWarning]:
    """Refuse regions that cannot work, and return what is odd about the others.

    Args:
        regions: What is to be written; `data` that is no firmware is let through.
        chip: The chip they go to.
        flash_size: Bytes of its flash.
        force: Let images through that are damaged, for another chip, or at a place where they cannot start, with a
            warning. Addresses that cannot be written are refused all the same.
        installed: The partition table on the flash, which counts where no region brings another.

    Raises:
        UsageError: An offset is negative or no multiple of 4096.
        DoesNotFitError: A region reaches beyond the flash, or an app beyond its partition.
        OverlapError: Two regions share a sector, or two partitions overlap.
        BadHeaderError: An image or a partition table is damaged or cut off.
        WrongChipError: An image was built for another chip.
        WrongOffsetError: A bootloader, an app or a partition table where the chip does not look for one.
    """
    _check_places(regions, flash_size)
    return _ContentCheck(regions, chip, flash_size, force, installed).run()


def _check_places(regions: Sequence[Region], flash_size: int) -> None:
    for region in regions:
        if region.offset < 0 or region.offset % SECTOR_SIZE:
            nearest = max(0, round(region.offset / SECTOR_SIZE)) * SECTOR_SIZE
            raise UsageError(
                f"{region.name}: 0x{region.offset:x} is no place to write to, expected a multiple of 0x{SECTOR_SIZE:x}"
                if region.offset >= 0
                else f"{region.name}: {region.offset} is below the start of the flash, expected 0 or more",
                hint=f"the nearest is 0x{nearest:x}",
                code="usage.unaligned",
                context={"name": region.name, "offset": region.offset, "nearest": nearest},
            )
        if region.end > flash_size:
            too_many = region.end - flash_size
            raise DoesNotFitError(
                f"{region.name}: {region.size} bytes at 0x{region.offset:x} are {too_many} bytes too many for the flash "
                f"of {_size(flash_size)}",
                hint="check the address and the flash size, or build a smaller image",
                context={"name": region.name, "offset": region.offset, "size": region.size, "too_many": too_many},
            )
    for left, right in itertools.pairwise(sorted(regions, key=lambda region: region.offset)):
        if -(-left.end // SECTOR_SIZE) * SECTOR_SIZE > right.offset:
            raise OverlapError(
                f"{left.name} at 0x{left.offset:x} to 0x{left.end:x} and {right.name} at 0x{right.offset:x} want the same "
                f"flash sectors of 0x{SECTOR_SIZE:x} bytes",
                hint="move one of the two, or write them one after the other",
                context={"first": left.name, "second": right.name, "offset": right.offset},
            )


class _ContentCheck:
    """One run over the contents; collects warnings."""

    def __init__(
        self, regions: Sequence[Region], chip: ChipSpec, flash_size: int, force: bool, installed: PartitionTable | None
    ) -> None:
        self._regions = regions
        self._chip = chip
        self._flash_size = flash_size
        self._force = force
        self._installed = installed
        self._warnings: list[ImageWarning] = []
        self._table: PartitionTable | None = None
        self._places: frozenset[int] = frozenset()

    def run(self) -> list[ImageWarning]:
        self._table = self._read_table()
        boot = self._chip.bootloader_offset
        apps = self._table.apps if self._table else ()
        app_offsets = {partition.offset for partition in apps} if self._table else {_USUAL_APP_OFFSET}
        self._places = frozenset({boot} | app_offsets)
        self._check_bootloader()
        for partition in apps:
            self._check_app(partition)
        if self._table is None:
            self._image_at(_USUAL_APP_OFFSET)
        for region in self._regions:
            self._check_stray_table(region)
            if region.offset not in self._places:
                self._check_elsewhere(region)
        return self._warnings

    def _covering(self, offset: int) -> tuple[Region, memoryview] | None:
        """Return the region that will be at `offset`, and its bytes from there on."""
        for region in self._regions:
            if region.offset <= offset < region.end:
                return region, memoryview(region.data)[offset - region.offset :]
        return None

    def _read_table(self) -> PartitionTable | None:
        offset = self._chip.partition_table_offset
        covering = self._covering(offset)
        if covering is None:
            return self._installed
        region, view = covering
        data = bytes(view[: partition_table.TABLE_SIZE])
        if not partition_table.is_table(data):
            if region.offset == offset and view[0] != MAGIC:
                self._warn("image.not_a_table", region, offset, f"expected a partition table at 0x{offset:x}")
            return None
        try:
            table = partition_table.parse(data, region.name)
            table.validate(flash_size=self._flash_size, table_offset=offset, name=region.name)
        except ImageError as error:
            self._refuse(error, region, offset)
            return None
        return table

    def _image_at(self, offset: int) -> tuple[Region, Firmware] | None:
        """Return the intact image for this chip at `offset`, with the region that holds it.

        A damaged or foreign image is refused. Data that merely starts with the magic byte is let through, unless a region
        or a partition makes this a place where the chip looks for an image.
        """
        covering = self._covering(offset)
        if covering is None:
            return None
        region, view = covering
        looked_for = offset in self._places and (region.offset == offset or self._table is not None)
        if view[0] != MAGIC:
            if offset in self._places and region.offset == offset:
                self._refuse_foreign(region, bytes(view[:16]))
            return None
        try:
            firmware = parse(view, region.name)
            firmware.check(region.name)
        except BadHeaderError as error:
            if is_esp8266(view):
                self._refuse(self._wrong_chip(region, "ESP8266"), region, offset)
            elif looked_for or looks_like_image(view):
                self._refuse(error, region, offset)
            return None
        if firmware.header.chip_id != self._chip.image_chip_id:
            other = firmware.chip.name if firmware.chip else f"an unknown chip (id {firmware.header.chip_id})"
            self._refuse(self._wrong_chip(region, other), region, offset)
            return None
        return region, firmware

    def _refuse_foreign(self, region: Region, start: bytes) -> None:
        for magic, what, hint in _FOREIGN:
            if start.startswith(magic):
                error = BadHeaderError(
                    f"{region.name}: this is {what}, expected a firmware image, which starts with 0x{MAGIC:02x}",
                    hint=hint,
                    context={"name": region.name, "offset": 0},
                )
                self._refuse(error, region, region.offset)
                return
        if region.offset == self._chip.bootloader_offset:
            self._warn(
                "image.not_firmware",
                region,
                region.offset,
                f"expected a bootloader image, which starts with 0x{MAGIC:02x}, found 0x{start[0]:02x}: "
                f"the {self._chip.name} will not boot from it",
            )

    def _wrong_chip(self, region: Region, other: str) -> WrongChipError:
        return WrongChipError(
            f"{region.name}: this image is for {other}, expected one for {self._chip.name}",
            hint=f"take the file that was built for {self._chip.name}, or check which board this is",
            context={"name": region.name, "image_chip": other, "chip": self._chip.name},
        )

    def _check_bootloader(self) -> None:
        found = self._image_at(self._chip.bootloader_offset)
        if found is None:
            return
        region, firmware = found
        boot, table = self._chip.bootloader_offset, self._chip.partition_table_offset
        if firmware.role is Role.APP:
            self._misplaced(
                region,
                boot,
                f"an app at 0x{boot:x}, where the {self._chip.name} expects its bootloader",
                f"write it to the start of an app partition, usually 0x{_USUAL_APP_OFFSET:x}",
            )
        elif boot < table < boot + firmware.size:
            self._warn(
                "image.covers_table",
                region,
                boot,
                f"the bootloader has {firmware.size} bytes and reaches into the partition table at 0x{table:x}",
            )
        wanted = firmware.header.flash_size
        if wanted is not None and wanted > self._flash_size:
            self._warn(
                "image.flash_size",
                region,
                boot,
                f"the image was built for {_size(wanted)} of flash, but there are {_size(self._flash_size)}: "
                f"bootloaders refuse to start then",
            )

    def _check_app(self, partition: Partition) -> None:
        found = self._image_at(partition.offset)
        if found is None or found[1].size <= partition.size:
            return
        region, firmware = found
        too_many = firmware.size - partition.size
        error = DoesNotFitError(
            f"{region.name}: the app has {firmware.size} bytes, {too_many} too many for partition {partition.name!r} "
            f"of {partition.size} bytes",
            hint="use a partition table with larger app partitions, or build a smaller app",
            context={"name": region.name, "partition": partition.name, "too_many": too_many},
        )
        self._refuse(error, region, partition.offset)

    def _check_elsewhere(self, region: Region) -> None:
        """Look at an image that starts where the chip does not look for one."""
        found = self._image_at(region.offset)
        if found is None:
            return
        _, firmware = found
        boot = self._chip.bootloader_offset
        if firmware.role is Role.BOOTLOADER:
            message = f"a bootloader at 0x{region.offset:x}, expected at 0x{boot:x} on the {self._chip.name}"
            self._misplaced(region, region.offset, message, f"write it to 0x{boot:x}", boot)
            return
        if self._table is not None:
            places = ", ".join(f"0x{app.offset:x} ({app.name})" for app in self._table.apps)
            expected = f"at the start of an app partition: {places}" if places else "no app: the table has no place for one"
        elif region.offset % APP_ALIGNMENT or region.offset == 0:
            expected = f"at a multiple of 0x{APP_ALIGNMENT:x} above 0, usually 0x{_USUAL_APP_OFFSET:x}"
        else:
            return
        self._misplaced(region, region.offset, f"an app at 0x{region.offset:x}, expected {expected}", "correct the address")

    def _check_stray_table(self, region: Region) -> None:
        """Refuse a partition table where none is looked for; projects may move it, but never onto one of its own partitions."""
        place = self._chip.partition_table_offset
        data = bytes(region.data[: partition_table.TABLE_SIZE])
        if region.offset == place or not partition_table.is_table(data):
            return
        try:
            partition_table.parse(data, region.name).validate(table_offset=region.offset, name=region.name)
        except ImageError:
            moved = False
        else:
            moved = region.offset > self._chip.bootloader_offset
        if not moved:
            message = f"a partition table at 0x{region.offset:x}, expected at 0x{place:x}"
            self._misplaced(region, region.offset, message, f"write it to 0x{place:x}", place)

    def _misplaced(self, region: Region, offset: int, message: str, hint: str, expected: int | None = None) -> None:
        """Refuse what cannot start where it is; only warn if forced, or if the place is a partition for data."""
        partitions = self._table.partitions if self._table else ()
        is_data = any(not one.is_app and one.offset <= offset < one.end for one in partitions)
        if self._force or is_data:
            self._warn(WrongOffsetError.code, region, offset, message)
            return
        context: dict[str, ContextValue] = {"name": region.name, "offset": offset}
        if expected is not None:
            context["expected"] = expected
        raise WrongOffsetError(f"{region.name}: {message}", hint=f"{hint}, or --force if it is meant", context=context)

    def _refuse(self, error: ImageError, region: Region, offset: int) -> None:
        """Raise `error`; only warn if forced, or if a table says that this is not a place for images."""
        may_be_data = self._table is not None and offset not in self._places
        if not (self._force or may_be_data):
            raise error
        self._warnings.append(ImageWarning(code=error.code, message=error.message, region=region.name, offset=offset))

    def _warn(self, code: str, region: Region, offset: int, message: str) -> None:
        self._warnings.append(ImageWarning(code=code, message=f"{region.name}: {message}", region=region.name, offset=offset))


def _size(count: int) -> str:
    """Return `count` bytes in words."""
    return f"{count >> 20} MiB" if count and count % (1 << 20) == 0 else f"{count} bytes"
