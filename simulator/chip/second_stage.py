"""The second stage boot loader of ESP-IDF: from a valid image at 0x1000 to the app, or to the real texts of a failed boot.

It lists the partition table, picks an app by the OTA data, checks header, segments, checksum and digest of that app and falls
back to others; if none is good it resets the chip, and the loop shows on the line as it does on a desk. Time stamps are
milliseconds since the reset, as spent in this model.

Source: log lines of ESP-IDF 4.4 to 5.1 as public logs show them, ESP-IDF documentation ("Bootloader", "Partition Tables",
"OTA Data Partition"). Fidelity: from source; which of several error lines comes first is guessed in rare cases. Secure boot,
turning flash encryption on, roll-back and deep sleep are not modelled.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType

from simulator.chip.app_check import LoadedApp, check_app
from simulator.chip.boot_image import HEADER_SIZE, BootHeader, read
from simulator.chip.firmware import application
from simulator.chip.flash_encryption import is_encrypted
from simulator.chip.idf_log import IdfLog
from simulator.chip.program import Program
from simulator.chip.script import Script, Step, Steps
from simulator.chip.soc import ResetCause, Soc
from simulator.kernel import MS

HEADER_OFFSET = 0x1000
TABLE_OFFSET = 0x8000
TABLE_SIZE = 0xC00

IDF_VERSION = "v5.1.4"
"""Version that a boot loader without a description of itself claims."""
COMPILED = "Jan  2 2025 12:34:56"
"""Its date."""

_ENTRY = Struct("<HBBII16sI")
_MAGIC = 0x50AA
_MAGIC_MD5 = 0xEBEB
_APP, _DATA = 0x00, 0x01
_FACTORY, _OTA_FIRST, _TEST = 0x00, 0x10, 0x20
_OTA_LAST = 0x1F
_DATA_OTA = 0x00

_OTA_ENTRY = Struct("<I20sII")
_DESCRIPTION = Struct("<B3xI32s24s")
_DESCRIPTION_MAGIC = 0x50

_DATA_USAGE: Mapping[int, str] = MappingProxyType(
    {0x00: "OTA data", 0x01: "RF data", 0x02: "WiFi data", 0x04: "NVS keys", 0x05: "efuse"}
)
_APP_USAGE: Mapping[int, str] = MappingProxyType({_FACTORY: "factory app", _TEST: "test app"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One usable entry of the table."""

    kind: int
    subtype: int
    offset: int
    size: int
    label: str

    @property
    def usage(self) -> str:
        """The loader's words for it."""
        if self.kind == _APP:
            return _APP_USAGE.get(self.subtype, "OTA app" if _OTA_FIRST <= self.subtype <= _OTA_LAST else "Unknown app")
        return _DATA_USAGE.get(self.subtype, "Unknown data") if self.kind == _DATA else "Unknown"


class _TableError(Exception):
    """The partition table is refused; the text is what the loader logs."""


def second_stage(soc: Soc, since_ns: int) -> Program:
    """Return the boot loader, which the ROM has just loaded from flash.

    Args:
        soc: The chip.
        since_ns: When it was reset.
    """
    return Script(soc, _run(soc, IdfLog(soc, since_ns)))


def _run(soc: Soc, log: IdfLog) -> Steps:
    header = BootHeader.parse(read(soc.boot_flash, HEADER_OFFSET, HEADER_SIZE))
    yield from _introduction(soc, header, log)
    try:
        places = _table(read(soc.boot_flash, TABLE_OFFSET, TABLE_SIZE), header.flash_size)
    except _TableError as error:
        yield log.error("flash_parts", str(error))
        yield log.error("boot", "Failed to verify partition table")
        yield log.error("boot", "load partition table error!")
        yield from _give_up(soc, "bad partition table")
        return
    yield log.info("boot", "Partition Table:")
    yield log.info("boot", "## Label            Usage          Type ST Offset   Length")
    for number, place in enumerate(places):
        row = f"{number:2d} {place.label:<16s} {place.usage:<16s} {place.kind:02x} {place.subtype:02x}"
        yield log.info("boot", f"{row} {place.offset:08x} {place.size:08x}")
    yield log.info("boot", "End of partition table")
    yield from _boot_an_app(soc, log, places)


def _introduction(soc: Soc, header: BootHeader, log: IdfLog) -> Steps:
    version, compiled = _description(soc)
    yield log.info("boot", f"ESP-IDF {version} 2nd stage bootloader")
    yield log.info("boot", f"compile time {compiled}")
    yield log.info("boot", "Multicore bootloader")
    major, minor = divmod(log.revision, 100)
    yield log.info("boot", f"chip revision: v{major}.{minor}")
    yield log.info("boot.esp32", f"SPI Speed      : {header.speed_mhz}MHz")
    yield log.info("boot.esp32", f"SPI Mode       : {header.mode_name}")
    yield log.info("boot.esp32", f"SPI Flash Size : {header.flash_size >> 20}MB")
    yield log.info("boot", "Enabling RNG early entropy source...")


