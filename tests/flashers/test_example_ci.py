"""The timeout suite in examples/ci, run as its user runs it: it passes, waits long, and notices every timeout that changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

SUITE = Path(__file__).resolve().parents[2] / "examples" / "ci"

# The figures are those of one release, see its requirements.txt.
pytestmark = pytest.mark.skipif(
    not metadata.version("esptool").startswith("5.6."), reason="the suite's figures are those of esptool 5.6"
)


def run(tmp_path: Path, settings: str = "") -> subprocess.CompletedProcess[str]:
    configuration = tmp_path / "esptool.cfg"
    configuration.write_text(f"[esptool]\n{settings}\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "ESPTOOL"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "."],
        cwd=SUITE,
        env={**kept, "ESPTOOL_CFGFILE": str(configuration)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_twenty_tests_wait_ten_minutes_and_more_and_pass(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^20 passed", done.stdout, re.MULTILINE)
    waited = re.search(r"^espsim: 20 boards, ([\d.]+) s on their clocks$", done.stdout, re.MULTILINE)
    assert waited is not None
    assert float(waited[1]) > 600


def test_it_waits_the_same_in_every_run(tmp_path: Path) -> None:
    waited = {re.findall(r"^espsim: .*$", run(tmp_path).stdout, re.MULTILINE)[0] for _ in range(2)}
    assert len(waited) == 1


@pytest.mark.parametrize(
    ("setting", "guard"),
    [
        ("timeout = 2.5", "test_reading_waits_three_seconds_for_each_packet"),
        ("chip_erase_timeout = 119", "test_erasing_everything_waits_two_minutes"),
        ("max_timeout = 239", "test_nothing_waits_longer_than_four_minutes"),
        ("sync_timeout = 0.11", "test_a_silent_port_is_given_up_after_seven_rounds"),
        ("md5_timeout_per_mb = 7.9", "test_a_digest_waits_by_its_size"),
        ("erase_region_timeout_per_mb = 39", "test_erasing_a_region_waits_by_its_size"),
        ("erase_write_timeout_per_mb = 39", "test_a_compressed_block_waits_for_all_that_may_have_to_be_erased"),
        ("mem_end_rom_timeout = 0.25", "test_a_stub_that_does_not_start_is_noticed_at_once"),
        ("serial_write_timeout = 9", "test_a_line_that_does_not_take_a_block_is_left_after_ten_seconds"),
        ("connect_attempts = 6", "test_a_silent_port_is_given_up_after_seven_rounds"),
        ("write_block_attempts = 2", "test_a_block_that_arrives_damaged_each_time_is_sent_three_times"),
        ("reset_delay = 0.1", "test_a_silent_port_costs_the_resets_too"),
    ],
)
def test_a_timeout_that_is_configured_otherwise_fails_its_test(setting: str, guard: str, tmp_path: Path) -> None:
    done = run(tmp_path, setting)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert f"FAILED test_timeouts.py::{guard}" in done.stdout
