"""What counts in the demo: the flash array and what the board says after a reset. No flasher's own word.

Both are taken after the flasher is gone. The whole array is compared, so a byte too many is found as well as a byte too few;
then a new board starts with that array as its flash, and its boot log must show each step from the ROM to the app.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flashcore.port import ns
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario

FLASH_SIZE = 0x400000
BLANK = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes and where in flash they belong."""

    what: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Args:
        holds: Whether it was as it must be.
        text: What was found, in words.
        lines: Lines to show with it.
    """

    holds: bool
    text: str
    lines: tuple[str, ...] = ()


def compare_flash(path: Path, contents: Sequence[Content]) -> Check:
    """Compare the flash array in the file `path` with what belongs on it; everything else must be blank."""
    try:
        found = path.read_bytes()
    except OSError as error:
        return Check(holds=False, text=f"no flash array: {error.strerror}")
    expected = bytearray([BLANK]) * FLASH_SIZE
    for content in contents:
        expected[content.offset : content.offset + len(content.data)] = content.data
    if found == expected:
        count = sum(len(content.data) for content in contents)
        same = f"{count} bytes as in the files" if contents else "nothing written"
        return Check(holds=True, text=f"{same}, the other {FLASH_SIZE - count} blank")
    if len(found) != FLASH_SIZE:
        return Check(holds=False, text=f"the array has {len(found)} bytes, not {FLASH_SIZE}")
    first = next(at for at, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
    place = next((c.what for c in contents if c.offset <= first < c.offset + len(c.data)), "blank space")
    wrong = sum(one != other for one, other in zip(found, expected, strict=True))
    return Check(holds=False, text=f"{wrong} bytes differ, the first at 0x{first:x} ({place})")


def boot_log(board: str, flash: Path, *, seconds: float = 3.0) -> list[str]:
    """Return what the board says in its first `seconds` after a reset with the content of the file `flash` on its flash."""
    world = Scenario(board=board, flash=str(flash)).build()
    port = VirtualPort(world.device)
    deadline = port.clock.now_ns() + ns(seconds)
    parts: list[bytes] = []
    while port.clock.now_ns() < deadline:
        parts.append(port.read(65536, deadline))
    port.close()
    return b"".join(parts).decode("ascii", "backslashreplace").replace("\r", "").split("\n")


def check_boot(lines: Iterable[str], bootloader: bytes, app_offset: int, project: str) -> Check:
    """Check that a boot log tells of these images: each step must be there, in this order."""
    steps = [
        ("the reset", "(SPI_FAST_FLASH_BOOT)"),
        *((f"load of segment {number}", text) for number, text in enumerate(_rom_lines(bootloader))),
        ("the entry into the boot loader", f"entry 0x{int.from_bytes(bootloader[4:8], 'little'):08x}"),
        ("the second stage", "2nd stage bootloader"),
        ("the partition", f"{app_offset:08x} "),
        ("the app's first segment", f"paddr={app_offset + 32:08x}"),
        ("the start of the app", f"Loaded app from partition at offset 0x{app_offset:x}"),
        ("the app's name", f"Project name:     {project}"),
    ]
    rest = iter(lines)
    shown: list[str] = []
    for what, text in steps:
        line = next((line for line in rest if text in line), None)
        if line is None:
            return Check(holds=False, text=f"{what} is missing ({text!r})", lines=tuple(shown))
        shown.append(line)
    return Check(holds=True, text=f"ROM, second stage, {project}", lines=tuple(shown))


def _rom_lines(image: bytes) -> list[str]:
    """Return the line that the ROM must print for each segment of `image`."""
    position, lines = 24, []
    for _ in range(image[1]):
        address, length = (int.from_bytes(image[at : at + 4], "little") for at in (position, position + 4))
        lines.append(f"load:0x{address:08x},len:{length}")
        position += 8 + length
    return lines
