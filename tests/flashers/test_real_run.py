"""Any program in real time: it gets a port, its exit status goes through, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flashcore.errors import ScenarioError
from simulator.flashers.interpreter import CommandError
from simulator.flashers.job import Request
from simulator.flashers.real_run import run_pty
from simulator.flashers.virtual_run import Finished
from simulator.links.pump import Pace
from simulator.scenario import Scenario

ECHO = Request(scenario=Scenario(faults=("wrong-port-echo",)))
CLIENT = """
import os, serial
with serial.Serial(os.environ["ESPSIM_PORT"], 921600, timeout=10) as port:
    port.write(b"hello")
    print(port.read(5))
"""


def run(*words: str, request: Request = ECHO, timeout_s: float | None = 60, pace: Pace = Pace.REAL) -> Finished:
    return run_pty(words, request, timeout_s=timeout_s, pace=pace)


@pytest.mark.parametrize("pace", list(Pace))
def test_a_program_talks_to_the_device(pace: Pace, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(sys.executable, "-c", CLIENT, pace=pace).status == 0
    assert capfd.readouterr().out == "b'hello'\n"


def test_a_program_that_is_no_python_gets_the_port_and_its_status_goes_through(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("sh", "-c", 'test "$1" = "$ESPSIM_PORT" && test -c "$1" && exit 7', "sh", "{port}").status == 7


def test_bytes_written_just_before_the_end_still_reach_the_device(tmp_path: Path) -> None:
    transcript = tmp_path / "run.jsonl"
    request = Request(scenario=Scenario(faults=("wrong-port-echo",), keep_events=True), transcript=str(transcript))
    run("sh", "-c", 'printf bye > "$ESPSIM_PORT"', request=request)
    assert f'"kind": "h2d", "data": "{b"bye".hex()}"' in transcript.read_text()


STUCK = """
import os, serial
with serial.Serial(os.environ["ESPSIM_PORT"], 921600, write_timeout=1) as port:
    try:
        for _ in range(64):
            port.write(bytes(1024))
    except serial.SerialTimeoutException:
        print("stuck")
"""


@pytest.mark.parametrize("pace", list(Pace))
def test_a_driver_that_takes_no_more_bytes_stops_the_program_that_writes(pace: Pace, capfd: pytest.CaptureFixture[str]) -> None:
    request = Request(scenario=Scenario(faults=("h2d:nth_byte(100):stuck",)))
    assert run(sys.executable, "-c", STUCK, request=request, pace=pace).status == 0
    assert capfd.readouterr().out == "stuck\n"


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    try:
        finished = run("sh", "-c", f"exec > {held}; echo started; sleep 1000 & wait", timeout_s=2)
        assert (finished.status, finished.timed_out) == (124, True)
        os.set_blocking(reader, True)
        assert os.read(reader, 100) == b"started\n"
        assert os.read(reader, 1) == b"", "the end comes only when no process holds the other end any more"
    finally:
        os.close(reader)


def test_nothing_stays_open(tmp_path: Path) -> None:
    run("true")
    before = sorted(os.listdir("/dev/fd"))
    run("true")
    assert sorted(os.listdir("/dev/fd")) == before


def test_a_program_that_cannot_be_found_is_named() -> None:
    with pytest.raises(CommandError, match="cannot start no-such-tool: it is not on PATH"):
        run("no-such-tool")


def test_a_world_that_cannot_be_built_is_reported_first() -> None:
    with pytest.raises(ScenarioError, match="no board 'nothing'"):
        run("no-such-tool", request=Request(scenario=Scenario(board="nothing")))


def test_an_interrupt_ends_the_program_and_all_that_it_started() -> None:
    code = (
        "import sys\nfrom simulator.cli.main import status_of\n"
        "sys.exit(status_of(['run', '--link', 'pty', '-f', 'wrong-port-echo', '--', 'sh', '-c',"
        " 'echo $ESPSIM_PORT $$; exec sleep 1000']))"
    )
    espsim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert espsim.stdout is not None
    port, process = espsim.stdout.readline().split()
    assert os.path.exists(port)
    espsim.send_signal(signal.SIGINT)
    assert espsim.wait(30) == 130
    espsim.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
