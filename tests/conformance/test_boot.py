"""What the chip prints at boot is what the recorded ROM printed, byte for byte: every probe of ``rom_boot.json``.

Only the pace of repeated lines is not compared: it is the emulator's own. So the model runs until it has said as much as was
recorded, and must then have said the same; where the recording fell silent, the model must stay silent too.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from flashcore.protocol.packet import checksum
from simulator.chip.boot import first_program
from simulator.chip.boot_image import SEGMENT_HEADER
from simulator.chip.config import ORACLE
from simulator.chip.soc import Soc
from simulator.kernel import Kernel, S
from simulator.rng import Rng
from tests.oracle import expand, probes

PROBES = {probe["name"]: probe for probe in probes("rom_boot")}
FLASH_SIZE = 4 << 20
ENDLESS_LOOP = bytes.fromhex("06ffff").ljust(16, b"\0")
REPEATED = b"invalid header"


def header(segments: int) -> bytes:
    return bytes([0xE9, segments, 2, 0x20]) + (0x4008_0400).to_bytes(4, "little")


def one_segment_image(*, checksum_error: int = 0) -> bytes:
    """The recorded image: 16 bytes of code that loop for ever, write protect pin unused."""
    folded = checksum(ENDLESS_LOOP)
    body = header(1) + b"\xee" + bytes(15) + SEGMENT_HEADER.pack(0x4008_0400, len(ENDLESS_LOOP)) + ENDLESS_LOOP
    return body + bytes(15) + bytes([folded ^ checksum_error])


FLASH_CONTENT: dict[str, tuple[int, bytes]] = {
    "flashboot_zero_13": (0, bytes(FLASH_SIZE)),
    "flashboot_garbage_13": (0, random.Random(1).randbytes(FLASH_SIZE)),
    "flashboot_header_only_13": (0x1000, header(1) + bytes(16)),
    "flashboot_header_0seg_13": (0x1000, header(0) + bytes(16)),
    "flashboot_good_image_13": (0x1000, one_segment_image()),
    "flashboot_bad_checksum_13": (0x1000, one_segment_image(checksum_error=0xE9 ^ 0xBC)),
}


def recorded(probe: dict[str, Any]) -> bytes:
    return b"".join(expand(exchange["recv"]) for exchange in probe["exchanges"])


def boot(probe: dict[str, Any], enough: int) -> bytes:
    """Return what the model prints until it has printed `enough` bytes, at most over thrice the observed time."""
    said: list[bytes] = []
    kernel = Kernel()
    soc = Soc(
        ORACLE,
        kernel,
        Rng(0),
        start=first_program,
        transmit=lambda chunk: said.append(chunk.data),
        straps=lambda: int(probe["strap"], 16),
        note=lambda kind, text: None,
    )
    if probe["name"] in FLASH_CONTENT:
        soc.flash.load(*FLASH_CONTENT[probe["name"]])
    soc.set_enabled(True)
    for step in range(1, 31):
        kernel.advance(step * probe["observed_ms"] * S // 10_000)
        if step >= 10 and sum(map(len, said)) >= enough:
            break
    return b"".join(said)


@pytest.mark.parametrize("name", PROBES)
def test_boot_text_is_the_recorded_one(name: str) -> None:
    expected = recorded(PROBES[name])
    got = boot(PROBES[name], len(expected))
    assert got[: len(expected)] == expected
    rest = got[len(expected) :]
    if REPEATED in expected:
        assert set(rest.splitlines(keepends=True)) <= {expected.splitlines(keepends=True)[-1]}
    else:
        assert rest == b""


@pytest.mark.parametrize("name", [name for name in PROBES if name.startswith("banner")])
def test_nothing_else_is_said_in_the_observed_time(name: str) -> None:
    expected = recorded(PROBES[name])
    assert boot(PROBES[name], 0) == expected


def test_the_flash_contents_are_those_that_the_probes_describe() -> None:
    blank = ("flash all FF", "flash all 0xFF")
    described = {name for name, probe in PROBES.items() if not any(words in probe["about"] for words in blank)}
    assert set(FLASH_CONTENT) == described
