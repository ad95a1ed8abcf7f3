"""What flashcore and the installed esptool do in the rows of the catalogue that are about ports and USB devices."""

from __future__ import annotations

from functools import cache

import pytest

from simulator.campaign import generate
from simulator.campaign.case import Case
from simulator.campaign.oracle import Judgement, Verdict, judge
from simulator.faults import presets
from simulator.flashers import known
from simulator.flashers.adapter import Result
from simulator.flashers.flashcore import FlashcoreAdapter
from simulator.flashers.task import Job

GOOD, CLEAN, WRONG, LIE = (
    Verdict.RECOVERED,
    Verdict.FAILED_CLEAN,
    Verdict.FAILED_MISDIAGNOSED,
    Verdict.FALSE_SUCCESS,
)
SIZE = 64 * 1024
CLEAN_S = 8.0
"""What the usual job takes either of them, in virtual seconds, rounded up."""

ROWS: dict[str, tuple[Verdict, str, Verdict, str]] = {
    "wrong-port": (GOOD, "", GOOD, ""),
    "wrong-port-modem": (CLEAN, 'answers "ERROR" like a modem', WRONG, "Invalid head of packet (0x0D)"),
    "port-busy": (CLEAN, "COM3 is used by putty.exe", CLEAN, "the port is busy or doesn't exist"),
    "port-busy-for-a-while": (GOOD, "", CLEAN, "the port is busy or doesn't exist"),
    "port-busy-second-reader": (CLEAN, "port.shared", CLEAN, "device reports readiness to read but returned no data"),
    "no-driver-no-port": (CLEAN, "port.no_driver", WRONG, "any of the 0 available serial ports"),
    "native-usb-reenumerates": (GOOD, "port.came_back", WRONG, "could not open port /dev/ttyACM0"),
    "native-usb-reenumerates-same-name": (GOOD, "port.came_back", GOOD, ""),
    "no-permission": (CLEAN, "sudo usermod -aG dialout", CLEAN, "Try to add user into dialout or uucp group"),
    "no-permission-at-first": (GOOD, "", CLEAN, "Permission denied: '/dev/ttyUSB0'"),
    "cable-charge-only": (CLEAN, "port.no_usb_device", WRONG, "any of the 0 available serial ports"),
    "win-error-31": (GOOD, "", WRONG, "A device attached to the system is not functioning.', None, 31)"),
    "win-error-31-always": (CLEAN, "port.refuses_config", WRONG, "Cannot configure port, something went wrong"),
    "win-error-31-mid-run": (GOOD, "", WRONG, "Cannot configure port, something went wrong"),
    "port-grabbed": (CLEAN, "brltty", WRONG, "Input/output error"),
    "port-grabbed-modem-manager": (GOOD, "", CLEAN, "the port is busy or doesn't exist"),
    "unplug-mid-write": (GOOD, "port.came_back", GOOD, ""),
    "unplug-mid-write-renamed": (GOOD, "came back as /dev/ttyUSB1", CLEAN, "could not open port /dev/ttyUSB0"),
    "unplug-mid-write-for-good": (CLEAN, "port.lost", CLEAN, "could not open port /dev/ttyUSB0"),
    "firmware-kills-usb": (GOOD, "", WRONG, "the port is busy or doesn't exist"),
    "twin-ports": (GOOD, "link.changed_over", WRONG, "Failed to write to target RAM (result was 0107"),
    "twin-ports-busy": (GOOD, "", CLEAN, "Resource busy"),
    "own-leak": (GOOD, "", GOOD, ""),
    "usbip-vm-container": (GOOD, "port.came_back", WRONG, "could not open port /dev/ttyUSB0"),
    "usbip-vm-container-gone": (CLEAN, "port.lost_at_reset", WRONG, "could not open port /dev/ttyUSB0"),
    "sleeping-device": (GOOD, "", WRONG, "the port is busy or doesn't exist"),
    "same-identity-boards": (GOOD, "port.came_back", LIE, "Hash of data verified"),
    "same-identity-boards-swapped": (CLEAN, "port.other_board", LIE, "Hash of data verified"),
}
"""For each row what flashcore and esptool come to, and what each says."""


@cache
def results(flasher: str) -> dict[str, tuple[Result, Judgement]]:
    adapter = FlashcoreAdapter() if flasher == "flashcore" else known.adapter(flasher)
    base = Case(flasher=flasher, suite="rows", preset="clean", job=Job.of_size(SIZE))
    cases = [generate.row(base, name) for name in ROWS]
    found = adapter.run([case.task(600.0) for case in cases])
    return {case.preset: (result, judge(case, result, CLEAN_S)) for case, result in zip(cases, found, strict=True)}


@pytest.mark.parametrize("flasher", ["flashcore", "esptool"])
@pytest.mark.parametrize("name", ROWS)
def test_a_row_does_to_a_flasher_what_reports_say(name: str, flasher: str) -> None:
    verdict, words = ROWS[name][:2] if flasher == "flashcore" else ROWS[name][2:]
    result, judgement = results(flasher)[name]
    assert (judgement.verdict, result.problem) == (verdict, ""), (judgement, result.messages)
    assert words in result.messages
    assert result.evidence.exercised
    assert result.evidence.left == ()


def test_every_row_about_ports_is_here() -> None:
    described = {name for name in presets.names() if presets.preset(name).host is not None}
    assert described - set(ROWS) <= {"twin-ports-auto"}, "esptool 5's choice there depends on its own platform"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_runs_the_same_way_twice(name: str) -> None:
    base = Case(flasher="flashcore", suite="rows", preset="clean", job=Job.of_size(4096))
    task = generate.row(base, name).task(600.0)
    one, two = FlashcoreAdapter(use_stub=False).run([task, task])
    assert one == two
