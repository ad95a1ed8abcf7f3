"""Rig files: what is read from them, and how each mistake is told, with the field that it is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.rig import Action, RigError, Span, load

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
[[board]]
name = "lora"
port = "/dev/ttyUSB0"
preset = "ttgo-lora32-v1"
mac = "24:6F:28:AA:BB:CC"
allowed = ["read", "write"]
region = { start = 0x3F0000, size = 0x2000 }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "rig.toml"
    path.write_text(text)
    return path


def test_a_board_is_what_its_table_says(tmp_path: Path) -> None:
    (board,) = load(write(tmp_path, GOOD)).boards
    assert (board.name, board.port, board.preset.name) == ("lora", "/dev/ttyUSB0", "ttgo-lora32-v1")
    assert board.mac == "24:6f:28:aa:bb:cc"
    assert board.allowed == {Action.READ, Action.WRITE}
    assert board.region == Span(start=0x3F0000, size=0x2000)
    assert not board.is_recording


def test_the_example_is_a_rig() -> None:
    boards = load(ROOT / "hil" / "boards.example.toml").boards
    assert [board.allowed for board in boards] == [set(Action), set()]


def test_only_the_recorded_chip_has_the_conditions_of_the_recording(tmp_path: Path) -> None:
    (board,) = load(write(tmp_path, GOOD.replace("ttgo-lora32-v1", "esp32-oracle"))).boards
    assert board.is_recording


@pytest.mark.parametrize("port", ["$BENCH", "${BENCH}"])
def test_a_port_may_come_from_the_environment(tmp_path: Path, port: str) -> None:
    path = write(tmp_path, GOOD.replace("/dev/ttyUSB0", f"rfc2217://{port}:4000"))
    (board,) = load(path, {"BENCH": "192.0.2.1"}).boards
    assert board.port == "rfc2217://192.0.2.1:4000"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "board: is missing; it must be one [[board]] table or more"),
        (GOOD, "board = []", "board: the rig has no boards"),
        (GOOD, "board = [1]", "board[0]: must be a table, not 1"),
        ("[[board]]", "baud = 1\n[[board]]", "baud: is unknown; there are: board"),
        ('name = "lora"\n', "", "board[0].name: is missing; it must be a short name"),
        ('"lora"', "7", "board[0].name: must be a short name, not 7"),
        ('"lora"', '"my board"', "board[0].name: must consist of letters, digits and . _ -, not 'my board'"),
        ("mac", "speed = 9600\nmac", "board[0].speed: is unknown; there are: name, port, preset, mac, allowed, region"),
        ("/dev/ttyUSB0", "", "board[0].port: must be a path or URL, not empty"),
        ("/dev/ttyUSB0", "$NOWHERE", "board[0].port: names the environment variable NOWHERE, which is not set"),
        ("ttgo-lora32-v1", "ttgo-lora32", "board[0].preset: "),
        ("24:6F:28:AA:BB:CC", "24:6F", "board[0].mac: must be a MAC address such as 24:6f:28:aa:bb:cc, not '24:6f'"),
        ('"write"]', '"burn"]', "board[0].allowed[1]: must be one of 'read', 'write', 'erase', not 'burn'"),
        ('"write"]', "true]", "board[0].allowed[1]: must be one of 'read', 'write', 'erase', not True"),
        ('["read", ', "[", "board[0].allowed: must include 'read' where flash is changed: what was there is saved first"),
        ('"write"]', '"erase"]', "board[0].allowed: must include 'write' beside 'erase': what was there is put back"),
        ("region", "# region", "board[0].region: is missing; read and write must be told where"),
        ("0x3F0000", "0x3F0010", "board[0].region.start: must be a multiple of 0x1000, not 0x3f0010"),
        ("0x3F0000", "-0x1000".replace("0x1000", "4096"), "board[0].region.start: must be a multiple of 0x1000, not -0x1000"),
        ("0x3F0000", "true", "board[0].region.start: must be an offset, not True"),
        ("0x2000", "0", "board[0].region.size: must be 0x1000 to 0x100000, not 0x0"),
        ("0x2000", "0x20_0000", "board[0].region.size: must be 0x1000 to 0x100000, not 0x200000"),
        ("0x2000", "0x1_1000", "board[0].region.size: reaches to 0x401000, but the flash of ttgo-lora32-v1 ends at 0x400000"),
        ("0x2000 }", "0x2000, keep = 1 }", "board[0].region.keep: is unknown; there are: start, size"),
        (GOOD, GOOD + GOOD, "board[1].name: is that of board[0] too"),
        (GOOD, GOOD + GOOD.replace('lora"', 'other"'), "board[1].port: is that of board[0] too"),
        ("[[board]]", "[[board", "is no TOML"),
    ],
)
def test_a_mistake_is_told_with_its_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(RigError) as caught:
        load(path, {})
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"no\.toml: cannot be read"):
        load(tmp_path / "no.toml")
