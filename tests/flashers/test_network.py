"""Links over the network, as a user starts them: real clients reset the board, several boards are served at once."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import serial

from simulator.cli.main import status_of
from simulator.flashers.job import Request
from simulator.flashers.real_run import run_network
from simulator.links.line_modes import LineMode
from simulator.links.network import Network, Way
from simulator.links.pump import Pace
from simulator.scenario import Scenario
from tests import peers

ECHO = ("--fault", "wrong-port-echo")
RESETS = [(peers.INSTALLED, ""), (peers.INSTALLED, "?ign_set_control")]
if peers.whole():
    RESETS += [(release, suffix) for release in peers.others() for suffix in ("", "?ign_set_control")]


def straps(transcript: Path) -> list[str]:
    """Return the strap values with which the chip started, equal ones in a row once (a blank flash means a watchdog loop)."""
    events = [json.loads(line) for line in transcript.read_text("utf-8").splitlines()]
    texts = [event["data"] for event in events if event["kind"] == "chip"]
    found = re.findall(r"strap 0x([0-9a-f]{2})", "\n".join(texts))
    return [value for value, _ in itertools.groupby(found)]


@pytest.mark.peers
@pytest.mark.parametrize(("release", "suffix"), RESETS)
def test_esptool_resets_the_board_over_rfc_2217(release: str, suffix: str, tmp_path: Path) -> None:
    esptool = peers.esptool(release)
    transcript = tmp_path / "run.jsonl"
    request = Request(scenario=Scenario(board="ttgo-lora32-v1", keep_events=True), transcript=str(transcript))
    words = [*esptool.words, "--port", "{port}" + suffix, "--chip", "esp32", "--no-stub", *esptool.spelled("read-mac")]
    finished = run_network(words, request, Way(network=Network.RFC2217), timeout_s=110, pace=Pace.MAX)
    assert finished.status == 0
    assert straps(transcript) == ["17", "07", "17"], "flash boot, download mode, and the hard reset at the end"


@pytest.mark.peers
def test_esptool_cannot_reset_the_board_when_each_change_is_done_as_it_comes(tmp_path: Path) -> None:
    esptool = peers.esptool(peers.INSTALLED)
    transcript = tmp_path / "run.jsonl"
    request = Request(scenario=Scenario(board="ttgo-lora32-v1", keep_events=True), transcript=str(transcript))
    options = ("--chip", "esp32", "--connect-attempts", "1")
    words = [*esptool.words, "--port", "{port}", *options, *esptool.spelled("read-mac")]
    way = Way(network=Network.RFC2217, lines=LineMode.LITERAL)
    assert run_network(words, request, way, timeout_s=110, pace=Pace.MAX).status == 2
    assert set(straps(transcript)) == {"17"}


@pytest.mark.parametrize("pace", list(Pace))
@pytest.mark.parametrize("network", [Network.TCP, Network.RFC2217])
def test_any_program_gets_an_address(network: Network, pace: Pace, capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "import os, serial\n"
        "with serial.serial_for_url(os.environ['ESPSIM_PORT'], 921600, timeout=20) as port:\n"
        "    port.write(b'hello')\n"
        "    print(port.read(5))\n"
    )
    request = Request(scenario=Scenario(faults=("wrong-port-echo",)))
    finished = run_network([sys.executable, "-c", code], request, Way(network=network), timeout_s=60, pace=pace)
    assert (finished.status, capfd.readouterr().out) == (0, "b'hello'\n")


def test_what_a_program_wrote_last_reaches_the_device(tmp_path: Path) -> None:
    transcript = tmp_path / "run.jsonl"
    request = Request(scenario=Scenario(faults=("wrong-port-echo",), keep_events=True), transcript=str(transcript))
    code = (
        "import os, socket\n"
        "host, port = os.environ['ESPSIM_PORT'].removeprefix('socket://').split(':')\n"
        "with socket.create_connection((host, int(port))) as client:\n"
        "    client.sendall(bytes(40_000))\n"
    )
    run_network([sys.executable, "-c", code], request, Way(network=Network.TCP), timeout_s=60, pace=Pace.REAL)
    events = [json.loads(line) for line in transcript.read_text("utf-8").splitlines()]
    assert sum(len(bytes.fromhex(event["data"])) for event in events if event["kind"] == "h2d") == 40_000


def test_several_boards_and_links_are_served_by_one_process() -> None:
    words = [
        "serve",
        "-B",
        "esp32-devkitc",
        "-B",
        "ttgo-lora32-v1",
        "--link",
        "rfc2217",
        "--link",
        "tcp",
        "--count",
        "3",
        *ECHO,
    ]
    server = subprocess.Popen([sys.executable, "-m", "simulator", *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    lines = [server.stdout.readline() for _ in range(3)]
    found = [re.fullmatch(r"port: ((rfc2217|socket)://127\.0\.0\.1:\d+)  \((.*)\)\n", line) for line in lines]
    assert [(match[2], match[3]) for match in found if match] == [
        ("rfc2217", "esp32-devkitc"),
        ("socket", "ttgo-lora32-v1"),
        ("socket", "ttgo-lora32-v1"),
    ]
    for match in found[1:]:
        assert match is not None
        with serial.serial_for_url(match[1], timeout=20) as port:
            port.write(b"x")
            assert port.read(1) == b"x"
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    server.stdout.close()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--link", "pty", "--listen", "0.0.0.0"], "--listen is for --link rfc2217 and --link tcp and --link websocket"),
        (["--link", "tcp", "--line-mode", "literal"], "--line-mode is for --link rfc2217"),
        (["--link", "tcp", "--listen", "host:port"], "'port' is not a TCP port"),
    ],
)
def test_options_that_do_not_fit_the_link_are_refused(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", *words, "--", "true"]) == 2
    assert status_of(["serve", *words]) == 2
    assert capsys.readouterr().err.replace("\n", " ").count(text) == 2


def test_an_address_that_is_not_ours_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["run", "--link", "tcp", "--listen", "192.0.2.1", "--", "true"]) == 70
    assert "cannot listen on 192.0.2.1:0" in capsys.readouterr().err
