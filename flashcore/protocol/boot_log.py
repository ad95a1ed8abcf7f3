"""What a chip says on its serial line when it boots, and what that tells about its state.

The ROM prints a date line, then ``rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)``, then either
``waiting for download`` or the texts of a boot from flash. A flasher that finds such text where it expected a frame knows
more than "noise".
Source: oracle facts 1 and 2, ``rom_boot.json``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_RESET_LINE = re.compile(rb"rst:0x([0-9a-f]+) \(([A-Z0-9_]*)\),boot:0x([0-9a-f]+) \(([^\r\n]*?)\)\r?\n?", re.IGNORECASE)
_PROBLEM = re.compile(
    rb"invalid header: 0x[0-9a-f]{8}|csum err:0x[0-9a-f]+!=0x[0-9a-f]+|flash read err, \d+|ets_main\.c \d+"
    rb"|Brownout detector was triggered|Guru Meditation Error[^\r\n\x1b]*|Fatal exception \(\d+\)[^\r\n\x1b]*"
    rb"|No bootable app partitions[^\r\n\x1b]*",
)
PANIC = re.compile(rb"(?:Guru Meditation Error(?: detected|: Core +\d panic'ed) ?\(|Fatal exception \(\d+\))[^\r\n]*")
"""How a program says that it crashed. Source: ESP-IDF's panic handler; ``rom_opcodes.json``, op 06 after READ_REG."""
_LOAD = re.compile(rb"load:0x([0-9a-f]{8}),len:(\d+)")
_ENTRY = re.compile(rb"entry 0x([0-9a-f]{8})")
_TEXT = re.compile(rb"[\t\x20-\x7e]{4,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootReport:
    """What a stretch of boot log says.

    Args:
        reset_code: Reset cause as printed, for example 1.
        reset_name: Its name, for example ``POWERON_RESET``.
        strap: Strap value as printed, for example 0x13.
        mode: The ROM's words for the boot mode.
        waiting_for_download: Whether the ROM says that it waits.
        loads: Segments that the ROM loaded, as (address, length).
        entry: Entry point that it jumped to.
        problems: Texts of failures, in order, each once.
    """

    reset_code: int | None = None
    reset_name: str = ""
    strap: int | None = None
    mode: str = ""
    waiting_for_download: bool = False
    loads: tuple[tuple[int, int], ...] = ()
    entry: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def is_download_mode(self) -> bool:
        """Whether the last reset led to the ROM loader on the UART."""
        return (
            ("DOWNLOAD" in self.mode and "SPI_DOWNLOAD" not in self.mode)
            or "UART_BOOT" in self.mode
            or self.waiting_for_download
        )


def parse(log: bytes) -> BootReport | None:
    """Return what the last boot in `log` says, or ``None`` if there is no boot log in it."""
    resets = list(_RESET_LINE.finditer(log))
    return _report(log[resets[-1].start() :] if resets else log, resets[-1:])


def parse_all(log: bytes) -> list[BootReport]:
    """Return what each boot in `log` says, in order; only those whose reset line is in it."""
    resets = list(_RESET_LINE.finditer(log))
    starts = [*(found.start() for found in resets), len(log)]
    found = (_report(log[reset.start() : end], [reset]) for reset, end in zip(resets, starts[1:], strict=True))
    return [report for report in found if report is not None]


def _report(tail: bytes, resets: list[re.Match[bytes]]) -> BootReport | None:
    problems = tuple(dict.fromkeys(found.group().decode("ascii", "replace") for found in _PROBLEM.finditer(tail)))
    loads = tuple((int(found[1], 16), int(found[2])) for found in _LOAD.finditer(tail))
    entry = _ENTRY.search(tail)
    waiting = b"waiting for download" in tail
    if not (resets or problems or loads or waiting):
        return None
    last = resets[-1] if resets else None
    return BootReport(
        reset_code=int(last[1], 16) if last else None,
        reset_name=last[2].decode("ascii", "replace") if last else "",
        strap=int(last[3], 16) if last else None,
        mode=last[4].decode("ascii", "replace") if last else "",
        waiting_for_download=waiting,
        loads=loads,
        entry=int(entry[1], 16) if entry else None,
        problems=problems,
    )


def is_brownout(log: bytes) -> bool:
    """Tell whether `log` speaks of a supply that broke down: the detector's message, or the reset cause behind it."""
    return b"Brownout detector" in log or any(b"BROWN" in found[2].upper() for found in _RESET_LINE.finditer(log))


def panic(log: bytes) -> str:
    """Return the line in which a program says that it crashed, or an empty text."""
    found = PANIC.search(log)
    return found.group().decode("ascii", "replace").strip() if found else ""


def last_text_line(heard: bytes) -> str:
    """Return the last run of readable text in `heard`, for showing to the user; empty if there is none."""
    runs = _TEXT.findall(heard)
    return runs[-1].decode("ascii").strip() if runs else ""
