"""Every row of the fault catalogue that is about loaders, through either loader: the duty is done, whatever the way.

Rows about the computer's ports are with the tests of the approach. What recovers must recover; the others must be stopped by a
diagnosis that the preset accepts. Source: the presets, one per row and its variants.
"""

from __future__ import annotations

from functools import cache

import pytest

from simulator.campaign.oracle import Verdict, judge, limit_s
from simulator.campaign.suite import Order
from simulator.faults import presets
from simulator.faults.model import Where
from simulator.flashers.flashcore import FlashcoreAdapter

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
    if row not in DIAGNOSED and not presets.preset(row).transient:
        # Getting over what need not be got over is as good as stopping.
        expected.add(Verdict.FAILED_CLEAN)
    if not use_stub and ("stub" in row or row == ONLY_LONG_FRAMES):
        expected.add(Verdict.NOT_EXERCISED)
    assert found.verdict in expected, (found.diagnosis, found.reason)


def test_the_list_names_rows_that_exist() -> None:
    assert set(ROWS) >= DIAGNOSED
