"""The command line: arguments, exit codes, JSON, and that it starts without loading what it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import flashcore
import flashcore.ports
from flashcore.cli.app import flashcore as group
from flashcore.cli.arguments import PortOptions, parse_number, parse_pairs
from flashcore.cli.entry import run
from flashcore.cli.overview import COMMANDS, OPTIONS, render
from flashcore.errors import UsageError
from flashcore.exports import EXPORTS
from simulator.host.virtual_host import alone
from simulator.links.virtual import VirtualPort
from tests.images import make_app
from tests.model.loader_world import Bench, bench, firmware

Plug = Callable[[Bench], None]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Return a function that puts a board behind the port that the command line opens."""

    def put(desk: Bench) -> None:
        host = alone(desk.world.device, name="/dev/test")
        host.line_support = desk.port.line_support
        attach = host.open

        def open_port(name: str, baudrate: int = 115200) -> VirtualPort:
            desk.port = attach(name, baudrate)
            return desk.port

        monkeypatch.setattr(host, "open", open_port)
        monkeypatch.setattr(flashcore.ports, "SystemHost", lambda: host)

    return put


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("0x1000", 0x1000),
        ("64k", 65536),
        ("4M", 4 << 20),
        ("1_000", 1000),
        ("0X10", 16),
        ("2K", 2048),
        ("0xbk", None),
    ],
)
def test_numbers_are_decimal_hexadecimal_or_have_a_suffix(text: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(UsageError):
            parse_number(text)
    else:
        assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "-1", "x", "0x", "1G", "1.5M", "k"])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address or size"):
        parse_number(text)


@pytest.mark.parametrize("words", [[], ["0x1000"], ["0", "a", "1"]])
def test_pairs_must_be_complete(words: list[str]) -> None:
    with pytest.raises(UsageError, match="pairs of address and file"):
        parse_pairs(words)


def test_pairs_are_read_in_order() -> None:
    assert parse_pairs(["0x1000", "a", "64k", "b"]) == [(0x1000, "a"), (0x10000, "b")]


def test_options_before_the_command_count_where_the_command_says_nothing() -> None:
    lower = PortOptions(port="a", baud=9600, no_stub=True, json=False)
    assert PortOptions(port="b", json=True).over(lower) == PortOptions(port="b", baud=9600, no_stub=True, json=True)


def test_the_overview_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert capsys.readouterr().out == render()
    context = group.make_context("flashcore", [], resilient_parsing=True)
    for name in COMMANDS:
        assert group.get_command(context, name) is not None
    flags = {flag for parameter in group.params for flag in parameter.opts}
    shown = {flag for line in OPTIONS for flag in line.replace(",", "").split() if flag.startswith("-")}
    assert shown == flags | {"-h", "--help"}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_a_help_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"flashcore {name}" in capsys.readouterr().out


def test_the_overview_loads_neither_the_loader_nor_serial_nor_click_nor_rich() -> None:
    code = (
        "import sys; from flashcore.cli.entry import run; status = run(['--help']);"
        "heavy = {'click', 'rich', 'rich_click', 'serial', 'flashcore.loader', 'flashcore.chips', 'dataclasses'};"
        "sys.exit(f'loaded: {heavy & set(sys.modules)}' if status or heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_exports_what_its_types_say() -> None:
    stub = Path(flashcore.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    typed = {line.split(" as ")[-1] for line in stub.splitlines() if " as " in line}
    assert typed == set(EXPORTS) == set(dir(flashcore))
    for name in EXPORTS:
        assert getattr(flashcore, name) is not None
    with pytest.raises(AttributeError):
        flashcore.nothing  # type: ignore[attr-defined] # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["wirte"], 2, "did you mean write?"),
        (["write"], 2, "pairs of address and file"),
        (["write", "0x1000", "no-such-file.bin"], 7, "no such file"),
        (["write", "0x1001", "APP"], 2, "multiple of 0x1000"),
        (["write", "0x10000", "S3"], 7, "this image is for ESP32-S3"),
        (["write", "0xfff000", "APP"], 7, "too many"),
        (["write", "one", "APP"], 2, "is no address"),
        (["-p", "/dev/no-such-port", "--wait-port", "0", "info"], 3, "there is no port"),
        (["info", "-p", "/dev/no-such-port", "--wait-port", "0"], 3, "there is no port"),
        (["info", "--chip", "esp23", "-p", "x"], 2, "there is no chip"),
        (["info", "--before", "D0|Q1", "-p", "x"], 2, "step 2"),
        (["info", "--after", "never", "-p", "x"], 2, "unknown reset"),
        (["info", "--baud", "fast"], 2, "not a valid integer"),
        (["erase", "0x1000"], 2, "both an address and a size"),
        (["read", "0", "4k", "/no/such/folder/file"], 1, "cannot be written"),
        (["image", "S3-cut"], 7, ""),
    ],
)
def test_bad_input_ends_with_one_message_and_its_exit_code(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"APP": make_app(), "S3": make_app(chip="esp32s3"), "S3-cut": make_app(chip="esp32s3")[:100]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert run([str(tmp_path / word) if word in files else word for word in arguments]) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_json_ends_with_an_error_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "write", "0x1000", "no-such-file.bin"]) == 7
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["code"], last["exit_code"]) == ("error", "image.not_found", 7)


