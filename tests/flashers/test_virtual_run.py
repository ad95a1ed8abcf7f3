"""An unmodified Python program in virtual time: it runs as its own interpreter would run it, and its world ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flashcore.errors import ScenarioError
from simulator.flashers import bootstrap
from simulator.flashers.interpreter import CommandError
from simulator.flashers.job import Request
from simulator.flashers.virtual_run import Finished, run_virtual
from simulator.scenario import Scenario

ECHO = Scenario(board="ttgo-lora32-v1", faults=("wrong-port-echo",))
"""A world that needs no chip: what is sent comes back."""

OPEN = "import os, serial; port = serial.serial_for_url(os.environ['ESPSIM_PORT'], baudrate=115200, timeout=3)\n"


def run(code: str, *arguments: str, request: Request | None = None, timeout_s: float = 60) -> Finished:
    return run_virtual([sys.executable, "-c", code, *arguments], request or Request(scenario=ECHO), timeout_s=timeout_s)


def test_a_program_talks_to_the_device_and_its_exit_status_goes_through(capfd: pytest.CaptureFixture[str]) -> None:
    finished = run(OPEN + "port.write(b'hello'); print(port.read(5)); raise SystemExit(7)")
    assert capfd.readouterr().out == "b'hello'\n"
    assert finished.status == 7
    assert finished.outcome is not None
    assert finished.outcome.problems == ()


def test_waiting_costs_virtual_time_only() -> None:
    finished = run(OPEN + "import time; time.sleep(3600); port.read(1)", timeout_s=30)
    assert finished.status == 0
    assert finished.outcome is not None
    assert 3603 <= finished.outcome.virtual_s < 3604


def test_the_port_stands_in_for_the_placeholder(capfd: pytest.CaptureFixture[str]) -> None:
    run("import sys; print(sys.argv)", "--port={port}", "{port}")
    assert capfd.readouterr().out == "['-c', '--port=sim://ttgo-lora32-v1', 'sim://ttgo-lora32-v1']\n"


def test_a_script_sees_itself_as_it_would_without_us(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'found'\n")
    script = tmp_path / "client.py"
    script.write_text("import beside, sys; print(beside.WORD, __name__, __file__, sys.argv, sys.path[0])\n")
    run_virtual([sys.executable, str(script), "a"], Request(scenario=ECHO), timeout_s=60)
    assert capfd.readouterr().out == f"found __main__ {script} ['{script}', 'a'] {tmp_path}\n"


def test_a_module_is_run_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "client.py").write_text("import sys; print(__name__, sys.argv[1:])\n")
    monkeypatch.chdir(tmp_path)
    run_virtual([sys.executable, "-m", "client", "a"], Request(scenario=ECHO), timeout_s=60)
    assert capfd.readouterr().out == "__main__ ['a']\n"


def test_a_traceback_starts_in_the_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "client.py"
    script.write_text("def f():\n    raise ValueError('no')\nf()\n")
    finished = run_virtual([sys.executable, str(script)], Request(scenario=ECHO), timeout_s=60)
    errors = capfd.readouterr().err
    assert finished.status == 1
    assert errors.splitlines()[:2] == ["Traceback (most recent call last):", f'  File "{script}", line 3, in <module>']
    assert "bootstrap" not in errors
    assert "runpy" not in errors
    assert finished.outcome is not None


def test_a_message_as_exit_status_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("raise SystemExit('no such thing')").status == 1
    assert capfd.readouterr().err == "no such thing\n"


def test_a_wait_that_nothing_ends_is_ended_and_said() -> None:
    finished = run(OPEN + "port.timeout = None\ntry: port.read(1)\nexcept Exception: pass")
    assert finished.status == 124
    assert finished.outcome is not None
    assert finished.outcome.problems[0].startswith("CMD hangs: /dev/ttyUSB0: waits for 1 bytes")


def test_a_loop_without_end_in_virtual_time_is_ended() -> None:
    finished = run("import time\nwhile True: time.sleep(60)")
    assert finished.status == 124
    assert not finished.timed_out


def test_a_program_that_is_told_to_end_still_leaves_its_figures() -> None:
    finished = run("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert finished.status == 143
    assert finished.outcome is not None


def test_a_program_that_ignores_being_told_to_end_is_ended_for_certain() -> None:
    finished = run("import signal; signal.signal(15, 1); [0 for _ in iter(int, 1)]", timeout_s=0.5)
    assert (finished.status, finished.timed_out) == (124, True)
    assert finished.outcome is None


def test_a_program_that_is_killed_has_the_exit_status_of_a_shell() -> None:
    assert run("import os; os.kill(os.getpid(), 9)").status == 137


def test_an_interrupted_program_ends_as_interrupted() -> None:
    finished = run("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    assert finished.status == 130
    assert finished.outcome is not None


def test_the_list_of_ports_holds_the_virtual_port_only(capfd: pytest.CaptureFixture[str]) -> None:
    run("from serial.tools.list_ports import comports\nfor p in comports(): print(p.device, p.vid, p.pid, p.description)")
    assert capfd.readouterr().out.splitlines() == ["/dev/ttyUSB0 4292 60000 CP2102 USB to UART Bridge Controller"]


def test_a_port_opened_by_its_listed_name_is_the_virtual_one(capfd: pytest.CaptureFixture[str]) -> None:
    finished = run(
        "import serial; from serial.tools.list_ports import comports\n"
        "with serial.Serial(comports()[0].device, 9600, timeout=1) as port: port.write(b'x'); print(port.read())"
    )
    assert capfd.readouterr().out == "b'x'\n"
    assert finished.status == 0


def test_other_device_files_are_still_the_system_s_own() -> None:
    assert (
        run("import serial\ntry: serial.Serial('/dev/no-such-tty')\nexcept serial.SerialException: raise SystemExit(9)").status
        == 9
    )


def test_only_our_two_packages_come_with_us(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import serial

    (tmp_path / "serial").symlink_to(Path(serial.__file__).parent)
    code = (
        "import importlib.util as u\n"
        "print([n for n in ('flashcore', 'simulator', 'serial', 'click', 'rich', 'bootstrap') if u.find_spec(n)])"
    )
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        run_virtual([sys.executable, "-S", "-c", code], Request(scenario=ECHO), timeout_s=60)
    finally:
        del os.environ["PYTHONPATH"]
    assert capfd.readouterr().out == "['flashcore', 'simulator', 'serial']\n"


def test_an_environment_without_pyserial_gets_one_clear_error(capfd: pytest.CaptureFixture[str]) -> None:
    finished = run_virtual([sys.executable, "-S", "-c", "pass"], Request(scenario=ECHO), timeout_s=60)
    assert finished.status == 70
    assert "has no pyserial" in capfd.readouterr().err


def test_a_scenario_that_cannot_be_built_is_reported_by_the_world(capfd: pytest.CaptureFixture[str]) -> None:
    finished = run("pass", request=Request(scenario=Scenario(board="ttgo-lora32-v9")))
    assert finished.status == 2
    assert "did you mean ttgo-lora32-v1?" in capfd.readouterr().err


def test_a_wrong_scenario_is_reported_before_a_wrong_command() -> None:
    with pytest.raises(ScenarioError, match="no board 'nothing'"):
        run_virtual(["no-such-tool"], Request(scenario=Scenario(board="nothing")), timeout_s=60)
    with pytest.raises(CommandError, match="no-such-tool"):
        run_virtual(["no-such-tool"], Request(scenario=ECHO), timeout_s=60)


def test_a_failure_of_the_simulator_is_not_the_program_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    break_it = "import simulator.board.decoys as d\ndef fail(*_): raise RuntimeError('gap')\nd.Echo.receive = fail\n"
    finished = run(OPEN + break_it + "port.write(b'x')\ntry: port.read(1)\nexcept Exception: pass")
    assert finished.status == 70
    assert finished.outcome is not None
    assert finished.outcome.problems == ("the simulator failed (RuntimeError: gap); this says nothing about CMD",)
    assert "RuntimeError: gap" in capfd.readouterr().err


def test_the_transcript_holds_what_went_over_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    request = Request(scenario=Scenario(board=ECHO.board, faults=ECHO.faults, keep_events=True), transcript=str(path))
    run(OPEN + "port.write(b'hello'); port.read(5)", request=request)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["data"] for event in events if event["kind"] == "h2d"] == [b"hello".hex()]
    assert [event["data"] for event in events if event["kind"] == "lines"] == ["dtr=1 rts=1"]


def test_a_file_that_cannot_be_written_is_a_problem_of_the_outcome(tmp_path: Path) -> None:
    finished = run("pass", request=Request(scenario=ECHO, transcript=str(tmp_path / "no" / "run.jsonl")))
    assert finished.outcome is not None or finished.status == 2


def test_the_same_seed_gives_the_same_events_in_another_process_and_under_another_hash_seed(tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(
        OPEN + "import time\n"
        "for name in sorted({'a', 'b', 'c'}):\n"
        "    port.write(name.encode() * 100); port.read(100); time.sleep(0.1); port.reset_input_buffer()\n"
    )
    digests = set()
    for hash_seed in ("0", "1", "4711"):
        code = (
            "import sys\nfrom simulator.flashers.job import Request\nfrom simulator.flashers.virtual_run import run_virtual\n"
            "from simulator.scenario import Scenario\n"
            "request = Request(scenario=Scenario(faults=('wrong-port-echo', 'h2d:chance(0.5):corrupt'), seed=7))\n"
            f"print(run_virtual([sys.executable, {str(client)!r}], request, timeout_s=60).outcome.digest)"
        )
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 32


def test_ctrl_c_before_the_flasher_runs_ends_without_a_word(tmp_path: Path) -> None:
    job = tmp_path / "job"
    os.mkfifo(job)
    # A shell's background job, as the test run may be, ignores SIGINT, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen([sys.executable, bootstrap.__file__, job], stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    # Opening it takes until the other side does, which then waits for what never comes.
    with job.open("w"):
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=60)
    assert (started.returncode, said) == (-signal.SIGINT, "")
