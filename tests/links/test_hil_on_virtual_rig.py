"""`pytest hil --espsim-rig FILE` on virtual boards, all as processes of their own: what it plays, what it refuses, and that it
leaves the flash as it found it.

Boards are served on pseudo-terminals with modem lines, and over RFC 2217. `espsim run` gives the flash content before and
after, and a transcript that shows each command that changes flash.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOARD = "ttgo-lora32-v1"
MAC = "d8:a0:1d:40:8f:1c"
REGION = range(0x1_0000, 0x1_4000)
ESPSIM = (sys.executable, "-c", "from simulator.cli import main; main()")
HIL = (sys.executable, "-m", "pytest", "hil", "-p", "no:cacheprovider", "--espsim-silence", "0.1")

BEGINS = {0x02: 12, 0x10: 12, 0xD1: 0}
"""Where FLASH_BEGIN, FLASH_DEFL_BEGIN and ERASE_REGION say which offset they mean."""
SIZES = {0x02: 0, 0x10: 0, 0xD1: 4}
"""Where they say how much."""
ERASE_FLASH = 0xD0

needs_lines = pytest.mark.skipif(
    sys.platform != "linux" or not (shutil.which("cc") or shutil.which("gcc")),
    reason="modem lines on a pty need Linux and a C compiler",
)


def table(*, name: str = "lora", port: str = "$ESPSIM_PORT", mac: str = MAC, allowed: str = '"read", "write", "erase"') -> str:
    return f"""
[[board]]
name = "{name}"
port = "{port}"
preset = "{BOARD}"
mac = "{mac}"
allowed = [{allowed}]
region = {{ start = {REGION.start}, size = {len(REGION)} }}
"""


@dataclass
class Result:
    """How a run of `pytest hil` ended."""

    returncode: int
    output: str

    @property
    def summary(self) -> dict[str, int]:
        """Number of tests by outcome, from the last line."""
        last = self.output.strip().splitlines()[-1]
        return {outcome: int(number) for number, outcome in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}


@dataclass
class Bench:
    """A board in a process of its own, and what it went through."""

    folder: Path
    before: bytes = field(default_factory=lambda: random.Random(1).randbytes(1 << 18))

    def run(self, rig: str, *arguments: str, environment: dict[str, str] | None = None) -> Result:
        """Run `pytest hil` with a fresh board on a pseudo-terminal."""
        (self.folder / "rig.toml").write_text(rig)
        (self.folder / "before.bin").write_bytes(self.before)
        files = ("--flash", "before.bin", "--save-flash", "after.bin", "--transcript", "events.jsonl")
        paths = [word if word.startswith("--") else str(self.folder / word) for word in files]
        board = (*ESPSIM, "run", "--link", "pty", "--lines", "--pace", "max", "--board", BOARD, *paths, "--")
        return finish([*board, *HIL, "--espsim-rig", str(self.folder / "rig.toml"), *arguments], environment or {})

    @property
    def after(self) -> bytes:
        """What the flash holds at the end, as far as the start was given."""
        return (self.folder / "after.bin").read_bytes()[: len(self.before)]

    @property
    def touched(self) -> list[range]:
        """Each part of the flash that the board was told to erase or write."""
        events = [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]
        sent = b"".join(bytes.fromhex(event["data"]) for event in events if event["kind"] == "h2d")
        found: list[range] = []
        for part in sent.split(b"\xc0"):
            packet = part.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            opcode = packet[1] if len(packet) >= 8 and packet[0] == 0 else None
            if opcode == ERASE_FLASH:
                found.append(range(1 << 32))
            elif opcode in BEGINS:
                start, size = (int.from_bytes(packet[8 + at : 12 + at], "little") for at in (BEGINS[opcode], SIZES[opcode]))
                found.append(range(start, start + size))
        return found


def finish(command: list[str], environment: dict[str, str]) -> Result:
    variables = os.environ | environment
    done = subprocess.run(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=110
    )
    return Result(done.returncode, done.stdout)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def serving() -> Iterator[list[subprocess.Popen[str]]]:
    """Stop what a test has served."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def serve(serving: list[subprocess.Popen[str]], *arguments: str, ports: int, lines: bool) -> tuple[list[str], dict[str, str]]:
    """Serve virtual boards; return their ports, and what a client must be started with."""
    command = [*ESPSIM, "serve", "--pace", "max", *arguments, *(["--lines"] if lines else [])]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True)
    serving.append(process)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(ports + lines)]
    words = shlex.split(said[-1].removeprefix("environment: ")) if lines else []
    return [line.split()[1] for line in said[:ports]], dict(word.split("=", 1) for word in words)


