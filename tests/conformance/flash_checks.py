"""The recorder's checks on the flash content: what lay there before a probe, and what must lie there afterwards."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

from tests import oracle

SIZE = 0x40_0000
PAGE = 256


def pattern(length: int, seed: int) -> bytes:
    """Return the recorder's ``PAT(length, seed)``."""
    return bytes(((i * 7 + seed * 31 + 3) ^ (i >> 8)) & 0xFF for i in range(length))


IMAGES = (pattern(0x400, 3), (b"The ROM inflates zlib streams. %d " * 4000)[:0x1_0000], random.Random(7).randbytes(0x9000))
"""Raw images behind the compressed streams: IM1, IM2, IM3 of ``rom_defl.json``."""


def before(text: str | None) -> bytes | None:
    """Return the content that a ``flash_before`` stands for."""
    match text:
        case None:
            return None
        case "all 0f":
            return b"\x0f" * SIZE
        case "all 00":
            return bytes(SIZE)
        case "0x10000 bytes of pattern PAT(0x10000,1), then FF" | "as md5_ranges":
            return pattern(0x1_0000, 1)
        case "5A at 0x10000..0x30000, else FF":
            return b"\xff" * 0x1_0000 + b"\x5a" * 0x2_0000
    raise AssertionError(f"unknown flash content: {text}")


def changes(was: bytes, now: bytes) -> list[list[str]]:
    """Return the changed ranges, in pages, with what they hold now."""
    pages = [at for at in range(0, len(was), PAGE) if was[at : at + PAGE] != now[at : at + PAGE]]
    ranges: list[list[int]] = []
    for at in pages:
        if ranges and ranges[-1][1] == at:
            ranges[-1][1] = at + PAGE
        else:
            ranges.append([at, at + PAGE])
    return [[hex(start), hex(end), _content(now[start:end])] for start, end in ranges]


def _content(data: bytes) -> str:
    if data == b"\xff" * len(data):
        return "all_ff"
    return "sha256:" + hashlib.sha256(data).hexdigest()[:16]


def _requests(probe: dict[str, Any], opcode: int) -> list[tuple[bytes, bool]]:
    """Return the bodies of all frames with `opcode`, each with whether it was recorded as accepted."""
    found: list[tuple[bytes, bool]] = []
    for step in probe["exchanges"]:
        frames = [part for part in oracle.expand(step["send"]).split(b"\xc0") if part]
        answers = [frame for frame in step.get("frames", []) if int(frame.get("op", "0"), 16) == opcode]
        bodies = [part.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb") for part in frames]
        bodies = [part[8:] for part in bodies if part[1] == opcode]
        good = [answer["data"][-8:-6] == "00" for answer in answers for _ in range(answer.get("times", 1))]
        found += list(zip(bodies, [*good, *[False] * len(bodies)], strict=False))
    return found


def _written(probe: dict[str, Any]) -> tuple[int, bytes]:
    """Return where the probe writes to and what should lie there: the blocks that were taken, or else those offered."""
    begin = next(iter(_requests(probe, 0x02) + _requests(probe, 0x10)))[0]
    at = int.from_bytes(begin[12:16], "little")
    blocks = _requests(probe, 0x03)
    taken = [body for body, good in blocks if good] or [body for body, _ in blocks]
    return at, b"".join(body[16 : 16 + int.from_bytes(body[:4], "little")] for body in taken)


def _has_data(probe: dict[str, Any], now: bytes) -> bool:
    at, data = _written(probe)
    if data:
        return now[at : at + len(data)] == data
    size = probe["result"].get("raw_len") or 0x400
    return any(len(image) >= size and now[at : at + size] == image[:size] for image in IMAGES)


def _at(now: bytes, offset: int, seed: int, length: int = 0x400) -> bool:
    return now[offset : offset + length] == pattern(length, seed)


def _tail_pages(now: bytes, was: bytes, start: int) -> list[str]:
    return [hex(at) for at in range(start, 0x3_0000, PAGE) if was[at : at + PAGE] != now[at : at + PAGE]]


def _shortened(pages: list[str], head: int) -> list[str]:
    return [*pages[:head], "...", *pages[-2:]]


def verify(flash: Callable[[], bytes], probe: dict[str, Any]) -> None:
    """Check all that the probe's ``result`` says about the flash.

    Args:
        flash: Returns the content after the probe.
        probe: The probe.
    """
    expected: dict[str, Any] = probe.get("result", {})
    if not expected:
        return
    now = flash()
    was = (before(probe.get("flash_before")) or b"").ljust(SIZE, b"\xff")
    for key, value in expected.items():
        assert _found(key, probe, was, now) == value, key


def _found(key: str, probe: dict[str, Any], was: bytes, now: bytes) -> Any:
    """Return what the model's flash says to one check of the recorder."""
    window = IMAGES[2]
    match key:
        case "changed" | "erased":
            return changes(was, now)
        case "flash_has_data":
            return _has_data(probe, now)
        case "md5":
            return hashlib.md5(now[0x1_0000:0x1_0800]).hexdigest()
        case "region_still_zero":
            return now[0x1_0000:0x1_0800] == bytes(0x800)
        case "first_block_at_offset":
            return _at(now, 0x1_0000, 0)
        case "both" | "flash_has_both":
            return _at(now, 0x1_0000, 0) and _at(now, 0x1_0400, 1)
        case "at_10010" | "at_10002" | "at_10000":
            return _at(now, int(key[3:], 16), 0)
        case "last":
            return _at(now, 0x3F_FC00, 0)
        case "data_ok":
            image = window if "n_changed_pages" in probe["result"] else IMAGES[0]
            return now[0x1_0000 : 0x1_0000 + len(image)] == image
        case "pages_after_data_changed":
            return _shortened(_tail_pages(now, was, 0x1_9000), 4)
        case "n_changed_pages":
            return len(_tail_pages(now, was, 0x1_9000))
        case "erased_after_data":
            return now[0x1_9000:0x2_0000] == b"\xff" * 0x7000
        case "tail_is_stale_window_from_0x1000":
            return now[0x1_9000:0x2_0000] == window[0x1000:0x8000]
        case "tail_byte_at_0x1a000":
            return now[0x1_A000:0x1_A010].hex()
        case "stale_window_bytes_2000":
            return window[0x2000:0x2010].hex()
        case "changed_pages_after_data":
            return _shortened(_tail_pages(now, was, 0x1_0400), 3)
        case "n":
            return len(_tail_pages(now, was, 0x1_0400))
        case "bytes_400" | "bytes_1000" | "bytes_7ff0":
            at = 0x1_0000 + int(key[6:], 16)
            return now[at : at + 32].hex()
        case "raw_len" | "n_blocks":
            return probe["result"][key]
    offset, length = (int(part, 16) for part in key.split("_"))
    return hashlib.md5(now[offset : offset + length]).hexdigest()
