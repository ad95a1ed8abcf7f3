"""Modem lines on a pseudo-terminal: what the server answers, in which order, and what the library does in a client."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.board.bridge import bridge
from simulator.cli.main import status_of
from simulator.flashers.job import Request
from simulator.flashers.real_run import Extras, run_pty
from simulator.flashers.virtual_run import Finished
from simulator.links.lines import LineServer
from simulator.links.pty import PtyLink
from simulator.links.pump import Pace
from simulator.preload import build
from simulator.preload.build import CompilerError
from simulator.scenario import Scenario
from tests import peers

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux can a library answer for a pty's modem lines")
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="there is no C compiler called cc here"
)
pytestmark = linux_only

CP2102 = bridge("CP2102")
PACKET = struct.Struct("=2I")
DTR, RTS = termios.TIOCM_DTR, termios.TIOCM_RTS
TIOCGICOUNT = 0x545D
ESPTOOL = (sys.executable, "-m", "esptool")


@pytest.fixture
def server() -> Iterator[LineServer]:
    with LineServer(CP2102) as server:
        yield server


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def library(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("CC", raising=False)
    return build.library()


def ask(server: LineServer, request: int, word: int = 0) -> socket.socket:
    """Ask as the library does; the answer is still to be read."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(server.path)
    client.send(PACKET.pack(request, word))
    return client


def exchange(server: LineServer, request: int, word: int = 0) -> tuple[list[HostLines], int, int]:
    """Return the changes that a request makes, and the error and the word of its answer."""
    with ask(server, request, word) as client:
        assert server.asked()
        changes = server.answer()
        error, answer = PACKET.unpack(client.recv(64))
    return changes, error, answer


# What the server answers


@pytest.mark.parametrize(
    ("request_", "word", "after"),
    [
        (termios.TIOCMSET, RTS, HostLines(dtr=False, rts=True)),
        (termios.TIOCMSET, 0, HostLines(dtr=False, rts=False)),
        (termios.TIOCMBIS, RTS, HostLines(dtr=True, rts=True)),
        (termios.TIOCMBIC, DTR, HostLines(dtr=False, rts=False)),
        (termios.TIOCMBIC, RTS, HostLines(dtr=True, rts=False)),
    ],
)
def test_a_request_changes_the_lines_as_the_kernel_would(
    server: LineServer, request_: int, word: int, after: HostLines
) -> None:
    assert exchange(server, termios.TIOCMSET, DTR)[0] == [HostLines(dtr=True, rts=False)]
    changes, error, _ = exchange(server, request_, word)
    assert (changes, error) == ([after], 0)
    assert exchange(server, termios.TIOCMGET) == ([], 0, DTR * after.dtr | RTS * after.rts)


def test_other_bits_are_not_on_these_boards(server: LineServer) -> None:
    exchange(server, termios.TIOCMSET, 0xFFFFFFFF)
    assert exchange(server, termios.TIOCMGET) == ([], 0, DTR | RTS)


def test_nothing_was_ever_counted_on_the_input_lines(server: LineServer) -> None:
    assert exchange(server, TIOCGICOUNT) == ([], 0, 0)


def test_a_request_that_the_server_does_not_know_is_refused(server: LineServer) -> None:
    assert exchange(server, termios.TIOCEXCL, 3) == ([], errno.ENOTTY, 0)


def test_requests_are_answered_in_the_order_in_which_they_came(server: LineServer) -> None:
    with ask(server, termios.TIOCMBIS, DTR), ask(server, termios.TIOCMBIS, RTS), ask(server, termios.TIOCMBIC, DTR):
        assert server.asked()
        changes = server.answer()
    assert changes == [HostLines(dtr=True, rts=False), HostLines(dtr=True, rts=True), HostLines(dtr=False, rts=True)]


