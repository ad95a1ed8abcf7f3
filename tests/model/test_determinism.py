"""Same seed, same events: in one process, in another, under another hash seed, on another Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model.session_hash import all_sessions, session

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    return all_sessions()


def elsewhere(python: str, hash_seed: str) -> dict[str, str] | None:
    """Return what another interpreter finds, or nothing if it cannot be started."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
    if subprocess.run([python, "-c", ""], env=environment, capture_output=True, check=False).returncode:
        return None
    command = [python, "-m", "tests.model.session_hash"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_second_run_in_this_process_has_the_same_events(here: dict[str, str]) -> None:
    assert all_sessions() == here


def test_another_seed_gives_other_events_where_dice_are_drawn(here: dict[str, str]) -> None:
    other = all_sessions(seed=2)
    assert {fault for fault in here if here[fault] != other[fault]} >= {"mac-cdc-long-frame", "h2d:chance(0.05):corrupt"}


def test_a_fault_that_strikes_changes_the_events(here: dict[str, str]) -> None:
    clean = session("", 1).split()[0]
    struck = {fault: found.split()[0] for fault, found in here.items() if not found.endswith(" 0")}
    assert len(struck) > 40
    assert clean not in struck.values()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_and_hash_seed_make_no_difference(here: dict[str, str], hash_seed: str) -> None:
    assert elsewhere(sys.executable, hash_seed) == here


@pytest.mark.parametrize("version", VERSIONS)
def test_another_python_version_makes_no_difference(here: dict[str, str], version: str) -> None:
    python = shutil.which(f"python{version}")
    if version == "{}.{}".format(*sys.version_info) or python is None:
        pytest.skip(f"no other Python {version} on PATH")
    found = elsewhere(python, "1")
    if found is None:
        pytest.skip(f"{python} does not start")
    assert found == here
