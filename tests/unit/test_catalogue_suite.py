"""The catalogue suite is the fault catalogue: its 65 rows, each once, and nothing else."""

from __future__ import annotations

from simulator.campaign import Case, Job
from simulator.campaign.case import CLEAN
from simulator.campaign.generate import catalogue
from simulator.faults import presets

ROWS = (
    "mac-cdc-long-frame",
    "autoreset-race",
    "wrong-port",
    "port-busy",
    "silent-line",
    "baud-too-high",
    "no-driver-no-port",
    "reply-lost-mid-write",
    "native-usb-reenumerates",
    "usj-stuck-in-download",
    "boot-chatter",
    "no-permission",
    "junk-in-reply",
    "md5-mismatch",
    "wrong-offset",
    "flash-chip-silent",
    "brown-out",
    "cable-charge-only",
    "corrupt-to-device",
    "slow-erase",
    "long-inflate",
    "win-error-31",
    "port-grabbed",
    "stub-crash",
    "stub-greeting-damaged",
    "tx-path-down",
    "write-stuck",
    "unplug-mid-write",
    "firmware-kills-usb",
    "wrong-chip-or-board",
    "unknown-magic",
    "secure-download",
    "noisy-sync",
    "stale-replies",
    "twin-ports",
    "own-leak",
    "second-session-fails",
    "usbip-vm-container",
    "slow-control-lines",
    "slow-first-reply",
    "read-short-packet",
    "bridge-mcu",
    "boot-loop-after-interrupted-write",
    "secure-boot-encryption",
    "wrong-strap",
    "truncated-reply",
    "lost-ack-duplicate",
    "late-reply-off-by-one",
    "deferred-error",
    "stub-c900",
    "stub-still-running",
    "cp2102n-deaf",
    "close-resets-chip",
    "usbser-line-state",
    "vddsdio-1v8",
    "write-protected",
    "does-not-fit",
    "size-unknown-16mb",
    "wdt-resets-mid-flash",
    "endless-chatter-hang",
    "no-reset-after",
    "sleeping-device",
    "odd-crystal",
    "same-identity-boards",
    "flash-left-in-odd-state",
)
"""Ids of the rows, the most common failure first."""


def test_the_suite_has_each_row_of_the_catalogue_once_and_in_its_order() -> None:
    cases = catalogue(Case(flasher="flashcore", suite="catalogue", preset=CLEAN, job=Job.of_size(4096)))
    assert len(ROWS) == 65
    assert tuple(case.preset for case in cases) == ROWS
    assert [case.faults for case in cases] == [(name,) for name in ROWS]
    assert len({case.id for case in cases}) == 65


def test_each_row_has_its_rank_and_says_what_is_right() -> None:
    rows = [presets.preset(name) for name in ROWS]
    assert [row.rank for row in rows] == list(range(1, 66))
    assert [row.id for row in rows if not (row.accept and row.duty and row.evidence)] == []


def test_variants_belong_to_a_row_and_are_not_in_the_suite() -> None:
    variants = [presets.preset(name) for name in presets.names() if name not in ROWS]
    assert all(row.variant for row in variants)
    assert {row.rank for row in variants} <= set(range(1, 66))