def test_nothing_runs_unless_a_rig_is_named() -> None:
    result = finish([*HIL, "-q"], {})
    assert result.returncode == 0
    assert set(result.summary) == {"skipped"}
    assert "no rig is named" in result.output


def test_a_rig_with_a_mistake_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text(table(port="/dev/null") + "baud = 9600\n")
    result = finish([*HIL, "--espsim-rig", str(tmp_path / "rig.toml")], {})
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{tmp_path / 'rig.toml'}: board[0].baud: is unknown" in result.output
    assert "Traceback" not in result.output


@needs_lines
def test_a_rig_over_pty_passes_and_a_board_with_another_mac_is_left_alone(
    serving: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    (lora, other), environment = serve(serving, "--board", BOARD, "--board", BOARD, ports=2, lines=True)
    rig = table(port=lora) + table(name="other", port=other, mac="24:6f:28:00:00:01")
    (tmp_path / "rig.toml").write_text(rig)
    chosen = "not 4096 and not mem_bad_checksum and not mem_ok and not write_reg"
    result = finish([*HIL, "--espsim-rig", str(tmp_path / "rig.toml"), "-q", "-k", chosen], environment)
    assert result.returncode == 0, result.output
    assert result.summary == {"passed": 36, "skipped": 36}
    assert f"other: its MAC address is {MAC}, the rig says 24:6f:28:00:00:01" in result.output
    assert list(tmp_path.iterdir()) == [tmp_path / "rig.toml"], "copies of the flash are left over"


def test_a_rig_over_rfc2217_passes(serving: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    (port,), _ = serve(serving, "--board", BOARD, "--link", "rfc2217", ports=1, lines=False)
    (tmp_path / "rig.toml").write_text(table(port=port))
    chosen = "identity or boot or erased or first_command_not_sync_readreg or mem_wrong_seq"
    result = finish([*HIL, "--espsim-rig", str(tmp_path / "rig.toml"), "-q", "-k", chosen], {})
    assert result.returncode == 0, result.output
    assert result.summary == {"passed": 7}


def test_without_modem_lines_only_what_needs_them_is_left_out(serving: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    (port,), _ = serve(serving, "--board", BOARD, "--link", "tcp", ports=1, lines=False)
    (tmp_path / "rig.toml").write_text(table(port=port))
    chosen = "identity or boot or erased or mem_ok"
    result = finish([*HIL, "--espsim-rig", str(tmp_path / "rig.toml"), "-q", "-k", chosen], {})
    assert result.returncode == 0, result.output
    assert result.summary == {"passed": 4, "skipped": 2}
    assert result.output.count("has no DTR and RTS") == 2


@needs_lines
def test_the_region_is_put_back_and_nothing_else_was_touched(bench: Bench) -> None:
    result = bench.run(table(), "-q", "-k", "read_back and 4097 or erased")
    assert (result.returncode, result.summary) == (0, {"passed": 3}), result.output
    assert len(bench.touched) >= 5
    assert all(part.start in REGION and part.stop - 1 in REGION for part in bench.touched)
    assert bench.after == bench.before


@needs_lines
def test_a_board_with_another_mac_is_not_written_to(bench: Bench) -> None:
    result = bench.run(table(mac="24:6f:28:00:00:01"), "-q")
    assert (result.returncode, set(result.summary)) == (0, {"skipped"}), result.output
    assert bench.touched == []
    assert bench.after == bench.before


@needs_lines
def test_what_is_not_allowed_is_not_done(bench: Bench) -> None:
    result = bench.run(table(allowed='"read"'), "-q", "-k", "test_flash")
    assert (result.returncode, result.summary["passed"]) == (0, 2), result.output
    assert "the rig does not allow to write flash" in result.output
    assert bench.touched == []


INTERRUPTION = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if "written" in item.name:
        raise KeyboardInterrupt
    return result
"""


@needs_lines
def test_after_an_interruption_the_region_is_put_back(bench: Bench) -> None:
    (bench.folder / "interruption.py").write_text(INTERRUPTION)
    path = os.pathsep.join([str(bench.folder), os.environ.get("PYTHONPATH", "")])
    result = bench.run(table(), "-q", "-k", "read_back", "-p", "interruption", environment={"PYTHONPATH": path})
    assert result.returncode == pytest.ExitCode.INTERRUPTED, result.output
    assert len(bench.touched) >= 2
    assert bench.after == bench.before


PULLED_CABLE = """
import os, signal, time
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if "mem_ok" in item.name:
        path = item.funcargs["arm"].port.name
        os.kill(int(os.environ["SERVER"]), signal.SIGTERM)
        for _ in range(300):
            if not os.path.exists(path):
                break
            time.sleep(0.01)
    return (yield)
"""


@needs_lines
def test_a_port_that_vanishes_fails_one_test_and_skips_the_others(serving: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    (port,), environment = serve(serving, "--board", BOARD, ports=1, lines=True)
    (tmp_path / "rig.toml").write_text(table(port=port))
    (tmp_path / "pulled_cable.py").write_text(PULLED_CABLE)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment |= {"PYTHONPATH": path, "SERVER": str(serving[0].pid)}
    chosen = "identity or mem_ok or mem_wrong_seq or erased"
    rig = ["--espsim-rig", str(tmp_path / "rig.toml")]
    result = finish([*HIL, *rig, "-q", "-k", chosen, "-p", "pulled_cable"], environment)
    assert (result.returncode, result.summary) == (1, {"failed": 1, "passed": 3, "skipped": 2}), result.output
    assert f"the port is gone: {port} vanished" in result.output
    assert f"lora: {port} vanished" in result.output


def test_a_board_that_is_not_there_is_one_reason(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text(table(port="/dev/no-such-port"))
    result = finish([*HIL, "--espsim-rig", str(tmp_path / "rig.toml"), "-q"], {})
    assert (result.returncode, set(result.summary)) == (0, {"skipped"}), result.output
    assert "lora: there is no port /dev/no-such-port" in result.output


@needs_lines
def test_a_busy_port_is_one_reason(bench: Bench) -> None:
    holder = (
        "import subprocess, sys; from flashcore import open_port; port = open_port(sys.argv[1]); "
        "sys.exit(subprocess.run(sys.argv[2:]).returncode)"
    )
    (bench.folder / "rig.toml").write_text(table())
    command = [*HIL, "--espsim-rig", str(bench.folder / "rig.toml"), "-q"]
    board = [*ESPSIM, "run", "--link", "pty", "--lines", "--board", BOARD, "--", sys.executable, "-c", holder, "{port}"]
    result = finish([*board, *command], {})
    assert (result.returncode, set(result.summary)) == (0, {"skipped"}), result.output
    assert "is used by another program" in result.output


@needs_lines
@pytest.mark.parametrize(("board", "kind"), [("esp32-oracle", "recording"), (BOARD, "silicon")])
def test_the_conformance_body_runs_against_a_live_port(board: str, kind: str) -> None:
    run = [*ESPSIM, "run", "--link", "pty", "--lines", "--pace", "max", "--board", board, "--"]
    live = ["--espsim-arm", "{port}", "--espsim-arm-is", kind, "--espsim-arm-silence", "0.1"]
    chosen = "mem_wrong_seq or slip_short_3 or read_00000000 or 0x14-after_sync-0 or sync_one_strap0f or accounted"
    body = [sys.executable, "-m", "pytest", "tests/conformance/test_rom.py", "-p", "no:cacheprovider", "-q", "-k", chosen]
    result = finish([*run, *body, *live], {})
    assert result.returncode == 0, result.output
    played = {"recording": 5, "silicon": 3}[kind]
    assert result.summary["passed"] == played
    assert "needs other straps" in result.output
    assert "is about the model" in result.output
    assert ("which ones fault is the emulator's choice" in result.output) == (kind == "silicon")


STUBS = ["tests/conformance/test_stubs.py", "-p", "no:cacheprovider", "-q", "-rs", "--espsim-arm-silence", "0.05"]
CHOSEN = " or ".join(
    f"stub_{build}-{name}"
    for build, name in (
        ("e3", "slip_empty"),
        ("e3", "mem_end_run"),
        ("e5_1", "read_zero"),
        ("e5_2", "spi_attach_8"),
        ("e5_2", "pipe_readreg"),
        ("e5_2", "md5_ranges"),
    )
)
"""Builds that install quickly, probes that are played and probes that are not."""


SCRATCH = ("--espsim-arm-scratch",)


@needs_lines
@pytest.mark.peers
@pytest.mark.parametrize(
    ("link", "board", "kind", "scratch", "played"),
    [
        (("pty", "--lines"), "esp32-oracle", "recording", (), {"stub_e3": 1, "stub_e5_1": 1, "stub_e5_2": 1}),
        (
            ("pty", "--lines"),
            "esp32-oracle",
            "recording",
            ("--espsim-arm-scratch",),
            {"stub_e3": 1, "stub_e5_1": 1, "stub_e5_2": 2},
        ),
        (("rfc2217",), "esp32-oracle", "recording", (), {"stub_e3": 1, "stub_e5_1": 1, "stub_e5_2": 1}),
        (("pty", "--lines"), BOARD, "silicon", (), {"stub_e3": 1, "stub_e5_1": 0, "stub_e5_2": 1}),
    ],
    ids=["pty", "pty-scratch", "rfc2217", "silicon"],
)
def test_the_stubs_vectors_run_against_a_live_port(
    link: tuple[str, ...], board: str, kind: str, scratch: tuple[str, ...], played: dict[str, int]
) -> None:
    run = [*ESPSIM, "run", "--link", *link, "--pace", "max", "--board", board, "--", sys.executable, "-m", "pytest"]
    result = finish([*run, *STUBS, "-k", CHOSEN, "--espsim-arm", "{port}", "--espsim-arm-is", kind, *scratch], {})
    assert result.returncode == 0, result.output
    assert equal(result.output) == played
    assert "how the line bunches bytes" in result.output
    assert "as nobody holds IO0" in result.output
    assert ("see --espsim-arm-scratch" in result.output) == (not scratch)


@pytest.mark.peers
def test_the_stubs_vectors_run_over_tcp_where_something_restarts_the_chip() -> None:
    words = [sys.executable, "-m", "tests.links.tcp_board", "esp32-oracle"]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url, button = server.stdout.readline().split()
        press = f"import socket; socket.create_connection(('127.0.0.1', {button})).recv(1)"
        live = [
            "--espsim-arm",
            url,
            "--espsim-arm-is",
            "recording",
            "--espsim-arm-reset",
            shlex.join([sys.executable, "-c", press]),
        ]
        result = finish([sys.executable, "-m", "pytest", *STUBS, "-k", CHOSEN, *live], {})
        server.communicate(timeout=10)
    assert result.returncode == 0, result.output
    assert equal(result.output) == {"stub_e3": 1, "stub_e5_1": 1, "stub_e5_2": 1}


def equal(output: str) -> dict[str, int]:
    """Return how many vectors of the builds chosen came out as recorded, from the table behind a run."""
    rows = [line.split() for line in output.splitlines() if line.startswith("stub_e")]
    assert all(row[4] == "0" for row in rows), output
    return {row[0]: int(row[2]) for row in rows if row[0] != "stub_e4_1"}
