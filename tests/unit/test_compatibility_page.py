"""docs/compatibility.py: what it prints is what was found, failures included."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "compatibility.py"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("docs_compatibility", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    sys.modules["docs_compatibility"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["docs_compatibility"]
    sys.path[:] = path


def test_each_finding_has_its_cell_and_each_reason_one_note(script: ModuleType) -> None:
    rows = [
        script.Row(client="esptool 3.3", link="pty", mode="stub, compressed", subject="1 byte", command="python -m esptool"),
        script.Row(client="esptool 3.3", link="pty", mode="ROM, plain", subject="1 byte", outcome="fails", note="exit code 2"),
        script.Row(client="esptool 3.3", link="pty", mode="ROM, plain", subject="4 KiB", outcome="fails", note="exit code 2"),
        script.Row(
            client="esptool 3.3", link="pty", mode="ROM, plain", subject="erase-flash", outcome="refuses", note="the ROM"
        ),
        script.Row(
            client="esptool-js 1.0 (Node)", link="websocket", mode="ROM, compressed", subject="32 KiB", outcome="deviates"
        ),
    ]
    lines = script.page(rows).splitlines()
    assert "Real flashers, unmodified, on the board `ttgo-lora32-v1`: 5 cases were run, 2 of them failed." in lines
    assert "espsim run --board ttgo-lora32-v1 --link pty --pace max -- python -m esptool" in lines
    assert "| pty | stub, compressed | ok |  |  |  |  |  |  |" in lines
    assert "| pty | ROM, plain | **fails** [1](#notes) | **fails** [1](#notes) |  |  |  |  |  |" in lines
    assert "| websocket | ROM, compressed |  |  |  |  |  |  |  | ok, but |" in lines
    assert "| `erase-flash` |  | refused [2](#notes) |" in lines
    assert lines[-2:] == ["1. Exit code 2.", "2. The ROM."]
    assert not any("empty cell" in line for line in lines)
    assert "* an empty cell: 7 cases were not run this time; `--resume` runs them." in script.page(rows, 7).splitlines()


def test_rates_share_a_cell_unless_they_differ(script: ModuleType) -> None:
    rows = [
        script.Row(client="esptool 3.3", link="pty", mode="stub, plain", subject=subject, rate=rate, outcome=outcome)
        for subject, rate, outcome in [
            ("flash-id", 115200, "ok"),
            ("flash-id", 921600, "ok"),
            ("read-mac", 921600, "fails"),
            ("read-mac", 115200, "ok"),
        ]
    ]
    lines = script.page(rows).splitlines()
    assert "| `flash-id` | ok |  |" in lines
    assert "| `read-mac` | ok / **fails** |  |" in lines


def test_rows_survive_the_file_that_they_are_kept_in(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [script.Row(client="flashcore", link="tcp", mode="stub, plain", subject="1 byte", note="x|y", outcome="deviates")]
    monkeypatch.setattr(script, "OWN", tmp_path / "rows.json")
    script.save(rows)
    assert script.load(tmp_path / "rows.json") == rows
