"""A whole computer for programs that are other processes: ports as files with their names, lists, and what comes and goes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from simulator.flashers.job import Request
from simulator.flashers.real_run import Extras, run_pty
from simulator.flashers.virtual_run import run_virtual
from simulator.links.pump import Pace
from simulator.scenario import Scenario

FLASHCORE = str(Path(sys.executable).with_name("flashcore"))


def real(fault: str, *words: str, lines: bool = False) -> int:
    request = Request(scenario=Scenario(faults=(fault,), download=not lines))
    extras = Extras(lines=lines, listed=True)
    return run_pty(words, request, timeout_s=60, pace=Pace.MAX, extras=extras).status


def virtual(fault: str, *words: str) -> int:
    return run_virtual(words, Request(scenario=Scenario(faults=(fault,))), timeout_s=60).status


def test_each_port_of_a_computer_is_a_file_of_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert real("wrong-port", "sh", "-c", 'ls "$(dirname "$ESPSIM_PORT")"; basename {port}') == 0
    *names, named = capfd.readouterr().out.split()
    assert names == [
        "cu.Bluetooth-Incoming-Port",
        "cu.usbmodem23101",
        "cu.usbmodem41801",
        "cu.usbmodem53230050451",
        "cu.usbmodem7BB01",
        "cu.usbmodem94201",
    ]
    assert named == "cu.usbmodem53230050451"


def test_the_board_is_found_among_them_by_a_program_that_knows_nothing_of_us(capfd: pytest.CaptureFixture[str]) -> None:
    assert real("wrong-port", FLASHCORE, "--before", "no-reset", "--no-stub", "--json", "info") == 0
    assert '"chip": "ESP32"' in capfd.readouterr().out


def test_every_file_leads_to_its_own_device(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "import os, serial\n"
        "folder = os.path.dirname(os.environ['ESPSIM_PORT'])\n"
        "with serial.Serial(folder + '/cu.usbmodem94201', timeout=10) as echo: echo.write(b'hello'); print(echo.read(5))\n"
        "with serial.Serial(folder + '/cu.usbmodem41801', timeout=10) as modem: modem.write(b'x'); print(modem.read(9))\n"
    )
    assert real("wrong-port", sys.executable, "-c", code) == 0
    assert capfd.readouterr().out == "b'hello'\nb'\\r\\nERROR\\r\\n'\n"


def test_a_port_that_vanishes_is_gone_for_its_client_and_comes_back_under_its_new_name(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, sys, time, serial\n"
        "from serial.tools.list_ports import comports\n"
        "names = lambda: [os.path.basename(port.device) for port in comports()]\n"
        "folder = os.path.dirname(os.environ['ESPSIM_PORT'])\n"
        "print(names())\n"
        "port = serial.Serial(os.environ['ESPSIM_PORT'], 115200, timeout=30)\n"
        "try: port.read(1 << 20)\n"
        "except serial.SerialException as error: print('lost')\n"
        "port.close()\n"
        "while not names(): time.sleep(0.01)\n"
        "print(names(), os.listdir(folder))\n"
        "with serial.Serial(folder + '/ttyACM1', 115200, timeout=30) as port: print(port.read(1) != b'')\n"
    )
    from simulator.faults import presets

    found = presets.preset("native-usb-reenumerates")
    changed = _with_fault(found, "usb:at(1):disconnect(back=1,name=/dev/ttyACM1)")
    monkeypatch.setattr(presets, "preset", lambda name: changed)
    assert real("native-usb-reenumerates", sys.executable, "-c", code) == 0
    assert capfd.readouterr().out.splitlines() == ["['ttyACM0']", "lost", "['ttyACM1'] ['ttyACM1']", "True"]


def _with_fault(preset: object, fault: str) -> object:
    from dataclasses import replace

    return replace(preset, faults=(fault,))  # type: ignore[type-var]


def test_flashcore_sees_the_simulated_usb_and_not_this_machine_s(capfd: pytest.CaptureFixture[str]) -> None:
    assert virtual("no-driver-no-port", FLASHCORE, "ports") == 0
    assert capfd.readouterr().out.splitlines() == [
        "no serial ports",
        "(no port)                10C4:EA60  Silicon Labs CP210x  (its driver is missing)",
    ]
    assert virtual("cable-charge-only", FLASHCORE, "--wait-port", "1", "info") == 3
    assert "no board is on the USB" in capfd.readouterr().err


def test_flashcore_s_own_command_follows_a_port_in_virtual_time(capfd: pytest.CaptureFixture[str]) -> None:
    assert virtual("native-usb-reenumerates", FLASHCORE, "--json", "info") == 0
    assert "port.came_back" in capfd.readouterr().out
