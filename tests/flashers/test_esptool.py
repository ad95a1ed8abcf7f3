"""The real esptool, unmodified, against a virtual board: in virtual time with autoreset, and over a pseudo-terminal.

This is the esptool of the tests' own environment; other releases, and other flashers, are in test_matrix.py.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from random import Random

import pytest

from simulator.flashers.job import Request
from simulator.flashers.real_run import run_pty
from simulator.flashers.virtual_run import Finished, run_virtual
from simulator.links.pump import Pace
from simulator.scenario import Scenario

BOARD = "ttgo-lora32-v1"
FLASH_SIZE = 4 << 20
ADDRESS = 0x11000
BEFORE = Random(1).randbytes(0x40000) + b"\xff" * (FLASH_SIZE - 0x40000)
IMAGE = Random(2).randbytes(9000) + bytes(20000) + Random(3).randbytes(7000)
ESPTOOL = (sys.executable, "-m", "esptool")


class Run:
    """One esptool session on a fresh board."""

    def __init__(self, folder: Path, *, link: str = "virtual", tool: tuple[str, ...] = ESPTOOL) -> None:
        self.folder = folder
        self.link = link
        self.tool = tool
        (folder / "before.bin").write_bytes(BEFORE)
        (folder / "image.bin").write_bytes(IMAGE)

    def __call__(self, *words: str, board: str = BOARD, faults: tuple[str, ...] = (), seed: int = 0) -> Finished:
        request = Request(
            scenario=Scenario(
                board=board,
                faults=faults,
                seed=seed,
                download=self.link == "pty",
                flash=str(self.folder / "before.bin"),
            ),
            save_flash=str(self.folder / "after.bin"),
        )
        if self.link == "virtual":
            return run_virtual([*self.tool, "--port", "{port}", *words], request, timeout_s=100)
        untouched = ("--before", "no_reset", "--after", "no_reset")
        words = (*self.tool[1:], "--port", "{port}", *untouched, *words)
        return run_pty([self.tool[0], *words], request, timeout_s=100, pace=Pace.MAX)

    @property
    def image(self) -> str:
        return str(self.folder / "image.bin")

    @property
    def flash(self) -> bytes:
        return (self.folder / "after.bin").read_bytes()


@pytest.fixture
def esptool(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture
def esptool_on_pty(tmp_path: Path) -> Run:
    return Run(tmp_path, link="pty")


def written(address: int, data: bytes) -> bytes:
    """Return the flash with `data` in it and the rest of its last sector erased."""
    end = address + len(data)
    sector_end = -(-end // 4096) * 4096
    return BEFORE[:address] + data + b"\xff" * (sector_end - end) + BEFORE[sector_end:]


@pytest.mark.parametrize("stub", [(), ("--no-stub",)], ids=["stub", "no-stub"])
def test_flash_id_finds_chip_and_flash(esptool: Run, stub: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    assert esptool(*stub, "flash-id").status == 0
    output = capfd.readouterr().out
    for line in ("ESP32-D0WDQ6-V3 (revision v3.0)", "40MHz", "d8:a0:1d:40:8f:1c", "Manufacturer: ef", "Device: 4016", "4MB"):
        assert line in output
    assert "WARNING" not in output


def test_the_reset_in_one_step_leads_to_download_mode_at_once(esptool: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert esptool("--connect-attempts", "1", "read-mac").status == 0
    assert "NOT reset" not in capfd.readouterr().out


def test_a_port_is_found_without_being_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    finished = run_virtual([*ESPTOOL, "read-mac"], Request(scenario=Scenario(board=BOARD)), timeout_s=100)
    assert finished.status == 0
    assert "Serial port /dev/ttyACM0" in capfd.readouterr().out


@pytest.mark.parametrize("options", [(), ("-b", "921600")], ids=["115200", "921600"])
def test_a_compressed_write_changes_just_its_sectors(esptool: Run, options: tuple[str, ...]) -> None:
    assert esptool(*options, "write-flash", hex(ADDRESS), esptool.image).status == 0
    assert esptool.flash == written(ADDRESS, IMAGE)


def test_a_plain_write_without_a_stub_changes_just_its_sectors(esptool: Run) -> None:
    assert esptool("--no-stub", "-b", "921600", "write-flash", "-u", hex(ADDRESS), esptool.image).status == 0
    assert esptool.flash == written(ADDRESS, IMAGE)


def test_reading_gives_what_the_flash_holds(esptool: Run, tmp_path: Path) -> None:
    assert esptool("-b", "921600", "read-flash", hex(ADDRESS), "0x3000", str(tmp_path / "out.bin")).status == 0
    assert (tmp_path / "out.bin").read_bytes() == BEFORE[ADDRESS:][:0x3000]
    assert esptool.flash == BEFORE


def test_erasing_a_region_leaves_the_rest(esptool: Run) -> None:
    assert esptool("erase-region", "0x20000", "0x13000").status == 0
    assert esptool.flash == BEFORE[:0x20000] + b"\xff" * 0x13000 + BEFORE[0x33000:]


def test_verifying_tells_a_match_from_a_difference(esptool: Run, tmp_path: Path) -> None:
    (tmp_path / "same.bin").write_bytes(BEFORE[0x1000:0x9000])
    assert esptool("verify-flash", "0x1000", str(tmp_path / "same.bin")).status == 0
    assert esptool("verify-flash", "0x2000", str(tmp_path / "same.bin")).status == 2


def test_a_silent_port_ends_with_esptool_s_own_message(esptool: Run, capfd: pytest.CaptureFixture[str]) -> None:
    finished = esptool("flash-id", faults=("silent-line",))
    captured = capfd.readouterr()
    assert finished.status == 2
    assert "No serial data received." in captured.out + captured.err
    assert finished.outcome is not None
    assert finished.outcome.virtual_s > 5
    assert finished.outcome.faults[0].exercised


def test_the_same_seed_gives_the_same_session(esptool: Run) -> None:
    faults = ("h2d:chance(0.02):corrupt",)
    first, again, other = (esptool("flash-id", faults=faults, seed=seed).outcome for seed in (5, 5, 6))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.digest == again.digest != other.digest


def test_over_a_pty_esptool_writes_and_verifies(esptool_on_pty: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert esptool_on_pty("-b", "921600", "write-flash", hex(ADDRESS), esptool_on_pty.image).status == 0
    assert esptool_on_pty.flash == written(ADDRESS, IMAGE)
    output = capfd.readouterr().out
    assert "Hash of data verified." in output
    assert re.search(r"Serial port /dev/(pts/\d+|ttys\d+)", output)


def test_over_a_pty_the_rom_answers_too(esptool_on_pty: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert esptool_on_pty("--no-stub", "flash-id").status == 0
    assert "Device: 4016" in capfd.readouterr().out
