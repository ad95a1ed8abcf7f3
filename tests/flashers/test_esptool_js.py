"""esptool-js, unmodified, on a virtual board over a WebSocket, in Node and in headless Chromium.

The gate runs a slice where Node, npm and Chromium are there; ``ESPSIM_PEER_RELEASES=all`` the whole matrix.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.flashers.job import Request
from simulator.flashers.real_run import run_network
from simulator.links.network import Network, Way
from simulator.links.pump import Pace
from simulator.scenario import Scenario
from tests import browser, peers
from tests.browser import MissingError, Result, Session
from tests.matrix import ADDRESS, BEFORE, IMAGES, MODES, written

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]

SLICE = {
    ("node", "stub, compressed", "64 KiB + 1"),
    ("node", "stub, plain", "256 KiB of C0/DB"),
    ("node", "ROM, compressed", "1 byte"),
    ("node", "ROM, plain", "4 KiB"),
    ("chromium", "stub, compressed", "64 KiB + 1"),
}
Run = Callable[[Session], Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(session: Session) -> Result:
        try:
            return browser.run(session, tmp_path)
        except MissingError as missing:
            pytest.skip(str(missing))

    return run


def cases() -> list[object]:
    result: list[object] = []
    for session, name in browser.everything():
        key = (session.runner, session.mode.name, name)
        if key in SLICE or peers.whole():
            result.append(pytest.param(session, id=" ".join(key), marks=() if key in SLICE else pytest.mark.slow))
    return result


@pytest.mark.parametrize("session", cases())
def test_esptool_js_does_to_the_flash_what_it_was_asked(session: Session, run: Run) -> None:
    result = run(session)
    assert browser.problem(session, result) == "", result.said


def test_it_names_chip_and_adapter(run: Run) -> None:
    said = run(Session(image=None)).said
    assert said["info"] == {"usbVendorId": 0x1A86, "usbProductId": 0x55D4}
    assert said["chip"] == "ESP32-D0WDQ6-V3 (revision 3)"
    assert {"Crystal is 40MHz", "MAC: d8:a0:1d:40:8f:1c", "Stub running...", "Flash ID: 1640ef"} <= set(_lines(said))


def test_what_it_reads_is_what_the_flash_holds(run: Run) -> None:
    said = run(Session(image=None, extra={"address": ADDRESS, "read": 0x3000, "write": False})).said
    assert bytes(_numbers(said["read"])) == BEFORE[ADDRESS:][:0x3000]


def test_the_rate_changes_by_closing_and_opening_the_port(run: Run) -> None:
    result = run(Session(image=None))
    assert _kinds(result, "open", "close", "baud") == ["open", "baud", "close", "open", "baud", "close"]
    assert not any("reset while the serial port was reopened" in line for line in _lines(result.said))


def test_its_block_size_is_too_large_for_the_rom(run: Run) -> None:
    session = Session(mode=MODES["ROM, compressed"], extra={"blockSize": 0x4000})
    result = run(session)
    assert result.error == "ESPError: Failed to enter compressed flash mode failed with status 1,5"
    assert result.flash == BEFORE


def test_its_verification_without_a_stub_always_fails(run: Run) -> None:
    image = bytes(0x8000 - 4)
    result = run(Session(mode=MODES["ROM, compressed"], image=image, extra={"verify": True}))
    assert result.error == "ESPError: MD5 of file does not match data in flash!"
    assert result.flash[ADDRESS:][: len(image)] == image


@pytest.mark.parametrize("after", ["hard_reset", "pulse"])
def test_its_hard_reset_does_nothing_unless_rts_is_asserted_before(run: Run, after: str) -> None:
    """It only releases RTS; a board that was not in reset goes on in the loader."""
    result = run(Session(baud=115200, extra={"after": after}))
    assert result.error == ""
    assert result.flash == written(IMAGES["4 KiB"])
    assert ("(SPI_FAST_FLASH_BOOT)" in str(result.said["log"])) is (after == "pulse")
    assert (result.said["log"] == "") is (after == "hard_reset")


def test_a_session_in_real_time(run: Run) -> None:
    session = Session(image=IMAGES["1 byte"], pace=Pace.REAL)
    assert browser.problem(session, run(session)) == ""


def test_the_port_behaves_as_one_of_web_serial(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        node, modules = browser.node(), browser.modules()
    except MissingError as missing:
        pytest.skip(str(missing))
    settings = [f"ESPSIM_SERIAL_JS={browser.SERIAL_JS}", f"ESPSIM_NODE_MODULES={modules}"]
    words = ["env", *settings, node, "--test", "--test-reporter=tap", str(browser.WEB / "serial.test.mjs")]
    request = Request(scenario=Scenario(faults=("wrong-port-echo",)))
    finished = run_network(words, request, Way(network=Network.WEBSOCKET), timeout_s=100, pace=Pace.MAX)
    output = capfd.readouterr().out
    assert finished.status == 0, output
    assert re.search(r"^# pass (\d+)$", output, re.MULTILINE), output
    assert "# skipped 0" in output


def test_serial_js_is_a_module_without_dependencies() -> None:
    text = browser.SERIAL_JS.read_text()
    assert re.findall(r"^import|\bimport\(|\brequire\(", text, re.MULTILINE) == []


def _lines(said: dict[str, object]) -> list[str]:
    lines = said["lines"]
    assert isinstance(lines, list)
    return lines


def _numbers(value: object) -> list[int]:
    assert isinstance(value, list)
    return value


def _kinds(result: Result, *wanted: str) -> list[object]:
    return [event["kind"] for event in result.events if event["kind"] in wanted]
