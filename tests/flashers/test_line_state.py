"""The state of DTR and RTS that a client leaves behind, and whether the app it wrote runs: real esptool on two adapters."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simulator.chip.factory import factory_flash
from tests.flashers.board_runs import Ran, in_turn, run

pytestmark = pytest.mark.peers

DATA = random.Random(53).randbytes(0x6000)


@pytest.fixture
def flash() -> bytes:
    """Return a flash with an app on it."""
    content = bytearray()
    for offset, data in factory_flash("silent"):
        content.extend(b"\xff" * (offset + len(data) - len(content)))
        content[offset : offset + len(data)] = data
    return bytes(content)


def written(folder: Path, board: str, flash: bytes) -> Ran:
    """Let esptool write something beside the app, close the port, and let time pass."""
    (folder / "data.bin").write_bytes(DATA)
    ran = run(
        folder,
        in_turn("esptool --chip esp32 --port {port} write-flash 0x200000 data.bin", "wait 3"),
        board=board,
        flash=flash,
    )
    assert ran.status == 0, ran.text
    assert ran.flash[0x200000 : 0x200000 + len(DATA)] == DATA
    return ran


def test_the_app_runs_on_after_a_flash_through_a_cp2102c(tmp_path: Path, flash: bytes) -> None:
    ran = written(tmp_path, "esp32-cp2102c", flash)
    assert ran.last_reset == "POWERON_RESET strap 0x13"
    assert ran.lines == "dtr=1 rts=0", "esptool clears HUPCL, so closing changes nothing"
    kinds = [(event.kind, event.content) for event in ran.events]
    closed = max(number for number, (kind, _) in enumerate(kinds) if kind == "close")
    assert ("chip", b"EN low") not in kinds[closed:]


def test_both_lines_are_released_behind_an_adapter_that_leaves_rts_alone(tmp_path: Path, flash: bytes) -> None:
    ran = written(tmp_path, "esp32-devkitc", flash)
    assert ran.last_reset == "POWERON_RESET strap 0x13"
    assert ran.lines == "dtr=0 rts=0"
