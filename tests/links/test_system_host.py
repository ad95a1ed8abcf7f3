"""The machine itself as a host: who has a port open, what the user may do about it, and a second reader."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from flashcore.cli.entry import run
from flashcore.errors import PortDeniedError, PortError, PortLostError
from flashcore.host import Host, PortInfo
from flashcore.ports import SystemHost, failures, processes, sysfs, system_host
from simulator.links.pty import PtyLink

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")


@pytest.fixture
def pty() -> Iterator[PtyLink]:
    with PtyLink() as link:
        yield link


def test_it_is_a_host() -> None:
    host: Host = SystemHost()
    assert host.clock.now_ns() > 0
    assert isinstance(host.ports(), list)


def test_the_program_that_has_a_port_open_is_named(pty: PtyLink) -> None:
    code = "import sys\nport = open(sys.argv[1], 'rb', buffering=0)\nprint('open', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, pty.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        found = SystemHost().holder(pty.path)
        other.stdin.close()
    assert found.endswith(f"(pid {other.pid})")
    assert found.startswith("python")


def test_our_own_process_is_no_stranger(pty: PtyLink) -> None:
    descriptor = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
    try:
        assert SystemHost().holder(pty.path) == ""
    finally:
        os.close(descriptor)


def test_programs_that_take_ports_away_are_told_only_if_they_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, name in (("1", "init"), ("77", "ModemManager"), ("78", "brltty")):
        (tmp_path / number).mkdir()
        (tmp_path / number / "comm").write_text(f"{name}\n")
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert SystemHost().meddlers() == ["brltty", "ModemManager"]


@pytest.mark.parametrize(
    ("group", "mode", "command"),
    [(20, 0o660, "sudo usermod -aG dialout ann"), (20, 0o600, "sudo chmod a+rw /dev/x"), (0, 0o660, "sudo chmod a+rw /dev/x")],
)
def test_the_command_that_grants_access_follows_from_group_and_mode(
    monkeypatch: pytest.MonkeyPatch, group: int, mode: int, command: str
) -> None:
    import getpass
    import grp

    monkeypatch.setattr(system_host, "os", SimpleNamespace(stat=lambda name: SimpleNamespace(st_gid=group, st_mode=mode)))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name={20: "dialout", 0: "root"}[number]))
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert SystemHost().permission_hint("/dev/x") == command


def test_bytes_that_somebody_else_took_are_no_lost_port(pty: PtyLink) -> None:
    port = SystemHost().open(pty.path)
    thief = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    wait = select.select
    try:

        def late(*sets: object) -> object:
            ready = wait(*sets)  # type: ignore[arg-type]
            assert os.read(thief, 100) == b"for both"
            return ready

        pty.send(b"for both")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(select, "select", late)
            with pytest.raises(PortError) as caught:
                port.read(100, port.clock.now_ns() + 10**9)
        assert (caught.value.code, isinstance(caught.value, PortLostError)) == ("port.shared", False)
        pty.close()
        with pytest.raises(PortLostError):
            port.read(100, port.clock.now_ns() + 10**9)
    finally:
        os.close(thief)
        port.close()


def test_windows_error_31_is_told_from_a_port_that_is_denied() -> None:
    text = (
        "Cannot configure port, something went wrong. Original message: "
        "PermissionError(13, 'A device attached to the system is not functioning.', None, 31)"
    )
    found = failures.opening("COM3", OSError(text))
    assert (found.code, isinstance(found, PortDeniedError)) == ("port.refuses_config", False)


def test_the_list_of_ports_ends_with_boards_that_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = tmp_path / "bus/usb/devices/1-2"
    device.mkdir(parents=True)
    (device / "idVendor").write_text("1a86\n")
    (device / "idProduct").write_text("55d4\n")
    monkeypatch.setenv(sysfs.VARIABLE, str(tmp_path))
    listed = [PortInfo(device="/dev/ttyUSB0", vid=0x10C4, pid=0xEA60), PortInfo(device="/dev/ttyS0", description="ttyS0")]
    monkeypatch.setattr(system_host, "list_ports", lambda: listed)
    assert run(["ports"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "/dev/ttyUSB0             10C4:EA60  Silicon Labs CP210x",
        "/dev/ttyS0                          ttyS0  (no USB device)",
        "(no port)                1A86:55D4  WCH CH9102  (its driver is missing)",
    ]
