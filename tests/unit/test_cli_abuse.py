"""Both command lines with what a clumsy user gives them: one clear error, the documented exit code, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flashcore.cli.app import run
from simulator.cli.main import status_of

FULL = Path("/dev/full")


@pytest.mark.parametrize("text", ["nan", "inf", "1e308", "0", "-1"])
@pytest.mark.parametrize("command", [["run", "--timeout"], ["serve", "--timeout"]])
def test_a_time_limit_is_a_number_that_can_be_waited_for(
    command: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--", "python", "x.py"] if command[0] == "run" else []
    assert status_of([*command, text, *words]) == 2
    assert "Invalid value for '--timeout'" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--wait-port", "nan"), ("--wait-port", "inf"), ("--baud", "99999999999999999999")])
def test_flashcore_refuses_numbers_that_nothing_can_do(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-p", "nothing", *option, "info"]) == 2
    assert option[0] in capsys.readouterr().err


def test_an_empty_address_does_not_open_the_board_to_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["serve", "--link", "tcp", "--listen", "", "--timeout", "0.01"]) == 2
    assert "0.0.0.0 is all interfaces" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--save-flash", "--save-efuse", "--transcript"])
def test_a_folder_in_the_place_of_a_file_is_seen_before_anything_runs(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["run", option, str(tmp_path), "--", sys.executable, "-c", "print('ran')"]) == 2
    shown = capfd.readouterr()
    assert shown.err == f"espsim: cannot write {tmp_path}: it is a folder\n"
    assert shown.out == ""


@pytest.mark.parametrize("form", ["--html", "--json", "--junit", "--markdown"])
def test_a_folder_in_the_place_of_a_report_is_seen_before_anything_runs(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["score", "flashcore", form, str(tmp_path)]) == 2
    assert "irectory" in capsys.readouterr().err


COMMANDS = [("flashcore", "--help"), ("flashcore", "ports"), ("simulator", "--help"), ("simulator", "faults")]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_reader_that_has_enough_is_no_error(words: tuple[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, "-m", *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert done.stderr == ""


@pytest.mark.skipif(not FULL.is_char_device(), reason="has no device that is always full")
@pytest.mark.parametrize("words", COMMANDS)
def test_no_room_for_the_output_is_one_line(words: tuple[str, str]) -> None:
    with FULL.open("w", encoding="utf-8") as full:
        done = subprocess.run([sys.executable, "-m", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == (1 if words[0] == "flashcore" else 70)
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'{"meta": {}}\n', b"my only copy"])
def test_a_file_of_something_else_is_not_added_to(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    assert status_of(["score", "flashcore", "--limit", "1", "--size", "1", "--resume", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"espsim: {path} holds no results\n")
    assert path.read_bytes() == content


def test_a_pipe_is_no_file_of_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert status_of(["score", "flashcore", "--limit", "1", "--size", "1", "--resume", str(path)]) == 2
    assert "holds no results" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b'{"i', b'{"id": "abc", "vers', b'{"id": "\xff\n'])
def test_results_that_were_cut_off_go_on(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    assert status_of(["score", "flashcore", "--limit", "1", "--size", "1", "--resume", str(path)]) == 0
    assert path.read_bytes().startswith(content)
    assert b'"verdict": ' in path.read_bytes().splitlines()[-1]


def test_a_scorecard_that_is_nested_without_end_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", encoding="utf-8")
    assert status_of(["report", str(path)]) == 2
    assert "is no scorecard: maximum recursion depth" in capsys.readouterr().err