@pytest.mark.parametrize("packet", [b"x", bytes(7), bytes(9), bytes(4096)])
def test_what_is_no_question_is_not_answered(server: LineServer, packet: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(server.path)
        client.send(packet)
        assert not server.asked()
        assert client.recv(64) == b""
    assert server.answer() == []


def test_a_client_that_asks_and_vanishes_harms_nobody(server: LineServer) -> None:
    ask(server, termios.TIOCMBIS, DTR).close()
    assert server.asked()
    assert server.answer() == [HostLines(dtr=True, rts=False)]
    assert exchange(server, termios.TIOCMGET) == ([], 0, DTR)


def test_connections_that_never_ask_do_not_pile_up(server: LineServer) -> None:
    idle = []
    for _ in range(200):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(server.path)
        idle.append(client)
        assert not server.asked()
    assert len(server.descriptors) < 100
    assert exchange(server, termios.TIOCMBIS, DTR)[1:] == (0, 0)
    for client in idle:
        client.close()


def test_closing_the_server_leaves_nothing_and_ends_every_wait() -> None:
    before = sorted(os.listdir("/dev/fd"))
    server = LineServer(CP2102)
    waiting, silent = ask(server, termios.TIOCMGET), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    silent.connect(server.path)
    server.asked()
    server.close()
    server.close()
    assert (waiting.recv(64), silent.recv(64)) == (b"", b"")
    waiting.close()
    silent.close()
    assert sorted(os.listdir("/dev/fd")) == before
    assert not os.path.exists(os.path.dirname(server.path))


def test_nobody_else_can_reach_the_socket(server: LineServer) -> None:
    assert os.stat(os.path.dirname(server.path)).st_mode & 0o077 == 0


# The lines among what else the client does


@pytest.fixture
def link() -> Iterator[PtyLink]:
    with PtyLink(LineServer(CP2102)) as link:
        yield link


def poll(link: PtyLink, *, take_bytes: bool = True) -> list[HostEvent]:
    return link.poll(take_bytes=take_bytes)


def server_of(link: PtyLink) -> LineServer:
    assert link._lines is not None
    return link._lines


def test_opening_asserts_the_lines_and_closing_releases_them(link: PtyLink) -> None:
    with open(link.path, "rb+", buffering=0) as client:
        termios.tcgetattr(client)
        assert poll(link)[:2] == [HostOpen(), HostLines(dtr=True, rts=True)]
    assert poll(link) == [HostLines(dtr=False, rts=False), HostClose()]


def test_a_client_that_clears_hupcl_leaves_the_lines_as_they_are(link: PtyLink) -> None:
    with open(link.path, "rb+", buffering=0) as client:
        settings = termios.tcgetattr(client)
        settings[2] &= ~termios.HUPCL
        termios.tcsetattr(client, termios.TCSANOW, settings)
        poll(link)
    assert poll(link) == [HostClose()]


def test_a_driver_that_does_not_touch_the_lines_does_not_here() -> None:
    spec = replace(CP2102, lines_on_open=None, lines_on_close=None)
    with PtyLink(LineServer(spec)) as link:
        with open(link.path, "rb+", buffering=0):
            assert HostLines(dtr=True, rts=True) not in poll(link)
        assert poll(link) == [HostClose()]


def test_who_asks_has_opened_the_port_before(link: PtyLink) -> None:
    with open(link.path, "rb+", buffering=0), ask(server_of(link), termios.TIOCMBIC, DTR):
        events = [event for event in poll(link) if not isinstance(event, HostBaud)]
    assert events == [HostOpen(), HostLines(dtr=True, rts=True), HostLines(dtr=False, rts=True)]


def test_what_was_written_before_goes_before_and_the_rest_after(link: PtyLink) -> None:
    with open(link.path, "rb+", buffering=0) as client:
        poll(link)
        os.set_blocking(client.fileno(), False)
        written = 0
        while taken := client.write(b"before"):
            written += taken
        with ask(server_of(link), termios.TIOCMSET, RTS):
            events = poll(link)
            client.write(b"after")
            assert poll(link) == [HostBytes(b"after")]
    sent = b"".join(event.data for event in events[:-1] if isinstance(event, HostBytes))
    assert len(sent) == written > 4096
    assert sent == (b"before" * written)[:written]
    assert events[-1] == HostLines(dtr=False, rts=True)


def test_a_change_waits_until_the_device_has_room_for_the_bytes_before_it(link: PtyLink) -> None:
    with open(link.path, "rb+", buffering=0) as client:
        poll(link)
        client.write(b"x")
        with ask(server_of(link), termios.TIOCMSET, RTS) as asking:
            idle = link.other_descriptors
            assert poll(link, take_bytes=False) == []
            asking.setblocking(False)
            with pytest.raises(BlockingIOError):
                asking.recv(64)
            assert link.other_descriptors == idle, "a question that is known must not wake anybody again"
            assert poll(link) == [HostBytes(b"x"), HostLines(dtr=False, rts=True)]
            assert PACKET.unpack(asking.recv(64))[0] == 0


def test_a_last_reset_just_before_closing_is_not_lost(link: PtyLink) -> None:
    with open(link.path, "rb+", buffering=0) as client:
        poll(link)
        client.write(b"bye")
        ask(server_of(link), termios.TIOCMSET, RTS).close()
    lines = HostLines(dtr=False, rts=True), HostLines(dtr=False, rts=False)
    assert poll(link, take_bytes=False) == [HostBytes(b"bye"), *lines, HostClose()]


def test_without_a_server_a_port_has_no_lines() -> None:
    with PtyLink() as link, open(link.path, "rb+", buffering=0) as client:
        assert not termios.tcgetattr(client)[2] & termios.HUPCL
        assert not any(isinstance(event, HostLines) for event in poll(link))


# The library in a client's process

C_CLIENT = r"""
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int result;

static void show(const char *name, int word)
{
    printf("%s %d %d %s\n", name, result, word, result ? strerror(errno) : "-");
}

int main(int count, char **words)
{
    int port = open(words[1], O_RDWR | O_NOCTTY), pipe_ends[2], word = 0;
    struct serial_icounter_struct counters;

    result = ioctl(port, TIOCMGET, &word);
    show("get", word);
    write(port, "a", 1);
    word = TIOCM_RTS;
    errno = 0;
    result = ioctl(port, TIOCMSET, &word);
    show("set", errno);
    write(port, "b", 1);
    word = TIOCM_DTR;
    result = ioctl(port, TIOCMBIS, &word);
    show("bis", errno);
    word = TIOCM_RTS;
    result = ioctl(port, TIOCMBIC, &word);
    show("bic", errno);
    write(port, "c", 1);
    word = 0;
    result = ioctl(port, TIOCMGET, &word);
    show("get", word);
    memset(&counters, 0xff, sizeof counters);
    result = ioctl(port, TIOCGICOUNT, &counters);
    show("count", counters.rx + counters.dsr);
    result = ioctl(port, TIOCMGET, NULL);
    show("null", 0);
    result = ioctl(port, FIONREAD, &word);
    show("waiting", 0);
    pipe(pipe_ends);
    result = ioctl(pipe_ends[0], TIOCMGET, &word);
    show("pipe", 0);
    result = ioctl(99, TIOCMGET, &word);
    show("closed", 0);
    return 0;
}
"""

THREADS = """
import fcntl, os, sys, threading, termios, struct
port = os.open(os.environ["ESPSIM_PORT"], os.O_RDWR | os.O_NOCTTY)
failures = []
def toggle():
    for number in range(100):
        try:
            fcntl.ioctl(port, termios.TIOCMSET, struct.pack("I", termios.TIOCM_DTR))
            if not struct.unpack("I", fcntl.ioctl(port, termios.TIOCMGET, bytes(4)))[0] & termios.TIOCM_DTR:
                failures.append("lost")
        except OSError as error:
            failures.append(error)
threads = [threading.Thread(target=toggle) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
child = os.fork()
if not child:
    fcntl.ioctl(port, termios.TIOCMSET, bytes(4))
    os._exit(0)
failures += [status] if (status := os.waitpid(child, 0)[1]) else []
print(failures, struct.unpack("I", fcntl.ioctl(port, termios.TIOCMGET, bytes(4)))[0])
"""

ENOTTY = os.strerror(errno.ENOTTY)


def run(folder: Path, *words: str, faults: tuple[str, ...] = ("wrong-port-echo",), extras: Extras | None = None) -> Finished:
    request = Request(scenario=Scenario(faults=faults, keep_events=True), transcript=str(folder / "run.jsonl"))
    return run_pty(words, request, timeout_s=100, pace=Pace.MAX, extras=extras or Extras(lines=True))


def events(folder: Path, *kinds: str) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
    return [(row["kind"], row["data"]) for row in rows if row["kind"] in kinds]


@pytest.fixture
def c_client(library: Path, tmp_path: Path) -> str:
    (tmp_path / "client.c").write_text(C_CLIENT)
    client = str(tmp_path / "client")
    subprocess.run(["cc", "-w", "-o", client, str(tmp_path / "client.c")], check=True)
    return client


@needs_compiler
def test_a_c_program_finds_modem_lines_in_their_place_among_its_bytes(
    c_client: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, c_client, "{port}").status == 0
    assert capfd.readouterr().out.splitlines() == [
        f"get 0 {DTR | RTS} -",
        "set 0 0 -",
        "bis 0 0 -",
        "bic 0 0 -",
        f"get 0 {DTR} -",
        "count 0 0 -",
        f"null -1 0 {ENOTTY}",
        "waiting 0 0 -",
        f"pipe -1 0 {ENOTTY}",
        f"closed -1 0 {os.strerror(errno.EBADF)}",
    ]
    assert events(tmp_path, "open", "close", "lines", "h2d") == [
        ("open", ""),
        ("lines", "dtr=1 rts=1"),
        ("h2d", b"a".hex()),
        ("lines", "dtr=0 rts=1"),
        ("h2d", b"b".hex()),
        ("lines", "dtr=1 rts=1"),
        ("lines", "dtr=1 rts=0"),
        ("h2d", b"c".hex()),
        ("lines", "dtr=0 rts=0"),
        ("close", ""),
    ]


@needs_compiler
@pytest.mark.parametrize("ports", [None, "", "nonsense", "/dev/null=/nowhere", "{port}=/nowhere", "{port}=" + "x" * 200, ";=;"])
def test_where_no_simulator_answers_a_pty_is_as_the_kernel_made_it(library: Path, c_client: str, ports: str | None) -> None:
    with PtyLink() as link:
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        if ports is not None:
            environment["ESPSIM_LINES"] = ports.replace("{port}", link.path)
        with_library, without = (
            subprocess.run([c_client, link.path], env=env, capture_output=True, text=True, check=True).stdout
            for env in (environment, dict(os.environ))
        )
    assert with_library == without
    assert without.startswith(f"get -1 0 {ENOTTY}\n")


@needs_compiler
def test_only_the_ports_that_are_named_have_lines(library: Path, c_client: str) -> None:
    with PtyLink(LineServer(CP2102)) as named, PtyLink() as other:
        environment = {**os.environ, "LD_PRELOAD": str(library), "ESPSIM_LINES": f"{named.path}={server_of(named).path}"}
        done = subprocess.run([c_client, other.path], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"get -1 0 {ENOTTY}\n")
        assert not server_of(named).asked()


@needs_compiler
def test_many_threads_and_a_forked_child_are_all_answered(
    library: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, sys.executable, "-c", THREADS).status == 0
    assert capfd.readouterr().out == "[] 0\n"


@needs_compiler
def test_a_preload_that_was_there_before_stays(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = shutil.copy(library, tmp_path / "other.so")
    monkeypatch.setenv("LD_PRELOAD", str(mine))
    assert run(tmp_path, "sh", "-c", 'echo "$LD_PRELOAD"').status == 0
    assert capfd.readouterr().out == f"{library}:{mine}\n"


@needs_compiler
def test_nothing_stays_open_after_a_run_with_lines(library: Path, tmp_path: Path) -> None:
    run(tmp_path, "true")
    before = sorted(os.listdir("/dev/fd"))
    run(tmp_path, "true")
    assert sorted(os.listdir("/dev/fd")) == before


# Making the library


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that counts how often it is called."""
    script = tmp_path / "counting-cc"
    script.write_text(f'#!/bin/sh\necho x >> "{tmp_path}/calls"\nexec cc "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "calls"


@needs_compiler
def test_the_library_is_made_once_and_kept(compiler: Path) -> None:
    first = build.library()
    assert build.library() == first
    assert compiler.read_text() == "x\n"
    assert [path.name for path in first.parent.iterdir()] == [first.name]


@needs_compiler
def test_another_source_makes_another_library(compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build.library()
    changed = tmp_path / "lines.c"
    changed.write_bytes(build.SOURCE.read_bytes() + b"\n/* changed */\n")
    monkeypatch.setattr(build, "SOURCE", changed)
    assert build.library() != first
    assert compiler.read_text() == "x\nx\n"


def test_without_a_compiler_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CompilerError, match=r"need a C compiler, and there is no cc on PATH") as raised:
        build.library()
    assert "apt install gcc" in raised.value.hint


def test_a_compiler_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "sh -c 'echo x.c:1: error: no such header >&2; exit 1'")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CompilerError, match=r"could not compile the library for modem lines: x\.c:1: error: no such header"):
        build.library()
    assert list((tmp_path / "espsim").iterdir()) == []


def test_a_cache_that_the_loader_could_not_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "true")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a b"))
    with pytest.raises(CompilerError, match="has a blank or a colon in it"):
        build.library()


def test_a_run_without_a_compiler_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert status_of(["run", "--link", "pty", "--lines", "--", "true"]) == 70
    assert capfd.readouterr().err.startswith("espsim: modem lines on a pty need a C compiler, and there is no no-such-compiler")


# The command line


def test_the_options_of_a_pty_are_refused_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--lines", "--list-port"):
        assert status_of(["run", option, "--", "true"]) == 2
        assert "for --link pty" in capsys.readouterr().err


@needs_compiler
def test_serve_says_what_a_client_must_be_started_with(library: Path) -> None:
    words = ["serve", "-B", "esp32-devkitc", "-B", "ttgo-lora32-v1", "--lines", "--list-port"]
    server = subprocess.Popen([sys.executable, "-m", "simulator", *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    ports = [server.stdout.readline().split()[1] for _ in range(2)]
    name, _, values = server.stdout.readline().partition(": ")
    assert name == "environment"
    environment = {**os.environ, **dict(word.split("=", 1) for word in shlex.split(values))}
    client = (
        "import fcntl, serial, struct, termios\nfrom serial.tools.list_ports import comports\n"
        "for info in comports():\n"
        "    port = serial.Serial(info.device)\n"
        "    port.dtr = False\n"
        "    print(info.device, f'{info.vid:04x}', *struct.unpack('I', fcntl.ioctl(port, termios.TIOCMGET, bytes(4))))\n"
    )
    done = subprocess.run([sys.executable, "-c", client], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{ports[0]} 10c4 {RTS}", f"{ports[1]} 1a86 {RTS}"]
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    server.stdout.close()


# Real flashers


def after_the_last_reset(folder: Path) -> list[str]:
    """Return the first two things that the chip did after EN was low for the last time.

    Without an image its watchdog goes on resetting it once a second, so there may be more on a busy machine.
    """
    notes = [text for kind, text in events(folder, "chip", "boot") if kind in ("chip", "boot")]
    assert "EN low" in notes
    return notes[len(notes) - notes[::-1].index("EN low") :][:2]


@needs_compiler
@pytest.mark.parametrize(
    "sequence", [None, "D0|R1|W0.1|D1|R0|W0.05|D0"], ids=["lines changed in one step", "lines changed one by one"]
)
def test_esptool_resets_into_download_mode_at_the_first_try_and_back(
    sequence: str | None, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if sequence:
        (tmp_path / "esptool.cfg").write_text(f"[esptool]\ncustom_reset_sequence = {sequence}\n")
        monkeypatch.setenv("ESPTOOL_CFGFILE", str(tmp_path / "esptool.cfg"))
    words = (*ESPTOOL, "--connect-attempts", "1", "--port", "{port}", "read-mac")
    assert run(tmp_path, *words, faults=()).status == 0
    assert "NOT reset" not in capfd.readouterr().out
    assert [text for _, text in events(tmp_path, "chip") if text.startswith("reset POWERON")] == [
        "reset POWERON_RESET strap 0x13",
        "reset POWERON_RESET strap 0x03",
        "reset POWERON_RESET strap 0x13",
    ]
    assert after_the_last_reset(tmp_path) == ["reset POWERON_RESET strap 0x13", "no image at 0x1000"]


@needs_compiler
def test_esptool_finds_the_listed_port_by_itself(library: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    extras = Extras(lines=True, listed=True)
    words = (*ESPTOOL, "--port-filter", "vid=0x10c4", "read-mac")
    assert run(tmp_path, *words, faults=(), extras=extras).status == 0
    assert "Found 1 serial ports" in capfd.readouterr().out


@pytest.mark.peers
@needs_compiler
@pytest.mark.parametrize("release", peers.others())
@pytest.mark.parametrize("pace", list(Pace))
def test_other_releases_reset_into_download_mode_and_back(
    release: str, pace: Pace, library: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    transcript = tmp_path / "run.jsonl"
    request = Request(scenario=Scenario(keep_events=True), transcript=str(transcript))
    words = (*peers.esptool(release).words, "--chip", "esp32", "--connect-attempts", "1", "--port", "{port}", "flash_id")
    assert run_pty(words, request, timeout_s=100, pace=pace, extras=Extras(lines=True)).status == 0
    assert "94:b5:55:2b:10:44" in capfd.readouterr().out
    assert after_the_last_reset(tmp_path) == ["reset POWERON_RESET strap 0x13", "no image at 0x1000"]
