"""The ``espsim`` command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import serial

from simulator.cli.main import status_of
from simulator.scenario import Scenario

ECHO = ("--fault", "wrong-port-echo")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom simulator.cli.main import status_of\nstatus_of(['--help'])\n"
        "print([name for name in ('rich', 'rich_click', 'serial', 'simulator.board', 'simulator.flashers', 'subprocess')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--help"]) == 0
    output = capsys.readouterr().out
    for command in ("run", "serve", "boards", "faults"):
        assert re.search(rf"^  {command}  +\w", output, re.MULTILINE)


@pytest.mark.parametrize("command", ["run", "serve", "boards", "faults"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: espsim {command} ")


def test_the_exit_codes_of_run_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    status_of(["run", "--help"])
    output = capsys.readouterr().out
    for code in (2, 70, 124, 127, 130):
        assert re.search(rf"^ +{code}  \w", output, re.MULTILINE)


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["board"]) == 2
    assert "Did you mean 'boards'?" in capsys.readouterr().err


def test_boards_lists_every_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["boards"]) == 0
    output = capsys.readouterr().out
    assert len(output.splitlines()) >= 7
    assert re.search(r"^ttgo-lora32-v1 +CH9102F +1A86:55D4 +ESP32-D0WDQ6-V3", output, re.MULTILINE)


def test_boards_as_json_are_objects(capsys: pytest.CaptureFixture[str]) -> None:
    status_of(["boards", "--json"])
    boards = json.loads(capsys.readouterr().out)
    assert {"esp32-devkitc", "ttgo-tbeam-v1.1", "esp32-oracle"} <= {board["name"] for board in boards}


def test_one_board_in_detail_says_what_its_ports_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    status_of(["boards", "ttgo-lora32-v1"])
    assert "/dev/cu.usbmodem53230050451" in capsys.readouterr().out


def test_an_unknown_board_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["boards", "ttgo-lora32-v11"], ["run", "--link", "pty", "--board", "ttgo-lora32-v11", "--", "true"]):
        assert status_of(words) == 2
        assert "ttgo-lora32-v1" in capsys.readouterr().err.splitlines()[-1]


def test_faults_lists_presets_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["faults"]) == 0
    assert "mac-cdc-long-frame" in capsys.readouterr().out
    assert status_of(["faults", "silent-line"]) == 0
    assert "Not one byte comes back" in capsys.readouterr().out
    status_of(["faults", "--json"])
    assert "silent-line" in {row["id"] for row in json.loads(capsys.readouterr().out)}


def test_an_unknown_fault_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", "--link", "pty", "--fault", "silent-lime", "--", "true"]) == 2
    errors = capsys.readouterr().err
    assert errors == "espsim: unknown fault 'silent-lime'\nhint: did you mean 'silent-line'?\n"


@pytest.mark.parametrize("link", ["virtual", "pty"])
def test_a_command_that_cannot_be_started(link: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", "--link", link, "--", "no-such-tool"]) == 127
    assert capsys.readouterr().err.startswith("espsim: cannot start no-such-tool: it is not on PATH\n")


def test_run_without_a_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run"]) == 2
    assert "CMD" in capsys.readouterr().err


def test_a_missing_flash_image_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "flash.bin")
    assert status_of(["run", "--link", "pty", "--flash", missing, "--", "true"]) == 2
    assert f"no flash image at {missing}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, bytes(123)])
def test_efuses_that_are_none_are_one_clear_error(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fuses.bin"
    if content is not None:
        path.write_bytes(content)
    assert status_of(["run", "--efuse", str(path), "--", "true"]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert "espefuse dump" in said


def test_two_boards_do_not_share_efuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["serve", "--count", "2", "--save-efuse", "x.bin"]) == 2
    assert "for a single board" in capsys.readouterr().err


def test_a_served_board_leaves_its_efuses(tmp_path: Path) -> None:
    path = tmp_path / "fuses.bin"
    assert status_of(["serve", "--save-efuse", str(path), "--timeout", "0.1"]) == 0
    assert path.read_bytes() == Scenario().build().efuse_image()


def test_a_folder_that_does_not_exist_is_named_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "no" / "run.jsonl")
    assert status_of(["run", "--link", "pty", "--transcript", path, "--", "true"]) == 2
    assert f"cannot write {path}: there is no such folder" in capsys.readouterr().err


def test_options_behind_the_command_are_the_command_s(capfd: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", "--link", "pty", *ECHO, "--", "echo", "--stats", "-x"]) == 0
    assert capfd.readouterr() == ("--stats -x\n", "")


def test_stats_tell_duration_hash_and_faults(capfd: pytest.CaptureFixture[str]) -> None:
    client = "import time; time.sleep(100)"
    assert status_of(["run", *ECHO, "--stats", "--", sys.executable, "-c", client]) == 0
    errors = capfd.readouterr().err
    assert re.search(r"^espsim: virtual 100\.000 s in \d+\.\d+ s of wall time \(\d+\.\d virtual", errors, re.MULTILINE)
    assert re.search(r"^espsim: events \d+, hash [0-9a-f]{32}$", errors, re.MULTILINE)
    assert "espsim: faults fired: wrong-port-echo x1\n" in errors


def test_a_fault_that_did_not_fire_is_said_and_changes_no_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    fault = "h2d:nth_frame(MEM_DATA,3):drop"
    assert status_of(["run", *ECHO, "--fault", fault, "--", sys.executable, "-c", "raise SystemExit(5)"]) == 5
    assert capfd.readouterr().err == f"espsim: fault {fault} did not fire\n"


def test_a_command_out_of_time_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", "--link", "pty", *ECHO, "--timeout", "0.2", "--", "sleep", "1000"]) == 124
    assert capfd.readouterr().err == "espsim: CMD did not end within 0.2 s and was ended\n"


def test_serve_offers_a_port_for_each_board_until_it_is_told_to_stop() -> None:
    words = ["serve", "-B", "esp32-devkitc", "-B", "ttgo-lora32-v1", *ECHO]
    server = subprocess.Popen([sys.executable, "-m", "simulator", *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    lines = [server.stdout.readline() for _ in range(2)]
    ports = [line.split()[1] for line in lines]
    assert [line.split()[2] for line in lines] == ["(esp32-devkitc)", "(ttgo-lora32-v1)"]
    for path in ports:
        with serial.Serial(path, 921600, timeout=10) as port:
            port.write(b"hello")
            assert port.read(5) == b"hello"
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    server.stdout.close()
