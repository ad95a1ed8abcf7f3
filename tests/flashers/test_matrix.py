"""Real flashers, unmodified, on every link and in every mode: exit code and the whole flash array are as they must be.

The gate runs a slice with the releases that install quickly; with ``ESPSIM_PEER_RELEASES=all``, as in the tox environment
``peers``, the whole is run. docs/compatibility.md is what comes of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.flashers.environments import FlasherEnvironmentError
from tests import matrix, peers
from tests.matrix import ADDRESS, BEFORE, Case, run, written, written_in_windows

QUICK = {case for case in matrix.quick(peers.releases()) if not case.cannot}
CASES = sorted(QUICK, key=lambda case: case.name)
if peers.whole():
    CASES += [case for case in matrix.everything(peers.releases()) if case not in QUICK and not case.cannot]

pytestmark = pytest.mark.peers


@pytest.mark.timeout(3200)
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=() if case in QUICK else pytest.mark.slow) for case in CASES]
)
def test_a_flasher_does_to_the_flash_what_it_was_asked(case: Case, tmp_path: Path) -> None:
    try:
        result = run(case, tmp_path)
    except FlasherEnvironmentError as error:
        peers.or_skip(error)
        raise
    assert not result.problem, f"{result.problem}\n{result.command}\n{result.output}"
    for file in tmp_path.iterdir():
        file.unlink()


def test_what_the_matrix_expects_of_a_window_is_what_was_recorded() -> None:
    """Fact 43: a byte programs 32 KiB, an image of one window two of them."""
    flash = written_in_windows(b"\x5a")
    assert flash[ADDRESS : ADDRESS + 4] == b"\x5a\xff\xff\xff"
    assert flash[ADDRESS + 4 : ADDRESS + 0x8000] == bytes(0x7FFC)
    assert flash[ADDRESS + 0x8000 :] == BEFORE[ADDRESS + 0x8000 :]
    image = bytes(range(256)) * 0x80
    twice = written_in_windows(image)
    assert twice[: ADDRESS + 0x8000] == written(image)[: ADDRESS + 0x8000]
    old = BEFORE[ADDRESS + 0x8000 : ADDRESS + 0x10000]
    assert twice[ADDRESS + 0x8000 : ADDRESS + 0x10000] == bytes(a & b for a, b in zip(old, image, strict=True))
    assert twice[ADDRESS + 0x10000 :] == BEFORE[ADDRESS + 0x10000 :]


def test_a_flash_that_differs_is_noticed(tmp_path: Path) -> None:
    case = Case(client=f"esptool {peers.INSTALLED}", link="virtual", mode="stub, compressed", subject="4 KiB")
    after = tmp_path / "after.bin"
    after.write_bytes(case.after[:-1] + b"\x00")
    assert matrix._difference(case, 0, "", after) == "flash differs in 1 pages from 0x3fff00 on"
    assert matrix._difference(case, 1, "", after) == "exit code 1 in place of 0: no output"
