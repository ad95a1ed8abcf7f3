"""The demo and what it stands on: environments for flashers, images by esptool's tools, and checks that can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo import evidence, images, thread
from flashcore.image import parse_firmware
from simulator.flashers.environments import STAMP, FlasherEnvironmentError, environment

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo" / "run.py"
BOARD = "ttgo-lora32-v1"

AS_IN_THE_THREAD = """\
esptool.py v3.3
Serial port /dev/cu.usbmodem53230050451
Connecting...
Detecting chip type... Unsupported detection protocol, switching and trying again...
Connecting...
Detecting chip type... ESP32
Chip is ESP32-D0WDQ6-V3 (revision 3)
Features: WiFi, BT, Dual Core, 240MHz, VRef calibration in efuse, Coding Scheme None
Crystal is 40MHz
MAC: 4c:75:25:01:02:03
Uploading stub...

A fatal error occurred: Failed to write to target RAM (result was 01070000: Operation timed out)
""".splitlines()


def test_the_thread_s_own_lines_are_as_in_the_thread() -> None:
    found = thread.compare(AS_IN_THE_THREAD)
    assert found.difference == ""
    assert list(found.lines) == [line for line in AS_IN_THE_THREAD[3:] if line]


@pytest.mark.parametrize("line", [number for number, text in enumerate(AS_IN_THE_THREAD) if number > 2 and text])
def test_each_line_of_the_thread_must_be_there(line: int) -> None:
    without = AS_IN_THE_THREAD[:line] + AS_IN_THE_THREAD[line + 1 :]
    assert thread.compare(without).difference


@pytest.mark.parametrize(
    ("right", "wrong", "difference"),
    [
        ("01070000", "01050000", "'A fatal error occurred: Failed to write to target RAM (result was 01050000"),
        ("revision 3", "revision 1", "'Chip is ESP32-D0WDQ6-V3 (revision 1)' stands in place of"),
        ("Uploading stub...", "Uploading stub...\nRunning stub...", "'Running stub...' stands in place of"),
    ],
)
def test_an_output_that_differs_from_the_thread_is_told_with_its_line(right: str, wrong: str, difference: str) -> None:
    text = "\n".join(AS_IN_THE_THREAD).replace(right, wrong)
    assert thread.compare(text.split("\n")).difference.startswith(difference)


CONTENTS = (
    evidence.Content(what="boot loader", offset=0x1000, data=b"\x01\x02\x03"),
    evidence.Content(what="app", offset=0x10000, data=b"\x04" * 4096),
)


def array(*changes: tuple[int, int]) -> bytes:
    flash = bytearray(b"\xff") * evidence.FLASH_SIZE
    flash[0x1000:0x1003] = b"\x01\x02\x03"
    flash[0x10000:0x11000] = b"\x04" * 4096
    for at, value in changes:
        flash[at] = value
    return bytes(flash)


@pytest.mark.parametrize(
    ("content", "holds", "text"),
    [
        (array(), True, "4099 bytes as in the files, the other 4190205 blank"),
        (array((0x10FFF, 5)), False, "1 bytes differ, the first at 0x10fff (app)"),
        (array((0x11000, 0), (0x1002, 0)), False, "2 bytes differ, the first at 0x1002 (boot loader)"),
        (array((0x11000, 0)), False, "1 bytes differ, the first at 0x11000 (blank space)"),
        (array()[:-1], False, "the array has 4194303 bytes, not 4194304"),
    ],
)
def test_the_whole_flash_array_is_compared(tmp_path: Path, content: bytes, holds: bool, text: str) -> None:
    (tmp_path / "flash.bin").write_bytes(content)
    assert evidence.compare_flash(tmp_path / "flash.bin", CONTENTS) == evidence.Check(holds=holds, text=text)


def test_a_missing_flash_array_is_no_success(tmp_path: Path) -> None:
    assert not evidence.compare_flash(tmp_path / "none.bin", ()).holds


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> tuple[images.Piece, ...]:
    return images.make(tmp_path_factory.mktemp("images"), Path(sys.executable).with_name("esptool"))


def write(pieces: tuple[images.Piece, ...], path: Path) -> Path:
    flash = bytearray(b"\xff") * evidence.FLASH_SIZE
    for piece in pieces:
        flash[piece.offset : piece.offset + len(piece.data)] = piece.data
    path.write_bytes(flash)
    return path


@pytest.mark.peers
def test_esptool_s_images_are_what_a_board_boots(pieces: tuple[images.Piece, ...], tmp_path: Path) -> None:
    log = evidence.boot_log(BOARD, write(pieces, tmp_path / "flash.bin"))
    check = evidence.check_boot(log, pieces[0].data, images.APP_OFFSET, images.PROJECT)
    assert check.holds, check.text
    assert check.lines[1:5] == (
        "load:0x3fff0030,len:5852",
        "load:0x40078000,len:14880",
        "load:0x40080400,len:3660",
        "entry 0x400805e4",
    )


@pytest.mark.peers
@pytest.mark.parametrize(("piece", "missing"), [(0, "load of segment 0"), (1, "the partition"), (2, "the app's first segment")])
def test_a_board_that_lacks_a_piece_does_not_pass(
    pieces: tuple[images.Piece, ...], tmp_path: Path, piece: int, missing: str
) -> None:
    present = tuple(other for number, other in enumerate(pieces) if number != piece)
    log = evidence.boot_log(BOARD, write(present, tmp_path / "flash.bin"))
    check = evidence.check_boot(log, pieces[0].data, images.APP_OFFSET, images.PROJECT)
    assert not check.holds
    assert check.text.startswith(f"{missing} is missing")


@pytest.mark.peers
def test_flashcore_reads_esptool_s_app_as_the_demo_means_it(pieces: tuple[images.Piece, ...]) -> None:
    app = parse_firmware(pieces[2].data)
    app.check()
    assert app.descriptor is not None
    assert (app.descriptor.project, app.descriptor.version) == (images.PROJECT, images.VERSION)
    addresses = {segment.address: segment.length for segment in app.segments}
    assert len(addresses) == 5
    assert addresses[0x400D0020] == 0x6000


def test_an_environment_that_is_complete_is_used_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "esptool-9.9.9"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    stamp = {"esptool": "9.9.9", "python": sys.version.split()[0], "folder": str(folder)}
    (folder / STAMP).write_text(json.dumps(stamp))
    assert environment("9.9.9", tmp_path) == folder / "bin" / "python"


def test_without_a_network_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    steps: list[str] = []
    with pytest.raises(FlasherEnvironmentError) as caught:
        environment("5.6.0", tmp_path, progress=steps.append)
    assert caught.value.code == "simulator.environment.offline"
    assert "esptool 5.6.0 is needed" in caught.value.message
    assert "network" in caught.value.hint
    assert steps[0] == "making a virtual environment"
    assert not (tmp_path / "esptool-5.6.0" / STAMP).exists(), "a failed environment must not pass for a complete one"


@pytest.mark.peers
@pytest.mark.slow
def test_the_demo_holds_what_it_claims() -> None:
    done = subprocess.run([sys.executable, str(DEMO)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every check held" in done.stdout
    assert "A fatal error occurred: Failed to write to target RAM (result was 01070000: Operation timed out)" in done.stdout
    assert done.stderr == ""