def _description(soc: Soc) -> tuple[str, str]:
    """Return version and date from the description that newer loaders carry at the start of their first segment."""
    data = read(soc.boot_flash, HEADER_OFFSET + HEADER_SIZE + 8, _DESCRIPTION.size)
    magic, _, version, compiled = _DESCRIPTION.unpack(data)
    texts = [field.partition(b"\0")[0] for field in (version, compiled)]
    if magic == _DESCRIPTION_MAGIC and all(text.isascii() and text.decode("ascii").isprintable() for text in texts):
        return texts[0].decode("ascii"), texts[1].decode("ascii")
    return IDF_VERSION, COMPILED


def _table(data: bytes, flash_size: int) -> list[_Place]:
    """Read the partition table.

    Raises:
        _TableError: The loader would refuse it.
    """
    places: list[_Place] = []
    md5_seen = False
    for number in range(TABLE_SIZE // _ENTRY.size):
        at = number * _ENTRY.size
        magic, kind, subtype, offset, size, label, _ = _ENTRY.unpack_from(data, at)
        if magic == _MAGIC:
            if offset + size > flash_size:
                where = f"offset 0x{offset:x} size 0x{size:x} exceeds flash chip size 0x{flash_size:x}"
                raise _TableError(f"partition {number} invalid - {where}")
            text = label.partition(b"\0")[0].decode("ascii", "backslashreplace")
            places.append(_Place(kind=kind, subtype=subtype, offset=offset, size=size, label=text))
        elif magic == _MAGIC_MD5:
            if md5_seen:
                raise _TableError("Only one MD5 checksum is allowed")
            if hashlib.md5(data[:at], usedforsecurity=False).digest() != data[at + 16 : at + 32]:
                raise _TableError("Incorrect MD5 checksum")
            md5_seen = True
        elif magic == 0xFFFF and kind == 0xFF and subtype == 0xFF:
            return places
        else:
            raise _TableError(f"partition {number} invalid magic number 0x{magic:x}")
    raise _TableError("partition table has no terminating entry, not valid")


def _boot_an_app(soc: Soc, log: IdfLog, places: list[_Place]) -> Steps:
    apps = [place for place in places if place.kind == _APP]
    factory = next((place for place in apps if place.subtype == _FACTORY), None)
    test = next((place for place in apps if place.subtype == _TEST), None)
    slots = {place.subtype - _OTA_FIRST: place for place in apps if _OTA_FIRST <= place.subtype <= _OTA_LAST}
    chosen = _chosen_slot(soc, places, len(slots))
    if chosen is None and factory is None and slots:
        yield log.info("boot", "No factory image, trying OTA 0")
        chosen = 0
    elif chosen is None and factory is not None and slots:
        yield log.info("boot", "Defaulting to factory image")
    for name, place in _candidates(factory, slots, chosen):
        app = yield from check_app(soc, log, place.offset, place.size)
        if app is not None:
            yield from _start(soc, log, place, app)
            return
        yield log.error("boot", f"{name} is not bootable")
    if test is not None:
        app = yield from check_app(soc, log, test.offset, test.size)
        if app is not None:
            yield log.warning("boot", "Falling back to test app as only bootable partition")
            yield from _start(soc, log, test, app)
            return
    yield log.error("boot", "No bootable app partitions in the partition table")
    yield from _give_up(soc, "no bootable app")


def _candidates(factory: _Place | None, slots: Mapping[int, _Place], chosen: int | None) -> list[tuple[str, _Place]]:
    """Return what the loader tries, in order: backwards from the chosen slot to the factory app, then the later slots."""
    start = -1 if chosen is None else chosen
    order = [*range(start, -1, -1), -1, *range(start + 1, 16)]
    result: list[tuple[str, _Place]] = []
    for index in order:
        if index == -1:
            if factory is not None:
                result.append(("Factory app partition", factory))
        elif index in slots:
            result.append((f"OTA app partition slot {index}", slots[index]))
    return result


def _chosen_slot(soc: Soc, places: list[_Place], count: int) -> int | None:
    """Return the slot that the OTA data name, or ``None`` if they are absent, blank or damaged."""
    data = next((place for place in places if place.kind == _DATA and place.subtype == _DATA_OTA), None)
    if data is None or not count or data.size < 0x2000:
        return None
    best: int | None = None
    for at in (data.offset, data.offset + 0x1000):
        sequence, _, _, crc = _OTA_ENTRY.unpack(read(soc.boot_flash, at, _OTA_ENTRY.size))
        valid = sequence not in (0, 0xFFFFFFFF) and crc == zlib.crc32(sequence.to_bytes(4, "little"), 0xFFFFFFFF)
        if valid and (best is None or sequence > best):
            best = sequence
    return None if best is None else (best - 1) % count


def _start(soc: Soc, log: IdfLog, place: _Place, app: LoadedApp) -> Steps:
    yield log.info("boot", f"Loaded app from partition at offset 0x{place.offset:x}")
    if is_encrypted(soc.efuse):
        left = (7 - soc.efuse.field("FLASH_CRYPT_CNT").bit_count()) // 2
        yield log.info("boot", "Checking flash encryption...")
        yield log.info("flash_encrypt", f"flash encryption is enabled ({left} plaintext flashes left)")
    yield log.info("boot", "Disabling RNG early entropy source...")
    soc.note("boot", f"app at 0x{place.offset:x} starts")
    soc.jump(application(soc, app.descriptor, log))
    soc.app_offset = place.offset


def _give_up(soc: Soc, why: str) -> Steps:
    soc.note("boot", why)
    yield Step(b"", MS)
    soc.reset(ResetCause.SW_RESET)
