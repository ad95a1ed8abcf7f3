"""The first part of the mask ROM: from reset to the loader, to the second stage, or into a failed boot.

After a reset the ROM prints its banner with the cause and the strap value. The straps then lead to the ROM loader, which waits
for a flasher, or to the image at 0x1000, of which every step is printed until the second stage is entered. A failed boot stops
or repeats itself; on silicon the RTC watchdog then resets the chip, which starts over and fails again, for ever.

Source: oracle facts 1 and 2, ``rom_boot.json``. Fidelity: recorded, where not stated otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flashcore.protocol.packet import CHECKSUM_SEED, checksum
from simulator.chip.boot_image import BUS_CLOCK_MHZ, HEADER_SIZE, SEGMENT_HEADER, BootHeader, read
from simulator.chip.efuse_fields import variant
from simulator.chip.memory import BusFault
from simulator.chip.program import Program
from simulator.chip.script import Script, Step, Steps
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.straps import BootMode, BootTarget, boot_mode
from simulator.kernel import MS

IMAGE_OFFSET = 0x1000
"""Where the ROM looks for an image in flash."""

SECOND_STAGE_LOADER = 0x4007_8000
"""Where each second stage boot loader of ESP-IDF for the ESP32 puts its own loader code; nothing else is linked there.
Source: ESP-IDF's linker script of the boot loader."""

WATCHDOG_NS = 900 * MS
"""From reset until the RTC watchdog ends a failed boot. Fidelity: guessed from public boot logs with time stamps."""

RETRY_NS = 100 * MS
"""Between two ``invalid header`` lines on silicon. Fidelity: guessed (public logs show eight or nine
lines per watchdog reset)."""

RECORDED_RETRY_NS = 2_700 * MS
"""Between two ``invalid header`` lines in the recording: mean of flashboot_empty_12 and flashboot_empty_13, emulator time."""

_BLOCK = 16
"""The checksum is the last byte of a block of this size. A segment header that straddles two of them makes the ROM print
``ho 0 tail 12 room 4``. Fidelity: derived from public boot logs, where that line follows a segment that ends 4 bytes short."""

_PINS = (b"clk", b"q", b"d", b"cs0", b"hd", b"wp")


@dataclass(frozen=True, slots=True, kw_only=True)
class RomVersion:
    """What differs between the mask ROMs.

    Args:
        date: The date it prints.
        failure: Line that follows a failed load.
        names_header: Whether a wrong first word is printed, again and again; the older ROM says that it can't read, once.
    """

    date: bytes
    failure: bytes
    names_header: bool


ROM_2019 = RomVersion(date=b"ets Jul 29 2019 12:21:46", failure=b"ets_main.c 384 \r\n", names_header=True)
"""Revision 3. Source: oracle fact 1."""
ROM_2016 = RomVersion(date=b"ets Jun  8 2016 00:22:57", failure=b"ets_main.c 371 \r\n", names_header=False)
"""Revisions 0 and 1. Fidelity: from public boot logs; only these texts, the loader behind is that of revision 3."""


def rom_version(soc: Soc) -> RomVersion:
    """Return the mask ROM of the chip."""
    return ROM_2019 if variant(soc.config.efuse).revision >= 3 else ROM_2016


def first_program(soc: Soc) -> Program:
    """Return what runs after a reset. Bytes that arrive before the loader runs are lost, as the ROM clears its FIFO."""
    return Script(soc, _boot(soc))


def banner(rom: RomVersion, mode: BootMode, cause: ResetCause, strap: int) -> bytes:
    """Return all that the ROM prints before it acts on the straps."""
    if mode.silent or not mode.name:
        return b""
    line = f"rst:0x{cause.value:x} ({cause.name}),boot:0x{strap:x} ({mode.name})"
    return rom.date + b"\r\n\r\n" + line.encode() + b"\r\n"


def download_disabled(soc: Soc) -> bool:
    """Return whether the eFuses forbid UART download mode.

    Source: ESP-IDF documentation, "UART ROM Download Mode" (from revision 3 on; the ROM prints an error in its place).
    Fidelity: from source that no loader answers then; the error's text is not known, so the model prints none.
    """
    return bool(soc.efuse.field("UART_DOWNLOAD_DIS")) and variant(soc.config.efuse).revision >= 3


