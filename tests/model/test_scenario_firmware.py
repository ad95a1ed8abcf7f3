"""A board with an app on its flash, chosen by name: what it says before anybody flashes it, and what becomes of it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from flashcore.errors import ScenarioError
from simulator.board.board import HostBaud, HostLines, HostOpen
from simulator.board.presets import PRESETS
from simulator.chip.factory import factory_flash
from simulator.chip.firmware import PROFILES
from simulator.cli.main import status_of
from simulator.kernel import S
from simulator.scenario import Scenario, World

SAYS = {
    "silent": b"boot: Loaded app from partition at offset 0x10000",
    "esp-idf": b"Calling app_main()",
    "arduino": b"counter: 1\r\n",
    "meshtastic": b"Battery: usbPower=1",
    "micropython": b'Type "help()" for more information.\r\n>>> ',
    "boot-loop": b"Guru Meditation Error",
    "brown-out-loop": b"Brownout detector was triggered",
}
"""What a terminal at 115200 baud shows."""


def heard(world: World, *, baud: int = 115200, time_ns: int = 6 * S) -> bytes:
    """Open the port with its lines as they let the board run, and return what comes."""
    device = world.device
    device.submit(HostOpen())
    # Flow control moves RTS with each byte from the chip, which resets the board unless DTR is asserted.
    device.submit(HostLines(device.adapter.spec.flow_control, False))
    device.submit(HostBaud(baud))
    device.advance(device.kernel.now + time_ns)
    return device.drain(1 << 20)


def test_each_profile_is_heard_or_has_another_rate() -> None:
    assert {name for name, profile in PROFILES.items() if profile.baud == 115200} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_a_board_runs_the_firmware_that_the_scenario_names(name: str) -> None:
    assert SAYS[name] in heard(Scenario(firmware=name).build())


def test_softrf_can_be_read_at_its_own_rate_only() -> None:
    at_38400 = heard(Scenario(board="ttgo-tbeam-v1.1", firmware="softrf").build(), baud=38400)
    assert at_38400.count(b"\r\n$GPRMC,1200") >= 3
    assert b"rst:0x1 (POWERON_RESET)" not in at_38400, "the boot log has another rate"
    at_115200 = heard(Scenario(board="ttgo-tbeam-v1.1", firmware="softrf").build())
    assert b"rst:0x1 (POWERON_RESET)" in at_115200
    assert b"$GPRMC" not in at_115200


def test_a_brown_out_loop_never_ends() -> None:
    world = Scenario(firmware="brown-out-loop").build()
    text = heard(world, time_ns=10 * S)
    assert text.count(b"Brownout detector was triggered") >= 10
    assert text.count(b"rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)") >= 10


@pytest.mark.parametrize("board", [name for name in PRESETS if name != "esp32-no-download"])
def test_every_board_can_run_a_firmware(board: str) -> None:
    world = Scenario(board=board, firmware="arduino").build()
    assert b"counter: 3\r\n" in heard(world)


def test_without_a_firmware_the_flash_is_blank() -> None:
    assert set(Scenario().build().flash_image()) == {0xFF}
    image = Scenario(firmware="softrf").build().flash_image()
    assert all(image[offset : offset + len(data)] == data for offset, data in factory_flash("softrf"))


def test_an_app_written_over_it_runs_as_its_own_description_says() -> None:
    world = Scenario(firmware="softrf").build()
    board = world.board
    assert board is not None
    for offset, data in factory_flash("meshtastic"):
        board.soc.flash.load(offset, data)
    text = heard(world)
    assert b"Battery: usbPower=1" in text


def test_a_scenario_with_a_firmware_travels_as_json() -> None:
    scenario = Scenario(firmware="micropython", faults=("silent-line",))
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert "firmware" in {field.name for field in dataclasses.fields(Scenario)}


def test_a_flash_file_and_a_firmware_are_one_too_many(tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    image.write_bytes(b"\xe9")
    with pytest.raises(ScenarioError, match="both fill the flash"):
        Scenario(firmware="softrf", flash=str(image)).check()


def test_an_unknown_firmware_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["run", "--link", "pty", "--firmware", "soft-rf", "--", "true"], ["serve", "--firmware", "soft-rf"]):
        assert status_of(words) == 2
        assert capsys.readouterr().err.splitlines()[-1] == "hint: did you mean softrf?"


CLIENT = """
import os, serial
port = serial.serial_for_url(os.environ["ESPSIM_PORT"], 38400, timeout=4, do_not_open=True)
port.dtr = port.rts = False
port.open()
print(port.read_until(b"$GPRMC")[-6:])
"""


def test_a_client_of_espsim_run_meets_the_firmware(capfd: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", "--firmware", "softrf", "--", sys.executable, "-c", CLIENT]) == 0
    assert capfd.readouterr().out == "b'$GPRMC'\n"
