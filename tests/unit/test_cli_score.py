"""``espsim score``: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli.main import status_of

LITTLE = ("--size", "4096")


def test_smoke_prints_a_table_and_the_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["score", "flashcore"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["fault", "flashcore"]
    found = dict(line.split() for line in lines[1:7])
    assert found == {
        "clean": "RECOVERED",
        "mac-cdc-long-frame": "RECOVERED",
        "wrong-port": "RECOVERED",
        "silent-line": "FAILED_CLEAN",
        "reply-lost-mid-write": "RECOVERED",
        "corrupt-to-device": "RECOVERED",
    }
    assert lines[-1] == "flashcore: 5 of 5 points; got over 3 of 3 that pass, did right by 2 of 2 that last"


def test_the_json_has_meta_and_cases_and_each_case_can_be_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "score.json"
    assert status_of(["score", "flashcore", "--suite", "sweep", *LITTLE, "--limit", "5", "--json", str(path)]) == 0
    whole = json.loads(path.read_text())
    assert whole["meta"]["complete"] is True
    assert whole["meta"]["coverage"]["flashcore"].startswith("5 of ")
    clean, *cases = whole["cases"]
    assert clean["preset"] == "clean"
    assert len(cases) == 5
    again = tmp_path / "again.json"
    words = shlex.split(cases[3]["repeat"])
    assert words[:3] == ["espsim", "score", "flashcore"]
    assert status_of([*words[1:], "--json", str(again)]) == 0
    repeated = json.loads(again.read_text())["cases"][1]
    same = ("verdict", "diagnosis", "virtual_s", "clean_virtual_s", "fired")
    assert {name: repeated[name] for name in same} == {name: cases[3][name] for name in same}


def test_a_second_run_takes_what_the_first_has_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kept.jsonl"
    words = ["score", "flashcore", "--fault", "silent-line", *LITTLE, "--resume", str(path)]
    assert status_of(words) == 0
    first, kept = capsys.readouterr().out, path.read_text()
    path.write_text(kept.replace('"verdict": "FAILED_CLEAN"', '"verdict": "CRASHED"'))
    assert status_of(words) == 0
    assert "CRASHED" in capsys.readouterr().out
    assert "FAILED_CLEAN" in first
    assert len(path.read_text().splitlines()) == 1


def test_any_program_takes_part_by_its_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["score", "--command", "true {port} {address} {image}", "--fault", "silent-line", *LITTLE]) == 0
    out = capsys.readouterr().out
    assert "FALSE_SUCCESS" in out
    assert "espsim score 'true {port} {address} {image}' --board esp32-devkitc --seed 0 --size 4096 --fault silent-line" in out


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["score"], 2, "FLASHER"),
        (["score", "avrdude"], 2, "unknown flasher 'avrdude'"),
        (["score", "--command", "mytool {prot} {address} {image}"], 2, "unknown mark {prot}"),
        (["score", "flashcore", "--suite", "sweep", "--size", "1024", "--frame", "h2d:SYNK"], 2, "unknown command 'SYNK'"),
        (["score", "flashcore", "flashcore"], 2, "named twice"),
        (["score", "flashcore", "--board", "nothing"], 2, "no board 'nothing'"),
        (["score", "flashcore", "--fault", "silent-lime"], 2, "did you mean 'silent-line'?"),
        (["score", "flashcore", "--json", "no/such/folder.json"], 2, "there is no such folder"),
        (["score", "flashcore", "--resume", "no/such/folder.jsonl"], 2, "cannot use no/such/folder.jsonl"),
    ],
)
def test_a_wrong_order_is_one_clear_error(words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(words) == status
    assert says in capsys.readouterr().err


def test_an_interruption_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    code = (
        "import sys\nfrom simulator.campaign import store\nfrom simulator.cli.main import status_of\n"
        "add = store.Store.add\n"
        "def interrupted(self, record):\n"
        "    add(self, record)\n"
        "    if len(self.records) == 3: raise KeyboardInterrupt\n"
        "store.Store.add = interrupted\n"
        f"sys.exit(status_of(['score', 'flashcore', '--suite', 'sweep', '--size', '4096', '--resume', {str(kept)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert len(kept.read_text().splitlines()) == 3
    assert "interrupted; the same command with --resume" in done.stderr