def _boot(soc: Soc) -> Steps:
    mode = boot_mode(soc.strap)
    rom = rom_version(soc)
    since_ns = soc.kernel.now
    if soc.config.watchdog and not mode.is_download:
        soc.after(WATCHDOG_NS, lambda: soc.reset(ResetCause.RTCWDT_RTC_RESET))
    yield Step(b"", soc.config.times.reset_to_banner)
    text = banner(rom, mode, soc.cause, soc.strap)
    if mode.is_download and download_disabled(soc):
        soc.note("boot", "UART download mode is disabled by eFuse: the ROM stops")
        yield Step(text)
        return
    text += mode.text
    if mode.is_download:
        from simulator.chip.rom.loader import RomLoader

        soc.uart.send(text)
        soc.jump(RomLoader(soc))
        return
    yield Step(text)
    match mode.target:
        case BootTarget.FLASH:
            yield from _flash_boot(soc, rom, since_ns, silent=mode.silent)
        case BootTarget.NO_FLASH:
            yield from _no_header(soc, rom, 0xFFFFFFFF, silent=mode.silent)
        case _:
            soc.note("boot", f"the ROM waits for ever in {mode.name or 'an unknown mode'}")


def _no_header(soc: Soc, rom: RomVersion, first_word: int, *, silent: bool) -> Steps:
    soc.note("boot", f"no image at 0x{IMAGE_OFFSET:x}")
    line = b"" if silent else b"invalid header: 0x%08x\r\n" % first_word
    pause = RETRY_NS if soc.config.watchdog else RECORDED_RETRY_NS
    if not rom.names_header:
        yield Step(b"" if silent else b"flash read err, 1000\r\n" + rom.failure)
        return
    yield Step(b"", pause)
    while True:
        yield Step(line, pause)


def _flash_boot(soc: Soc, rom: RomVersion, since_ns: int, *, silent: bool) -> Steps:
    header = BootHeader.parse(read(soc.boot_flash, IMAGE_OFFSET, HEADER_SIZE))
    if not header.valid:
        yield from _no_header(soc, rom, header.first_word, silent=silent)
        return
    try:
        for text in _load(soc, header, since_ns):
            yield Step(b"" if silent else text)
    except _LoadFailedError as failure:
        soc.note("boot", str(failure))
        yield Step(b"" if silent else rom.failure)


class _LoadFailedError(Exception):
    """The ROM gives up an image."""


def _load(soc: Soc, header: BootHeader, since_ns: int) -> Iterator[bytes]:
    """Load the image into RAM and jump to it, yielding what the ROM prints.

    Raises:
        _LoadFailedError: The ROM gives up; it prints one more line then.

    Source: ``rom_boot.json`` flashboot_good_image_13, flashboot_bad_checksum_13, flashboot_header_*.
    """
    yield _describe(header)
    position, folded, loader_seen = HEADER_SIZE, CHECKSUM_SEED, False
    for number in range(max(1, header.segments)):
        if number and position % _BLOCK == _BLOCK - 4:
            yield b"ho 0 tail 12 room 4\r\n"
        address, length = SEGMENT_HEADER.unpack(read(soc.boot_flash, IMAGE_OFFSET + position, SEGMENT_HEADER.size))
        position += SEGMENT_HEADER.size
        if length > soc.flash.size:
            signed = length - (length >> 31 << 32)
            yield b"cmd len %d\r\n" % signed
            raise _LoadFailedError(f"segment {number} claims {length} bytes")
        yield b"load:0x%08x,len:%d\r\n" % (address, length)
        data = read(soc.boot_flash, IMAGE_OFFSET + position, length)
        try:
            soc.memory.load(address, data)
        except BusFault as fault:
            soc.note("boot", f"segment {number}: {fault}; the ROM hangs")
            return
        position += length
        folded ^= checksum(data) ^ CHECKSUM_SEED
        loader_seen = loader_seen or address == SECOND_STAGE_LOADER
    stored = read(soc.boot_flash, IMAGE_OFFSET + (position | _BLOCK - 1), 1)[0]
    if folded != stored:
        yield b"csum err:0x%02x!=0x%02x\r\n" % (folded, stored)
        raise _LoadFailedError("wrong image checksum")
    yield b"entry 0x%08x\r\n" % header.entry
    if loader_seen:
        # Only a flash with a boot loader on it needs the second stage, and the image parsers behind it.
        from simulator.chip.second_stage import second_stage

        soc.jump(second_stage(soc, since_ns))
    else:
        soc.note("gap", f"code at 0x{header.entry:08x} is no second stage boot loader: it is taken to run and say nothing")


def _describe(header: BootHeader) -> bytes:
    drive = b",".join(b"%s_drv:0x%02x" % (pin, value) for pin, value in zip(_PINS, header.drive, strict=True))
    divider = BUS_CLOCK_MHZ // header.speed_mhz
    mode = header.mode_name.encode()
    return b"configsip: 0, SPIWP:0x%02x\r\n%s\r\nmode:%s, clock div:%d\r\n" % (header.wp_pin, drive, mode, divider)
