"""Every row of the fault catalogue that is about loaders, through either loader: the duty is done, whatever the way.

Rows about the computer's ports are with the tests of the approach. What recovers must recover; the others must be stopped by a
diagnosis that the preset accepts. Source: the presets, one per row and its variants.
"""

from __future__ import annotations

from functools import cache

import pytest

from flashcore.image import Region
from simulator.campaign.oracle import Verdict, judge, limit_s
from simulator.campaign.suite import Order, Suite
from simulator.faults import presets
from simulator.faults.model import Where
from simulator.flashers.flashcore import FlashcoreAdapter
from tests.model.loader_world import bench
from tests.model.test_loader_stub import with_stub

DIAGNOSED = frozenset(
    {
        "boot-chatter-endless",
        "does-not-fit",
        "flash-chip-random",
        "flash-chip-silent",
        "flash-chip-zero",
        "md5-mismatch-bad-sector",
        "md5-mismatch-ignored",
        "md5-mismatch-stuck",
        "reset-lines-missing",
        "secure-boot-encryption",
        "secure-download",
        "silent-from-block",
        "silent-from-chip-erase",
        "silent-from-command",
        "silent-from-erase",
        "silent-from-md5",
        "silent-from-read",
        "silent-from-stub-start",
        "silent-from-stub-upload",
        "silent-line",
        "silent-line-no-power",
        "silent-line-ones",
        "silent-line-zeros",
        "size-unknown-16mb",
        "tx-path-down",
        "tx-path-shared",
        "unknown-magic",
        "unknown-magic-random",
        "vddsdio-1v8",
        "write-protected",
        "write-protected-locked",
        "wrong-chip-or-board",
        "wrong-offset",
        "wrong-strap",
    }
)
"""What nobody can recover from, or must not write to."""

ONLY_LONG_FRAMES = "mac-cdc-long-frame-mild"
"""A port that damages what only a stub is sent."""


def is_about_loaders(name: str) -> bool:
    row = presets.preset(name)
    at_port = any(fault.where in (Where.USB, Where.PORT) for fault in row.plan())
    return row.host is None and not row.device and not at_port and "unplug" not in name


ROWS = sorted(name for name in presets.names() if is_about_loaders(name))


@cache
def clean_s(use_stub: bool) -> float:
    """Return how long the usual job takes where nothing goes wrong, in virtual seconds."""
    (result,) = FlashcoreAdapter(use_stub=use_stub).run([Order().clean("flashcore").task(600.0)])
    assert result.status == 0
    return result.evidence.virtual_s


@pytest.mark.parametrize("use_stub", [True, False], ids=["stub", "rom"])
@pytest.mark.parametrize("row", ROWS)
def test_the_duty_of_each_row_is_done(row: str, use_stub: bool) -> None:
    usual_s = clean_s(use_stub)
    (case,) = Order(faults=(row,)).points("flashcore", None)  # type: ignore[arg-type]  # faults given need no count
    (result,) = FlashcoreAdapter(use_stub=use_stub).run([case.task(limit_s(usual_s))])
    found = judge(case, result, usual_s)
    expected = {Verdict.FAILED_CLEAN} if row in DIAGNOSED else {Verdict.RECOVERED}
    if not use_stub and ("stub" in row or row == ONLY_LONG_FRAMES):
        expected.add(Verdict.NOT_EXERCISED)
    assert found.verdict in expected, (found.diagnosis, found.reason)


def test_the_list_names_rows_that_exist() -> None:
    assert set(ROWS) >= DIAGNOSED


def test_a_flash_operation_that_fails_in_the_last_blocks_of_a_legacy_stub_is_repaired_and_no_address_is_doubted() -> None:
    job = Order(suite=Suite.SWEEP, seed=3).clean("flashcore").job
    (image,) = job.images
    desk = bench("flash:flash_op(any,891):fail", board="esp32-devkitc", seed=3)
    with desk.open(with_stub(1)) as flasher:
        flasher.write([Region(offset=image.offset, data=image.data())])
    assert desk.fired == 1
    assert desk.flash(image.offset, len(image.data())) == image.data()