def test_json_tells_of_wrong_usage_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "nonsense"]) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["code"] == "usage"


def test_info_shows_the_chip(plug: Plug, capsys: pytest.CaptureFixture[str]) -> None:
    plug(bench())
    assert run(["-p", "/dev/test", "--no-stub", "info"]) == 0
    out = capsys.readouterr().out
    assert "Chip:     ESP32-D0WDQ6-V3 revision 3.0\n" in out
    assert "MAC:      d8:a0:1d:40:8f:1c\n" in out
    assert out.endswith("Chip restarted; it says: invalid header: 0xffffffff\n")


def test_write_verify_read_and_erase_in_one_life_of_a_board(
    plug: Plug, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = bench()
    plug(desk)
    app = make_app(irom_size=0)
    (tmp_path / "app.bin").write_bytes(app)
    base = ["-p", "/dev/test", "--no-stub"]
    assert run([*base, "write", "0x10000", str(tmp_path / "app.bin")]) == 0
    assert desk.flash(0x10000, len(app)) == app
    assert run([*base, "verify", "0x10000", str(tmp_path / "app.bin")]) == 0
    assert run([*base, "read", "0x10000", "1k", str(tmp_path / "back.bin")]) == 0
    assert (tmp_path / "back.bin").read_bytes() == app[:1024]
    assert run([*base, "erase", "0x10000", "4k"]) == 0
    assert desk.flash(0x10000, 4096) == b"\xff" * 4096
    capsys.readouterr()
    assert run([*base, "verify", "0x10000", str(tmp_path / "app.bin")]) == 6
    assert "0x10000-0x11000" in capsys.readouterr().err


def test_json_has_one_object_per_line_and_ends_with_the_result(
    plug: Plug, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plug(bench())
    (tmp_path / "data.bin").write_bytes(firmware(0x3000))
    assert run(["write", "-p", "/dev/test", "--no-stub", "--json", "0x20000", str(tmp_path / "data.bin")]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "connecting"
    assert events[-1]["event"] == "result"
    assert events[-1]["regions"] == [{"offset": 0x20000, "size": 0x3000, "name": str(tmp_path / "data.bin")}]
    assert [finding["code"] for finding in events[-1]["findings"]] == ["boot.failed"]


def test_a_failed_read_leaves_no_file(plug: Plug, tmp_path: Path) -> None:
    plug(bench("silent-line"))
    assert run(["-p", "/dev/test", "read", "0", "4k", str(tmp_path / "back.bin")]) == 4
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_a_write_releases_the_port_and_says_what_the_flash_holds(
    plug: Plug, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = bench()
    plug(desk)
    for name in ("one", "two", "three"):
        (tmp_path / name).write_bytes(firmware(0x6000))
    write = VirtualPort.write
    data_frames = 0

    def interrupted(port: VirtualPort, data: bytes, deadline_ns: int) -> None:
        nonlocal data_frames
        data_frames += data[2] == 0x03
        if data_frames > 24 + 4:
            raise KeyboardInterrupt
        write(port, data, deadline_ns)

    monkeypatch.setattr(VirtualPort, "write", interrupted)
    places = ["0x10000", str(tmp_path / "one"), "0x20000", str(tmp_path / "two"), "0x30000", str(tmp_path / "three")]
    assert run(["-p", "/dev/test", "--no-stub", "write", "--no-compress", *places]) == 130
    said = capsys.readouterr().err
    assert "0x10000" in said
    assert "written and verified" in said
    assert f"region at 0x20000 ({tmp_path / 'two'}): first 0x1000 of 0x6000 bytes written" in said
    assert f"region at 0x30000 ({tmp_path / 'three'}): as before" in said
    assert desk.flash(0x20000, 0x1000) == firmware(0x6000)[:0x1000]
    assert (desk.port._dtr, desk.port._rts, desk.port._open) == (False, False, False)


def test_trace_records_lines_and_bytes(plug: Plug, tmp_path: Path) -> None:
    plug(bench())
    trace = tmp_path / "trace.txt"
    assert run(["-p", "/dev/test", "--no-stub", "--trace", str(trace), "info"]) == 0
    lines = trace.read_text().splitlines()
    assert lines[0].endswith("= opened /dev/test")
    assert lines[1].endswith("= DTR 0 RTS 0")
    assert any("> c0 00 08 24 00" in line for line in lines)
    assert any("< " in line for line in lines)
    assert lines[-1].endswith("= closed")
