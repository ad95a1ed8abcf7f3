"""The worker process of Python flashers, with small programs in place of a flasher."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import flashcore
import simulator
from simulator.flashers.adapter import Result
from simulator.flashers.shards import WORKER
from simulator.flashers.task import Job, Task
from simulator.scenario import Scenario

OPEN = "port = serial.serial_for_url(sys.argv[1], baudrate=115200, timeout=3)"


def work(folder: Path, *bodies: str, wall_s: int = 60) -> list[Result]:
    """Run each of `bodies` as a task, all in one worker."""
    lines = ["import os, sys, time, serial", "count = 0", "def main():", "    global count", "    count += 1"]
    lines += ["    globals()['task' + sys.argv[2]]()"]
    for number, body in enumerate(bodies):
        lines += [f"def task{number}():", *(f"    {line}" for line in body.split("\n"))]
    (folder / "tool.py").write_text("\n".join(lines) + "\n")
    task = Task(scenario=Scenario(faults=("wrong-port-echo",)), job=Job.of_size(4096), limit_s=1000)
    job = {
        "folders": {item.__name__: str(Path(str(item.__file__)).parent) for item in (flashcore, simulator)},
        "kind": "function",
        "target": "tool",
        "function": "main",
        "name": "board",
        "results": str(folder / "results"),
        "wall_s": wall_s,
        "tasks": [
            {"task": task.to_json(), "commands": [["sim://board", str(number)]], "files": []} for number in range(len(bodies))
        ],
    }
    (folder / "job").write_text(json.dumps(job))
    code = f"import sys, runpy; sys.path.insert(0, {str(folder)!r}); sys.argv[:] = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(WORKER), str(folder / "job")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return [Result.from_json(line) for line in (folder / "results").read_text().splitlines()]


def test_output_status_and_time_are_the_task_s_own(tmp_path: Path) -> None:
    body = f"{OPEN}\nport.write(b'hello')\nprint(port.read(5), time.time(), count)\ntime.sleep(100)\n"
    body += "sys.exit(int(sys.argv[2]) + 7)"
    first, second = work(tmp_path, body, body)
    assert (first.status, second.status) == (7, 8)
    assert first.messages == second.messages
    assert first.messages.startswith("b'hello' 1700000000.")
    assert first.messages.endswith(" 1\n")
    assert 100 < first.evidence.virtual_s < 101
    assert first.evidence.faults[0].exercised


def test_an_error_that_is_not_handled_is_a_traceback_and_a_message_as_status_is_none(tmp_path: Path) -> None:
    crashed, ended, fine = work(tmp_path, "raise ValueError('no')", "sys.exit('no such thing')", "pass")
    assert (crashed.status, crashed.traceback) == (1, True)
    assert crashed.messages.endswith("ValueError: no\n")
    assert (ended.status, ended.traceback, ended.messages) == (1, False, "no such thing\n")
    assert (fine.status, fine.messages) == (0, "")


def test_a_wait_without_end_is_ended_in_virtual_time(tmp_path: Path) -> None:
    reading, sleeping = work(
        tmp_path, f"{OPEN}\nport.timeout = None\ntry: port.read(1)\nexcept Exception: pass", "while True: time.sleep(5)"
    )
    assert (reading.hung, sleeping.hung) == (True, True)
    assert (reading.status, sleeping.evidence.virtual_s) == (124, 1000.0)
    assert ", in task0 at tool.py:" in reading.messages
    assert ", in task1 at tool.py:" in sleeping.messages


def test_a_task_that_is_killed_or_never_ends_leaves_a_result_and_the_others_alone(tmp_path: Path) -> None:
    killed, endless, fine = work(tmp_path, "os.kill(os.getpid(), 9)", "while True: pass", "print('fine')", wall_s=1)
    assert (killed.status, killed.traceback, killed.hung) == (137, True, False)
    assert (endless.traceback, endless.hung) == (False, True)
    assert fine.messages == "fine\n"
